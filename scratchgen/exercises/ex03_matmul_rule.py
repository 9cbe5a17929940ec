"""Exercise 3: the derivative rule of the matrix product.

Nearly all the work of a network is y = a @ b. With g = dL/dy, find dL/da and dL/db. One number of y is

    y_ij = Σ_k a_ik b_kj                                                                        (1)

so a_ik takes part in the whole row i of y, and b_kj in the whole column j. Write the rule, also for a batch of
matrices: then a and b may have a third axis in front. If only one of them has it, the other is shared by the whole
batch, and its gradient is a sum over the batch (exercise 1).

    a          (n, k), or (B, n, k)
    b          (k, m), or (B, k, m)
    g          the shape of a @ b
    returns    (dL/da, dL/db), of the shapes of a and b

In the lecture: page 6, where the gradient in ϕ goes through networks. Afterwards, look at `matmul_left` in
scratchgen/autodiff/linalg.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def matmul_rule(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of L with respect to a and b, where y = a @ b and g = dL/dy.

    >>> matmul_rule(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[5.0], [7.0]]))
    (array([[5., 7.]]), array([[2.],
           [3.]]))
    """
    # solution
    da = g @ np.swapaxes(b, -1, -2)
    db = np.swapaxes(a, -1, -2) @ g
    if da.ndim > a.ndim:
        da = np.sum(da, axis=0)
    if db.ndim > b.ndim:
        db = np.sum(db, axis=0)
    return da, db
    # end of solution


# end of the learner's part

HINTS = (
    """Start with the shapes: from g, (n, m), and b, (k, m), make something of the shape of a, (n, k). There is hardly
    more than one way. Then check it with (1).""",
    """dL/da_ik = Σ_j g_ij b_kj, and dL/db_kj = Σ_i a_ik g_ij: dL/da = g bᵀ, dL/db = aᵀ g.""",
    """In a batch transpose only the last two axes: g @ np.swapaxes(b, -1, -2). If a has no batch axis but the result
    has, sum the result over axis 0; for b likewise.""",
)

EXPLANATION = """
The order matters, and shapes find most errors only if n, k and m differ: with square matrices g @ b has the right
shape too. In an affine layer a is the batch (B, n) and b the weights, whose gradient aᵀ g sums over the rows of the
batch: that is the sum over examples which makes the gradient of a mean loss. `b.T` of an array with three axes turns
all three round.
"""


def by_unit_matrices(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y is linear in a, so dL/da_i = ⟨g, e_i @ b⟩ for the unit matrix e_i; in b likewise."""

    def units(x: np.ndarray) -> np.ndarray:
        return np.eye(x.size).reshape(x.size, *x.shape)

    da = np.array([np.sum(g * (e @ b)) for e in units(a)]).reshape(a.shape)
    return da, np.array([np.sum(g * (a @ e)) for e in units(b)]).reshape(b.shape)


def check(student: Student) -> None:
    """Against unit matrices: square, so that wrong products have a shape too; not square; batches; one shared."""
    rng = np.random.default_rng(3)
    for a_shape, b_shape in (
        ((2, 2), (2, 2)),
        ((2, 3), (3, 4)),
        ((4, 1), (1, 2)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((2, 2, 2), (2, 2)),
    ):
        a, b = (rng.integers(-3, 4, shape).astype(float) for shape in (a_shape, b_shape))
        given = {"g": rng.integers(1, 6, (a @ b).shape).astype(float), "a": a, "b": b}
        expect(student.matmul_rule, given, by_unit_matrices(**given), f"a of shape {a_shape}, b of shape {b_shape}")


WRONG: Wrong = {
    "returning (g @ b, a @ g), without transposing": lambda g, a, b: (g @ b, a @ g),
    "not summing the gradient of a shared b over the batch": change("if db.ndim > b.ndim:", "if False:"),
    "not summing the gradient of a shared a over the batch": change("if da.ndim > a.ndim:", "if False:"),
    "taking the first of the batch for a shared b": change("db = np.sum(db, axis=0)", "db = db[0]"),
    "averaging over the batch instead of summing": change(
        "db = np.sum(", "db = np.mean(", "da = np.sum(", "da = np.mean("
    ),
    "ignoring g": lambda g, a, b: (np.ones_like(g) @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ np.ones_like(g)),
    "exchanging the factors of each product": lambda g, a, b: (np.swapaxes(b, -1, -2) @ g, g @ np.swapaxes(a, -1, -2)),
    "transposing all the axes of a batch": lambda g, a, b: (g @ b.T, a.T @ g),
    "returning the transposed gradients": lambda g, a, b: (b @ np.swapaxes(g, -1, -2), np.swapaxes(g, -1, -2) @ a),
    "returning the two gradients in the other order": change("return da, db", "return db, da"),
    "transposing g too": lambda g, a, b: (
        np.swapaxes(g, -1, -2) @ np.swapaxes(b, -1, -2),
        np.swapaxes(a, -1, -2) @ np.swapaxes(g, -1, -2),
    ),
    "applying the rule of the elementwise product": lambda g, a, b: (g * b, g * a),
}
