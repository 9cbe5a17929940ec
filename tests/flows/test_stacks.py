"""Whole flows of several layers: what they are made of, that all dimensions are transformed, and their start."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import jacobian
from scratchgen.flows import (
    AffineMap,
    Coupling,
    MaskedAutoregressive,
    SplineMap,
    autoregressive_stack,
    coupling_stack,
    start,
)
from tests.flows.brute_force import plain

STACKS = {"couplings": coupling_stack, "autoregressive": autoregressive_stack}
each_stack = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


@each_stack
@pytest.mark.parametrize("dims", [2, 3, 5])
def test_all_dimensions_depend_on_all(stack: Any, dims: int) -> None:
    """After three layers: of couplings, each half is transformed at least once with the other in view."""
    f = stack(dims, 3, AffineMap(), [16, 16], 0, activation="tanh", dtype=np.float64)
    J = plain(jacobian(lambda x: f(x[None])[0][0])(np.random.default_rng(1).standard_normal(dims)))
    assert np.all(J != 0)


def test_layers_alternate() -> None:
    couplings = coupling_stack(5, 4, SplineMap(4), [8], 0).transforms[1:]
    assert all(isinstance(layer, Coupling) for layer in couplings)
    for before, after in pairwise(couplings):
        np.testing.assert_array_equal(before.mask, ~after.mask)
    masked = autoregressive_stack(5, 4, SplineMap(4), [8], 0).transforms[1:]
    assert all(isinstance(layer, MaskedAutoregressive) for layer in masked)
    for before, after in pairwise(masked):
        np.testing.assert_array_equal(before.net.order, after.net.order[::-1])


@each_stack
def test_each_layer_has_weights_of_its_own(stack: Any) -> None:
    f = stack(3, 3, AffineMap(), [8], 0)
    weights = [t.data for name, t in f.parameters().items() if name.endswith("W")]
    assert len(weights) == 6 and len({w.tobytes() for w in weights}) == 6


@each_stack
def test_the_settings_reach_the_networks(stack: Any) -> None:
    """Widths, activation and dtype."""
    f = stack(4, 2, AffineMap(), [9, 7], 0, activation="tanh", dtype=np.float64)
    for layer in f.transforms[1:]:
        *hidden, last = layer.net.layers
        assert [each.W.shape[1] for each in hidden] == [9, 7]
        assert all(each.activation is np.tanh for each in hidden) and last.activation is None
    assert all(t.dtype == np.float64 for t in f.parameters().values())


@each_stack
def test_started_on_data(stack: Any) -> None:
    """The first layer takes their mean and standard deviation."""
    x = np.random.default_rng(0).normal(7.0, 3.0, (100, 2))
    f = stack(2, 2, AffineMap(), [8], 0, dtype=np.float64)
    start(f, x)
    np.testing.assert_allclose(plain(f.transforms[0](x)[0]).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(plain(f.transforms[0](x)[0]).std(axis=0), 1, rtol=1e-12)


@each_stack
def test_with_context(stack: Any) -> None:
    """Every dimension depends on it, and the way back has it too."""
    f = stack(3, 2, AffineMap(), [8], 0, context=2, dtype=np.float64)
    x, context = np.ones((1, 3)), np.array([[0.3, -0.4]])
    J = plain(jacobian(lambda c: f(x, c)[0][0])(context))
    assert np.all((J != 0).any(axis=-1))
    np.testing.assert_allclose(plain(f.inverse(plain(f(x, context)[0]), context)[0]), x, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: coupling_stack(2, 2, AffineMap(), 8, 0), r"hidden is 8; .*\[64\]"),  # type: ignore[arg-type]
        (lambda: autoregressive_stack(2, 2, AffineMap(), 8, 0), r"hidden is 8; .*\[64\]"),  # type: ignore[arg-type]
        (lambda: coupling_stack(1, 2, AffineMap(), [8], 0), "at least 2"),
        (lambda: coupling_stack(2, 0, AffineMap(), [8], 0), "layers is 0"),
        (lambda: autoregressive_stack(0, 2, AffineMap(), [8], 0), "dims is 0"),
        (lambda: autoregressive_stack(9, 2, AffineMap(), [3], 0), "too narrow"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@each_stack
def test_arguments_of_another_type(stack: Any) -> None:
    with pytest.raises(TypeError, match="scalar_map is <class"):
        stack(2, 2, AffineMap, [8], 0)
    with pytest.raises(TypeError, match="context is True"):
        stack(2, 2, AffineMap(), [8], 0, context=True)
    with pytest.raises(ValueError, match="context is -1"):
        stack(2, 2, AffineMap(), [8], 0, context=-1)


def test_one_dimension() -> None:
    """Autoregressive with D = 1: a map whose parameters depend on nothing."""
    f = autoregressive_stack(1, 2, SplineMap(4), [8], 0, dtype=np.float64)
    x = np.linspace(-3, 3, 7)[:, None]
    np.testing.assert_allclose(plain(f.inverse(plain(f(x)[0]))[0]), x, atol=1e-12)
