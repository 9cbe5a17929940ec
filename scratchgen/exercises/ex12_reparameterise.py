"""Exercise 12: the reparameterisation trick.

The ELBO is an expectation over z ~ q(z|x), and q depends on ϕ. To take a derivative in ϕ through the draw, move the
randomness out of it: draw η ~ N(0, I), which depends on nothing, and make z of it,

    z = μ + σ η                                                                                 (1)

Then z ~ N(μ, σ²), and dz/dμ and dz/dσ are ordinary derivatives. Write (1). The encoder gives logvar = log σ². The noise
is given too, as `eps`, so that the result is exact. The arguments may be arrays, or Tensors, through which gradients
flow: NumPy's functions work on both.

    mean, logvar, eps    (B, L), or eps (K, B, L) for K draws of each z
    returns              z, of the shape of eps

In the lecture: page 6, "Reparameterisation trick". Afterwards, look at `rsample` in scratchgen/distributions/normal.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.exercises.kit import Failure, Student, Wrong, call, change, equal, expect


def reparameterise(mean: Any, logvar: Any, eps: np.ndarray) -> Any:
    """A draw from N(mean, diag e^logvar), made from the standard normal noise eps.

    >>> reparameterise(np.array([[1.0, 5.0]]), np.log([[4.0, 9.0]]), np.array([[0.5, -1.0]]))       # 1 + 2 · ½, 5 − 3
    array([[2., 2.]])
    """
    # solution
    std = np.exp(0.5 * logvar)
    return mean + std * eps
    # end of solution


# end of the learner's part

HINTS = (
    """z is a straight line in the noise. What must its slope be, so that the standard deviation of z is σ?""",
    """z = μ + σ η, elementwise, with σ = √(e^logvar) = e^(logvar/2).""",
    """return mean + np.exp(0.5 * logvar) * eps. Make no new random numbers, and no .data: that would cut the
    gradient.""",
)

EXPLANATION = """
With e^logvar for σ the spread is right only where it is 1: there the error hides, and at the start of training it often
is near 1. The check sends a gradient back through z: it reaches the mean as it is, and logvar as ½ σ η of it. Where z
is cut loose from the graph (by .data, or by drawing inside), the encoder would learn from the KL term alone, and soon
all q(z|x) would be the prior. The trick needs a continuous z, and a decoder with a derivative; exercise 13 does
without both, at the price of more noise.
"""


def check(student: Student) -> None:
    """By hand; twice, for the noise must be the one that is given; several draws at once; and the two gradients."""
    f = student.reparameterise
    one = {"mean": np.array([[1.0, -2.0]]), "logvar": np.log([[4.0, 0.25]]), "eps": np.array([[0.5, -3.0]])}
    first, again = call(f, one, "one z of 2 dimensions"), call(f, one, "one z of 2 dimensions")
    if np.shape(first) == (1, 2) and not np.array_equal(np.asarray(first), np.asarray(again), equal_nan=True):
        raise Failure(
            "Two calls with the same arguments gave two results: use the noise that is given.",
            case="the same call twice", given=one, got=again, mistake="drawing noise of your own",
        )  # fmt: skip
    equal(first, np.array([[2.0, -3.5]]), "one z of 2 dimensions", given=one, name="reparameterise")
    rng = np.random.default_rng(12)
    for shape in ((3, 4), (2, 5), (6, 3, 2)):
        given = {
            "mean": rng.normal(size=shape[-2:]),
            "logvar": rng.normal(size=shape[-2:]),
            "eps": rng.normal(size=shape),
        }
        exact = given["mean"] + given["eps"] * np.sqrt(np.exp(given["logvar"]))
        expect(f, given, exact, f"eps of shape {shape}")
    given = {"mean": np.zeros((1, 2)), "logvar": np.array([[-30.0, 14.0]]), "eps": np.array([[1.0, -1.0]])}
    expect(f, given, np.array([[np.exp(-15.0), -np.exp(7.0)]]), "a very small and a large variance")
    mean, logvar = (Tensor(rng.normal(size=(3, 2)), requires_grad=True) for _ in range(2))
    eps, g = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    z = call(f, {"mean": mean, "logvar": logvar, "eps": eps}, "Tensors")
    reached = isinstance(z, Tensor) and z.requires_grad
    if reached:
        np.sum(z * g).backward()
    zero = np.zeros((3, 2))
    got = tuple(zero if t.grad is None else t.grad for t in (mean, logvar))
    exact_grads = g, 0.5 * g * eps * np.sqrt(np.exp(logvar.data))
    equal(
        got, exact_grads, "the gradients of mean and logvar", given={"mean": mean, "logvar": logvar, "eps": eps, "g": g}
    )


def data_of(x: Any) -> np.ndarray:
    """The array in a Tensor, or the array itself."""
    return x.data if isinstance(x, Tensor) else x


WRONG: Wrong = {
    "taking e^logvar, the variance, for the standard deviation": change("0.5 * logvar", "logvar"),
    "drawing noise of your own": change("* eps", "* np.random.default_rng().standard_normal(eps.shape)"),
    "cutting the gradient, by .data": lambda mean, logvar, eps: reparameterise(data_of(mean), data_of(logvar), eps),
    "taking logvar itself for the standard deviation": change("np.exp(0.5 * logvar)", "logvar"),
    "taking half of the logarithm for the standard deviation": change("np.exp(0.5 * logvar)", "0.5 * logvar"),
    "clipping logvar to ±10": change("0.5 * logvar", "0.5 * np.clip(logvar, -10, 10)"),
    "forgetting the mean": change("mean + ", ""),
    "returning the mean, without noise": change(" + std * eps", " + 0 * std * eps"),
    "adding noise of variance 1": change("std * ", "0 * std + "),
    "dividing by the standard deviation": change("0.5 * logvar", "-0.5 * logvar"),
    "multiplying the mean with the noise too": change("mean + std * eps", "(mean + std) * eps"),
    "subtracting the noise": change("mean + std", "mean - std"),
}
