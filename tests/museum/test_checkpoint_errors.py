"""Errors planted in checkpoint.py and atomic.py: for each there is a test that fails.

A plant is a piece of the source and what a slip of the hand, or a shorter way, could have made of it. The check beside
it is run on the right source, where it has to pass, and on the changed one, where it has to fail.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from scratchgen import atomic, checkpoint
from tests import test_atomic, test_checkpoint, test_checkpoint_damage
from tests.test_atomic import posix

Check = Callable[..., None]


@contextmanager
def planted(module: ModuleType, right: str, wrong: str) -> Iterator[None]:
    """Inside, the module's source has `wrong` in the place of `right`."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    names, replacing = dict(vars(module)), checkpoint.replacing
    try:
        exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), vars(module))
        checkpoint.replacing = atomic.replacing
        yield
    finally:
        vars(module).clear()
        vars(module).update(names)
        checkpoint.replacing = replacing


def damaged(kind: str) -> Check:
    return partial(test_checkpoint_damage.check_byte_damage, damage=getattr(test_checkpoint_damage, kind), count=200)


def edited(kind: str) -> Check:
    return partial(test_checkpoint_damage.check_header_damage, damage=getattr(test_checkpoint_damage, kind), count=200)


def impossible(kind: str) -> Check:
    return partial(test_checkpoint.test_an_impossible_header_is_refused_though_its_checksums_are_right, kind=kind)


def bomb(kind: str) -> Check:
    return partial(test_checkpoint.test_a_bomb_is_refused_before_anything_is_allocated, kind=kind)


def not_json(value: object, word: str) -> Check:
    return partial(test_checkpoint.test_what_json_would_lose_is_refused, value=value, word=word)


def not_an_array(value: object, field: str, word: str) -> Check:
    return partial(test_checkpoint.test_what_is_no_plain_array_is_refused, arrays={"x": value}, field=field, word=word)


round_trip = test_checkpoint.test_every_kind_of_array_comes_back_bit_for_bit
by_hand = test_checkpoint.test_the_bytes_are_those_of_the_docstring
great_header = test_checkpoint.test_a_header_of_the_greatest_length_is_bounded_too
ctrl_c = test_atomic.test_ctrl_c_at_every_line
full_disk = test_atomic.test_a_full_disk_leaves_the_old_file
callers_error = test_atomic.test_an_error_of_the_caller_leaves_the_old_file
steps = test_atomic.test_the_content_is_on_the_disk_before_it_takes_the_name
no_folder_sync = test_atomic.test_a_folder_that_cannot_be_synced_does_not_matter
read_only = test_atomic.test_a_read_only_file_is_not_replaced
modes = partial(test_atomic.test_permissions_are_kept_from_the_first_byte_on, umask=0o022)
private = test_atomic.test_a_private_file_is_private_before_it_has_content
links = test_atomic.test_links_are_followed
pipe = test_atomic.test_a_pipe_is_neither_replaced_nor_waited_for

LITTLE = 'np.asarray(array, array.dtype.newbyteorder("<"), order="C")'
DESCRIBED = '_describe(entry["name"], array, offset)'
NATIVE = 'array.astype(entry["dtype"], copy=False)'
UNLINK = "    finally:\n        with suppress(OSError):\n            temporary.unlink(missing_ok=True)\n"
TEMPORARY = 'target.parent / f".{os.urandom(8).hex()}.tmp"'
CHMOD = "os.chmod(temporary, mode)  # before the content: what was private stays private\n            yield file\n"

IN_CHECKPOINT = {
    "header unchecked": ("if found != checksum:", "if False:", damaged("flip_bits")),
    "arrays unchecked": ("if entry.get(key) != found:", "if False:", damaged("flip_bits")),
    "checksum of the bytes alone": ("hashlib.sha256(_encode(entry))", "hashlib.sha256()", edited("edit_consistently")),
    "checksum of the entry alone": ("checksum.update(_as_bytes(array))", "pass", damaged("zero_tail")),
    "offsets unchecked": (DESCRIBED, '_describe(entry["name"], array, entry["offset"])', impossible("gap")),
    "trailing bytes": ("if end != size:", "if end > size:", damaged("insert")),
    "length unchecked": ("if end != size:", "if False:", bomb("one array")),
    "header length believed": ("if length > limit:", "if False:", bomb("header length")),
    "header of any length": ("min(size - PREAMBLE.size, MAX_HEADER)", "size - PREAMBLE.size", great_header),
    "last of a name wins": ("if name in names:", "if False:", impossible("two of a name")),
    "last of a key wins": ("if _encode(header) == text:", "if True:", impossible("key twice")),
    "infinite meta": ("if _encode(header) == text:", "if True:", impossible("infinite")),
    "object arrays": ("if dtype not in DTYPES:", "if False:", impossible("object dtype")),
    "short preamble": ("if len(head) < PREAMBLE.size:", "if False:", damaged("truncate")),
    "deep JSON": (
        "except (ValueError, RecursionError):\n        pass",
        "except ValueError:\n        pass",
        bomb("deep"),
    ),
    "other exceptions": ("except (OSError, ValueError, MemoryError)", "except OSError", bomb("empty but vast")),
    "Ctrl-C is swallowed": ("except (OSError, ValueError, MemoryError)", "except BaseException", ctrl_c),
    "written in place": ("replacing(path) as file", 'open(path, "wb") as file', ctrl_c),
    "0-d becomes 1-d": (LITTLE, 'np.ascontiguousarray(array, array.dtype.newbyteorder("<"))', round_trip),
    "byte order of the array": (LITTLE, 'np.asarray(array, order="C")', round_trip),
    "byte order of the machine": ('Struct("<8sQ32s")', 'Struct(">8sQ32s")', by_hand),
    "read-only arrays": (NATIVE, 'np.frombuffer(array.tobytes(), entry["dtype"]).reshape(array.shape)', round_trip),
    "all floats are float64": (NATIVE, 'array.astype("float64") if array.dtype == np.float32 else array', round_trip),
    "mask lost": (
        "type(array) is not np.ndarray and",
        "not isinstance(array, np.ndarray) and",
        not_an_array(np.ma.masked_array([1, 2], [0, 1]), "arrays['x']", "MaskedArray"),
    ),
    "objects saved": (
        "if array.dtype.name not in DTYPES:",
        "if False:",
        not_an_array(np.array([None]), "arrays['x'].dtype", "object"),
    ),
    "NaN in JSON": ("allow_nan=False", "allow_nan=True", not_json(float("nan"), "Out of range")),
    "tuples become lists": (
        "json.loads(_encode({key: value})) != {key: value}",
        "not _encode({key: value})",
        not_json((1, 2), "(1, 2)"),
    ),
}

IN_ATOMIC = {
    "temporary file stays": (UNLINK, "    finally:\n        pass\n", full_disk),
    "temporary file stays after Ctrl-C": (
        UNLINK,
        "    except Exception:\n        temporary.unlink()\n        raise\n",
        ctrl_c,
    ),
    "half a file takes the name": (
        "yield file",
        "with suppress(Exception):\n                yield file",
        callers_error,
    ),
    "name before content": ("os.fsync(file.fileno())", "pass", steps),
    "synced before flushed": ("file.flush()", "pass", steps),
    "copied over the old file": ("os.replace(temporary, target)", "target.write_bytes(temporary.read_bytes())", steps),
    "old file removed first": ("os.replace(", "target.unlink(missing_ok=True)\n        os.replace(", ctrl_c),
    "another folder": (TEMPORARY, 'target.parent.parent / f".{os.urandom(8).hex()}.tmp"', steps),
    "folder must be synced": (
        "with suppress(OSError):\n        descriptor",
        "if True:\n        descriptor",
        no_folder_sync,
    ),
    "read-only file replaced": ("if not mode & stat.S_IWUSR:", "if False:", read_only),
}

IN_ATOMIC_ON_POSIX = {
    "folder not synced": ("    _sync_folder(target.parent)\n", "", steps),
    "permissions lost": ("os.chmod(temporary, mode)", "pass", modes),
    "private to everyone": ('"xb")', '"xb", opener=lambda name, flags: os.open(name, flags, 0o600))', modes),
    "public while written": (
        CHMOD,
        "pass\n            yield file\n            if mode is not None:\n                os.chmod(temporary, mode)\n",
        private,
    ),
    "link replaced": ("os.path.realpath(path)", "os.path.abspath(path)", links),
    "device replaced": ("if not stat.S_ISREG(mode):", "if False:", pipe),
}

PLANTS = [
    *(pytest.param(checkpoint, *plant, id=f"checkpoint: {name}") for name, plant in IN_CHECKPOINT.items()),
    *(pytest.param(atomic, *plant, id=f"atomic: {name}") for name, plant in IN_ATOMIC.items()),
    *(pytest.param(atomic, *plant, id=f"atomic: {name}", marks=posix) for name, plant in IN_ATOMIC_ON_POSIX.items()),
]


def run(check: Check, folder: Path) -> None:
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        wants = "monkeypatch" in inspect.signature(check).parameters
        check(folder, monkeypatch=monkeypatch) if wants else check(folder)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # planted errors leave files open
@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS)
def test_a_planted_error_is_noticed(tmp_path, module, right, wrong, check):
    run(check, tmp_path / "right")
    with planted(module, right, wrong), pytest.raises((Exception, pytest.fail.Exception)):
        run(check, tmp_path / "wrong")
    run(check, tmp_path / "right again")
