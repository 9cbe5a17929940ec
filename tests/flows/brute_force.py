"""The Jacobian of a transform by brute force: no derivative rule, and no formula of the transform, is used."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, jacobian, no_grad

# f′(0) ≈ Σ_k c_k (f(k h) − f(−k h)) / h, exact for polynomials of degree 10; the rest of the error is rounding
COEFFICIENTS = np.array([5 / 6, -5 / 21, 5 / 84, -5 / 504, 1 / 1260])
STEP = 2e-3

Map = Callable[[np.ndarray], np.ndarray]


def plain(result: Any) -> np.ndarray:
    return np.asarray(result.data if isinstance(result, Tensor) else result)


def by_differences(f: Map, x: np.ndarray) -> np.ndarray:
    """∂f/∂x of one x, flattened: (D, D), by differences over ± 0.01."""
    columns = []
    for j in range(x.size):
        u = np.zeros(x.size)
        u[j] = STEP
        u = u.reshape(x.shape)
        pairs = [(f(x + k * u) - f(x - k * u)).ravel() for k in range(1, 6)]
        columns.append(sum(c * pair for c, pair in zip(COEFFICIENTS, pairs)) / STEP)
    return np.stack(columns, axis=1)


def log_abs_det(apply: Any, x: np.ndarray, context: np.ndarray | None, smooth: bool) -> np.ndarray:
    """log |det| of the Jacobian of ``apply``, a direction of a transform, at each row: (B,)."""
    found = []
    for i in range(len(x)):
        row = None if context is None else context[i : i + 1]

        def one(value: Any, row: Any = row) -> Any:
            return apply(value[None], row)[0][0]

        def value_of(value: np.ndarray, one: Any = one) -> np.ndarray:
            with no_grad():
                return plain(one(value))

        full = by_differences(value_of, x[i]) if smooth else plain(jacobian(one)(x[i])).reshape(x[i].size, x[i].size)
        found.append(np.linalg.slogdet(full)[1])
    return np.array(found)
