"""The common mistakes of all exercises, each with what one gets by it: ``python -m scratchgen exercises mistakes``.

The page is made by running the checks on the known wrong answers. It names symptoms, and no solutions: whoever finds
the result on it knows where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from scratchgen.exercises.kit.exercise import Exercise
from scratchgen.exercises.kit.failure import NOTHING, Failure, shown_apart
from scratchgen.exercises.kit.judge import VALUE_IS_WRONG, data_of

LONGEST = 90


def page(exercises: Iterable[Exercise]) -> Iterator[str]:
    """The page in Markdown, piece by piece, for it takes a while."""
    yield "# Common mistakes\n"
    yield "What the checks of the exercises say to answers that are known to be wrong.\n"
    for exercise in exercises:
        yield section(exercise)


def section(exercise: Exercise) -> str:
    """The mistakes of one exercise, in the order in which its source lists them."""
    lines = [f"## {exercise.number}. {exercise.title[:1].upper()}{exercise.title[1:]}", ""]
    for mistake, failure in exercise.known_failures.items():
        lines.append(f"- {mistake}: {symptom(failure) if failure else 'passes'}")
    return "\n".join(lines) + "\n"


def symptom(failure: Failure) -> str:
    """What one sees, on one line."""
    got, expected = failure.got, failure.expected
    if not any(x is NOTHING or isinstance(x, tuple | list | str) for x in (got, expected)):
        shapes = np.shape(data_of(got)), np.shape(data_of(expected))
        if shapes[0] != shapes[1]:
            return f"shape {shapes[0]} instead of {shapes[1]}"
        numbers = [f"`{brief(text)}`" for text in shown_apart(got, expected)]
        if failure.problem.startswith(VALUE_IS_WRONG) and max(map(len, numbers)) <= LONGEST:
            return " instead of ".join(numbers)
    text = failure.problem.splitlines()[0].rstrip(".")
    text = text[:1].lower() + text[1:] if text.startswith(("The ", "Your ")) else text  # else it is a name
    return f"{text}, in the case “{failure.case}”" if failure.case else text


def brief(text: str) -> str:
    """A value that is shown, on one line, without its shape."""
    return re.sub(r"\s+", " ", text).partition(" (shape")[0]
