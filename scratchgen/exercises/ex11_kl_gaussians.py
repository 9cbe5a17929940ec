"""Exercise 11: the KL divergence of two Gaussians.

The ELBO charges for every nat by which the posterior q(z|x) departs from the prior p(z):

    KL(q ‖ p) = ∫ q(z) log(q(z) / p(z)) dz                                                      (1)

For Gaussians whose dimensions are independent there is no need to sample: the integral has a closed form. Write it for
any two of them, q = N(mean_q, diag e^logvar_q) and p = N(mean_p, diag e^logvar_p), one pair in each row.

    mean_q, logvar_q, mean_p, logvar_p    (B, D)
    returns                               (B,), nats: summed over the D dimensions, the batch left as it is

In the lecture: page 8, "… − KL(q(z|x) ‖ p(z))". Afterwards, look at `gaussian_kl` in
scratchgen/autodiff/densities.py: it stays exact where q and p are nearly the same.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def kl_gaussians(mean_q: np.ndarray, logvar_q: np.ndarray, mean_p: np.ndarray, logvar_p: np.ndarray) -> np.ndarray:
    """KL(q ‖ p) of each row, in nats; q and p have means (B, D) and the logarithms of their variances (B, D).

    >>> zero = np.zeros((1, 2))
    >>> kl_gaussians(np.array([[1.0, 3.0]]), zero, zero, zero)        # ½ 1² + ½ 3²
    array([5.])
    """
    # solution
    variance_ratio = np.exp(logvar_q - logvar_p)
    distance = (mean_q - mean_p) ** 2 / np.exp(logvar_p)
    return 0.5 * np.sum(variance_ratio + distance - 1 - (logvar_q - logvar_p), axis=1)
    # end of solution


# end of the learner's part

HINTS = (
    """The dimensions are independent: densities are products, the logarithm in (1) is a sum, and so KL is the sum of
    those of the D dimensions. It remains to find KL of two Gaussians of one number.""",
    """Write log q − log p with the two variances v_q and v_p, and take the expectation under q: E (z − m_q)² = v_q and
    E (z − m_p)² = v_q + (m_q − m_p)². So KL = ½ [v_q/v_p + (m_q − m_p)²/v_p − 1 − log(v_q/v_p)].""",
    """With d = logvar_q - logvar_p, the bracket is np.exp(d) + (mean_q - mean_p)**2 * np.exp(-logvar_p) - 1 - d. Sum it
    over axis 1, and take half.""",
)

EXPLANATION = """
KL is 0 only for q = p: the term e^d − 1 − d is never negative, nor is the squared distance. It is not symmetric: the
distance is measured in standard deviations of p, so a narrow p charges far more for the same distance. And it is summed
over dimensions: who averages it instead weighs it 1/D times as much as the ELBO does, and what comes out may be above
log p(x). Look for it first where an ELBO is better than it can be.
"""


def by_quadrature(mean_q: np.ndarray, logvar_q: np.ndarray, mean_p: np.ndarray, logvar_p: np.ndarray) -> np.ndarray:
    """(1) by Gauss–Hermite nodes, without the closed form; exact, since log q − log p has degree 2 in z."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)  # the weights sum to √2π
    z = mean_q[..., None] + np.exp(logvar_q / 2)[..., None] * nodes  # (B, D, 5)

    def log_density(mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        std = np.exp(logvar / 2)[..., None]
        return -0.5 * ((z - mean[..., None]) / std) ** 2 - np.log(std)

    ratio = log_density(mean_q, logvar_q) - log_density(mean_p, logvar_p)
    return np.sum(ratio @ weights / np.sqrt(2 * np.pi), axis=1)


def check(student: Student) -> None:
    """Against quadrature, for a single pair, then for batches of 2, 4 and 5 dimensions; q = p; tiny variances."""
    names = ("mean_q", "logvar_q", "mean_p", "logvar_p")
    one = (np.array([[0.5, -1.0]]), np.array([[0.4, -0.2]]), np.array([[0.1, 0.7]]), np.array([[-0.3, 0.9]]))
    expect(student.kl_gaussians, dict(zip(names, one)), by_quadrature(*one), "one pair, 2 dimensions")
    rng = np.random.default_rng(11)
    for rows, dims in ((3, 4), (2, 5), (4, 2), (3, 1)):
        given = tuple(rng.normal(size=(rows, dims)) for _ in names)
        case = f"{rows} pairs, {dims} dimensions"
        expect(student.kl_gaussians, dict(zip(names, given)), by_quadrature(*given), case)
    p = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    expect(student.kl_gaussians, dict(zip(names, p + p)), np.zeros(2), "q = p")
    narrow = (one[0], np.array([[-30.0, -20.0]]), one[2], np.array([[0.0, 1.0]]))
    expect(student.kl_gaussians, dict(zip(names, narrow)), by_quadrature(*narrow), "a very narrow q")


WRONG: Wrong = {
    "averaging over the latent dimensions instead of summing": change("np.sum(", "np.mean("),
    "swapping q and p": lambda mean_q, logvar_q, mean_p, logvar_p: kl_gaussians(mean_p, logvar_p, mean_q, logvar_q),
    "leaving out the −1": change(" - 1 ", " "),
    "leaving out the ½": change("0.5 * ", ""),
    "taking logvar for the logarithm of the standard deviation": lambda *a: kl_gaussians(
        a[0], 2 * a[1], a[2], 2 * a[3]
    ),
    "adding the difference of the logarithms instead of subtracting it": change("- (logvar", "+ (logvar"),
    "dividing the squared distance by the variance of q": change("/ np.exp(logvar_p)", "/ np.exp(logvar_q)"),
    "not dividing the squared distance by the variance of p": change(" / np.exp(logvar_p)", ""),
    "summing over the batch too": change(", axis=1", ""),
    "averaging over the batch too": lambda *a: np.mean(kl_gaussians(*a)),
    "summing over the batch instead of the dimensions": change("axis=1", "axis=0"),
    "not summing over the dimensions": change("np.sum(", "(", ", axis=1", ""),
    "taking p for the standard normal distribution": lambda mean_q, logvar_q, mean_p, logvar_p: kl_gaussians(
        mean_q, logvar_q, 0 * mean_p, 0 * logvar_p
    ),
    "changing logvar_q in place": change("variance_ratio = np.exp(logvar_q - logvar_p)", """logvar_q -= logvar_p
    variance_ratio, logvar_q = np.exp(logvar_q), logvar_q + logvar_p"""),
}  # fmt: skip
