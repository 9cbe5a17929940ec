"""``discrete_estimators``: enumeration by hand, and the Gumbel-softmax against its own expectation.

For two categories that is an integral over one logistic number.
"""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from scratchgen.latent.discrete_estimators import enumeration, gumbel_softmax

LOGITS = np.array([[0.1, -2.0, 1.3], [0.0, 0.0, 0.7]])
F = np.array([[1.0, -2.0], [0.5, 4.0], [7.0, 0.3]])


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# -- enumeration -------------------------------------------------------------------------------------------------------


def test_the_gradient_by_enumeration():
    """(1): d Σ p f/d l_k = p_k (f_k − E f)."""
    logits, p = Tensor(LOGITS, requires_grad=True), softmax(LOGITS)
    value = enumeration(Categorical(logits), lambda z: F[z, np.arange(2)])
    np.sum(value * np.array([1.0, -0.5])).backward()
    mean = np.sum(p * F.T, axis=1)
    np.testing.assert_allclose(value.data, mean, rtol=1e-13)
    np.testing.assert_allclose(logits.grad, p * (F.T - mean[:, None]) * [[1.0], [-0.5]], rtol=1e-12)


def test_enumeration_of_several_coins():
    """E[(Σ z)²] = (Σ p)² + Σ p (1 − p) for a batch of three independent coins."""
    logits = np.array([[0.3, -1.0, 0.0], [2.0, 0.5, -0.2]])
    p = 1 / (1 + np.exp(-logits))
    value = enumeration(Independent(Bernoulli(logits), 1), lambda z: np.sum(z, axis=-1) ** 2)
    np.testing.assert_allclose(value, p.sum(axis=1) ** 2 + (p * (1 - p)).sum(axis=1), rtol=1e-13)


def test_enumeration_of_several_dice():
    """E[z₀ z₁] = E[z₀] E[z₁], here for dice with different numbers."""
    value = enumeration(Independent(Categorical(LOGITS), 1), lambda z: z[..., 0] * z[..., 1])
    means = softmax(LOGITS) @ np.arange(3.0)
    np.testing.assert_allclose(value, means[0] * means[1], rtol=1e-13)


def test_what_f_depends_on_has_its_gradient_too():
    """∇ Σ p(z) c(z) log p(z): p_k (a_k − Σ p a) with a = c (log p + 1), of which the 1 is the gradient of f."""
    logits, p = Tensor(LOGITS, requires_grad=True), softmax(LOGITS)
    q = Categorical(logits)
    np.sum(enumeration(q, lambda z: F * q.log_prob(z))).backward()
    a = F.T * (np.log(p) + 1)
    np.testing.assert_allclose(logits.grad, p * (a - np.sum(p * a, axis=1, keepdims=True)), rtol=1e-11)


# -- Gumbel-softmax ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("tau", [0.4, 1.0])
def test_a_gumbel_softmax_against_its_formula(tau, hard):
    """(2) and (3): v = softmax((l + g)/τ), dv = (diag(v) − v vᵀ) dl/τ; f = Σ c v², its slope at v or its one-hot."""
    g, c = np.random.default_rng(0).gumbel(size=(4, 2, 3)), np.array([2.0, -1.0, 0.5])
    logits = Tensor(LOGITS, requires_grad=True)
    f = lambda v: np.sum(c * v * v, axis=-1)  # noqa: E731
    value = gumbel_softmax(Categorical(logits), f, tau, samples=4, noise=g, hard=hard)
    np.sum(value).backward()
    v = softmax((LOGITS + g) / tau)
    seen = np.eye(3)[v.argmax(axis=-1)] if hard else v
    np.testing.assert_allclose(value.data, np.mean(f(seen), axis=0), rtol=1e-13)
    slope = 2 * c * seen
    exact = v * (slope - np.sum(v * slope, axis=-1, keepdims=True)) / tau
    np.testing.assert_allclose(logits.grad, exact.mean(axis=0), rtol=1e-12, atol=1e-14)


def of_two(tau, logit, hard=False):
    """The expected gradient to the logit of z = 1 of E[z], z one of two: by the trapezoidal rule over g₁ − g₀.

    The difference of two Gumbel numbers is logistic.
    """
    x, step = np.linspace(-45, 45, 9001, retstep=True)
    weights = step / (4 * np.cosh(0.5 * x) ** 2)
    noise = np.stack([0 * x, x], axis=-1)
    leaf = Tensor(np.array(logit), requires_grad=True)
    q = Categorical(np.broadcast_to(np.array([0.0, 1.0]) * leaf, (len(x), 2)))
    value = gumbel_softmax(q, lambda v: v[..., 1], tau, noise=noise[None], hard=hard)
    np.sum(value * weights).backward()
    return leaf.grad


def test_the_bias_at_temperature_1_is_known():
    """(2) at τ = 1, l = 0: ∫ σ'(x)² dx = 1/6, and the truth is p (1 − p) = 1/4. (3): the same, as f is linear."""
    np.testing.assert_allclose(of_two(1.0, 0.0), 1 / 6, rtol=1e-12)
    np.testing.assert_allclose(of_two(1.0, 0.0, hard=True), 1 / 6, rtol=1e-12)


def test_the_bias_falls_with_the_square_of_the_temperature():
    """(2): ∫ σ'(y) σ'(τ y − l) dy = σ'(l) + (π²/6) τ² σ'''(l) + O(τ⁴), for y has the variance π²/3."""
    logit = 0.8
    p = 1 / (1 + np.exp(-logit))
    truth, third = p * (1 - p), p * (1 - p) * (1 - 6 * p * (1 - p))
    taus = np.array([0.05, 0.1])
    scaled = (np.array([of_two(tau, logit) for tau in taus]) - truth) / taus**2
    extrapolated = (4 * scaled[0] - scaled[1]) / 3  # without the term of τ⁴
    np.testing.assert_allclose(extrapolated, np.pi**2 / 6 * third, rtol=1e-3)


def test_the_components_of_a_vector_are_relaxed_each():
    """A batch of two vectors of three dice: v is (samples, 2, 3, K)."""
    q = Independent(Categorical(np.zeros((2, 3, 4))), 1)
    seen = []
    gumbel_softmax(q, lambda v: (seen.append(v), np.sum(v, axis=(-2, -1)))[1], 0.5, samples=5, rng=0)
    assert seen[0].shape == (5, 2, 3, 4)
    np.testing.assert_allclose(seen[0].sum(axis=-1), 1, rtol=1e-13)


def test_float32_stays_float32():
    logits = Tensor(LOGITS.astype(np.float32), requires_grad=True)
    q = Categorical(logits)
    for value in (
        enumeration(q, lambda z: F.astype(np.float32)[z, np.arange(2)]),
        gumbel_softmax(q, lambda v: v[..., 0], 0.5, rng=0),
        gumbel_softmax(q, lambda v: v[..., 0], 0.5, rng=0, hard=True),
    ):
        np.sum(value).backward()
        assert value.dtype == logits.grad.dtype == np.float32


Q = Categorical(LOGITS)
BAD = {
    "an infinite sum": (lambda: enumeration(Normal(0.0, 0.0), abs), TypeError, "whose values cannot be listed"),
    "too many values": (
        lambda: enumeration(Independent(Bernoulli(np.zeros(30)), 1), lambda z: z[..., 0]),
        ValueError,
        r"z has 2\^30 values, too many",
    ),
    "f of another shape": (
        lambda: enumeration(Q, lambda z: z[..., None]),
        ValueError,
        r"f\(z\) has shape \(3, 2, 1\); it must be \(3, 2\)",
    ),
    "one number for all values": (
        lambda: enumeration(Q, lambda z: 0.0),
        ValueError,
        r"f\(z\) has shape \(\)",
    ),
    "one number for all vectors": (
        lambda: gumbel_softmax(Q, lambda v: 0.0, 0.5, rng=0),
        ValueError,
        r"f\(v\) has shape \(\)",
    ),
    "f of vectors of another shape": (
        lambda: gumbel_softmax(Q, lambda v: v, 0.5, rng=0),
        ValueError,
        r"f\(v\) has shape \(1, 2, 3\); it must be \(1, 2\), a number per event",
    ),
    "a normal z": (lambda: gumbel_softmax(Normal(0.0, 0.0), abs, 0.5, rng=0), TypeError, "must be Categorical"),
    "coins": (lambda: gumbel_softmax(Bernoulli(0.0), abs, 0.5, rng=0), TypeError, "a coin is one of two categories"),
    "no samples": (lambda: gumbel_softmax(Q, abs, 0.5, samples=0, rng=0), ValueError, "samples is 0"),
    "no temperature": (lambda: gumbel_softmax(Q, abs, 0.0, rng=0), ValueError, "temperature is 0.0"),
    "no noise": (lambda: gumbel_softmax(Q, abs, 0.5), TypeError, "needs rng, or the noise itself"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("dtype", [bool, int])
def test_hits_are_counted_as_floats(dtype):
    """P(z = 1) of each of two, with f a bool or an integer."""
    q = Categorical(np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], np.float32)))
    found = enumeration(q, lambda z: (z == 1).astype(dtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.3, 0.6], rtol=1e-6)
