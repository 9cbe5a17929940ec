"""The tests of `test_exercises` as a function, to be run on an exercise that is not in the package."""

import importlib.util
from pathlib import Path
from unittest import mock

from scratchgen.exercises.kit import Exercise
from tests.exercises import test_exercises


def broken_rules(exercise: Exercise) -> list[str]:
    """The names of the tests that this exercise fails, in order."""
    found = []
    for name, rule in vars(test_exercises).items():
        if not name.startswith("test_") or "exercise" not in rule.__code__.co_varnames[: rule.__code__.co_argcount]:
            continue
        more = [mark.args[1] for mark in rule.pytestmark if mark.name == "parametrize" and mark.args[0] != "exercise"]
        for values in more[0] if more else [()]:
            try:
                rule(exercise, *([] if values == () else [values]))
            except Exception:
                found.append(name)
                break
    return found


def exercise_from(source: str, path: Path) -> Exercise:
    """The exercise of this source, which is written to ``path``."""
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict("sys.modules", {path.stem: module}):
        spec.loader.exec_module(module)
    exercise = Exercise(module)
    vars(exercise)["text"] = source
    return exercise
