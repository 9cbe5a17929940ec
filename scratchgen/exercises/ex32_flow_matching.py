"""Exercise 32: what flow matching learns.

Flow matching moves noise to data along straight lines. With noise x₀ ~ N(0, I), data x₁, and a time t from 0 to 1,

    x_t = (1 − t) x₀ + t x₁                                                                     (1)
    u_t = dx_t/dt                                                                               (2)

and a network v(x_t, t) is trained to predict u_t, by the mean squared error. To sample, begin with noise at t = 0, and
follow the velocity, in n steps of Euler:

    x ← x + 1/n · v(x, t),    t = 0, 1/n, …, (n − 1)/n                                          (3)

Write the training pair and the sampler. Here noise is at t = 0 and data at t = 1: the opposite of a diffusion.

    training_pair(noise, data, t)    (B, D), (B, D), (B,) → (x_t, u_t), both (B, D)
    follow(velocity, noise, n)       velocity a function (x (B, D), t a number) → (B, D); noise (B, D) → x at t = 1

In the lecture: page 12 ends with diffusion models; this comes after them. Afterwards, look at
scratchgen/diffusion/flow_matching.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def training_pair(noise: np.ndarray, data: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x_t and its velocity u_t, (1) and (2); each row has its own t.

    >>> training_pair(np.array([[0.0, 4.0]]), np.array([[8.0, 8.0]]), np.array([0.25]))
    (array([[2., 5.]]), array([[8., 4.]]))
    """
    # solution
    t = t[:, None]
    return (1 - t) * noise + t * data, data - noise
    # end of solution


def follow(velocity: Callable[[np.ndarray, float], np.ndarray], noise: np.ndarray, n: int) -> np.ndarray:
    """Where n steps (3) lead from the noise, (B, D).

    >>> follow(lambda x, t: 0 * x + 2 * t, np.array([[1.0]]), 2)           # 1 + ½ · 0 + ½ · 2 · ½
    array([[1.5]])
    """
    # solution
    x = noise
    for i in range(n):
        x = x + velocity(x, i / n) / n
    return x
    # end of solution


# end of the learner's part

HINTS = (
    """Differentiate (1) in t, with x₀ and x₁ fixed. Does the velocity depend on t? For the sampler: which times are
    asked for, and which is never?""",
    """u = x₁ − x₀. t has one number a row: t[:, None] multiplies rows. In (3) step i is taken at t = i/n.""",
    """return (1 - t) * noise + t * data, data - noise, with t = t[:, None]; x = x + velocity(x, i / n) / n for i in
    range(n).""",
)

EXPLANATION = """
The network sees x_t and t only, so what it learns is the average of u over all pairs whose line passes there: that
field moves the whole distribution of noise to that of data, though its own paths are not straight any more. A network
that predicts x₁ learns another field. And the direction of time is a convention: with data at t = 0, as in a
diffusion, all signs turn, and a half of each convention gives a sampler that runs away.
"""


def check(student: Student) -> None:
    """x_t and its derivative in t; with a square batch first, where a wrong shape of t broadcasts; then the sampler."""
    rng = np.random.default_rng(32)
    for rows, dims in ((2, 2), (3, 4), (2, 5), (4, 2), (3, 1)):
        noise, data, t = rng.normal(size=(rows, dims)), rng.normal(size=(rows, dims)), rng.random(rows)

        def at(time: np.ndarray, noise: np.ndarray = noise, data: np.ndarray = data) -> np.ndarray:
            return np.stack([(1 - s) * a + s * b for s, a, b in zip(time, noise, data)])

        given = {"noise": noise, "data": data, "t": t}
        exact = at(t), at(t + 1e-20j).imag / 1e-20  # the complex step
        expect(student.training_pair, given, exact, f"B = {rows}, D = {dims}")

    noise, data = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    given = {"noise": noise, "data": data, "t": np.array([0.0, 1.0])}
    exact = np.stack([noise[0], data[1]]), data - noise
    expect(student.training_pair, given, exact, "t = 0 and t = 1")

    def bent(x: np.ndarray, t: float) -> np.ndarray:
        """A velocity that depends on both."""
        return (1 + t) * np.sin(x) + t

    bent.__name__ = "lambda x, t: (1 + t) * np.sin(x) + t"  # as the learner sees it, and can copy it

    for n, rows, dims in ((1, 2, 3), (3, 2, 4), (10, 3, 2)):
        noise = rng.normal(size=(rows, dims))
        path = [noise]
        for i in range(n):
            path.append(path[i] + bent(path[i], i / n) * (1 / n))
        expect(student.follow, {"velocity": bent, "noise": noise, "n": n}, path[-1], f"the sampler, n = {n}")


WRONG: Wrong = {
    "time reversed: data at t = 0": change(
        "(1 - t) * noise + t * data, data - noise", "t * noise + (1 - t) * data, noise - data"
    ),
    "the path reversed, but not the velocity": change("(1 - t) * noise + t * data", "t * noise + (1 - t) * data"),
    "the velocity from data to noise": change(", data - noise", ", noise - data"),
    "predicting the data x₁": change(", data - noise", ", data + 0 * noise"),
    "predicting what is left of the way, x₁ − x_t": change(", data - noise", ", data - ((1 - t) * noise + t * data)"),
    "a velocity multiplied by t": change(", data - noise", ", t * (data - noise)"),
    "roots, as a diffusion has them": change(
        "(1 - t) * noise + t * data", "np.sqrt(1 - t) * noise + np.sqrt(t) * data"
    ),
    "not giving t the axis of the dimensions": change("t = t[:, None]\n", "t = t + 0\n"),
    "the time of the first row for all": change("t = t[:, None]\n", "t = t[0] + 0 * t[:, None]\n"),
    "time in the sampler from 1 to 0": change("velocity(x, i / n)", "velocity(x, 1 - i / n)"),
    "times (i + 1)/n, one step too late": change("velocity(x, i / n)", "velocity(x, (i + 1) / n)"),
    "telling the velocity i instead of i/n": change("velocity(x, i / n)", "velocity(x, i)"),
    "times in the middle of the steps": change("velocity(x, i / n)", "velocity(x, (i + 0.5) / n)"),
    "times from 0 to 1 with both ends": change("velocity(x, i / n)", "velocity(x, i / max(n - 1, 1))"),
    "dividing what is left of the way by 1 − t, which is 0 at the end": change(
        ", data - noise", ", (data - ((1 - t) * noise + t * data)) / (1 - t)"
    ),
    "steps of 1 instead of 1/n": change("velocity(x, i / n) / n", "velocity(x, i / n)"),
    "going against the velocity": change("x = x + velocity", "x = x - velocity"),
    "one step too few": change("range(n)", "range(n - 1)"),
    "the velocity at the beginning, for all steps": change("velocity(x, i / n)", "velocity(noise, i / n)"),
}
