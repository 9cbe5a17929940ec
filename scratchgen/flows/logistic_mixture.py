"""The distribution function of a mixture of logistics: flexible, with an inverse that has to be searched for (p. 11).

    F(x) = Σ_k w_k σ(u_k),    u_k = (x − m_k) e^{−s_k},    w = softmax(l)                      (1)
    y = log F(x) − log(1 − F(x))                                                               (2)
    log dy/dx = log F′ − log F − log(1 − F),    F′ = Σ_k w_k e^{−s_k} σ(u_k) σ(−u_k)           (3)
    z = (y − b) e^{−a}                                                                         (4)

If x has the density F′, then F(x) is uniform on (0, 1), and y is logistic: (2) flattens as many modes as there are
components into one. σ(−u) = 1 − σ(u), so log F and log(1 − F) are both logarithms of sums of what is positive: both
tails keep their digits, where F itself would round to 1. With one component y is (x − m) e^{−s}.

The inverse has no closed form, but a bracket. If only component k were there, x would be m_k + e^{s_k} y. At the least
of these no σ(u_k) exceeds σ(y), and at the largest none is below it:

    min_k (m_k + e^{s_k} y)  ≤  x  ≤  max_k (m_k + e^{s_k} y)                                  (5)

Source: Ho et al., Flow++, arXiv:1902.00275, section 3.2.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import log_sigmoid, log_softmax, logsumexp
from scratchgen.distributions.distribution import values
from scratchgen.flows.root import solve_increasing
from scratchgen.flows.scalar_maps import AffineMap, MappedNumbers, ScalarMap, bounded, checked_bound, require_theta
from scratchgen.nn.inputs import check_sizes

ROUNDING = 8.0  # units of machine precision by which y (2), a difference, is off where it is near 0


class LogisticMixtureMap(ScalarMap):
    """The logit of the distribution function of K logistics (2), and an affine map after it (4).

    A θ has 3 K + 2 numbers: the l of the K components, their m, what their s are made of, and the two of the affine
    map. Where a network gives 0 all components are the same, and F is σ. Components that are equal stay equal, as
    their gradients are: the network should not start with zeros.

    Args:
        components: K.
        most: the most that an s can be, and −most the least: see ``scalar_maps.bounded``.

    Raises:
        ValueError: for components < 1; for most that is not above 0 and finite.

    >>> g = LogisticMixtureMap(components=2)
    >>> theta = np.array([[0.0, 0.0, -3.0, 3.0, 0.0, 0.0, 0.0, 0.0]])        # halves around −3 and 3
    >>> z, log_slope = g.forward(np.array([0.0]), theta)
    >>> z.round(4), np.exp(log_slope).round(4)                               # F′ = σ(3) σ(−3), and 4 F′
    (array([0.]), array([0.1807]))
    >>> g.inverse(z, theta)[0].round(4)
    array([0.])
    """

    def __init__(self, components: int = 4, most: float = 5.0) -> None:
        check_sizes(components=components)
        self.components, self.most, self.affine = int(components), checked_bound(most), AffineMap()
        self.numbers = 3 * self.components + self.affine.numbers

    def forward(self, x: Any, theta: Any) -> MappedNumbers:
        """Data → noise: (2) and (4), with (3)."""
        require_theta(x, theta, self.numbers)
        y, log_slope = self.logit_of_cdf(x, theta)
        z, more = self.affine.forward(y, theta[..., 3 * self.components :])
        return z, log_slope + more

    def inverse(self, z: Any, theta: Any) -> MappedNumbers:
        """Noise → data: y by (4), then x by a search within (5).

        Raises:
            ValueError: for NaN or inf in z.
            ArithmeticError: if the search does not converge, which no θ is known to bring about.
        """
        require_theta(z, theta, self.numbers)
        y, more = self.affine.inverse(z, theta[..., 3 * self.components :])

        def f(x: Any) -> MappedNumbers:
            value, log_slope = self.logit_of_cdf(x, theta)
            return value, np.exp(log_slope)

        x = solve_increasing(f, y, self.bracket(values(y), values(theta)), ROUNDING)
        return x, more - self.logit_of_cdf(x, theta)[1]

    def logit_of_cdf(self, x: Any, theta: Any) -> MappedNumbers:
        """y (2) and log dy/dx (3)."""
        log_w, m, s = self.mixture(theta)
        u = (x[..., None] - m) * np.exp(-s)
        left, right = log_sigmoid(u), log_sigmoid(-u)
        log_F, log_rest = logsumexp(log_w + left, axis=-1), logsumexp(log_w + right, axis=-1)
        return log_F - log_rest, logsumexp(log_w - s + left + right, axis=-1) - log_F - log_rest

    def mixture(self, theta: Any) -> tuple[Any, Any, Any]:
        """log w, m and s, (…, K) each."""
        K = self.components
        return log_softmax(theta[..., :K]), theta[..., K : 2 * K], bounded(theta[..., 2 * K : 3 * K], self.most)

    def bracket(self, y: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The bounds (5), and a little more, for what is rounded."""
        _, m, s = self.mixture(theta)
        x = m + np.exp(s) * y[..., None]
        low, high = x.min(axis=-1), x.max(axis=-1)
        return low - 1e-3 * (1 + np.abs(low)), high + 1e-3 * (1 + np.abs(high))
