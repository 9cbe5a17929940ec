"""The mixture over orders is a distribution, and the mean of the logits is none."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import MADE, BinaryOutput, OrderMixture, order_agnostic
from scratchgen.distributions import Bernoulli
from tests.autoregressive.test_made import every, large, small

ALL = every(2, 8)


def mixture(orders: int = 5, **options: Any) -> OrderMixture:
    return order_agnostic(small(dims=8, **options).eval(), orders, rng=1)


def averaged_logits(model: OrderMixture, x: np.ndarray) -> np.ndarray:
    """The wrong way: one Bernoulli for each component, whose logit is the mean of those of all orders."""
    logits = np.mean([member.conditionals(x).logits.data for member in model.members], axis=0)
    return np.sum(Bernoulli(logits).log_prob(x), axis=-1)


@pytest.mark.parametrize("orders", [1, 2, 5])
def test_total_probability_is_1_by_the_right_way_only(orders: int) -> None:
    model = mixture(orders)
    assert abs(np.exp(model.log_prob(ALL).data).sum() - 1) < 1e-12
    wrong = np.exp(averaged_logits(model, ALL)).sum()
    assert abs(wrong - 1) < 1e-12 if orders == 1 else abs(wrong - 1) > 0.01


def test_it_is_the_mean_of_the_probabilities() -> None:
    """Equation (1), and Jensen's inequality, strict where orders disagree."""
    model = mixture()
    each = np.stack([member.log_prob(ALL).data for member in model.members])
    log_p = model.log_prob(ALL).data
    np.testing.assert_allclose(np.exp(log_p), np.exp(each).mean(axis=0), rtol=1e-12)
    assert np.all(log_p > each.mean(axis=0))


def test_the_orders_are_those_of_the_seed_and_the_weights_are_shared() -> None:
    base = small(dims=8)
    model, again, plain = (order_agnostic(base, 6, rng=4, shuffle=shuffle) for shuffle in (True, True, False))
    orders = [tuple(member.order) for member in model.members]
    assert orders == [tuple(member.order) for member in again.members] and len(set(orders)) == 6
    np.testing.assert_array_equal(model.log_prob(ALL).data, again.log_prob(ALL).data)
    assert np.any(model.log_prob(ALL).data != plain.log_prob(ALL).data)
    assert {id(t) for t in model.parameters().values()} == {id(t) for t in base.parameters().values()}
    assert model.count_parameters() == base.count_parameters()


def test_without_shuffling_only_the_orders_differ() -> None:
    model = order_agnostic(small(dims=8), 3, rng=0, shuffle=False)
    for member in model.members:
        expected = small(dims=8, order=member.order)
        np.testing.assert_array_equal(member.log_prob(ALL).data, expected.log_prob(ALL).data)


def test_the_loss_in_training_is_of_one_order_and_in_evaluation_of_all() -> None:
    model, x = mixture().train(), ALL[:50]
    each = [member.loss(x, 0).item() for member in model.members]
    found = [model.loss(x, seed).item() for seed in range(40)]
    assert set(found) == set(each)
    assert model.eval().loss(x, 0).item() == pytest.approx(-model.log_prob(x).data.mean(), abs=1e-13)
    assert model.loss(x).item() < np.mean(each)


def test_members_switch_to_training_with_it() -> None:
    model = order_agnostic(small(dims=8, net="dropout"), 3, rng=1)
    x = ALL[:9]
    assert model.loss(x, 0).item() != model.loss(x, 100).item()
    model.eval()
    assert len({member.loss(x, seed).item() for member in model.members[:1] for seed in range(5)}) == 1


def test_a_draw_takes_a_member_and_then_its_order() -> None:
    model = mixture(3)
    for k, member in enumerate(model.members):
        x = model.sample(7, np.random.default_rng(5), which=np.full(7, k))
        np.testing.assert_array_equal(x, member.sample(7, np.random.default_rng(5)))


def test_samples_come_as_often_as_they_are_probable() -> None:
    """Chi-square over all vectors of three bits, whose four orders disagree."""
    model, n = order_agnostic(large(MADE(3, BinaryOutput(), [6], 0, dtype=np.float64), 2), 4, rng=0), 20_000
    p = np.exp(model.log_prob(every(2, 3)).data)
    one = np.exp(model.members[0].log_prob(every(2, 3)).data)
    count = np.bincount(model.sample(n, 0).astype(int) @ [4, 2, 1], minlength=8)
    bound = 7 + 5.96 * np.sqrt(14)
    assert np.sum((count - n * p) ** 2 / (n * p)) < bound
    assert np.sum((one - p) ** 2 / p) * n > 2 * bound  # had one order only been drawn from, it would show


def test_levels_are_drawn_as_integers() -> None:
    model = order_agnostic(small("categorical", dims=4), 3, rng=0)
    x = model.sample(50, 0)
    assert x.dtype == np.int64 and set(x.ravel()) == {0, 1, 2}
    assert order_agnostic(small(dims=4), 3, rng=0).sample(2, 0).dtype == np.float64


def test_context_is_dealt_out_with_the_rows() -> None:
    """Two contexts that make all components 0 or 1: each row keeps its own."""
    base = MADE(4, BinaryOutput(), [8], 0, context=1, dtype=np.float64)
    for t in base.parameters().values():
        t.assign(np.full(t.shape, 1.0 if t.ndim == 2 else 0.0))
    base.last.b = np.full(4, -400.0)
    model, context = order_agnostic(base, 3, rng=0), np.where(np.arange(30)[:, None] % 3, 0.0, 900.0)
    np.testing.assert_array_equal(model.sample(30, 0, context), np.tile(context > 0, (1, 4)))
    assert model.log_prob(np.ones((30, 4)), context).shape == (30,)
    assert model.train().loss(np.ones((30, 4)), context, 0).shape == ()


def test_refusals() -> None:
    model = mixture()
    with pytest.raises(ValueError, match=r"0 members have \[\] components"):
        OrderMixture([])
    with pytest.raises(ValueError, match=r"2 members have \[3, 8\] components"):
        OrderMixture([small(dims=3), small(dims=8)])
    with pytest.raises(ValueError, match="orders is 0"):
        order_agnostic(small(), 0, 0)
    with pytest.raises(ValueError, match="0 rows"):
        model.loss(ALL[:0], 0)
    with pytest.raises(TypeError, match="an order is drawn"):
        model.train().loss(ALL)
    for which in (np.zeros(3, int), np.full(2, 5), np.zeros(2)):
        with pytest.raises(ValueError, match="which is"):
            model.sample(2, 0, which=which)
    with pytest.raises(ValueError, match="n is -1; it must be at least 0"):
        model.sample(-1, 0)
    with pytest.raises(TypeError, match=r"n is \(2, 3\)"):
        model.sample((2, 3), 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="which is a masked array"):
        model.sample(2, 0, which=np.ma.masked_array([0, 1], True))
    for other in (small("categorical", dims=8), MADE(8, BinaryOutput(), [8], 0)):
        with pytest.raises(
            ValueError, match="some members draw integers and others floats, or floats of another dtype"
        ):
            OrderMixture([small(dims=8), other])
    with pytest.raises(ValueError, match="context has 2 rows; for 3 draws it must have 3"):
        model.sample(3, 0, np.zeros((2, 1)))
    assert isinstance(model.log_prob(ALL), Tensor) and model.sample(0, 0).shape == (0, 8)


def test_float32_stays() -> None:
    model = order_agnostic(MADE(4, BinaryOutput(), [8], 0), 3, rng=0)
    assert model.log_prob(np.zeros((2, 4), np.float32)).dtype == np.float32


def test_the_context_counts_in_the_loss_of_evaluation() -> None:
    model = order_agnostic(MADE(4, BinaryOutput(), [8], 0, context=1, dtype=np.float64), 3, rng=0).eval()
    x, context = np.ones((2, 4)), np.array([[0.5], [-2.0]])
    assert model.loss(x, context, 0).item() == -model.log_prob(x, context).data.mean()
