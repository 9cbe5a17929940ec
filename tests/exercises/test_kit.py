"""The kit itself, misused on purpose.

Comparisons that must not pass, sources that must not be taken, and exercises whose check is broken: each of them has to
be caught by the tests of `test_exercises`.
"""

import itertools

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.exercises.kit import Failure, NotWritten, Student, call, change, equal, exercises, expect, require
from scratchgen.exercises.kit.exercise import FAILED, PASSED
from scratchgen.exercises.kit.failure import same, show
from scratchgen.exercises.kit.source import changed, learners_part, lines_to_write, solution_of, stub_of
from scratchgen.exercises.kit.teaching import TEMPLATE
from tests.exercises.rules import broken_rules, exercise_from

NAN, INF = float("nan"), float("inf")

# -- comparisons ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (NAN, 1.0),
        (np.array([1.0, NAN]), np.array([1.0, 2.0])),
        (NAN, INF),
        (INF, 1.0),
        (1.0, INF),
        (-INF, INF),
        (np.ones((3, 1)), np.ones(3)),  # broadcasts
        (np.ones(3), np.ones((3, 1))),
        (np.ones(1), 1.0),
        (1.0, np.ones(1)),
        (np.ones(0), np.ones(1)),
        (1.0 + 1e-8, 1.0),
        (1e-8, 0.0),
        (1e6 + 0.01, 1e6),
        (np.array([1, 2]), np.array([1.5, 2.0])),
        (1 + 0j, 1.0),
        (True, 2.0),
        ("1.0", 1.0),
        (None, 0.0),
        ([1.0], np.ones(1)),
        ((), (1.0,)),
        ((1.0,), (1.0, 2.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0)),
        (np.ones(2), (1.0, 1.0)),
        ((1.0, NAN), (1.0, 2.0)),
        ({"a": 1.0}, 1.0),
        (np.array(["1"]), np.ones(1)),
        (np.array([1.0], dtype=object), np.ones(1)),
        (np.ma.masked_array([5.0], mask=[True]), np.ones(1)),
        (Tensor(1.0), 1.0),
        (Tensor([1.0, 2.0]), Tensor([1.0, 3.0])),
        (lambda: 1.0, 1.0),
    ],
    ids=repr,
)
def test_what_is_not_equal(got, expected):
    with pytest.raises(Failure) as caught:
        equal(got, expected, "case")
    assert (str(caught.value) and caught.value.got is not None) or got is None


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1.0 + 1e-10, 1.0),
        (1, 1.0),
        (np.float32(1), 1.0),
        (np.array([INF, -INF, 0]), np.array([INF, -INF, 0])),
        (np.array([True, False]), np.array([1, 0])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        ([1.0, np.ones(2)], (1.0, np.ones(2))),
        (Tensor([1.0]), Tensor([1.0])),
        (1e12 + 1, 1e12),
        (1j, 1j),
    ],
    ids=repr,
)
def test_what_is_equal(got, expected):
    equal(got, expected, "case")


def test_an_expected_nan_is_the_authors_error():
    with pytest.raises(ValueError, match="this check is wrong"):
        equal(1.0, NAN, "case")
    with pytest.raises(ValueError, match="this check is wrong"):
        equal((1.0, 1.0), (1.0, np.array([NAN])), "case")


def test_a_tensor_may_come_out_where_one_went_in():
    expect(lambda x: x * 2.0, {"x": Tensor([1.0])}, np.array([2.0]), "case")


@pytest.mark.parametrize("condition", [False, 0, NAN > 0, np.bool_(False), None, np.array(False)])
def test_what_is_required(condition):
    with pytest.raises(Failure):
        require(condition, "problem", "case")
    require(True, "problem", "case")


def add_in_place(x):
    x += 1
    return x


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"x": np.zeros(2)}, "x"),
        ({"a": {"w": np.zeros(2)}}, "a[w]"),
        ({"a": [1, (2, np.zeros(2))]}, "a[1][1]"),
        ({"x": np.full(2, NAN)}, None),  # NaN + 1 is NaN: unchanged
    ],
)
def test_arguments_that_are_changed_are_found_wherever_they_are(given, named):
    def function(x):
        while not isinstance(x, np.ndarray):
            x = x["w"] if isinstance(x, dict) else x[-1]
        add_in_place(x)
        return 1.0

    if named is None:
        assert call(function, given, "case") == 1.0
    else:
        with pytest.raises(Failure, match="modified its argument") as caught:
            call(function, given, "case")
        assert named in str(caught.value)


def test_a_tensor_that_is_changed_is_found():
    def function(t):
        t.assign(t.data + 1)
        return 1.0

    with pytest.raises(Failure, match="modified its argument t"):
        call(function, {"t": Tensor([1.0])}, "case")


@pytest.mark.parametrize("change_it", [list.pop, list.clear, list.reverse, lambda x: x.append(1)], ids=repr)
def test_a_list_that_is_changed_is_found(change_it):
    with pytest.raises(Failure, match="modified its argument sizes; leave the list as it is"):
        call(lambda sizes: change_it(sizes) or 1.0, {"sizes": [2, 8, 1]}, "case")


def test_a_changed_argument_is_another_failure_than_a_wrong_result():
    """Both may have the same ``got``, and must not get the same name."""
    with pytest.raises(Failure) as changed_argument:
        call(add_in_place, {"x": np.zeros(2)}, "case")
    with pytest.raises(Failure) as wrong_result:
        expect(lambda x: x + 1, {"x": np.zeros(2)}, np.zeros(2), "case")
    assert same(changed_argument.value.got, wrong_result.value.got)
    assert changed_argument.value.case != wrong_result.value.case == "case"


def test_what_differs_late_is_shown_with_all_digits():
    with pytest.raises(Failure) as caught:
        equal(np.array([0.1, 1 + 1e-8]), np.array([0.1, 1.0]), "case")
    assert "got:       [0.1       , 1.00000001]" in str(caught.value)
    with pytest.raises(Failure) as caught:
        equal(np.array([1 / 3]), np.array([0.0]), "case")
    assert "got:       [0.33333]" in str(caught.value)


def test_what_returns_nothing_passes_only_where_it_may():
    call(lambda: None, {}, "case", returns=False)
    with pytest.raises(Failure, match="returned None"):
        call(lambda: None, {}, "case")
    with pytest.raises(NotWritten):
        call(exercises()[11].names(exercises()[11].stub)["kl_gaussians"], dict.fromkeys("abcd", 0.0), "case")


def test_warnings_of_numpy_are_no_exceptions():
    assert call(lambda x: np.log(x), {"x": np.zeros(1)}, "case") == -INF
    with np.errstate(all="raise"):
        assert call(lambda x: x / 0, {"x": np.ones(1)}, "case") == INF


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        (np.ones(2), np.ones(2) + 1e-12, True),
        (np.ones(2), np.ones(2) + 1e-8, False),  # two mistakes that are small
        (np.array([NAN, 1]), np.array([NAN, 1]), True),
        (np.ones((2, 1)), np.ones(2), False),
        ((1.0, "a"), (1.0, "a"), True),
        ((1.0,), (1.0, 2.0), False),
        ("a", "b", False),
        (None, None, True),
        (None, 0.0, False),
        (Tensor([1.0]), np.ones(1), True),
        ({}, [], False),
        (1.0, "1.0", False),
    ],
    ids=repr,
)
def test_results_that_name_a_mistake(a, b, alike):
    assert same(a, b) is alike


def test_whatever_is_returned_can_be_shown():
    class Silent:
        def __repr__(self):
            raise ValueError

    for x in (np.zeros((100, 100)), "x" * 10**6, [np.zeros(1), None], lambda: 1, Tensor(1.0), Silent, {}, 10**5000):
        assert len(show(x)) < 1000
    assert "cannot be shown" in show(Silent())
    assert "\n\n" not in show(np.ones((2, 2, 2, 2))) and "\n" not in show([len, abs])


# -- sources -------------------------------------------------------------------------------------------------------

SOURCE = '''"""Exercise 1: two spots."""

from __future__ import annotations

import math
import numpy as np
from scipy.special import expit, logit

from scratchgen.autodiff import Tensor, softplus
from scratchgen.exercises.kit import Student, change

GIVEN = expit(0.0)


def given(x: np.ndarray) -> Tensor:
    """A helper."""
    return Tensor(x)


class Pair:
    """Two."""

    def first(self) -> float:
        """The first."""
        # solution
        # a comment does not count

        return math.pi
        # end of solution

    def second(self) -> float:
        """The second."""
        one = 1.0
        # solution
        two = 2.0
        return one + two
        # end of solution


# end of the learner's part

HINTS = ("# solution",)
'''

ONE_FUNCTION = """
def one() -> float:
    # solution
    return 1.0
    # end of solution


# end of the learner's part
"""


def test_each_spot_is_blanked_and_only_what_is_used_is_imported():
    stub = stub_of(SOURCE)
    assert stub.count("raise NotImplementedError") == 2 and stub.count("# Your code here") == 2
    assert (
        "# Your code here: about 1 line.\n" in stub
        and "        one = 1.0\n        # Your code here: about 2 lines.\n" in stub
    )
    assert "math.pi" not in stub and "two = 2.0" not in stub
    assert "from scipy.special import expit\n" in stub and "from scratchgen.autodiff import Tensor\n" in stub
    assert "import math" in stub  # the solution uses it
    future = "from __future__ import annotations"  # lets the methods of a class name the class in their types
    assert future in stub and future not in stub_of(SOURCE[: SOURCE.index("class Pair")] + ONE_FUNCTION)
    for absent in ("logit", "softplus", "Student", "HINTS", "end of"):
        assert absent not in stub
    space: dict[str, object] = {}
    exec(solution_of(SOURCE), space)
    assert space["Pair"]().second() == 3.0 and lines_to_write(SOURCE) == 3  # type: ignore[operator]


@pytest.mark.parametrize(
    "source",
    [
        "",
        SOURCE.replace("# end of the learner's part\n", ""),
        SOURCE.replace("# end of the learner's part", "# end of the learner's part\n# end of the learner's part"),
        SOURCE.replace("        # end of solution\n", ""),
        SOURCE.replace("        # solution\n", ""),
    ],
)
def test_a_source_without_its_markers_is_refused(source):
    with pytest.raises(ValueError, match="an exercise has"):
        learners_part(source)


def test_a_change_must_be_in_the_solution_and_once():
    assert "math.e\n" in changed(SOURCE, change("math.pi", "math.e"))
    both = changed(SOURCE, change("math.pi", "math.e", "two = 2.0", "two = 3.0"))
    assert "math.e\n" in both and "two = 3.0" in both and "# solution" not in both
    for old in ("Tensor(x)", "o", "nothing"):
        with pytest.raises(ValueError, match="not once"):
            changed(SOURCE, change(old, "x"))
    for pieces in ((), ("a",), ("a", "b", "c")):
        with pytest.raises(ValueError, match="pairs"):
            change(*pieces)


# -- exercises with a broken check ---------------------------------------------------------------------------------

NUMBERS = itertools.count()


def planted(tmp_path, *pieces):
    """The template of an exercise with pieces of it replaced."""
    source = TEMPLATE.replace("NUMBER", "99").replace("NAME", "squares")
    for old, new in zip(pieces[::2], pieces[1::2]):
        assert old in source, old
        source = source.replace(old, new)
    (tmp_path / str(number := next(NUMBERS))).mkdir()
    return exercise_from(source, tmp_path / str(number) / "ex99_squares.py")


def test_the_template_is_sound(tmp_path):
    assert broken_rules(planted(tmp_path)) == []


EXPECT = 'expect(student.squares, {"x": x}, expected, case)'
CASES = '((small, "two rows of three"), (rng.normal(size=(4, 5)), "4 rows of 5"), (small[:1], "one row"))'
BROKEN = {
    "a check that asks nothing": ("test_the_empty_file_fails", EXPECT, "pass"),
    "a check of the solution itself": (
        "test_the_check_compares_with_something_else_than_the_solution",
        *(EXPECT, 'expect(squares, {"x": x}, expected, case)'),
    ),
    "the solution as the reference": (
        "test_the_check_compares_with_something_else_than_the_solution",
        *(EXPECT, 'expect(student.squares, {"x": x}, squares(x), case)'),
    ),
    "NaN passes": (
        "test_a_function_that_always_returns_the_same_fails",
        *(
            EXPECT,
            'require(not abs(student.squares(x) - expected) > 1e-9, "", case)',
            "change, expect",
            "change, require",
        ),
    ),
    "a tolerance that is too wide": (
        "test_a_right_answer_that_is_spoiled_fails",
        *(EXPECT, 'expect(student.squares, {"x": x}, expected, case, tol=0.01)'),
    ),
    "a shape that broadcasts": (
        "test_a_right_answer_that_is_spoiled_fails",
        *(EXPECT, 'require(np.all(abs(student.squares(x) - expected) < 1e-9), "", case)'),
        *("change, expect", "change, require"),
    ),
    "inputs may be changed": (
        "test_a_right_answer_that_is_spoiled_fails",
        *(EXPECT, "equal(student.squares(x.copy()), expected, case)", "change, expect", "change, equal"),
    ),
    "a single case": ("test_a_right_answer_that_is_spoiled_fails", CASES, '((small, "two rows of three"),)'),
    "a mistake that passes": (
        "test_every_wrong_answer_is_rejected_and_named",
        *('change("x**2", "x"),', 'change("x**2", "x * x"),'),
    ),
    "what was found is not told": (
        "test_every_wrong_answer_is_rejected_and_named",
        *(EXPECT, 'require(abs(call(student.squares, {"x": x}, case) - expected) < 1e-9, "", case)'),
        *("change, expect", "call, change, require"),
    ),
    "mistakes that cannot be told apart": (
        "test_every_wrong_answer_is_rejected_and_named",
        *(EXPECT, 'require(abs(call(student.squares, {"x": x}, case) - expected) < 1e-9, "", case, got=0)'),
        *("change, expect", "call, change, require"),
    ),
    "too few mistakes": (
        "test_there_are_enough_wrong_answers_and_each_is_a_phrase",
        *('    "leaving out the square": change("x**2", "x"),\n', ""),
        *('    "summing over the batch instead of averaging": change("np.mean(", "np.sum("),\n', ""),
    ),
    "a mistake that is a sentence": (
        "test_there_are_enough_wrong_answers_and_each_is_a_phrase",
        *('"squaring the sum"', '"Squaring the sum."'),
    ),
    "a wrong solution": ("test_the_solution_passes", "return np.mean(np.sum(x**2, axis=1))", "return np.sum(x**2)"),
    "a stub with the solution in it": (
        "test_the_stub_has_nothing_of_the_solution_and_of_the_check",
        *("    # solution\n", "    # return np.mean(np.sum(x**2, axis=1))\n    # solution\n"),
    ),
    "a long solution": ("test_it_is_short", "    # solution\n", "    # solution\n" + "    x = x + 0\n" * 25),
    "no example": ("test_the_task_is_complete", ">>> ", ""),
    "no page of the lecture": ("test_the_task_is_complete", "In the lecture: page 2.", ""),
    "no file of the library": ("test_the_task_is_complete", "scratchgen/autodiff/densities.py", "scratchgen/none.py"),
    "two hints": (
        "test_the_task_is_complete",
        *('    """Which line: np.sum over axis 1 first, np.mean of what is left.""",\n', ""),
    ),
    "another exercise's function": (
        "test_it_imports_public_names_and_no_other_exercise",
        *(
            "import numpy as np\n",
            "import numpy as np\nfrom scratchgen.exercises.ex11_kl_gaussians import kl_gaussians\n",
        ),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_exercise_is_caught(tmp_path, name):
    rule, *pieces = BROKEN[name]
    assert rule in broken_rules(planted(tmp_path, *pieces))


# -- verdicts ------------------------------------------------------------------------------------------------------


def test_a_mistake_may_be_named_by_the_check(tmp_path):
    named = 'Failure("It is drawn anew.", case=case, mistake="squaring the sum")'
    exercise = planted(tmp_path, EXPECT, f"raise {named}", "change, expect", "Failure, change")
    verdict = exercise.verdict(Student(exercise.names(exercise.solution)))
    assert verdict.status == FAILED and verdict.mistakes == ("squaring the sum",)


def test_no_mistake_is_named_that_gives_something_else(tmp_path):
    exercise = planted(tmp_path)
    assert exercise.verdict(Student({"squares": lambda x: 3.14})).mistakes == ()
    assert exercise.verdict(Student(exercise.names(exercise.solution))) == (PASSED, "", ())


@pytest.mark.parametrize("error", ["ValueError", "SystemExit", "RecursionError", "Failure", "NotImplementedError"])
def test_an_exception_in_the_check_itself_is_no_pass(tmp_path, error):
    exercise = planted(tmp_path, EXPECT, f'raise {error}("in the check")', "change, expect", "Failure, change")
    assert exercise.verdict(Student(exercise.names(exercise.solution))).status != PASSED


def test_an_answer_of_several_functions_must_say_which(tmp_path):
    two = "def other() -> int:\n    # solution\n    return 1\n    # end of solution\n\n\n# end of the learner's part"
    exercise = planted(tmp_path, "# end of the learner's part", two)
    assert exercise.functions == ("squares", "other")
    with pytest.raises(ValueError, match="must be a dictionary"):
        exercise.wrong_answer("taking the square root")


def test_a_mistake_is_named_only_for_the_same_case_and_with_something_found(tmp_path):
    exercise = planted(tmp_path)
    mistake, known = next(iter(exercise.known_failures.items()))
    assert exercise.mistakes(Failure("Wrong.", case=known.case, got=known.got)) == (mistake,)
    assert exercise.mistakes(Failure("Wrong.", case="another", got=known.got)) == ()
    other = planted(tmp_path, EXPECT, 'raise Failure("Wrong.", case=case)', "change, expect", "Failure, change")
    assert other.verdict(Student(other.names(other.solution))).mistakes == ()


def test_ending_python_in_a_function_is_a_failure_of_the_function():
    def leave():
        raise SystemExit(0)

    with pytest.raises(Failure, match="leave raised SystemExit"):
        call(leave, {}, "case")
