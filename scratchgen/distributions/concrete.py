"""The Concrete distribution, also called Gumbel-softmax: a categorical distribution made continuous.

The largest of logits with Gumbel noise, P(g ≤ t) = exp(−e^{−t}), falls on k with the probability p_k ∝ exp(l_k). A
maximum has no useful derivative; the softmax that takes its place has:

    x = softmax(y),   y = (l + g)/τ,   g_k ~ Gumbel(0, 1)                                      (1)

x lies inside the simplex, x_k > 0 and Σ_k x_k = 1, and nearer to its corners the smaller the temperature τ is. Whatever
τ is, P(x_k is the largest) = p_k. Its density, with respect to dx_1 … dx_{K−1}, and that of its log-ratios
y_k − y_K = log x_k/x_K, for k < K:

    log p(x) = log (K−1)! + (K−1) log τ + Σ_k (l_k − (τ+1) log x_k) − K log Σ_k exp(l_k − τ log x_k)          (2)
    log p(y) = log (K−1)! + (K−1) log τ + Σ_k (l_k − τ y_k)         − K log Σ_k exp(l_k − τ y_k)              (3)

The two differ by Σ_k log x_k, since the determinant of dx/dy is ∏_k x_k. (3) does not change if a constant is added to
y, so y need not be normalised: y = log x does as well as (1). Of ratios p(x)/q(x), as in an ELBO, (3) gives the same as
(2), and it stays finite where (2) does not: in float32 and with ten equal logits, one sample in 1,000 has an x_k that
rounds to 0 at τ = 0.1, and one in 7 at τ = 0.05.

Source: Maddison, Mnih and Teh, arXiv:1611.00712, equation (10) for (2), and appendix C.3 for logarithms; Jang, Gu and
Poole, arXiv:1611.01144.
"""

from __future__ import annotations

from math import lgamma, log
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp, softmax
from scratchgen.distributions.arguments import (
    Shape,
    array_of,
    floats,
    require,
    require_shape,
    shape_of,
)
from scratchgen.distributions.distribution import values
from scratchgen.distributions.reparameterised import Reparameterised
from scratchgen.random import Rng, generator


class Concrete(Reparameterised):
    """Points inside the simplex of K corners, near the corner k with probability ∝ exp(logits_k).

    Args:
        logits: (…, K), finite, of which (…) is the batch shape.
        temperature: τ > 0, a number; towards 0 the points become one-hot vectors, towards ∞ they all move to 1/K.

    Raises:
        TypeError: for a dtype that is not float32 or float64; for a temperature that is no number.
        ValueError: for no categories; for NaN or inf in plain logits; for a temperature that is not above 0.

    >>> p = Concrete(np.log([0.2, 0.8]), temperature=0.5)
    >>> p.rsample((), noise=np.zeros(2))                        # odds of 4, to the power 1/τ = 2
    array([0.05882353, 0.94117647])
    """

    def __init__(self, logits: Any, temperature: float) -> None:
        self.logits = array_of("logits", logits)
        shape = np.shape(self.logits)
        if not shape or shape[-1] == 0:
            raise ValueError(f"logits has shape {shape}; it must be (…, K) with at least one category")
        require("logits", self.logits, np.isfinite, "it must be finite")
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float, np.integer, np.floating)):
            raise TypeError(f"temperature is {temperature!r}; it must be a number")
        if not 0 < temperature < np.inf:
            raise ValueError(f"temperature is {temperature}; it must be above 0, and finite: 1, 0.5, …")
        self.temperature = float(temperature)  # a NumPy number would make float64 of float32
        self.batch_shape, self.event_shape, self.dtype = shape[:-1], shape[-1:], self.logits.dtype

    @property
    def mean(self) -> Any:
        """Not known in closed form, unless K = 1.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a Concrete distribution has no closed form of its mean; average samples")

    @property
    def variance(self) -> Any:
        """Not known in closed form.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a Concrete distribution has no closed form of its variance; estimate it by samples")

    def log_prob(self, x: Any) -> Any:
        """The log-density (2) in nats, one number per point of the simplex.

        Args:
            x: (*sample_shape, *batch_shape, K), inside the simplex. At low temperatures take ``log_prob_of_logits``.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape; for plain x that are not above 0, or do not sum to 1.
        """
        x = floats("x", x, self.dtype)
        require_shape(x, self.batch_shape + self.event_shape)
        require_inside_simplex(x)
        log_x = np.log(x)
        return self.log_prob_of_logits(log_x) - np.sum(log_x, axis=-1)

    def log_prob_of_logits(self, y: Any) -> Any:
        """The log-density (3) of log-ratios y_k − y_K in nats: of y = log x, or of that with any constant added.

        Args:
            y: (*sample_shape, *batch_shape, K), as ``rsample_logits`` gives them.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape; for NaN or inf in plain y.
        """
        y = floats("y", y, self.dtype)
        require_shape(y, self.batch_shape + self.event_shape)
        require("y", y, np.isfinite, "it must be finite")
        K, a = self.event_shape[0], self.logits - self.temperature * y
        constant = lgamma(K) + (K - 1) * log(self.temperature)
        return constant + np.sum(a - logsumexp(a, axis=-1, keepdims=True), axis=-1)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws (1) of x, an array n + batch_shape + (K,).

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n; for logits that are NaN or inf.
        """
        return softmax((values(self.logits) + self.draw_noise(n, rng)) / self.temperature)

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (1) of x as a differentiable function of the logits, n + batch_shape + (K,).

        Args:
            n: how many, an int or a shape.
            rng: draws g.
            noise: g itself, Gumbel noise of the shape of the result, instead of ``rng``. Any numbers do.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for a negative n, or noise of another shape.
        """
        return softmax(self.rsample_logits(n, rng, noise))

    def rsample_logits(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (1) of y, which are logits of x; arguments and errors as of ``rsample``."""
        return (self.logits + self.noise_for(n, rng, noise)) / self.temperature

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """g ~ Gumbel(0, 1) for n draws, finite, in the dtype of the logits."""
        shape = shape_of(n) + self.batch_shape + self.event_shape
        return np.asarray(generator(rng).gumbel(size=shape), self.dtype)  # −log(−log u), never of u = 0 or 1

    def entropy(self) -> Any:
        """Not known in closed form.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a Concrete distribution has no closed form of its entropy; average −log_prob(x)")


def straight_through(x: Any) -> Any:
    """One-hot vectors of the largest x_k, with the gradient of x itself.

    What comes after sees a true category, and the gradient is that of another function than the one computed: it is
    biased, as that of x is, and for the same reason smaller at low temperatures.

    Source: Jang, Gu and Poole, arXiv:1611.01144, section 2.2.

    Args:
        x: (…, K), a Tensor or array, such as samples of ``Concrete``.

    Raises:
        TypeError: for a dtype that is not float32 or float64; for a masked array.
        ValueError: for no categories; for NaN or inf in a plain array.

    >>> straight_through(np.array([[0.2, 0.5, 0.3]]))
    array([[0., 1., 0.]])
    """
    x = array_of("x", x)
    if not np.shape(x) or np.shape(x)[-1] == 0:
        raise ValueError(f"x has shape {np.shape(x)}; it must be (…, K) with at least one category")
    require("x", x, np.isfinite, "it must be finite")
    plain = values(x)
    hot = np.zeros_like(plain)
    np.put_along_axis(hot, np.argmax(plain, axis=-1, keepdims=True), 1, axis=-1)
    return hot + (x - x.detach()) if isinstance(x, Tensor) else hot  # x − x is 0, exactly


def require_inside_simplex(x: Any) -> None:
    """Refuse a plain array that is not inside the simplex; sums may be off by rounding."""
    require("x", x, lambda x: x > 0, "the density is that of points inside the simplex; use log_prob_of_logits")
    if not isinstance(x, Tensor):
        allowed = np.sqrt(np.finfo(x.dtype).eps)
        require("Σ x", x.sum(axis=-1), lambda s: np.abs(s - 1) < allowed, "it must be 1; did you mean softmax(x)?")
