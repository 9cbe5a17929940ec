"""The registry of the gradient check: every operation is sampled and checked, and its wrong rules are caught.

What has to be there is derived from ``OPERATIONS`` itself, so an operation that someone adds fails here until it has
samples of every kind that applies and at least two planted wrong rules.
"""

import ast
import importlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.checking import comparison
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.operations import FUNCTIONS, OPERATIONS, Each, Operation, operation
from scratchgen.checks.sample import BROADCASTING, EVERYWHERE, OPTIONS, TWO_ARGUMENTS, Sample, positive_definite, signed
from scratchgen.checks.suite import all_samples, check, exemptions, false_alarms, load_everything, oracles_agree
from tests.autodiff.mutants import CLASSES, Mutant, all_mutants, planted, systematic

ROOT = Path(__file__).resolve().parents[2]

load_everything()
gradcheck = importlib.import_module("scratchgen.autodiff.gradcheck")  # the module, which has a function of its name
NAMES = sorted(OPERATIONS)  # now, before the docstrings' examples enter operations of their own
SAMPLES, EXEMPT, MUTANTS = all_samples(), exemptions(), all_mutants()
# without those that are planted in every operation alike
THOUGHT_OF = [mutant for mutant in MUTANTS if not any(mutant is other for other in systematic.MUTANTS)]
COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def figures(count_at_end: Callable[[str, Counter[str]], None]) -> Iterator[None]:
    """The counts, printed when the tests have run."""
    COUNTS.clear()
    yield
    count_at_end("gradient check", COUNTS)


# -- completeness --------------------------------------------------------------------------------------------------


def kinds_that_apply(op: Operation) -> set[str]:
    """What has to be sampled, seen from the operation alone."""
    kinds = set(EVERYWHERE)
    if isinstance(op.rules, Each) or len([rule for rule in op.rules if rule is not None]) > 1:
        kinds |= TWO_ARGUMENTS.keys()
    if (
        isinstance(op.forward, np.ufunc) and op.forward.nin == 2 and op.forward.signature is None
    ) or op.name == "where":
        kinds |= BROADCASTING.keys()
    kinds |= {"axis", "keepdims"} & op.options
    if "axis" in op.options and takes_axes(op):
        kinds.add("axes")
    assert kinds <= {*EVERYWHERE, *BROADCASTING, *TWO_ARGUMENTS, *OPTIONS}
    return kinds


def takes_axes(op: Operation) -> bool:
    """Whether axis= may be a tuple."""
    try:
        op.forward(np.ones((2, 3, 5)), axis=(0, 2))
    except (TypeError, ValueError):
        return False
    return True


def lacking(samples: list[Sample], exempt: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    """The kinds of samples that are not there, and for which no reason is given."""
    there = {(sample.operation, sample.kind) for sample in samples}
    return {(name, kind) for name in NAMES for kind in kinds_that_apply(OPERATIONS[name])} - there - exempt.keys()


def too_few(mutants: list[Mutant]) -> set[str]:
    """The operations with fewer than two wrong rules among these."""
    counts = Counter(mutant.operation for mutant in mutants)
    return {name for name in NAMES if counts[name] < 2}


def composites() -> set[str]:
    """NumPy functions that are made of operations: their names, or of the one operation that they consist of."""
    plain = ("on_tensors.", "on_arrays.")
    names = {f.__name__ for f, g in FUNCTIONS.items() if not g.__qualname__.startswith(plain)}
    one = {"einsum": "einsum_flat", "slogdet": "sign_and_logabsdet"}
    return {one.get(name, name) for name in names}


def test_every_operation_has_samples_of_every_kind_that_applies() -> None:
    assert lacking(SAMPLES, EXEMPT) == set()


def test_no_exemption_is_idle() -> None:
    there = {(sample.operation, sample.kind) for sample in SAMPLES}
    assert {key for key in EXEMPT if key in there or key[0] not in NAMES} == set()
    assert all(len(reason) > 10 for reason in EXEMPT.values())


def test_every_composite_function_has_a_sample() -> None:
    assert "stack" in composites() and "greater" not in composites() and "exp" not in composites()
    assert composites() - {sample.operation for sample in SAMPLES} == set()


def test_every_sample_and_mutant_belongs_to_something() -> None:
    assert {sample.operation for sample in SAMPLES} - set(NAMES) - composites() == set()
    assert {mutant.operation for mutant in MUTANTS} - set(NAMES) == set()
    assert {mutant.error for mutant in MUTANTS} == set(CLASSES)


def test_every_operation_has_two_wrong_rules_planted() -> None:
    assert too_few(THOUGHT_OF) == set()


def test_leaving_anything_out_is_noticed() -> None:
    """Each kind of sample, and each exemption, is needed by the tests above; so are two mutants."""
    for name in NAMES:
        for kind in kinds_that_apply(OPERATIONS[name]):
            without = [sample for sample in SAMPLES if (sample.operation, sample.kind) != (name, kind)]
            exempt = {key: reason for key, reason in EXEMPT.items() if key != (name, kind)}
            assert lacking(without, exempt) == {(name, kind)}
        own = [mutant for mutant in THOUGHT_OF if mutant.operation == name]
        assert too_few([*own[:1], *(mutant for mutant in THOUGHT_OF if mutant.operation != name)]) == {name}


# -- nodes are made by the engine only ---------------------------------------------------------------------------------

HAND_MADE = {"record", "leaf_of", "backpropagate"}
NODE_SLOTS = {"op", "args", "inputs", "parents", "options", "_data", "requires_grad", "number"}
ENTRANCES = {"custom_rule", "derivative", "operation"}


def hand_made_nodes(text: str) -> list[str]:
    """Where code builds graph nodes by hand, or enters operations where loading the module does not."""
    found = []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            name = called.split(".")[-1]
            if name in HAND_MADE or called in ("Tensor.__new__", "object.__new__"):
                found.append(f"line {node.lineno}: {called}(…)")
            if inside and name in ENTRANCES:
                found.append(f"line {node.lineno}: {called}(…) inside a function")
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in [t for root in targets for t in ast.walk(root)]:
                own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
                if isinstance(target, ast.Attribute) and target.attr in NODE_SLOTS and not own:
                    found.append(f"line {node.lineno}: {ast.unparse(target)} = …")
        for child in ast.iter_child_nodes(node):
            in_body = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            visit(child, inside or (in_body and child not in getattr(node, "decorator_list", [])))

    visit(ast.parse(text), False)
    return found


def test_two_operations_of_one_name_are_refused() -> None:
    def relu(x: np.ndarray) -> np.ndarray:
        return x

    relu.__module__ = "scratchgen.elsewhere"
    with pytest.raises(ValueError, match="there already is an operation called relu"):
        operation(relu, [lambda g, y, x: g])
    assert OPERATIONS["relu"].forward is not relu


def test_no_code_outside_the_engine_builds_nodes() -> None:
    files = [f for f in (ROOT / "scratchgen").rglob("*.py") if f.relative_to(ROOT).parts[1] != "autodiff"]
    assert len(files) > 10
    assert [f"{f}: {place}" for f in files for place in hand_made_nodes(f.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "text",
    [
        "y = record(OPERATIONS['exp'], (x,))",
        "y = tensor.record(op, (x,))",
        "t = Tensor.__new__(Tensor)",
        "t.args = [x]",
        "t.op, t.parents = op, ((0, x),)",
        "t._data += 1",
        "t.requires_grad = True",
        "t = leaf_of(array)",
        "def f():\n    @custom_rule(lambda g, y, x: g)\n    def h(x): return x",
        "def f():\n    derivative(np.exp, lambda g, y, x: g * y)",
    ],
)
def test_a_node_built_by_hand_is_noticed(text: str) -> None:
    assert hand_made_nodes(text)


def test_operations_may_be_entered_at_the_top_of_a_module() -> None:
    assert hand_made_nodes("@custom_rule(lambda g, y, x: g)\ndef h(x):\n    self.options = 1\n    return x.args") == []


def test_operations_made_outside_the_engine_are_in_the_registry() -> None:
    modules = {getattr(OPERATIONS[name].forward, "__module__", None) for name in NAMES}
    assert "scratchgen.nn.convolution" in modules


# -- the checks themselves ---------------------------------------------------------------------------------------------


def of(name: str) -> list[Sample]:
    return [sample for sample in SAMPLES if sample.operation == name]


@pytest.mark.parametrize("name", sorted({sample.operation for sample in SAMPLES}))
def test_derivatives(name: str) -> None:
    """First and second order, and the contract, at every sample; and the complex step sees what the difference sees."""
    for sample in of(name):
        report = check(sample)
        COUNTS["checks"] += len({order for order, _ in report.compared})
        if sample.oracle == "complex":
            assert oracles_agree(sample), sample


@pytest.mark.parametrize("name", [name for name in NAMES if OPERATIONS[name].keep])
def test_what_is_kept_changes_neither_value_nor_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit: with ``keep``, and without it, when the rules compute again what they need."""
    for sample in of(name):
        results = []
        for keep in (OPERATIONS[name].keep, None):
            monkeypatch.setattr(OPERATIONS[name], "keep", keep)
            leaves = [Tensor(x, requires_grad=True) for x in sample.inputs(0)]
            y = sample.function(*leaves)
            assert any("kept" in node.options for node in [y, *y.inputs] if isinstance(node, Tensor)) == bool(keep)
            y.backward(np.linspace(-1, 2, y.size).reshape(y.shape))
            results.append([y.data.tobytes(), *(leaf.grad.tobytes() for leaf in leaves)])
        monkeypatch.undo()
        assert results[0] == results[1], sample


def refusal(mutant: Mutant) -> GradientError | None:
    """How some sample's check refuses the wrong rule. Any other exception than its own would be an accident."""
    with planted(mutant), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong rule may divide by 0
        for sample in of(mutant.operation):
            try:
                check(sample)
            except GradientError as error:
                return error
    return None


@pytest.mark.parametrize("name", NAMES)
def test_wrong_rules_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck, "culprit", lambda *_: ("", ""))  # to find it takes as long again; see below
    mutants = [mutant for mutant in MUTANTS if mutant.operation == name]
    refusals = {str(mutant): refusal(mutant) for mutant in mutants}
    survivors = [mutant for mutant, error in refusals.items() if error is None]
    COUNTS["operations"] += 1
    COUNTS["planted"] += len(mutants)
    COUNTS["caught"] += len(mutants) - len(survivors)
    assert survivors == []
    # A rule that does not even run proves nothing about the check.
    typos = [mutant for mutant, error in refusals.items() if isinstance(error.__cause__, AttributeError | NameError)]
    assert typos == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_operation_with_the_wrong_rule_is_named(name: str) -> None:
    for mutant in MUTANTS:
        if mutant.operation == name:
            error = refusal(mutant)
            assert error is not None
            if not np.isnan(error.numeric) or error.__cause__:
                assert error.operation == name, f"{mutant}: {error}"


def test_a_right_rule_is_not_caught() -> None:
    """``refusal`` can be None."""
    assert refusal(Mutant("exp", 0, "wrong", lambda right: lambda g, y, x: y * g)) is None


def test_planting_leaves_no_trace() -> None:
    before = {name: (OPERATIONS[name].rules, OPERATIONS[name].prepare) for name in NAMES}
    for mutant in MUTANTS:
        with planted(mutant):
            pass
    assert {name: (OPERATIONS[name].rules, OPERATIONS[name].prepare) for name in NAMES} == before


def test_a_complex_step_through_what_is_not_analytic_is_noticed() -> None:
    """np.abs makes a complex array real, which the engine refuses; cholesky takes conjugates, without a word."""
    with pytest.raises(TypeError, match="complex128"):
        oracles_agree(Sample("absolute", "trap", lambda x: np.abs(x) * x, signed(3)))
    assert not oracles_agree(Sample("linalg.cholesky", "trap", np.linalg.cholesky, positive_definite(3, 3)))


def raised_in(seeds: range) -> list[str]:
    """The false alarms of these seeds."""
    alarms = false_alarms(seeds)
    COUNTS["seeds"] += len(seeds)
    COUNTS["false alarms"] += len(alarms)
    return alarms


def test_no_false_alarm_in_a_few_seeds() -> None:
    assert raised_in(range(1, 4)) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(4, 1001, 25))
def test_no_false_alarm_in_1000_seeds(first: int) -> None:
    assert raised_in(range(first, min(first + 25, 1001))) == []


def test_a_false_alarm_would_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing allowed for rounding, and next to no doubt about the oracle, there are some."""
    monkeypatch.setattr(comparison, "ROUNDING", 1e-17)
    monkeypatch.setattr(comparison, "SAFETY", 0.01)
    assert len(false_alarms(range(1, 2))) > 10
