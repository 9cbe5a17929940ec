"""Σ p(x) = 1 over all x there are, for every model of ``scratchgen.autoregressive``; one without a row here fails.

The gradient of the sum is 0 too: whatever its parameters, a model of conditionals has nothing to normalise. Their
parameters are random, so that no zero of an initialisation hides a term.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import scratchgen.autoregressive
from scratchgen.autoregressive import (
    FVSBN,
    MADE,
    NADE,
    BinaryOutput,
    CategoricalOutput,
    CausalConvNet,
    LogisticMixtureOutput,
    NGram,
    OrderMixture,
    PixelCNN,
    ProbabilityTable,
    Transformer,
    order_agnostic,
)
from scratchgen.nn import Module

F64 = np.float64
ORDER = (7, 0, 11, 4, 2, 9, 1, 10, 3, 8, 5, 6)  # of twelve
STREAM = np.random.default_rng(0).integers(0, 2, 500)


def table(levels: int, dims: int, order: Any = None) -> ProbabilityTable:
    return ProbabilityTable(np.zeros((levels,) * dims), order)


# Class and kind: how it is made, V, and D or the length L of the sequences: 2^12 of bits, V^L of symbols.
MODELS: dict[tuple[type, str], tuple[Callable[[], Any], int, int]] = {
    (ProbabilityTable, "natural order"): (lambda: table(2, 12), 2, 12),
    (ProbabilityTable, "another order"): (lambda: table(2, 12, ORDER), 2, 12),
    (ProbabilityTable, "symbols"): (lambda: table(4, 5, [3, 0, 4, 1, 2]), 4, 5),
    (FVSBN, "natural order"): (lambda: FVSBN(12, dtype=F64), 2, 12),
    (FVSBN, "another order"): (lambda: FVSBN(12, ORDER, F64), 2, 12),
    (NADE, "natural order"): (lambda: NADE(12, 5, 0, dtype=F64), 2, 12),
    (NADE, "another order"): (lambda: NADE(12, 5, 0, ORDER, F64), 2, 12),
    (MADE, "natural order"): (lambda: MADE(12, BinaryOutput(), [30], 0, dtype=F64), 2, 12),
    (MADE, "another order, two layers"): (lambda: MADE(12, BinaryOutput(), [20, 30], 0, ORDER, dtype=F64), 2, 12),
    (MADE, "narrow, direct"): (lambda: MADE(12, BinaryOutput(), [3], 0, ORDER, direct=True, dtype=F64), 2, 12),
    (MADE, "no hidden layer"): (lambda: MADE(12, BinaryOutput(), [], 0, ORDER, dtype=F64), 2, 12),
    (MADE, "levels"): (lambda: MADE(6, CategoricalOutput(3), [9], 0, [3, 0, 5, 4, 1, 2], dtype=F64), 3, 6),
    (MADE, "mixture of logistics"): (lambda: MADE(6, LogisticMixtureOutput(2, 3), [9], 0, dtype=F64), 3, 6),
    (OrderMixture, "six orders"): (lambda: order_agnostic(MADE(12, BinaryOutput(), [20], 0, dtype=F64), 6, 0), 2, 12),
    (CausalConvNet, "bits"): (lambda: CausalConvNet(12, 2, 0, 4, 4, 3, (1, 4), dtype=F64), 2, 12),
    (CausalConvNet, "levels"): (lambda: CausalConvNet(6, 3, 0, 4, 3, 2, (1, 1), dtype=F64), 3, 6),
    (PixelCNN, "bits"): (lambda: PixelCNN((3, 4), 2, 0, 4, 2, 1, dtype=F64), 2, 12),
    (PixelCNN, "levels"): (lambda: PixelCNN((2, 3), 3, 0, 4, 1, 1, dtype=F64), 3, 6),
    (Transformer, "bits"): (lambda: Transformer(2, 12, 4, 2, 1, 0, dtype=F64), 2, 12),
    (Transformer, "symbols, tied"): (lambda: Transformer(3, 6, 8, 2, 2, 0, tied=True, dtype=F64), 3, 6),
    (Transformer, "shorter than the context"): (lambda: Transformer(4, 9, 4, 1, 1, 0, dtype=F64), 4, 5),
    (NGram, "interpolated"): (lambda: NGram(STREAM, 2, 4), 2, 12),
    (NGram, "add, with an unseen symbol"): (lambda: NGram(STREAM, 3, 3, smoothing="add"), 3, 6),
    (NGram, "longer memory than sequence"): (lambda: NGram(STREAM, 4, 8), 4, 5),
}


def all_classes() -> Iterator[type]:
    """The concrete classes that the package gives a log-probability."""
    for found in pkgutil.iter_modules(scratchgen.autoregressive.__path__):
        module = importlib.import_module(f"scratchgen.autoregressive.{found.name}")
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and not inspect.isabstract(cls) and callable(getattr(cls, "log_prob", None)):
                yield cls


def left_out(classes: Iterator[type]) -> set[str]:
    return {cls.__name__ for cls in classes} - {cls.__name__ for cls, _ in MODELS}


def test_every_model_has_a_row() -> None:
    assert {"Transformer", "NGram"} <= {cls.__name__ for cls in all_classes()}
    assert left_out(all_classes()) == set()


def test_a_new_model_without_a_row_is_noticed() -> None:
    class Another(FVSBN):
        """A model that nobody has entered."""

    assert left_out(iter([*all_classes(), Another])) == {"Another"}


@pytest.mark.parametrize(("make", "levels", "length"), MODELS.values(), ids=[f"{c.__name__}, {k}" for c, k in MODELS])
def test_the_total_probability_is_1_and_stays_so(make: Callable[[], Any], levels: int, length: int) -> None:
    model, x = make(), np.array(list(product(range(levels), repeat=length)))
    assert len(x) == levels**length
    if not isinstance(model, Module):
        p = np.exp(model.log_prob(x))
    else:
        rng = np.random.default_rng(1)
        for t in model.eval().parameters().values():
            t.assign(t.data + 0.5 * rng.normal(size=t.shape))
        total = np.sum(np.exp(model.log_prob(x)))
        total.backward()
        p = np.exp(model.log_prob(x).data)
        assert max(np.abs(t.grad).max() for t in model.parameters().values() if t.grad is not None) < 1e-12
        assert any(t.grad is not None for t in model.parameters().values())
    assert abs(p.sum() - 1) < 1e-12
    assert p.std() > 0.3 / len(p)  # far from 1 / V^L for each
