"""The likelihood by the probability flow against exact densities, and its estimate by probes against its exact form."""

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtr

from scratchgen.autodiff import Tensor
from scratchgen.data.quadrature import gauss_legendre
from scratchgen.diffusion import VE, VP, GaussianMixtureData, ProbabilityFlow, SubVP
from scratchgen.flows import Dequantised, Flow, random_signs
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
    found = ProbabilityFlow(sde, p.score, tolerance=1e-8).likelihood(x, p.at(1.0))
    np.testing.assert_allclose(found.log_prob, data.log_prob(x), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.error, 0)


def test_from_a_later_start_it_is_the_density_of_that_time():
    p = DATA.diffused(VP(0.1, 8.0))
    x = DATA.sample(4, 1)
    found = ProbabilityFlow(p.sde, p.score, start=0.2, tolerance=1e-8).likelihood(x, p.at(1.0))
    np.testing.assert_allclose(found.log_prob, p.log_prob(x, 0.2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("beta_max", [8.0, 30.0])
def test_the_prior_of_vp_is_off_by_what_is_left_of_the_data(beta_max):
    """Of log p only log p_1 is approximate: it differs from log prior at the same x₁, by less the longer the way."""
    p = NORMAL.diffused(VP(0.1, beta_max))
    x = NORMAL.sample(6, 0)
    flow = ProbabilityFlow(p.sde, p.score, tolerance=1e-8)
    z, _ = flow(x)
    off = p.sde.prior(2).log_prob(z) - p.at(1.0).log_prob(z)
    np.testing.assert_allclose(flow.likelihood(x).log_prob - NORMAL.log_prob(x), off, rtol=0, atol=1e-6)
    assert 0 < np.abs(off).max() < (0.3 if beta_max == 8 else 0.005)


def test_it_is_a_flow_like_any_other():
    p = DATA.diffused(VP(0.1, 8.0))
    model = Flow(ProbabilityFlow(p.sde, p.score, tolerance=1e-8), p.at(1.0))
    x, log_prob = model.sample_and_log_prob(5, rng=0)
    np.testing.assert_allclose(log_prob, DATA.log_prob(x), rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=0, atol=1e-6)
    z, forward = model.transform(x)
    back, inverse = model.transform.inverse(z)
    np.testing.assert_allclose(back, x, atol=1e-6)
    np.testing.assert_allclose(forward, -inverse, atol=1e-6)
    by_tensor, _ = model.transform(Tensor(x))
    np.testing.assert_array_equal(by_tensor, z)


@each_sde
def test_all_signs_give_the_exact_divergence(sde):
    """Hutchinson's estimate is linear in εεᵀ along a path: over all 2^D signs it has no error, though each has one."""
    p = THREE.diffused(sde)
    x = THREE.sample(3, 2)
    signs = np.array(list(product([-1.0, 1.0], repeat=3)))
    found = ProbabilityFlow(sde, p.score, tolerance=1e-8, probes=signs).likelihood(x, p.at(1.0))
    np.testing.assert_allclose(found.log_prob, THREE.log_prob(x), rtol=0, atol=1e-6)
    assert np.all(found.error > 0.01)


def test_the_standard_error_is_that_of_the_mean():
    """K probes against each alone (3); and their mean is as far from the truth as it says."""
    p, x = THREE.diffused(VP(0.1, 8.0)), THREE.sample(40, 3)
    probes = random_signs((6, 40, 3), rng=4)
    flow = ProbabilityFlow(p.sde, p.score, tolerance=1e-7, probes=probes)
    found = flow.likelihood(x, p.at(1.0))
    each = []
    for e in probes:
        flow.probes = e[None]
        alone = flow.likelihood(x, p.at(1.0))
        assert np.isnan(alone.error).all()
        each.append(alone.log_prob)
    np.testing.assert_allclose(found.log_prob, np.mean(each, axis=0), atol=1e-4)
    np.testing.assert_allclose(found.error, np.std(each, axis=0, ddof=1) / np.sqrt(6), atol=1e-4)
    off = np.mean(found.log_prob - THREE.log_prob(x))
    error = np.sqrt(np.sum(found.error**2)) / 40
    assert abs(off) < 5 * error and error < 0.05


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_probabilities_of_integers(levels):
    """Dequantised: ∫ p((x + u) / L) L⁻¹ du over a bin, by nodes for u, is what the normal distribution has there."""
    std, mean = 0.07, 0.45
    data = GaussianMixtureData([1.0], [[mean]], std**2).diffused(VP(0.1, 8.0))
    flow = Flow(ProbabilityFlow(data.sde, data.score, tolerance=1e-8), data.at(1.0))
    model = Dequantised(flow, levels)
    nodes, weights = gauss_legendre(0, 1, panels=4)
    x = np.array([int(levels * mean), max(0, int(levels * (mean - 0.1)))])
    u = np.broadcast_to(nodes, (2, len(nodes)))
    bound = model.bound(np.repeat(x, len(nodes))[:, None], noise=u.reshape(-1, 1))
    found = np.exp(bound.reshape(u.shape)) @ weights
    exact = ndtr(((x + 1) / levels - mean) / std) - ndtr((x / levels - mean) / std)
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_float32_stays():
    p = NORMAL.diffused(VP(0.1, 8.0))
    x = NORMAL.sample(4, 0).astype(np.float32)
    flow = ProbabilityFlow(p.sde, p.score, tolerance=1e-4)
    found = flow.likelihood(x)
    assert found.log_prob.dtype == found.error.dtype == flow(x)[0].dtype == flow(x)[1].dtype == np.float32
    np.testing.assert_allclose(found.log_prob, NORMAL.log_prob(x.astype(float)), atol=0.1)


P = NORMAL.diffused(VP(0.1, 8.0))
FLOW = ProbabilityFlow(P.sde, P.score)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ProbabilityFlow(P.sde, P.score, start=1.0), ValueError, "start is 1.0; it must be above"),
        (lambda: ProbabilityFlow(P.sde, P.score, tolerance=0), ValueError, "tolerance is 0; it must be above 0"),
        (lambda: FLOW.likelihood(np.zeros((2, 3))), ValueError, r"x has shape \(2, 3\); it must be \(B, 2\)"),
        (lambda: FLOW.likelihood(np.array([[np.inf, 0.0]])), ValueError, r"x has inf at \(0, 0\)"),
        (lambda: FLOW.likelihood(np.zeros((2, 2), np.uint8)), TypeError, "x is uint8; it must be float32 or float64"),
        (
            lambda: ProbabilityFlow(P.sde, P.score, probes=np.ones((2, 3))).likelihood(np.zeros((4, 2))),
            ValueError,
            r"probes have shape \(2, 3\); they must be \(K, 2\) or \(K, 4, …\)",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
