"""Distributions of numbers whose cumulative distribution function F can be inverted by hand, and how they are drawn.

    x = F⁻¹(u),  u uniform on (0, 1)                                                           (1)

has the distribution F, since P(F⁻¹(u) ≤ x) = P(u ≤ F(x)) = F(x). The noise u does not depend on the parameters and F⁻¹
does, differentiably: so (1) is a reparameterisation, as mean + std · η is one of the normal distribution.

A Generator draws u from [0, 1), and F⁻¹(0) may be −∞. So u is held half a step of the Generator away from 0, and one
step away from 1; nothing else that it draws is moved.

Source: Devroye, Non-Uniform Random Variate Generation, 1986, section II.2; Kingma and Welling, arXiv:1312.6114,
section 2.4, item 1.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions.arguments import Shape, probability, require, shape_of
from scratchgen.distributions.distribution import values
from scratchgen.distributions.reparameterised import Reparameterised
from scratchgen.random import Rng, generator


class InverseTransform(Reparameterised):
    """A distribution that is drawn by (1): it needs no more than its ``quantile``."""

    @abstractmethod
    def quantile(self, u: Any) -> Any:
        """F⁻¹(u) for u in (0, 1), an array or Tensor (*sample_shape, *batch_shape): ``icdf`` without its checks."""

    def icdf(self, p: Any) -> Any:
        """The x with P(X ≤ x) = p, elementwise; for p = 0 and p = 1 the ends of the support, which may be infinite.

        Args:
            p: (*sample_shape, *batch_shape), of the dtype of the parameters.

        Raises:
            TypeError: for another dtype.
            ValueError: for p outside [0, 1], with value and index, or of another shape.
        """
        p = probability(p, self.dtype, self.batch_shape)
        with np.errstate(divide="ignore"):  # log 0 = −∞ is what is meant
            return self.quantile(p)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws (1), an array n + batch_shape.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n.
        """
        with no_grad():
            return np.asarray(values(self.quantile(self.draw_noise(n, rng))))

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (1) as a differentiable function of the parameters, n + batch_shape.

        Args:
            n: how many, an int or a shape.
            rng: draws u.
            noise: u itself, of the shape of the result, instead of ``rng``: uniform on (0, 1), not normal. At 0 and 1
                it is held as the module says.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for a negative n, noise of another shape, or noise outside [0, 1], with value and index.
        """
        u = self.noise_for(n, rng, noise)
        require("noise", u, lambda u: (u >= 0) & (u <= 1), "it must be uniform on (0, 1)")
        return self.quantile(held(u, self.dtype))

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """u for n draws, in the dtype of the parameters."""
        u = generator(rng).random(shape_of(n) + self.batch_shape, dtype=self.dtype)
        return np.asarray(held(u, self.dtype))


def held(u: Any, dtype: np.dtype) -> Any:
    """u, held half a step of a Generator away from 0 and one step away from 1.

    >>> bool(held(np.zeros(1), np.dtype(np.float64))[0] == 2.0**-54)
    True
    """
    step = float(np.finfo(dtype).epsneg)  # 2⁻⁵³ in float64: a Generator draws its multiples
    return np.clip(u, 0.5 * step, 1.0 - step)
