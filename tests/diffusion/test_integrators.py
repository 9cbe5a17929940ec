"""Samplers on normal data: each is affine in its start and its noise, so its mean and variance are exact numbers.

A batch of unit vectors reads the coefficients off the sampler itself: x = c₀ + M x_1 + Σ_i c_i ε_i.
"""

from collections.abc import Callable

import numpy as np
import pytest

from scratchgen.diffusion import (
    SDE,
    VE,
    VP,
    GaussianMixtureData,
    SubVP,
    euler_maruyama,
    heun,
    langevin,
    predictor_corrector,
    rk45,
)

SDES = {"VP": VP(0.2, 6.0), "sub-VP": SubVP(0.2, 6.0), "VE": VE(0.3, 3.0)}
each_sde = pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
MEAN, VARIANCE = 1.5, 0.3
END = 0.0


def normal(sde: SDE):
    return GaussianMixtureData([1.0], [[MEAN]], VARIANCE).diffused(sde)


def moments(sample: Callable, noises: int, mean: float, variance: float) -> np.ndarray:
    """Of the end, for a start of this mean and variance. ``sample`` takes x (B, 1) and noise (noises, B)."""
    B = noises + 2
    x, noise = np.zeros((B, 1)), np.zeros((noises, B))
    x[1] = 1.0
    noise[np.arange(noises), np.arange(noises) + 2] = 1.0
    end = sample(x, noise)[:, 0]
    M, c = end[1] - end[0], end[2:] - end[0]
    return np.array([end[0] + M * mean, M**2 * variance + np.sum(c**2)])


def at(sde: SDE, t: float) -> tuple[float, float]:
    a, s = sde.marginal(t)
    return a * MEAN, a**2 * VARIANCE + s**2


def by_euler_maruyama(sde: SDE, steps: int) -> np.ndarray:
    reverse, times = sde.reverse(normal(sde).score), np.linspace(1, END, steps + 1)
    return moments(lambda x, e: euler_maruyama(reverse, x, times, noise=e[..., None]), steps, *at(sde, 1.0))


def by_predictor_corrector(sde: SDE, steps: int, corrections: int = 2, snr: float = 0.01) -> np.ndarray:
    p, times = normal(sde), np.linspace(1, END, steps + 1)

    def sample(x: np.ndarray, e: np.ndarray) -> np.ndarray:
        noise = e.reshape(steps, 1 + corrections, -1, 1)
        return predictor_corrector(sde, p.score, x, times, corrections, snr, noise=noise)

    return moments(sample, steps * (1 + corrections), *at(sde, 1.0))


def by_ode(sde: SDE, steps: int, method: Callable) -> np.ndarray:
    flow, times = sde.reverse(normal(sde).score, probability_flow=True), np.linspace(1, END, steps + 1)
    return moments(lambda x, e: method(flow, x, times), 0, *at(sde, 1.0))


SAMPLERS = {
    "Euler–Maruyama": (by_euler_maruyama, 1),
    "predictor–corrector": (by_predictor_corrector, 1),
    "Euler": (lambda sde, steps: by_ode(sde, steps, euler_maruyama), 1),
    "Heun": (lambda sde, steps: by_ode(sde, steps, heun), 2),
}


@each_sde
@pytest.mark.parametrize(("sampler", "order"), SAMPLERS.values(), ids=SAMPLERS)
def test_the_order_of_a_sampler(sde: SDE, sampler: Callable, order: int):
    """Twice the steps, and a half or a quarter of the error in mean and variance, which goes to 0."""
    truth = np.array([MEAN, VARIANCE])
    errors = np.array([sampler(sde, steps) - truth for steps in (128, 256)])
    total = np.abs(errors).sum(axis=1)
    assert 0 < total[1] < 0.05 / 10 ** (order - 1)
    assert np.log2(total[0] / total[1]) == pytest.approx(order, abs=0.12)


@each_sde
def test_rk45_keeps_its_tolerance(sde: SDE):
    p = normal(sde)
    flow = sde.reverse(p.score, probability_flow=True)
    (m, v), x = at(sde, 1.0), np.array([[-1.0], [0.2], [3.0]])
    exact = MEAN + (x - m) * np.sqrt(VARIANCE / v)  # a probability flow keeps quantiles in one dimension
    for tolerance in (1e-5, 1e-7, 1e-9):
        error = np.abs(rk45(flow, x, [1.0, 0.0], tolerance) - exact).max()
        assert error < 30 * tolerance
    path = rk45(flow, x, [1.0, 0.5, 0.0], 1e-9, path=True)
    m, v = at(sde, 0.5)
    np.testing.assert_allclose(path[1], m + (path[0] - at(sde, 1.0)[0]) * np.sqrt(v / at(sde, 1.0)[1]), rtol=1e-7)
    np.testing.assert_allclose(rk45(flow, path[-1], [0.0, 1.0], 1e-9), x, rtol=1e-7)  # and back


def test_one_step_of_each_by_hand():
    """dx = −2t x dt + (1 + t) dw, from t = 1 to 0.5 and from 0.5 to 1."""
    x, e = np.array([[2.0, -1.0]]), np.array([[[0.3, 0.4]]])

    def sde(x, t):
        return -2 * t * x, 1 + t

    def ode(x, t):
        return -2 * t * x, 0.0

    np.testing.assert_allclose(euler_maruyama(sde, x, [1.0, 0.5], noise=e), x + x + 2 * np.sqrt(0.5) * e[0])
    np.testing.assert_allclose(euler_maruyama(sde, x, [0.5, 1.0], noise=e), x - 0.5 * x + 1.5 * np.sqrt(0.5) * e[0])
    np.testing.assert_allclose(heun(ode, x, [1.0, 0.5]), x - 0.25 * (-2 * x + -1 * (2 * x)))
    np.testing.assert_allclose(langevin(lambda x: -x, x, 0.02, 1, noise=e), x - 0.02 * x + 0.2 * e[0])


def test_a_path_begins_at_the_start_and_ends_at_the_end():
    sde, x, times = VP(), np.random.default_rng(0).standard_normal((3, 2)), np.linspace(1, 0, 5)
    p = GaussianMixtureData([1.0], [[0.0, 0.0]], 2.0).diffused(sde)
    flow = sde.reverse(p.score, True)
    for path, end in (
        (euler_maruyama(sde, x, times[::-1], rng=1, path=True), euler_maruyama(sde, x, times[::-1], rng=1)),
        (heun(flow, x, times, path=True), heun(flow, x, times)),
        (rk45(flow, x, times, path=True), rk45(flow, x, times)),
        (langevin(lambda x: -x, x, 0.1, 4, rng=1, path=True), langevin(lambda x: -x, x, 0.1, 4, rng=1)),
        (
            predictor_corrector(sde, p.score, x, times, rng=1, path=True),
            predictor_corrector(sde, p.score, x, times, rng=1),
        ),
    ):
        assert path.shape == (5, 3, 2)
        np.testing.assert_array_equal(path[0], x)
        np.testing.assert_array_equal(path[-1], end)


@pytest.mark.parametrize("step", [0.01, 0.2])
def test_langevin_ends_too_wide_by_the_known_factor(step):
    """(2), from a start that is far too narrow, and the mean from far away."""
    v, steps = 0.4, 1500
    end = moments(lambda x, e: langevin(lambda x: (1.0 - x) / v, x, step, steps, noise=e[..., None]), steps, -5.0, 0.0)
    np.testing.assert_allclose(end, [1.0, v / (1 - step / (2 * v))], rtol=1e-10)


def test_corrections_mend_what_few_steps_got_wrong():
    errors = [abs(by_predictor_corrector(SDES["VP"], 12, n, 0.16)[1] - VARIANCE) for n in (0, 2, 8)]
    assert errors[2] < errors[1] < errors[0] and errors[2] < 0.7 * errors[0]
    np.testing.assert_allclose(by_predictor_corrector(SDES["VP"], 12, 0), by_euler_maruyama(SDES["VP"], 12), rtol=1e-12)


def test_corrections_do_not_spoil_the_limit():
    """Each is too wide by (2), but near t = 0 it shrinks to nothing."""
    errors = [np.abs(by_predictor_corrector(SDES["VP"], steps, 1, 0.3) - [MEAN, VARIANCE]).sum() for steps in (50, 400)]
    assert errors[1] < 0.3 * errors[0] and errors[1] < 0.004


def test_the_corrector_uses_the_score_of_its_own_time():
    seen = []
    sde = VP()
    predictor_corrector(sde, lambda x, t: (seen.append(t), -x)[1], np.zeros((1, 1)), [0.9, 0.5, 0.2], 2, rng=0)
    assert seen == [0.9, 0.5, 0.5, 0.5, 0.2, 0.2]


@each_sde
def test_the_predictor_and_its_corrections_by_hand(sde):
    """At each time (1) of the reverse SDE, then Langevin's steps δ = 2 (r s)², with s of the time arrived at."""
    times, r, noise = [0.9, 0.5, 0.2], 0.16, np.random.default_rng(0).normal(size=(2, 3, 4, 1))

    def score(x, t):
        return np.sin(x) - t

    x = start = np.linspace(-2, 2, 4)[:, None]
    for t, after, (first, *others) in zip(times, times[1:], noise):
        f, g = -0.5 * sde.rate(t) * x, sde.diffusion(t)
        x = x + (f - g**2 * score(x, t)) * (after - t) + g * np.sqrt(t - after) * first
        step = 2 * (r * sde.marginal(after)[1]) ** 2
        for each in others:
            x = x + step * score(x, after) + np.sqrt(2 * step) * each
    found = predictor_corrector(sde, score, start, times, corrections=2, snr=r, noise=noise)
    np.testing.assert_allclose(found, x, rtol=1e-12)


def test_float32_stays():
    sde, x, times = VP(), np.ones((3, 2), np.float32), np.linspace(1, 0, 5)
    flow, score = sde.reverse(lambda x, t: -x, True), lambda x, t: -x
    ends = [
        euler_maruyama(sde, x, times[::-1], rng=0),
        heun(flow, x, times),
        rk45(flow, x, times, 1e-3),
        langevin(lambda x: -x, x, 0.1, 3, rng=0),
        predictor_corrector(sde, score, x, times, rng=0),
    ]
    assert {end.dtype for end in ends} == {np.dtype(np.float32)}


X = np.zeros((2, 1))
NOISY, STILL = VP(), VP().reverse(lambda x, t: -x, True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: euler_maruyama(NOISY, X, [0, 1]), TypeError, "there is noise in this equation: give rng"),
        (lambda: euler_maruyama(NOISY, X, [0, 1], noise=X), ValueError, r"noise has shape \(2, 1\); with n=\(\) it"),
        (lambda: euler_maruyama(NOISY, X, [0.0], rng=0), ValueError, r"times has shape \(1,\); it must be \(N \+ 1,\)"),
        (lambda: euler_maruyama(NOISY, X, 100, rng=0), ValueError, r"times has shape \(\)"),
        (lambda: heun(STILL, X, [1, 0.5, 0.6]), ValueError, r"times\[2\] is 0.6 after 0.5; they must fall"),
        (lambda: heun(STILL, X, [1, np.nan, 0]), ValueError, r"times\[1\] is nan after 1"),
        (lambda: heun(NOISY, X, [0, 1]), ValueError, "g is 0.3162 at t = 0; an ODE has no noise"),
        (lambda: heun(STILL, X + np.nan, [1, 0]), ValueError, r"x has nan at \(0, 0\); 2 of 2 values"),
        (lambda: heun(STILL, np.zeros((2, 1), int), [1, 0]), TypeError, "x is int64; it must be float32 or float64"),
        (lambda: heun(STILL, 1.0, [1, 0]), ValueError, r"x has shape \(\); it must be a batch"),
        (lambda: rk45(STILL, X, [1, 0], 0.0), ValueError, "tolerance is 0.0; it must be above 0 and below 1"),
        (lambda: rk45(STILL, X, [1, 0], 1.0), ValueError, "tolerance is 1.0; it must be above 0 and below 1"),
        (lambda: rk45(lambda x, t: (1 / t**2 + x, 0.0), X, [1, 0]), RuntimeError, "RK45 stopped at t = "),
        (lambda: langevin(lambda x: -x, X, 0.1, 3), TypeError, "Langevin steps are noisy: give rng"),
        (lambda: langevin(lambda x: -x, X, 0.0, 3, rng=0), ValueError, "step is 0.0; it must be above 0"),
        (lambda: langevin(lambda x: -x, X, 0.1, 0, rng=0), ValueError, "steps is 0; it must be at least 1"),
        (
            lambda: predictor_corrector(NOISY, lambda x, t: -x, X, [0.0, 1.0], rng=0),
            ValueError,
            "times rise from 0 to 1; draws come down",
        ),
        (
            lambda: predictor_corrector(NOISY, lambda x, t: -x, X, [1.0, 0.0], snr=2.0, rng=0),
            ValueError,
            "snr is 2.0; it must be above 0 and below 1",
        ),
        (
            lambda: predictor_corrector(NOISY, lambda x, t: -x, X, [1.0, 0.0], corrections=-1, rng=0),
            ValueError,
            "corrections is -1; it must be at least 0",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message), np.errstate(all="ignore"):
        make()
