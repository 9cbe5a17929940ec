"""Convolutional layers: ``Conv2d`` makes images smaller, ``ConvTranspose2d`` larger. See ``nn.convolution``."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.nn.convolution import conv2d, conv_transpose2d
from scratchgen.nn.initialisations import Initialisation, uniform, uniform_fan_in
from scratchgen.nn.inputs import check_dtype
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


class Conv2d(Module):
    """The same affine map of every patch: y[n, i, j] = patch(x, n, i, j) @ W + b.

    Args:
        n_in, n_out: the numbers of channels of x and of y.
        kernel: height and width of the patches; one number for both.
        rng: draws W, and b uniformly between ±1/√fan_in.
        stride, padding: the step between patches, and the rows and columns of zeros around the images.
        initialise: draws W, one of ``nn.initialisations``.
        dtype: of W and b.

    Attributes:
        W: (kernel height, kernel width, n_in, n_out).
        b: (n_out,).

    Raises:
        ValueError: for a number that is too small; in ``forward``, for images that do not fit.
        TypeError: in ``forward``, for images of another dtype.

    >>> Conv2d(1, 64, 4, rng=0, stride=2, padding=1)(np.zeros((5, 28, 28, 1), dtype=np.float32)).shape
    (5, 14, 14, 64)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int | tuple[int, int],
        rng: Rng,
        stride: int = 1,
        padding: int = 0,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        height, width = pair(kernel)
        check_numbers(n_in, n_out, (height, width), stride, padding)
        rng, fan_in = generator(rng), n_in * height * width
        self.W = Tensor(initialise((height, width, n_in, n_out), rng, dtype=dtype), requires_grad=True)
        self.b = Tensor(uniform((n_out,), fan_in**-0.5, rng, dtype), requires_grad=True)
        self.stride, self.padding = stride, padding

    def forward(self, x: Any) -> Tensor:
        """(batch, height, width, n_in) → (batch, height', width', n_out)."""
        check_dtype(x, self.W)
        return conv2d(x, self.W, self.b, self.stride, self.padding)


class ConvTranspose2d(Module):
    """The adjoint of a ``Conv2d`` from n_out to n_in channels, plus b: each value of x paints a patch of y.

    An output adds up only about 1 / stride² of the n_in · (kernel height) · (kernel width) products that W suggests,
    since the patches lie ``stride`` apart. So W and b are drawn with stride times the usual standard deviation.

    Args:
        n_in, n_out: the numbers of channels of x and of y.
        kernel: height and width of the patches; one number for both.
        rng: draws W and b.
        stride, padding: the step between patches, and the rows and columns cut off around the result.
        size: (height, width) of the result, where several are possible; by default the smallest.
        initialise: draws W, one of ``nn.initialisations``.
        dtype: of W and b.

    Attributes:
        W: (kernel height, kernel width, n_out, n_in), as in the Conv2d of which this is the adjoint.
        b: (n_out,).

    Raises:
        ValueError: for a number that is too small; in ``forward``, for images that do not fit.
        TypeError: in ``forward``, for images of another dtype.

    >>> ConvTranspose2d(64, 1, 4, rng=0, stride=2, padding=1)(np.zeros((5, 14, 14, 64), dtype=np.float32)).shape
    (5, 28, 28, 1)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int | tuple[int, int],
        rng: Rng,
        stride: int = 1,
        padding: int = 0,
        size: tuple[int, int] | None = None,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        height, width = pair(kernel)
        check_numbers(n_in, n_out, (height, width), stride, padding)
        rng, fan_in = generator(rng), n_in * height * width
        W = stride * initialise((height, width, n_in, n_out), rng, dtype=dtype)
        self.W = Tensor(np.ascontiguousarray(np.swapaxes(W, 2, 3)), requires_grad=True)
        self.b = Tensor(uniform((n_out,), stride * fan_in**-0.5, rng, dtype), requires_grad=True)
        self.stride, self.padding, self.size = stride, padding, size

    def forward(self, x: Any) -> Tensor:
        """(batch, height, width, n_in) → (batch, height', width', n_out)."""
        check_dtype(x, self.W)
        return conv_transpose2d(x, self.W, self.b, self.stride, self.padding, self.size)


def pair(kernel: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width."""
    if np.shape(kernel) not in ((), (2,)):
        raise ValueError(f"kernel is {kernel}; give its height and width, or one number for both")
    height, width = np.broadcast_to(kernel, 2).tolist()
    return height, width


def check_numbers(n_in: int, n_out: int, kernel: tuple[int, int], stride: int, padding: int) -> None:
    """Refuse what no convolution has."""
    numbers = (n_in, n_out, *kernel, stride, padding + 1)
    if min(numbers) < 1 or not all(isinstance(number, (int, np.integer)) for number in numbers):
        raise ValueError(
            f"n_in is {n_in}, n_out {n_out}, kernel {kernel}, stride {stride} and padding {padding}; "
            "all must be integers, padding of at least 0, the others of at least 1"
        )
