"""Exercise 15: the importance-weighted bound.

The ELBO averages log w over draws of z, with the weights w_k = p(x, z_k) / q(z_k|x). Averaging before taking the
logarithm gives a tighter bound of log p(x), and with K → ∞ log p(x) itself:

    L_K = log( 1/K Σ_k w_k ),    z_k ~ q(z|x)                                                   (1)

Its gradient is Σ_k w̃_k ∇ log w_k, where the w̃ are the weights normalised over the K draws:

    w̃_k = w_k / Σ_j w_j                                                                        (2)

Write both, given the logarithms of the weights. Of an image these are as small as −2000, and may differ much between
images: e^−2000 is 0 in floating point, and its logarithm −∞, so neither may be computed on the way.

    log_w                 (K, B): K draws for each of B images; −∞ is allowed for some, not all, draws of an image
    iwae_bound            returns (B,), nats
    normalised_weights    returns (K, B)

In the lecture: page 4, where Jensen's inequality moves the logarithm inside the integral. Afterwards, look at
scratchgen/latent/iwae.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def iwae_bound(log_w: np.ndarray) -> np.ndarray:
    """L_K of each image, (B,), from the logarithms of the weights, (K, B).

    >>> iwae_bound(np.log([[1.0, 2.0], [3.0, 2.0]])).round(4)       # log 2, log 2
    array([0.6931, 0.6931])
    """
    # solution
    largest = np.max(log_w, axis=0)
    return largest + np.log(np.mean(np.exp(log_w - largest), axis=0))
    # end of solution


def normalised_weights(log_w: np.ndarray) -> np.ndarray:
    """w̃, (K, B): non-negative, with sum 1 over the K draws of each image.

    >>> normalised_weights(np.log([[1.0, 2.0], [3.0, 2.0]]))
    array([[0.25, 0.5 ],
           [0.75, 0.5 ]])
    """
    # solution
    scaled = np.exp(log_w - np.max(log_w, axis=0))
    return scaled / np.sum(scaled, axis=0)
    # end of solution


# end of the learner's part

HINTS = (
    """Nothing changes if all weights of an image are divided by one number, as long as it is put back in (1). Which
    number makes them harmless? Each image needs its own.""",
    """With m = max_k log w_k:  log Σ_k w_k = m + log Σ_k e^(log w_k − m). The largest term is e⁰ = 1, so the sum
    neither overflows nor vanishes. And log(1/K Σ) = log Σ − log K.""",
    """m = np.max(log_w, axis=0); the bound is m + np.log(np.mean(np.exp(log_w - m), axis=0)). For the weights, divide
    np.exp(log_w - m) by its sum over axis 0.""",
)

EXPLANATION = """
L_1 is the ELBO's integrand, and L_K rises with K, on average, towards log p(x). The mean of log w, however many draws,
stays the ELBO. Without log K the "bound" rises by log K for nothing: with K = 5000 by 8.5 nats. The largest weight of
the whole batch is no use as m: an image that is 1000 nats less likely than another would get weights of 0.
"""


def check(student: Student) -> None:
    """Against sums of weights that can be exponentiated; shifted by −2000, by image, within one; with −∞."""
    rng = np.random.default_rng(15)
    cases = {}  # log w, L_K, and the normalised weights
    small = np.array([[1.0, 2.0], [3.0, 6.0], [2.0, 1.0]])
    for w in (small, *(rng.uniform(0.1, 5, shape) for shape in ((2, 4), (6, 5), (1, 3)))):
        K, B = w.shape
        cases[f"{K} draws for {B} images"] = np.log(w), np.log(sum(w) / K), w / sum(w)
    w = np.array([[1.0, 2.0, 5.0], [3.0, 2.0, 1.0]])
    for case, shift in {
        "weights near e^−2000": np.full(3, -2000.0),
        "weights near e^2000": np.full(3, 2000.0),
        "weights from e^−3000 to e^1000, by image": np.array([-3000.0, -900.0, 1000.0]),
    }.items():
        cases[case] = np.log(w) + shift, np.log(sum(w) / 2) + shift, w / sum(w)
    apart = np.array([[-1000.0, 0.0], [1000.0, -2000.0], [0.0, 0.0]])
    exact = np.array([1000 - np.log(3), np.log(2 / 3)]), np.array([[0, 0.5], [1, 0], [0, 0.5]])
    cases["the weights of one image differ by e^1000 and more"] = apart, *exact
    some = np.array([[-np.inf, 0.0], [0.0, -np.inf], [0.0, -1000.0]])
    cases["some weights are 0"] = some, np.log([2 / 3, 1 / 3]), np.array([[0, 1], [0.5, 0], [0.5, 0.0]])

    for case, (log_w, bound, _) in cases.items():
        expect(student.iwae_bound, {"log_w": log_w}, bound, case, tol=1e-12)
    for case, (log_w, _, normalised) in cases.items():
        expect(student.normalised_weights, {"log_w": log_w}, normalised, f"normalised, {case}")


WRONG: Wrong = {
    "averaging log w, which is the ELBO again": {"iwae_bound": lambda log_w: np.mean(log_w, axis=0)},
    "leaving out log K": change("np.mean(np.exp", "np.sum(np.exp"),
    "adding log K instead of subtracting it": {"iwae_bound": lambda log_w: iwae_bound(log_w) + 2 * np.log(len(log_w))},
    "exponentiating the log-weights as they are": {"iwae_bound": lambda log_w: np.log(np.mean(np.exp(log_w), axis=0))},
    "taking off the largest log-weight of the whole batch": change(
        "largest = np.max(log_w, axis=0)", "largest = np.max(log_w)"
    ),
    "taking off the mean log-weight, or another one below the largest": change(
        "largest = np.max(log_w, axis=0)", "largest = np.mean(log_w, axis=0)"
    ),
    "not putting the largest log-weight back": change("largest + np.log", "np.log"),
    "taking the largest log-weight alone": {"iwae_bound": lambda log_w: np.max(log_w, axis=0)},
    "averaging over the images instead of the draws": {"iwae_bound": lambda log_w: iwae_bound(log_w.T)},
    "summing over the batch too": {"iwae_bound": lambda log_w: np.sum(iwae_bound(log_w))},
    "normalising by weights that are exponentiated as they are": {
        "normalised_weights": lambda log_w: np.exp(log_w) / np.sum(np.exp(log_w), axis=0)
    },
    "taking off the mean log-weight, or another one below the largest, in the weights": change(
        "np.max(log_w, axis=0))\n", "np.mean(log_w, axis=0))\n"
    ),
    "normalising over the images": {"normalised_weights": lambda log_w: normalised_weights(log_w.T).T},
    "normalising over draws and images together": change("np.sum(scaled, axis=0)", "np.sum(scaled)"),
    "normalising the log-weights": {"normalised_weights": lambda log_w: log_w / np.sum(log_w, axis=0)},
}
