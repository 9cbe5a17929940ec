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
MOST_NODES = 5_000_000  # of a rule, or points of a grid


def gauss_legendre(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """The nodes t_k and weights w_k of (1), both (16 × panels,); the weights sum to high − low.

    Raises:
        ValueError: for more than 5 million nodes.

    >>> t, w = gauss_legendre(0.0, 2.0, panels=3)
    >>> round(float(w @ t**2), 12)                     # 2³ / 3
    2.666666666667
    """
    require_few(ORDER * panels)
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)  # on [−1, 1]
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    centres = edges[:-1, None] + half
    return (centres + half * nodes).ravel(), (half * weights).ravel()


def require_few(nodes: int) -> None:
    """Refuse so many nodes, or points of a grid, that memory might not hold them.

    Raises:
        ValueError: with their number.

    >>> require_few(100**4)
    Traceback (most recent call last):
    ValueError: so little noise needs 100,000,000 nodes, and at most 5,000,000 are taken: raise std
    """
    if nodes > MOST_NODES:
        raise ValueError(f"so little noise needs {nodes:,} nodes, and at most {MOST_NODES:,} are taken: raise std")


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
        top = np.where(np.isfinite(top), top, 0)  # exp(l) is 0 at every node, far away: or −∞ − (−∞) would be NaN
        with np.errstate(divide="ignore"):
            total[start : start + rows] = top[:, 0] + np.log(np.exp(block - top).sum(axis=1))
    return total
