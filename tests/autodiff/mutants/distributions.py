"""Wrong rules for the operations of ``scratchgen.distributions`` that are not divergences."""

from __future__ import annotations

import numpy as np

from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, on_raw_inputs

MUTANTS = [
    Mutant("log1mexp", 0, "sign", instead(lambda g, y, a: g * np.exp(-a) / np.expm1(-a))),
    Mutant("log1mexp", 0, "wrong", instead(lambda g, y, a: -g * np.exp(-a) / (1 + np.exp(-a)))),  # of log(1 + e^{−a})
    Mutant("log1mexp", 0, "missing term", instead(lambda g, y, a: g * np.exp(-a) + 0 * y)),  # of −e^{−a}
    Mutant("log1mexp", 0, "epsilon", instead(lambda g, y, a: g * np.exp(-a) / (1e-6 - np.expm1(-a)))),
    Mutant("log1mexp", 0, "raw data", on_raw_inputs),
]
