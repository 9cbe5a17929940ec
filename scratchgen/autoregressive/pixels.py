"""What the two convolutional models of grey images share: how levels enter the network, and dropout in the loss.

A pixel x, one of V levels, enters as V + V − 1 numbers, which say which level it is and how it compares with the
others; [ ] is 1 for what is true, else 0:

    [x = 0], …, [x = V − 1],   [x > 0], …, [x > V − 2]                                         (1)

The first half alone would do; the second tells the network from the start that levels 7 and 8 are alike.

A draw takes D passes of the network, one for each of the D pixels, which compute all conditionals and use one of them.
The passes could stop at the row that is drawn, for half the time; but then sums are added up in another order, and the
last bits of a conditional would depend on how it was asked for.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.distributions import Categorical
from scratchgen.distributions.arguments import unmasked
from scratchgen.random import Rng


def level_code(x: np.ndarray, levels: int, dtype: Any = np.float32) -> np.ndarray:
    """The numbers (1) of integers x of any shape, (…, 2 levels − 1).

    >>> level_code(np.array([2]), levels=4)
    array([[0., 0., 1., 0., 1., 1., 0.]], dtype=float32)
    """
    level = np.arange(levels)
    return np.concatenate([x[..., None] == level, x[..., None] > level[:-1]], axis=-1).astype(dtype)


def require_levels(x: Any, levels: int) -> np.ndarray:
    """x as an array, if it is of integers from 0 to levels − 1.

    Raises:
        TypeError: for x that are not integers.
        ValueError: for x out of range, with the first and its index.

    >>> require_levels([[3, 17]], levels=17)
    Traceback (most recent call last):
    ValueError: x has 17 at (0, 1); grey levels are 0 to 16
    """
    x = np.asarray(unmasked("x", x))
    if x.dtype.kind not in "iu":
        raise TypeError(f"x is {x.dtype}; grey levels are integers from 0 to {levels - 1}")
    wrong = np.argwhere((x < 0) | (x >= levels))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        raise ValueError(f"x has {x[index]} at {index}; grey levels are 0 to {levels - 1}")
    return x


class PixelModel(Autoregressive):
    """log p(x) = Σ_j log p(x[j] | x[1..j−1]) over pixels in raster order, with a categorical for each.

    A subclass sets ``dims`` and ``levels``, and writes ``network``.
    """

    symbols = True
    levels: int

    @abstractmethod
    def network(self, code: Any, rng: Rng | None = None) -> Tensor:
        """Logits (B, D, levels) from the code (1) of the pixels, (B, D, 2 levels − 1).

        The logits of pixel j may depend on the code of the pixels before j only. ``rng`` draws the dropout in training.
        """

    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Categorical:
        """p(x[j] | x[<j]) for all pixels, a batch (B, D).

        Args:
            x: integers from 0 to levels − 1, (B, D).
            context: None; there are no conditional models of this kind.
            rng: draws the dropout; needed in training only.

        Raises:
            TypeError: for x that are not integers.
            ValueError: for x of another shape or out of range; for a context; in training, without an rng.
        """
        self.refuse_context(context)
        x = require_levels(x, self.levels)
        if x.ndim != 2 or x.shape[1] != self.dims:
            hint = f": x.reshape(-1, {self.dims})" if x.ndim != 2 and x.size and x.size % self.dims == 0 else ""
            raise ValueError(f"x has shape {x.shape}, expected (batch, {self.dims}){hint}")
        return Categorical(self.network(level_code(x, self.levels, self.dtype), rng))
