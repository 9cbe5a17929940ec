"""From data to noise, and the way back of one x_0: against single steps, and against Bayes' rule."""

import numpy as np
import pytest

from scratchgen.diffusion import Schedule, q_posterior, q_sample
from scratchgen.diffusion.targets import TARGETS
from scratchgen.diffusion.variances import log_beta, log_beta_tilde, log_optimal
from scratchgen.diffusion.weightings import bound_weights, target_weights

BETAS = np.array([0.05, 0.3, 0.2, 0.6])
SCHEDULE = Schedule(BETAS)


def test_steps_one_after_the_other_are_one_step():
    """The composed kernels q(x_t | x_{t−1}) have the mean and variance of (1)."""
    mean, variance = 1.0, 0.0
    for t, beta in enumerate(BETAS, 1):
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        at_zero = q_sample(SCHEDULE, np.ones((1, 1)), t, noise=np.zeros((1, 1)))
        at_one = q_sample(SCHEDULE, np.ones((1, 1)), t, noise=np.ones((1, 1)))
        assert at_zero[0, 0] == pytest.approx(mean, rel=1e-14)
        assert (at_one - at_zero)[0, 0] ** 2 == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize("t", [1, 2, 3, 4])
def test_the_posterior_is_that_of_gaussian_conditioning(t):
    """(2) to (4) against the joint covariance of (x_{t−1}, x_t) given x_0."""
    rng = np.random.default_rng(t)
    x0, x_t = rng.normal(size=(2, 3, 2))
    signal, beta = SCHEDULE.alphas_cumprod, BETAS[t - 1]
    before, now = 1 - signal[t - 1], 1 - signal[t]
    covariance = np.sqrt(1 - beta) * before
    mean_before, mean_now = np.sqrt(signal[t - 1]) * x0, np.sqrt(signal[t]) * x0
    mean, variance = q_posterior(SCHEDULE, x0, x_t, t)
    np.testing.assert_allclose(mean, mean_before + covariance / now * (x_t - mean_now), rtol=1e-12)
    np.testing.assert_allclose(variance, np.full((3, 1), before - covariance**2 / now), rtol=1e-12, atol=1e-16)


def test_at_the_first_step_the_posterior_is_x_0():
    x0, x_1 = np.array([[2.0, -3.0]]), np.array([[7.0, 7.0]])
    mean, variance = q_posterior(SCHEDULE, x0, x_1, 1)
    np.testing.assert_allclose(mean, x0, rtol=1e-15)
    np.testing.assert_array_equal(variance, [[0.0]])


def test_each_row_has_its_own_step():
    rng = np.random.default_rng(0)
    x0, noise = rng.normal(size=(2, 4, 3))
    t = np.array([4, 1, 3, 1])
    together = q_sample(SCHEDULE, x0, t, noise=noise)
    for i in range(4):
        one = slice(i, i + 1)
        np.testing.assert_array_equal(together[one], q_sample(SCHEDULE, x0[one], int(t[i]), noise=noise[one]))
        mean, variance = q_posterior(SCHEDULE, x0, noise, t)
        alone, alone_variance = q_posterior(SCHEDULE, x0[one], noise[one], int(t[i]))
        np.testing.assert_array_equal(mean[one], alone)
        np.testing.assert_array_equal(variance[one], alone_variance)


def test_images_and_float32():
    x0 = np.ones((2, 4, 4, 1), np.float32)
    x_t = q_sample(SCHEDULE, x0, np.array([1, 4]), rng=0)
    mean, variance = q_posterior(SCHEDULE, x0, x_t, 2)
    assert x_t.shape == mean.shape == x0.shape and variance.shape == (2, 1, 1, 1)
    assert x_t.dtype == mean.dtype == variance.dtype == np.float32


def test_drawn_noise_is_that_of_the_generator():
    x0 = np.zeros((2, 3))
    drawn = q_sample(SCHEDULE, x0, 3, rng=7)
    np.testing.assert_array_equal(drawn, q_sample(SCHEDULE, x0, 3, noise=np.random.default_rng(7).normal(size=(2, 3))))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_says_x_0_and_the_noise(name):
    """(1) to (3) are inverses of ``of``; and (4): the squared error of the target for one of x_0."""
    rng = np.random.default_rng(0)
    x0, eps, wrong = rng.normal(size=(3, 5, 2))
    target = TARGETS[name]
    for a2 in (0.999, 0.5, 1e-3):
        a, b = np.sqrt(a2), np.sqrt(1 - a2)
        x_t = a * x0 + b * eps
        output = target.of(x0, eps, a, b)
        np.testing.assert_allclose(target.to_x0(output, x_t, a, b), x0, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(target.to_eps(output, x_t, a, b), eps, rtol=1e-9, atol=1e-12)
        guess = target.to_x0(output + wrong, x_t, a, b)
        np.testing.assert_allclose(a * guess + b * target.to_eps(output + wrong, x_t, a, b), x_t, rtol=1e-9)
        weight = target.weight(np.array(a2 / (1 - a2)))
        np.testing.assert_allclose(np.sum(wrong**2), weight * np.sum((guess - x0) ** 2), rtol=1e-9)


def test_v_needs_no_division_where_nothing_is_left_of_the_data():
    v = TARGETS["v"].of(np.array([2.0]), np.array([0.5]), 0.0, 1.0)
    assert TARGETS["v"].to_x0(v, np.array([0.5]), 0.0, 1.0) == 2.0


def test_the_two_variances_are_right_for_two_kinds_of_data():
    """β_t for N(0, 1), whose Var[x_0 | x_t] is 1 − ᾱ_t; β̃_t for a point, whose is 0."""
    of_normal = log_optimal(SCHEDULE, SCHEDULE.noise_variance)
    np.testing.assert_allclose(of_normal[1:], np.log(BETAS), rtol=1e-12)
    np.testing.assert_allclose(log_beta(SCHEDULE)[1:], np.log(BETAS))
    of_point = log_optimal(SCHEDULE, np.array([0.0, 1e-300, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(log_beta_tilde(SCHEDULE)[2:], of_point[2:], rtol=1e-12)
    assert log_beta_tilde(SCHEDULE)[1] == log_beta_tilde(SCHEDULE)[2]
    one = Schedule([0.3])
    assert log_beta_tilde(one)[1] == log_beta(one)[1] == pytest.approx(np.log(0.3))


def test_the_optimal_variance_of_each_component():
    x0_variance = np.abs(np.random.default_rng(0).normal(size=(5, 3)))
    together = log_optimal(SCHEDULE, x0_variance)
    for d in range(3):
        np.testing.assert_array_equal(together[:, d], log_optimal(SCHEDULE, x0_variance[:, d]))


def test_weights_by_hand():
    """SNR of β = 0.05 is 19; of ᾱ_2 = 0.665, 0.665/0.335."""
    snr = np.array([19, 0.665 / 0.335, 0.532 / 0.468, 0.2128 / 0.7872])
    for name, own in {"eps": snr, "x0": np.ones(4), "v": snr + 1}.items():
        weights = {w: target_weights(SCHEDULE, TARGETS[name], w)[1:] for w in ("simple", "snr", "min_snr")}
        np.testing.assert_allclose(weights["simple"], 1, rtol=1e-12)
        np.testing.assert_allclose(weights["snr"] * own, snr, rtol=1e-12)
        np.testing.assert_allclose(weights["min_snr"] * own, np.minimum(snr, 5), rtol=1e-12)


def test_the_weights_of_the_bound_are_differences_of_snr():
    """(5) with β̃_t: ½ T (SNR_{t−1} − SNR_t)."""
    snr = np.exp(SCHEDULE.log_snr)
    weights = bound_weights(SCHEDULE, log_beta_tilde(SCHEDULE))
    np.testing.assert_allclose(weights[2:], 0.5 * 4 * (snr[1:-1] - snr[2:]), rtol=1e-12)


BAD = [
    ({"t": 0}, ValueError, r"t has 0 at \(\); 1 of 1 values: steps are 1 to 4"),
    ({"t": 5}, ValueError, "steps are 1 to 4"),
    ({"t": np.array([1, 9])}, ValueError, r"t has 9 at \(1,\)"),
    ({"t": 1.0}, TypeError, "t is float64; steps are integers"),
    ({"t": np.array([1, 2, 3])}, ValueError, r"t has shape \(3,\); it must be one step, or \(2,\)"),
    ({"noise": np.zeros((2, 2))}, ValueError, r"noise has shape \(2, 2\)"),
    ({"noise": np.zeros((2, 3), np.float32)}, TypeError, "noise is float32"),
    ({"noise": None}, TypeError, "give rng, or the noise itself"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_bad_inputs(options, error, message):
    with pytest.raises(error, match=message):
        q_sample(SCHEDULE, np.zeros((2, 3)), **{"t": 1, "noise": np.zeros((2, 3)), **options})


def test_bad_posteriors_and_variances():
    with pytest.raises(ValueError, match=r"x0 has shape \(2, 3\) and x_t \(2, 1\)"):
        q_posterior(SCHEDULE, np.zeros((2, 3)), np.zeros((2, 1)), 1)
    with pytest.raises(ValueError, match=r"x0_variance has 4 rows; it must have T \+ 1 = 5"):
        log_optimal(SCHEDULE, np.ones(4))
    with pytest.raises(ValueError, match=r"x0_variance has -1.0 at \(2,\)"):
        log_optimal(SCHEDULE, np.array([0, 1, -1.0, 1, 1]))
    with pytest.raises(ValueError, match="more than 0, or the density is infinite"):
        log_optimal(SCHEDULE, np.zeros(5))
