"""The entries of the leaderboard for the digits: 64 pixels of 17 grey levels, in nats of P(x), which sums to 1.

Some models say P(x) of the integers: the mixture, MADE, the transformer exactly, VAE, IWAE and DDPM by a bound. The
others have a density p(v) of numbers. With noise within the bins, v = 2 (x + u)/17 − 1, it becomes a bound, too:

    log P(x) ≥ E_u[log p(v)] + 64 log(2/17),   u uniform                                        (1)

or, for the three flows, with noise that is learned (``flows.dequantisation``). So all are nats of the same thing. What
(1) loses, most of all where pixels are always blank, is part of what it costs to model integers by a density.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.board.contest import BOUND, DATA, ESTIMATE, EXACT, Board, Entry, Fitted, Nats, Rng, mean_of, size, trained
from demos.board.points import along_score, exact
from demos.page11_digits import DIMS, LAYERS, LEVELS, WIDTH, base, density, load, noise
from demos.page12_digits import HIGH
from scratchgen.autodiff import Tensor, no_grad
from scratchgen.autoregressive import MADE, LogisticMixtureOutput, Transformer
from scratchgen.diffusion import VP, FlowMatching, LevelDDPM, ScoreModel, UNet, even_log_snr, log_likelihood, terms
from scratchgen.distributions import Categorical, Independent, Mixture
from scratchgen.distributions.distribution import values
from scratchgen.flows import (
    ActNorm,
    AffineMap,
    Composite,
    Dequantised,
    Flow,
    Logit,
    MaskedAutoregressive,
    MaskedNet,
    SplineMap,
    start,
)
from scratchgen.flows.divergence import random_signs
from scratchgen.latent import IWAE, VAE, CategoricalLikelihood, fit_ppca
from scratchgen.nn import MLP, Module

DICE, EXTRA = 10, 0.3  # components of the mixture, and what is added to its counts
DIFFUSION_STEPS = 100
START = 2e-3  # the first time of the score
FLAT: dict[str, Any] = {"lr": 4e-3, "batch": 100, "decay": 0.1, "averaged": 0.98}  # how a ``Flat`` is trained


class Split(NamedTuple):
    """The digits, (n, 64) integers."""

    train: np.ndarray
    validation: np.ndarray


# -- between integers and numbers ----------------------------------------------------------------------------------


def with_noise(x: np.ndarray, rng: Rng) -> np.ndarray:
    """v of (1), in [−1, 1], float32."""
    return (2 * (x + rng.random(x.shape)) / LEVELS - 1).astype(np.float32)


def levels_of(v: np.ndarray) -> np.ndarray:
    """The levels in whose bins v lies, or the nearest."""
    return np.floor((values(v) + 1) * (LEVELS / 2)).clip(0, LEVELS - 1).astype(np.int64)


def dequantised(fitted: Fitted, draws: int) -> Fitted:
    """The bound (1), from a density of v; the mean over so many u."""

    def bound(x: np.ndarray, rng: Rng) -> np.ndarray:
        each = [np.asarray(fitted.log_prob(with_noise(x, rng), rng), np.float64) for _ in range(draws)]
        return np.mean(each, axis=0) + DIMS * np.log(2 / LEVELS)

    return Fitted(bound, lambda n, rng: levels_of(fitted.sample(n, rng)), fitted.parameters)


class Noisy(Module):
    """A model of v, trained on integers: new noise each time that it sees them."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def loss(self, x: np.ndarray, rng: Rng) -> Tensor:
        """The loss of the model."""
        loss: Tensor = self.model.loss(with_noise(x, rng), rng)
        return loss


class Flat(Module):
    """A U-Net of images as a network of vectors."""

    def __init__(self, rng: Rng) -> None:
        self.net = UNet(1, rng, channels=16)

    def forward(self, x: Any, t: Any) -> Any:
        """(B, 64), (B,) → (B, 64)."""
        return self.net(x.reshape(-1, 8, 8, 1), t).reshape(-1, DIMS)


# -- latent variables: pages 3 to 9 --------------------------------------------------------------------------------


def mixture(data: Split, share: float, rng: Rng) -> Fitted:
    """Ten components, in each of which the pixels are independent dice; by EM, from random responsibilities."""
    shown = (data.train[..., None] == np.arange(LEVELS)).astype(np.float64)  # (n, 64, 17)
    r = rng.dirichlet(np.full(DICE, 0.1), len(shown))  # (n, K)
    for _ in range(max(5, int(50 * share))):
        counts = np.einsum("nk,ndl->kdl", r, shown, optimize=True) + EXTRA
        log_p = np.log(counts / counts.sum(axis=-1, keepdims=True))  # (K, 64, 17)
        log_w = np.log((r.sum(axis=0) + EXTRA) / (len(r) + DICE * EXTRA))
        joint = log_w + np.einsum("ndl,kdl->nk", shown, log_p, optimize=True)
        r = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    p = Mixture(log_w, Independent(Categorical(log_p), 1))
    return Fitted(lambda x, rng: values(p.log_prob(x)), p.sample, log_w.size - 1 + log_p[..., 1:].size)


def ppca(data: Split, share: float, rng: Rng) -> Fitted:
    """32 latent numbers, in closed form; each digit ten times, with other noise."""
    return dequantised(exact(fit_ppca(with_noise(np.tile(data.train, (10, 1)), rng), 32)), draws=5)


def vae(data: Split, share: float, rng: Rng) -> Fitted:
    """64-256-256-16, as on page 9."""
    model = VAE(*coders(rng), CategoricalLikelihood(DIMS, LEVELS), latent=16)
    trained(model, data.train, rng, int(600 * share), 2e-3, batch=100, decay=1.0, validation=data.validation)
    return Fitted(mean_of(20, lambda x, rng: model.elbo(x, rng).total), model.sample, size(model))


def iwae(data: Split, share: float, rng: Rng) -> Fitted:
    """The same networks, trained with 5 weights and measured with 300."""
    model = IWAE(*coders(rng), CategoricalLikelihood(DIMS, LEVELS), latent=16, samples=5)
    trained(model, data.train, rng, int(500 * share), 2e-3, batch=100, decay=1.0, validation=data.validation)
    return Fitted(lambda x, rng: model.log_prob(x, rng, 300), model.sample, size(model))


def coders(rng: Rng) -> tuple[MLP, MLP]:
    """Encoder and decoder."""
    return MLP([DIMS, 256, 256, 32], rng, "tanh"), MLP([16, 256, 256, DIMS * LEVELS], rng, "tanh")


# -- autoregressive: page 10 ---------------------------------------------------------------------------------------


def made(data: Split, share: float, rng: Rng) -> Fitted:
    """A hidden layer of 512, and mixtures of five logistics, as on page 10."""
    model = MADE(DIMS, LogisticMixtureOutput(5, LEVELS), [512], rng, activation="tanh", dropout=0.5)
    trained(model, data.train, rng, int(1200 * share), 3e-3, batch=25, decay=0.1, validation=data.validation)
    return exact(model)


def transformer(data: Split, share: float, rng: Rng) -> Fitted:
    """64 symbols, row by row."""
    model = Transformer(LEVELS, DIMS, width=64, heads=4, layers=2, rng=rng, dropout=0.2, std=0.1)
    trained(model, data.train, rng, int(400 * share), 3e-3, batch=50, decay=0.3, validation=data.validation)
    return exact(model)


# -- flows: page 11 ------------------------------------------------------------------------------------------------


def flow(density_of_v: Flow, data: Split, steps: int, rng: Rng) -> Fitted:
    """A flow of the unit cube and its noise, by the bound; the settings are those of page 11."""
    model = Dequantised(density_of_v, LEVELS, noise(rng))
    start(model.density.transform, ((data.train + rng.random(data.train.shape)) / LEVELS).astype(np.float32))
    trained(model, data.train, rng, steps, 2e-3, batch=50, decay=0.3, clip=50.0, validation=data.validation)
    return Fitted(mean_of(10, model.bound), model.sample, size(model))


def realnvp(data: Split, share: float, rng: Rng) -> Fitted:
    """Eight affine couplings."""
    return flow(density(AffineMap(), rng), data, int(400 * share), rng)


def spline(data: Split, share: float, rng: Rng) -> Fitted:
    """Eight couplings by splines."""
    return flow(density(SplineMap(bins=6, bound=4.0), rng), data, int(400 * share), rng)


def maf(data: Split, share: float, rng: Rng) -> Fitted:
    """Four masked autoregressive layers, affine."""
    order = np.arange(DIMS)
    nets = [MaskedNet(DIMS, 2, [2 * WIDTH, 2 * WIDTH], rng, order[:: 1 - 2 * (i % 2)]) for i in range(LAYERS // 2)]
    layers = [MaskedAutoregressive(net, AffineMap()) for net in nets]
    stack = Composite([Logit(margin=1e-3), ActNorm(DIMS), *layers])
    return flow(Flow(stack, base(1.0)), data, int(400 * share), rng)


# -- diffusion: page 12 --------------------------------------------------------------------------------------------


def ddpm(data: Split, share: float, rng: Rng) -> Fitted:
    """The U-Net of page 12, without labels; its bound is of P(x) itself."""
    net, shape = UNet(1, rng, channels=16, outputs=LEVELS), (8, 8, 1)
    model = LevelDDPM(net, even_log_snr(DIFFUSION_STEPS, HIGH), shape, LEVELS, first=0.5)
    x, held_out = (part.reshape(-1, *shape) for part in data)
    trained(model, x, rng, int(350 * share), 6e-3, batch=100, decay=0.3, averaged=0.98, clip=100.0, validation=held_out)
    return Fitted(
        lambda x, rng: -terms(model, x.reshape(-1, *shape), rng).total,
        lambda n, rng: model.sample(n, rng).reshape(n, DIMS),
        size(model),
    )


def score_ode(data: Split, share: float, rng: Rng) -> Fitted:
    """The score of VP, by a U-Net; log p(v) by the probability flow, its divergence by one probe for each v."""
    model = ScoreModel(Flat(rng), VP(), START)
    trained(Noisy(model), data.train, rng, int(350 * share), validation=data.validation, **FLAT)

    def log_prob(v: np.ndarray, rng: Rng) -> np.ndarray:
        probes = random_signs((1, *v.shape), rng).astype(v.dtype)
        return log_likelihood(model.sde, model, v, start=START, tolerance=1e-3, probes=probes).log_prob

    fitted = Fitted(log_prob, lambda n, rng: along_score(model, n, DIMS, rng), size(model))
    return dequantised(fitted, draws=1)


def flow_matching(data: Split, share: float, rng: Rng) -> Fitted:
    """A velocity, by a U-Net; log p(v) by its ODE in 20 steps, the divergence by one probe for each v."""
    model = FlowMatching(Flat(rng), (DIMS,))
    trained(Noisy(model), data.train, rng, int(350 * share), validation=data.validation, **FLAT)

    def log_prob(v: np.ndarray, rng: Rng) -> Any:
        with no_grad():
            return values(model.flow(20, random_signs((1, *v.shape), rng).astype(v.dtype)).log_prob(v))

    return dequantised(Fitted(log_prob, lambda n, rng: model.sample(n, rng, steps=25), size(model)), draws=1)


ENTRIES = [
    Entry("mixture", EXACT, mixture),
    Entry("pPCA", BOUND, ppca),
    Entry("VAE", BOUND, vae),
    Entry("IWAE", BOUND, iwae),
    Entry("MADE", EXACT, made),
    Entry("transformer", EXACT, transformer),
    Entry("RealNVP", BOUND, realnvp),
    Entry("spline flow", BOUND, spline),
    Entry("MAF", BOUND, maf),
    Entry("DDPM", BOUND, ddpm),
    Entry("score ODE", ESTIMATE, score_ode),
    Entry("flow matching", ESTIMATE, flow_matching),
]


def likelihood(test: np.ndarray) -> Callable[[Fitted, Rng], Nats]:
    """−log P(x), averaged over the test digits, and its standard error over them; of their entropy nothing is known."""

    def measured(fitted: Fitted, rng: Rng) -> Nats:
        nats = -np.asarray(fitted.log_prob(test, rng), np.float64)
        return Nats(float(nats.mean()), float(nats.std(ddof=1) / np.sqrt(len(nats))))

    return measured


def board(seed: tuple[int, int], most: int) -> Board:
    """The digits; at most so many of the test set."""
    rng, test = np.random.default_rng((*seed, 0, DATA)), load("test")[:most]
    split = Split(load("train"), load("validation"))
    others = split.train[rng.permutation(len(split.train))[: len(test)]]
    about = (
        f"entropy unknown; {len(test)} test digits, as many samples, in levels; the truth here is as many training "
        "digits: another part of the file, which is not quite like this one"
    )
    return Board("digits", split, None, likelihood(test), test, others, ENTRIES, about)
