"""Errors of the engines of well-known packages, planted in this one: for each there is a check that fails.

A plant is either a *slip*, a piece of a function's source and what it was elsewhere, or a wrong rule. The check beside
it is a test of tests/autodiff, or the gradient check of an operation; those show that it passes on the right engine.
"""

import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import OPERATIONS, Tensor
from scratchgen.autodiff.chain_rule import backpropagate, reachable, unbroadcast
from scratchgen.autodiff.checking.comparison import judge
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.densities import require_one_shape
from scratchgen.autodiff.record import plain_operand
from scratchgen.checks.suite import all_samples, check
from scratchgen.optim.adam import Adam
from tests.autodiff import (
    test_chain_rule,
    test_densities,
    test_elementwise,
    test_gradcheck,
    test_linalg,
    test_registry,
    test_tensor,
)
from tests.autodiff.mutants import Mutant, planted

Check = Callable[[], None]


@contextmanager
def slip(function: Any, right: str, wrong: str) -> Iterator[None]:
    """Inside, the function's source has ``wrong`` in the place of ``right``, for everyone who imported it too."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times in {function.__qualname__}"
    scope = dict(function.__globals__)
    exec(compile("from __future__ import annotations\n" + source.replace(right, wrong), "<slip>", "exec"), scope)
    other = scope[function.__name__]
    with code_of(function, getattr(other, "__func__", other)):  # of a class method the function in it
        yield


@contextmanager
def code_of(function: Any, other: Any) -> Iterator[None]:
    """Inside, ``function`` does what ``other`` does."""
    before = function.__code__
    function.__code__ = other.__code__
    try:
        yield
    finally:
        function.__code__ = before


def fails(check: Check) -> bool:
    """Whether the check notices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check()
        except (Exception, pytest.fail.Exception):
            return True
    return False


def of(name: str) -> Check:
    """The gradient check of an operation at all of its samples."""

    def run() -> None:
        for sample in all_samples():
            if sample.operation == name:
                check(sample)

    return run


def rule(operation: str, argument: int, wrong: Callable[..., Any]) -> Any:
    """A wrong rule, which ignores the right one."""
    return planted(Mutant(operation, argument, "wrong", lambda right: wrong))


# -- walking the graph ---------------------------------------------------------------------------------------------


def recursive(output: Any, wanted: Any) -> Any:
    """Finds the order by recursion, as a textbook's topological sort does."""
    order, seen = [], set()

    def visit(node: Any) -> None:
        if node not in seen:
            seen.add(node)
            for _, parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    return order


def along_every_path(output: Any, wanted: Any) -> Any:
    """Visits a node as often as there are paths to it; it gives up after 100,000 steps."""
    order, stack, steps = {output}, [output], 0
    while stack:
        steps += 1
        if steps > 100_000:
            raise TimeoutError("more steps than nodes")
        node = stack.pop()
        order.add(node)
        stack.extend(parent for _, parent in node.parents)
    return sorted(order, key=attrgetter("number"))  # noqa: F821  (a name of the module that it is planted in)


ACCUMULATE = "contribution = cotangents[parent] + contribution"


@pytest.mark.parametrize("wrong", ["pass", f"{ACCUMULATE} + contribution", "contribution = cotangents[parent]"])
def test_a_reused_node_counted_once_or_twice(wrong: str) -> None:
    """micrograd#2, ARENA_2.0#18: = for +=, or the other way round, in ``b = a + a; c = b + b``."""
    assert not fails(test_chain_rule.test_reused_nodes_collect_all_their_contributions)
    with slip(backpropagate, ACCUMULATE, wrong):
        assert fails(test_chain_rule.test_reused_nodes_collect_all_their_contributions)


def test_a_node_visited_before_all_that_used_it() -> None:
    """Another order than that of creation."""
    assert not fails(test_chain_rule.test_a_node_used_early_and_late)
    with slip(reachable, 'key=attrgetter("number")', "key=lambda t: -t.number"):
        assert fails(test_chain_rule.test_a_node_used_early_and_late)


def test_recursion_on_deep_graphs() -> None:
    """micrograd PR#90, tinygrad#637."""
    with code_of(reachable, recursive):
        assert not fails(test_chain_rule.test_reused_nodes_collect_all_their_contributions)
        assert fails(test_chain_rule.test_a_chain_of_100_000_operations)


def test_a_walk_along_every_path() -> None:
    """SmallPebble: right, but 2³⁰ steps for 30 doublings."""
    with code_of(reachable, along_every_path):
        assert not fails(test_chain_rule.test_reused_nodes_collect_all_their_contributions)
        assert fails(test_chain_rule.test_thirty_doublings_take_linear_time)


def test_a_second_backward_pass_through_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """micrograd#53, PR#102: no error, where the graph should be gone; and with retain_graph=True it should not be."""
    with slip(Tensor.backward, "retain_graph=retain_graph", "retain_graph=False"):
        assert fails(test_chain_rule.test_retain_graph_gives_the_same_again)
    monkeypatch.setattr(Tensor.backward, "__defaults__", (None, True, False))
    assert fails(test_chain_rule.test_a_second_backward_says_what_to_do_and_changes_nothing)


# -- dtypes, shapes, arguments -------------------------------------------------------------------------------------


def test_float32_silently_becomes_float64() -> None:
    """autograd PR#199, MyGrad: by a NumPy scalar going in, and by a rule's constant coming out."""

    def keeps() -> None:
        test_tensor.test_scalars_never_upcast(np.float64(2.0))

    assert not fails(keeps)
    with slip(plain_operand, "a.item()", "a"):
        assert fails(keeps)
    for one in (np.float64(1.0), np.ones(()), np.ones(1)):
        with rule("exp", 0, lambda g, y, x, one=one: g * y * one):
            assert fails(of("exp"))  # the engine refuses it, …
            with slip(backpropagate, "contribution.dtype != data.dtype", "False"):
                assert fails(of("exp"))  # … and if it did not, the gradient check would


def test_assignment_into_a_tensor_is_cryptic(monkeypatch: pytest.MonkeyPatch) -> None:
    """autograd#58, #177: Python's own message does not say what to use instead."""
    assert not fails(test_tensor.test_in_place_changes_are_refused)
    monkeypatch.delattr(Tensor, "__setitem__")
    assert fails(test_tensor.test_in_place_changes_are_refused)


def test_integers_give_garbage() -> None:
    """autograd#3, #482."""
    with slip(Tensor.__init__, "array.dtype not in (np.float32, np.float64)", "False"):
        assert fails(lambda: test_tensor.test_other_dtypes_are_not_differentiable(np.arange(3)))


def test_gradients_of_the_wrong_shape() -> None:
    """autograd#376: a gradient that was never summed over what broadcasting repeated."""
    with slip(unbroadcast, "if extra > 0:", "if False:"):
        assert fails(of("add"))
    with slip(unbroadcast, "if repeated:", "if False:"):
        assert fails(of("add"))
    with slip(unbroadcast, "if g.shape != shape:", "if False:"):
        assert fails(test_chain_rule.test_a_rule_of_the_wrong_shape_is_named)


@pytest.mark.parametrize("wrong", ["np.mean(g, axis=repeated, keepdims=True)", "g.take([0], axis=repeated[0])"])
def test_broadcasting_undone_by_something_else_than_a_sum(wrong: str) -> None:
    with slip(unbroadcast, "np.sum(g, axis=repeated, keepdims=True)", wrong):
        assert fails(of("add"))


def test_a_loss_that_broadcasts() -> None:
    """pytorch#16045, bayesflow#787: (n, 1) against (n,) is (n, n)."""

    def refuses() -> None:
        test_densities.test_mse_refuses_what_would_broadcast((5, 1), (5,), "; did you mean")

    assert not fails(refuses)
    with slip(require_one_shape, "if ours != theirs:", "if False:"):
        assert fails(refuses)


# -- rules -----------------------------------------------------------------------------------------------------------


def test_norm_at_zero() -> None:
    """autograd#151, #183, #570: 0 / 0."""
    test = test_linalg.test_norm_at_zero_has_gradient_zero_to_any_order
    assert not fails(test)
    with rule("linalg.norm", 0, lambda g, y, x, *args, **options: g * x / y):
        assert fails(test)


def overwritten(g: Any, y: Any, x: Any, index: Any) -> Any:
    out = np.zeros(x.shape, getattr(g, "_data", g).dtype)
    out[index] = getattr(g, "_data", g)
    return out


def test_scatter_add_with_duplicate_indices() -> None:
    """joelgrus/autograd#2."""
    with rule("getitem", 0, overwritten):
        assert fails(of("getitem"))


def test_nan_from_the_branch_that_was_not_selected() -> None:
    """jax#347, #1052: 0 · inf, because the gradient is multiplied by the mask."""
    assert not fails(test_elementwise.test_the_branch_not_taken_leaves_no_nan)

    def poisoned() -> None:
        """The branch not taken has an infinite gradient, and must not see it."""
        x = Tensor([0.0, 2.0], requires_grad=True)
        g = np.array([np.inf, 1.0])
        np.where(x.data > 0, x, 0.0).backward(g)
        assert np.array_equal(x.grad, [0.0, 1.0])

    assert not fails(poisoned)
    with rule("where", 1, lambda g, y, c, a, b: g * c):
        assert fails(poisoned)


def test_softmax_with_the_diagonal_only() -> None:
    """ML-From-Scratch: s (1 − s), the derivative of a sigmoid."""
    with rule("softmax", 0, lambda g, y, x, axis=-1: g * y * (1.0 - y)):
        assert fails(of("softmax"))


# -- the gradient check, and the optimiser ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "wrong_rule"),
    [
        ("if (excess > 1).any():", "if False:", lambda g, y, x: g * x),
        ("difference = np.abs(entries.analytic - entries.numeric)", "difference = 0 * allowed", lambda g, y, x: g * x),
        ("nan=np.inf", "nan=0.0", lambda g, y, x: g * x * np.nan),
        ("allowed = ROUNDING * scale +", "allowed = 1e-3 * scale +", lambda g, y, x: g * 2.0001 * x),
    ],
)
def test_a_gradient_check_that_cannot_fail(right: str, wrong: str, wrong_rule: Any) -> None:
    """chainer#3541, SmallPebble: the error never computed, NaN that equals NaN, a tolerance that takes anything."""

    def notices() -> None:
        test_gradcheck.test_the_first_comparison_refuses(wrong_rule)

    assert not fails(notices)
    with slip(judge, right, wrong):
        assert fails(notices)


def test_the_registry_notices_an_operation_without_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not fails(test_registry.test_every_operation_has_samples_of_every_kind_that_applies)
    monkeypatch.setattr(test_registry, "SAMPLES", [s for s in test_registry.SAMPLES if s.operation != "exp"])
    assert fails(test_registry.test_every_operation_has_samples_of_every_kind_that_applies)
    assert "exp" in OPERATIONS


def second_step_of_adam() -> None:
    """By the formulas of the paper, with a gradient that changes from the first step to the second."""
    p, m, v = 1.0, 0.0, 0.0
    w = Tensor(p, requires_grad=True)
    optimizer = Adam([w], lr=0.1, betas=(0.9, 0.99), eps=1e-8)
    for t, g in ((1, 2.0), (2, -0.5)):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        p -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
        optimizer.zero_grad()
        (w * g).backward()
        optimizer.step()
    assert abs(w.item() - p) < 1e-14


@pytest.mark.parametrize("beta", ["beta1", "beta2"])
def test_adam_without_powers_in_the_bias_correction(beta: str) -> None:
    """ML-From-Scratch#35: right at the first step."""
    assert not fails(second_step_of_adam)
    with slip(Adam._update, f"{beta}**self.steps", beta):
        assert fails(second_step_of_adam)


def test_the_check_is_what_notices() -> None:
    """A wrong rule raises GradientError, not some accident on the way."""
    with rule("softmax", 0, lambda g, y, x, axis=-1: g * y * (1.0 - y)), pytest.raises(GradientError, match="softmax"):
        of("softmax")()
