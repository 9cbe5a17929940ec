"""Exercise 18: the masks of MADE.

The chain rule writes log p(x) as Σ log p(x[j] | x[<j]). One network computes all these conditionals at once, if output
j depends on the inputs that come before x[j] only. To see to that, every weight that would open another path is
multiplied by 0. Each input, hidden unit and output gets a degree:

    inputs and outputs    m(j) = the position of x[j] in the order, from 1 to D
    hidden units          any numbers from 1 to D − 1, with each of them in use in every layer

and a connection is kept if what it tells may be known, and only then:

    into a hidden unit    input or hidden unit i → hidden unit j    where m(i) ≤ m(j)           (1)
    into an output        hidden unit i → output j                  where m(i) < m(j)           (2)

Write the masks. Every hidden layer has at least D − 1 units, so that no allowed path need be lost: output j shall be
reached from all inputs before it.

    order      (D,) integers, D ≥ 2: position of each component, a permutation of 1 … D
    hidden     the widths of the hidden layers, at least one
    returns    a list of masks of 0 and 1, one for each layer of weights: (n_in, n_out), from D inputs to D outputs

In the lecture: page 10, "write the probability distribution in an autoregressive way". Afterwards, look at
scratchgen/autoregressive/masks.py.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scratchgen.exercises.kit import Failure, Student, Wrong, call, change, require


def made_masks(order: np.ndarray, hidden: list[int]) -> list[np.ndarray]:
    """The masks (n_in, n_out) of each layer of weights, for components at these positions of the order.

    >>> first, last = made_masks(np.array([1, 2]), [1])         # x[0] → hidden → x[1], and nothing else
    >>> first.astype(int).tolist(), last.astype(int).tolist()
    ([[1], [0]], [[0, 1]])
    """
    # solution
    before, masks = order, []
    for units in hidden:
        degrees = 1 + np.arange(units) % (len(order) - 1)
        masks.append(before[:, None] <= degrees)
        before = degrees
    masks.append(before[:, None] < order)
    return masks
    # end of solution


# end of the learner's part

HINTS = (
    """Give out the degrees first, layer by layer; each mask is then one comparison of two of these lists. A hidden
    unit of degree m knows x at positions up to m, and may tell outputs at positions after m.""",
    """For a layer of n units the degrees 1, 2, …, D − 1, 1, 2, … are 1 + np.arange(n) % (D - 1). With column m_in[:,
    None] and row m_out the mask (n_in, n_out) of (1) is m_in[:, None] <= m_out.""",
    """Start with before = order; for each hidden layer append before[:, None] <= degrees, and set before = degrees;
    at the end append before[:, None] < order.""",
)

EXPLANATION = """
One of the two comparisons must be strict, and only one. With ≤ in both, output j sees x[j] itself: the loss falls to
nearly 0, but no sample can be drawn, for x[j] would have to be known before. With < in both there is no leak, but x[j]
does not see its neighbour before it, and with several hidden layers ever more paths are lost: a model that is worse
than it should be, and no alarm. So the check looks at the product of the masks, which counts the paths: none that is
not allowed, and all that are. Then it looks for single connections that are missing, and for hidden units that hear or
tell nothing: they are no error, but a waste.
"""


def paths(masks: list[np.ndarray]) -> np.ndarray:
    """Whether there is a path from each input to each output."""
    reached = np.asarray(masks[0], dtype=float)
    for mask in masks[1:]:
        reached = (reached @ np.asarray(mask, dtype=float) > 0).astype(float)
    return reached > 0


def degrees_of(masks: list[np.ndarray], position: np.ndarray) -> list[np.ndarray]:
    """The degrees of the hidden units, layer by layer: the last position of which a unit hears, 0 if of none."""
    found = [position]
    for mask in masks[:-1]:
        found.append(np.max(np.where(np.asarray(mask, dtype=bool), found[-1][:, None], 0), axis=0))
    return found[1:]


def check(student: Student) -> None:
    """Shapes and entries; the paths; then (1) and (2) for each connection. One to three hidden layers, any order."""
    make = student.made_masks
    cases = [([1, 2, 3], [4]), ([2, 3, 1], [3]), ([4, 2, 1, 3], [5, 6]), ([3, 1, 5, 2, 4], [4, 9, 4]), ([2, 1], [1, 1])]
    for order, hidden in cases:
        given = {"order": np.array(order), "hidden": hidden}
        case = f"order {order}, hidden layers of {hidden}"
        masks = call(make, given, case)
        if not isinstance(masks, list | tuple) or not all(isinstance(mask, np.ndarray) for mask in masks):
            raise Failure("A list of arrays is expected.", case=case, given=given, got=masks)
        sizes = [len(order), *hidden, len(order)]
        shapes, goal = [mask.shape for mask in masks], list(pairwise(sizes))
        require(shapes == goal, "The shapes of the masks are wrong.", case, given=given, got=shapes, expected=goal)
        entries = np.unique(np.concatenate([np.ravel(mask) for mask in masks]).astype(float))
        known = np.isin(entries, (0.0, 1.0)).all()
        require(
            known, "A mask has other entries than 0 and 1.", case, given=given, got=entries, expected=np.arange(2.0)
        )
        position, reached = np.array(order), paths(list(masks))
        allowed = position[:, None] < position
        for wrong, problem in (
            (reached & ~allowed, "There is a leak: input {} reaches output {}, which may not see it."),
            (allowed & ~reached, "A path is missing: output {1} may see input {0}, but is not reached by it."),
        ):
            if wrong.any():
                text = problem.format(*np.argwhere(wrong)[0])
                raise Failure(text, case=case, given=given, got=reached.astype(int), expected=allowed.astype(int))
        degrees = degrees_of(list(masks), position)
        for number, units in enumerate(degrees, 1):
            for degree, problem in (
                (0, "is reached by no input"),
                (len(order), "is reached by the last input of the order, so that it may tell no output"),
            ):
                require(
                    degree not in units, f"In hidden layer {number} a unit {problem}.", case, given=given, got=units
                )
        ends = [position, *degrees, position]
        for layer, (mask, before, after) in enumerate(zip(masks, ends, ends[1:])):
            kept = before[:, None] < after if layer == len(hidden) else before[:, None] <= after
            if (mask != kept).any():
                i, j = np.argwhere(mask != kept)[0]
                problem = f"A connection is missing in masks[{layer}]: from unit {i} to unit {j}, which may know it."
                raise Failure(problem, case=case, given=given, got=mask.astype(int), expected=kept.astype(int))


def one_degree(order: np.ndarray, hidden: list[int]) -> list[np.ndarray]:
    """All hidden units of degree 1."""
    sizes = [np.asarray(order), *(np.ones(n, int) for n in hidden)]
    masks = [a[:, None] <= b for a, b in pairwise(sizes)]
    return [*masks, sizes[-1][:, None] < order]


def equal_degrees(order: np.ndarray, hidden: list[int]) -> list[np.ndarray]:
    """Between two hidden layers only units of the same degree are connected."""
    first, *between = [1 + np.arange(n) % (len(order) - 1) for n in hidden]
    masks = [a[:, None] == b for a, b in pairwise([first, *between])]
    return [order[:, None] <= first, *masks, [first, *between][-1][:, None] < order]


WRONG: Wrong = {
    "≤ into the outputs too, so that each output sees its own input": change(
        "before[:, None] < order", "before[:, None] <= order"
    ),
    "< into the hidden units too, so that paths are lost": change(
        "before[:, None] <= degrees", "before[:, None] < degrees"
    ),
    "≤ and < exchanged": change(
        "before[:, None] <= degrees", "before[:, None] < degrees", "before[:, None] < order", "before[:, None] <= order"
    ),
    "masks of zeros": lambda order, hidden: [0 * mask for mask in made_masks(order, hidden)],
    "masks of ones": lambda order, hidden: [1 + 0 * mask for mask in made_masks(order, hidden)],
    "ignoring the order": lambda order, hidden: made_masks(np.arange(1, len(order) + 1), hidden),
    "ignoring the order at the inputs": change(
        "before, masks = order, []", "before, masks = np.arange(1, len(order) + 1), []"
    ),
    "taking the order for a list of components instead of positions": lambda order, hidden: made_masks(
        np.argsort(order) + 1, hidden
    ),
    "the order turned round": lambda order, hidden: made_masks(len(order) + 1 - order, hidden),
    "the same degree for all hidden units": one_degree,
    "masks that are transposed": lambda order, hidden: [mask.T for mask in made_masks(order, hidden)],
    "connecting inputs to outputs directly, without hidden layers": lambda order, hidden: [order[:, None] < order],
    "degrees from 1 to D, so that a hidden unit has nobody to tell": change("% (len(order) - 1)", "% len(order)"),
    "degrees from 0 on, so that a hidden unit hears nothing": change(
        "1 + np.arange(units) % (len(order) - 1)", "(1 + np.arange(units)) % len(order)"
    ),
    "= instead of ≤ between hidden units": equal_degrees,
    "telling the next component only: = for < into the outputs": change(
        "before[:, None] < order", "before[:, None] == order - 1"
    ),
    "degrees that begin with 2, so that the first input reaches nothing early": change(
        "1 + np.arange(units) % (len(order) - 1)", "2 + np.arange(units) % (len(order) - 1)"
    ),
}
