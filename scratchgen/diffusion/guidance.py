"""Classifier-free guidance: more like its class than the data are.

One network has learned with labels and, for a share of the examples, without. What a label changes is the difference,
and a scale w goes further in that direction:

    output = output(x_t, no label) + w [output(x_t, label) − output(x_t, no label)]                 (1)

w = 0 ignores the label, w = 1 is the model of the class. As the outputs are affine in the score, (1) is the score of

    p(x_t) [p(x_t | label) / p(x_t)]^w ∝ p(x_t) p(label | x_t)^w                                    (2)

For w > 1 samples are more typical of their class, and less various. They are draws of no model: (2) at all t are not
noised versions of one distribution.

Source: Ho and Salimans, Classifier-Free Diffusion Guidance, arXiv:2207.12598, equation (6), whose w is w − 1 here.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from scratchgen.diffusion.ddpm import DDPM
from scratchgen.diffusion.embeddings import NO_LABEL
from scratchgen.nn import Module


class Guided(Module):
    """A network with labels, guided (1): one pass of it, over twice the rows.

    Args:
        network: from (x, time, labels).
        scale: w, at least 0.

    Raises:
        ValueError: for a scale that is negative, NaN or inf; when called, without labels.

    >>> from scratchgen.diffusion import ResidualNet
    >>> net = Guided(ResidualNet(2, rng=0, classes=3), scale=2.0)
    >>> net(np.ones((5, 2), np.float32), np.full(5, 0.3, np.float32), np.zeros(5, int)).shape
    (5, 2)
    """

    def __init__(self, network: Any, scale: float) -> None:
        if not 0 <= scale < np.inf:
            raise ValueError(f"scale is {scale}; it must be 0 or more, and finite: 1 is the model of the class")
        self.network, self.scale = network, scale

    def forward(self, x: Any, time: Any, labels: Any = None) -> Any:
        """(B, …), (B,) and labels (B,) → what the network gives (1)."""
        if labels is None:
            raise ValueError("guidance needs labels, one for each row")
        both = np.concatenate([np.asarray(labels), np.full(len(x), NO_LABEL)])
        output = self.network(np.concatenate([x, x]), np.concatenate([time, time]), both)
        with_label, without = output[: len(x)], output[len(x) :]
        return without + self.scale * (with_label - without)


def guided(model: DDPM, scale: float) -> DDPM:
    """The model, its network guided (1); it shares its weights.

    Raises:
        ValueError: for a scale that is negative, NaN or inf.
    """
    other = copy.copy(model)
    other.network = Guided(model.network, scale)
    return other
