"""The process in which a learner's file is run and checked: ``python -m scratchgen.exercises.kit.child``.

``load`` starts it, with the exercise, the file and the limits as JSON on its standard input, and finds the verdict in a
file of its own: what the learner prints cannot disturb it. The verdict carries a word that only ``load`` knows. The
first one is written before the known mistakes are tried, for that takes longer.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from scratchgen.atomic import replacing
from scratchgen.exercises.kit.exercise import ERROR, PACKAGE, Exercise, Verdict
from scratchgen.exercises.kit.guard import changes, snapshot
from scratchgen.exercises.kit.judge import Student
from scratchgen.exercises.kit.reading import Unreadable, define


def main() -> None:
    """Read what to do, do it, and end without waiting for anything that the learner's file left running."""
    task = json.load(sys.stdin)
    sys.stdin = open(os.devnull, encoding="utf-8")
    sys.argv = [task["path"]]  # as if the file were run by itself
    exercise = Exercise(importlib.import_module(f"{PACKAGE}.{task['exercise']}"))
    os.chdir(task["folder"])
    sys.path.append(str(Path(task["path"]).parent))  # last: a file numpy.py beside the learner's is not NumPy
    limit_resources(task["megabytes"], task["seconds"])
    with open(task["trace"], "w", encoding="utf-8") as trace:
        faulthandler.dump_traceback_later(task["seconds"], exit=True, file=trace)
        judge(exercise, Path(task["path"]), task["result"], task["word"])
        faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever the learner's file made of them
            stream.flush()
    os._exit(0)


def judge(exercise: Exercise, path: Path, result: str, word: str) -> None:
    """Check the file, and write the verdict, first without and then with the names of known mistakes."""

    dumps, find_changes, before = json.dumps, changes, snapshot()  # before the file could replace them

    def write(verdict: Verdict) -> None:
        with replacing(result) as file:
            file.write(dumps({**verdict._asdict(), "word": word}).encode())

    try:
        names = define(path)
    except Unreadable as error:
        return write(Verdict(ERROR, str(error)))
    sys.settrace(None)
    touched = find_changes(before)
    if touched:
        return write(tampered(path, touched))
    failure = exercise.failure(Student(names))
    touched = find_changes(before)
    if touched:
        return write(tampered(path, touched))
    verdict = exercise.verdict_of(failure, mistakes=())
    write(verdict)
    if failure is not None:
        write(exercise.verdict_of(failure))
    return None


def tampered(path: Path, touched: list[str]) -> Verdict:
    """The verdict on a file that replaces what the check uses."""
    return Verdict(
        ERROR, f"{path.name} replaces {', '.join(touched[:3])}: nothing can be checked then. Give yours another name."
    )


def limit_resources(megabytes: int | None, seconds: float | None) -> None:
    """Bound memory, processor time and files written, where the system can: not on Windows, memory not on macOS."""
    try:
        import resource
    except ImportError:
        return
    limits: list[tuple[int, Any]] = [
        (resource.RLIMIT_FSIZE, 64 * 2**20),
        (resource.RLIMIT_CORE, 0),
    ]
    if seconds is not None:
        limits.append((resource.RLIMIT_CPU, int(seconds) + 5))
    if megabytes is not None:
        limits.append((resource.RLIMIT_AS, megabytes * 2**20))
    for kind, limit in limits:
        with suppress(ValueError, OSError):  # a lower limit is set already
            hard = resource.getrlimit(kind)[1]
            bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (bound, bound))


if __name__ == "__main__":
    main()
