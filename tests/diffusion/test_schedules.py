"""Schedules: β, ᾱ and SNR, to the last digits; what is refused; and how far x_T is from the prior."""

import math
from fractions import Fraction

import numpy as np
import pytest

from scratchgen.diffusion import PriorGap, Schedule, cosine, even_log_snr, linear, sigmoid
from scratchgen.distributions import Normal, kl_divergence

NAMED = {"linear": linear, "cosine": cosine, "sigmoid": sigmoid}


def test_alphas_cumprod_is_the_product_of_one_minus_beta():
    """Equation (2), in rational numbers."""
    betas = [0.1, 0.25, 0.9]
    product, expected = Fraction(1), [1.0]
    for beta in betas:
        product *= 1 - Fraction(beta)
        expected.append(float(product))
    schedule = Schedule(betas)
    np.testing.assert_allclose(schedule.alphas_cumprod, expected, rtol=1e-15)
    np.testing.assert_array_equal(schedule.betas, [0.0, *betas])


@pytest.mark.parametrize("beta", [1e-8, 1e-14])
def test_the_noise_variance_keeps_its_digits(beta):
    """1 − ᾱ_t, against rational numbers: as a difference it has lost half of them, or more."""
    schedule, product, naive = Schedule(np.full(50, beta)), Fraction(1), np.cumprod(np.full(50, 1 - beta))
    for t in range(1, 51):
        product *= 1 - Fraction(beta)
        assert schedule.noise_variance[t] == pytest.approx(float(1 - product), rel=1e-14, abs=0)
    assert abs((1 - naive[0]) / beta - 1) > 1e-10


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("T", [50, 1000])
def test_named_schedules_go_from_data_to_noise(name, T):
    schedule = NAMED[name](T)
    assert schedule.T == T and len(schedule.betas) == T + 1
    assert np.all((schedule.betas[1:] > 0) & (schedule.betas[1:] < 1))
    assert np.all(np.diff(schedule.log_snr[1:]) < 0) and schedule.log_snr[0] == np.inf
    assert schedule.alphas_cumprod[0] == 1 and schedule.noise_variance[0] == 0
    np.testing.assert_allclose(schedule.alphas_cumprod + schedule.noise_variance, 1, rtol=1e-15)
    snr = schedule.alphas_cumprod[1:] / schedule.noise_variance[1:]
    np.testing.assert_allclose(np.exp(schedule.log_snr[1:]), snr, rtol=1e-13)


def test_linear_is_the_published_one():
    schedule = linear(1000)
    assert (schedule.betas[1], schedule.betas[1000]) == (1e-4, 0.02)
    assert schedule.betas[500] == pytest.approx(1e-4 + 499 / 999 * 0.0199)


def test_linear_keeps_the_last_snr_when_it_is_rescaled():
    """(5): the sum of β, and so −log ᾱ_T but for β², is the same for every T."""
    assert [linear(T).betas.sum() for T in (30, 100, 4000)] == pytest.approx([10.05] * 3)


def test_cosine_and_sigmoid_by_hand():
    """Equations (6) and (7) at t = 3 of 10, before any β is cut off."""

    def f(t):
        return math.cos(0.5 * math.pi * (t / 10 + 0.008) / 1.008) ** 2

    def g(t):
        return 1 / (1 + math.exp(-3 + 6 * t / 10))

    assert cosine(10).alphas_cumprod[3] == pytest.approx(f(3) / f(0), rel=1e-13)
    assert sigmoid(10).alphas_cumprod[3] == pytest.approx((g(3) - g(10)) / (g(0) - g(10)), rel=1e-13)
    assert cosine(10).betas[10] == sigmoid(10).betas[10] == 0.999
    assert cosine(10, most=0.9).betas[10] == 0.9


def test_even_log_snr_falls_in_equal_steps():
    """(8), and by hand ᾱ_1 = 1/(1 + e^−3)."""
    schedule = even_log_snr(100, 3.0)
    np.testing.assert_allclose(schedule.log_snr[1:], np.linspace(3, -7, 100), rtol=1e-9, atol=1e-9)
    assert schedule.alphas_cumprod[1] == pytest.approx(1 / (1 + math.exp(-3)), rel=1e-13)
    with pytest.warns(PriorGap):
        even_log_snr(100, 3.0, low=-2.0)


@pytest.mark.parametrize("make", [cosine, sigmoid, lambda T: Schedule([0.5])])
def test_one_step_will_do(make):
    assert make(1).betas.shape == (2,)


def test_the_distance_from_the_prior_is_the_kl_of_normals():
    """Equation (4) against the divergence of ``distributions``, and at x_0² = 1 what repr says."""
    schedule, x0 = Schedule([0.2, 0.4]), np.array([[0.5, -2.0], [3.0, 0.0]])
    q = Normal(np.sqrt(0.48) * x0, np.full((2, 2), np.log(0.52)))
    expected = np.sum(kl_divergence(q, Normal(np.zeros((2, 2)), np.zeros((2, 2)))), axis=1)
    np.testing.assert_allclose(schedule.prior_kl(x0), expected, rtol=1e-13)
    assert f"{-0.5 * math.log(0.52):.2g} nats" in repr(schedule)


def test_fewer_steps_have_the_signal_of_the_same_times():
    """``part``: ᾱ at the chosen times, and βs of the longer jumps."""
    schedule, times = linear(1000), np.array([7, 300, 301, 1000])
    part = schedule.part(times)
    np.testing.assert_allclose(part.alphas_cumprod[1:], schedule.alphas_cumprod[times], rtol=1e-12)
    np.testing.assert_allclose(part.noise_variance[1:], schedule.noise_variance[times], rtol=1e-12)
    jump = 1 - np.prod(1 - schedule.betas[8:301])
    assert part.betas[2] == pytest.approx(jump, rel=1e-12) and part.betas[3] == pytest.approx(schedule.betas[301])


@pytest.mark.parametrize("T", [1, 10, 19, 20])
def test_rescaling_to_few_steps_is_refused(T):
    """tiny-diffusion#4: β would be above 1."""
    with pytest.raises(ValueError, match=rf"T is {T}: the last beta, .* would be {20 / T:.3g}; take T > 20"):
        linear(T)
    assert linear(21).betas[-1] < 1


def test_too_few_steps_are_warned_of():
    """tiny-diffusion#4: the published βs in 100 steps leave a third of the signal."""
    with pytest.warns(PriorGap, match=r"x_T is 0.226 nats a dimension from N\(0, I\)"):
        schedule = linear(100, 1e-4, 0.02)
    assert schedule.alphas_cumprod[-1] == pytest.approx(0.3636, abs=1e-4)


@pytest.mark.parametrize(
    ("betas", "error", "message"),
    [
        ([0.1, 0.0], ValueError, r"betas has 0.0 at \(1,\); 1 of 2 values: 0 < beta < 1, where index i is step t = i"),
        ([1.0], ValueError, r"betas has 1.0 at \(0,\)"),
        ([0.1, 0.2, -1e-9], ValueError, r"betas has -1e-09 at \(2,\)"),
        ([0.1, np.nan], ValueError, r"betas has nan at \(1,\)"),
        ([], ValueError, r"betas has shape \(0,\); it must be \(T,\), with at least one step"),
        ([[0.1]], ValueError, r"betas has shape \(1, 1\)"),
        (["a"], TypeError, "betas is <U1"),
        (np.ma.masked_array([0.1]), TypeError, "masked"),
    ],
)
def test_bad_betas(betas, error, message):
    with pytest.raises(error, match=message):
        Schedule(betas)


@pytest.mark.parametrize("make", [*NAMED.values(), lambda T: even_log_snr(T, 3.0)])
def test_bad_numbers_of_steps(make):
    with pytest.raises(ValueError, match="T is 0; it must be at least 1"):
        make(0)
    with pytest.raises(TypeError, match=r"T is 10\.0; it must be an int"):
        make(10.0)


def test_bad_settings():
    with pytest.raises(ValueError, match=r"most is 1\.0; it must be above 0 and below 1"):
        cosine(10, most=1.0)
    with pytest.raises(ValueError, match="offset is -1"):
        cosine(10, offset=-1)
    with pytest.raises(ValueError, match=r"start is 3\.0 and end 3\.0"):
        sigmoid(10, start=3.0)
    with pytest.raises(ValueError, match=r"high is -7\.0 and low -7\.0"):
        even_log_snr(10, -7.0)
    with pytest.raises(ValueError, match=r"betas has 1.1555555555555557 at \(5,\)"):
        linear(10, 0.1, 2.0)


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ([0, 1], ValueError, r"times has 0 at \(0,\); 1 of 2 values: steps are 1 to 4"),
        ([1, 2, 3, 4, 5], ValueError, "at most T=4"),
        ([2, 5], ValueError, r"times has 5 at \(1,\)"),
        ([], TypeError, "times is float64"),
        (np.zeros(0, int), ValueError, "at least 1"),
        ([1.0], TypeError, "times is float64; steps are integers from 1 to 4"),
        ([3, 3], ValueError, "times has 3 at 0 and 3 after it; they must increase"),
        ([1, 4, 2], ValueError, "times has 4 at 1 and 2 after it"),
    ],
)
def test_bad_times(times, error, message):
    with pytest.raises(error, match=message):
        Schedule([0.1, 0.2, 0.3, 0.4]).part(times)
