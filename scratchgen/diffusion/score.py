"""Learning a score without knowing the density: score matching, three ways (lecture p. 12).

A model s(x) shall become ∇ log p(x), but of p there are draws of x and nothing else. (s(x) is a score in this file
alone; s(t) elsewhere is a standard deviation, which here is σ.) What is to be minimised,

    ½ E_p |s(x) − ∇ log p(x)|²                                                                     (1)

cannot be computed. But it is, up to a number that does not depend on s,

    explicit     E_p[½ |s(x)|² + tr ∂s/∂x]                        by integration by parts          (2)
    sliced       E_p E_ε[½ |s(x)|² + εᵀ (∂s/∂x) ε],  E[ε εᵀ] = I  one product instead of D         (3)
    denoising    E_p E_ε ½ |s(x + σ ε) + ε / σ|²,  ε ~ N(0, I)    no derivative of s at all        (4)

(4) is about p with noise of standard deviation σ added to it: the score of noise alone is −ε/σ, and the best guess of
that from x + σ ε is the score of the noisy density. It is not 0 at its minimum, but what is left of the noise (6 of
``exact``), divided by 2 σ². The least value of (2) and (3) is −½ E|∇ log p|².

s may be a network of D outputs, or minus the gradient of an energy, s = −∇E for p ∝ exp(−E). A normalising constant of
p has no part in any of this. For an energy tr ∂s/∂x is minus the trace of its Hessian, so that to train it by (2) takes
third derivatives of E.

Sources: Hyvärinen, Estimation of Non-Normalized Statistical Models by Score Matching, JMLR 6 (2005), theorem 1, for
(2); Song et al., Sliced Score Matching, arXiv:1905.07088, for (3), in the form with |s|², which is less noisy than that
with (εᵀ s)²; Vincent, A Connection Between Score Matching and Denoising Autoencoders, Neural Computation 23 (2011), for
(4).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, grad
from scratchgen.autodiff.modes import recording
from scratchgen.diffusion.arguments import batch_of_floats, require_between, require_rows
from scratchgen.distributions.arguments import require_noise
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.divergence import random_signs, with_divergence
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class EnergyScore(Module):
    """s(x) = −∇E(x), the score of p ∝ exp(−E).

    Args:
        energy: a Module (B, D) → (B,) or (B, 1), smooth: relu has no second derivative to train by. A bias that only
            adds to E has no gradient; leave it out, ``Linear(…, bias=False)``.

    >>> class Bowl(Module):
    ...     def forward(self, x):
    ...         return 0.5 * np.sum(x * x, axis=1)
    >>> EnergyScore(Bowl())(np.array([[1.0, -2.0]])).data
    array([[-1.,  2.]])
    """

    def __init__(self, energy: Module) -> None:
        self.energy = energy

    def forward(self, x: Any) -> Any:
        """(B, D) → (B, D)."""
        # Of a Tensor ``grad`` gives a Tensor, with its graph to the parameters; outside any graph an array will do.
        return -grad(lambda x: np.sum(self.energy(x)))(as_tensor(x) if recording.get() else values(x))


class ScoreMatching(Module, ABC):
    """A score, and a way to learn it.

    Args:
        score: s, a Module (B, D) → (B, D).
    """

    def __init__(self, score: Module) -> None:
        self.score = score

    def forward(self, x: Any) -> Any:
        """s(x)."""
        return self.score(x)

    @abstractmethod
    def objective(self, x: Any, noise: Any = None) -> Any:
        """What is averaged in (2), (3) or (4), (B,), given the noise ε if there is any."""

    @abstractmethod
    def draw_noise(self, x: np.ndarray, rng: np.random.Generator) -> Any:
        """ε for these x; None if there is none."""

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """The objective averaged over the batch.

        Raises:
            TypeError: for x that are no floats.
            ValueError: for an empty batch, NaN or inf.
        """
        x = batch_of_floats(x)
        require_rows(x)
        return np.mean(self.objective(x, self.draw_noise(x, generator(rng))))


class ExplicitScoreMatching(ScoreMatching):
    """Equation (2): exact, and D derivatives of s in each step.

    >>> class Pull(Module):
    ...     def forward(self, x):
    ...         return -x
    >>> ExplicitScoreMatching(Pull()).objective(np.array([[1.0, 2.0]])).data       # ½ (1 + 4), and the trace is −2
    array([0.5])
    """

    def objective(self, x: Any, noise: Any = None) -> Any:
        """½ |s(x)|² + tr ∂s/∂x, (B,)."""
        s, (divergence,) = with_divergence(self.score, as_tensor(x))
        return 0.5 * np.sum(s * s, axis=1) + divergence

    def draw_noise(self, x: np.ndarray, rng: np.random.Generator) -> None:
        """None: nothing is drawn."""


class SlicedScoreMatching(ScoreMatching):
    """Equation (3), with K probes ±1 for each x.

    Args:
        score: s.
        probes: K.

    Raises:
        TypeError, ValueError: for probes that is no int, or less than 1.
    """

    def __init__(self, score: Module, probes: int = 1) -> None:
        super().__init__(score)
        require_int("probes", probes)
        self.probes = probes

    def objective(self, x: Any, noise: Any = None) -> Any:
        """½ |s(x)|² + εᵀ (∂s/∂x) ε, averaged over the probes ε (K, D) or (K, B, D), (B,).

        Raises:
            TypeError: without probes.
            ValueError: for probes of another shape.
        """
        if noise is None:
            raise TypeError("sliced score matching needs its probes as noise; loss(x, rng) draws them")
        s, divergences = with_divergence(self.score, as_tensor(x), noise)
        return 0.5 * np.sum(s * s, axis=1) + np.mean(divergences, axis=0)

    def draw_noise(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Signs, (K, B, D)."""
        return random_signs((self.probes, *x.shape), rng)


class DenoisingScoreMatching(ScoreMatching):
    """Equation (4): s becomes the score of the data with noise added.

    Args:
        score: s.
        std: σ, of the noise.

    Raises:
        TypeError, ValueError: for a std that is no number above 0.
    """

    def __init__(self, score: Module, std: float) -> None:
        super().__init__(score)
        self.std = require_between("std", std, 0)

    def objective(self, x: Any, noise: Any = None) -> Any:
        """½ |s(x + σ ε) + ε / σ|², (B,), given ε of the shape of x.

        Raises:
            TypeError: without noise.
            ValueError: for noise of another shape.
        """
        if noise is None:
            raise TypeError("denoising score matching needs noise; loss(x, rng) draws it")
        noise = require_noise(noise, (), x.shape, x.dtype)
        miss = self.score(x + self.std * noise) + noise / self.std
        return 0.5 * np.sum(miss * miss, axis=1)

    def draw_noise(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """ε ~ N(0, I), of the shape of x."""
        return rng.standard_normal(x.shape, x.dtype)


def as_tensor(x: Any) -> Tensor:
    """x as a Tensor: derivatives by it are Tensors then too, with their graph to the parameters."""
    return x if isinstance(x, Tensor) else Tensor(x)
