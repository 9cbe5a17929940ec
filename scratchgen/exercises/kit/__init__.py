"""The framework of the exercises: what their authors import. See ``scratchgen.exercises`` for how one is written.

Read in this order: ``source`` (one file makes stub, solution and wrong answers), ``failure`` and ``judge`` (what a
check is made of), ``exercise`` (all together, and the verdict); ``reading``, ``guard``, ``child`` and ``load`` (the
learner's file in a process of its own); ``folder``, ``desk`` and ``watch`` (what a learner does); ``teaching``,
``report`` and ``mistakes`` (what a teacher does).
"""

from scratchgen.exercises.kit.exercise import Exercise, Verdict, Wrong, exercises
from scratchgen.exercises.kit.failure import Failure, NotWritten
from scratchgen.exercises.kit.judge import Student, call, equal, expect, require
from scratchgen.exercises.kit.source import change
from scratchgen.exercises.kit.teaching import assert_passes, verdict

__all__ = [
    "Exercise",
    "Failure",
    "NotWritten",
    "Student",
    "Verdict",
    "Wrong",
    "assert_passes",
    "call",
    "change",
    "equal",
    "exercises",
    "expect",
    "require",
    "verdict",
]
