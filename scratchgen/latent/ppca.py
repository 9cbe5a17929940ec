"""Maximum likelihood for the linear-Gaussian model: probabilistic PCA in closed form, factor analysis by EM.

The model, x = W z + b + ε, and its equations are those of ``linear_gaussian``. Over data x_1 … x_N with covariance
S = (1/N) Σ_n (x_n − b)(x_n − b)ᵀ, the mean log-likelihood is

    −½ (D log 2π + log det C + tr C⁻¹ S),     largest in b at b = mean of x, whatever C is        (1)

*Probabilistic PCA.* With λ_1 ≥ … ≥ λ_D the eigenvalues of S and U the first M eigenvectors, the maximum is at

    s² = mean of λ_{M+1} … λ_D,     W = U (Λ − s² I)^½ R,     R any orthogonal matrix; here I    (2)

with Λ = diag(λ_1 … λ_M): the plane is that of PCA, and the noise is the variance that it leaves out, per dimension.
There C has the eigenvalues λ_1 … λ_M and D − M times s², and tr C⁻¹ S = D, so that (1) is

    −½ (D log 2π + Σ_{j≤M} log λ_j + (D − M) log s² + D)                                         (3)

*EM*, for either model. The E-step gives E[z_n] = m_n and Cov[z_n] = P⁻¹; the M-step is the regression of x on z:

    W' = [Σ_n (x_n − b) m_nᵀ] [N P⁻¹ + Σ_n m_n m_nᵀ]⁻¹                                           (4)
    Ψ'_jj = E[(x_j − b_j − w'_jᵀ z)²] = mean_n (x_nj − b_j − w'_jᵀ m_n)² + w'_jᵀ P⁻¹ w'_j        (5)

with w_j the j-th row of W; s² is the mean of (5) over j. The last term is that of the uncertainty about z: without it
the noise would be too small.

Where the scales of the columns of x differ, so do the models: probabilistic PCA follows the large columns, factor
analysis gives each column a noise of its own, and is the same in any units.

Source: Tipping and Bishop, 1999, equations (7) and (8), appendix A for the maximum, appendix B for EM; Rubin and
Thayer, EM algorithms for ML factor analysis, Psychometrika 47, 1982; Bishop, 2006, equations (12.44)–(12.47),
(12.54)–(12.57), (12.66)–(12.70).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions.arguments import array_of, require
from scratchgen.distributions.normal import LOG_2PI
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import log_noise, require_rows, require_variance, require_vectors
from scratchgen.latent.exact_em import Climb, climb
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.random import Rng, generator


def fit_ppca(x: Any, latent: int) -> LinearGaussian:
    """The probabilistic PCA of largest likelihood, by (2); its mean log-likelihood is ``best_log_likelihood``.

    Args:
        x: (N, D), float32 or float64; the model has the same dtype.
        latent: M, less than D.

    Raises:
        TypeError: for latent that is no int, or another dtype.
        ValueError: for a shape or values that will not do; for latent ≥ D; for too few rows; for data that lie in an
            M-dimensional plane, of which the likelihood is unbounded.

    >>> x = np.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> model = fit_ppca(x, latent=1)
    >>> np.round(model.covariance().data, 6)                          # for M = D − 1 it is that of the data
    array([[5., 4.],
           [4., 5.]])
    """
    x = data_for(x, latent)
    values, vectors = spectrum(x, latent)
    noise = np.mean(values[latent:])
    W = vectors[:, :latent] * np.sqrt(values[:latent] - noise)
    b, logvar = np.mean(x, axis=0, dtype=np.float64), np.log(noise)
    return LinearGaussian(W.astype(x.dtype), b.astype(x.dtype), logvar.astype(x.dtype))


def best_log_likelihood(x: Any, latent: int) -> float:
    """The largest mean log-likelihood (3) of probabilistic PCA on x, nats per example; errors as ``fit_ppca``.

    >>> x = np.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> bool(np.isclose(best_log_likelihood(x, latent=1), fit_ppca(x, latent=1).log_prob(x).data.mean()))
    True
    """
    values, _ = spectrum(data_for(x, latent), latent)
    D = len(values)
    noise = np.mean(values[latent:])
    log_det = np.sum(np.log(values[:latent])) + (D - latent) * np.log(noise)
    return float(-0.5 * (D * LOG_2PI + log_det + D))


def spectrum(x: np.ndarray, latent: int) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues (D,) of S, largest first, and the eigenvectors (D, D) as columns, in float64.

    Raises:
        ValueError: if all but ``latent`` of the eigenvalues are 0.
    """
    S = np.cov(x, rowvar=False, bias=True, dtype=np.float64)  # bias: divided by N, not N − 1
    values, vectors = np.linalg.eigh(S)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    # The rounding of S in float64; and that of x, squared, since λ is a square of x.
    rounding = 10 * len(values) * max(np.finfo(np.float64).eps, np.finfo(x.dtype).eps ** 2)
    if values[latent] <= rounding * values[0]:
        raise ValueError(
            f"x lies in a plane of {latent} dimensions or fewer, so with latent={latent} the noise would be 0 and the "
            "likelihood infinite; lower latent, or add noise to x"
        )
    return values, vectors


def random_start(x: Any, latent: int, rng: Rng, diagonal: bool = False) -> LinearGaussian:
    """Where EM can start: b the mean of x, the noise its variance, and W random, of the same scale.

    Args:
        x: (N, D), float32 or float64.
        latent: M, less than D.
        rng: draws W.
        diagonal: a noise for each column, as in factor analysis; otherwise one for all.

    Raises:
        TypeError, ValueError: as ``fit_ppca``; for a column of zero variance if ``diagonal``, since its noise would
            become 0 and the likelihood infinite.

    >>> random_start(np.eye(4), latent=2, rng=0, diagonal=True)
    LinearGaussian(W=(4, 2), b=(4,), logvar=(4,))
    """
    x = data_for(x, latent)
    variance = np.var(x, axis=0)
    if diagonal:
        require_variance(x)
    spectrum(x / np.sqrt(variance) if diagonal else x, latent)
    noise = variance if diagonal else np.mean(variance)
    W = np.sqrt(variance / latent)[:, None] * generator(rng).standard_normal((x.shape[1], latent), dtype=x.dtype)
    return LinearGaussian(W, np.mean(x, axis=0), np.log(noise))


def em_step(model: LinearGaussian, x: Any) -> LinearGaussian:
    """One EM step, (4) and (5), of factor analysis or probabilistic PCA, whichever ``model`` is; b is the mean of x.

    Args:
        model: the parameters before; it stays as it is.
        x: (N, D), in the dtype of the model.

    Returns:
        a model with a likelihood that is higher, or as high at the top.

    Raises:
        TypeError, ValueError: as ``log_prob``; for an empty batch; where the noise would be 0.

    >>> x = np.array([[3.0, 2.9], [-1.0, -1.2], [1.0, 1.1], [-2.0, -1.9]])
    >>> model = LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0)
    >>> bool(em_step(model, x).loss(x) < model.loss(x))
    True
    """
    require_rows(x, "a mean over the data")
    x = require_vectors(x, len(model.b), model.dtype)
    b = np.mean(x, axis=0)  # before the E-step: by (1) it is the best whatever W and Ψ are
    with no_grad():
        m = LinearGaussian(model.W.data, b, model.logvar.data).posterior_mean(x).data  # (N, M)
        covariance = np.linalg.inv(model.precision().data)
    centred = x - b
    second_moment = len(x) * covariance + m.T @ m  # Σ_n E[z_n z_nᵀ]
    W = np.linalg.solve(second_moment, m.T @ centred).T  # (4)
    noise = np.mean(np.square(centred - m @ W.T), axis=0) + np.sum(W @ covariance * W, axis=1)  # (5)
    return LinearGaussian(W, b, log_noise(noise if model.logvar.ndim else np.mean(noise)))


def fit_factor_analysis(x: Any, latent: int, rng: Rng, steps: int = 2000, tolerance: float = 1e-9) -> Climb:
    """Factor analysis by EM from a random start, and the likelihood at each step.

    Args:
        x: (N, D), float32 or float64.
        latent: M, less than D.
        rng: draws the start.
        steps, tolerance: when to end, see ``climb``.

    Raises:
        TypeError, ValueError: as ``random_start``.

    >>> x = LinearGaussian(np.array([[1.0], [-2.0], [3.0]]), np.zeros(3), np.log([0.1, 1.0, 2.0])).sample(100, rng=0)
    >>> model, log_likelihoods = fit_factor_analysis(x, latent=1, rng=0)
    >>> bool(np.all(np.diff(log_likelihoods) > -1e-12))
    True
    """
    return climb(em_step, random_start(x, latent, rng, diagonal=True), x, steps, tolerance)


def principal_angles(A: Any, B: Any) -> np.ndarray:
    """The angles between the planes that the columns of A (D, M) and B (D, K) span, in radians, the largest first.

    All are 0 if the planes are one, whatever the axes within: W and W R give 0.

    >>> principal_angles(np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]])) * 180 / np.pi
    array([45.])
    """
    from scipy.linalg import subspace_angles

    return np.asarray(subspace_angles(np.asarray(A), np.asarray(B)))


# -- what is refused -----------------------------------------------------------------------------------------------


def data_for(x: Any, latent: int) -> np.ndarray:
    """x as an array (N, D) that has a fit with ``latent`` dimensions of z; errors as ``fit_ppca``."""
    require_int("latent", latent)
    x = np.asarray(array_of("x", x))
    if x.ndim != 2:
        raise ValueError(f"x has shape {x.shape}; it must be (N, D)")
    if latent >= x.shape[1]:
        raise ValueError(f"latent is {latent}; it must be less than the {x.shape[1]} columns of x")
    require_rows(x, f"latent={latent} with some noise left over", least=latent + 2)
    require("x", x, np.isfinite, "it must be finite")
    return x
