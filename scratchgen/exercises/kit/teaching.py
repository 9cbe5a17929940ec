"""For teachers: the exercises in a notebook, in pytest, and new ones.

In a notebook a learner writes the function in a cell, and asks in the next one:

    from scratchgen.exercises.kit import exercises, verdict

    print(exercises()[11].task)                      # the task, in the cell of the question
    print(verdict(11, globals()))                    # passed, or what is wrong; the name "kl_gaussians" does too

With pytest, a folder of submissions can be tested, each file in a process of its own:

    from pathlib import Path
    import pytest
    from scratchgen.exercises.kit import assert_passes

    @pytest.mark.parametrize("path", Path("submissions").glob("*/ex11_kl_gaussians.py"), ids=str)
    def test_kl(path):
        assert_passes(11, path)

A table of all is ``python -m scratchgen exercises report FOLDER``: see ``report``. The mistakes to speak about in class
are printed by ``python -m scratchgen exercises mistakes``.

``python -m scratchgen exercises new NAME`` writes an exercise to start from into the package, which must be a checkout
of your own (``pip install --editable``). It is complete, if small: ``pytest tests/exercises -k NAME`` passes. Change it
piece by piece; the docstring of ``scratchgen.exercises`` says what each piece is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scratchgen.exercises.kit.exercise import Exercise, Verdict, exercises
from scratchgen.exercises.kit.folder import PACKAGE_FOLDER, Refused, write_new
from scratchgen.exercises.kit.judge import Student
from scratchgen.exercises.kit.load import SECONDS, check_file


def verdict(exercise: int | str, names: Mapping[str, Any]) -> Verdict:
    """Check functions that are there already, such as ``globals()`` of a notebook; in this process, without limits.

    >>> def kl_gaussians(mean_q, logvar_q, mean_p, logvar_p):
    ...     return 0.0
    >>> print(verdict(11, globals()).message.splitlines()[0])
    The shape is wrong: kl_gaussians gave (), expected is (1,).
    """
    return named(exercise).verdict(Student(names))


def assert_passes(exercise: int | str, path: str | os.PathLike[str], seconds: float = SECONDS) -> None:
    """Check a file in a process of its own.

    Raises:
        AssertionError: with the message for the learner, unless it passes.
    """
    found, output = check_file(named(exercise), path, seconds)
    if not found.passed:
        printed = f"\nIt printed:\n{output}" if output else ""
        raise AssertionError(f"{path}: {found.status}\n{found.message}{printed}")


def named(exercise: int | str) -> Exercise:
    """The exercise of this number or name.

    Raises:
        KeyError: if there is none.
    """
    for each in exercises().values():
        if exercise in (each.number, each.name, each.id):
            return each
    raise KeyError(f"there is no exercise {exercise}")


def new(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write an exercise to start from, with the next free number, and return its path.

    Raises:
        Refused: for a name that is taken or cannot be that of a function, a folder that cannot be written, or an
            installed package, where it would be lost with the next upgrade, and has no tests.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise Refused(f"{name!r} cannot name a function: use small letters, digits and _")
    known = exercises()
    if name in {exercise.name for exercise in known.values()}:
        raise Refused(f"there is an exercise {name} already")
    if folder is None and not (PACKAGE_FOLDER.parent / "tests" / "exercises").is_dir():
        raise Refused(
            f"{PACKAGE_FOLDER} is no clone of the repository: run this in one, or name another folder by --dir"
        )
    target = Path(folder) if folder is not None else PACKAGE_FOLDER / "exercises"
    numbers = [int(match[1]) for f in target.glob("ex*.py") if (match := re.match(r"ex(\d\d)_", f.name))]
    number = max([*known, *numbers], default=0) + 1
    path = target / f"ex{number:02}_{name}.py"
    write_new(path, TEMPLATE.replace("NUMBER", str(number)).replace("NAME", name))
    return path


TEMPLATE = '''"""Exercise NUMBER: the mean of squares (say yours in a few words).

What is to be computed, and what it is for. Equations have numbers:

    L = 1/B Σ_b Σ_d x_bd²                                                                       (1)

    x          (B, D)
    returns    a number: summed over the dimensions, averaged over the batch

In the lecture: page 2. Afterwards, look at `mse` in scratchgen/autodiff/densities.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def NAME(x: np.ndarray) -> float:
    """The mean over the rows of x, of shape (B, D), of the sum of squares.

    >>> float(NAME(np.array([[1.0, 2.0], [3.0, 0.0]])))        # ½ ((1 + 4) + 9)
    7.0
    """
    # solution
    return np.mean(np.sum(x**2, axis=1))
    # end of solution


# end of the learner's part

HINTS = (
    """Which idea: what happens along each axis of x?""",
    """Which equation: (1) has a sum inside, over d, and a mean outside, over b.""",
    """Which line: np.sum over axis 1 first, np.mean of what is left.""",
)

EXPLANATION = """
What there is to say once it passes: why it is so, what it is used for, and what goes wrong elsewhere. The sum over
dimensions is the negative logarithm of a Gaussian density, up to a constant; the mean over dimensions is not.
"""


def check(student: Student) -> None:
    """Against (1), written out in loops. First a case to be done by hand, then sizes that differ from each other."""
    rng = np.random.default_rng(NUMBER)
    small = np.array([[1.0, 2.0, -1.0], [3.0, 0.5, 0.0]])
    for x, case in ((small, "two rows of three"), (rng.normal(size=(4, 5)), "4 rows of 5"), (small[:1], "one row")):
        expected = sum(x[b, d] * x[b, d] for b in range(len(x)) for d in range(x.shape[1])) / len(x)
        expect(student.NAME, {"x": x}, expected, case)


WRONG: Wrong = {
    "averaging over the dimensions instead of summing": change("np.sum(x**2, axis=1)", "np.mean(x**2, axis=1)"),
    "summing over the batch instead of averaging": change("np.mean(", "np.sum("),
    "leaving out the square": change("x**2", "x"),
    "squaring the sum": change("np.sum(x**2, axis=1)", "np.sum(x, axis=1) ** 2"),
    "taking the square root": lambda x: np.sqrt(np.mean(np.sum(x**2, axis=1))),
    "not averaging over the batch": change("np.mean(np.sum(x**2, axis=1))", "np.sum(x**2, axis=1)"),
}
'''
