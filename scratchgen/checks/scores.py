"""Cases of what learns a score, or flows along it: score matching, of a network and of an energy; a score in time."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import of
from scratchgen.diffusion import (
    VP,
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    ProbabilityVelocity,
    ScoreModel,
    SlicedScoreMatching,
)
from scratchgen.nn import MLP, Module


def net(rng: np.random.Generator, outputs: int = 2) -> MLP:
    """A smooth network of two numbers."""
    return MLP([2, 4, outputs], rng, np.tanh, dtype=np.float64)


class InTime(Module):
    """A network of x and t."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.net = MLP([3, 4, 2], rng, np.tanh, dtype=np.float64)

    def forward(self, x: Any, t: np.ndarray) -> Tensor:
        """(B, 2)."""
        return self.net(np.concatenate([x, t[:, None]], axis=1))


@register("layers", EnergyScore)
def energy_score(rng: np.random.Generator) -> Case:
    """The gradient of a gradient."""
    score, x = EnergyScore(net(rng, 1)), leaf(rng, 3, 2)
    return {"x": x, **score.parameters()}, lambda: weighted(score(x))


@register("layers", ProbabilityVelocity)
def probability_velocity(rng: np.random.Generator) -> Case:
    """With a score of parameters."""
    score, x = ScoreModel(InTime(rng), VP()), leaf(rng, 3, 2)
    velocity = ProbabilityVelocity(score.sde, score)
    return {"x": x, **velocity.parameters()}, lambda: weighted(velocity(x, 0.4))


@register("models", ExplicitScoreMatching)
def explicit(rng: np.random.Generator) -> Case:
    """On a network: the second derivative."""
    return of(ExplicitScoreMatching(net(rng)), rng.normal(size=(3, 2)))


@register("models", ExplicitScoreMatching, "of an energy")
def explicit_of_an_energy(rng: np.random.Generator) -> Case:
    """The third derivative; the last bias has no part in the score, and a gradient of 0."""
    return of(ExplicitScoreMatching(EnergyScore(net(rng, 1))), rng.normal(size=(3, 2)))


@register("models", SlicedScoreMatching)
def sliced(rng: np.random.Generator) -> Case:
    """Two probes."""
    return of(SlicedScoreMatching(net(rng), probes=2), rng.normal(size=(3, 2)))


@register("models", SlicedScoreMatching, "of an energy")
def sliced_of_an_energy(rng: np.random.Generator) -> Case:
    """A product with the Hessian."""
    return of(SlicedScoreMatching(EnergyScore(net(rng, 1))), rng.normal(size=(3, 2)))


@register("models", DenoisingScoreMatching)
def denoising(rng: np.random.Generator) -> Case:
    """First derivatives only."""
    return of(DenoisingScoreMatching(net(rng), std=0.7), rng.normal(size=(3, 2)))


@register("models", DenoisingScoreMatching, "of an energy")
def denoising_of_an_energy(rng: np.random.Generator) -> Case:
    """Second derivatives."""
    return of(DenoisingScoreMatching(EnergyScore(net(rng, 1)), std=0.7), rng.normal(size=(3, 2)))


@register("models", ScoreModel)
def score_model(rng: np.random.Generator) -> Case:
    """Times and noise from a fixed seed."""
    return of(ScoreModel(InTime(rng), VP()), rng.normal(size=(3, 2)))
