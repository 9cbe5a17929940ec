"""What the learner can ask for: each function does one of the subcommands of ``python -m scratchgen exercises``.

They print what a learner shall read, and return the exit code: 0, or 1 if a check did not pass.
"""

from __future__ import annotations

import datetime
import difflib
import re
import shutil
import textwrap
from collections.abc import Mapping

from scratchgen.exercises.kit.exercise import Exercise, Verdict
from scratchgen.exercises.kit.folder import (
    CHANGED,
    MISSING,
    PASSED,
    STARTED,
    UNTOUCHED,
    Folder,
    Record,
    Refused,
    digest_of,
)
from scratchgen.exercises.kit.load import SECONDS, check_file

COMMAND = "python -m scratchgen exercises"
MARKS = {PASSED: "✓", CHANGED: "~", STARTED: "·", UNTOUCHED: " ", MISSING: "?"}


class Desk:
    """A learner's folder with the exercises: brought up to date, and told what was done, as soon as it is made."""

    def __init__(self, folder: Folder, exercises: Mapping[int, Exercise], restore: bool = False) -> None:
        self.folder = folder
        self.exercises = exercises
        self.width = max((len(exercise.name) for exercise in exercises.values()), default=0)
        self.done = folder.sync(exercises.values(), restore)
        if not restore:
            self.tell(*folder.notes, *self.done)
            folder.notes.clear()

    def tell(self, *lines: str) -> None:
        """Print these lines."""
        print("\n".join(lines), end="\n" if lines else "", flush=True)

    def find(self, text: str) -> Exercise:
        """See ``find``."""
        return find(self.exercises, text)

    def entry(self, exercise: Exercise) -> Record:
        """What is remembered of an exercise."""
        return self.folder.records().get(exercise.id, Record())

    def states(self) -> dict[int, str]:
        """How far the learner is, by number."""
        records = self.folder.records()
        return {n: self.folder.state(e, records.get(e.id, Record())) for n, e in self.exercises.items()}

    def open_one(self) -> Exercise | None:
        """The first in order that does not pass yet; None at the end."""
        left = [n for n, state in self.states().items() if state != PASSED]
        return self.exercises[left[0]] if left else None

    def init(self) -> int:
        """Tell what was written."""
        new = sum(line.endswith(": written") for line in self.done)
        self.tell(*self.folder.notes, *(line for line in self.done if not line.endswith(": written")))
        kept = len(self.exercises) - new
        old = f"; {kept} were there already, and are as they were" if kept else ""
        path = str(self.folder.path)
        self.tell(
            f"{new} exercises are in {path}{old}.",
            "Each is a Python file with a task, and a spot to write your code at. Begin with any of them:",
            f'  cd "{path}"' if " " in path else f"  cd {path}",
            f"  {COMMAND} next",
        )
        return 0

    def list(self) -> int:
        """A line for each exercise."""
        records = self.folder.records()
        states = self.states()
        for number, exercise in self.exercises.items():
            state, entry = states[number], records.get(exercise.id, Record())
            words = [state] if state not in (PASSED, UNTOUCHED) else []
            words += [f"passed {entry.passed}"] if state == PASSED else []
            words += ["after the solution was shown" if entry.passed else "solution shown"] if entry.solution else []
            words += [f"{entry.hints} of 3 hints"] if entry.hints else []
            line = f"{MARKS[state]} {number:2}  {exercise.name:{self.width}}  {exercise.title}"
            self.tell(line + (f"  ({', '.join(words)})" if words else ""))
        self.tell("", f"{list(states.values()).count(PASSED)} of {len(states)} passed.")
        return 0

    def next(self) -> int:
        """The task that comes next."""
        exercise = self.open_one()
        if exercise is None:
            self.tell("All exercises pass. There is nothing left but to read the sources, and to write your own.")
            return 0
        file = self.folder.file(exercise)
        self.tell(exercise.task, "", f"Write it in {file}, then:", f"  {COMMAND} check {exercise.number}")
        if not file.exists():
            self.tell("", f"The file is not there: `{COMMAND} reset {exercise.number}` writes it.")
        return 0

    def check(self, text: str | None, seconds: float = SECONDS) -> int:
        """Check one exercise, or ``all`` that were begun; if none is named, those worked on since they passed."""
        if text not in (None, "all"):
            return 0 if self.report(self.find(str(text)), seconds) else 1
        wanted = {STARTED, CHANGED} if text is None else {STARTED, CHANGED, PASSED}
        chosen = [self.exercises[n] for n, state in self.states().items() if state in wanted]
        if not chosen and text is None:
            chosen = [e for e in [self.open_one()] if e is not None]
        if len(chosen) == 1:
            return 0 if self.report(chosen[0], seconds) else 1
        failed = []
        for exercise in chosen:
            verdict = self.checked(exercise, seconds, quiet=True)
            first = "" if verdict.passed else f": {verdict.message.partition(chr(10))[0]}"
            mark = "✓" if verdict.passed else "✗"
            self.tell(f"{mark} {exercise.number:2}  {exercise.name:{self.width}}  {verdict.status}{first}")
            failed += [] if verdict.passed else [exercise]
        self.tell("", f"{len(chosen) - len(failed)} of {len(chosen)} pass.")
        if failed:
            self.tell(f"More about the first: {COMMAND} check {failed[0].number}")
        return 1 if failed else 0

    def checked(self, exercise: Exercise, seconds: float, quiet: bool = False) -> Verdict:
        """Check a learner's file, remember if it passes, and show what it printed."""
        file = self.folder.file(exercise)
        text = digest_of(file)
        verdict, output = check_file(exercise, file, seconds)
        if output and not quiet:
            self.tell("It printed:", textwrap.indent(output.rstrip("\n"), "  | "), "")
        if verdict.passed:
            entry = self.entry(exercise)
            if entry.text != text or not entry.passed:
                self.folder.update(exercise, passed=datetime.date.today().isoformat(), text=text)
        return verdict

    def report(self, exercise: Exercise, seconds: float) -> bool:
        """Check one exercise, and say all about it. Returns whether it passes."""
        verdict = self.checked(exercise, seconds)
        head = f"Exercise {exercise.number}, {exercise.title}: {verdict.status}"
        if not verdict.passed:
            more = "" if self.entry(exercise).hints else f"\nA hint: {COMMAND} hint {exercise.number}"
            self.tell(head, "", verdict.message + more)
            return False
        self.tell(head, "", filled(exercise.explanation), "")
        following = self.open_one()
        self.tell(
            f"Next: exercise {following.number}, {following.title}: {self.folder.file(following)}"
            if following
            else "That was the last: all exercises pass."
        )
        return True

    def hint(self, text: str | None) -> int:
        """One hint more than last time, after those that were shown."""
        exercise = self.find(text) if text is not None else self.open_one()
        if exercise is None:
            raise Refused("all exercises pass: name the one that you want the hints of")
        shown = max(1, min(self.entry(exercise).hints + 1, len(exercise.hints)))
        self.folder.update(exercise, hints=shown)
        self.tell(f"Exercise {exercise.number}, {exercise.title}")
        for i, hint in enumerate(exercise.hints[:shown], 1):
            self.tell("", filled(f"Hint {i} of {len(exercise.hints)}: {hint}"))
        if shown == len(exercise.hints):
            self.tell("", f"These are all. There is still `{COMMAND} solution {exercise.number}`.")
        return 0

    def solution(self, text: str, yes: bool = False) -> int:
        """The solution and what is to be said about it; before the exercise passes, only on demand."""
        exercise = self.find(text)
        entry = self.entry(exercise)
        if not entry.passed:
            if not (yes or agreed(f"Exercise {exercise.number} has not passed yet. Show the solution all the same?")):
                self.tell(f"Not shown. `{COMMAND} hint {exercise.number}` tells less; --yes shows it unasked.")
                return 1
            self.folder.update(exercise, solution=True)
        self.tell(exercise.solution, filled(exercise.explanation))
        return 0

    def reset(self, text: str, yes: bool = False) -> int:
        """Begin an exercise anew, and keep what was written in a backup."""
        exercise = self.find(text)
        file = self.folder.file(exercise)
        if file.exists() and not (yes or agreed(f"Put the stub in the place of {file}? A backup is kept.")):
            self.tell(f"{file.name} is as it was; --yes resets it unasked.")
            return 1
        backup = self.folder.reset(exercise)
        self.tell(f"{file.name} is the stub again" + (f"; yours is kept as {backup.name}." if backup else "."))
        return 0


def find(exercises: Mapping[int, Exercise], text: str) -> Exercise:
    """The exercise that a learner means: ``11``, ``ex11``, ``kl_gaussians``, its file, or part of its name.

    Raises:
        Refused: if it is none, or several.
    """
    wanted = re.sub(r"^.*[/\\]|\.py$", "", text.strip()).lower().replace("-", "_")
    number = re.fullmatch(r"(?:ex)?0*(\d+)", wanted)
    if number and int(number[1]) in exercises:
        return exercises[int(number[1])]
    every = list(exercises.values())
    for matches in (
        [e for e in every if wanted in (e.id, e.name)],
        [e for e in every if wanted and e.name.startswith(wanted)],
        [e for e in every if wanted and wanted in e.name],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Refused(f"{text} may be {', '.join(e.id for e in matches)}: name one of them")
    near = difflib.get_close_matches(wanted, [e.name for e in every], 3, 0.5)
    there = f"do you mean {' or '.join(near)}?" if near else f"`{COMMAND} list` shows all"
    raise Refused(f"there is no exercise {text}: {there}")


def agreed(question: str) -> bool:
    """Ask; what is no yes, or nobody there to answer, is a no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def filled(text: str) -> str:
    """The paragraphs of a text at the width of the terminal; what is indented, such as equations, is left as it is."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    blocks = [block for block in text.strip("\n").split("\n\n") if block.strip()]
    return "\n\n".join(block if "\n " in "\n" + block else textwrap.fill(block, width) for block in blocks)
