"""How a network is told the time, and the class.

A number such as t/T is little to a network that has to do something else at each step. As waves of many lengths it is
easy to use, since what lies close by differs in the short waves, and what lies far apart in the long ones:

    sinusoidal    [cos(1000 ω_k time), sin(1000 ω_k time)],  ω_k = 10000^{−k/K}, k = 0 … K − 1              (1)
    Fourier       [cos(2π f_k time), sin(2π f_k time)],      f_k ~ N(0, scale²), drawn once                (2)

``time`` is from 0 to 1, a step being t/T; the factor 1000 in (1) makes it the papers' for T = 1000.

A class is a learned vector; so is "no class", the label −1, which guidance needs.

Sources: Ho et al., arXiv:2006.11239, appendix B, for (1); Song et al., arXiv:2011.13456, appendix C, for (2); Ho and
Salimans, Classifier-Free Diffusion Guidance, arXiv:2207.12598, for the label that says nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.nn import Embedding, Module
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator

NO_LABEL = -1


def sinusoidal(time: Any, width: int) -> np.ndarray:
    """Waves (1) of times (B,): (B, width), in the dtype of ``time``.

    Raises:
        ValueError: for a width that is odd, or less than 2.

    >>> sinusoidal(np.array([0.0, 0.001]), 4).round(4)
    array([[1.    , 1.    , 0.    , 0.    ],
           [0.5403, 1.    , 0.8415, 0.01  ]])
    """
    half = half_of(width)
    return waves(time, 1000.0 * 10000.0 ** (-np.arange(half) / half))


def waves(time: Any, frequencies: np.ndarray) -> np.ndarray:
    """Cosines, then sines, of time times each frequency."""
    time = np.asarray(time)
    angles = time[:, None] * frequencies.astype(time.dtype)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def half_of(width: int) -> int:
    """The number of cosines; raises ValueError for an odd width."""
    check_sizes(width=width)
    if width % 2:
        raise ValueError(f"width is {width}; it must be even, for as many cosines as sines")
    return width // 2


class FourierFeatures(Module):
    """Waves (2) of times, with frequencies that are drawn once and kept: (B,) → (B, width).

    Args:
        width: how many, an even number.
        rng: draws the frequencies.
        scale: their standard deviation: 16 tells apart times that differ by about 0.01.
        dtype: of the frequencies, which are saved with the model and not trained.

    Raises:
        ValueError: for an odd width.

    >>> FourierFeatures(6, rng=0)(np.zeros(2, np.float32)).shape
    (2, 6)
    """

    def __init__(self, width: int, rng: Rng, scale: float = 16.0, dtype: Any = np.float32) -> None:
        frequencies = scale * generator(rng).standard_normal(half_of(width))
        self.frequencies = Tensor(frequencies.astype(dtype))

    def forward(self, time: Any) -> np.ndarray:
        """(B,) → (B, width)."""
        return waves(time, 2.0 * np.pi * self.frequencies.data)


class LabelEmbedding(Module):
    """A vector for each of the classes 0 … classes − 1, and one for none, −1.

    Args:
        classes: how many.
        width: of the vectors.
        rng: draws them.
        dtype: of them.

    Raises:
        ValueError: for classes or width < 1; in ``forward``, for a label out of range.

    >>> LabelEmbedding(10, 4, rng=0)(np.array([3, -1])).shape
    (2, 4)
    """

    def __init__(self, classes: int, width: int, rng: Rng, dtype: Any = np.float32) -> None:
        check_sizes(classes=classes)
        self.classes = classes
        self.vectors = Embedding(classes + 1, width, rng, std=1.0, dtype=dtype)

    def forward(self, labels: Any) -> Tensor:
        """Integers (B,) → (B, width)."""
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu":
            raise TypeError(f"labels is {labels.dtype}; they are integers from 0 to {self.classes - 1}, or −1 for none")
        wrong = np.flatnonzero((labels < NO_LABEL) | (labels >= self.classes))
        if len(wrong):
            i = int(wrong[0])
            raise ValueError(f"label {labels[i]} at {i}; labels are 0 to {self.classes - 1}, or −1 for none")
        return self.vectors(labels.astype(np.int64) + 1)


def without_some(labels: Any, share: float, rng: Rng) -> np.ndarray:
    """The labels, each taken away (−1) with probability ``share``.

    >>> without_some(np.array([3, 1, 4]), 1.0, 0)
    array([-1, -1, -1])
    """
    labels = np.asarray(labels).astype(np.int64)
    return np.where(generator(rng).random(len(labels)) < share, NO_LABEL, labels)
