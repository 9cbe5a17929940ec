"""Exercise 14: the evidence lower bound.

log p(x) of a latent-variable model is out of reach, but not a bound below it. With q(z|x) = N(mean, diag e^logvar), and
the prior p(z) = N(0, I), the ELBO of one x is

    E_q[log p(x|z)] − KL(q(z|x) ‖ p(z))                                                         (1)

The first term is estimated by K draws z = μ + σ η, and averaged over them; KL has a closed form (exercise 11). Here the
decoder gives the mean of x, and all D dimensions of x have the same variance: p(x|z) = N(x; decode(z), e^logvar_x I).

    x               (B, D)
    mean, logvar    (B, L), of q(z|x): what an encoder would give
    eps             (K, B, L), the noise η of the K draws
    decode          a function: z (…, L) → the mean of x, (…, D)
    logvar_x        a number
    returns         (B,), nats: a bound for each row

In the lecture: page 8, where the ELBO is split into these two terms. Afterwards, look at scratchgen/latent/elbo.py.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def elbo(
    x: np.ndarray,
    mean: np.ndarray,
    logvar: np.ndarray,
    eps: np.ndarray,
    decode: Callable[[np.ndarray], np.ndarray],
    logvar_x: float,
) -> np.ndarray:
    """The ELBO (1) of each row of x, in nats, (B,); E_q is the average over the K draws of eps.

    >>> x, mean, logvar = np.array([[2.0]]), np.array([[1.0]]), np.array([[0.0]])
    >>> elbo(x, mean, logvar, np.zeros((1, 1, 1)), lambda z: 3 * z, 0.0).round(4)     # −½ (log 2π + 1²) − ½ 1²
    array([-1.9189])
    """
    # solution
    z = mean + np.exp(0.5 * logvar) * eps  # (K, B, L)
    squared_error = (x - decode(z)) ** 2 / np.exp(logvar_x)
    log_likelihood = -0.5 * np.sum(np.log(2 * np.pi) + logvar_x + squared_error, axis=-1)  # (K, B)
    kl = 0.5 * np.sum(np.exp(logvar) + mean**2 - 1 - logvar, axis=-1)
    return np.mean(log_likelihood, axis=0) - kl
    # end of solution


# end of the learner's part

HINTS = (
    """Three pieces you have met: draw z (exercise 12), the log-density of x under what z is decoded to (exercise 8),
    and KL from the standard normal prior (exercise 11). Write each on a line of its own, with its shape.""",
    """z = mean + e^(logvar/2) eps has shape (K, B, L), so decode(z) has (K, B, D). log p(x|z) sums over D: (K, B). Its
    average over K is (B,). KL = ½ Σ_l (e^logvar + mean² − 1 − logvar) is (B,).""",
    """return np.mean(log_likelihood, axis=0) - kl, where log_likelihood is −½ times the sum over the last axis of
    np.log(2 * np.pi) + logvar_x + (x - decode(z))**2 / np.exp(logvar_x).""",
)

EXPLANATION = """
In the check the decoder is linear, so log p(x) and the posterior are known. There the bound is exactly log p(x) −
KL(q ‖ posterior): it touches log p(x) where q is the posterior. An ELBO that is above log p(x) is no bound, and has
an error that is worth finding: perhaps a mean for one of the sums. Mean squared error for −log p(x|z) is another:
it is a Gaussian of some variance that nobody chose, so the balance of the two terms is arbitrary, and two models can
no longer be compared.
"""


class Linear:
    """A linear-Gaussian model x = W z + b + noise of variance e^logvar_x, of which everything is known."""

    def __init__(self, W: np.ndarray, b: np.ndarray, logvar_x: float) -> None:
        self.W, self.b, self.logvar_x = W, b, logvar_x
        self.precision = np.eye(W.shape[1]) + W.T @ W / np.exp(logvar_x)  # of the posterior

    def decode(self, z: np.ndarray) -> np.ndarray:
        """The mean of x."""
        return z @ self.W.T + self.b

    def shown_decode(self) -> Callable[[np.ndarray], np.ndarray]:
        """The same, by a name that tells the learner what it computes."""

        def decode(z: np.ndarray) -> np.ndarray:
            return self.decode(z)

        decode.__name__ = f"z @ {self.W.T.tolist()} + {self.b.tolist()}"
        return decode

    def posterior_mean(self, x: np.ndarray) -> np.ndarray:
        """Of p(z|x), for each row."""
        return np.linalg.solve(self.precision, self.W.T @ (x - self.b).T / np.exp(self.logvar_x)).T

    def log_p(self, x: np.ndarray) -> np.ndarray:
        """The exact log p(x) of each row."""
        covariance, off = self.W @ self.W.T + np.exp(self.logvar_x) * np.eye(len(self.b)), x - self.b
        distance = np.einsum("bi,ij,bj->b", off, np.linalg.inv(covariance), off)
        return -0.5 * (len(self.b) * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + distance)

    def gap(self, x: np.ndarray, mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        """KL(q ‖ posterior) of each row."""
        off = mean - self.posterior_mean(x)
        trace = np.sum(np.exp(logvar) * np.diag(self.precision), axis=1)
        logdet = np.linalg.slogdet(self.precision)[1]
        return 0.5 * (
            trace + np.einsum("bi,ij,bj->b", off, self.precision, off) - mean.shape[1] - logdet - logvar.sum(1)
        )


def check(student: Student) -> None:
    """Against log p(x) − KL(q ‖ posterior) of linear models; with all combinations of ±1 the average is exact."""

    def hold(model: Linear, x: np.ndarray, mean: np.ndarray, logvar: np.ndarray, exact: np.ndarray, case: str) -> None:
        signs = np.array(list(product((-1.0, 1.0), repeat=mean.shape[1])))  # (2^L, L)
        eps = np.repeat(signs[:, None], len(x), axis=1)
        given = {
            "x": x,
            "mean": mean,
            "logvar": logvar,
            "eps": eps,
            "decode": model.shown_decode(),
            "logvar_x": model.logvar_x,
        }
        expect(student.elbo, given, exact, case)

    rng = np.random.default_rng(14)
    for rows, dims, latent in ((1, 2, 3), (3, 4, 1), (2, 5, 3), (4, 2, 2)):
        W, b = rng.normal(size=(dims, latent)).round(1), rng.normal(size=dims).round(1)
        model = Linear(W, b, round(rng.normal(), 1))
        x, mean, logvar = (rng.normal(size=(rows, n)) for n in (dims, latent, latent))
        exact = model.log_p(x) - model.gap(x, mean, logvar)
        hold(model, x, mean, logvar, exact, f"{rows} row{'s' * (rows > 1)}, {dims} dimensions, {latent} latent")

    W = np.array([[1.0, 0.5], [1.0, -0.5], [0.0, 2.0]])  # orthogonal columns: the posterior has independent dimensions
    model = Linear(W, np.array([0.3, -0.2, 1.0]), -0.7)
    x = rng.normal(size=(3, 3))
    logvar = np.tile(-np.log(np.diag(model.precision)), (3, 1))
    hold(model, x, model.posterior_mean(x), logvar, model.log_p(x), "q is the posterior, so the ELBO is log p(x)")


WRONG: Wrong = {
    "adding KL instead of subtracting it": change("axis=0) - kl", "axis=0) + kl"),
    "leaving out KL": change("axis=0) - kl", "axis=0)"),
    "putting a beta of ½ in front of KL": change("axis=0) - kl", "axis=0) - 0.5 * kl"),
    "putting a beta of 2 in front of KL": change("axis=0) - kl", "axis=0) - 2 * kl"),
    "decoding the mean instead of z": change("decode(z)", "decode(mean + 0 * z)"),
    "taking the mean squared error for −log p(x|z)": change(
        "-0.5 * np.sum(np.log(2 * np.pi) + logvar_x + squared_error,", "-np.mean((x - decode(z)) ** 2,"
    ),
    "taking the sum of squared errors for −log p(x|z)": change(
        "-0.5 * np.sum(np.log(2 * np.pi) + logvar_x + squared_error,", "-np.sum((x - decode(z)) ** 2,"
    ),
    "averaging KL over the latent dimensions instead of summing": change("kl = 0.5 * np.sum(", "kl = 0.5 * np.mean("),
    "averaging log p(x|z) over the dimensions of x": change("-0.5 * np.sum(", "-0.5 * np.mean("),
    "using the first draw only": change("np.mean(log_likelihood, axis=0)", "log_likelihood[0]"),
    "averaging p(x|z) over the draws before its logarithm": change(
        "np.mean(log_likelihood, axis=0)", "np.log(np.mean(np.exp(log_likelihood), axis=0))"
    ),
    "summing over the draws instead of averaging": change("np.mean(log_likelihood", "np.sum(log_likelihood"),
    "taking e^logvar for the standard deviation of z": change("0.5 * logvar)", "logvar)"),
    "taking logvar_x for the logarithm of the standard deviation": change(
        "/ np.exp(logvar_x)", "/ np.exp(2 * logvar_x)", "+ logvar_x", "+ 2 * logvar_x"
    ),
    "leaving out log 2π": change("np.log(2 * np.pi) + ", ""),
    "leaving out the variance of x": change("logvar_x + ", "", " / np.exp(logvar_x)", ""),
    "returning the negative ELBO, a loss": change(
        "np.mean(log_likelihood, axis=0) - kl", "kl - np.mean(log_likelihood, axis=0)"
    ),
    "summing over the batch": change(
        "return np.mean(log_likelihood, axis=0) - kl", "return np.sum(np.mean(log_likelihood, axis=0) - kl)"
    ),
    "averaging over the batch": change(
        "return np.mean(log_likelihood, axis=0) - kl", "return np.mean(np.mean(log_likelihood, axis=0) - kl)"
    ),
    "taking KL(p ‖ q) instead of KL(q ‖ p)": change(
        "np.exp(logvar) + mean**2 - 1 - logvar", "(1 + mean**2) / np.exp(logvar) - 1 + logvar"
    ),
    "leaving out the −1 in KL": change(" - 1 - logvar", " - logvar"),
}
