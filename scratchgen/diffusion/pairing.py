"""Which noise goes with which data: the pairs that flow matching draws its lines between.

Data x_0 and noise x_1 may come in any pairs, as long as each on its own is distributed as it should be:

    independent     any with any, as they were drawn                                            (1)
    optimal         the permutation π of the noise with the least Σ_i |x_1[π(i)] − x_0[i]|²      (2)

(2) is optimal transport within the batch. Its lines are shorter and cross less, so that the velocity is easier to
learn, its targets are less noisy, and its paths are straighter. As the batch grows the cost, E|x_1 − x_0|², falls
towards the least one that any pairs have. For normal data N(m, C) with the eigenvalues λ_j of C that, and the cost of
(1), are

    |m|² + Σ_j (√λ_j − 1)²    and    |m|² + Σ_j (λ_j + 1)                                       (3)

By |x_1 − x_0|² = |x_1|² + |x_0|² − 2 x_1·x_0, whose squares no permutation changes, (2) maximises Σ_i x_1[π(i)]·x_0[i].

With labels, noise may only be exchanged within a class. Else a class would be trained with the noise next to it, and
asked for samples with all noise.

Sources: Tong et al., Improving and Generalizing Flow-Based Generative Models with Minibatch Optimal Transport,
arXiv:2302.00482, section 3.2; Pooladian et al., Multisample Flow Matching, arXiv:2304.14772.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def independent_pairing(x0: np.ndarray, x1: np.ndarray, labels: Any = None) -> np.ndarray:
    """The order of the noise as it came (1): 0, 1, …, B − 1.

    >>> independent_pairing(np.zeros((3, 2)), np.ones((3, 2)))
    array([0, 1, 2])
    """
    return np.arange(len(x0))


def optimal_pairing(x0: np.ndarray, x1: np.ndarray, labels: Any = None) -> np.ndarray:
    """The order π of the noise that makes the lines shortest (2): ``x1[optimal_pairing(x0, x1)]`` is beside x0.

    Args:
        x0: (B, …), data.
        x1: (B, …), noise.
        labels: (B,), integers: rows exchange their noise with rows of the same label only.

    Raises:
        TypeError: for labels that are no integers.
        ValueError: for another shape of x1 than of x0; for labels of another shape than (B,).

    >>> x0, x1 = np.array([[0.0], [5.0], [2.0]]), np.array([[1.0], [0.0], [-1.0]])
    >>> x1[optimal_pairing(x0, x1)][:, 0]                              # on the line: in the same order
    array([-1.,  1.,  0.])
    >>> x1[optimal_pairing(x0, x1, labels=[0, 0, 1])][:, 0]
    array([ 0.,  1., -1.])
    """
    from scipy.optimize import linear_sum_assignment  # a slow import: only who needs it shall wait for it

    B = len(x0)
    if x1.shape != x0.shape:
        raise ValueError(f"the noise has shape {x1.shape} and x {x0.shape}; they must be equal")
    labels = np.zeros(B, int) if labels is None else np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"the context is {labels.dtype}; noise is exchanged within a class: give integers, the labels")
    if labels.shape != (B,):
        raise ValueError(f"labels have shape {labels.shape}; they must be ({B},), one for each row of x")
    order = np.arange(B)
    for label in np.unique(labels):
        (rows,) = np.nonzero(labels == label)
        inner = x0[rows].reshape(len(rows), -1) @ x1[rows].reshape(len(rows), -1).T
        order[rows] = rows[linear_sum_assignment(inner, maximize=True)[1]]
    return order


PAIRINGS = {"independent": independent_pairing, "optimal": optimal_pairing}
