"""Flows as the posterior and as the prior of a VAE, where log p(x) is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from scratchgen.autodiff import Tensor, logsumexp, no_grad
from scratchgen.distributions import Independent, Normal, kl_divergence
from scratchgen.flows import (
    AffineMap,
    Flow,
    FlowPosterior,
    Inverse,
    MaskedAutoregressive,
    MaskedNet,
    Planar,
    Reverse,
    Softplus,
    Transform,
)
from scratchgen.latent import IWAE, VAE, ConstantVarianceLikelihood, path_log_weights
from scratchgen.nn import MLP, Module
from tests.latent import linear_gaussian as truth
from tests.latent.test_priors import SKEW, VARIANCE, X, log_p

C, A = np.array([0.5, -1.0]), np.array([[1.2, 0.0], [-0.7, 0.6]])


class ByMatrix(Transform):
    """z = L ε + c + context, as the data of a flow: ε = L⁻¹ (z − c − context)."""

    def __init__(self, L: np.ndarray, c: Any = 0.0) -> None:
        self.L, self.c = Tensor(L, requires_grad=True), c
        self.passes = 0  # from data to noise

    def log_det(self, x: Any) -> Any:
        return np.broadcast_to(np.log(np.abs(self.L[0, 0] * self.L[1, 1])), (len(x),))

    def forward(self, x: Any, context: Any = None) -> Any:
        self.passes += 1
        moved = x - self.c - (0.0 if context is None else context)
        first = moved[:, :1] / self.L[0, 0]
        second = (moved[:, 1:] - self.L[1, 0] * first) / self.L[1, 1]
        return np.concatenate([first, second], axis=1), -self.log_det(x)

    def inverse(self, z: Any, context: Any = None) -> Any:
        return z @ self.L.T + self.c + (0.0 if context is None else context), self.log_det(z)


def standard(dims: int = 2) -> Independent:
    return Independent(Normal(np.zeros(dims), np.zeros(dims)), 1)


def affine_vae(
    cls: type = VAE, prior: bool = False, by_context: bool = False, shift: float = 0.0, **options: Any
) -> VAE:
    """x = SKEW z + b + noise with z ~ N(0, I), or N(C, A Aᵀ) by a flow; q by an affine flow is the posterior."""
    mean, covariance = (C, A @ A.T) if prior else (np.zeros(2), np.eye(2))
    S = np.linalg.inv(np.linalg.inv(covariance) + SKEW.T @ SKEW / VARIANCE)
    L = np.linalg.cholesky(S)
    gain, start = SKEW @ S / VARIANCE, S @ np.linalg.inv(covariance) @ mean
    zeros = np.zeros((3, 2))
    if by_context:  # N(0, I), moved by the context
        weights, bias = [zeros, zeros, gain], [np.zeros(4), start - truth.B @ gain + shift]
    else:
        weights = [gain @ np.linalg.inv(L).T, zeros]
        bias = [np.linalg.inv(L) @ (start - truth.B @ gain + shift), np.zeros(2)]
    encoder = truth.linear_layer(np.concatenate(weights, axis=1), np.concatenate(bias))
    return cls(
        FlowPosterior(encoder, ByMatrix(L), latent=2, context=2 if by_context else 0),
        truth.linear_layer(SKEW.T, truth.B),
        ConstantVarianceLikelihood(3, VARIANCE, dtype=np.float64),
        2,
        learned_prior=Flow(ByMatrix(A, C), standard()) if prior else None,
        **options,
    )


def exact(prior: bool) -> np.ndarray:
    return log_p(X, means=(C,), covariances=(A @ A.T,)) if prior else log_p(X)


@pytest.mark.parametrize("by_context", [False, True])
@pytest.mark.parametrize("prior", [False, True])
def test_an_affine_flow_closes_the_gap(prior: bool, by_context: bool) -> None:
    """The bound is log p(x) for every noise, though the dimensions of z depend on each other; with either prior."""
    model = affine_vae(prior=prior, by_context=by_context)
    for seed in range(3):
        np.testing.assert_allclose(model.elbo(X, rng=seed).total.data, exact(prior), rtol=0, atol=1e-10)
    np.testing.assert_allclose(model.log_prob(X, rng=0, samples=2), exact(prior), rtol=0, atol=1e-10)
    bound = affine_vae(IWAE, prior=prior, by_context=by_context, samples=3).bound(X, rng=0)
    np.testing.assert_allclose(bound.data, exact(prior), rtol=0, atol=1e-10)


@pytest.mark.parametrize("prior", [False, True])
def test_the_gap_of_another_q_is_its_divergence(prior: bool) -> None:
    """Moved by 0.4 in each dimension, q is ½ dᵀ S⁻¹ d away from the posterior, on average over the nodes."""
    model = affine_vae(prior=prior, shift=0.4)
    nodes, weights = truth.gauss_hermite_nodes(3)
    each = [model.elbo(X, noise=np.tile(node, (len(X), 1))).total.data for node in nodes]
    L = model.encoder.transform.L.data
    d = np.linalg.solve(L, np.full(2, 0.4))
    np.testing.assert_allclose(exact(prior) - weights @ np.array(each), 0.5 * d @ d, rtol=0, atol=1e-10)


def test_log_q_comes_with_the_sample() -> None:
    """No pass from data to noise in a training step; the same number as with one."""
    model = affine_vae(shift=0.4)
    terms = model.elbo(X, rng=1)
    assert model.encoder.transform.passes == 0
    with no_grad():
        q = model.encode(X)
        z = q.rsample((), rng=1)
        expected = q.log_prob(z) - standard().log_prob(z)
    assert model.encoder.transform.passes == 1
    np.testing.assert_allclose(terms.kl.data, expected.data, rtol=0, atol=1e-12)


def test_the_path_gradient_of_a_flow_is_0_at_the_posterior() -> None:
    """Sticking the landing, for a q that is a flow: no noise in the gradient where there is nothing to learn."""
    model = affine_vae()
    q = model.encode(X)
    np.sum(path_log_weights(model, X, q, q.rsample(4, rng=0))).backward()
    largest = max(np.abs(t.grad).max() for t in model.encoder.parameters().values() if t.grad is not None)
    assert model.encoder.transform.L.grad is not None and largest < 1e-10


class Numbers(Module):
    """m and v, the same for all x."""

    def forward(self, x: Any) -> Tensor:
        return Tensor(np.tile([0.3, -0.5], (len(x), 1)))


def test_a_curved_prior_and_posterior() -> None:
    """z = log(1 + e^ε) in both: E_q[w] = p(x), the one by nodes, the other by SciPy; in float64 to 1e-8."""
    softplus, x = Inverse(Softplus()), np.array([[0.2], [1.5], [3.0]])
    model = VAE(
        FlowPosterior(Numbers(), softplus, latent=1),
        truth.linear_layer(np.ones((1, 1)), np.zeros(1)),
        ConstantVarianceLikelihood(1, 0.5, dtype=np.float64),
        latent=1,
        learned_prior=Flow(softplus, standard(1)),
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    kept = weights > 0
    log_w = np.stack([model.elbo(x, noise=np.full((3, 1), node)).total.data for node in nodes[kept]])
    got = logsumexp(log_w + np.log(weights[kept] / np.sqrt(2 * np.pi))[:, None], axis=0)

    def joint(e: float, x: float) -> float:
        return norm.pdf(e) * norm.pdf(x, np.log1p(np.exp(e)), np.sqrt(0.5))

    expected = [np.log(quad(joint, -12, 12, args=(float(row),), epsrel=1e-12)[0]) for row in x[:, 0]]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8)
    z = model.prior(x).sample(10_000, rng=0)
    assert z.min() > 0 and abs((z < np.log(2)).mean() - 0.5) < 5.96 * 0.5 / 100


def inverse_autoregressive() -> Transform:
    net = MaskedNet(2, AffineMap().numbers, [8], rng=0, context=3, activation="tanh", dtype=np.float64)
    return Inverse(MaskedAutoregressive(net, AffineMap()))


def planar() -> Transform:
    return Inverse(Planar(2, rng=0, dtype=np.float64))


@pytest.mark.parametrize(("make", "context"), [(inverse_autoregressive, 3), (planar, 0)])
def test_posteriors_that_are_cheap_one_way_go_only_that_way(make: Callable[[], Transform], context: int) -> None:
    """Training goes from noise to z alone; the ELBO and log q are those of the other way, and E_q[w] = p(x)."""
    transform = make()
    encoder = MLP([3, 6, 4 + context], rng=1, activation="tanh", dtype=np.float64)
    decoder, likelihood = truth.linear_layer(SKEW.T, truth.B), ConstantVarianceLikelihood(3, VARIANCE, dtype=np.float64)
    model = VAE(FlowPosterior(encoder, transform, 2, context), decoder, likelihood, latent=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(transform), "forward", None)  # from data to noise, where z is the data
        model.loss(X, rng=0).backward()
        terms = model.elbo(X, rng=3)
    assert all(t.grad is not None and np.any(t.grad != 0) for t in model.encoder.parameters().values())
    with no_grad():
        q = model.encode(X)
        z = q.rsample((), rng=3)
        np.testing.assert_allclose(terms.kl.data, (q.log_prob(z) - standard().log_prob(z)).data, rtol=0, atol=1e-9)
        w = np.exp(np.stack([model.elbo(X, rng=seed).total.data for seed in range(500)]) - exact(False))
    error = w.std(axis=0) / np.sqrt(500)
    assert np.all(np.abs(w.mean(axis=0) - 1) < 5.96 * error) and np.median(error) < 0.1


def test_samples_of_a_vae_with_a_flow_for_its_prior() -> None:
    """N(W C + b, W A Aᵀ Wᵀ + s² I): the mean, and the Mahalanobis distance, χ² with 3 degrees of freedom."""
    x = affine_vae(prior=True).sample(20_000, rng=0)
    covariance = SKEW @ A @ A.T @ SKEW.T + VARIANCE * np.eye(3)
    moved = np.linalg.solve(np.linalg.cholesky(covariance), (x - SKEW @ C - truth.B).T)
    assert np.abs(moved.mean(axis=1)).max() < 5.96 / np.sqrt(20_000)
    assert abs((moved**2).sum(axis=0).mean() - 3) < 5.96 * np.sqrt(6 / 20_000)
    expected = multivariate_normal(SKEW @ C + truth.B, covariance).logpdf(x[:5])
    np.testing.assert_allclose(affine_vae(prior=True).log_prob(x[:5], rng=0, samples=1), expected, atol=1e-10)


def test_any_distribution_draws_with_its_density() -> None:
    """The plain way: rsample, then log_prob."""
    p = Normal(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
    x, log_prob = p.rsample_and_log_prob(3, rng=0)
    np.testing.assert_array_equal(x, p.rsample(3, rng=0))
    np.testing.assert_array_equal(log_prob, p.log_prob(x))


def test_what_the_encoder_gives_is_mean_and_log_variance() -> None:
    """(1): with a flow that does nothing but reverse, z is N(m, e^v) in the other order."""

    class Given(Module):
        def forward(self, x: Any) -> Any:
            return x

    m, v = np.array([[1.0, -2.0]]), np.array([[0.5, -1.0]])
    q = FlowPosterior(Given(), Reverse(), latent=2)(np.concatenate([m, v], axis=1))
    z = np.array([[0.3, 0.7]])
    exact = Independent(Normal(m[:, ::-1], v[:, ::-1]), 1).log_prob(z)
    np.testing.assert_allclose(q.log_prob(z), exact, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FlowPosterior(Numbers(), Inverse, latent=1), TypeError, "is no Transform"),  # type: ignore[arg-type]
        (lambda: FlowPosterior(None, ByMatrix(A), latent=1), TypeError, "encoder is a NoneType"),  # type: ignore[arg-type]
        (lambda: FlowPosterior(Numbers(), ByMatrix(A), latent=0), ValueError, "latent is 0; it must be at least 1"),
        (
            lambda: FlowPosterior(Numbers(), ByMatrix(A), 1, context=-1),
            ValueError,
            "context is -1; it must be at least 0",
        ),
        (lambda: FlowPosterior(Numbers(), ByMatrix(A), 2)(X), ValueError, r"shape \(4, 2\); with latent=2 .* \(B, 4\)"),
        (lambda: FlowPosterior(Numbers(), ByMatrix(A), 1, 3)(X), ValueError, r"context=3 it must be \(B, 5\)"),
        (lambda: kl_divergence(affine_vae().encode(X), standard()), NotImplementedError, "no closed form"),
        (lambda: affine_vae().reconstruct(X), NotImplementedError, "average samples"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
