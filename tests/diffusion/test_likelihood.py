"""The likelihood by the probability flow against exact densities, and its estimate by probes against its exact form."""

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtr

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.data.quadrature import gauss_legendre
from scratchgen.diffusion import VE, VP, GaussianMixtureData, ProbabilityVelocity, SubVP, log_likelihood
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import ContinuousFlow, Dequantised, Flow, random_signs
from tests.diffusion.test_sde import DATA

SDES = {"VP": VP(0.1, 8.0), "sub-VP": SubVP(0.1, 8.0), "VE": VE(0.1, 4.0)}
each_sde = pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
NORMAL = GaussianMixtureData([1.0], [[0.7, -1.2]], [[[0.8, -0.3], [-0.3, 0.4]]])
THREE = GaussianMixtureData([0.6, 0.4], [[0.5, -1.0, 0.2], [-1.0, 0.3, 0.8]], 0.5)


@each_sde
@pytest.mark.parametrize("data", [NORMAL, DATA, THREE], ids=["normal", "mixture", "in three dimensions"])
def test_the_likelihood_is_the_density(sde, data):
    """(2) with the exact score and p_1, within 1e-6 nats, near the modes and 4 standard deviations away."""
    p = data.diffused(sde)
    x = np.concatenate([data.sample(5, 0), data.means + 4 * np.sqrt(data.covariances[:, 0, :1])])
    found = log_likelihood(sde, p.score, x, p.at(1.0), tolerance=1e-8)
    np.testing.assert_allclose(found.log_prob, data.log_prob(x), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.error, 0)


def test_from_a_later_start_it_is_the_density_of_that_time():
    p = DATA.diffused(VP(0.1, 8.0))
    x = DATA.sample(4, 1)
    found = log_likelihood(p.sde, p.score, x, p.at(1.0), start=0.2, tolerance=1e-8)
    np.testing.assert_allclose(found.log_prob, p.log_prob(x, 0.2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("beta_max", [8.0, 30.0])
def test_the_prior_of_vp_is_off_by_what_is_left_of_the_data(beta_max):
    """Of log p only log p_1 is approximate: it differs from log prior at the same x₁, by less the longer the way."""
    p = NORMAL.diffused(VP(0.1, beta_max))
    x = NORMAL.sample(6, 0)
    found = log_likelihood(p.sde, p.score, x, tolerance=1e-8)
    off = p.sde.prior(2).log_prob(found.noise) - p.at(1.0).log_prob(found.noise)
    np.testing.assert_allclose(found.log_prob - NORMAL.log_prob(x), off, rtol=0, atol=1e-6)
    assert 0 < np.abs(off).max() < (0.3 if beta_max == 8 else 0.005)


@pytest.mark.parametrize("start", [0.0, 0.3])
def test_it_is_a_flow_like_any_other(start):
    """As the velocity of a continuous flow: the density of its draws, and both directions."""
    p = DATA.diffused(VP(0.1, 3.0))
    model = Flow(ContinuousFlow(ProbabilityVelocity(p.sde, p.score, start), steps=28), p.at(1.0))
    x, log_prob = model.sample_and_log_prob(5, rng=0)
    np.testing.assert_allclose(log_prob, p.log_prob(x, start), rtol=0, atol=1e-6)
    with no_grad():
        z, _ = model.transform(x)
        np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=0, atol=1e-6)
    by_rk45 = log_likelihood(p.sde, p.score, x, start=start, tolerance=1e-8).noise
    np.testing.assert_allclose(by_rk45, z, rtol=0, atol=1e-6)


def test_of_images_and_through_tensors():
    """The event may have any shape: numbers that are independent, each of its own variance."""
    variances = np.array([[0.5, 1.0, 2.0], [0.2, 0.9, 1.5]])
    sde = VE(0.1, 4.0)

    def score(x, t):
        return -x / (variances + float(sde.marginal(t)[1]) ** 2)

    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    prior = Independent(Normal(np.zeros((2, 3)), np.log(variances + float(sde.marginal(1.0)[1]) ** 2)), 2)
    truth = Independent(Normal(np.zeros((2, 3)), np.log(variances)), 2).log_prob(x)
    for probes in (None, random_signs((1, 2, 3), 0)):  # a diagonal Jacobian: signs are exact
        found = log_likelihood(sde, score, Tensor(x), prior, tolerance=1e-8, probes=probes)
        np.testing.assert_allclose(found.log_prob, truth, rtol=0, atol=1e-6)


@each_sde
def test_all_signs_give_the_exact_divergence(sde):
    """Hutchinson's estimate is linear in εεᵀ along a path: over all 2^D signs it has no error, though each has one."""
    p = THREE.diffused(sde)
    x = THREE.sample(3, 2)
    signs = np.array(list(product([-1.0, 1.0], repeat=3)))
    found = log_likelihood(sde, p.score, x, p.at(1.0), tolerance=1e-8, probes=signs)
    np.testing.assert_allclose(found.log_prob, THREE.log_prob(x), rtol=0, atol=1e-6)
    assert np.all(found.error > 0.01)


def test_the_standard_error_is_that_of_the_mean():
    """K probes against each alone (3); and their mean is as far from the truth as it says."""
    p, x = THREE.diffused(VP(0.1, 3.0)), THREE.sample(40, 3)
    probes = random_signs((4, 40, 3), rng=4)
    found = log_likelihood(p.sde, p.score, x, p.at(1.0), tolerance=1e-5, probes=probes)
    alone = [log_likelihood(p.sde, p.score, x, p.at(1.0), tolerance=1e-5, probes=e[None]) for e in probes]
    assert all(np.isnan(one.error).all() for one in alone)
    each = [one.log_prob for one in alone]
    np.testing.assert_allclose(found.log_prob, np.mean(each, axis=0), atol=3e-4)
    np.testing.assert_allclose(found.error, np.std(each, axis=0, ddof=1) / np.sqrt(4), atol=3e-4)
    off = np.mean(found.log_prob - THREE.log_prob(x))
    error = np.sqrt(np.sum(found.error**2)) / 40
    assert abs(off) < 5 * error and error < 0.05


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_probabilities_of_integers(levels):
    """Dequantised: ∫ p((x + u) / L) L⁻¹ du over a bin, by nodes for u, is what the normal distribution has there."""
    std, mean = 0.07, 0.45
    data = GaussianMixtureData([1.0], [[mean]], std**2).diffused(VP(0.1, 2.0))
    flow = Flow(ContinuousFlow(ProbabilityVelocity(data.sde, data.score), steps=80), data.at(1.0))
    model = Dequantised(flow, levels)
    nodes, weights = gauss_legendre(0, 1, panels=3 if levels == 2 else 1)
    x = np.array([int(levels * mean), max(0, int(levels * (mean - 0.1)))])
    u = np.broadcast_to(nodes, (2, len(nodes)))
    with no_grad():
        bound = model.bound(np.repeat(x, len(nodes))[:, None], noise=u.reshape(-1, 1))
    found = np.exp(bound.reshape(u.shape)) @ weights
    exact = ndtr(((x + 1) / levels - mean) / std) - ndtr((x / levels - mean) / std)
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_float32_stays():
    p = NORMAL.diffused(VP(0.1, 8.0))
    x = NORMAL.sample(4, 0).astype(np.float32)
    for probes in (None, np.ones((2, 2))):
        found = log_likelihood(p.sde, p.score, x, tolerance=1e-4, probes=probes)
        assert {each.dtype for each in found} == {np.dtype(np.float32)} and np.isfinite(found.error).all()
    velocity = ProbabilityVelocity(p.sde, p.score)
    assert velocity(x, 0.5).dtype == np.float32
    np.testing.assert_allclose(velocity(x, 0.5), velocity(x.astype(float), 0.5), rtol=1e-4, atol=1e-5)


P = NORMAL.diffused(VP(0.1, 8.0))
X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: log_likelihood(P.sde, P.score, X, start=1.0),
            ValueError,
            "start is 1.0; it must be at least 0 and below 1",
        ),
        (lambda: log_likelihood(P.sde, P.score, X, tolerance=0), ValueError, "tolerance is 0; it must be above 0"),
        (
            lambda: log_likelihood(P.sde, P.score, np.zeros((2, 3))),
            ValueError,
            r"x has shape \(2, 3\); it must be \(B, 2\)",
        ),
        (lambda: log_likelihood(P.sde, P.score, np.array([[np.inf, 0.0]])), ValueError, r"x has inf at \(0, 0\)"),
        (
            lambda: log_likelihood(P.sde, P.score, np.zeros((2, 2), np.uint8)),
            TypeError,
            "x is uint8; it must be float32 or float64",
        ),
        (
            lambda: ProbabilityVelocity(P.sde, P.score, -0.5),
            ValueError,
            "start is -0.5; it must be at least 0 and below 1",
        ),
        (
            lambda: log_likelihood(P.sde, P.score, X, probes=np.ones((2, 3))),
            ValueError,
            r"probes have shape \(2, 3\); they must be \(K, 2\) or \(K, 4, …\)",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
