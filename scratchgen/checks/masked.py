"""Samples of the products with masked weights, and cases of the layer made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, register
from scratchgen.checks.layers import on
from scratchgen.checks.sample import Sample, signed
from scratchgen.nn import MaskedLinear
from scratchgen.nn.masked_product import Blocks, masked_back, masked_outer, masked_product

STAIRCASE = np.tri(7, 5, dtype=int).T  # (5, 7)
# Rows of x, the mask, and the strips that it is cut into.
MASKS: dict[str, tuple[int, Any, int]] = {
    "primes": (3, STAIRCASE, 3),
    "square": (3, np.tri(3, k=-1).T, 3),
    "size-1 axis": (1, [[1]], 1),
    "empty": (0, [[0, 1], [1, 1]], 1),
    "whole": (2, [[0, 1, 0], [1, 0, 1]], 1),
    "turned round": (2, STAIRCASE[::-1], 4),
}


def products() -> list[Sample]:
    """Each of the three functions for each of the masks."""
    samples = []
    for kind, (n, mask, strips) in MASKS.items():
        mask = np.array(mask)
        n_in, n_out = mask.shape
        blocks = Blocks(mask, strips, smallest=0)
        assert (len(list(blocks)) > 1) == (strips > 1)
        forms = {
            masked_product: ((n, n_in), (n_in, n_out)),
            masked_back: ((n, n_out), (n_in, n_out)),
            masked_outer: ((n, n_in), (n, n_out)),
        }
        for form, shapes in forms.items():

            def function(a: Any, b: Any, form: Any = form, blocks: Any = blocks) -> Any:
                return form(a, b, blocks=blocks)

            samples.append(Sample(form.__name__, kind, function, *(signed(*shape) for shape in shapes)))
            if kind == "square":
                twice = lambda a, function=function: function(a, a)  # noqa: E731
                samples.append(Sample(form.__name__, "same twice", twice, signed(n, n)))

        def with_bias(x: Any, W: Any, b: Any, blocks: Any = blocks) -> Any:
            return masked_product(x, W, b, blocks=blocks)

        samples.append(
            Sample("masked_product", f"{kind}, bias", with_bias, signed(n, n_in), signed(n_in, n_out), signed(n_out))
        )
    return samples


SAMPLES = products()
EXEMPT = {(name, "0-d"): "it is a product of matrices" for name in ("masked_product", "masked_back", "masked_outer")}


@register("layers", MaskedLinear)
def masked_linear(rng: np.random.Generator) -> Case:
    """With an activation, on an input of three axes."""
    return on(MaskedLinear(STAIRCASE, rng, "sigmoid", dtype=np.float64), rng, 2, 3, 5)
