"""What an exercise is, where the exercises are, and the verdict on an answer.

An exercise is a module ``exNN_name`` beside this folder: see the docstring of ``scratchgen.exercises``. From the module
come the stub and the solution (``source``), the check, and the known wrong answers. When an answer fails, the check is
run on the wrong answers too: those that fail in the same case with the same result are named.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

from scratchgen.exercises.kit.failure import NOTHING, Failure, NotWritten, same
from scratchgen.exercises.kit.judge import Student, not_written, raised
from scratchgen.exercises.kit.source import (
    SOLUTION,
    Change,
    changed,
    learners_part,
    lines_to_write,
    solution_of,
    stub_of,
)

PACKAGE = "scratchgen.exercises"
Answer = Callable[..., Any] | Change | Mapping[str, Callable[..., Any]]
Wrong = dict[str, Answer]

PASSED, FAILED, NOT_WRITTEN, ERROR = "passed", "failed", "not written", "error"


class Verdict(NamedTuple):
    """Whether an answer passes: ``status`` is "passed", "failed", "not written", or "error" if it could not be checked.

    Attributes:
        message: what to tell the learner; empty if passed.
        mistakes: the known wrong answers that give exactly the same.
    """

    status: str
    message: str = ""
    mistakes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.status}\n{self.message}".rstrip()

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.status == PASSED


class Exercise:
    """One exercise, made from its module.

    Attributes:
        number, name: of the file ``exNN_name.py``.
        title: the first line of the task.
        task: the whole docstring.
        functions: the names of the functions and classes that the learner writes.
        hints: three: the idea, the equation, the line.
        explanation: shown after passing.
        wrong: the known wrong answers by their names, which complete the sentence "exactly what you get by …".
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.id = module.__name__.rpartition(".")[2]
        match = re.fullmatch(r"ex(\d\d)_(\w+)", self.id)
        if not match:
            raise ValueError(f"{self.id} is no exercise: its name must be like ex11_kl_gaussians")
        self.number, self.name = int(match[1]), match[2]
        self.task = inspect.getdoc(module) or ""
        self.title = self.task.partition("\n")[0].partition(": ")[2].rstrip(".")
        self.hints: tuple[str, str, str] = tuple(inspect.cleandoc(hint) for hint in module.HINTS)  # type: ignore[assignment]
        self.explanation = inspect.cleandoc(module.EXPLANATION)
        self.wrong: Wrong = module.WRONG
        self.check: Callable[[Student], None] = module.check

    def __repr__(self) -> str:
        return f"Exercise({self.number}, {self.name})"

    @cached_property
    def text(self) -> str:
        """The source of the module."""
        return inspect.getsource(self.module)

    @property
    def stub(self) -> str:
        """What the learner starts from."""
        return stub_of(self.text) + (
            f"\n\n# Check:  python -m scratchgen exercises check {self.number}"
            f"\n# Hint:   python -m scratchgen exercises hint {self.number}\n"
        )

    @property
    def solution(self) -> str:
        """The whole file of a learner who solved it."""
        return solution_of(self.text)

    @property
    def lines(self) -> int:
        """How many lines there are to write."""
        return lines_to_write(self.text)

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """The names at the top level of the learner's part whose bodies have a spot to write at."""
        part, names = learners_part(self.text), []
        for match in SOLUTION.finditer(part):
            names += [re.findall(r"^(?:def|class) (\w+)", part[: match.start()], re.MULTILINE)[-1]]
        return tuple(dict.fromkeys(names))

    def names(self, source: str) -> dict[str, Any]:
        """What a file with this source defines."""
        space: dict[str, Any] = {"__name__": self.id}
        exec(compile(source, f"{self.id}.py", "exec", dont_inherit=True), space)
        return space

    def wrong_answer(self, mistake: str) -> Student:
        """The functions with one known mistake in them.

        Raises:
            ValueError: if the answer does not say which of several functions it is.
        """
        answer = self.wrong[mistake]
        if isinstance(answer, Change):
            return Student(self.names(changed(self.text, answer)))
        if not isinstance(answer, Mapping):
            if len(self.functions) != 1:
                raise ValueError(f"{mistake!r} must be a dictionary: there are {', '.join(self.functions)} to answer")
            answer = {self.functions[0]: answer}
        return Student({**self.names(self.solution), **answer})

    def failure(self, student: Student) -> Failure | None:
        """How the answer fails, or None if it passes. An exception outside of ``call`` is no pass either."""
        try:
            self.check(student)
        except Failure as failure:
            return failure
        except NotImplementedError as error:
            return not_written("A function", error)
        except (Exception, SystemExit) as error:
            return raised("Your code, or the check on what it returned,", error, "", {})
        return None

    def mistakes(self, failure: Failure) -> tuple[str, ...]:
        """The known wrong answers that fail in the same case with the same result."""
        if failure.mistake is not None:
            return (failure.mistake,)
        if isinstance(failure, NotWritten) or failure.got is NOTHING:
            return ()
        alike = (k for k, f in self.known_failures.items() if f and f.case == failure.case and same(f.got, failure.got))
        return tuple(alike)

    @cached_property
    def known_failures(self) -> dict[str, Failure | None]:
        """How each known wrong answer fails; kept, for checks are seeded. None would be a defect."""
        return {mistake: self.failure(self.wrong_answer(mistake)) for mistake in self.wrong}

    def verdict(self, student: Student) -> Verdict:
        """Check an answer, and name its mistake if it is a known one."""
        return self.verdict_of(self.failure(student))

    def verdict_of(self, failure: Failure | None, mistakes: tuple[str, ...] | None = None) -> Verdict:
        """The verdict on an answer that failed like this, or passed; with its mistakes, unless they are given."""
        if failure is None:
            return Verdict(PASSED)
        if isinstance(failure, NotWritten):
            return Verdict(NOT_WRITTEN, str(failure))
        found = self.mistakes(failure) if mistakes is None else mistakes
        named = f"\nThis is exactly what you get by {', or by '.join(found)}." if found else ""
        return Verdict(FAILED, str(failure) + named, found)


def exercises() -> dict[int, Exercise]:
    """All exercises by number, in order."""
    package = importlib.import_module(PACKAGE)
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if re.fullmatch(r"ex\d\d_\w+", m.name)]
    found = [Exercise(importlib.import_module(f"{PACKAGE}.{name}")) for name in sorted(names)]
    return {exercise.number: exercise for exercise in found}
