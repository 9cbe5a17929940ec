"""Where training starts: random weights that neither blow the signal up nor let it die out.

For y = x @ W with independent x and independent W of mean 0 and standard deviation s,

    Var(y) = fan_in · s² · E[x²],    and, backwards,   Var(dL/dx) = fan_out · s² · E[(dL/dy)²]         (1)

where fan_in is the number of inputs that one output adds up, and fan_out the number of outputs that one input goes to.
Each initialisation is an answer to what s should be:

    Glorot            s = gain √(2 / (fan_in + fan_out))     both variances, as nearly as one s can       (2)
    He                s = gain / √fan_in, gain = √2          the forward one; relu halves E[x²]           (3)
    uniform_fan_in    s = gain / √(3 fan_in)                 the bound of the uniform is gain / √fan_in   (4)
    orthogonal        WᵀW = gain² 1                          lengths and angles, not only on average      (5)

A uniform distribution on [−a, a] has the standard deviation a / √3. Shapes are (…, in, out), as of all weights here but
those of a transposed convolution, (…, out, in). Leading axes are those of a convolution's kernel: an output adds up
in · (kernel height) · (kernel width) numbers.

Sources: (2) Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
eq. (12) and (16). (3) He et al., arXiv:1502.01852, eq. (10). (4) PyTorch's Linear and Conv2d; LeCun et al., Efficient
BackProp, 1998, §4.6, have 1 / √fan_in as s, not as the bound. (5) Saxe, McClelland and Ganguli, arXiv:1312.6120; drawn
as by Mezzadri, arXiv:math-ph/0609050.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.random import Rng, generator

Shape = tuple[int, ...]
Initialisation = Callable[..., np.ndarray]  # (shape, rng, gain=…, dtype=…) → array


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of weights (…, in, out).

    Raises:
        ValueError: for fewer than two axes: a bias has no fans.

    >>> fans((784, 400)), fans((4, 4, 64, 128))
    ((784, 400), (1024, 2048))
    """
    if len(shape) < 2:
        raise ValueError(f"shape is {shape}; weights are (…, in, out)")
    field = int(np.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


def glorot_uniform(shape: Shape, rng: Rng, gain: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """Uniform weights of the standard deviation (2): on [−a, a] with a = gain √(6 / (fan_in + fan_out)).

    >>> W = glorot_uniform((100, 50), rng=0)
    >>> W.shape, W.dtype, bool(np.abs(W).max() <= 0.2)
    ((100, 50), dtype('float32'), True)
    """
    return uniform(shape, gain * (6 / sum(fans(shape))) ** 0.5, rng, dtype)


def glorot_normal(shape: Shape, rng: Rng, gain: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """Normal weights of the standard deviation (2), gain √(2 / (fan_in + fan_out)).

    >>> round(float(glorot_normal((300, 200), rng=0).std()), 3)                # √(2/500)
    0.063
    """
    return normal(shape, gain * (2 / sum(fans(shape))) ** 0.5, rng, dtype)


def he_uniform(shape: Shape, rng: Rng, gain: float = 2**0.5, dtype: Any = np.float32) -> np.ndarray:
    """Uniform weights of the standard deviation (3): on [−a, a] with a = gain √(3 / fan_in).

    >>> round(float(he_uniform((300, 200), rng=0).max()), 3)                   # √2 √(3/300)
    0.141
    """
    return uniform(shape, gain * (3 / fans(shape)[0]) ** 0.5, rng, dtype)


def he_normal(shape: Shape, rng: Rng, gain: float = 2**0.5, dtype: Any = np.float32) -> np.ndarray:
    """Normal weights of the standard deviation (3), gain / √fan_in.

    Args:
        gain: √2 for relu, 1 for no activation; PyTorch's 5/3 for tanh is common.

    >>> W = he_normal((500, 100), rng=0)
    >>> bool(abs(W.std() - np.sqrt(2 / 500)) < 1e-3)
    True
    """
    return normal(shape, gain / fans(shape)[0] ** 0.5, rng, dtype)


def uniform_fan_in(shape: Shape, rng: Rng, gain: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """Uniform weights (4): on [−a, a] with a = gain / √fan_in: the default of Linear and the convolutions.

    >>> round(float(uniform_fan_in((100, 50), rng=0).max()), 3)                # 1/√100
    0.1
    """
    return uniform(shape, gain / fans(shape)[0] ** 0.5, rng, dtype)


def orthogonal(shape: Shape, rng: Rng, gain: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """gain times a uniformly distributed matrix (5) with orthonormal columns, or rows where there are fewer of them.

    Leading axes count as rows. From the QR decomposition of a normal matrix; it is unique, and its Q uniformly
    distributed, only once the diagonal of R is made positive.

    >>> W = orthogonal((3, 2), rng=0, dtype=np.float64)
    >>> np.allclose(W.T @ W, np.eye(2))
    True
    """
    rows, columns = fans(shape)[0], shape[-1]
    a = generator(rng).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(a)
    q = q * np.sign(np.diagonal(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


def uniform(shape: Shape, bound: float, rng: Rng, dtype: Any = np.float32) -> np.ndarray:
    """Uniform numbers between −bound and bound."""
    return generator(rng).uniform(-bound, bound, shape).astype(dtype)


def normal(shape: Shape, std: float, rng: Rng, dtype: Any = np.float32) -> np.ndarray:
    """Normal numbers with mean 0 and standard deviation ``std``."""
    return (std * generator(rng).normal(size=shape)).astype(dtype)
