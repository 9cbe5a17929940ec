"""Wrong rules for causal attention."""

from __future__ import annotations

import numpy as np

from scratchgen.nn.attention import causal_attention  # noqa: F401  (enters the operation)
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, raw

MUTANTS = [
    Mutant("causal_attention", 0, "factor", instead(lambda c, y, q, k, v, kept=None: c[2] @ k * q.shape[-1] ** 0.5)),
    Mutant(
        "causal_attention",
        1,
        "swapped operands",
        instead(lambda c, y, q, k, v, kept=None: np.swapaxes(c[2], -1, -2) @ k[..., -q.shape[-2] :, :]),
    ),
    Mutant("causal_attention", 0, "raw data", instead(lambda c, y, q, k, v, kept=None: raw(c[2]) @ k)),
    Mutant("causal_attention", 2, "not transposed", instead(lambda c, y, q, k, v, kept=None: c[1] @ c[0])),
]
