"""Checking a learner's file in a process of its own, with limits: whatever the file does, this returns a verdict.

The child (``child``) is a new Python, started the same way on every system. Its output is read as it comes, and only
the beginning is kept. A file that never ends is stopped: the child writes down where it was, so that the message names
the learner's own line. A file that ends Python itself leaves no verdict: that is no pass.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple

from scratchgen.exercises.kit.exercise import ERROR, Exercise, Verdict

ROOT = Path(__file__).resolve().parents[3]  # where the child finds scratchgen
SECONDS, MEGABYTES = 20.0, 4096
STARTING = 60.0  # seconds for the start of Python and NumPy on a busy machine, beyond the limit
MOST_OUTPUT = 4000  # characters


class Checked(NamedTuple):
    """What became of a file: the verdict, and what was printed meanwhile, at most ``MOST_OUTPUT`` characters."""

    verdict: Verdict
    output: str = ""


def check_file(
    exercise: Exercise,
    path: str | os.PathLike[str],
    seconds: float = SECONDS,
    megabytes: int | None = MEGABYTES,
    folder: str | os.PathLike[str] | None = None,
) -> Checked:
    """Run and check a learner's file.

    Args:
        exercise: which one it is a solution of.
        path: the file.
        seconds: the time that it may take.
        megabytes: the memory that it may use, where the system can bound it (Linux); None for no bound.
        folder: the current folder while it runs; that of the file by default.
    """
    path = Path(os.path.abspath(path))
    with tempfile.TemporaryDirectory(prefix="scratchgen-") as own:
        word, result, trace = secrets.token_hex(16), Path(own, "result.json"), Path(own, "trace.txt")
        task = {
            "exercise": exercise.id,
            "path": str(path),
            "folder": str(folder or path.parent),
            "seconds": seconds,
            "megabytes": megabytes,
            "result": str(result),
            "trace": str(trace),
            "word": word,
        }
        code, output = run_child(task, seconds + STARTING)
        verdict = read_verdict(result, word) or diagnosis(path, seconds, code, trace)
    return Checked(verdict, output)


def run_child(task: dict[str, Any], seconds: float) -> tuple[int | None, str]:
    """Start the child, hand it its task, and wait: its exit code, None if it was stopped, and what it printed."""
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",  # a window would be waited for
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # no __pycache__ among the learner's files
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",  # what was printed before a crash is shown
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "scratchgen.exercises.kit.child"],
        cwd=ROOT,  # first on sys.path; in the learner's folder a file numpy.py would be taken for NumPy
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=os.name == "posix",  # to be stopped with all that it starts
    )
    assert child.stdin and child.stdout
    printed = bytearray()
    reader = threading.Thread(target=keep_beginning, args=(child.stdout, printed), daemon=True)
    reader.start()
    code: int | None = None
    try:
        with child.stdin as stdin:
            stdin.write(json.dumps(task).encode())
        code = child.wait(seconds)
    except (subprocess.TimeoutExpired, BrokenPipeError):
        pass
    finally:  # also after Ctrl-C
        stop(child)
        reader.join(5)
    return code, clipped(bytes(printed))


def stop(child: subprocess.Popen[bytes]) -> None:
    """Kill the child, and on POSIX all that it started; fine if it is gone."""
    try:
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def keep_beginning(stream: IO[bytes], printed: bytearray) -> None:
    """Read to the end, so that the child never waits for a full pipe, and keep the beginning."""
    with stream:
        while block := stream.read1(65536):  # type: ignore[attr-defined]
            printed += block[: max(0, 4 * MOST_OUTPUT - len(printed))]


def clipped(printed: bytes) -> str:
    """What was printed, as text, up to ``MOST_OUTPUT`` characters, without what a terminal would obey."""
    text = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    text = re.sub(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]", "·", text)
    return text if len(text) <= MOST_OUTPUT else text[:MOST_OUTPUT] + "\n… and more, which is left out"


def read_verdict(result: Path, word: str) -> Verdict | None:
    """What the child found; None if it wrote nothing, or another did."""
    try:
        found = json.loads(result.read_text(encoding="utf-8"))
        if found["word"] != word:
            return None
        return Verdict(found["status"], found["message"], tuple(found["mistakes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def diagnosis(path: Path, seconds: float, code: int | None, trace: Path) -> Verdict:
    """The verdict where the child left none."""
    try:
        frames = re.findall(r'File "(.*)", line (\d+) in (.*)', trace.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        frames = []
    if frames or code is None:
        known = str(path).encode("ascii", "backslashreplace").decode()
        own = [(line, name) for file, line, name in frames if file in (known, str(path))]
        where = f"\n  It was in {path.name}, line {own[0][0]}, in {own[0][1].strip()}." if own else ""
        return Verdict(
            ERROR, f"{path.name} did not come to an end within {seconds:g} s: is there a loop without end?{where}"
        )
    if code < 0 or code > 2:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
        return Verdict(
            ERROR, f"Python crashed while it ran {path.name} ({name}): too much memory, or a recursion without end?"
        )
    return Verdict(ERROR, f"{path.name} ended Python before the check was finished (exit code {code}).")
