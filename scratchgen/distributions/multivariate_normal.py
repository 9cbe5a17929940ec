"""The normal distribution of vectors with any covariance C, by its Cholesky factor L: C = L Lᵀ, L lower triangular.

    x = m + L η,  η ~ N(0, I)                                                                  (1)
    η = L⁻¹ (x − m)                              by substitution: no matrix is inverted        (2)
    log N(x; m, L Lᵀ) = −½ (D log 2π + ‖η‖²) − Σ_i log L_ii                                    (3)
    entropy = ½ D (1 + log 2π) + Σ_i log L_ii                                                  (4)

(1) has covariance E[L η ηᵀ Lᵀ] = L Lᵀ. (3) is the density of η divided by |det L|, and the determinant of a triangular
matrix is the product of its diagonal.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, equation (2.43), and section 11.1.1 for (1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, solve_triangular
from scratchgen.distributions.arguments import Shape, array_of, finite, of_one_dtype, shape_of, spread
from scratchgen.distributions.cholesky import not_positive_definite, on_vectors, require_scale_tril, require_symmetric
from scratchgen.distributions.distribution import values
from scratchgen.distributions.reparameterised import Reparameterised
from scratchgen.random import Rng, generator

LOG_2PI = 1.8378770664093453


class MultivariateNormal(Reparameterised):
    """N(mean, scale_tril scale_trilᵀ), vectors of D components that may depend on each other.

    Args:
        mean: (…, D), a Tensor or array.
        scale_tril: (…, D, D), lower triangular with a positive diagonal; the leading axes of the two are broadcast to
            the batch shape. Of a Tensor what is above the diagonal is not used.

    Raises:
        TypeError: for dtypes that are not float32 or float64, or one of each.
        ValueError: for other shapes; in a plain array for NaN or inf, for a diagonal that is not positive, and for
            anything but 0 above it: a covariance goes into ``from_covariance``.

    >>> p = MultivariateNormal(np.zeros(2), np.array([[2.0, 0.0], [1.0, 1.0]]))
    >>> p.covariance
    array([[4., 2.],
           [2., 2.]])
    >>> p.log_prob(np.array([[0.0, 0.0], [2.0, 2.0]]))                # η = (0, 0) and (1, 1)
    array([-2.53102425, -3.53102425])
    """

    def __init__(self, mean: Any, scale_tril: Any) -> None:
        mean, scale_tril = of_one_dtype(mean=mean, scale_tril=scale_tril)
        self.batch_shape = batch_shape_of(mean.shape, scale_tril.shape)
        self.event_shape, self.dtype = mean.shape[-1:], mean.dtype
        if isinstance(scale_tril, Tensor):
            scale_tril = np.tril(scale_tril)
        else:
            require_scale_tril(scale_tril)
        if scale_tril.ndim > 2:
            scale_tril = spread(scale_tril, self.batch_shape + scale_tril.shape[-2:])
        self.scale_tril = scale_tril  # (D, D) where all of the batch have the same: that saves work
        self._mean = spread(mean, self.batch_shape + self.event_shape)

    @classmethod
    def from_covariance(cls, mean: Any, covariance: Any) -> MultivariateNormal:
        """N(mean, covariance).

        Args:
            mean: (…, D).
            covariance: (…, D, D), symmetric and positive definite.

        Raises:
            TypeError: as the class itself.
            ValueError: for a matrix that is not square, not symmetric, or not positive definite.

        >>> MultivariateNormal.from_covariance(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: covariance is not positive definite: its smallest eigenvalue is -1; ...
        """
        covariance = array_of("covariance", covariance)
        require_symmetric(values(covariance))
        try:
            return cls(mean, np.linalg.cholesky(covariance))
        except np.linalg.LinAlgError:
            raise ValueError(not_positive_definite(values(covariance))) from None

    @property
    def mean(self) -> Any:
        """The mean, batch_shape + (D,)."""
        return self._mean

    @property
    def covariance(self) -> Any:
        """C = L Lᵀ, batch_shape + (D, D)."""
        C = self.scale_tril @ np.swapaxes(self.scale_tril, -1, -2)
        return spread(C, self.batch_shape + C.shape[-2:])

    @property
    def variance(self) -> Any:
        """The diagonal of the covariance, C_ii = Σ_j L_ij², batch_shape + (D,)."""
        return spread(np.sum(np.square(self.scale_tril), axis=-1), self.batch_shape + self.event_shape)

    @property
    def log_diagonal(self) -> Any:
        """log L_ii, (D,) or batch_shape + (D,): as ``scale_tril`` is."""
        return np.log(np.diagonal(self.scale_tril, axis1=-2, axis2=-1))

    def whiten(self, d: Any) -> Any:
        """L⁻¹ d (2), for vectors d (…, *batch_shape, D)."""
        return on_vectors(solve_triangular, self.scale_tril, d)

    def log_prob(self, x: Any) -> Any:
        """The log-density (3) in nats, one number per vector.

        Args:
            x: (*sample_shape, *batch_shape, D), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape; for NaN or inf in a plain array.
        """
        x = finite(x, self.dtype, self.batch_shape + self.event_shape)
        squares = np.sum(np.square(self.whiten(x - self.mean)), axis=-1)
        return -0.5 * (self.event_shape[0] * LOG_2PI + squares) - np.sum(self.log_diagonal, axis=-1)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws (1), an array n + batch_shape + (D,).

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n.
        """
        return values(self.mean) + on_vectors(np.matmul, values(self.scale_tril), self.draw_noise(n, rng))

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (1) as a differentiable function of the mean and the factor, n + batch_shape + (D,).

        Args:
            n: how many, an int or a shape.
            rng: draws η.
            noise: η itself, of the shape of the result, instead of ``rng``.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for a negative n, or noise of another shape.

        >>> p = MultivariateNormal(np.array([0.0, 5.0]), np.array([[2.0, 0.0], [1.0, 1.0]]))
        >>> p.rsample((), noise=np.array([1.0, -1.0]))
        array([2., 5.])
        """
        return self.mean + on_vectors(np.matmul, self.scale_tril, self.noise_for(n, rng, noise))

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """η ~ N(0, I) for n draws, in the dtype of the parameters."""
        shape = shape_of(n) + self.batch_shape + self.event_shape
        return generator(rng).standard_normal(shape, dtype=self.dtype)

    def entropy(self) -> Any:
        """The differential entropy (4) in nats, batch_shape; it can be negative."""
        entropy = 0.5 * self.event_shape[0] * (1.0 + LOG_2PI) + np.sum(self.log_diagonal, axis=-1)
        return spread(entropy, self.batch_shape)


def batch_shape_of(mean: Shape, scale_tril: Shape) -> Shape:
    """The batch shape of parameters of these shapes.

    Raises:
        ValueError: unless they are (…, D) and (…, D, D), with leading axes that broadcast and D of 1 or more.
    """
    got = f"mean has shape {mean} and scale_tril {scale_tril}"
    if not mean or mean[-1] == 0 or scale_tril[-2:] != (mean[-1], mean[-1]):
        raise ValueError(f"{got}; they must be (…, D) and (…, D, D), with D of 1 or more")
    try:
        return np.broadcast_shapes(mean[:-1], scale_tril[:-2])
    except ValueError:
        raise ValueError(f"{got}; what stands before D does not broadcast") from None
