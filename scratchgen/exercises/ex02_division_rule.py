"""Exercise 2: the derivative rule of division.

Reverse-mode differentiation needs one rule for each function. Let y = a / b, elementwise, be a step on the way to a
number L, and g = dL/dy what the steps after it have found. The rule goes on by the chain rule:

    dL/da = g · dy/da        dL/db = g · dy/db                                                  (1)

g is called the cotangent of y. Write the rule: the pair of the two gradients. As in NumPy, a and b may broadcast; each
gradient then has the shape of y (the engine sums it down afterwards: see exercise 1).

    g          the shape of y = a / b
    a, b       shapes that broadcast, such as (3, 1) and (4,)
    returns    (dL/da, dL/db), both of the shape of g

In the lecture: page 6, "Now we can compute derivative wrt ϕ!", which is what these rules are for. Afterwards, look at
the line of `np.divide` in scratchgen/autodiff/elementwise.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def division_rule(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of L with respect to a and to b, where y = a / b and g = dL/dy.

    >>> division_rule(np.array([10.0]), np.array([3.0]), np.array([2.0]))       # dy/da = 1/2, dy/db = −3/4
    (array([5.]), array([-7.5]))
    """
    # solution
    return g / b, -g * a / (b * b)
    # end of solution


# end of the learner's part

HINTS = (
    """Hold b fixed: y is a straight line in a. What is its slope? Then hold a fixed: y = a · b⁻¹.""",
    """dy/da = 1/b, and dy/db = −a/b². The rule is not these alone: equation (1) multiplies each by g.""",
    """return g / b, -g * a / b**2. Each has the shape of g, since g has the shape of y.""",
)

EXPLANATION = """
That is all that an autodiff engine knows of division: two expressions. Both are linear in g: whatever follows in the
graph enters through g alone, so each rule can be written, and checked, on its own. With y at hand the second is
−g y / b, as the library has it: one multiplication less. A check with g = 1 everywhere cannot tell whether g is used at
all; this one draws g at random.
"""


def by_complex_step(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1), with dy/dx = Im y(x + ih)/h, whose error is of the order of h² = 1e-40: no digits cancel in it."""
    h = 1e-20
    return g * ((a + h * 1j) / b).imag / h, g * (a / (b + h * 1j)).imag / h


def check(student: Student) -> None:
    """Against the complex step, with cotangents of both signs: single numbers first, then shapes that broadcast."""
    small = {"g": np.array([3.0, -0.5]), "a": np.array([3.0, 1.0]), "b": np.array([2.0, -4.0])}
    expect(student.division_rule, small, by_complex_step(**small), "two numbers")
    rng = np.random.default_rng(2)
    for left, right in (((3, 1), (4,)), ((2, 3), (2, 3)), ((5,), (2, 1, 5)), ((), (4,)), ((2, 2), ())):
        a, b = (rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2, shape) for shape in (left, right))
        given = {"g": rng.normal(size=np.broadcast_shapes(left, right)), "a": a, "b": b}
        expect(student.division_rule, given, by_complex_step(**given), f"a of shape {left}, b of shape {right}")


WRONG: Wrong = {
    "ignoring g": lambda g, a, b: (1 / b + 0 * a, -a / b**2),
    "ignoring g in the second gradient": change("-g * a", "-a"),
    "giving the second gradient the wrong sign": change("-g * a", "g * a"),
    "taking g / b for both": lambda g, a, b: (g / b, g / b),
    "leaving out a, as if y were 1 / b": change("-g * a", "-g"),
    "writing / b * b, which divides by b and multiplies again": change("/ (b * b)", "/ b * b"),
    "not squaring b": change("(b * b)", "b"),
    "returning the two gradients in the other order": lambda g, a, b: (-g * a / b**2, g / b),
    "applying the rule of multiplication": lambda g, a, b: (g * b, g * a),
    "summing over all elements": lambda g, a, b: (np.sum(g / b), np.sum(-g * a / b**2)),
    "returning the sum of the two": lambda g, a, b: g / b - g * a / b**2,
}
