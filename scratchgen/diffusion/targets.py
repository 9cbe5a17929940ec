"""What the network predicts: the noise, the data, or a mixture of the two. Each says all three.

With x_t = a x_0 + b ε, a = √ᾱ_t and b = √(1 − ᾱ_t), so a² + b² = 1:

    ε       x_0 = (x_t − b ε) / a,    ε itself                  1/a has no bound where ᾱ_t → 0    (1)
    x_0     x_0 itself,               ε = (x_t − a x_0) / b     1/b has none where ᾱ_t → 1        (2)
    v       x_0 = a x_t − b v,        ε = b x_t + a v           v = a ε − b x_0                   (3)

(3) turns the pair (x_0, ε) by the angle whose cosine is a: v is the direction in which x_t moves as the angle grows.
Turning back divides by nothing. It is close to ε where there is little noise, and to −x_0 where there is little else.

An error in one is an error in the others, up to a factor. As squared errors of x_0, with SNR = a²/b²:

    ‖ε − ε̂‖² = SNR ‖x_0 − x̂_0‖²,    ‖v − v̂‖² = (SNR + 1) ‖x_0 − x̂_0‖²                          (4)

Source: Salimans and Ho, Progressive Distillation, arXiv:2202.00512, section 4 and appendix D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np


class Target(ABC):
    """One of ε, x_0 and v; a and b are √ᾱ_t and √(1 − ᾱ_t), (B, 1, …)."""

    @abstractmethod
    def of(self, x0: Any, eps: Any, a: Any, b: Any) -> Any:
        """The target for x_0 and ε that are known, as in training."""

    @abstractmethod
    def to_x0(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """x̂_0 from what the network gave."""

    @abstractmethod
    def to_eps(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """ε̂ from what the network gave."""

    @abstractmethod
    def weight(self, snr: np.ndarray) -> np.ndarray:
        """The squared error of the target for one of x_0 (4)."""


class Eps(Target):
    """The noise ε (1), as Ho et al. do.

    >>> Eps().to_x0(np.array([1.0]), np.array([1.4]), 0.6, 0.8)
    array([1.])
    """

    def of(self, x0: Any, eps: Any, a: Any, b: Any) -> Any:
        """ε."""
        return eps

    def to_x0(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """(x_t − b ε) / a."""
        return (x_t - b * output) / a

    def to_eps(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """ε itself."""
        return output

    def weight(self, snr: np.ndarray) -> np.ndarray:
        """SNR."""
        return snr


class X0(Target):
    """The data x_0 (2).

    >>> X0().to_eps(np.array([1.0]), np.array([1.4]), 0.6, 0.8).round(12)
    array([1.])
    """

    def of(self, x0: Any, eps: Any, a: Any, b: Any) -> Any:
        """x_0."""
        return x0

    def to_x0(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """x_0 itself."""
        return output

    def to_eps(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """(x_t − a x_0) / b."""
        return (x_t - a * output) / b

    def weight(self, snr: np.ndarray) -> np.ndarray:
        """1."""
        return np.ones_like(snr)


class V(Target):
    """v = a ε − b x_0 (3).

    >>> v = V().of(np.array([2.0]), np.array([1.0]), 0.6, 0.8)
    >>> x_t = np.array([0.6 * 2.0 + 0.8 * 1.0])
    >>> V().to_x0(v, x_t, 0.6, 0.8), V().to_eps(v, x_t, 0.6, 0.8)
    (array([2.]), array([1.]))
    """

    def of(self, x0: Any, eps: Any, a: Any, b: Any) -> Any:
        """a ε − b x_0."""
        return a * eps - b * x0

    def to_x0(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """a x_t − b v."""
        return a * x_t - b * output

    def to_eps(self, output: Any, x_t: Any, a: Any, b: Any) -> Any:
        """b x_t + a v."""
        return b * x_t + a * output

    def weight(self, snr: np.ndarray) -> np.ndarray:
        """SNR + 1."""
        return snr + 1.0


TARGETS: dict[str, Target] = {"eps": Eps(), "x0": X0(), "v": V()}
