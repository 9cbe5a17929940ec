"""The model: one step backwards, the loss and its weights, samples, and what it refuses."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.diffusion import (
    DDPM,
    LevelDecoder,
    ResidualNet,
    Schedule,
    along_a_path,
    cosine,
    q_posterior,
    q_sample,
    terms,
)
from scratchgen.diffusion.bound import prior_term
from scratchgen.diffusion.ddpm import HYBRID
from scratchgen.diffusion.drawn_steps import drawn_steps
from scratchgen.diffusion.forward import posterior_coefficients
from scratchgen.diffusion.variances import log_beta, log_beta_tilde
from scratchgen.nn import Module
from tests.diffusion.gaussian import VARIANCE, exact_model, log_density, schedule_of

RNG = np.random.default_rng(0)
SCHEDULE = Schedule([0.1, 0.3, 0.4, 0.6])
X = RNG.normal(size=(6, 3))
T = np.array([1, 2, 3, 4, 1, 3])
NOISE = RNG.normal(size=(6, 3))


class Line(Module):
    """output = W x, the same at all times: W, and as much again for a learned variance."""

    def __init__(self, dims=3, outputs=3, seed=0):
        self.W = Tensor(np.random.default_rng(seed).normal(size=(dims, outputs)), requires_grad=True)

    def forward(self, x, time, labels=None):
        return x @ self.W


def model_of(target="eps", outputs=3, **options):
    return DDPM(Line(outputs=outputs), SCHEDULE, (3,), target, **options)


# -- one step backwards --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_the_mean_is_that_of_the_posterior_at_the_guess(target):
    """Equation (1), and the guess by hand for each target."""
    model = model_of(target)
    prediction = model.predict(X, T)
    a = np.sqrt(SCHEDULE.alphas_cumprod[T])[:, None]
    b = np.sqrt(1 - SCHEDULE.alphas_cumprod[T])[:, None]
    output = X @ model.network.W.data
    x0 = {"eps": (X - b * output) / a, "x0": output, "v": a * X - b * output}[target]
    np.testing.assert_allclose(prediction.x0.data, x0, rtol=1e-12)
    np.testing.assert_allclose(a * prediction.x0.data + b * prediction.eps.data, X, rtol=1e-9, atol=1e-12)
    mean, _ = model.reverse(X, T, prediction)
    np.testing.assert_allclose(mean.data, q_posterior(SCHEDULE, x0, X, T)[0], rtol=1e-11)


def test_the_mean_as_ho_et_al_write_it():
    """Their equation (11): (x_t − β_t ε̂ / √(1 − ᾱ_t)) / √α_t."""
    model = model_of()
    beta, noise = SCHEDULE.betas[T][:, None], SCHEDULE.noise_variance[T][:, None]
    expected = (X - beta / np.sqrt(noise) * (X @ model.network.W.data)) / np.sqrt(1 - beta)
    np.testing.assert_allclose(model.reverse(X, T, model.predict(X, T))[0].data, expected, rtol=1e-11)


def test_the_variances():
    low, high = log_beta_tilde(SCHEDULE)[T][:, None], log_beta(SCHEDULE)[T][:, None]
    for name, expected in {"beta": high, "beta_tilde": low}.items():
        model = model_of(variance=name)
        np.testing.assert_allclose(model.reverse(X, T, model.predict(X, T))[1], np.broadcast_to(expected, (6, 3)))
    learned = model_of(outputs=6, variance="learned")
    share = 1 / (1 + np.exp(-X @ learned.network.W.data[:, 3:]))
    prediction = learned.predict(X, T)
    np.testing.assert_allclose(learned.reverse(X, T, prediction)[1].data, share * high + (1 - share) * low, rtol=1e-12)
    rows = np.abs(RNG.normal(size=(5, 3)))
    optimal = model_of(variance=rows)
    c, _, beta_tilde = posterior_coefficients(SCHEDULE, T)
    expected = np.log(beta_tilde[:, None] + c[:, None] ** 2 * rows[T])
    np.testing.assert_allclose(optimal.reverse(X, T, optimal.predict(X, T))[1], expected, rtol=1e-12)


def test_clipping_is_for_who_asks_for_it():
    """denoising-diffusion-pytorch#65: data at ±3 are no error; and where x̂_0 is clipped, ε̂ fits it."""
    free, held = model_of("x0"), model_of("x0", clip=(-1.2, 0.7))
    x0 = X @ free.network.W.data
    assert np.abs(x0).max() > 1.5
    np.testing.assert_array_equal(free.predict(X, T).x0.data, x0)
    prediction = held.predict(X, T)
    np.testing.assert_array_equal(prediction.x0.data, np.clip(x0, -1.2, 0.7))
    a, b = held.signal_and_noise(T, X)
    np.testing.assert_allclose(a * prediction.x0.data + b * prediction.eps.data, X, rtol=1e-12)


def test_a_step_adds_its_noise_but_for_the_last():
    """DDPM#18, labml#152: standard deviation, not variance; none at t = 1."""
    model = model_of(variance="beta_tilde")
    step = model.p_sample(X, T, noise=NOISE)
    mean, log_variance = model.reverse(X, T, model.predict(X, T))
    std = np.where(T[:, None] > 1, np.sqrt(np.exp(log_variance)), 0.0)
    np.testing.assert_allclose(step, mean.data + std * NOISE, rtol=1e-12)
    assert np.all(std[T > 1] > 0.1)


@pytest.mark.parametrize("T", [1, 2, 10, 50])
def test_moments_of_exact_samples(T):
    """All steps backwards, by their affine maps: mean and variance of x_0 but for the noise that the last step keeps.

    Each step is x ↦ k x + h + σ ε, found by putting in two x and two ε.
    """
    model = exact_model(T)
    mean, variance = float(model.prior.mean), float(np.exp(model.prior.logvar))
    one = np.ones((1, 2))
    for t in range(T, 0, -1):
        at_0, at_1, noisy = (model.p_sample(k * one, t, noise=e * one)[0, 0] for k, e in [(0, 0), (1, 0), (0, 1)])
        mean, variance = at_0 + (at_1 - at_0) * mean, (at_1 - at_0) ** 2 * variance + (noisy - at_0) ** 2
    missing = 1 / (1 / VARIANCE + np.exp(model.schedule.log_snr[1]))  # Var[x_0 | x_1]
    assert mean == pytest.approx(1.5, rel=1e-12) and variance + missing == pytest.approx(VARIANCE, rel=1e-12)


def test_samples_have_the_moments_of_the_data():
    x = exact_model(50).sample(5000, rng=0)
    assert x.shape == (5000, 2)
    std = np.sqrt(VARIANCE)
    assert np.all(np.abs(x.mean(axis=0) - 1.5) < 5.96 * std / np.sqrt(5000))
    missing = 1 / (1 / VARIANCE + np.exp(schedule_of(50).log_snr[1]))
    assert np.all(np.abs(x.var(axis=0) / (VARIANCE - missing) - 1) < 5.96 * np.sqrt(2 / 5000))


@pytest.mark.parametrize(("target", "T"), [("eps", 1000), ("v", 100)])
def test_the_cosine_schedule_ends_in_finite_samples(target, T):
    """guided-diffusion#42: 1/√ᾱ_T is 20,000, in float32; data N(0, 1), for which ε̂ = √(1 − ᾱ) x and v̂ = 0."""
    schedule = cosine(T)
    assert 15 * T < schedule.alphas_cumprod[-1] ** -0.5 < 25 * T

    class Best(Module):
        def __init__(self):
            self.one = Tensor(np.ones(1, np.float32), requires_grad=True)

        def forward(self, x, time):
            t = np.rint(np.asarray(time, np.float64) * T).astype(int)
            return (np.sqrt(schedule.noise_variance[t])[:, None] if target == "eps" else 0.0 * t[:, None]).astype(
                x.dtype
            ) * x

    x = DDPM(Best(), schedule, (1,), target, variance="beta").sample(1000, rng=0)
    assert x.dtype == np.float32 and np.isfinite(x).all()
    assert abs(x.var() - 1) < 5.96 * np.sqrt(2 / 1000)


def test_every_step_of_a_sample_is_told_the_labels():
    """A network whose x̂_0 is the label: so is the sample."""
    model = DDPM(lambda x, time, labels: 0.0 * x + labels[:, None], SCHEDULE, (3,), "x0")
    np.testing.assert_allclose(model.sample(3, 0, np.array([2, 0, 1])), np.repeat([[2.0], [0.0], [1.0]], 3, axis=1))


def test_a_step_and_the_bound_are_told_the_labels():
    """With labels k they are those of the network that has k within."""
    labels, noise = np.arange(6), np.random.default_rng(1).normal(size=(SCHEDULE.T, *X.shape))
    told = DDPM(lambda x, time, labels: 0.5 * x + labels[:, None], SCHEDULE, (3,))
    knows = DDPM(lambda x, time: 0.5 * x + labels[:, None], SCHEDULE, (3,))
    found = [told.p_sample(X, T, noise=NOISE, context=labels)]
    found += [terms(told, X, noise=noise, context=labels).steps, along_a_path(told, X, noise=noise, context=labels)]
    expected = [
        knows.p_sample(X, T, noise=NOISE),
        terms(knows, X, noise=noise).steps,
        along_a_path(knows, X, noise=noise),
    ]
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_levels_are_drawn_as_levels():
    model = exact_model(5, mean=0.2, decoder=LevelDecoder(17))
    x = model.sample(200, rng=0)
    assert x.dtype == np.int64 and x.min() >= 0 and x.max() <= 16 and abs(x.mean() - 8 * 1.2) < 1


# -- fewer steps ---------------------------------------------------------------------------------------------------


def test_a_model_of_fewer_steps_knows_the_time_it_was_trained_with():
    """diffusers PR#2076: the network is told t/T of the full schedule, and the step goes to the next of the chosen."""
    asked = []

    def network(x, time):
        asked.append(float(time[0]))
        return 0 * x

    model = DDPM(network, schedule_of(10), (2,), "x0", variance=np.linspace(0.1, 1.1, 11))
    short = model.part([2, 5, 10])
    short.sample(1, rng=0)
    assert asked == [1.0, 0.5, 0.2]
    np.testing.assert_array_equal(short.x0_variance, model.x0_variance[[0, 2, 5, 10]])
    assert model.schedule.T == 10 and short.schedule.T == 3


@pytest.mark.parametrize("times", [[10], [1, 10], [3, 4, 9, 10]])
def test_fewer_steps_are_exact_too(times):
    """A strided chain of the exact model is the reverse of q's strided chain: its bound is log p(x_0)."""
    x = np.array([[1.0, -2.0], [0.3, 4.0]])
    np.testing.assert_allclose(along_a_path(exact_model(10).part(times), x, rng=0), log_density(x), rtol=1e-12)


# -- the loss ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_the_simple_loss_is_the_squared_error_of_the_target(target):
    """Equation (2): the sum over dimensions, for each row."""
    model = model_of(target)
    a, b = model.signal_and_noise(T, X)
    x_t = a * X + b * NOISE
    wanted = {"eps": NOISE, "x0": X, "v": a * NOISE - b * X}[target]
    expected = np.sum((wanted - x_t @ model.network.W.data) ** 2, axis=1)
    np.testing.assert_allclose(model.losses(X, T, NOISE).data, expected, rtol=1e-12)


@pytest.mark.parametrize("weighting", ["snr", "min_snr"])
def test_weights_are_of_the_error_of_x_0_whatever_the_target(weighting):
    snr = np.exp(SCHEDULE.log_snr[T])
    weights = snr if weighting == "snr" else np.minimum(snr, 5)
    for target in ("eps", "x0", "v"):
        model = model_of(target, weighting=weighting)
        x_t = q_sample(SCHEDULE, X, T, noise=NOISE)
        error = np.sum((X - model.predict(x_t, T).x0.data) ** 2, axis=1)
        np.testing.assert_allclose(model.losses(X, T, NOISE).data, weights * error, rtol=1e-9)


@pytest.mark.parametrize("decoder", [None, LevelDecoder(5)])
@pytest.mark.parametrize("variance", ["beta", "learned"])
def test_the_bound_as_loss_is_the_mean_of_its_terms(decoder, variance):
    """With weighting="bound", the average over all t of the loss is the negative bound, prior term and all."""
    outputs = 6 if variance == "learned" else 3
    model = model_of(outputs=outputs, weighting="bound", variance=variance, decoder=decoder)
    x = X if decoder is None else RNG.integers(0, 5, (6, 3))
    noise = RNG.normal(size=(4, 6, 3))
    each = [model.losses(x, t, noise[t - 1]).data for t in range(1, 5)]
    np.testing.assert_allclose(np.mean(each, axis=0), terms(model, x, noise=noise).total, rtol=1e-12)


def test_a_learned_variance_leaves_the_mean_to_the_error():
    """λ times the bound is added, and moves the variance only: the mean counts as given in it."""
    model = model_of(outputs=6, variance="learned")
    simple = np.sum((NOISE - q_sample(SCHEDULE, X, T, noise=NOISE) @ model.network.W.data[:, :3]) ** 2, axis=1)
    bound = model_of(outputs=6, variance="learned", weighting="bound")
    of_bound = bound.losses(X, T, NOISE).data
    np.testing.assert_allclose(
        model.losses(X, T, NOISE).data, simple + HYBRID * (of_bound - prior_term(bound, X)), rtol=1e-12
    )
    gradients = []
    for which in (model, bound, model_of()):
        np.sum(which.losses(X, T, NOISE)).backward()
        gradients.append(which.network.W.grad)
    ours, of_bound, of_simple = gradients
    x_t = q_sample(SCHEDULE, X, T, noise=NOISE)
    error = NOISE - x_t @ model.network.W.data[:, :3]
    np.testing.assert_allclose(ours[:, :3], -2 * x_t.T @ error, rtol=1e-10)
    np.testing.assert_allclose(ours[:, 3:], HYBRID * of_bound[:, 3:], rtol=1e-10)
    assert np.abs(of_bound[:, 3:]).max() > 0.1 and of_simple.shape == (3, 3)


def test_the_least_loss_is_that_of_the_best_network_and_not_zero():
    """E‖ε − ε̂‖² of N(m, s² I): D s² ᾱ / (s² ᾱ + 1 − ᾱ), by quadrature over data and noise."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights = weights / weights.sum()
    model = exact_model(5, "eps")
    for t in range(1, 6):
        x = np.repeat(1.5 + np.sqrt(VARIANCE) * nodes, 3)[:, None].repeat(2, axis=1)
        noise = np.tile(nodes, 3)[:, None].repeat(2, axis=1)
        loss = np.kron(weights, weights) @ model.losses(x, t, noise)
        signal, rest = model.schedule.alphas_cumprod[t] * VARIANCE, model.schedule.noise_variance[t]
        assert loss == pytest.approx(2 * signal / (signal + rest), rel=1e-12)


def test_the_steps_of_a_batch_are_spread_evenly_and_each_is_uniform():
    for n, T in [(1, 5), (7, 5), (20, 5), (3, 100)]:
        drawn = np.stack([drawn_steps(n, T, np.random.default_rng(seed))[0] for seed in range(400)])
        counts = np.stack([np.sum(drawn == t, axis=1) for t in range(1, T + 1)])
        assert drawn.min() >= 1 and drawn.max() <= T
        assert np.all(counts >= n // T) and np.all(counts <= -(-n // T))
    first = np.stack([drawn_steps(4, 5, np.random.default_rng(seed))[0] for seed in range(2000)])[:, 2]
    expected = 400
    assert np.sum((np.bincount(first, minlength=6)[1:] - expected) ** 2 / expected) < 40  # χ² of 4: P < 1e-7


@pytest.mark.parametrize("first", [0.5, 0.1])
def test_steps_drawn_more_often_count_less(first):
    """(2) of ``drawn_steps``: shares as asked for, and the expectation of the loss is the bound, for any of them."""
    t, p = drawn_steps(10_000, 4, np.random.default_rng(0), first)
    shares = np.bincount(t, minlength=5)[1:] / 10_000
    np.testing.assert_allclose(shares, [first, *[(1 - first) / 3] * 3], atol=2e-4)
    np.testing.assert_allclose(p, np.take([first, *[(1 - first) / 3] * 3], t - 1))
    model, noise = model_of(weighting="bound", first=first), RNG.normal(size=(4, 6, 3))
    probability = {s: np.full(6, p[t == s][0]) for s in range(1, 5)}
    expected = sum(probability[s][0] * model.losses(X, s, noise[s - 1], None, probability[s]).data for s in range(1, 5))
    np.testing.assert_allclose(expected, terms(model, X, noise=noise).total, rtol=1e-12)
    assert drawn_steps(3, 1, np.random.default_rng(0), first)[0].tolist() == [1, 1, 1]


def test_labels_are_taken_away_in_training_only():
    seen = []

    def network(x, time, labels):
        seen.append(labels)
        return 0 * x

    model = DDPM(network, SCHEDULE, (3,), drop=0.5)
    labels = np.arange(300) % 7
    model.loss(np.zeros((300, 3)), labels, 0)
    model.eval()
    model.loss(np.zeros((300, 3)), labels, 0)
    taken = seen[0] == -1
    np.testing.assert_array_equal(seen[0][~taken], labels[~taken])
    np.testing.assert_array_equal(seen[1], labels)
    assert abs(taken.sum() - 150) < 5.96 * np.sqrt(75)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(dtype):
    model = DDPM(ResidualNet(3, 0, width=8, outputs=6, dtype=dtype), cosine(10), (3,), "v", variance="learned")
    loss = model.loss(X.astype(dtype), 0)
    loss.backward()
    assert loss.dtype == dtype and model.sample(2, 0).dtype == dtype
    assert all(p.grad is not None and p.grad.dtype == dtype for p in model.parameters().values())


# -- what it refuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "noise"}, "target is 'noise'; it must be one of eps, x0, v"),
        ({"weighting": "sum"}, "weighting is 'sum'; it must be one of simple, snr, min_snr, bound"),
        ({"variance": "large"}, "variance is 'large'; it must be beta, beta_tilde, learned, or an array"),
        ({"variance": np.ones(4)}, "x0_variance has 4 rows"),
        ({"first": 1.0, "weighting": "bound"}, "first is 1.0 and weighting bound; it must be between 0 and 1"),
        ({"first": 0.5}, "first is 0.5 and weighting simple"),
        ({"drop": 1.5}, r"drop is 1\.5; it must be from 0 to 1"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        model_of(**options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.p_sample(X, 0, rng=0), ValueError, r"t has 0 at \(\); 1 of 1 values: steps are 1 to 4"),
        (lambda m: m.p_sample(X, 5, rng=0), ValueError, "steps are 1 to 4"),
        (lambda m: m.p_sample(X, 1.0, rng=0), TypeError, "t is float64; steps are integers"),
        (lambda m: m.p_sample(X, 2), TypeError, "give rng, or the noise itself"),
        (lambda m: m.p_sample(X, 2, noise=NOISE[:2]), ValueError, r"noise has shape \(2, 3\)"),
        (lambda m: m.loss(X[:0], 0), ValueError, "x has 0 rows"),
        (lambda m: m.loss(X), TypeError, "loss needs rng"),
        (lambda m: m.loss(X.astype(np.float32), 0), TypeError, "x is float32, but the parameters are float64"),
        (lambda m: m.loss(np.full((1, 3), np.nan), 0), ValueError, r"x has nan at \(0, 0\)"),
        (lambda m: m.sample(-1, 0), ValueError, "n is -1"),
        (lambda m: m.sample(2.0, 0), TypeError, r"n is 2\.0"),
        (lambda m: m.part([5]), ValueError, "steps are 1 to 4"),
        (lambda m: m.sample(1, np.random), TypeError, "np.random"),
    ],
)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call(model_of())


def test_a_network_of_another_shape():
    with pytest.raises(ValueError, match=r"the network gives shape \(6, 2\) for x_t of shape \(6, 3\)"):
        DDPM(Line(outputs=2), SCHEDULE, (3,)).predict(X, 1)
