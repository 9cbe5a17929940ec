"""A VAE of which everything is known: linear, Gaussian, with orthogonal columns.

    x = W z + b + s ε,   z ~ N(0, I),   WᵀW diagonal                                            (1)
    p(x) = N(b, W Wᵀ + s² I)                                                                    (2)
    p(z | x) = N(M Wᵀ (x − b), s² M),  M = (WᵀW + s² I)⁻¹, diagonal                             (3)

With (3) as its encoder the bound is tight for every z.
"""

import numpy as np
from scipy.stats import multivariate_normal

from scratchgen.latent import VAE, GaussianLikelihood
from scratchgen.nn import Linear

LATENT, DIM = 2, 3
W = np.array([[1.0, 0.5], [0.5, -1.0], [0.3, 0.0]])
W[:, 1] -= W[:, 0] * (W[:, 0] @ W[:, 1]) / (W[:, 0] @ W[:, 0])
B = np.array([0.3, -0.2, 1.0])
VARIANCE = 0.4
M = np.diag(1 / (np.diag(W.T @ W) + VARIANCE))
X = np.array([[0.1, 0.4, -0.7], [2.0, -1.0, 0.3], [0.0, 0.0, 0.0], [-1.5, 2.5, 1.0]])


def log_p(x):
    """The exact log-likelihood (2)."""
    return multivariate_normal(B, W @ W.T + VARIANCE * np.eye(DIM)).logpdf(x)


def posterior(x):
    """Mean and variance of (3)."""
    return (x - B) @ W @ M, np.broadcast_to(VARIANCE * np.diag(M), (len(x), LATENT))


def linear_layer(weights, bias):
    layer = Linear(*weights.shape, rng=0, dtype=np.float64)
    layer.W.assign(weights)
    layer.b.assign(bias)
    return layer


def model(shift=0.0, stretch=0.0, **options):
    """The VAE (1) with the posterior (3), its mean moved by ``shift`` and its log-variance by ``stretch``."""
    encoder = linear_layer(
        np.concatenate([W @ M, np.zeros((DIM, LATENT))], axis=1),
        np.concatenate([-B @ W @ M + shift, np.log(VARIANCE * np.diag(M)) + stretch]),
    )
    likelihood = GaussianLikelihood(DIM)
    raw = likelihood.least + np.log(np.expm1(np.log(VARIANCE) - likelihood.least))  # softplus undone
    weights, bias = np.zeros((LATENT, DIM, 2)), np.zeros((DIM, 2))
    weights[:, :, 0], bias[:, 0], bias[:, 1] = W.T, B, raw
    decoder = linear_layer(weights.reshape(LATENT, 2 * DIM), bias.reshape(-1))
    return VAE(encoder, decoder, likelihood, LATENT, **options)


def gauss_hermite_nodes(order=4):
    """Nodes (n, LATENT) and weights (n,) with which E over N(0, I) is exact for polynomials of degree 2 order − 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, LATENT)
    return grid, np.outer(weights, weights).ravel() / (2 * np.pi)
