"""After a failure at any moment a file has its whole old content or its whole new one, and nothing lies beside it."""

import linecache
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scratchgen import atomic, checkpoint

OLD, NEW = np.zeros(1000), np.ones(100_000)  # the new one is longer than Python's buffer
posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes of POSIX")


def save_old(folder: Path) -> Path:
    path = folder / "a.ckpt"
    checkpoint.save(path, {"x": OLD})
    return path


def assert_only(path: Path, *expected: np.ndarray) -> None:
    """`path` holds one of the arrays and its folder holds nothing else."""
    x = checkpoint.load(path)[0]["x"]
    assert any(np.array_equal(x, array) for array in expected)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def refuse(*_args: object, **_options: object) -> None:
    raise OSError(28, "No space left on device")


# ── Failures ──


class FullDisk:
    """A file on a disk with room for so many bytes."""

    def __init__(self, file, room: int, error: type[BaseException]) -> None:
        self.file, self.room, self.error = file, room, error

    def write(self, block) -> int:
        self.room -= len(block)
        if self.room < 0:
            self.file.write(block[: self.room])
            raise self.error(28, "No space left on device")
        return self.file.write(block)

    def __getattr__(self, name: str):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_old(tmp_path)
    for room in (0, 10, 1000, 100_000, 799_999):
        monkeypatch.setattr(atomic, "open", lambda *a, n=room: FullDisk(open(*a), n, OSError), raising=False)
        with pytest.raises(checkpoint.CheckpointError, match="No space left on device"):
            checkpoint.save(path, {"x": NEW})
        assert_only(path, OLD)


@posix
def test_the_limit_of_the_system_leaves_the_old_file(tmp_path):
    """A real refusal in the middle of a write, and another one when the buffer is flushed."""
    import resource

    path = save_old(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for array in (NEW, NEW[:1500]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            with pytest.raises(checkpoint.CheckpointError, match="File too large"):
                checkpoint.save(path, {"x": array})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert_only(path, OLD)


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_refusal_of_the_system_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = save_old(tmp_path)
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(checkpoint.CheckpointError, match=r"No space left on device.*Check the path"):
        checkpoint.save(path, {"x": NEW})
    assert_only(path, OLD)


def test_an_error_of_the_caller_leaves_the_old_file(tmp_path):
    path = save_old(tmp_path)
    with pytest.raises(ZeroDivisionError), atomic.replacing(path) as file:
        file.write(b"half of it")
        raise ZeroDivisionError
    assert_only(path, OLD)


def test_a_failed_first_save_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.save(tmp_path / "a.ckpt", {"x": NEW})
    assert list(tmp_path.iterdir()) == []


class Interrupt:
    """A tracer that raises KeyboardInterrupt when so many lines of checkpoint.py and atomic.py have run."""

    def __init__(self, lines: int) -> None:
        self.left, self.entered = lines, set()

    def __call__(self, frame, event, _arg):
        if frame.f_code.co_filename not in (checkpoint.__file__, atomic.__file__):
            return None
        line = frame.f_code.co_filename, frame.f_lineno
        leaves_with = line in self.entered and linecache.getline(*line).lstrip().startswith("with ")
        # A with statement counts as a line again when it is left, but no signal is looked at before its __exit__ runs.
        if event == "line" and not leaves_with:
            self.entered.add(line)
            self.left -= 1
            if self.left == -1:
                raise KeyboardInterrupt
        return self


def test_ctrl_c_at_every_line(tmp_path):
    """Before the first line that runs, before the second, and so on: first the old file is there, then the new one."""
    outcomes = []
    for lines in range(1000):
        path = save_old(tmp_path)
        interrupt = Interrupt(lines)
        tracer = sys.gettrace()
        sys.settrace(interrupt)
        try:
            checkpoint.save(path, {"x": NEW})
        except KeyboardInterrupt:
            outcomes.append("new" if len(checkpoint.load(path)[0]["x"]) == len(NEW) else "old")
        else:
            assert interrupt.left >= 0, "the interrupt did not stop the save"
            break
        finally:
            sys.settrace(tracer)
            assert_only(path, OLD, NEW)
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes.count("old") > 30 and 1 <= outcomes.count("new") < 15


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_file(tmp_path):
    """Killed 60 times at random moments of saving without a pause; what may stay behind is a temporary file."""
    path = tmp_path / "a.ckpt"
    script = (
        "import sys, numpy as np; from scratchgen import checkpoint\n"
        "i = 0\n"
        "while True:\n"
        "    i += 1; checkpoint.save(sys.argv[1], {'x': np.full(200_000 + i % 7, i)})\n"
        "    if i == 1: print(flush=True)\n"
    )
    rng = np.random.default_rng(0)
    for _ in range(60):
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
        x = checkpoint.load(path)[0]["x"]
        assert len(x) == 200_000 + x[0] % 7 and (x == x[0]).all()


# ── The steps ──


def test_the_content_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    """fsync of all the bytes, then rename within the folder, then fsync of the folder."""
    path = save_old(tmp_path)
    steps = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        status = os.fstat(descriptor)
        steps.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)
        fsync(descriptor)

    def record_replace(source, target):
        steps.append((Path(source).parent, Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    checkpoint.save(path, {"x": NEW, "still in the buffer": OLD[:3]})
    expected = [path.stat().st_size, (path.parent.resolve(), path.resolve()), "folder"]
    assert steps == (expected if os.name == "posix" else expected[:2])


def test_a_folder_that_cannot_be_synced_does_not_matter(tmp_path, monkeypatch):
    """Windows cannot open a folder, and some network drives cannot sync one."""
    path = save_old(tmp_path)
    monkeypatch.setattr(os, "open", refuse)
    checkpoint.save(path, {"x": NEW})
    assert_only(path, NEW)


# ── What is replaced, and what is not ──


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_kept_from_the_first_byte_on(tmp_path, monkeypatch, umask):
    path, seen = tmp_path / "a.ckpt", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    before = os.umask(umask)
    try:
        checkpoint.save(path, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        for mode in (0o600, 0o640, 0o664, 0o666, 0o755):
            path.chmod(mode)
            seen.clear()
            checkpoint.save(path, {})
            assert stat.S_IMODE(path.stat().st_mode) == seen[0] == mode
    finally:
        os.umask(before)


@posix
def test_a_private_file_is_private_before_it_has_content(tmp_path):
    path = save_old(tmp_path)
    path.chmod(0o600)
    with atomic.replacing(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


def test_a_read_only_file_is_not_replaced(tmp_path):
    path = save_old(tmp_path)
    path.chmod(0o444)
    with pytest.raises(checkpoint.CheckpointError, match="a read-only file"):
        checkpoint.save(path, {"x": NEW})
    assert_only(path, OLD)
    path.chmod(0o644)


def test_a_folder_and_a_missing_folder_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, word in (
        (tmp_path / "folder", "a folder"),
        (tmp_path / "none" / "a.ckpt", "create it first"),
        ("a\0b", "null"),
        (os.path.abspath(os.sep), "a folder"),
    ):
        with pytest.raises(checkpoint.CheckpointError, match=word) as caught:
            checkpoint.save(path, {"x": NEW})
        assert caught.value.field == "file"
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@posix
def test_a_pipe_is_neither_replaced_nor_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for call in (lambda: checkpoint.save(tmp_path / "pipe", {}), lambda: checkpoint.load(tmp_path / "pipe")):
        with pytest.raises(checkpoint.CheckpointError, match="a device"):
            call()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
def test_links_are_followed(tmp_path):
    (tmp_path / "other").mkdir()
    path = save_old(tmp_path / "other")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    checkpoint.save(tmp_path / "link", {"x": NEW})
    assert (tmp_path / "link").is_symlink()
    assert_only(path, NEW)
    path.unlink()
    checkpoint.save(tmp_path / "link", {"x": OLD})
    assert_only(path, OLD)
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.save(tmp_path / "loop", {"x": NEW})
