"""The chain rule: order of visits, accumulation, memory, errors. True values are worked out by hand."""

import gc
import weakref

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, custom_rule, no_grad
from scratchgen.autodiff.chain_rule import unbroadcast


def leaf(values, dtype=np.float64):
    return Tensor(np.asarray(values, dtype), requires_grad=True)


def test_reused_nodes_collect_all_their_contributions():
    a = leaf(1.0)
    b = a + a
    (b + b).backward()
    assert a.grad == 4.0  # c = 4a


def test_diamond_with_unequal_arms():
    x = leaf(3.0)
    y = x * x
    z = y * y + y.sum() * x  # x⁴ + x³
    z.backward()
    assert x.grad == 4 * 27 + 3 * 9


def test_a_node_used_early_and_late():
    # The late use must not be visited after the early one has been passed on: order is by creation, not by distance.
    x = leaf(2.0)
    a = x * 3.0
    late = a
    for _ in range(5):
        late = late + 1.0
    (late * a).backward()  # (3x + 5) · 3x
    assert x.grad == 3 * (3 * 2 + 5) + 3 * 3 * 2


def test_gradients_accumulate_over_calls_and_leaves_nothing_behind():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [2 + 3, 4 + 3])


def test_thirty_doublings_take_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(30):
        y = y + y
    y.backward()  # a walk along every path would take 2³⁰ steps
    assert x.grad == 2.0**30


def test_a_chain_of_100_000_operations():
    x = leaf([1.0, 2.0])
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])


def test_dropping_a_long_chain_does_not_overflow_the_stack():
    y = leaf([1.0])
    for _ in range(100_000):
        y = y * 1.0
    del y


def test_dropping_the_output_frees_the_graph_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf(np.ones(3))
        middle = np.exp(x)
        watch = weakref.ref(middle)
        out = middle.sum()
        del middle
        assert watch() is not None
        del out
        assert watch() is None
    finally:
        gc.enable()


def test_backward_frees_each_node_as_it_goes():
    gc.disable()
    try:
        x = leaf(np.ones(3))
        middle = np.exp(x)
        watch = weakref.ref(middle)
        out = (middle * 2.0).sum()
        del middle
        out.backward()
        assert watch() is None
    finally:
        gc.enable()


def test_a_second_backward_says_what_to_do_and_changes_nothing():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    z = y * 2.0
    y.backward()
    before = x.grad.copy()
    for output in (y, z):
        with pytest.raises(RuntimeError, match="retain_graph=True"):
            output.backward()
    np.testing.assert_array_equal(x.grad, before)


def test_retain_graph_gives_the_same_again():
    x = leaf([1.0, 2.0])
    y = (x * x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad.copy()
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * first)


def test_create_graph_gives_second_derivatives_in_grad():
    x = leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    assert isinstance(first, Tensor)
    first.sum().backward()
    np.testing.assert_allclose(x.grad, [6.0, 12.0], rtol=1e-15)


def test_a_seed_weights_the_outputs():
    x = leaf([1.0, 2.0])
    (x * x).backward([1.0, 10.0])
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])


def test_backward_from_a_non_scalar():
    with pytest.raises(ValueError, match=r"shape \(3,\): pass a gradient of that shape, or reduce .*\.sum\(\)"):
        (leaf(np.ones(3)) * 2.0).backward()


def test_a_seed_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\), the tensor \(3,\)"):
        (leaf(np.ones(3)) * 2.0).backward(np.ones(2))


def test_nothing_requires_a_gradient():
    with pytest.raises(RuntimeError, match="nothing that this depends on requires a gradient"):
        (Tensor(1.0) * 2.0).backward()


def test_a_leaf_changed_after_use_is_refused_with_the_operation_that_saved_it():
    w = leaf([1.0, 2.0])
    y = (w * w).sum()
    w.assign([5.0, 5.0])
    with pytest.raises(RuntimeError, match="changed in place after multiply had saved it"):
        y.backward()
    assert w.grad is None


def test_gradients_do_not_share_memory():
    a, b = leaf(np.ones(3)), leaf(np.ones(3))
    c = leaf(np.ones((1, 3)))
    (a + b + c.reshape(3) + c[0]).backward(np.array([1.0, 2.0, 3.0]))
    arrays = [a.grad, b.grad, c.grad]
    for i, first in enumerate(arrays):
        assert first.flags.writeable
        for second in arrays[i + 1 :]:
            assert not np.shares_memory(first, second)


def test_the_seed_is_not_the_gradient():
    x, seed = leaf(np.ones(2)), np.array([1.0, 2.0])
    (x + 0.0).backward(seed)
    x.grad[0] = 7.0
    assert seed[0] == 1.0


@pytest.mark.parametrize(
    "small, large",
    [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1, 1), (5, 7)), ((1, 3, 1), (2, 2, 3, 5)), ((0, 1), (0, 3))],
)
def test_unbroadcast_is_the_adjoint_of_broadcast(small, large):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=small), rng.normal(size=large)
    down = unbroadcast(g, small)
    assert down.shape == small
    assert np.sum(g * np.broadcast_to(x, large)) == pytest.approx(np.sum(down * x), abs=1e-12)  # ⟨g, Bx⟩ = ⟨Bᵀg, x⟩


def test_a_rule_of_the_wrong_shape_is_named():
    with pytest.raises(
        ValueError, match=r"rule of matmul for argument 1 gave shape \(2, 3\) where the input has shape \(3, 2\)"
    ):
        unbroadcast(np.ones((2, 3)), (3, 2), "matmul", 1)


# -- what an operation keeps for its rules -------------------------------------------------------------------------


@pytest.fixture
def seen():
    """What the rule of ``exp_that_keeps`` found kept, call by call."""
    KEPT.clear()
    return KEPT


KEPT: list = []


def rule_that_looks(g, y, x, *, kept=None):
    KEPT.append(kept)
    return g * (np.exp(x) if kept is None else kept)


@custom_rule(rule_that_looks, keep=lambda x: (np.exp(x), np.exp(x)))
def exp_that_keeps(x):
    KEPT.append("computed without keeping")
    return np.exp(x)


def test_what_the_forward_pass_keeps_reaches_the_rule(seen):
    x = Tensor([0.5, 1.0], requires_grad=True)
    exp_that_keeps(x).sum().backward()
    assert len(seen) == 1 and (seen[0] == np.exp(x.data)).all()
    assert (x.grad == np.exp(x.data)).all()


def test_nothing_is_kept_for_second_derivatives_which_would_take_it_for_a_constant(seen):
    x = Tensor([0.5, 1.0], requires_grad=True)
    exp_that_keeps(x).sum().backward(create_graph=True)
    assert seen == [None]
    first, x.grad = x.grad, None
    first.sum().backward()
    np.testing.assert_allclose(x.grad, np.exp(x.data), rtol=1e-15)


def test_nothing_is_kept_where_no_gradient_is_wanted(seen):
    exp_that_keeps(Tensor([0.5]))
    with no_grad():
        exp_that_keeps(Tensor([0.5], requires_grad=True))
    assert seen == ["computed without keeping"] * 2


def test_what_was_kept_is_freed_with_the_graph(seen):
    x = Tensor([0.5], requires_grad=True)
    y = exp_that_keeps(x)
    y.sum().backward(retain_graph=True)
    assert "kept" in y.options
    y.sum().backward()
    assert "kept" not in y.options


def test_kept_cannot_be_given():
    with pytest.raises(TypeError, match="no derivative rule with the option kept"):
        exp_that_keeps(Tensor([0.5], requires_grad=True), kept=1.0)
