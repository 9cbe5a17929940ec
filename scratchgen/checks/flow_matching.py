"""Cases of flow matching, and of the velocities and scores that are known or made from others."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.diffusion import VP, ExactVelocity, FlowMatching, FlowScore, GaussianMixtureData, RectifiedVelocity
from scratchgen.nn import MLP, Module

TIMES = np.array([0.2, 0.9, 0.5, 0.0])
LABELS = np.array([1, 0, 1, 1])
COVARIANCES = [[[0.8, -0.3], [-0.3, 0.4]], [[0.3, 0.1], [0.1, 0.6]]]


class Small(Module):
    """A smooth net of x, t and the label, if there is one."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.net = MLP([4, 3, 2], rng, np.tanh, dtype=np.float64)

    def forward(self, x: Any, t: np.ndarray, labels: Any = None) -> Tensor:
        """(B, 2)."""
        label = np.zeros((len(x), 1)) if labels is None else 1.0 * labels[:, None]
        return self.net(np.concatenate([x, t[:, None], label], axis=1))


@register("models", FlowMatching)
def matching(rng: np.random.Generator) -> Case:
    """Times and noise from a fixed seed, in the order they came."""
    model, x = FlowMatching(Small(rng), (2,)), rng.normal(size=(4, 2))
    return model.parameters(), lambda: model.loss(x, 0)


@register("models", FlowMatching, "optimal pairing, labels")
def matching_with_labels(rng: np.random.Generator) -> Case:
    """Noise that is exchanged within a class, and labels that are taken away."""
    model, x = FlowMatching(Small(rng), (2,), "optimal", drop=0.5), rng.normal(size=(4, 2))
    return model.parameters(), lambda: model.loss(x, LABELS, 0)


@register("layers", FlowScore)
def flow_score(rng: np.random.Generator) -> Case:
    """Of a velocity with parameters."""
    score, x = FlowScore(FlowMatching(Small(rng), (2,)), VP()), leaf(rng, 3, 2)
    return {"x": x, **score.parameters()}, lambda: weighted(score(x, TIMES[:3]))


@register("layers", ExactVelocity)
def exact_velocity(rng: np.random.Generator) -> Case:
    """Of two components, by x: its divergence is what a likelihood asks for."""
    v, x = ExactVelocity(GaussianMixtureData([0.4, 0.6], [[0.5, 1.0], [-1.0, 0.3]], COVARIANCES)), leaf(rng, 4, 2)
    return {"x": x}, lambda: weighted(v(x, TIMES))


@register("layers", RectifiedVelocity)
def rectified_velocity(rng: np.random.Generator) -> Case:
    """By x."""
    v, x = RectifiedVelocity(GaussianMixtureData([1.0], [[0.5, 1.0]], COVARIANCES[:1])), leaf(rng, 4, 2)
    return {"x": x}, lambda: weighted(v(x, TIMES))
