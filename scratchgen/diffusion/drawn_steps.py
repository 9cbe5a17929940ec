"""Which steps a batch is trained on: one for each row, spread as evenly as can be.

    E_t[w_t ℓ_t],  t uniform        is estimated by t_i = ⌊T ((u + i/n) mod 1)⌋ + 1 for one u       (1)
    Σ_t ℓ_t = E_{t ~ p}[ℓ_t / p_t]  for any p that leaves out no t                                  (2)

i = 0 … n − 1 is the row, and u is uniform on [0, 1]. Each t_i of (1) is uniform, but together they leave no gaps, and
the mean over the batch is less noisy. (2) is importance sampling. The last step, from x_1 to data, may cost more than
all others together; if it has half of the rows and not one in T, its gradient is that much less noisy.

Source: Kingma et al., arXiv:2107.00630, appendix I.1, for (1).
"""

from __future__ import annotations

import numpy as np


def drawn_steps(n: int, T: int, rng: np.random.Generator, first: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """n steps (1) from 1 to T, and the probability p_t of each.

    Args:
        n, T: how many, of how many.
        rng: draws u.
        first: the probability of t = 1; the others have equal shares of the rest. None for 1/T each.

    >>> t, p = drawn_steps(4, 3, np.random.default_rng(0), first=0.5)
    >>> t, p
    (array([2, 3, 1, 1]), array([0.25, 0.25, 0.5 , 0.5 ]))
    """
    places = (rng.random() + np.arange(n) / n) % 1.0
    if first is None or T == 1:
        return np.minimum((T * places).astype(np.int64), T - 1) + 1, np.full(n, 1.0 / T)
    others = (T - 1) * (places - first) / (1.0 - first)
    t = np.where(places < first, 1, np.clip(others.astype(np.int64), 0, T - 2) + 2)
    return t, np.where(t == 1, first, (1.0 - first) / (T - 1))
