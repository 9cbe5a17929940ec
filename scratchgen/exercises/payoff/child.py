"""The process in which a payoff runs, with the learner's code: ``python -m scratchgen.exercises.payoff.child``.

``desk`` starts it, and hands it as JSON what to do. There is no limit of time, for training takes long on some
machines; Ctrl-C ends it. It prints for the learner, and its exit code is 0 if there is a picture, else 1.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from scratchgen.exercises.kit.child import limit_resources
from scratchgen.exercises.kit.exercise import PACKAGE, Exercise
from scratchgen.exercises.kit.failure import Failure
from scratchgen.exercises.kit.guard import changes, snapshot
from scratchgen.exercises.kit.load import MEGABYTES
from scratchgen.exercises.kit.reading import Unreadable
from scratchgen.exercises.payoff.pieces import Pieces
from scratchgen.exercises.payoff.stage import Stage


def main() -> None:
    """Read what to do, do it, and end without waiting for anything that a learner's file left running."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, whatever the learner's code catches
    task = json.load(sys.stdin)
    sys.stdin = open(os.devnull, encoding="utf-8")
    limit_resources(MEGABYTES, None)
    try:
        problem = show(task)
        if problem:
            print(problem, flush=True)
    except BrokenPipeError:  # the reader of a pipe, such as head, has enough
        os._exit(1)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever a learner's file made of them
            stream.flush()
    os._exit(1 if problem else 0)


def show(task: dict[str, Any]) -> str:
    """Train and draw; what went wrong, in words, or nothing."""
    payoff = importlib.import_module(f"scratchgen.exercises.payoff.{task['payoff']}")
    needed = [Exercise(importlib.import_module(f"{PACKAGE}.{name}")) for name in task["exercises"]]
    files = {name: Path(file) for name, file in task["files"].items()}
    stage = Stage(task["payoff"], Path(task["out"]), task["seed"], task["effort"], tuple(task["notes"]))
    anyway = (
        f"With {', '.join(task['unchecked'])}, whose check fails, this cannot go on:\n" if task["unchecked"] else ""
    )
    before = snapshot()
    sys.path.append(task["folder"])  # last: a file numpy.py beside the learner's is not NumPy
    try:
        pieces = Pieces(needed, files)
        touched = changes(before)
        if touched:
            return f"Your files replace {', '.join(touched[:3])}: nothing can be trained then."
        with warnings.catch_warnings():  # an overflow shows in the figures and the picture
            warnings.simplefilter("ignore")
            payoff.run(pieces, stage)
    except (Unreadable, Failure) as error:
        return anyway + str(error)
    except BrokenPipeError:
        raise
    except MemoryError:
        return f"The memory of {MEGABYTES} MB does not suffice."
    except Exception as error:  # a result that does not fit: only functions that fail their checks should give one
        if not anyway:
            raise
        return f"{anyway}{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main()
