"""What holds for every layer: its dtype stays, forwards and backwards, and every parameter gets a gradient.

That the gradients are right is checked by the suite of `scratchgen.checks.layers`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import scratchgen.nn
from scratchgen.autodiff import Tensor, no_grad
from scratchgen.nn import (
    MLP,
    CausalConv,
    CausalSelfAttention,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    MaskedLinear,
    Module,
    TransformerBlock,
    past_1d,
)

RNG = np.random.default_rng(0)
Make = Callable[..., Module]

# How each is made, and an input; one that draws gets its rng with every call.
LAYERS: dict[str, tuple[Make, np.ndarray, dict[str, Any]]] = {
    "Linear": (lambda **options: Linear(3, 2, 0, **options), RNG.normal(size=(4, 3)), {}),
    "Linear, fused": (lambda **options: Linear(3, 2, 0, np.tanh, **options), RNG.normal(size=(2, 4, 3)), {}),
    "Linear, no bias": (lambda **options: Linear(3, 2, 0, bias=False, **options), RNG.normal(size=(4, 3)), {}),
    "MaskedLinear": (lambda **options: MaskedLinear(np.tri(3, 2), 0, "tanh", **options), RNG.normal(size=(4, 3)), {}),
    "MLP": (lambda **options: MLP([3, 5, 4, 2], 0, "silu", **options), RNG.normal(size=(4, 3)), {}),
    "LayerNorm": (lambda **options: LayerNorm(3, **options), RNG.normal(size=(2, 4, 3)), {}),
    "Dropout": (lambda **options: Dropout(0.4), RNG.normal(size=(4, 3)), {"rng": 0}),
    "Embedding": (lambda **options: Embedding(5, 3, 0, **options), RNG.integers(5, size=(2, 4)), {}),
    "Conv2d": (lambda **options: Conv2d(2, 3, (3, 2), 0, 2, 1, **options), RNG.normal(size=(2, 5, 4, 2)), {}),
    "ConvTranspose2d": (
        lambda **options: ConvTranspose2d(2, 3, (3, 2), 0, 2, 1, (6, 4), **options),
        RNG.normal(size=(2, 3, 3, 2)),
        {},
    ),
    "CausalConv": (
        lambda **options: CausalConv(3, 2, past_1d(3, present=True), 0, **options),
        RNG.normal(size=(2, 5, 3)),
        {},
    ),
    "CausalSelfAttention": (lambda **options: CausalSelfAttention(4, 2, 0, **options), RNG.normal(size=(2, 5, 4)), {}),
    "TransformerBlock": (lambda **options: TransformerBlock(4, 2, 0, **options), RNG.normal(size=(2, 5, 4)), {}),
}


def all_layers() -> set[str]:
    """The Modules of `scratchgen.nn` by name."""
    files = [importlib.import_module(f"scratchgen.nn.{m.name}") for m in pkgutil.iter_modules(scratchgen.nn.__path__)]
    items = {item for file in files for item in vars(file).values() if isinstance(item, type)}
    return {item.__name__ for item in items if issubclass(item, Module) and item is not Module}


def test_every_layer_is_checked() -> None:
    assert all_layers() == {name.split(",")[0] for name in LAYERS}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(name: str, dtype: Any) -> None:
    make, x, options = LAYERS[name]
    layer = make(dtype=dtype)
    inputs = x if x.dtype.kind == "i" else Tensor(x.astype(dtype), requires_grad=True)
    y = layer(inputs, **options)
    assert y.dtype == dtype
    y.sum().backward()
    leaves = [*layer.parameters().values(), *([inputs] if isinstance(inputs, Tensor) else [])]
    assert leaves
    for t in leaves:
        assert (t.dtype, t.grad.dtype, t.grad.shape) == (dtype, dtype, t.shape)


@pytest.mark.parametrize("name", LAYERS)
def test_float32_is_the_default_and_computes_what_float64_does(name: str) -> None:
    make, x, options = LAYERS[name]
    single, double = make(), make(dtype=np.float64)
    for key, array in single.state().items():
        assert array.dtype == np.float32
        assert np.array_equal(array, double.state()[key].astype(np.float32))
    y, expected = single(x if x.dtype.kind == "i" else x.astype(np.float32), **options), double(x, **options)
    assert np.allclose(getattr(y, "data", y), getattr(expected, "data", expected), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "Dropout"])  # which returns a masked array
@pytest.mark.parametrize("mode", [nullcontext, no_grad])
def test_masked_arrays_are_refused(name: str, mode: Any) -> None:
    """They would lose their mask."""
    make, x, options = LAYERS[name]
    layer = make(dtype=x.dtype) if x.dtype.kind == "f" else make()
    with mode(), pytest.raises(TypeError, match="MaskedArray does not take part in a graph"):
        layer(np.ma.masked_less(x, 1), **options)
