"""Page 9: the optimum of rate and distortion in closed form, the exact measurement, and what training reaches."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from demos import page09_collapse as page09
from tests.demos.test_page06 import Recorder

ENTROPY = 0.5 * np.log(2 * np.pi * np.e * page09.EIGENVALUES).sum()


class Stage(Recorder):
    """A quick stage."""

    quick = True

    def say(self, text):
        pass


def optimal(beta, covariance):
    """A VAE with the optimal parameters: W_i = √(λ_i − t) u_i, variance t / beta, and q(z_i|x) of variance t / λ_i."""
    k = page09.best(beta)[1]
    t = page09.EIGENVALUES[k:].sum() / (page09.DIM / beta - k)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][: page09.LATENT], vectors[:, ::-1][:, : page09.LATENT]
    gain = np.sqrt(np.maximum(values - t, 0))
    model = page09.one_variance(np.random.default_rng(0))
    for parameter in model.parameters().values():
        parameter.assign(np.zeros_like(parameter.data))
    model.decoder.W.assign((vectors * gain).T.astype(np.float32))
    model.encoder.mean.W.assign((vectors * gain / values).astype(np.float32))
    model.encoder.logvar.assign(np.where(gain > 0, np.log(t / values), 0.0).astype(np.float32))
    least = model.likelihood.least
    raw = least + np.log(np.expm1(np.log(t / beta) - least))  # softplus undone
    model.likelihood.raw.assign(np.float32(raw))
    return model


def test_the_two_data_have_the_same_eigenvalues_and_entropy():
    for covariance in (page09.mixed(), page09.independent()):
        np.testing.assert_allclose(np.linalg.eigvalsh(covariance)[::-1], page09.EIGENVALUES, rtol=1e-12)
        assert page09.data_of(covariance).entropy() == pytest.approx(ENTROPY, rel=1e-14)
    np.testing.assert_allclose(np.diag(page09.mixed()), page09.EIGENVALUES.mean())
    assert np.abs(page09.mixed() - np.diag(np.diag(page09.mixed()))).max() > 0.5


def test_at_beta_1_the_optimum_lies_on_the_line_of_the_entropy():
    point, k = page09.best(1.0)
    assert k == 4 and sum(point) == pytest.approx(ENTROPY, rel=1e-14)


@pytest.mark.parametrize("beta", [b for b in page09.BETAS if b != 1])
def test_at_other_betas_the_optimum_lies_above_it(beta):
    assert sum(page09.best(beta)[0]) > ENTROPY + 0.1


@pytest.mark.parametrize("beta", page09.BETAS)
def test_the_optimum_is_the_least_over_the_noise_and_the_dimensions_used(beta):
    """D + beta R as a function of t, with a gain of λ_i − t wherever that is positive, minimised by SciPy."""

    def loss(log_t):
        t = np.exp(log_t)
        kept = page09.EIGENVALUES[:4][page09.EIGENVALUES[:4] > t]
        rest = page09.EIGENVALUES.sum() - kept.sum()
        rate = 0.5 * np.log(kept / t).sum()
        return 8 * np.log(2 * np.pi * t / beta) + beta * (len(kept) * t + rest) / (2 * t) + beta * rate

    point, _ = page09.best(beta)
    least = min(
        minimize_scalar(loss, bounds=(low, low + 0.5), method="bounded", options={"xatol": 1e-10}).fun
        for low in np.arange(-4, 4, 0.5)
    )
    assert point.distortion + beta * point.rate == pytest.approx(least, rel=1e-10)


@pytest.mark.parametrize("beta", page09.BETAS)
def test_a_model_with_the_optimal_parameters_is_measured_there(beta):
    """Equations (2) and (3) by the VAE itself, in float32."""
    model = optimal(beta, page09.mixed())
    np.testing.assert_allclose(page09.measured(model, page09.mixed()), page09.best(beta)[0], atol=2e-5)


def test_any_change_of_the_optimal_parameters_costs():
    model = optimal(1.5, page09.mixed())
    (rate, distortion), _ = page09.best(1.5)
    for name, parameter in model.parameters().items():
        right = parameter.data.copy()
        for sign in (1, -1):
            parameter.assign(right + sign * np.float32(0.05))
            point = page09.measured(model, page09.mixed())
            assert point.distortion + 1.5 * point.rate > distortion + 1.5 * rate + 1e-4, name
        parameter.assign(right)


def test_the_design_has_the_moments_of_the_data():
    points = page09.design(page09.mixed(), extra=3)
    expected = np.eye(19)
    expected[:16, :16] = page09.mixed()
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(points.T @ points / len(points), expected, atol=1e-12)


def test_training_ends_near_the_optimum_and_never_below_the_line():
    rng = np.random.default_rng(0)
    model = page09.train(page09.one_variance(rng), page09.mixed(), 1.0, 300, rng)
    point = page09.measured(model, page09.mixed())
    assert ENTROPY - 1e-4 < sum(point) < ENTROPY + 0.4
    model = page09.train(page09.a_variance_for_each(rng), page09.independent(), 2.0, 300, rng)
    apart = page09.measured(model, page09.independent())
    assert 0 <= apart.rate < 0.1
    assert ENTROPY - 1e-4 < sum(apart) < ENTROPY + 0.1


@pytest.mark.slow
def test_the_figures():
    stage = Stage()
    page09.run(stage, seed=0)
    for figure in stage.figures.values():
        plt.close(figure)
    rows = [line.split() for line in stage.results if line.startswith("beta")]
    assert len(rows) == len(page09.BETAS) == 9
    for row in rows:
        assert float(row[-4]) > -1e-3  # R + D − H
        assert row[-2] == row[-1].strip("()")  # active dimensions, and how many in theory
    excess = next(line for line in stage.results if line.startswith("largest"))
    assert 0 < float(excess.split()[-2]) < 0.1
