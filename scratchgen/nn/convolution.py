"""Convolution of images, its transpose, and their derivatives: three functions that are one.

The images x are (batch, height, width, channels), the kernel W is (kernel height, kernel width, in, out), so that the
value at each place reads ``patch @ W + b``, as in a linear layer. For stride s and p zeros of padding on every side,

    T(x, W, y) = Σ  x[n, s i + u − p, s j + v − p, c]  W[u, v, c, d]  y[n, i, j, d]           (1)

summed over all n, i, j, u, v, c, d for which x has such a place. T is linear in each of its arguments, so its
derivative with respect to one does not depend on that one. These derivatives are the three functions:

    conv2d(x, W)           = ∂T/∂y     each place of y sees a patch of x                        (2)
    conv_transpose2d(y, W) = ∂T/∂x     each place of y paints a patch                           (3)
    kernel_gradient(x, y)  = ∂T/∂W     the patches of x, weighted by y                          (4)

and T = ⟨conv2d(x, W), y⟩ = ⟨x, conv_transpose2d(y, W)⟩ = ⟨kernel_gradient(x, y), W⟩. So the derivative rules of each
are the other two, and derivatives of any order stay among the three.

Like every network's "convolution" it is a correlation: the kernel is not mirrored, as it is in signal processing.
Each is one matrix product, with the patches of x as the rows of a matrix (*im2col*). With the channels last, the result
of the product is y as it stands; with the channels first, 64 → 128 channels on 14 × 14 images took twice as long.

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule


def bias_gradient(g: Any, *_: Any, **__: Any) -> Any:
    """b is added at every place of every image, so its gradient is Σ g over them; a product with ones sums fastest."""
    return np.ones(g.size // g.shape[-1], g.dtype) @ np.reshape(g, (-1, g.shape[-1]))


@custom_rule(
    lambda g, y, x, W, b=None, stride=1, padding=0: conv_transpose2d(g, W, None, stride, padding, x.shape[1:3]),
    lambda g, y, x, W, b=None, stride=1, padding=0: kernel_gradient(x, g, W.shape[:2], stride, padding),
    bias_gradient,
)
def conv2d(x: Any, W: Any, b: Any = None, stride: int = 1, padding: int = 0) -> Any:
    """y[n, i, j, d] = b[d] + Σ_{u, v, c} x[n, s i + u − p, s j + v − p, c] W[u, v, c, d], equation (2).

    Args:
        x: images, (batch, height, width, in).
        W: the kernel, (kernel height, kernel width, in, out).
        b: None, or (out,).
        stride: s, the step between patches.
        padding: p, rows and columns of zeros around each image.

    Returns:
        (batch, height', width', out) with height' = ⌊(height + 2p − kernel height) / s⌋ + 1, and so for the width.

    Raises:
        ValueError: for shapes that do not fit.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)), stride=2)[0, :, :, 0]          # sums of the four quarters
    array([[10., 18.],
           [42., 50.]])
    """
    check_arguments(x, W, b, (2, 3), stride, padding)
    height, width, n_in, n_out = W.shape
    patches = patches_of(
        x, (height, width), stride, padding
    )  # (batch, height', width', kernel height, kernel width, in)
    y = patches.reshape(-1, height * width * n_in) @ W.reshape(-1, n_out)
    if b is not None:
        y += b
    return y.reshape(*patches.shape[:3], n_out)


@custom_rule(
    lambda g, y, x, W, b=None, stride=1, padding=0, size=None: conv2d(g, W, None, stride, padding),
    lambda g, y, x, W, b=None, stride=1, padding=0, size=None: kernel_gradient(g, x, W.shape[:2], stride, padding),
    bias_gradient,
)
def conv_transpose2d(
    x: Any, W: Any, b: Any = None, stride: int = 1, padding: int = 0, size: tuple[int, int] | None = None
) -> Any:
    """The adjoint of ``conv2d`` with the same W, stride and padding, equation (3), plus b. It enlarges images if s > 1.

    Each x[n, i, j] paints a kernel-sized patch at (s i − p, s j − p), and overlapping patches add up.

    Args:
        x: images, (batch, height, width, in).
        W: the kernel of that ``conv2d``, which goes the other way: (kernel height, kernel width, **out, in**).
        b: None, or (out,).
        stride: s, the step between patches.
        padding: p, rows and columns to cut off on every side.
        size: (height', width') of the result; by default the smallest that ``conv2d`` takes to (height, width).

    Returns:
        (batch, height', width', out) with height' = (height − 1) s + kernel height − 2p, and so for the width.

    Raises:
        ValueError: for shapes that do not fit, or a size that ``conv2d`` would not take to (height, width).

    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    >>> conv_transpose2d(x, np.ones((2, 2, 1, 1)), stride=2)[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.],
           [3., 3., 4., 4.],
           [3., 3., 4., 4.]])
    """
    check_arguments(x, W, b, (3, 2), stride, padding)
    kernel, (height, width) = W.shape[:2], x.shape[1:3]
    smallest = (stride * (height - 1) + kernel[0] - 2 * padding, stride * (width - 1) + kernel[1] - 2 * padding)
    full = smallest if size is None else size
    if min(full) < 1 or places(full, kernel, stride, padding) != (height, width):
        raise ValueError(
            f"size is {size}, which conv2d with a {kernel} kernel, stride {stride} and padding {padding} does not take "
            f"to {(height, width)}; the smallest size that it does is {smallest}"
        )
    patches = x.reshape(-1, W.shape[3]) @ W.reshape(-1, W.shape[3]).T
    y = paint(patches.reshape(*x.shape[:3], *kernel, W.shape[2]), full, stride, padding)
    return y if b is None else y + b


@custom_rule(
    lambda g, W, x, y, kernel, stride=1, padding=0: conv_transpose2d(y, g, None, stride, padding, x.shape[1:3]),
    lambda g, W, x, y, kernel, stride=1, padding=0: conv2d(x, g, None, stride, padding),
)
def kernel_gradient(x: Any, y: Any, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> Any:
    """Σ_{n, i, j} x[n, s i + u − p, s j + v − p, c] y[n, i, j, d] for each u, v, c, d, equation (4).

    Args:
        x: images, (batch, height, width, in).
        y: images, (batch, height', width', out), such as the cotangent of ``conv2d(x, W)``.
        kernel: (kernel height, kernel width).
        stride, padding: those of ``conv2d``.

    Returns:
        (kernel height, kernel width, in, out).

    Raises:
        ValueError: where y has not one place for each patch.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> kernel_gradient(x, np.ones((1, 3, 3, 1)), (2, 2))[:, :, 0, 0]
    array([[45., 54.],
           [81., 90.]])
    """
    patches = patches_of(x, kernel, stride, padding)
    if patches.shape[:3] != y.shape[:3]:
        raise ValueError(f"y has shape {y.shape}, expected {(*patches.shape[:3], 'out')}")
    n_in, n_out = x.shape[3], y.shape[3]
    return (patches.reshape(-1, kernel[0] * kernel[1] * n_in).T @ y.reshape(-1, n_out)).reshape(*kernel, n_in, n_out)


# -- patches: on arrays only -----------------------------------------------------------------------------------------


def places(size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int) -> tuple[int, ...]:
    """How many patches fit along the height and the width."""
    return tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel))


def patches_of(x: np.ndarray, kernel: tuple[int, int], stride: int, padding: int) -> np.ndarray:
    """The patches of the padded images, (batch, height', width', kernel height, kernel width, channels): a view.

    Raises:
        ValueError: where the padded image is smaller than the kernel.
    """
    batch, height, width, channels = x.shape
    if min(places((height, width), kernel, stride, padding)) < 1:
        raise ValueError(f"the images are {height} × {width} with padding {padding}, smaller than the {kernel} kernel")
    padded = np.zeros((batch, height + 2 * padding, width + 2 * padding, channels), x.dtype)
    padded[:, padding : padding + height, padding : padding + width] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))[:, ::stride, ::stride]
    return np.moveaxis(windows, 3, 5)  # the channels last again


def paint(patches: np.ndarray, size: tuple[int, ...], stride: int, padding: int) -> np.ndarray:
    """Images of that size, to which each patch has been added where ``patches_of`` would take it from: its adjoint."""
    batch, rows, columns, *kernel, channels = patches.shape
    height, width = size
    padded = np.zeros((batch, height + 2 * padding, width + 2 * padding, channels), patches.dtype)
    for u in range(kernel[0]):
        for v in range(kernel[1]):  # the values at (u, v) of all patches go to different places
            padded[:, u : u + stride * rows : stride, v : v + stride * columns : stride] += patches[:, :, :, u, v]
    return padded[:, padding : padding + height, padding : padding + width]


def check_arguments(x: Any, W: Any, b: Any, axes: tuple[int, int], stride: int, padding: int) -> None:
    """Refuse shapes that do not fit, with the likely remedy; ``axes`` are those of W for the channels of x and of b."""
    if W.ndim != 4 or (b is not None and b.shape != (W.shape[axes[1]],)):
        shapes = f"W has shape {W.shape}" + ("" if b is None else f", b {b.shape}")
        raise ValueError(f"{shapes}; W must have 4 axes, the two of the kernel first, and b (out,)")
    if stride < 1 or padding < 0:
        raise ValueError(f"stride is {stride}, padding {padding}; they must be at least 1 and 0")
    channels = W.shape[axes[0]]
    if x.ndim == 4 and x.shape[3] == channels:
        return
    if x.ndim == 3 and channels == 1:
        hint = ": x[..., None] adds the axis of channels"
    elif x.ndim == 4 and x.shape[1] == channels:
        hint = ": np.moveaxis(x, 1, -1) puts the channels last"
    else:
        hint = ""
    raise ValueError(f"x has shape {x.shape}, expected (batch, height, width, {channels}){hint}")
