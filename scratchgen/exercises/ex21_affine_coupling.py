"""Exercise 21: an affine coupling layer.

A flow needs maps that are invertible, with a determinant that costs little. A coupling layer splits x into two parts:
the first passes through, and tells a network how to scale and shift the second. With x₁ the first D // 2 dimensions,

    z₁ = x₁
    z₂ = x₂ e^s + t,    where (s, t) = network(x₁)                                              (1)
    log |det ∂z/∂x| = Σ s,    over the dimensions of the second part                            (2)

for the Jacobian is triangular, with 1 and e^s on its diagonal. To go back, z₁ = x₁ is all that the network needs.
Write both directions. The network is a function from (B, D // 2) to two arrays (B, D − D // 2): s and t.

    forward(x, network)    (B, D) → (z, log |det|): (B, D), (B,)
    inverse(z, network)    (B, D) → x

In the lecture: page 11, "neural networks in a smart way making sure they are flexible and invertible". Afterwards, look
at scratchgen/flows/coupling.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect

Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def forward(x: np.ndarray, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """From data to noise: z (B, D), and log |det ∂z/∂x| of each row, (B,).

    >>> z, logdet = forward(np.array([[2.0, 3.0]]), lambda h: (0 * h + np.log(5.0), 10 * h))       # 3 · 5 + 10 · 2
    >>> z.round(6), logdet.round(4)
    (array([[ 2., 35.]]), array([1.6094]))
    """
    # solution
    half = x.shape[1] // 2
    s, t = network(x[:, :half])
    z = np.concatenate([x[:, :half], x[:, half:] * np.exp(s) + t], axis=1)
    return z, np.sum(s, axis=1)
    # end of solution


def inverse(z: np.ndarray, network: Network) -> np.ndarray:
    """From noise to data: the x (B, D) that ``forward`` maps to z.

    >>> inverse(np.array([[2.0, 35.0]]), lambda h: (0 * h + np.log(5.0), 10 * h)).round(6)
    array([[2., 3.]])
    """
    # solution
    half = z.shape[1] // 2
    s, t = network(z[:, :half])
    return np.concatenate([z[:, :half], (z[:, half:] - t) * np.exp(-s)], axis=1)
    # end of solution


# end of the learner's part

HINTS = (
    """Split, ask the network, map the second part, put the parts together again in the places they came from. Going
    back is the same, with (1) solved for x₂.""",
    """x₂ = (z₂ − t) e^−s, with s and t of z₁, which is x₁. The log-determinant is a sum over the second part's
    dimensions: one number for each row.""",
    """half = x.shape[1] // 2; s, t = network(x[:, :half]); np.concatenate([x[:, :half], x[:, half:] * np.exp(s) + t],
    axis=1), and np.sum(s, axis=1).""",
)

EXPLANATION = """
The network is never inverted, nor differentiated for the determinant: so it may be anything. Splitting into even and
odd dimensions works as well, but they must be put back in the same places: split by x[:, ::2] and joined by
concatenate, the map of 2 dimensions is right, and with 4 the layer after it sees them shuffled, and the inverse is
wrong. That is why the check takes 2, 4 and 5.
"""


def network_of(D: int, rng: np.random.Generator) -> Network:
    """A network with random weights, for D dimensions; it also takes complex numbers."""
    half = D // 2
    W, b = rng.normal(size=(half, 2 * (D - half))), rng.normal(size=2 * (D - half))

    def network(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.tanh(h @ W + b)
        return out[:, : D - half], 2 * out[:, D - half :]

    return network


def by_hand(x: np.ndarray, network: Network) -> np.ndarray:
    """(1), one dimension after the other."""
    half = x.shape[1] // 2
    s, t = network(x[:, :half])
    columns = [x[:, d] for d in range(half)]
    columns += [x[:, d] * np.exp(s[:, d - half]) + t[:, d - half] for d in range(half, x.shape[1])]
    return np.stack(columns, axis=1)


def brute_force_logdet(x: np.ndarray, network: Network) -> np.ndarray:
    """log |det| of the Jacobian, by the complex step in every dimension."""
    D = x.shape[1]
    columns = [by_hand(x + 1e-20j * np.eye(D)[d], network).imag / 1e-20 for d in range(D)]
    return np.linalg.slogdet(np.stack(columns, axis=2))[1]


def check(student: Student) -> None:
    """z by hand, log |det| by brute force, in 2, 4, 5 and 3 dimensions; the inverse; and there and back again."""
    rng = np.random.default_rng(21)
    to, back = student.forward, student.inverse
    for rows, D in ((1, 2), (3, 4), (2, 5), (4, 3), (5, 2)):
        network, x = network_of(D, rng), rng.normal(size=(rows, D))
        z = by_hand(x, network)
        case = f"B = {rows}, D = {D}"
        expect(to, {"x": x, "network": network}, (z, brute_force_logdet(x, network)), case)
        expect(back, {"z": z, "network": network}, x, f"the inverse, {case}")
        there, _ = call(to, {"x": x, "network": network}, case)
        again = call(back, {"z": np.array(there), "network": network}, f"there and back again, {case}")
        equal(again, x, f"there and back again, {case}", given={"z": there, "network": network}, name="inverse")


def interleaved(x: np.ndarray, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Split into even and odd dimensions, and joined one behind the other."""
    first, second = x[:, ::2], x[:, 1::2]
    s, t = network(first)
    return np.concatenate([first, second * np.exp(s) + t], axis=1), np.sum(s, axis=1)


WRONG: Wrong = {
    "splitting into even and odd dimensions, but joining the parts one behind the other": {"forward": interleaved},
    "the opposite sign of the log-determinant": change("return z, np.sum(s, axis=1)", "return z, -np.sum(s, axis=1)"),
    "the absolute values of s in the log-determinant": change("np.sum(s, axis=1)", "np.sum(np.abs(s), axis=1)"),
    "changing x in place": change(
        "z = np.concatenate([x[:, :half], x[:, half:] * np.exp(s) + t], axis=1)",
        "z = x; z[:, half:] = x[:, half:] * np.exp(s) + t",
    ),
    "summing the log-determinant over the batch": change("np.sum(s, axis=1)", "np.sum(s)"),
    "averaging s over the dimensions": change("np.sum(s, axis=1)", "np.mean(s, axis=1)"),
    "the sum of e^s instead of s": change("np.sum(s, axis=1)", "np.sum(np.exp(s), axis=1)"),
    "scaling by s instead of e^s": change("x[:, half:] * np.exp(s) + t", "x[:, half:] * s + t"),
    "shifting before scaling": change("x[:, half:] * np.exp(s) + t", "(x[:, half:] + t) * np.exp(s)"),
    "exchanging s and t": change("s, t = network(x[:, :half])", "t, s = network(x[:, :half])"),
    "joining the parts in the other order": change(
        "np.concatenate([x[:, :half], x[:, half:] * np.exp(s) + t], axis=1)",
        "np.concatenate([x[:, half:] * np.exp(s) + t, x[:, :half]], axis=1)",
    ),
    "scaling before shifting, on the way back": change(
        "(z[:, half:] - t) * np.exp(-s)", "z[:, half:] * np.exp(-s) - t"
    ),
    "not inverting the scale": change("(z[:, half:] - t) * np.exp(-s)", "(z[:, half:] - t) * np.exp(s)"),
    "adding the shift on the way back": change("(z[:, half:] - t)", "(z[:, half:] + t)"),
    "going forward again instead of back": {"inverse": lambda z, network: forward(z, network)[0]},
    "leaving the second part as it is": change("x[:, half:] * np.exp(s) + t", "x[:, half:]"),
}
