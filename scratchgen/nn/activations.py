"""Activations by name, so that a model's settings can be written down; a function of one's own will do as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import gelu, gelu_tanh, leaky_relu, relu, sigmoid, silu, softplus

Activation = Callable[[Any], Any]

ACTIVATIONS: dict[str, Activation] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
}


def activation_named(name: str | Activation) -> Activation:
    """The activation of that name; a function is returned as it is.

    Raises:
        ValueError: for an unknown name, listing the known ones.

    >>> activation_named("tanh") is np.tanh
    True
    """
    if callable(name):
        return name
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"there is no activation {name!r}; there are {', '.join(ACTIVATIONS)}, or pass a function")
    return ACTIVATIONS[name]
