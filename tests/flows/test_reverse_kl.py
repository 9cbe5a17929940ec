"""Reverse KL, on Gaussians: divergences, evidences and effective sample sizes in closed form."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from scratchgen.distributions import Independent, MultivariateNormal, Normal, kl_divergence
from scratchgen.flows import Affine, Flow, ReverseKL
from scratchgen.optim import Adam
from scratchgen.optim.schedules import cosine
from scratchgen.training import fit
from tests.latent.linear_gaussian import gauss_hermite_nodes

MEAN, COVARIANCE, LOG_Z = np.array([0.7, -0.4]), np.array([[1.5, 0.6], [0.6, 0.8]]), 3.0
PRECISION = np.linalg.inv(COVARIANCE)
NORMALISER = multivariate_normal(MEAN, COVARIANCE).logpdf(MEAN)


def log_density(x: Any) -> Any:
    """log p̃ of N(MEAN, COVARIANCE), times e^LOG_Z."""
    d = x - MEAN
    return LOG_Z + NORMALISER - 0.5 * np.sum((d @ PRECISION) * d, axis=1)


def model(loc: Any = (0.0, 0.0), log_scale: Any = (0.0, 0.0), target: Callable[[Any], Any] = log_density) -> ReverseKL:
    affine = Affine(2, dtype=np.float64)
    affine.loc, affine.log_scale = np.array(loc), np.array(log_scale)
    return ReverseKL(Flow(affine, Independent(Normal(np.zeros(2), np.zeros(2)), 1)), target)


def test_the_loss_is_the_divergence_less_log_z() -> None:
    """(1) and (2), with the expectation by nodes; and their gradients, which Z does not change."""
    q = model(loc=[0.3, 0.2], log_scale=[-0.5, 0.4])
    nodes, weights = gauss_hermite_nodes()
    loss = -np.sum(weights * q.log_weights(len(nodes), noise=nodes))
    affine = q.q.transform
    exact = kl_divergence(
        MultivariateNormal(affine.loc, np.exp(affine.log_scale) * np.eye(2)),
        MultivariateNormal(MEAN, np.linalg.cholesky(COVARIANCE)),
    )
    assert loss.item() == pytest.approx(exact.item() - LOG_Z, abs=1e-12)
    gradients = []
    for value in (loss, exact):
        q.zero_grad()
        value.backward()
        gradients.append(np.concatenate([affine.loc.grad, affine.log_scale.grad]))
    np.testing.assert_allclose(*gradients, rtol=0, atol=1e-12)
    assert np.abs(gradients[0]).min() > 0.1


def own(x: Any) -> Any:
    """log p̃ of N((1, −2), diag(4, ¼)), times e^LOG_Z: what an affine flow can be."""
    return (
        LOG_Z - np.log(2 * np.pi) - 0.5 * np.sum(np.square((x - np.array([1.0, -2.0])) / np.array([2.0, 0.5])), axis=1)
    )


def test_where_q_is_p_all_weights_are_z() -> None:
    """(3–5): the loss is −log Z for any draws, and the effective sample size is n."""
    q = model([1.0, -2.0], np.log([2.0, 0.5]), own)
    np.testing.assert_allclose(q.log_weights(20, rng=0).data, LOG_Z, rtol=0, atol=1e-12)
    assert q.loss(np.zeros((7, 1)), rng=1).item() == pytest.approx(-LOG_Z, abs=1e-12)
    found = q.evidence(20, rng=0)
    assert found == pytest.approx((LOG_Z, 0.0, 20.0, LOG_Z), abs=1e-6)


def test_evidence_by_hand() -> None:
    """(3–5), of weights 1, 2 and 6, times e^−1000: their mean 3, 9²/41, and the root of (123/81 − 1)/2."""
    q = model()
    given = np.log([1.0, 2.0, 6.0]) - 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(q, "log_weights", lambda n, rng: given)
        found = q.evidence(3, rng=0)
    expected = (np.log(3.0) - 1000, np.sqrt((123 / 81 - 1) / 2), 81 / 41, given.mean())
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_effective_sample_size_of_a_wider_q() -> None:
    """E_q[w²] = (s²/√(2s² − 1))² for q = N(0, s² I) and p = N(0, I): n/ESS tends to that; log Ẑ has its error."""
    s, n = 1.5, 50_000
    q = model(log_scale=np.log([s, s]), target=lambda x: -0.5 * np.sum(x * x, axis=1))
    found = q.evidence(n, rng=0)
    squared = (s * s / np.sqrt(2 * s * s - 1)) ** 2
    assert n / found.effective == pytest.approx(squared, rel=0.02)
    assert found.error == pytest.approx(np.sqrt((squared - 1) / n), rel=0.05)
    assert abs(found.log_z - np.log(2 * np.pi)) < 5.96 * found.error
    assert found.bound == pytest.approx(np.log(2 * np.pi) - 2 * (0.5 * (s * s - 1) - np.log(s)), abs=0.05)


def test_training_finds_the_target() -> None:
    """``fit`` with a batch that stands for a number of draws: q becomes p, and the loss −log Z."""
    q = model(target=own)
    optimizer, x = Adam(q.parameters(), lr=0.1), np.zeros((64, 1))
    fit(q, x, optimizer=optimizer, batch_size=64, steps=400, schedule=cosine(0.1, 400), rng=0, progress=False)
    np.testing.assert_allclose(q.q.transform.loc.data, [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(q.q.transform.log_scale.data, np.log([2.0, 0.5]), atol=0.05)
    assert q.evidence(1000, rng=0).log_z == pytest.approx(LOG_Z, abs=0.01)


def test_no_draw_where_p_is() -> None:
    """All weights are 0: nothing is known of Z, and nothing is NaN."""
    found = model(target=lambda x: 0 * x[:, 0] - np.inf).evidence(3, rng=0)
    assert found == (-np.inf, np.inf, 0.0, -np.inf)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: model().loss(np.zeros((0, 1)), rng=0), ValueError, "batch has 0 rows"),
        (lambda: ReverseKL(None, np.mean), TypeError, "q is a NoneType; it must be a Module"),  # type: ignore[arg-type]
        (lambda: model().log_weights(0, rng=0), ValueError, "n is 0; it must be at least 1"),
        (lambda: model().log_weights(2.0, rng=0), TypeError, "n is 2.0; it must be an int"),  # type: ignore[arg-type]
        (lambda: model().evidence(1, rng=0), ValueError, "n is 1; it must be at least 2"),
        (lambda: model(target=np.mean).log_weights(3, rng=0), ValueError, r"gives shape \(\) for 3 draws"),
        (lambda: model(target=lambda x: x).log_weights(3, rng=0), ValueError, r"gives shape \(3, 2\)"),
        (lambda: model(target=lambda x: x[:, 0] * np.nan).evidence(3, rng=0), ValueError, "log w has nan at"),
        (lambda: model(target=lambda x: 0 * x[:, 0] + np.inf).evidence(3, rng=0), ValueError, "log w has inf at"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
