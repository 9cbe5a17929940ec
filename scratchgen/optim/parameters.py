"""What an optimiser is given: parameters by name, and a gradient for each that can be used.

Both are checked before anything is changed, because a step with a NaN in it cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from scratchgen.autodiff import Tensor

Parameters = Mapping[str, Tensor] | Iterable[Tensor]


def named(parameters: Parameters) -> dict[str, Tensor]:
    """The parameters by name; those given without one are called "0", "1", ….

    Raises:
        TypeError: for anything but Tensors, such as the Module itself.
        ValueError: for no parameters, one given twice, or one that is not a leaf that requires a gradient.

    >>> list(named([Tensor([1.0], requires_grad=True)]))
    ['0']
    """
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        raise TypeError(f"parameters is a {type(parameters).__name__}; give model.parameters(), or a list of Tensors")
    if isinstance(parameters, Mapping):
        found = dict(parameters)
    else:
        found = {str(i): parameter for i, parameter in enumerate(parameters)}
    if not found:
        raise ValueError("parameters is empty: there is nothing to optimise")
    names: dict[Tensor, str] = {}
    for name, parameter in found.items():
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameter {name} is a {type(parameter).__name__}, expected a Tensor")
        if parameter.op is not None:
            raise ValueError(
                f"parameter {name} is the result of {parameter.op.name}; only a leaf can be changed: "
                "make it by Tensor(x, requires_grad=True)"
            )
        if not parameter.requires_grad:
            raise ValueError(f"parameter {name} does not require a gradient; leave it out, or set requires_grad")
        if parameter in names:
            raise ValueError(f"parameters {names[parameter]} and {name} are the same Tensor; give it once")
        names[parameter] = name
    return found


def checked_gradients(parameters: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """The gradient of each parameter as a flat array, a view where that is possible.

    A gradient that is missing is refused, not skipped: nearly always backward was not called, or a part of the model
    does not reach the loss, and training would go on without it. A parameter that shall rest is not given to the
    optimiser.

    Raises:
        ValueError: naming all parameters without a gradient, or one whose gradient has another shape.
        TypeError: for a gradient of another dtype.
        FloatingPointError: for a NaN or inf, naming the parameter and the index.
    """
    missing = [name for name, parameter in parameters.items() if parameter.grad is None]
    if len(missing) == len(parameters):
        raise ValueError("no parameter has a gradient: call loss.backward() before")
    if missing:
        raise ValueError(
            f"no gradient for {', '.join(missing)}: the loss does not depend on them; "
            "if that is meant, leave them out of the optimiser"
        )
    gradients = {}
    with np.errstate(all="ignore"):  # the check itself may overflow
        for name, parameter in parameters.items():
            g = parameter.grad
            g = g.data if isinstance(g, Tensor) else g  # a Tensor after backward(create_graph=True)
            if g.shape != parameter.shape:
                raise ValueError(f"the gradient of {name} has shape {g.shape}, the parameter {parameter.shape}")
            if g.dtype != parameter.dtype:
                raise TypeError(f"the gradient of {name} is {g.dtype}, the parameter {parameter.dtype}")
            flat = g.reshape(-1)
            # A NaN or inf makes the sum of squares NaN or inf, and BLAS has it sooner than isfinite its array of bools.
            if not np.isfinite(np.dot(flat, flat)) and (found := non_finite(g)):
                raise FloatingPointError(f"the gradient of {name} has {found}")
            gradients[name] = flat
    return gradients


def non_finite(array: np.ndarray) -> str:
    """Where ``array`` has its first NaN or inf, and how many there are; "" if there is none.

    >>> non_finite(np.array([[0.0, 1.0], [np.nan, np.inf]]))
    'NaN at (1, 0); 2 of 4 values'
    """
    bad = ~np.isfinite(array)
    if not bad.any():
        return ""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    value = "NaN" if np.isnan(array[index]) else array[index]
    return f"{value} at {index}; {bad.sum()} of {bad.size} values"
