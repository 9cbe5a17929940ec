"""The framework of the exercises: what their authors import. See ``scratchgen.exercises`` for how one is written.

Read in this order: ``source`` (one file makes stub, solution and wrong answers), ``failure`` and ``judge`` (what a
check is made of), ``exercise`` (all together, and the verdict).
"""

from scratchgen.exercises.kit.exercise import Exercise, Verdict, Wrong, exercises
from scratchgen.exercises.kit.failure import Failure, NotWritten
from scratchgen.exercises.kit.judge import Student, call, equal, expect, require
from scratchgen.exercises.kit.source import change

__all__ = [
    "Exercise",
    "Failure",
    "NotWritten",
    "Student",
    "Verdict",
    "Wrong",
    "call",
    "change",
    "equal",
    "exercises",
    "expect",
    "require",
]
