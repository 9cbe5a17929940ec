"""Samplers: where they land, the order of their errors on Gaussian data, and what they pass on the way."""

import numpy as np
import pytest

from scratchgen.diffusion import (
    DDPM,
    BestNetwork,
    Guided,
    ResidualNet,
    Schedule,
    Trajectory,
    ancestral,
    cosine,
    ddim,
    ddim_heun,
    guided,
    q_sample,
    spaced,
)
from tests.diffusion.gaussian import VARIANCE, data, exact_model, predicting, schedule_of

X = np.random.default_rng(0).normal(size=(5, 2))
SIGNAL = np.cos(np.linspace(0, 1.5, 4097)) ** 2
FINE = Schedule(1 - SIGNAL[1:] / SIGNAL[:-1])  # equal angles


def flow(x, schedule, mean=1.5, variance=VARIANCE):
    """Where the probability flow ends that starts at x at t = T: a Gaussian is moved and scaled to another."""
    signal, noise = schedule.alphas_cumprod[-1], schedule.noise_variance[-1]
    return mean + np.sqrt(variance / (signal * variance + noise)) * (x - np.sqrt(signal) * mean)


def errors(sampler, counts):
    network = BestNetwork(data(np.full(2, 1.5)), FINE)
    model = DDPM(predicting("eps", network), FINE, (2,))
    ends = [sampler(model.part(spaced(4096, count)), X) for count in counts]
    return [np.abs(end - flow(X, FINE)).max() for end in ends]


def test_ddim_is_of_first_order():
    """Twice the steps, half the error."""
    coarse, middle, fine = errors(ddim, [64, 128, 256])
    assert fine < 0.02
    assert coarse / middle == pytest.approx(2, abs=0.15) and middle / fine == pytest.approx(2, abs=0.08)


def test_heun_is_of_second_order():
    """Twice the steps, a quarter of the error; and far below that of DDIM."""
    coarse, middle, fine = errors(ddim_heun, [32, 64, 128])
    assert fine < 2e-3
    assert coarse / middle == pytest.approx(4, abs=0.6) and middle / fine == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("labelled", [False, True])
def test_heun_by_hand(labelled):
    """(4) and (5) as they are written, for a network of v that looks at x, time and label; the last step is (4)."""
    schedule, labels = schedule_of(3), np.arange(5) if labelled else None
    phi = np.arccos(np.sqrt(schedule.alphas_cumprod))

    def v_of(x, time, labels=None):
        return np.tanh(x) * time[:, None] + (0.0 if labels is None else 0.1 * labels[:, None])

    x = X
    for t in (3, 2, 1):
        now = v_of(x, np.full(5, t / 3), labels)
        turn = phi[t] - phi[t - 1]
        there = np.cos(turn) * x - np.sin(turn) * now
        if t > 1:
            again = v_of(there, np.full(5, (t - 1) / 3), labels)
            a, b = np.cos(phi[t - 1]), np.sin(phi[t - 1])
            x0, eps = a * there - b * again, b * there + a * again
            then = np.cos(phi[t]) * eps - np.sin(phi[t]) * x0
            there = np.cos(turn) * x - np.sin(turn) * 0.5 * (now + then)
        x = there
    np.testing.assert_allclose(ddim_heun(DDPM(v_of, schedule, (2,), "v"), X, labels), x, rtol=1e-12)


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
@pytest.mark.parametrize("times", [[10], [4, 10], list(range(1, 11))])
def test_with_the_true_noise_ddim_is_on_q_sample_all_the_way(target, times):
    """denoising-diffusion-pytorch#81: a wrong ᾱ; for any steps, x_s = √ᾱ_s x_0 + √(1 − ᾱ_s) ε, and x_0 at last."""
    schedule = schedule_of(10)
    x0, eps = np.random.default_rng(1).normal(size=(2, 5, 2))
    asked = []

    def knowing(x, time):
        asked.append(round(float(time[0]) * 10))
        a2, b2 = schedule.alphas_cumprod[asked[-1]], schedule.noise_variance[asked[-1]]
        return {"eps": eps, "x0": x0, "v": np.sqrt(a2) * eps - np.sqrt(b2) * x0}[target]

    for sampler in (ddim, ddim_heun):
        path = Trajectory()
        model = DDPM(knowing, schedule, (2,), target).part(times)
        end = sampler(model, q_sample(schedule, x0, 10, noise=eps), watch=path)
        np.testing.assert_allclose(end, x0, rtol=1e-9, atol=1e-12)
        for t, x in zip(reversed(times), path.x):
            np.testing.assert_allclose(x, q_sample(schedule, x0, t, noise=eps), rtol=1e-10, atol=1e-12)
        for guess in path.x0:
            np.testing.assert_allclose(guess, x0, rtol=1e-9, atol=1e-12)
    assert set(asked) == set(times)


def test_eta_1_is_ancestral_sampling_with_beta_tilde():
    """(2) with η = 1 for the same noise, from t = 3 on; and at t = 2, where DDIM has β̃_2 as well."""
    model = exact_model(6, "eps", variance="beta_tilde")
    noise = np.random.default_rng(2).normal(size=(6, 5, 2))
    np.testing.assert_allclose(ddim(model, X, 1.0, noise=noise), ancestral(model, X, noise=noise), rtol=1e-12)
    np.testing.assert_array_equal(ddim(model, X, 1.0, rng=3), ddim(model, X, 1.0, rng=3))


def test_the_model_itself_samples_by_ancestral_steps():
    model = exact_model(6)
    rng = np.random.default_rng(4)
    start = model.start(3, rng)
    np.testing.assert_array_equal(model.sample(3, np.random.default_rng(4)), ancestral(model, start, rng))


def test_ddim_without_noise_needs_none_and_forgets_nothing():
    """latent-diffusion#136: η is 0 by default; and the map from x_T to x_0 is one to one."""
    model = exact_model(10, "eps")
    once, again = ddim(model, X, rng=6), ddim(model, X, rng=5)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once, ddim(model, X))
    slope = (ddim(model, X + 1e-6) - once) / 1e-6
    assert np.all(slope > 0.1)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_the_noise_of_a_step_and_none_in_the_last(eta):
    """σ² of (2) by the difference that the noise makes, at the first step down; and none at t = 1."""
    model = exact_model(4, "eps")
    schedule, zero = model.schedule, np.zeros((4, 5, 2))
    for t in (2, 3, 4):
        paths = []
        for size in (0.0, 1.0):
            noise = zero.copy()
            noise[t - 1] = size
            paths.append(Trajectory())
            ddim(model, X, eta, noise=noise, watch=paths[-1])
        before, now = schedule.noise_variance[t - 1], schedule.noise_variance[t]
        std = eta * np.sqrt(before / now * (1 - schedule.alphas_cumprod[t] / schedule.alphas_cumprod[t - 1]))
        np.testing.assert_allclose(paths[1].x[5 - t] - paths[0].x[5 - t], std, rtol=1e-9)
    last = zero.copy()
    last[0] = 100.0
    np.testing.assert_array_equal(ddim(model, X, eta, noise=zero), ddim(model, X, eta, noise=last))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_moments_of_many_ddim_steps(eta):
    """For each η the distributions at all t are those of q, in the limit of many steps: by the affine maps."""
    schedule = cosine(512)
    model = DDPM(predicting("eps", BestNetwork(data(np.full(2, 1.5)), schedule)), schedule, (2,))
    ones, noise = np.ones((1, 2)), np.zeros((512, 1, 2))
    end = ddim(model, 0 * ones, eta, noise=noise)
    slope = (ddim(model, ones, eta, noise=noise) - end)[0, 0]
    # All noises at once would not tell their variances; so a draw of many, with the same start.
    x = ddim(model, np.zeros((2000, 2)), eta, rng=0) if eta else end
    variance = slope**2 + (x.var() if eta else 0.0)
    assert end[0, 0] == pytest.approx(1.5, abs=0.02)
    assert variance == pytest.approx(VARIANCE, rel=0.02 + (5.96 * np.sqrt(2 / 4000) if eta else 0))


def test_a_trajectory_is_what_was_passed():
    path, model = Trajectory(), exact_model(4, "eps")
    end = ancestral(model, X, rng=0, watch=path)
    assert path.times == [4, 3, 2, 1, 0]
    np.testing.assert_array_equal(path.x[0], X)
    np.testing.assert_array_equal(path.x[-1], end)
    np.testing.assert_array_equal(path.x0[-1], end)
    np.testing.assert_allclose(path.x0[-2], end, rtol=1e-12)  # the last step is x̂_0
    np.testing.assert_allclose(path.x0[1], model.predict(path.x[1], 3).x0, rtol=1e-12)


@pytest.mark.parametrize(("T", "steps"), [(1, 1), (10, 10), (10, 9), (100, 30), (1000, 7)])
@pytest.mark.parametrize("spacing", ["uniform", "quadratic"])
def test_spaced_steps_increase_and_end_at_T(T, steps, spacing):
    times = spaced(T, steps, spacing)
    assert len(times) == steps and times[0] >= 1 and times[-1] == T and np.all(np.diff(times) > 0)


# -- guidance ------------------------------------------------------------------------------------------------------


def two_classes(scale):
    """Classes N(−1, ·) and N(1, ·), and both: the best ε̂ of each, whose differences are those of the scores."""
    schedule = schedule_of(5)
    means = {0: -1.0, 1: 1.0, -1: 0.0}
    nets = {label: predicting("eps", BestNetwork(data(np.full(2, mean)), schedule)) for label, mean in means.items()}

    def network(x, time, labels):
        outputs = {label: net(x, time) for label, net in nets.items()}
        return np.stack([outputs[int(label)][i] for i, label in enumerate(labels)])

    return guided(DDPM(network, schedule, (2,)), scale), nets


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_guidance_goes_on_in_the_direction_of_the_label(scale):
    """Equation (1); 0 is the model without labels, 1 that of the class."""
    model, nets = two_classes(scale)
    labels, time = np.array([0, 1, 1, 0, 1]), np.full(5, 0.6)
    got = model.predict(X, 3, labels).eps
    of_class = np.stack([nets[int(label)](X, time)[i] for i, label in enumerate(labels)])
    without = nets[-1](X, time)
    np.testing.assert_allclose(got, without + scale * (of_class - without), rtol=1e-10, atol=1e-13)


def test_guidance_of_one_target_is_that_of_the_others():
    """The targets are affine in each other at a given x_t, so that x̂_0 is guided as ε̂ is."""
    model, _ = two_classes(3.0)
    plain, none = (two_classes(scale)[0].predict(X, 3, np.zeros(5, int)) for scale in (1.0, 0.0))
    got = model.predict(X, 3, np.zeros(5, int)).x0
    np.testing.assert_allclose(got, none.x0 + 3.0 * (plain.x0 - none.x0), rtol=1e-10, atol=1e-12)


def test_guided_networks_share_their_weights():
    model = DDPM(ResidualNet(2, 0, width=8, classes=3), cosine(5), (2,))
    other = guided(model, 2.0)
    assert other.network.network is model.network and not isinstance(model.network, Guided)
    assert set(map(id, other.parameters().values())) == set(map(id, model.parameters().values()))


# -- what they refuse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: ddim(m, X, eta=1.5, rng=0), ValueError, r"eta is 1\.5; it must be from 0, no noise, to 1"),
        (lambda m: ddim(m, X, eta=-0.1), ValueError, "eta is -0.1"),
        (lambda m: ddim(m, X, eta=np.nan), ValueError, "eta is nan"),
        (lambda m: ddim(m, X, eta=0.5), TypeError, "give rng, or the noise itself"),
        (lambda m: ancestral(m, X), TypeError, "give rng, or the noise itself"),
        (lambda m: ancestral(m, X, noise=np.zeros((4, 2, 2))), ValueError, r"noise has shape \(2, 2\)"),
        (lambda m: spaced(10, 11), ValueError, "steps is 11; the model has T=10, and no sampler can take more"),
        (lambda m: spaced(10, 0), ValueError, "steps is 0"),
        (lambda m: spaced(10, 2.0), TypeError, r"steps is 2\.0"),
        (lambda m: spaced(10, 2, "log"), ValueError, "spacing is 'log'"),
        (lambda m: guided(m, -1.0), ValueError, r"scale is -1\.0"),
        (lambda m: guided(m, np.nan), ValueError, "scale is nan"),
        (lambda m: guided(m, 2.0).predict(X, 1), ValueError, "guidance needs labels"),
    ],
)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call(exact_model(4))
