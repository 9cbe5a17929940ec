"""A linear probe: what a simple classifier can read from codes that were learned without labels (lecture p. 2).

    p(y = c | h) = softmax(h W + b)_c                                     logistic regression    (1)
    minimise  −(1/n) Σ_i log p(y_i | h_i) + ½ penalty · |W|²                                     (2)

h are codes, pixels, or any other features; they stay as they are, and only W and b are fitted. (2) is convex. With a
penalty above 0 and data of every class it has one optimum, but for a number added to all of b, which changes no
probability. So the result depends on the data alone: not on a learning rate or a seed. There the derivative in W is 0:

    (1/n) Σ_i (p(· | h_i) − onehot(y_i)) h_iᵀ + penalty · W = 0                                  (3)

Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import Categorical
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int, require_number
from scratchgen.latent.arguments import require_rows
from scratchgen.nn import Module
from scratchgen.random import Rng


class LinearProbe(Module):
    """Multinomial logistic regression (1) in float64.

    Args:
        features: the width of h.
        classes: how many values y has.
        penalty: of (2), above 0. A penalty of λ/n is a prior N(0, 1/λ) of each weight.

    Attributes:
        W: (features, classes).
        b: (classes,).

    Raises:
        TypeError: for features or classes that are no int.
        ValueError: for features < 1, classes < 2, or a penalty that is not above 0 and finite.

    >>> h, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> probe = LinearProbe(1, classes=2, penalty=0.1).fit(h, y)
    >>> probe.accuracy(np.array([[-0.1], [0.1], [3.0]]), np.array([0, 1, 0]))
    0.6666666666666666
    """

    def __init__(self, features: int, classes: int, penalty: float) -> None:
        require_int("features", features)
        require_int("classes", classes, least=2)
        require_number("penalty", penalty, least=0)
        if not 0 < penalty < math.inf:
            raise ValueError(
                f"penalty is {penalty}; it must be above 0 and finite: without one, classes that a plane tells apart "
                "have no optimum"
            )
        self.penalty = penalty
        self.W = Tensor(np.zeros((features, classes)), requires_grad=True)
        self.b = Tensor(np.zeros(classes), requires_grad=True)

    def forward(self, h: Any) -> Tensor:
        """The logits h W + b of (1), (n, classes).

        Raises:
            TypeError: for a masked array.
            ValueError: for h that is not (n, features), or with NaN or inf.
        """
        h = np.asarray(unmasked("h", h), np.float64)
        if h.ndim != 2 or h.shape[1] != self.W.shape[0]:
            raise ValueError(f"h has shape {h.shape}; the probe wants (n, {self.W.shape[0]})")
        require("h", h, np.isfinite, "it must be finite")
        return h @ self.W + self.b

    def loss(self, h: Any, y: Any, rng: Rng | None = None) -> Tensor:
        """The objective (2) in nats per example; it needs no ``rng``.

        Raises:
            TypeError, ValueError: as ``forward``; for y that are no integers, not one for each row of h, or outside
                0 … classes − 1; for no rows.
        """
        require_rows(h, "a mean over the examples")
        logits = self(h)
        if np.shape(y) != logits.shape[:1]:
            raise ValueError(f"y has shape {np.shape(y)} for {len(logits)} rows of h; it must be ({len(logits)},)")
        return 0.5 * self.penalty * np.sum(np.square(self.W)) - np.mean(Categorical(logits).log_prob(y))

    def fit(self, h: Any, y: Any) -> LinearProbe:
        """Set W and b to the optimum of (2), by L-BFGS from where they are; returns the probe itself.

        Raises:
            TypeError, ValueError: as ``loss``; for a class without examples, whose b would fall without end.
            RuntimeError: if the optimum was not reached; W and b are then as they were.
        """
        from scipy.optimize import minimize  # not above: it is slow to import

        with no_grad():
            self.loss(h, y)  # refuses what does not fit
        examples = np.bincount(self.labels(y), minlength=len(self.b))
        if not examples.all():
            none = np.flatnonzero(examples == 0).tolist()
            raise ValueError(f"y has no examples of the classes {none}; number those that there are 0, 1, …")
        split, shape = self.W.size, self.W.shape

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            self.W.assign(flat[:split].reshape(shape))
            self.b.assign(flat[split:])
            self.W.grad = self.b.grad = None
            loss = self.loss(h, y)
            loss.backward()
            return loss.item(), np.concatenate([self.W.grad.ravel(), self.b.grad])

        start = np.concatenate([self.W.data.ravel(), self.b.data])
        options = {"maxiter": 5000, "maxfun": 10_000, "gtol": 1e-7, "ftol": 0.0}
        result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        steepest = np.abs(objective(result.x)[1]).max()
        self.W.grad = self.b.grad = None
        if not steepest < 1e-5:
            self.W.assign(start[:split].reshape(shape))  # as if nothing had been tried
            self.b.assign(start[split:])
            raise RuntimeError(
                f"the probe did not converge: a derivative of its loss is {steepest:.1e}; scale h to be about 1"
            )
        return self

    def predict(self, h: Any) -> np.ndarray:
        """The most probable class of each row, (n,)."""
        with no_grad():
            return np.argmax(self(h).data, axis=1)

    def accuracy(self, h: Any, y: Any) -> float:
        """The fraction of rows whose most probable class is y.

        Raises:
            TypeError: for y that are no integers, or masked.
            ValueError: for no rows, or y of another length; for y outside 0 … classes − 1.
        """
        require_rows(h, "a fraction of the examples")
        if np.shape(y) != (len(h),):
            raise ValueError(f"y has shape {np.shape(y)} for {len(h)} rows of h; it must be ({len(h)},)")
        return float(np.mean(self.predict(h) == self.labels(y)))

    def labels(self, y: Any) -> np.ndarray:
        """y, once it is known to be of classes: no label would equal another spelling of it, such as "3"."""
        y, classes = np.asarray(unmasked("y", y)), len(self.b)
        if y.dtype.kind not in "iu":
            raise TypeError(f"y is {y.dtype}; it must be integers from 0 to {classes - 1}")
        require("y", y, lambda c: (c >= 0) & (c < classes), f"it must be from 0 to {classes - 1}")
        return y
