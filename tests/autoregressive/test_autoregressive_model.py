"""The chain rule, and sampling by the inverse of each conditional, on a model small enough to follow by hand."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import Autoregressive, inverse, part
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    DiscretisedNormal,
    Distribution,
    Laplace,
    Logistic,
    Mixture,
    Normal,
)

W = np.array([[0.0, 1.5, -2.0], [0.0, 0.0, 0.7], [0.0, 0.0, 0.0]])  # x[j] depends on x[i], i < j, by W[i, j]
B = np.array([0.3, -0.4, 0.9])
GRID = (np.arange(20000) + 0.5) / 20000


class Chain(Autoregressive):
    """Three bits, or numbers: a network that is strictly triangular in the order that it is given."""

    def __init__(self, order: Any = (0, 1, 2), gaussian: bool = False) -> None:
        self.dims, self.permutation, self.gaussian = 3, np.array(order), gaussian
        self.W, self.b = Tensor(W, requires_grad=True), Tensor(B, requires_grad=True)

    @property
    def order(self) -> np.ndarray:
        return self.permutation

    def conditionals(self, x: Any, context: Any = None, rng: Any = None) -> Distribution:
        back = np.argsort(self.permutation)
        output = (x[:, self.permutation] @ self.W + self.b)[:, back]
        output = output if context is None else output + context
        return Normal(output, np.zeros(3)) if self.gaussian else Bernoulli(output)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_total_probability_is_1_and_the_loss_is_minus_the_mean(order: Any) -> None:
    x = np.array(np.meshgrid(*[[0.0, 1.0]] * 3)).reshape(3, -1).T
    model = Chain(order)
    log_p = model.log_prob(x)
    assert abs(np.sum(np.exp(log_p.data)) - 1) < 1e-14
    assert abs(model.loss(x, 0).item() + log_p.data.mean()) < 1e-15
    context = np.ones((8, 3))
    assert abs(model.loss(x, context, 0).item() + model.log_prob(x, context).data.mean()) < 1e-15


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_each_bit_by_hand(order: Any) -> None:
    u = np.random.default_rng(0).random((50, 3))
    x = Chain(order).sample(50, uniforms=u)
    for row, numbers in zip(x, u):
        bits: list[float] = []
        for step, j in enumerate(order):
            logit = B[step] + sum(W[i, step] * bit for i, bit in enumerate(bits))
            bits.append(float(numbers[j] < 1 / (1 + np.exp(-logit))))
            assert row[j] == bits[-1]


def test_numbers_by_hand_and_given_ones_are_kept() -> None:
    from scipy.special import ndtri

    u, model = np.random.default_rng(0).random((5, 3)), Chain((2, 0, 1), gaussian=True)
    x = model.sample(5, uniforms=u, given=np.array([1.25]))  # x[2]
    x0 = B[1] + W[0, 1] * 1.25 + ndtri(u[:, 0])
    x1 = B[2] + W[0, 2] * 1.25 + W[1, 2] * x0 + ndtri(u[:, 1])
    np.testing.assert_allclose(x, np.stack([x0, x1, np.full(5, 1.25)], 1), rtol=0, atol=1e-13)
    masked = np.array([9.0, 9.0, 1.25])
    same = model.sample(5, uniforms=u, given=masked, known=np.array([False, False, True]))
    np.testing.assert_array_equal(same, x)
    shifted = model.sample(5, uniforms=u, context=np.full((5, 3), 0.5))
    assert np.all(shifted[:, 2] != model.sample(5, uniforms=u)[:, 2])  # context reaches the first component


def test_a_seed_is_enough_and_progress_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    u = np.random.default_rng(3).random((4, 3))
    np.testing.assert_array_equal(Chain().sample(4, 3, progress=True), Chain().sample(4, uniforms=u))
    assert "3 of 3 components" in capsys.readouterr().err


TWO = np.array([[-1.0, 2.0]])
CONTINUOUS = [Normal(TWO, 0.5), Laplace(TWO, -0.5), Logistic(TWO, 0.3)]
LEVELS = [
    Bernoulli(TWO),
    Categorical(np.log([[[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]])),
    DiscretisedLogistic(TWO, -0.5, 5),
    DiscretisedNormal(TWO, 0.4, 5),
    Mixture(np.log([[[0.3, 0.7], [0.8, 0.2]]]), DiscretisedLogistic(np.array([[[0.0, 3.0], [1.0, 2.0]]]), -0.5, 5)),
]


def drawn(p: Distribution, j: int) -> tuple[np.ndarray, Distribution]:
    """x by 20,000 uniform numbers on a grid, from component j."""
    return inverse(part(p, (np.zeros(len(GRID), int), np.full(len(GRID), j))), GRID), part(p, (0, j))


@pytest.mark.parametrize("j", [0, 1])
@pytest.mark.parametrize("p", CONTINUOUS, ids=repr)
def test_a_density_is_inverted(p: Distribution, j: int) -> None:
    x, alone = drawn(p, j)
    np.testing.assert_allclose(alone.cdf(x), GRID, rtol=0, atol=1e-12)


@pytest.mark.parametrize("j", [0, 1])
@pytest.mark.parametrize("p", LEVELS, ids=repr)
def test_levels_come_as_often_as_they_are_probable(p: Distribution, j: int) -> None:
    x, alone = drawn(p, j)
    for level in np.unique(x):
        probability = np.exp(alone.log_prob(np.asarray(level, x.dtype)))
        assert abs(np.mean(x == level) - probability) < 2.1 * 2 / len(GRID)  # two ends of each of two intervals


def test_one_number_serves_a_mixture_twice() -> None:
    p = Mixture(np.log([[[0.3, 0.7], [0.8, 0.2]]]), Normal(np.array([[[-2.0, 3.0], [0.0, 1.0]]]), 0.0))
    x, alone = drawn(p, 0)
    share = np.mean(x[:, None] <= np.linspace(-4, 5, 19), axis=0)
    np.testing.assert_allclose(share, alone.cdf(np.linspace(-4, 5, 19)), rtol=0, atol=3 / len(GRID))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "needs rng"),
        ({"n": 2.0, "rng": 0}, TypeError, "n is 2.0"),
        ({"n": -1, "rng": 0}, ValueError, "n is -1"),
        ({"uniforms": np.zeros((2, 2))}, ValueError, r"\(2, 2\); with n=2 it must be \(2, 3\)"),
        ({"uniforms": np.ones((2, 3))}, ValueError, r"uniforms has 1.0 at \(0, 0\)"),
        ({"rng": 0, "given": np.zeros((3, 1))}, ValueError, r"\(k,\) or \(2, k\) with k up to 3"),
        ({"rng": 0, "given": np.zeros(4)}, ValueError, "up to 3"),
        ({"rng": 0, "given": 1.0}, ValueError, "up to 3"),
        ({"rng": 0, "given": np.array(["a"])}, TypeError, "given is <U1"),
        ({"rng": 0, "given": np.array([np.nan])}, ValueError, r"given has nan at \(0, 0\)"),
        ({"rng": 0, "given": np.ma.masked_array([1.0], True)}, TypeError, "given is a masked array"),
        (
            {"rng": 0, "given": np.ones(3), "known": np.ma.masked_array([True] * 3, True)},
            TypeError,
            "known is a masked",
        ),
        ({"uniforms": np.ma.masked_array(np.zeros((2, 3)), True)}, TypeError, "uniforms is a masked array"),
        ({"rng": 0, "known": np.ones(3, bool)}, ValueError, "pass their values"),
        ({"rng": 0, "given": np.zeros(3), "known": np.ones(3)}, ValueError, "must be bool"),
        ({"rng": 0, "given": np.zeros(3), "known": np.array([True, False, True])}, ValueError, r"\[2\] are known"),
    ],
)
def test_bad_input(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Chain().sample(**{"n": 2, **arguments})


def test_an_empty_batch_and_unknown_distributions_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        Chain().loss(np.zeros((0, 3)), 0)
    with pytest.raises(NotImplementedError, match="no parts of object"):
        part(object(), 0)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="shared"):
        part(Mixture(np.zeros(2), Normal(np.zeros((3, 2)), 0.0)), 0)


@pytest.mark.parametrize("p", [*LEVELS, *CONTINUOUS], ids=repr)
def test_a_part_has_the_log_prob_of_the_whole(p: Distribution) -> None:
    x = np.array([[1, 0]]) if isinstance(p, Categorical) else np.array([[1.0, 0.0]])
    for j in (0, 1):
        np.testing.assert_array_equal(part(p, (slice(None), j)).log_prob(x[:, j]), p.log_prob(x)[:, j])


def test_a_level_of_probability_0_is_not_drawn_even_by_u_0() -> None:
    assert inverse(Categorical(np.array([[-np.inf, 0.0, 0.0]])), np.zeros(1)) == 1


def test_equation_3_by_hand() -> None:
    """u = 0.65 lies halfway through the second interval, [0.3, 1): F_2⁻¹(½) is the mean of the second."""
    p = Mixture(np.log([[0.3, 0.7]]), Normal(np.array([[-2.0, 3.0]]), 0.0))
    np.testing.assert_allclose(inverse(p, np.array([0.65])), [3.0], rtol=0, atol=1e-12)
    from scipy.special import ndtri

    np.testing.assert_allclose(inverse(p, np.array([0.03])), [-2.0 + ndtri(0.1)], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("u", "error", "message"),
    [
        (np.array([0.5, 1.0]), ValueError, r"u has 1\.0 at \(1,\); .*it must be in \[0, 1\)"),
        (np.array([-0.1, 0.5]), ValueError, r"u has -0\.1 at \(0,\)"),
        (np.array([np.nan, 0.5]), ValueError, r"u has nan at \(0,\)"),
        (np.zeros((2, 1)), ValueError, r"u has shape \(2, 1\); it must be \(2,\), a number for each distribution"),
        (0.5, ValueError, r"u has shape \(\)"),
        (np.ma.zeros(2), TypeError, "u is a masked array"),
    ],
)
def test_uniform_numbers_that_are_none_are_refused(u: Any, error: type[Exception], message: str) -> None:
    for p in (Categorical(np.zeros((2, 3))), Normal(np.zeros(2), np.zeros(2))):
        with pytest.raises(error, match=message):
            inverse(p, u)
    assert inverse(Categorical(np.zeros((2, 3))), [0, 0.5]).tolist() == [0, 1]


def test_the_ends_give_finite_numbers_and_dtypes_stay() -> None:
    one = np.array([np.nextafter(1.0, 0.0)])
    for dtype in (np.float32, np.float64):
        p = Normal(np.zeros(1, dtype), np.zeros(1, dtype))
        for u in (np.zeros(1), one):  # in float32 the second rounds to 1
            assert np.isfinite(inverse(p, u)).all() and inverse(p, u).dtype == dtype
        assert inverse(DiscretisedLogistic(np.zeros(1, dtype), np.zeros(1, dtype), 5), one).dtype == dtype


def test_probabilities_that_round_to_less_than_1_have_no_level_beyond_the_last() -> None:
    """In float32 these sum up to less than the largest u."""
    for k in (3, 7, 11, 13, 17, 49):
        p = Categorical(np.zeros((1, k), np.float32))
        assert inverse(p, np.array([np.nextafter(1.0, 0.0)])) == k - 1
