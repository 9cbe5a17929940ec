"""Entropies and divergences against quadrature and enumeration, and where the textbook forms lose their digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    Laplace,
    Logistic,
    Normal,
    Uniform,
    kl_divergence,
)
from scratchgen.distributions.kl import CLOSED_FORMS
from tests.distributions import truth

PAIRS = [(1, 2), (2, 1), (3, 4)]  # seeds of q and p: the first two tell KL(q ‖ p) from KL(p ‖ q)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", truth.KINDS)
def test_entropy_is_the_expectation_of_minus_log_p(kind: str, seed: int) -> None:
    p = truth.make(kind, seed)
    expected = truth.expectation(p, lambda x: -p.log_prob(x), order=10)
    assert p.entropy().shape == p.batch_shape
    np.testing.assert_allclose(p.entropy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("seed_q", "seed_p"), PAIRS)
@pytest.mark.parametrize("kind", truth.WITH_KL)
def test_kl_is_the_expectation_under_q_of_the_log_ratio(kind: str, seed_q: int, seed_p: int) -> None:
    """Equation (1) of kl.py; the sum over three dimensions for vectors."""
    q, p = truth.make(kind, seed_q), truth.make(kind, seed_p)
    expected = truth.expectation(q, lambda x: q.log_prob(x) - p.log_prob(x), order=10, beside=p)
    kl = kl_divergence(q, p)
    assert kl.shape == q.batch_shape
    np.testing.assert_allclose(kl, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind_q", "kind_p"), truth.MIXED)
def test_kl_of_two_classes_is_the_expectation_under_q_of_the_log_ratio(kind_q: str, kind_p: str) -> None:
    for seed_q, seed_p in PAIRS:
        q, p = truth.make(kind_q, seed_q), truth.make(kind_p, seed_p)
        expected = truth.expectation(q, lambda x, q=q, p=p: q.log_prob(x) - p.log_prob(x), order=10, beside=p)
        np.testing.assert_allclose(kl_divergence(q, p), expected, rtol=1e-11, atol=1e-10)


def test_the_pairs_tell_the_directions_apart() -> None:
    for kind in truth.WITH_KL:
        there, back = (kl_divergence(truth.make(kind, a), truth.make(kind, b)) for a, b in PAIRS[:2])
        assert np.abs(there - back).max() > 0.02


def test_every_closed_form_is_tested_here() -> None:
    tested = {type(truth.make(kind, 1)) for kind in truth.WITH_KL}
    mixed = {(type(truth.make(q, 1)), type(truth.make(p, 1))) for q, p in truth.MIXED}
    to_uniform = {(cls, Uniform) for cls in (Normal, Laplace, Logistic, Uniform)}  # in test_continuous_divergences
    assert {(cls, cls) for cls in tested} | mixed | to_uniform == set(CLOSED_FORMS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", truth.WITH_KL)
def test_kl_of_a_distribution_to_itself_is_exactly_zero(kind: str, dtype: type) -> None:
    """And so are its gradients with respect to both."""
    maker, shapes = truth.KINDS[kind]
    for seed in range(20):
        parameters = [5 * x.astype(dtype) for x in truth.draw(shapes, seed)]
        n = len(parameters)
        kl, gradients = truth.slopes(
            lambda *both, n=n: kl_divergence(maker(*both[:n]), maker(*both[n:])), *parameters, *parameters
        )
        assert kl.dtype == dtype and np.all(kl == 0)
        assert all(np.all(gradient == 0) for gradient in gradients)


# -- near each other, where the terms of the textbook sum cancel -----------------------------------------------------

SMALL = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_is_never_negative(dtype: type) -> None:
    """At 100,000 pairs for each distance from 1e-15 to 1e-3, about logits and log-variances up to ±800."""
    rng, n = np.random.default_rng(0), 100_000
    for step in SMALL:
        scale = 10.0 ** rng.uniform(-2, 2.9, (n, 1))
        base = (rng.uniform(-1, 1, (n, 5)) * scale).astype(dtype)
        moved = (base + step * rng.normal(size=(n, 5))).astype(dtype)
        for q, p in [
            (Bernoulli(base), Bernoulli(moved)),
            (Categorical(base), Categorical(moved)),
            (Normal(base / 20, base / 20), Normal(moved / 20, moved / 20)),
            (Laplace(base / 20, base / 20), Laplace(moved / 20, moved / 20)),
        ]:
            kl = kl_divergence(q, p)
            assert kl.dtype == dtype
            assert kl.min() >= 0, (type(q), step)


@pytest.mark.parametrize("logvar", [1e-9, -1e-9, 1e-5, -1e-5])
def test_kl_to_a_standard_normal_near_it(logvar: float) -> None:
    """½ (eᵛ − 1 − v) ≈ v²/4, where ½ (m² + eᵛ − 1 − v) as it is written gives 0 or less."""
    kl = kl_divergence(Normal(0.0, logvar), Normal(0.0, 0.0))
    assert kl >= 0
    np.testing.assert_allclose(kl, logvar**2 / 4, rtol=0.1 if abs(logvar) < 1e-8 else 1e-4)


@pytest.mark.parametrize("step", [1e-9, -1e-6, 1e-3, 1.0, -30.0])
@pytest.mark.parametrize("logit", [-200.0, -40.0, -1.0, 0.0, 3.0, 40.0, 200.0])
def test_bernoulli_kl_keeps_its_digits(logit: float, step: float) -> None:
    """Against arithmetic of 400 decimals: the error is that of the logits themselves, ε |l| relative to the step."""
    moved = logit + step
    got = kl_divergence(Bernoulli(logit), Bernoulli(moved))
    expected = truth.exact_kl([0.0, logit], [0.0, moved])
    np.testing.assert_allclose(got, expected, rtol=1e-15 * (10 + 10 * max(1.0, abs(logit)) / abs(step)))


@pytest.mark.parametrize("step", [1e-9, 1e-6, 1e-3, 1.0, 30.0])
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_categorical_kl_keeps_its_digits(scale: float, step: float) -> None:
    for logits, direction in zip(truth.draw(((3, 5),), 1)[0] * scale, truth.draw(((3, 5),), 2)[0]):
        moved = logits + step * direction
        got = kl_divergence(Categorical(logits), Categorical(moved))
        expected = truth.exact_kl(logits, moved)
        np.testing.assert_allclose(got, expected, rtol=1e-15 * (10 + 1000 * scale / step))


@given(st.floats(-800, 800), st.floats(-800, 800))
def test_a_coin_is_a_die_of_two_sides(logit: float, other: float) -> None:
    coin = kl_divergence(Bernoulli(logit), Bernoulli(other))
    die = kl_divergence(Categorical(np.array([0.0, logit])), Categorical(np.array([0.0, other])))
    np.testing.assert_allclose(coin, die, rtol=1e-11, atol=1e-13)


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_against_a_single_prior() -> None:
    q, p = truth.make("vectors of Normal", 1), Independent(Normal(np.zeros(3), np.zeros(3)), 1)
    kl = kl_divergence(q, p)
    assert kl.shape == (2,) and p.batch_shape == ()
    for i in range(2):
        single = Independent(Normal(q.mean[i], q.base.logvar[i]), 1)
        np.testing.assert_allclose(kl[i], kl_divergence(single, p), rtol=1e-14)


def test_all_pairs_of_two_batches() -> None:
    a, b = truth.draw(((2, 5), (3, 5)), 1)
    kl = kl_divergence(Categorical(a[:, None]), Categorical(b[None]))
    assert kl.shape == (2, 3)
    np.testing.assert_allclose(kl[1, 2], kl_divergence(Categorical(a[1]), Categorical(b[2])), rtol=1e-14)
