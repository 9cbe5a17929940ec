"""The fully visible sigmoid belief net and NADE, against their equations written out bit by bit."""

import re

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import MADE, BinaryOutput, fvsbn, nade

D, H = 5, 3
ORDERS = pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 0, 4, 1, 2)])
KINDS = pytest.mark.parametrize("kind", ["FVSBN", "NADE"])


def random_model(kind, order=None, seed=0, dims=D, dtype=np.float64):
    """With parameters of which none is 0."""
    model = fvsbn.FVSBN(dims, order, dtype) if kind == "FVSBN" else nade.NADE(dims, H, seed, order, dtype)
    rng = np.random.default_rng(seed)
    for t in model.parameters().values():
        t.assign(rng.normal(size=t.shape).astype(dtype))
    return model


def logit(model, x, j):
    """The logit of bit j, from a list of the bits before it."""
    before = model.order.tolist()[: model.order.tolist().index(j)]
    if isinstance(model, fvsbn.FVSBN):
        return model.b.data[j] + sum(x[i] * model.W.data[i, j] for i in before)
    a = [model.c.data[k] + sum(x[i] * model.W.data[i, k] for i in before) for k in range(H)]
    return model.b.data[j] + sum(model.V.data[j, k] / (1 + np.exp(-a[k])) for k in range(H))


@KINDS
@ORDERS
def test_each_logit_by_hand(kind, order):
    model, x = random_model(kind, order), np.random.default_rng(1).integers(0, 2, (7, D))
    expected = np.array([[logit(model, row, j) for j in range(D)] for row in x])
    np.testing.assert_allclose(model.conditionals(x).logits.data, expected, rtol=0, atol=1e-14)
    p = 1 / (1 + np.exp(-expected))
    log_p = np.log(np.where(x == 1, p, 1 - p)).sum(axis=1)
    np.testing.assert_allclose(model.log_prob(x).data, log_p, rtol=0, atol=1e-13)
    assert model.loss(x, 0).item() == pytest.approx(-log_p.mean(), abs=1e-13)


@KINDS
@ORDERS
def test_each_bit_depends_on_exactly_all_before(kind, order):
    """The Jacobian of the logits is 0, exactly, but for the strict triangle of the order, and there never."""
    model = random_model(kind, order)
    x = Tensor(np.random.default_rng(2).normal(size=(1, D)), requires_grad=True)
    rows = []
    for j in range(D):
        x.grad = None
        model.network(x)[0, j].backward()
        rows.append(x.grad[0])
    rank = np.argsort(order)
    np.testing.assert_array_equal(np.array(rows) != 0, rank < rank[:, None])


@KINDS
@ORDERS
@pytest.mark.parametrize("poison", [1e30, np.nan])
def test_the_future_changes_no_bit(kind, order, poison):
    """NaN may stand in it, where no product with a zero of the mask is in the way: in the one product of FVSBN."""
    model, x = random_model(kind, order), np.random.default_rng(3).normal(size=(2, D))
    y = model.network(x).data
    for t, j in enumerate(order):
        moved = x.copy()
        moved[:, order[t:]] = poison
        if kind == "NADE" or poison == 1e30:
            np.testing.assert_array_equal(model.network(moved).data[:, j], y[:, j])
        alone = model.conditional(moved, j).logits
        np.testing.assert_array_equal(alone, model.conditional(x, j).logits)
        np.testing.assert_allclose(alone, y[:, j], rtol=0, atol=1e-14)


def test_masked_weights_may_be_anything_and_get_no_gradient():
    model, x = random_model("FVSBN", (2, 0, 1), dims=3), np.array([[0, 1, 1], [1, 1, 0]])
    y = model.network(x.astype(float)).data
    used = np.array([[0, 1, 0], [0, 0, 0], [1, 1, 0]], bool)
    model.W = np.where(used, model.W.data, np.nan)
    np.testing.assert_array_equal(model.network(x.astype(float)).data, y)
    model.loss(x, 0).backward()
    np.testing.assert_array_equal(model.W.grad != 0, used)


@KINDS
@ORDERS
def test_each_draw_follows_its_uniform_numbers(kind, order):
    model, u = random_model(kind, order), np.random.default_rng(4).random((60, D))
    x = model.sample(60, uniforms=u)
    for row, numbers in zip(x, u):
        drawn = np.zeros(D)
        for j in order:
            drawn[j] = numbers[j] < 1 / (1 + np.exp(-logit(model, drawn, j)))
        np.testing.assert_array_equal(row, drawn)
    given = np.array([1, 0])
    kept = model.sample(60, uniforms=u, given=given)
    np.testing.assert_array_equal(kept[:, order[:2]], np.tile(given, (60, 1)))
    for row, numbers in zip(kept, u):
        assert all(row[j] == (numbers[j] < 1 / (1 + np.exp(-logit(model, row, j)))) for j in order[2:])


@ORDERS
def test_nade_draws_with_the_activations_of_training(order, monkeypatch):
    """(4) gives the conditionals of (1) to the bit, and a draw makes no full pass."""
    model, x = random_model("NADE", order), np.random.default_rng(5).integers(0, 2, (6, D)).astype(float)
    y = model.conditionals(x).logits.data
    for first in (0, 2):
        conditional = model.in_turn(6)
        for j in order[first:]:
            np.testing.assert_array_equal(conditional(x, j).logits, y[:, j])
    monkeypatch.setattr(nade.NADE, "network", None)
    assert model.sample(3, 0).shape == (3, D)


@KINDS
def test_draws_are_as_frequent_as_log_prob_says(kind):
    """χ² over all 2⁴ outcomes, which would notice another bias of one bit by 0.1 nats."""
    model, n = random_model(kind, (2, 0, 3, 1), dims=4), 40_000
    x = np.array(np.meshgrid(*[[0, 1]] * 4, indexing="ij")).reshape(4, -1).T
    counts = np.bincount(model.sample(n, 6).astype(int) @ [8, 4, 2, 1], minlength=16)

    def z() -> float:
        """χ² of 15 degrees of freedom, as a normal number (Wilson and Hilferty)."""
        expected = n * np.exp(model.log_prob(x).data)
        chi2 = np.sum((counts - expected) ** 2 / expected)
        return ((chi2 / 15) ** (1 / 3) - (1 - 2 / 135)) / (2 / 135) ** 0.5

    assert z() < 4.9  # 1e-6 in one tail
    model.b = model.b.data + 0.1 * np.eye(4)[1]
    assert z() > 4.9


def test_a_fresh_fvsbn_knows_nothing_and_one_bit_depends_on_nothing():
    assert fvsbn.FVSBN(D).loss(np.ones((2, D)).astype(np.float32), 0).item() == pytest.approx(D * np.log(2), rel=1e-6)
    for kind in ("FVSBN", "NADE"):
        model = random_model(kind, dims=1)
        np.testing.assert_allclose(np.exp(model.log_prob(np.array([[0], [1]])).data).sum(), 1, atol=1e-15)
        assert model.sample(4, 0).shape == (4, 1)


@KINDS
def test_float32_stays(kind):
    model, x = random_model(kind, dtype=np.float32), np.ones((2, D), np.float32)
    loss = model.loss(x, 0)
    loss.backward()
    assert loss.dtype == model.log_prob(x).dtype == model.sample(2, 0).dtype == np.float32
    assert all(t.grad.dtype == np.float32 for t in model.parameters().values())
    assert model.conditional(x, 1).dtype == np.float32
    assert model.in_turn(2)(x, 1).dtype == np.float32


BAD = {
    "dims": (lambda kind: random_model(kind, dims=0), ValueError, "dims is 0"),
    "order": (lambda kind: random_model(kind, [0, 1, 1, 3, 4]), ValueError, "missing [2], repeated [1]"),
    "width": (lambda kind: random_model(kind).log_prob(np.zeros((2, 4))), ValueError, "4"),
    "one x": (lambda kind: random_model(kind).log_prob(np.zeros(D)), ValueError, "x[None] is a batch of one"),
    "float32": (lambda kind: random_model(kind).log_prob(np.zeros((2, D), np.float32)), TypeError, "x is float32"),
    "grey": (lambda kind: random_model(kind).log_prob(np.full((1, D), 0.5)), ValueError, "x has 0.5 at (0, 0)"),
    "no bits": (lambda kind: random_model(kind).log_prob(np.full((1, D), 2)), ValueError, "x has 2.0 at (0, 0)"),
    "context": (lambda kind: random_model(kind).log_prob(np.zeros((2, D)), 1), ValueError, "takes none"),
    "context of a draw": (lambda kind: random_model(kind).sample(2, 0, np.zeros((2, 1))), ValueError, "takes none"),
    "three axes": (lambda kind: random_model(kind).log_prob(np.zeros((1, 2, D))), ValueError, "x.reshape(-1, 5)"),
    "given grey": (lambda kind: random_model(kind).sample(2, 0, given=[0.5]), ValueError, "x has 0.5 at (0, 0)"),
    "all given": (lambda kind: random_model(kind).sample(2, 0, given=[2] * D), ValueError, "x has 2.0 at (0, 0)"),
    "no rows": (lambda kind: random_model(kind).loss(np.zeros((0, D)), 0), ValueError, "x has 0 rows"),
}


@KINDS
@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs(kind, call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(kind)


def test_fvsbn_is_made_without_hidden_layers():
    order = [3, 0, 4, 1, 2]
    model, made = random_model("FVSBN", order), MADE(D, BinaryOutput(), [], 0, order, dtype=np.float64)
    made.last.W.assign(model.W.data)
    made.last.b.assign(model.b.data)
    x = np.array(np.meshgrid(*[[0, 1]] * D)).reshape(D, -1).T
    np.testing.assert_allclose(made.log_prob(x).data, model.log_prob(x).data, rtol=0, atol=1e-13)


def test_no_hidden_units_are_refused():
    with pytest.raises(ValueError, match="hidden is 0"):
        nade.NADE(3, 0, 0)


def test_a_fresh_nade_begins_with_fair_coins_of_weights_as_wide_as_it_says():
    """W within ±1/√D, V within ±1/√H, both nearly up to the ends; no biases."""
    model = nade.NADE(4, 400, 0)
    assert 0.49 < np.abs(model.W.data).max() <= 0.5 and 0.049 < np.abs(model.V.data).max() <= 0.05
    assert not model.b.data.any() and not model.c.data.any()
