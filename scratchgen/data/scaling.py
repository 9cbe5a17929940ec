"""From grey levels and class numbers to what a model takes: floats in [0, 1], random bits, one-hot rows.

With L grey levels k = 0 … L−1,

    x = k / (L − 1)             the unit scale                           (1)
    b ~ Bernoulli(x)            the stochastic binarisation              (2)

A Bernoulli decoder is a likelihood of the bits b, not of the grey values x: its "log-likelihood" of grey pixels is
no log-probability of anything, and cannot be compared with one. So report a Bernoulli model's figures on (2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scratchgen.random import Rng, generator


def to_unit(images: ArrayLike, levels: int) -> NDArray[np.float32]:
    """Grey levels 0 … levels−1 as float32 in [0, 1], equation (1); any shape.

    levels: how many grey levels there *can* be: 17 for `digits`, 256 for `mnist`. Dividing by the largest value that
    happens to occur would scale each batch differently.

    Raises TypeError if images are not integers, ValueError for levels < 2 or a value outside 0 … levels−1.

    >>> to_unit(np.array([[0, 4, 16]], dtype=np.uint8), levels=17)
    array([[0.  , 0.25, 1.  ]], dtype=float32)
    """
    images = _array(images, "images")
    if images.dtype.kind not in "iu":
        raise TypeError(f"images is {images.dtype}, expected integer grey levels such as uint8")
    if levels < 2:
        raise ValueError(f"levels is {levels}, expected at least 2")
    _refuse_where((images < 0) | (images >= levels), images, "images", f"0 to {levels - 1} (levels={levels})")
    return images.astype(np.float32) / np.float32(levels - 1)


def binarise(images: ArrayLike, rng: Rng) -> NDArray[Any]:
    """Random black-and-white images: each pixel is 1 with the probability of its grey value, equation (2); any shape.

    images: float32 or float64 in [0, 1]; the result is 0 or 1 in the same dtype. It is usual to draw anew for
    every minibatch of training, and once, with a fixed seed, for testing.

    Source: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, §5, after Salakhutdinov &
    Murray, "On the quantitative analysis of deep belief networks", ICML 2008.

    Raises TypeError for other dtypes or an rng that is no Generator or seed, ValueError for values outside [0, 1].

    >>> binarise(np.array([0.0, 0.5, 0.5, 0.5, 1.0]), np.random.default_rng(1))
    array([0., 0., 1., 0., 1.])
    """
    images = _array(images, "images")
    if images.dtype.kind in "iub":
        raise TypeError(
            f"images is {images.dtype}; scale to [0, 1] first: "
            "to_unit(images, levels=17) for digits, levels=256 for mnist"
        )
    if images.dtype not in (np.float32, np.float64):
        raise TypeError(f"images is {images.dtype}, expected float32 or float64")
    # Negated, so that NaN, which compares as False, is refused too.
    _refuse_where(~((images >= 0) & (images <= 1)), images, "images", "[0, 1]")
    # u < x with u in [0, 1): never where x = 0, always where x = 1.
    return (generator(rng).random(images.shape, dtype=images.dtype) < images).astype(images.dtype)


def one_hot(labels: ArrayLike, classes: int) -> NDArray[np.float32]:
    """Rows of zeros with a single one at the label: (…,) integers in 0 … classes−1 to (…, classes) float32.

    Raises TypeError if labels are not integers, ValueError for classes < 1 or a label outside 0 … classes−1.

    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = _array(labels, "labels")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels is {labels.dtype}, expected integers")
    if classes < 1:
        raise ValueError(f"classes is {classes}, expected at least 1")
    _refuse_where((labels < 0) | (labels >= classes), labels, "labels", f"0 to {classes - 1} (classes={classes})")
    return np.eye(classes, dtype=np.float32)[labels]


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    """The values as an array; raises TypeError for a masked one."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; its mask would be lost: fill it in, or leave out its rows")
    return np.asarray(values)


def _refuse_where(bad: NDArray[np.bool_], values: NDArray[Any], name: str, expected: str) -> None:
    """Raise ValueError with the first bad value, its index, and how many there are."""
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {values[index]} at {index}, expected {expected}; {bad.sum()} of {bad.size} values"
        )
