"""Every exercise: its stub fails, its solution passes, and each wrong answer is rejected and named.

The files are found by their names, so a new exercise is tested as soon as it is there.
"""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

from scratchgen.exercises.kit import Exercise, Student, Verdict, exercises
from scratchgen.exercises.kit.exercise import FAILED, NOT_WRITTEN, PASSED
from scratchgen.exercises.kit.source import END, LONGEST, bodies, learners_part
from tests.exercises.spoilers import SPOILERS, Spoiled

EXERCISES = list(exercises().values())
FEW_WRONG_ANSWERS: dict[int, str] = {}  # number of an exercise with less than 5, and why there are no more
# (number of an exercise, spoiler): why its check cannot notice that; see `spoilers`.
UNSPOILED: dict[tuple[int, str], str] = {
    (5, "the first answer always"): "backward returns nothing; what it does to the graph is checked",
}
LEAST_WRONG_ANSWERS = 5
MOST_CALLS = 1_000_000  # of Python and C functions, by a check of the solution: about a second

every = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)


def verdict_on(exercise: Exercise, source: str) -> Verdict:
    return exercise.verdict(Student(exercise.names(source)))


def test_each_number_is_there_once():
    files = sorted(Path(inspect.getfile(importlib.import_module("scratchgen.exercises"))).parent.glob("ex*.py"))
    assert [f.stem for f in files] == [exercise.id for exercise in EXERCISES]
    assert len({exercise.number for exercise in EXERCISES}) == len({e.name for e in EXERCISES}) == len(EXERCISES)


@every
def test_the_stub_fails_as_not_written(exercise):
    verdict = verdict_on(exercise, exercise.stub)
    assert verdict.status == NOT_WRITTEN and not verdict.mistakes
    assert "is not written yet" in verdict.message


@every
def test_the_solution_passes(exercise):
    assert verdict_on(exercise, exercise.solution) == (PASSED, "", ())


@every
def test_the_empty_file_fails(exercise):
    verdict = verdict_on(exercise, "")
    assert verdict.status == FAILED and f"no function {exercise.functions[0]}" in verdict.message


@every
@pytest.mark.parametrize("value", [None, float("nan"), 0.0, [], "text"], ids=str)
def test_a_function_that_always_returns_the_same_fails(exercise, value):
    """Classes are replaced too: an object that answers everything with this value."""

    class Answer:
        def __init__(self, *args: object, **options: object) -> None: ...

        def __getattr__(self, name: str) -> object:
            return lambda *args, **options: value

    replaced = {
        name: Answer if inspect.isclass(written) else lambda *args, **options: value
        for name, written in exercise.names(exercise.solution).items()
        if name in exercise.functions
    }
    assert exercise.verdict(Student({**exercise.names(exercise.solution), **replaced})).status == FAILED


@every
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_right_answer_that_is_spoiled_fails(exercise, spoiler):
    if (exercise.number, spoiler) in UNSPOILED:
        pytest.skip(UNSPOILED[exercise.number, spoiler])
    names = exercise.names(exercise.solution)
    for name in exercise.functions:
        if not inspect.isclass(names[name]):
            spoiled = Spoiled(names[name], SPOILERS[spoiler]())
            failure = exercise.failure(Student({**names, name: spoiled}))
            assert failure is not None or not spoiled.applied, f"{name} passes although: {spoiler}"
            assert spoiled.applied or spoiler != "the first answer always", f"{name} is asked one question only"


@every
def test_the_check_compares_with_something_else_than_the_solution(exercise):
    """Below the learner's part the functions' own names occur in ``WRONG`` only: the check asks ``student.name``."""
    start = exercise.text[: exercise.text.index(END)].count("\n")
    below = [node for node in ast.parse(exercise.text).body if node.lineno > start]
    wrong = [
        node for node in below if isinstance(node, ast.Assign | ast.AnnAssign) and "WRONG" in ast.unparse(node)[:8]
    ]
    assert wrong
    used = {name.id for node in below if node not in wrong for name in ast.walk(node) if isinstance(name, ast.Name)}
    assert not used & set(exercise.functions)


@every
def test_every_wrong_answer_is_rejected_and_named(exercise):
    for mistake in exercise.wrong:
        verdict = exercise.verdict(exercise.wrong_answer(mistake))
        assert verdict.status == FAILED, f"passes: {mistake}"
        assert mistake in verdict.mistakes, f"not named: {mistake}\n{verdict.message}"
        assert len(verdict.mistakes) <= 2, f"cannot tell apart: {verdict.mistakes}"
        assert f"by {mistake}" in verdict.message


@every
def test_there_are_enough_wrong_answers_and_each_is_a_phrase(exercise):
    assert len(exercise.wrong) >= LEAST_WRONG_ANSWERS or FEW_WRONG_ANSWERS[exercise.number]
    for mistake in exercise.wrong:  # it completes "exactly what you get by …"
        assert mistake == mistake.strip() and mistake[-1] not in ".!", mistake


@every
def test_the_task_is_complete(exercise):
    first = exercise.task.partition("\n")[0]
    assert re.fullmatch(rf"Exercise {exercise.number}: [^.]+\.", first), first
    assert re.search(r"In the lecture: page", exercise.task), "where in the lecture?"
    path = re.search(r"scratchgen/\w[\w/]*\.py", exercise.task)
    assert path and (Path(__file__).resolve().parents[2] / path[0]).is_file(), "which file of the library?"
    assert len(exercise.hints) == len(set(exercise.hints)) == 3 and all(len(hint) > 30 for hint in exercise.hints)
    assert len(exercise.explanation) > 100
    names = exercise.names(exercise.solution)
    for name in exercise.functions:
        assert ">>> " in (inspect.getdoc(names[name]) or ""), f"{name} has no example"


@every
def test_code_in_hints_can_be_copied(exercise):
    """The minus sign of the equations, −, is no Python: it stands in no argument of NumPy's and in no index."""
    for hint in exercise.hints:
        assert not re.search(r"(np\.\w+\(|\w\[)[^()\[\]]*−", hint), hint


@every
def test_it_is_short(exercise):
    assert 1 <= exercise.lines <= LONGEST


@every
def test_the_stub_has_nothing_of_the_solution_and_of_the_check(exercise):
    stub = exercise.stub
    for body in bodies(learners_part(exercise.text)):
        for line in body.splitlines():
            code = line.partition("#")[0].strip()
            assert len(code) < 8 or code not in stub, f"the stub has the line {code!r}"
    for word in ("solution", "HINTS", "EXPLANATION", "WRONG", "exercises.kit", "def check"):
        assert word not in stub.replace(exercise.task, ""), word
    for text in (*exercise.hints, exercise.explanation):
        assert text[:60] not in stub


@every
def test_the_stub_is_valid_and_marks_each_spot(exercise):
    assert exercise.stub.count("# Your code here") == len(bodies(learners_part(exercise.text)))
    assert exercise.functions
    assert max(map(len, exercise.stub.splitlines())) <= 120


def imports_of(text: str) -> list[tuple[str, str]]:
    """(module, name) of each import; the name is empty for `import module`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "import by the full name"
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return found


def complaints(text: str) -> list[str]:
    """What an exercise may not import: private names, names that a package does not export, another exercise."""
    found = []
    for module, name in imports_of(text):
        if module.split(".")[0] != "scratchgen":
            continue
        exported = getattr(importlib.import_module(module), "__all__", None)
        private = any(part.startswith("_") for part in (*module.split("."), name))
        if private or not name or (exported is not None and name not in exported):
            found.append(f"{module}: {name} is not public")
        if re.search(r"\bex\d\d_", f"{module}.{name}") or "demos" in module:
            found.append(f"{module}.{name}: an exercise stands alone")
    return found


@every
def test_it_imports_public_names_and_no_other_exercise(exercise):
    assert not complaints(exercise.text)


@pytest.mark.parametrize(
    "offence",
    [
        "from scratchgen.autodiff import _methods",
        "from scratchgen.latent import arguments",
        "from scratchgen.exercises import ex11_kl_gaussians",
        "from scratchgen.exercises.ex11_kl_gaussians import kl_gaussians",
        "import scratchgen.latent.vae",
    ],
)
def test_the_rule_of_imports_catches(offence):
    assert complaints(offence)


def test_no_check_takes_long(print_at_end):
    """Work is counted in calls of functions, which do not depend on the machine; the longest are printed."""
    calls = {exercise.id: calls_of(exercise) for exercise in EXERCISES}
    longest = sorted(calls, key=calls.__getitem__, reverse=True)[:5]
    print_at_end("exercises", "calls in a check: " + ", ".join(f"{name} {calls[name]:,}" for name in longest))
    assert max(calls.values()) <= MOST_CALLS, longest[0]


def calls_of(exercise: Exercise) -> int:
    """How many functions a check of the solution calls."""
    count = 0

    def count_call(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    student = Student(exercise.names(exercise.solution))
    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        exercise.check(student)
    finally:
        sys.setprofile(before)
    return count
