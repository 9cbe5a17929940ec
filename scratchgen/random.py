"""Randomness is an argument: whatever draws numbers takes ``rng``, so equal arguments give equal results.

No function of this package touches NumPy's global random state, which any import can change unseen.

Many functions also take the numbers themselves, as ``noise`` or ``uniforms``, so that what they compute can
be known exactly. What is given counts: nothing is drawn in its place, and an ``rng`` beside it is left as it was.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

Rng = np.random.Generator | int


def generator(rng: Rng) -> np.random.Generator:
    """The Generator that ``rng`` stands for: itself, or a new one from an int seed.

    Raises:
        TypeError: for anything else, the module ``np.random`` among it.
        ValueError: for a negative seed.

    >>> rng = np.random.default_rng(0)
    >>> generator(rng) is rng
    True
    >>> generator(0).normal() == rng.normal()
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"rng is {rng}; a seed must be 0 or more")
        return np.random.default_rng(rng)
    got = "the module np.random, whose state is global" if isinstance(rng, ModuleType) else f"{rng!r}"
    raise TypeError(f"rng is {got}; pass a Generator, such as np.random.default_rng(0), or an int as its seed")
