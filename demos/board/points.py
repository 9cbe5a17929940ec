"""The entries of the leaderboard for points in the plane: every family of the lecture, on a toy of known entropy.

The data are moved and scaled to mean 0 and variance 1 first; nats are of the toy's own scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.board.contest import BOUND, DATA, ESTIMATE, EXACT, Board, Entry, Fitted, Rng, gap_of, mean_of, size, trained
from demos.flows import standard_normal
from demos.page12_ddpm import Standard, with_right_variance
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import MADE, GaussianMixtureOutput, Transformer
from scratchgen.data import Toy
from scratchgen.diffusion import (
    DDPM,
    VP,
    FlowMatching,
    ResidualNet,
    ScoreModel,
    even_log_snr,
    heun,
    log_likelihood,
    terms,
)
from scratchgen.distributions.distribution import values
from scratchgen.flows import AffineMap, Flow, SplineMap, Transform, autoregressive_stack, coupling_stack, start
from scratchgen.latent import IWAE, VAE, GaussianLikelihood, fit_mixture, fit_ppca
from scratchgen.nn import MLP, Module

N = 50_000  # training points
T, HIGH, LOW = 200, 8.0, -7.0  # of the DDPM: steps, and log SNR at the first and the last
LEVELS = 128  # cells a side, for the transformer
START = 2e-3  # the first time of the score
WEIGHTS = 300  # of the importance-weighted bound


def exact(model: Any) -> Fitted:
    """What is fitted, of a model that knows its own log p(x)."""

    def log_prob(z: np.ndarray, rng: Rng) -> Any:
        with no_grad():
            return values(model.log_prob(z))

    return Fitted(log_prob, model.sample, size(model))


# -- latent variables: pages 3 to 9 --------------------------------------------------------------------------------


def mixture(data: Standard, share: float, rng: Rng) -> Fitted:
    """Twenty normal distributions, by EM from the best of three starts."""
    x = data.sample(5000, rng).astype(np.float64)
    climbs = [fit_mixture(x, 20, rng, steps=max(10, int(200 * share))) for _ in range(3)]
    best = max(climbs, key=lambda climb: climb.log_likelihoods[-1])
    return exact(best.model.astype(np.float32))


def ppca(data: Standard, share: float, rng: Rng) -> Fitted:
    """One latent number, in closed form: with that the covariance is free, so this is the best normal distribution."""
    return exact(fit_ppca(data.sample(N, rng), 1))


def vae(data: Standard, share: float, rng: Rng) -> Fitted:
    """Trained by the ELBO, and measured by it."""
    model = VAE(*coders(rng), GaussianLikelihood(2), latent=2)
    trained(model, data.sample(N, rng), rng, int(3000 * share), lr=5e-3, batch=256, clip=10.0)
    return Fitted(mean_of(20, lambda z, rng: model.elbo(z, rng).total), model.sample, size(model))


def iwae(data: Standard, share: float, rng: Rng) -> Fitted:
    """The same networks, trained with 16 weights and measured with 300."""
    model = IWAE(*coders(rng), GaussianLikelihood(2), latent=2, samples=16)
    trained(model, data.sample(N, rng), rng, int(1500 * share), lr=5e-3, batch=256, clip=10.0)
    return Fitted(lambda z, rng: model.log_prob(z, rng, WEIGHTS), model.sample, size(model))


def coders(rng: Rng) -> tuple[MLP, MLP]:
    """Encoder, and a decoder whose variance starts at e⁻³: with all the variance there is, it has no use for z."""
    encoder, decoder = MLP([2, 64, 64, 4], rng, "tanh"), MLP([2, 64, 64, 4], rng, "tanh")
    last: Any = decoder.layers[-1]
    last.b.assign(np.array([0, -3, 0, -3], np.float32))  # mean and log-variance of each coordinate
    return encoder, decoder


# -- autoregressive: page 10 ---------------------------------------------------------------------------------------


def made(data: Standard, share: float, rng: Rng) -> Fitted:
    """p(x₁) p(x₂ | x₁), each by a mixture of normal distributions."""
    model = MADE(2, GaussianMixtureOutput(16), [64, 64], rng)
    trained(model, data.sample(N, rng), rng, int(6000 * share), lr=5e-3, batch=256)
    return exact(model)


class Cells(Module):
    """A transformer of points: each coordinate is a symbol, the number of its cell, and p is flat within a cell.

    p(x) = P(cell of x) / its area is a density, and log p exact. It cannot follow p within a cell: ``least_gap``.

    Args:
        reach: the cells cover [−reach, reach]²; elsewhere p is 0.
        rng: draws the weights.
    """

    def __init__(self, reach: float, rng: Rng) -> None:
        self.reach, self.width = reach, 2 * reach / LEVELS
        self.symbols = Transformer(LEVELS, 2, width=64, heads=2, layers=2, rng=rng, std=0.2)

    def cells(self, z: np.ndarray) -> np.ndarray:
        """(n, 2) integers; the nearest for what is outside."""
        return np.floor((z + self.reach) / self.width).clip(0, LEVELS - 1).astype(np.int64)

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        """(n,)."""
        inside = (np.abs(z) < self.reach).all(axis=1)
        return np.where(inside, values(self.symbols.log_prob(self.cells(z))) - 2 * np.log(self.width), -np.inf)

    def sample(self, n: int, rng: Rng) -> np.ndarray:
        """A cell, and any place in it."""
        return (self.symbols.sample(n, rng) + rng.random((n, 2))) * self.width - self.reach


def reach_of(data: Standard) -> float:
    """How far cells have to go for all of the toy."""
    return float((data.toy.radius + np.abs(data.mean).max()) / data.std)


def least_gap(data: Standard) -> float:
    """KL(p ‖ p made flat within each cell), what no model of the cells is below, by 3 × 3 Gauss nodes a cell."""
    reach, (nodes, weights) = reach_of(data), np.polynomial.legendre.leggauss(3)
    width = 2 * reach / LEVELS
    axis = (width * (np.arange(LEVELS)[:, None] + (1 + nodes) / 2) - reach).ravel()
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    p = np.exp(data.toy.log_prob(data.back(z))).reshape(LEVELS, 3, LEVELS, 3)
    mass = np.einsum("ikjl,k,l->ij", p, weights / 2, weights / 2) * (data.std * width) ** 2
    mass = mass[mass > 0]
    flat = -np.sum(mass * np.log(mass)) + 2 * np.log(data.std * width)  # the entropy of what is flat
    return float(flat - data.entropy)


def transformer(data: Standard, share: float, rng: Rng) -> Fitted:
    """Two symbols, one after the other."""
    model = Cells(reach_of(data), rng)
    trained(model.symbols, model.cells(data.sample(N, rng)), rng, int(1200 * share), lr=3e-3, batch=256)
    return exact(model)


# -- flows: page 11 ------------------------------------------------------------------------------------------------


def flow(transform: Transform, data: Standard, steps: int, rng: Rng) -> Fitted:
    """A flow of N(0, I), by its likelihood."""
    model, x = Flow(transform, standard_normal(2)), data.sample(N, rng)
    start(model.transform, x)
    trained(model, x, rng, steps, lr=3e-3, batch=256, clip=2.0)
    return exact(model)


def realnvp(data: Standard, share: float, rng: Rng) -> Fitted:
    """Eight affine couplings."""
    return flow(coupling_stack(2, 8, AffineMap(), (64, 64), rng), data, int(3000 * share), rng)


def spline(data: Standard, share: float, rng: Rng) -> Fitted:
    """Four couplings by splines, as on page 11."""
    return flow(coupling_stack(2, 4, SplineMap(12, 3.0), (128, 128), rng), data, int(1500 * share), rng)


def maf(data: Standard, share: float, rng: Rng) -> Fitted:
    """Eight masked autoregressive layers, affine."""
    return flow(autoregressive_stack(2, 8, AffineMap(), (64, 64), rng), data, int(2500 * share), rng)


# -- diffusion: page 12 --------------------------------------------------------------------------------------------


def ddpm(data: Standard, share: float, rng: Rng) -> Fitted:
    """200 steps; measured by the variational bound, with the variances as they are measured."""
    model = DDPM(ResidualNet(2, rng), even_log_snr(T, HIGH, LOW), (2,), target="v")
    trained(model, data.sample(N, rng), rng, int(1500 * share), lr=4e-3, batch=512, clip=1.0)
    right = with_right_variance(model, data.sample(500, rng), rng)
    return Fitted(lambda z, rng: -terms(right, z, rng).total, right.sample, size(model))


def score_ode(data: Standard, share: float, rng: Rng) -> Fitted:
    """The score of VP at all times; measured and drawn by its probability flow."""
    model = ScoreModel(ResidualNet(2, rng), VP(), START)
    trained(model, data.sample(N, rng), rng, int(2000 * share), lr=4e-3, batch=512, clip=1.0)

    def log_prob(z: np.ndarray, rng: Rng) -> np.ndarray:
        return log_likelihood(model.sde, model, z, start=START, tolerance=1e-4).log_prob

    return Fitted(log_prob, lambda n, rng: along_score(model, n, 2, rng), size(model))


def along_score(model: ScoreModel, n: int, dims: int, rng: Rng, steps: int = 50) -> np.ndarray:
    """Noise, along the probability flow to the first time; steps are shorter near the data."""
    noise = values(model.sde.prior(dims, np.float32).sample(n, rng))
    times = np.linspace(1.0, model.start**0.5, steps + 1) ** 2
    with no_grad():
        return heun(model.sde.reverse(model, probability_flow=True), noise, times)


def flow_matching(data: Standard, share: float, rng: Rng) -> Fitted:
    """A velocity along straight lines; its ODE in 25 steps."""
    model = FlowMatching(ResidualNet(2, rng, width=64, blocks=2), (2,))
    trained(model, data.sample(N, rng), rng, int(3000 * share), lr=4e-3, batch=512, clip=1.0)
    return Fitted(exact(model.flow(25)).log_prob, model.sample, size(model))


ENTRIES = [
    Entry("mixture", EXACT, mixture),
    Entry("pPCA", EXACT, ppca),
    Entry("VAE", BOUND, vae),
    Entry("IWAE", BOUND, iwae),
    Entry("MADE", EXACT, made),
    Entry("transformer", EXACT, transformer),
    Entry("RealNVP", EXACT, realnvp),
    Entry("spline flow", EXACT, spline),
    Entry("MAF", EXACT, maf),
    Entry("DDPM", BOUND, ddpm),
    Entry("score ODE", ESTIMATE, score_ode),
    Entry("flow matching", ESTIMATE, flow_matching),
]


def board(name: str, toy: Toy, seed: tuple[int, int], tested: int, drawn: int) -> Board:
    """A toy, ``tested`` fresh draws for the likelihoods, and ``drawn`` samples of each for the comparisons."""
    rng = np.random.default_rng((*seed, 0, DATA))
    data = Standard(toy, rng)
    about = (
        f"entropy {data.entropy:.4f} nats; {tested} fresh draws, {drawn} samples of each, in units of the standard "
        f"deviation; cells cost the transformer at least {least_gap(data):.3f} nats"
    )
    return Board(
        name,
        data,
        data.entropy,
        lambda fitted, rng: gap_of(data, fitted, tested, rng),
        data.sample(drawn, rng),
        data.sample(drawn, rng),
        ENTRIES,
        about,
    )
