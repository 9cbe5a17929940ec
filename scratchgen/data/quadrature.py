"""Integrals over a latent variable as weighted sums: how the known truths of the toys are computed.

    ∫_a^b f(t) dt ≈ Σ_k w_k f(t_k)                                       Gauss–Legendre nodes    (1)
    log ∫ exp(l(x, t)) dt ≈ log Σ_k exp(log w_k + l(x, t_k))             for each x              (2)

The interval is cut into panels with 16 nodes each; a panel is integrated exactly if f is a polynomial of degree 31
there, and to about 1e-12 if f is a bell whose standard deviation is a quarter of the panel or more.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ORDER = 16  # nodes in each panel
BLOCK = 1 << 19  # numbers in memory at a time


def gauss_legendre(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """The nodes t_k and weights w_k of (1), both (16 × panels,); the weights sum to high − low.

    >>> t, w = gauss_legendre(0.0, 2.0, panels=3)
    >>> round(float(w @ t**2), 12)                     # 2³ / 3
    2.666666666667
    """
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)  # on [−1, 1]
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    centres = edges[:-1, None] + half
    return (centres + half * nodes).ravel(), (half * weights).ravel()


def log_integral(log_f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Equation (2) for each row of x: (n,); a block of rows at a time, so that memory stays small.

    Args:
        log_f: from m rows of x to l(x, t_k), (m, nodes).
        x: (n, d).
        weights: w_k, (nodes,).

    >>> t, w = gauss_legendre(-9.0, 9.0, panels=9)
    >>> x = np.array([[0.3], [1.0]])                   # ∫ exp(−½ (x − t)²) dt = √(2π)
    >>> np.exp(log_integral(lambda rows: -0.5 * (rows - t) ** 2, x, w)).round(6)
    array([2.506628, 2.506628])
    """
    log_w, rows = np.log(weights), max(1, BLOCK // len(weights))
    total = np.empty(len(x))
    for start in range(0, len(x), rows):
        block = log_f(x[start : start + rows]) + log_w  # (m, nodes)
        top = block.max(axis=1, keepdims=True)
        total[start : start + rows] = top[:, 0] + np.log(np.exp(block - top).sum(axis=1))
    return total
