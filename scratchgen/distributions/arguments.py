"""What a distribution is given, checked where it is given.

Parameters are checked when the distribution is made, x in ``log_prob``, the number of draws in ``sample``:

    dtype and shape     always: that is a comparison of a few small objects
    values              of plain arrays, such as data, a prior or parameters by hand, in one pass over them

The values of a Tensor are not looked at. A network computed them, and ``detect_anomaly`` finds a NaN where it was born;
here the look would cost every training step a pass over every output. Only ``sample`` of a discrete distribution looks,
since a NaN would come out as a plain 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor

Shape = tuple[int, ...]
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def shape_of(n: int | Shape) -> Shape:
    """``n`` draws as a shape: 5 is (5,), and () is a single draw.

    Raises:
        TypeError: for what is neither an int nor a tuple of ints.
        ValueError: for a negative number.

    >>> shape_of(5), shape_of((2, 3)), shape_of(())
    ((5,), (2, 3), ())
    """
    shape = tuple(n) if isinstance(n, (tuple, list)) else (n,)
    if any(isinstance(size, bool) or not isinstance(size, (int, np.integer)) for size in shape):
        raise TypeError(f"n is {n!r}; the number of draws is an int, or a tuple of ints")
    if any(size < 0 for size in shape):
        raise ValueError(f"n is {n}; the number of draws must be 0 or more")
    return shape


def unmasked(name: str, value: Any) -> Any:
    """``value``, unless it is a masked array, whose mask ``np.asarray`` would drop.

    Raises:
        TypeError: for a masked array.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and its mask would be lost: leave the masked values out, or fill them"
        )
    return value


def array_of(name: str, value: Any) -> Any:
    """A parameter as a Tensor or array of floats; a Python number stays one.

    Raises:
        TypeError: for another dtype than float32 and float64; for a masked array.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    array = value if isinstance(value, Tensor) else np.asarray(unmasked(name, value))
    if array.dtype not in FLOATS:
        raise TypeError(f"{name} is {array.dtype}; it must be float32 or float64: {name}.astype(np.float64)")
    return array


def parameters(**given: Any) -> list[Any]:
    """The parameters of a distribution, brought to one shape and one dtype; numbers take the dtype of the others.

    Raises:
        TypeError: for parameters that are not floats, or float32 beside float64.
        ValueError: for NaN or inf in a plain array, with its index; for shapes that do not broadcast.

    >>> mean, logvar = parameters(mean=np.zeros((2, 3), np.float32), logvar=-1.0)
    >>> logvar.shape, logvar.dtype
    ((2, 3), dtype('float32'))
    """
    arrays = dict(zip(given, of_one_dtype(**given)))
    shapes = {name: a.shape for name, a in arrays.items()}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ValueError(f"the shapes do not broadcast: {listed(shapes)}") from None
    return [spread(a, shape) for a in arrays.values()]


def spread(a: Any, shape: Shape) -> Any:
    """``a`` broadcast to a shape; ``a`` itself where it has it, since a Tensor would get one more node."""
    return a if a.shape == shape else np.broadcast_to(a, shape)


def of_one_dtype(**given: Any) -> list[Any]:
    """The parameters of a distribution, of one dtype and each of its own shape.

    Raises:
        TypeError, ValueError: as ``parameters``, but for shapes.
    """
    arrays = {name: array_of(name, value) for name, value in given.items()}
    dtypes = {name: a.dtype for name, a in arrays.items() if not isinstance(a, float)}
    if len(set(dtypes.values())) > 1:
        raise TypeError(f"{listed(dtypes)}; convert with .astype, so that all have one dtype")
    dtype = next(iter(dtypes.values()), np.dtype(np.float64))
    arrays = {name: np.asarray(a, dtype) if isinstance(a, float) else a for name, a in arrays.items()}
    for name, a in arrays.items():
        require(name, a, np.isfinite, "it must be finite")
    return list(arrays.values())


def listed(given: dict[str, Any]) -> str:
    """What each is, as "mean is float32, logvar is float64"."""
    return ", ".join(f"{name} is {value}" for name, value in given.items())


def require(name: str, x: Any, good: Any, expected: str) -> None:
    """Refuse values of a plain array for which ``good``, a ufunc such as np.isfinite, is false.

    Raises:
        ValueError: with the first value, its index, and how many there are.

    >>> require("x", np.array([[0.0, np.nan]]), np.isfinite, "it must be finite")
    Traceback (most recent call last):
    ValueError: x has nan at (0, 1); 1 of 2 values: it must be finite
    """
    if isinstance(x, Tensor) or good(x).all():
        return
    bad = np.argwhere(~good(x))
    index = tuple(int(i) for i in bad[0])
    raise ValueError(f"{name} has {x[index]} at {index}; {len(bad)} of {x.size} values: {expected}")


def floats(name: str, x: Any, dtype: np.dtype, whole: bool = False) -> Any:
    """x as a Tensor or array of the distribution's dtype; a Python number takes it.

    Args:
        whole: whether integers and bools are values of x too; they are converted.

    Raises:
        TypeError: for another dtype; for a masked array.
    """
    if isinstance(x, Tensor):
        if x.dtype == dtype:
            return x
    elif isinstance(x, (int, float)):
        return np.asarray(x, dtype)
    else:
        x = np.asarray(unmasked(name, x))
        if x.dtype == dtype:
            return x
        if x.dtype.kind in "biu":
            if whole:
                return x.astype(dtype)
            hint = (
                "scale to [0, 1] first: data.to_unit(x, levels=…)"
                if x.dtype == np.uint8
                else f"{name}.astype(np.{dtype})"
            )
            raise TypeError(f"{name} is {x.dtype}; it must be floats, as the parameters are: {hint}")
    raise TypeError(f"{name} is {x.dtype}, but the parameters are {dtype}: convert one with .astype")


def require_shape(x: Any, expected: Shape, name: str = "x") -> None:
    """Refuse x whose last axes are not ``expected``, the batch shape and event shape of its distribution.

    Nothing is broadcast: (n, 1) against (n,) would give (n, n) numbers, and their mean looks well.

    Raises:
        ValueError: with both shapes.
    """
    got, hint = np.shape(x), ""
    if ends_with(got, expected):
        return
    if got[-1:] == (1,) and ends_with(got[:-1], expected):
        hint = f"; did you mean {name}[{':, ' * (len(got) - 1)}0]?"
    elif expected[-1:] == (1,) and ends_with(got, expected[:-1]):
        hint = f"; did you mean {name}[{':, ' * len(got)}None]?"
    raise ValueError(f"{name} has shape {got}; its last axes must be {expected}, batch shape and event shape{hint}")


def require_noise(noise: Any, n: int | Shape, shape: Shape, dtype: np.dtype) -> Any:
    """Noise that was given for ``n`` draws of this shape each, once its dtype and shape are right.

    Raises:
        TypeError: for another dtype; for a masked array.
        ValueError: for another shape than n + shape; for NaN or inf in a plain array, with its index.
    """
    noise, expected = floats("noise", noise, dtype), shape_of(n) + shape
    if noise.shape != expected:
        raise ValueError(f"noise has shape {noise.shape}; with n={n} it must be {expected}")
    require("noise", noise, np.isfinite, "it must be finite")
    return noise


def ends_with(shape: Shape, tail: Shape) -> bool:
    """Whether the last axes of ``shape`` are ``tail``."""
    return len(shape) >= len(tail) and shape[len(shape) - len(tail) :] == tail


def finite(x: Any, dtype: np.dtype, shape: Shape) -> Any:
    """x of a density as a Tensor or array, if its last axes are ``shape``, batch shape and event shape.

    Raises:
        TypeError: for another dtype; for a masked array.
        ValueError: for another shape; for NaN or inf in a plain array, with its index.
    """
    x = floats("x", x, dtype)
    require_shape(x, shape)
    require("x", x, np.isfinite, "it must be finite")
    return x


def probability(p: Any, dtype: np.dtype, batch_shape: Shape) -> Any:
    """p of ``icdf`` as a Tensor or array, if it is one of probabilities for each element of the batch.

    Raises:
        TypeError: for another dtype; for a masked array.
        ValueError: for values of a plain array outside [0, 1], with value and index; for another shape.

    >>> probability(np.array([0.5, 1.5]), np.dtype(np.float64), (2,))
    Traceback (most recent call last):
    ValueError: p has 1.5 at (1,); 1 of 2 values: it is a probability, from 0 to 1
    """
    p = floats("p", p, dtype)
    require_shape(p, batch_shape, "p")
    require("p", p, lambda value: (value >= 0) & (value <= 1), "it is a probability, from 0 to 1")
    return p
