"""The command ``python -m scratchgen exercises demo``: check the functions that are needed, say whose is used, draw."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from scratchgen.exercises.kit.desk import COMMAND, Desk
from scratchgen.exercises.kit.exercise import FAILED, NOT_WRITTEN, PASSED, Exercise, Verdict
from scratchgen.exercises.kit.folder import MISSING, UNTOUCHED, Refused
from scratchgen.exercises.kit.load import ROOT

QUICK = 1 / 20  # of the training, in the short form


class Part(NamedTuple):
    """An exercise that a payoff needs, with what its check said; None if nobody has written anything yet.

    Attributes:
        functions: those of its functions that are needed.
        own: whether the learner's functions are used.
    """

    exercise: Exercise
    functions: tuple[str, ...]
    verdict: Verdict | None
    own: bool

    @property
    def names(self) -> str:
        """The functions, in words."""
        return ", ".join(self.functions)

    @property
    def status(self) -> str:
        """That of the verdict."""
        return NOT_WRITTEN if self.verdict is None else self.verdict.status

    def line(self) -> str:
        """Whose functions are used, and why."""
        mark = {PASSED: "✓", NOT_WRITTEN: " "}.get(self.status, "✗")
        mistakes = f" ({', or '.join(self.verdict.mistakes)})" if self.verdict and self.verdict.mistakes else ""
        whose = {
            PASSED: "yours",
            FAILED: ("yours, although" if self.own else "the solution, since") + f" the check fails{mistakes}",
            NOT_WRITTEN: "the solution, since yours is not written yet",
        }.get(self.status, "the solution, since yours cannot be run")
        return f"{mark} {self.exercise.number:2}  {self.names:34} {whose}"


def demo(desk: Desk, name: str, out: Path | None, seed: int, quick: bool, anyway: bool, seconds: float) -> int:
    """Check what the learner wrote, say whose functions are used, train on them, and draw the picture.

    Args:
        desk: of the learner's folder.
        name: of the payoff.
        out: the folder for the picture; the learner's own by default.
        seed: of all random numbers.
        quick: train a twentieth only.
        anyway: use functions that fail their checks too.
        seconds: that a check may take.

    Returns:
        the exit code: 0 if there is a picture, else 1.

    Raises:
        Refused: if no function of the learner's can be used, or the folder for the picture cannot be made.
    """
    payoff = importlib.import_module(f"scratchgen.exercises.payoff.{name}")
    parts = [part(desk, desk.exercises[n], functions, anyway, seconds) for n, functions in payoff.FUNCTIONS.items()]
    desk.tell(f"{payoff.TITLE}, made of your functions:", *(p.line() for p in parts), "")
    refuse_without_own(parts, anyway)
    if any(p.status == FAILED and not p.own for p in parts):
        desk.tell("With --anyway those that fail their checks are used too: see what the mistake does.", "")
    folder = (desk.folder.path if out is None else out).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{folder} cannot be made a folder: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise Refused(f"nothing can be written into {folder}: name another folder by --out")
    desk.tell(f"This takes about {max(3, round(payoff.SECONDS * (QUICK if quick else 1)))} s; Ctrl-C ends it.")
    unchecked = [p for p in parts if p.own and p.status == FAILED]
    task = {
        "payoff": name,
        "exercises": [p.exercise.id for p in parts],
        "files": {p.exercise.id: os.path.abspath(desk.folder.file(p.exercise)) for p in parts if p.own},
        "folder": str(desk.folder.path.resolve()),
        "unchecked": [p.names for p in unchecked],
        "notes": notes(parts),
        "out": str(folder),
        "seed": seed,
        "effort": QUICK if quick else 1.0,
    }
    code = run_child(task)
    if unchecked:
        desk.tell("", "What the checks say:")
        for p in unchecked:
            desk.tell("", f"Exercise {p.exercise.number}, {p.names}: {p.verdict.message if p.verdict else ''}")
    return code


def part(desk: Desk, exercise: Exercise, functions: tuple[str, ...], anyway: bool, seconds: float) -> Part:
    """Check one exercise, unless it is as it was written by ``init``."""
    if desk.states()[exercise.number] in (UNTOUCHED, MISSING):
        return Part(exercise, functions, None, own=False)
    verdict = desk.checked(exercise, seconds, quiet=True)
    return Part(exercise, functions, verdict, own=verdict.passed or (anyway and verdict.status == FAILED))


def refuse_without_own(parts: list[Part], anyway: bool) -> None:
    """Refuse to show a model of which the learner wrote nothing."""
    if any(p.own for p in parts):
        return
    first = next((p for p in parts if p.verdict is not None), parts[0])
    numbers = ", ".join(str(p.exercise.number) for p in parts)
    more = "; --anyway uses what fails its check" if any(p.status == FAILED for p in parts) and not anyway else ""
    raise Refused(
        f"none of these functions is yours yet: solve one of the exercises {numbers} first, "
        f"`{COMMAND} check {first.exercise.number}` tells how far you are{more}"
    )


def notes(parts: list[Part]) -> list[str]:
    """What stands below the picture: whose functions it was made of, and the mistakes that are known to be in them."""
    own = [p for p in parts if p.own and p.status == PASSED]
    found = [f"Yours: {', '.join(p.names for p in own)}."] if own else []
    for p in parts:
        if p.own and p not in own and p.verdict:
            said = p.verdict.message.partition("\n")[0].rstrip(".")
            by = f" It does what one gets by {', or by '.join(p.verdict.mistakes)}." if p.verdict.mistakes else ""
            found.append(f"Yours, although the check of exercise {p.exercise.number} fails: {p.names}. {said}.{by}")
    others = [p.names for p in parts if not p.own]
    return found + ([f"The solutions of the exercises: {', '.join(others)}."] if others else [])


def run_child(task: dict[str, Any]) -> int:
    """Run ``child`` on this task; what it prints is seen as it comes. Its exit code, but 1 for any that is not 0."""
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "OPENBLAS_NUM_THREADS": "1",  # the same numbers on any number of cores
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": f"{getattr(sys.stdout, 'encoding', None) or 'utf-8'}:backslashreplace",
        "PYTHONUNBUFFERED": "1",
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "scratchgen.exercises.payoff.child"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
    )
    assert child.stdin
    try:
        with child.stdin as stdin:
            stdin.write(json.dumps(task).encode())
        return 0 if child.wait() == 0 else 1
    finally:  # also after Ctrl-C
        child.kill()
        child.wait()
