"""Exercise 22: the log-density of a flow.

A flow maps data to noise by invertible layers, z = f_l(… f₂(f₁(x))), and knows the density of the noise, N(0, I). The
change of variables gives that of the data:

    log p(x) = log N(z; 0, I) + Σ_i log |det ∂f_i/∂h_{i−1}|,    h_0 = x,  h_i = f_i(h_{i−1}),  z = h_l    (1)

Write (1). (On page 11 f goes the other way, from noise to data.) Each layer is a function: it takes h (B, D), and
returns what it is mapped to, (B, D), and log |det| of each row, (B,).

    x          (B, D)
    layers     a list of functions, of f₁ first; it may be empty
    returns    (B,), nats

In the lecture: page 11, "Use a change of variables formula". Afterwards, look at scratchgen/flows/flow.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect

Layer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def flow_log_density(x: np.ndarray, layers: list[Layer]) -> np.ndarray:
    """log p(x) of each row, in nats, (B,).

    >>> def double(h):                                             # z = 2 x in 2 dimensions: the determinant is 4
    ...     return 2 * h, np.full(len(h), np.log(4.0))
    >>> flow_log_density(np.array([[0.0, 0.0], [1.0, 0.0]]), [double]).round(4)          # log 4 − log 2π, and 2²/2 less
    array([-0.4516, -2.4516])
    """
    # solution
    h, total = x, np.zeros(len(x))
    for layer in layers:
        h, logdet = layer(h)
        total = total + logdet
    return total - 0.5 * np.sum(np.log(2 * np.pi) + h**2, axis=1)
    # end of solution


# end of the learner's part

HINTS = (
    """Send x through the layers, and keep two things on the way: where it is, and the sum of the log-determinants so
    far.""",
    """log N(z; 0, I) = −½ Σ_d (log 2π + z_d²), of the z at the end. The layers go from data to noise, so their
    log-determinants are added.""",
    """for layer in layers: h, logdet = layer(h); total = total + logdet. Then return total plus the log-density of
    h.""",
)

EXPLANATION = """
Where a layer stretches space, |det| > 1, a small piece of it gets a large piece of the noise, and so much probability:
the density of x is larger there. The sign depends on the direction: written for the map from noise to data, as in the
lecture's p(f⁻¹(x)) |det df⁻¹/dx|, it is the inverse whose determinant counts. With the wrong sign training still lowers
its loss, for ever: the flow shrinks everything to a point. The test that finds it is that a density integrates to 1.
"""


def layers_of(D: int, rng: np.random.Generator) -> list[Callable[[np.ndarray], np.ndarray]]:
    """An affine map, arcsinh, and another affine map: each also takes complex numbers."""
    A, b = rng.normal(size=(D, D)) + 2 * np.eye(D), rng.normal(size=D)
    return [lambda h: h @ A.T + b, np.arcsinh, lambda h: 3 * h - b]


def jacobian(f: Callable[[np.ndarray], np.ndarray], h: np.ndarray) -> np.ndarray:
    """∂f/∂h of each row, (B, D, D), by the complex step."""
    steps = 1e-20j * np.eye(h.shape[1])
    return np.stack([f(h + step).imag / 1e-20 for step in steps], axis=2)


def with_logdet(f: Callable[[np.ndarray], np.ndarray]) -> Layer:
    """The layer of a map, with log |det| by brute force."""

    def layer(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return f(h), np.linalg.slogdet(jacobian(f, h))[1]

    return layer


def check(student: Student) -> None:
    """Against the Jacobian of the whole, in 2, 4, 5 dimensions; without layers; and an integral that must be 1."""
    rng = np.random.default_rng(22)
    for rows, D in ((2, 2), (3, 4), (2, 5), (4, 1)):
        maps, x = layers_of(D, rng), rng.normal(size=(rows, D))

        def whole(h: np.ndarray, maps: list = maps) -> np.ndarray:
            for f in maps:
                h = f(h)
            return h

        base = np.prod(np.exp(-(whole(x) ** 2) / 2) / np.sqrt(2 * np.pi), axis=1)
        exact = np.log(base) + np.linalg.slogdet(jacobian(whole, x))[1]
        given = {"x": x, "layers": [with_logdet(f) for f in maps]}
        expect(student.flow_log_density, given, exact, f"B = {rows}, D = {D}, 3 layers")
    x = np.array([[0.0, 3.0], [1.0, -1.0]])
    exact = -np.log(2 * np.pi) - np.array([4.5, 1.0])
    expect(student.flow_log_density, {"x": x, "layers": []}, exact, "no layers")
    x, logdet = np.array([[50.0, -1.0, 2.0], [0.5, 60.0, 0.0]]), np.full(2, 330 * np.log(10.0))

    def enlarge(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return h * 1e110, logdet

    given = {"x": x * 1e-110, "layers": [enlarge]}
    exact = logdet - 1.5 * np.log(2 * np.pi) - np.array([2505.0, 3600.25]) / 2
    expect(student.flow_log_density, given, exact, "a density of the noise that is 0 in floating point")
    grid = np.linspace(-40, 40, 4001)[:, None]
    layers = [with_logdet(f) for f in layers_of(1, np.random.default_rng(3))]
    log_p = call(student.flow_log_density, {"x": grid, "layers": layers}, "a grid in 1 dimension")
    equal(np.sum(np.exp(log_p)) * 0.02, 1.0, "the integral of p over a grid", tol=1e-6)


WRONG: Wrong = {
    "subtracting the log-determinants": change("total + logdet", "total - logdet"),
    "taking the density of the noise at x": change("np.log(2 * np.pi) + h**2", "np.log(2 * np.pi) + x**2"),
    "leaving out the log-determinants": change("total + logdet", "total"),
    "the log-determinant of the last layer alone": change("total = total + logdet", "total = logdet"),
    "applying the last layer first": change("in layers", "in layers[::-1]"),
    "sending x itself through each layer": change("layer(h)", "layer(x)"),
    "multiplying by the determinant: e^logdet": change("total + logdet", "total + np.exp(logdet)"),
    "summing the log-determinants over the batch": change("total + logdet", "total + np.sum(logdet)"),
    "averaging over the dimensions": change("np.sum(np.log", "np.mean(np.log"),
    "leaving out log 2π": change("np.log(2 * np.pi) + h**2", "h**2"),
    "log 2π once, whatever D is": change(
        "0.5 * np.sum(np.log(2 * np.pi) + h**2, axis=1)", "0.5 * (np.log(2 * np.pi) + np.sum(h**2, axis=1))"
    ),
    "leaving out the ½ of the Gaussian": change("0.5 * np.sum", "np.sum"),
    "the logarithm of a density that underflows": change(
        "return total - 0.5 * np.sum(np.log(2 * np.pi) + h**2, axis=1)",
        "return total + np.log(np.prod(np.exp(-(h**2) / 2) / np.sqrt(2 * np.pi), axis=1))",
    ),
    "returning the density": change(
        "return total - 0.5 * np.sum(np.log(2 * np.pi) + h**2, axis=1)",
        "return np.exp(total - 0.5 * np.sum(np.log(2 * np.pi) + h**2, axis=1))",
    ),
    "the negative log-density": change("return total - 0.5 *", "return -total + 0.5 *"),
}
