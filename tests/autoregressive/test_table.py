"""The chain rule by table: equations (1–5) of ``scratchgen.autoregressive.table``, by sums written out, every order."""

import re
from itertools import permutations, product

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import table as module

ORDERS = pytest.mark.parametrize("order", list(permutations(range(3))))


def random_table(levels=3, dims=3, order=None, seed=0):
    return module.ProbabilityTable(np.random.default_rng(seed).normal(size=(levels,) * dims), order)


def everything(levels, dims):
    return np.array(list(product(range(levels), repeat=dims)))


def by_hand(p, order, x):
    """p(x[j] | x[<j]) for all symbols: of the x that agree so far, the share of each symbol; (D, V)."""
    found = np.zeros((p.ndim, len(p)))
    for t, j in enumerate(order):
        for other in product(range(len(p)), repeat=p.ndim):
            if all(other[i] == x[i] for i in order[:t]):
                found[j, other[j]] += p[other]
    return found / found.sum(axis=1, keepdims=True)


@ORDERS
def test_conditionals_are_shares_of_what_agrees_so_far(order):
    table = random_table(order=order)
    x = everything(3, 3)[::4]
    expected = [by_hand(table.probabilities, order, row) for row in x]
    np.testing.assert_allclose(table.conditionals(x).probabilities.data, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("levels", "dims"), [(2, 4), (3, 3), (5, 2), (4, 1)])
def test_the_log_probability_is_that_of_the_table_in_every_order(levels, dims):
    table, x = random_table(levels, dims), everything(levels, dims)
    own = table.log_table().data
    logits = table.logits.data
    np.testing.assert_allclose(own, logits - np.log(np.exp(logits).sum()), rtol=0, atol=1e-13)
    for order in permutations(range(dims)):
        log_p = table.in_order(order).log_prob(x).data
        np.testing.assert_allclose(log_p, own.ravel(), rtol=0, atol=1e-12)  # rows of x count as the table does
        assert table.in_order(order).loss(x, 0).item() == pytest.approx(-own.mean(), abs=1e-12)


def test_the_entropies_differ_from_order_to_order_but_not_their_sum():
    """(4), each term as the expectation of −log p(x[j] | x[<j])."""
    table, x = random_table(2, 4), everything(2, 4)
    p = table.probabilities.ravel()
    entropy, terms = -np.sum(p * np.log(p)), []
    for order in permutations(range(4)):
        turned = table.in_order(order)
        cost = -p @ turned.conditionals(x).log_prob(x).data
        np.testing.assert_allclose(turned.entropies(), cost, rtol=0, atol=1e-13)
        assert turned.entropies().sum() == pytest.approx(entropy, abs=1e-13)
        terms.append(cost)
    assert np.all(np.std(terms, axis=0) > 0.01)


def test_the_fit_has_the_shares_of_the_data_and_no_gradient():
    x = np.array([[0, 2], [0, 2], [1, 0], [2, 2], [0, 1]])
    table = module.ProbabilityTable.fit(x, levels=3, order=[1, 0])
    np.testing.assert_allclose(table.probabilities, np.array([[0, 1, 2], [1, 0, 0], [0, 0, 1]]) / 5, atol=1e-15)
    p = np.array([2, 1, 1, 1]) / 5
    assert table.loss(x, 0).item() == pytest.approx(-np.sum(p * np.log(p)), abs=1e-14)
    table.loss(x, 0).backward()
    np.testing.assert_allclose(table.logits.grad, 0, atol=1e-15)


@ORDERS
def test_the_gradient_is_probability_minus_share(order):
    table = random_table(order=order)
    x = np.random.default_rng(1).integers(0, 3, (20, 3))
    table.loss(x, 0).backward()
    expected = table.probabilities - module.ProbabilityTable.fit(x, 3).probabilities
    np.testing.assert_allclose(table.logits.grad, expected, rtol=0, atol=1e-14)


def test_what_is_impossible_is_not_drawn_and_after_it_all_is_alike():
    table = module.ProbabilityTable.of([[[0.5, 0.0], [0.25, 0.25]], [[0.0, 0.0], [0.0, 0.0]]])
    x = everything(2, 3)
    log_p = table.log_prob(x).data
    np.testing.assert_allclose(np.exp(log_p), table.probabilities.ravel(), atol=1e-15)
    np.testing.assert_array_equal(np.isneginf(log_p), [False, True, False, False, True, True, True, True])
    np.testing.assert_array_equal(table.conditionals(np.array([[1, 0, 0]])).probabilities.data[0, 1:], 0.5)
    for order in permutations(range(3)):
        drawn = table.in_order(order).sample(200, 0)
        assert np.all(table.probabilities[tuple(drawn.T)] > 0)
    np.testing.assert_allclose(table.entropies(), [0, np.log(2), np.log(2) / 2], atol=1e-15)


@ORDERS
def test_each_symbol_follows_its_uniform_number(order):
    table = random_table(order=order)
    u = np.random.default_rng(2).random((40, 3))
    for row, numbers in zip(table.sample(40, uniforms=u), u):
        conditionals = by_hand(table.probabilities, order, row)
        for j in range(3):
            edges = np.concatenate([[0], np.cumsum(conditionals[j])])
            assert edges[row[j]] <= numbers[j] < edges[row[j] + 1]


@ORDERS
def test_the_future_changes_no_bit(order):
    table, x = random_table(order=order), np.zeros((1, 3), int)
    logits = table.conditionals(x).logits.data
    for t, j in enumerate(order):
        moved = x.copy()
        moved[:, order[t:]] = 2
        np.testing.assert_array_equal(table.conditionals(moved).logits.data[:, j], logits[:, j])


def test_orders_share_their_logits_and_float32_stays():
    table = module.ProbabilityTable(np.zeros((2, 2), np.float32))
    turned = table.in_order([1, 0])
    assert turned.logits is table.logits and turned.order.tolist() == [1, 0]
    x = np.array([[0, 1]])
    assert turned.loss(x, 0).dtype == turned.log_prob(x).dtype == table.dtype == np.float32
    assert turned.sample(3, 0).dtype == np.int64
    logits = Tensor(np.zeros((2, 2)), requires_grad=True)
    assert module.ProbabilityTable(logits).logits is logits


PAIR = np.zeros((2, 2))
BAD = {
    "integers": (lambda: module.ProbabilityTable(np.zeros((2, 2), int)), TypeError, "logits is int64"),
    "axes": (lambda: module.ProbabilityTable(np.zeros((2, 3))), ValueError, "logits has shape (2, 3)"),
    "NaN": (lambda: module.ProbabilityTable(np.array([0.0, np.nan])), ValueError, "logits has nan at (1,)"),
    "no symbols": (lambda: module.ProbabilityTable(np.zeros(0)), ValueError, "logits has shape (0,)"),
    "no levels": (lambda: module.ProbabilityTable.fit(np.zeros((1, 1), int), 0), ValueError, "levels is 0"),
    "no axes": (lambda: module.ProbabilityTable(np.zeros(())), ValueError, "logits has shape ()"),
    "order": (lambda: module.ProbabilityTable(PAIR, [0, 0]), ValueError, "missing [1], repeated [0]"),
    "too long": (lambda: module.ProbabilityTable(PAIR, [0, 1, 2]), ValueError, "unknown [2]"),
    "negative": (lambda: module.ProbabilityTable.of([1.5, -0.5]), ValueError, "probabilities has -0.5 at (1,)"),
    "sum": (lambda: module.ProbabilityTable.of([0.5, 0.4]), ValueError, "have the sum 0.9; it must be 1"),
    "no data": (lambda: module.ProbabilityTable.fit(np.zeros((0, 2), int), 2), ValueError, "at least one row"),
    "symbol": (lambda: module.ProbabilityTable.fit(np.array([[2]]), 2), ValueError, "token 2 at (0, 0)"),
    "floats": (lambda: module.ProbabilityTable.fit(np.zeros((1, 1)), 2), TypeError, "tokens is float64"),
    "too large": (lambda: module.ProbabilityTable.fit(np.zeros((1, 30), int), 2), ValueError, "2^30 entries, too many"),
    "x has 2": (lambda: module.ProbabilityTable(PAIR).log_prob(np.array([[0, 2]])), ValueError, "token 2 at (0, 1)"),
    "x has -1": (lambda: module.ProbabilityTable(PAIR).log_prob(np.array([[-1, 0]])), ValueError, "token -1 at (0, 0)"),
    "x of floats": (lambda: module.ProbabilityTable(PAIR).log_prob(np.zeros((1, 2))), TypeError, "tokens is float64"),
    "shape": (lambda: module.ProbabilityTable(PAIR).log_prob(np.array([0, 1])), ValueError, "expected (batch, 2)"),
    "context": (
        lambda: module.ProbabilityTable(PAIR).log_prob(np.array([[0, 1]]), 0),
        ValueError,
        "ProbabilityTable takes none",
    ),
    "empty": (lambda: module.ProbabilityTable(PAIR).loss(np.zeros((0, 2), int), 0), ValueError, "0 rows"),
}


def test_levels_of_few_bits_are_counted_with_all():
    """17³ is 4913, in 8 bits 49."""
    x = np.array([[16, 0, 3]], np.uint8)
    table = module.ProbabilityTable.fit(x, np.uint8(17))
    assert table.probabilities.shape == (17, 17, 17) and table.probabilities[16, 0, 3] == 1


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
