"""Page 4: estimates of log p(x) of a linear-Gaussian model, and the exact variance of their weights."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page04_marginal as page04
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import LinearGaussian, log_weights, quadrature
from tests.demos.test_page06 import Recorder

POSTERIOR = [[3.0, 1.0], [1.0, 2.0]]  # a precision P
MEANS = np.array([[0.3, -0.2], [0.0, 0.0], [1.0, 0.5]])


def moment_by_nodes(model, x, q):
    """log E_q[w²] − 2 log p(x), by Gauss–Hermite nodes."""
    points = quadrature(q, order=100)
    return np.log(points.mean(np.exp(2 * log_weights(model, x, q, points.z))).data) - 2 * model.log_prob(x).data


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_the_second_moment_of_the_weights(dim, shift):
    """log_second_moment against quadrature, for the prior and for a q that is neither prior nor posterior."""
    model = LinearGaussian(page04.model_of(dim).W.data[:3], np.zeros(3), 0.5)
    x = model.sample(4, rng=0)
    P, m = model.precision().data, model.posterior_mean(x).data
    for mean, precision in ((0 * m + shift, np.full(dim, 1.0)), (m + shift, np.diag(P) * np.linspace(0.8, 1.1, dim))):
        q = Independent(Normal(mean, -np.log(precision)), 1)
        got = page04.log_second_moment(P, m, np.diag(precision), mean)
        np.testing.assert_allclose(got, moment_by_nodes(model, x, q), rtol=0, atol=1e-9)


def test_the_second_moment_at_the_posterior_is_1_and_of_too_narrow_a_q_infinite():
    P = np.array(POSTERIOR)
    np.testing.assert_allclose(page04.log_second_moment(P, MEANS, P, MEANS), 0, atol=1e-14)
    assert np.all(np.isfinite(page04.log_second_moment(P, MEANS, 1.99 * P, MEANS)))
    assert np.all(page04.log_second_moment(P, MEANS, 2 * P, MEANS) == np.inf)


def test_mean_field_is_the_best_of_factorised_q():
    """KL(q ‖ posterior) has its least value at variances 1/P_jj: every other is worse."""
    model = page04.model_of(6)
    x = model.sample(2, rng=0)
    q, P = page04.proposals(model)["mean field"](x), model.precision().data
    np.testing.assert_allclose(q.mean, model.posterior_mean(x).data, atol=1e-12)

    def kl(logvar):  # but for what does not depend on it
        return 0.5 * (np.diag(P) @ np.exp(logvar) - logvar.sum())

    best = q.base.logvar[0]
    assert all(kl(best) < kl(best + step) for step in 0.1 * np.concatenate([np.eye(6), -np.eye(6)]))


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page04, "SAMPLES", 200)
        patch.setattr(page04, "ROWS", 40)
        page04.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_the_estimates_fall_short_as_z_grows_but_those_from_the_posterior(stage):
    short = []
    for line in stage.results[:4]:
        exact, prior, mean_field, posterior = (float(number) for number in re.findall(r"-\d+\.\d+", line))
        assert posterior == exact
        assert abs(exact - mean_field) < 1
        short.append(exact - prior)
    assert abs(short[0]) < 0.05 and abs(short[1]) < 1 < short[2] < 3 < short[3]


def test_the_stated_error_of_the_naive_estimate_is_far_below_the_true_one(stage):
    error, stated = (float(n) for n in re.search(r"error (\S+) nats, stated error (\S+)", stage.results[4]).groups())
    assert stated <= 1 < 4 < error


def test_the_posterior_needs_one_sample_and_the_prior_exponentially_many(stage):
    assert float(re.search(r"error (\S+) nats at most", stage.results[5]).group(1)) < 1e-12
    needed = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) in", stage.results[6])]
    assert needed[0] < 1e3 < 1e4 * needed[0] < 1e4 * needed[1] / 10 and needed[2] > 100 * needed[1]
    assert "up to dim z = 5, and none beyond" in stage.results[7]


def test_the_weights_of_mean_field_are_finite_in_few_dimensions_and_infinite_in_all_others():
    """2 P − diag(P) is positive definite for the first five only."""
    for dim in page04.DIMS:
        P = page04.model_of(dim).precision().data
        assert (np.linalg.eigvalsh(2 * P - np.diag(np.diag(P)))[0] > 0) == (dim <= 5)


def test_the_exact_values_are_drawn_dashed(stage):
    axes = stage.figures["page04_marginal"].axes
    (exact,) = (line for line in axes[0].lines if line.get_label() == "exact")
    assert exact.get_linestyle() == "--"
    (posterior,) = (line for line in axes[0].lines if line.get_label() == "from the posterior")
    np.testing.assert_allclose(posterior.get_ydata(), exact.get_ydata(), rtol=0, atol=1e-10)
