"""The linear-Gaussian model, a latent-variable model of which everything is known (lecture pp. 3–4).

    z ~ N(0, I),    x = W z + b + ε,    ε ~ N(0, Ψ)                                            (1)

x has D dimensions, z has M: each x is a point of the M-dimensional plane b + W z, with noise. Where Ψ = s² I this is
*probabilistic PCA*; where Ψ is diagonal it is *factor analysis*. Sums of normal variables are normal, so the marginal
and the posterior are known:

    p(x) = N(x; b, C),        C = W Wᵀ + Ψ                                                     (2)
    p(z | x) = N(z; m, P⁻¹),  P = I + Wᵀ Ψ⁻¹ W,  m = P⁻¹ Wᵀ Ψ⁻¹ (x − b)                        (3)

(3) is read off the logarithm of p(z | x) ∝ p(x | z) p(z): it is quadratic in z, its second derivative is −P, and its
first derivative, Wᵀ Ψ⁻¹ (x − b) − P z, is 0 at m.

C is D × D, and P only M × M. As p(x) = p(x | z) p(z) / p(z | x) for every z, (2) can be had from (3), at z = m:

    log p(x) = log p(x | m) − ½ ‖m‖² − ½ log det P                                             (4)

So neither det C nor C⁻¹ is computed. (The identities of matrices that this amounts to are Woodbury's and the matrix
determinant lemma.)

*What the data cannot tell.* For an orthogonal R, W R and W have the same C: R Rᵀ = I. The likelihood determines the
plane, not the axes within it. Two fits are compared by C, or by the angles between their planes.

Source: Tipping and Bishop, Probabilistic principal component analysis, J. R. Stat. Soc. B 61, 1999, section 3;
Bishop, Pattern Recognition and Machine Learning, 2006, sections 12.2 and 12.2.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, MultivariateNormal, Normal
from scratchgen.distributions.arguments import listed, of_one_dtype
from scratchgen.distributions.distribution import values
from scratchgen.latent.arguments import require_rows, require_vectors
from scratchgen.latent.joint import Ancestral
from scratchgen.nn import Module
from scratchgen.random import Rng


class LinearGaussian(Ancestral, Module):
    """The model (1). Its parameters can be trained by gradient; ``ppca`` fits them by closed form and EM.

    Args:
        W: (D, M), an array: the directions in which z moves x.
        b: (D,), the mean of x.
        logvar: log of the variance of the noise: () or a number for one s² (probabilistic PCA), (D,) for a diagonal Ψ
            (factor analysis).

    Attributes:
        W, b, logvar: the same, as parameters.

    Raises:
        TypeError: for arrays that are not float32 or float64, or some of each.
        ValueError: for shapes that do not fit; for NaN or inf.

    >>> model = LinearGaussian(np.array([[2.0], [0.0]]), np.zeros(2), np.array(0.0))
    >>> model.covariance().data                                       # W Wᵀ + s² I
    array([[5., 0.],
           [0., 1.]])
    >>> model.log_prob(np.array([[0.0, 0.0], [5.0, 0.0]])).data.round(4)
    array([-2.6426, -5.1426])
    """

    def __init__(self, W: Any, b: Any, logvar: Any) -> None:
        arrays = of_one_dtype(W=W, b=b, logvar=logvar)
        shapes = {name: a.shape for name, a in zip(("W", "b", "logvar"), arrays)}
        D, M = shapes["W"] if len(shapes["W"]) == 2 else (0, 0)
        if not (D and M) or shapes["b"] != (D,) or shapes["logvar"] not in ((), (D,)):
            raise ValueError(f"{listed(shapes)}; they must be (D, M), (D,) and () or (D,), with D and M of 1 or more")
        self.W, self.b, self.logvar = (Tensor(values(a), requires_grad=True) for a in arrays)

    @property
    def latent(self) -> int:
        """M, the dimension of z."""
        return self.W.shape[1]

    # -- the joint: prior and p(x | z) ---------------------------------------------------------------------------------

    def prior(self, like: Any = None) -> Independent:
        """p(z) = N(0, I), events of shape (M,); in the dtype of ``like``, or of the parameters."""
        zeros = np.zeros(self.latent, self.dtype if like is None else like.dtype)
        return Independent(Normal(zeros, zeros), 1)

    def decode(self, z: Any) -> Independent:
        """p(x | z) = N(W z + b, Ψ) (1) for z (N, M).

        Raises:
            ValueError: for z of another shape.
        """
        if len(z.shape) != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z has shape {z.shape}; the decoder wants (N, {self.latent})")
        return Independent(Normal(z @ self.W.T + self.b, self.logvar), 1)

    # -- the marginal and the posterior --------------------------------------------------------------------------------

    def covariance(self) -> Tensor:
        """C of (2), (D, D)."""
        return self.W @ self.W.T + np.exp(self.logvar) * np.eye(len(self.b), dtype=self.dtype)

    def precision(self) -> Tensor:
        """P of (3), (M, M): the inverse of the posterior's covariance, which is the same for every x."""
        return self.scaled().T @ self.W + np.eye(self.latent, dtype=self.dtype)

    def scaled(self) -> Tensor:
        """Ψ⁻¹ W, (D, M)."""
        return self.W * np.exp(-self.logvar)[..., None]  # (1,) or (D, 1): row j of W by the noise of x_j

    def posterior_mean(self, x: Any) -> Tensor:
        """m of (3), (B, M), for x (B, D); it is linear in x − b."""
        gain = np.linalg.solve(self.precision(), self.scaled().T)  # P⁻¹ Wᵀ Ψ⁻¹, (M, D)
        return (require_vectors(x, len(self.b), self.dtype) - self.b) @ gain.T

    def posterior(self, x: Any) -> MultivariateNormal:
        """p(z | x) (3), exact, for x (B, D): a batch of B, with the same covariance for each; errors as ``log_prob``.

        >>> model = LinearGaussian(np.array([[1.0], [1.0]]), np.zeros(2), 0.0)
        >>> posterior = model.posterior(np.array([[3.0, 3.0]]))
        >>> posterior.mean.data, posterior.covariance.data[0].round(4)
        (array([[2.]]), array([[0.3333]]))
        """
        return MultivariateNormal(self.posterior_mean(x), np.linalg.cholesky(np.linalg.inv(self.precision())))

    def log_prob(self, x: Any) -> Tensor:
        """The exact log p(x) by (4), in nats, (B,).

        Args:
            x: (B, D), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape; for NaN or inf.
        """
        m = self.posterior_mean(x)
        log_det = np.linalg.slogdet(self.precision())[1]
        return self.decode(m).log_prob(x) - 0.5 * np.sum(m * m, axis=-1) - 0.5 * log_det

    def loss(self, x: Any, rng: Rng | None = None) -> Tensor:
        """−log p(x), exact, averaged over the batch: nats per example; it needs no ``rng``.

        Raises:
            TypeError, ValueError: as ``log_prob``; for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        return -self.log_prob(x).mean()
