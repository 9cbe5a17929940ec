"""Page 3: the truths of its demos, and that the figures they print agree with them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from demos import page03_mixture as mixture
from demos import page03_plane as plane
from scratchgen.latent import GaussianMixture, LinearGaussian
from tests.demos.recorder import Recorder

# -- the mixture -----------------------------------------------------------------------------------------------------


def test_the_entropy_of_one_normal_distribution_is_the_closed_form():
    C = np.array([[1.0, 0.3], [0.3, 0.5]])
    model = GaussianMixture.of([1.0], [[0.5, -1.0]], [C])
    assert mixture.entropy(model) == pytest.approx(multivariate_normal([0, 0], C).entropy(), abs=1e-10)


def test_the_entropy_of_the_truth_has_converged():
    true = mixture.truth()
    assert mixture.entropy(true) == pytest.approx(mixture.entropy(true, cells=563), abs=1e-9)
    log_p = mixture.log_prob(true, true.sample(100_000, rng=0))
    assert abs(log_p.mean() + mixture.entropy(true)) < 5.96 * log_p.std() / np.sqrt(100_000) < 0.03


def test_gradient_ascent_and_em_end_on_the_same_top():
    """From a start close to the truth, on 300 rows."""
    x = mixture.truth().sample(300, rng=0)
    step = mixture.em_step(mixture.truth(), x)
    em = mixture.climb(mixture.em_step, step, x, steps=1000).log_likelihoods
    gradient = mixture.ascend(step, x, steps=300)
    assert gradient[0] == pytest.approx(em[0], rel=1e-12)
    assert gradient[-1] == pytest.approx(em[-1], abs=1e-6)
    assert em[-1] > em[0] + 1e-4


def test_components_are_matched_by_their_means():
    true = mixture.truth()
    order = [3, 0, 4, 1, 2]
    shuffled = GaussianMixture.of(true.weights.data[order], true.means.data[order], true.covariances().data[order])
    np.testing.assert_array_equal(shuffled.means.data[mixture.matched(shuffled, true)], true.means.data)


@pytest.fixture
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.close()


def test_the_truth_lacks_nothing_and_is_drawn(recorder):
    """With the truth in place of the model, the score is −entropy and the KL is 0."""
    x, fresh = mixture.truth().sample(50, rng=0), mixture.truth().sample(2000, rng=1)
    one = GaussianMixture.of([1.0], [fresh.mean(axis=0)], [np.cov(fresh, rowvar=False)])
    best = -mixture.entropy(mixture.truth())
    mixture.show_models(recorder, {1: one, 5: mixture.truth()}, x, fresh, best)
    ((score, error, limit),) = recorder.numbers(r"a mixture of 5: (\S+) ± (\S+) nats .* −entropy, is (\S+)")
    assert (score, error) == (limit, 0) and limit == round(best, 4)
    ((score, error),) = recorder.numbers(r"one normal: (\S+) ± (\S+) nats")
    exact = -0.5 * (2 * np.log(2 * np.pi) + np.linalg.slogdet(one.covariances().data[0])[1] + 2)
    assert score == pytest.approx(exact, abs=5.96 * error + 0.01)
    (dashed,) = (line for line in recorder.figures["page03_components"].axes[0].lines if line.get_linestyle() == "--")
    assert dashed.get_ydata()[0] == best


def test_the_share_of_right_guesses_is_as_expected(recorder):
    mixture.show_ancestry(recorder, mixture.truth(), mixture.truth(), np.random.default_rng(0))
    ((right, expected),) = recorder.numbers(r"right for (\S+) of the draws, expected (\S+)")
    assert abs(right - expected) < 5.96 * np.sqrt(expected * (1 - expected) / mixture.ROWS)
    bars = recorder.figures["page03_ancestry"].axes[0].patches
    assert sum(bar.get_height() for bar in bars) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_demo(recorder, seed):
    mixture.run(recorder, seed)
    ((one, _, limit),) = recorder.numbers(r"one normal: (\S+) ± (\S+) nats .* −entropy, is (\S+)")
    ((five, error, _),) = recorder.numbers(r"a mixture of 5: (\S+) ± (\S+) nats .* −entropy, is (\S+)")
    assert one < limit - 0.5 and limit - 0.04 < five < limit + 5.96 * error
    (em, _), (gradient, _) = recorder.numbers(r"highest log-likelihood (\S+) nats, reached from (\d) of 4")
    assert gradient == pytest.approx(em, abs=1e-6)
    ((fall,),) = recorder.numbers(r"largest fall in any step was (\S+) nats")
    assert fall < 1e-13
    assert set(recorder.figures) == {f"page03_{name}" for name in ("densities", "components", "climb", "ancestry")}


# -- the plane -------------------------------------------------------------------------------------------------------


def test_the_entropy_and_the_divergence_of_normal_distributions():
    """−E_p[log q] = H(p) + KL(p ‖ q), and by hand ½ (D log 2π + log det C_q + tr C_q⁻¹ C_p + dᵀ C_q⁻¹ d)."""
    p = LinearGaussian(plane.W, np.zeros(6), np.log(np.arange(1.0, 7.0)))
    q = LinearGaussian(plane.W[::-1].copy(), np.ones(6), np.array(0.3))
    C_p, C_q = p.covariance().data, q.covariance().data
    assert plane.entropy(p) == pytest.approx(multivariate_normal(np.zeros(6), C_p).entropy(), rel=1e-12)
    inverse = np.linalg.inv(C_q)
    cross = 0.5 * (6 * np.log(2 * np.pi) + np.linalg.slogdet(C_q)[1] + np.trace(inverse @ C_p) + inverse.sum())
    assert plane.entropy(p) + plane.divergence(p, q) == pytest.approx(cross, rel=1e-12)
    assert plane.divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_the_whole_demo_of_the_plane(recorder):
    plane.run(recorder, seed=0)
    printed = recorder.numbers(r"(\S+)° from the true direction, exactly 0; (\S+) nats for .* −entropy = (\S+)")
    angles, scores, limits = np.array(printed).T
    assert max(angles[0], angles[1], angles[3]) < 5 and angles[2] > 80  # only probabilistic PCA, with a noisy column
    assert np.all(scores <= limits) and np.all((limits - scores)[[0, 1, 3]] < 0.02) and limits[2] - scores[2] > 1
    ((lowest, exact),) = recorder.numbers(r"at least (\S+) nats from 4 starts, closed form (\S+)")
    assert lowest == pytest.approx(exact, abs=2e-8)
    assert plt.fignum_exists(recorder.figures["page03_directions"].number)
