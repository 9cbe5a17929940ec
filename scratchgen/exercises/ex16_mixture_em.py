"""Exercise 16: a step of EM for a Gaussian mixture.

A mixture of K Gaussians is the simplest latent-variable model: z is one of K, with probability w_k, and x given z = k
is Gaussian. So the posterior of z can be computed, and EM alternates between two exact steps:

    E:  r_ik = w_k N(x_i; μ_k, σ_k²) / Σ_j w_j N(x_i; μ_j, σ_j²)                                (1)
    M:  n_k = Σ_i r_ik,   w_k = n_k / n,   μ_k = Σ_i r_ik x_i / n_k                             (2)
        σ_k² = Σ_i r_ik (x_i − μ_k)² / n_k,   with the new μ_k                                  (3)

Write one step of both, and give the mean log-likelihood of the parameters that came in, 1/n Σ_i log p(x_i), which is
the logarithm of the denominator of (1). The D dimensions of x are independent given z. Points may be so far from all
means that all their densities are 0 in floating point: (1) is then still to be right. You may use SciPy's `logsumexp`.

    x                   (n, D)
    weights             (K,), positive, with sum 1
    means, variances    (K, D)
    returns             (weights, means, variances, mean log-likelihood), of the same shapes; the last a number in nats

In the lecture: page 5, "Generalized Expectation-Maximization algorithm". Afterwards, look at
scratchgen/latent/mixture_em.py.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from scratchgen.exercises.kit import Student, Wrong, call, change, expect, require


def em_step(
    x: np.ndarray, weights: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """One step of EM: the new weights (K,), means (K, D), variances (K, D), and the old mean log-likelihood.

    >>> x, one = np.array([[0.0], [1.0], [5.0]]), np.array([[2.0]])
    >>> w, m, v, _ = em_step(x, np.ones(1), one, one)                       # K = 1: mean and variance of x
    >>> w, m, v.round(4)
    (array([1.]), array([[2.]]), array([[4.6667]]))
    """
    # solution
    from_means = (x[:, None] - means) ** 2 / variances  # (n, K, D)
    log_joint = np.log(weights) - 0.5 * np.sum(np.log(2 * np.pi * variances) + from_means, axis=2)  # (n, K)
    log_p = logsumexp(log_joint, axis=1)
    r = np.exp(log_joint - log_p[:, None])
    n = np.sum(r, axis=0)[:, None]  # (K, 1)
    means = r.T @ x / n
    variances = np.sum(r[:, :, None] * (x[:, None] - means) ** 2, axis=0) / n
    return n[:, 0] / len(x), means, variances, float(np.mean(log_p))
    # end of solution


# end of the learner's part

HINTS = (
    """Compute the logarithm of the numerator of (1) for all points and components at once, (n, K): x[:, None] - means
    has the shape (n, K, D). Never leave the logarithms before (1) is normalised.""",
    """log r_ik = log_joint_ik − log Σ_j e^(log_joint_ij), where log_joint = log w_k + log N(x_i; μ_k, σ_k²). The last
    term is log p(x_i), and scipy.special.logsumexp computes it. Then (2) and (3) are weighted means with the weights
    r.""",
    """r = np.exp(log_joint - log_p[:, None]); n = r.sum(0); means = r.T @ x / n[:, None]; then the variances with these
    new means; weights n / len(x).""",
)

EXPLANATION = """
The log-likelihood never falls from step to step: E makes the ELBO touch it, M raises the ELBO. That holds to
rounding, so it is a test of any EM, but it does not find all: with the old means in (3) each half of M still raises the
ELBO, and nothing falls. The variance is then too large by the square of the step of the mean; near the end that no
longer shows, which is why it is a mistake that survives. The VAE does the same two steps by gradient, at once, with an
encoder in place of (1).
"""


def by_loops(
    x: np.ndarray, weights: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(1) to (3), number by number, from the largest term of each denominator."""
    (n, D), K = x.shape, len(weights)
    r, total = np.zeros((n, K)), 0.0
    for i in range(n):
        logs = []
        for k in range(K):
            log_density = 0.0
            for d in range(D):
                log_density -= 0.5 * np.log(2 * np.pi * variances[k, d])
                log_density -= (x[i, d] - means[k, d]) ** 2 / (2 * variances[k, d])
            logs.append(np.log(weights[k]) + log_density)
        terms = [np.exp(value - max(logs)) for value in logs]
        r[i] = np.array(terms) / sum(terms)
        total += max(logs) + np.log(sum(terms))
    mean = np.array([[sum(r[:, k] * x[:, d]) / sum(r[:, k]) for d in range(D)] for k in range(K)])
    var = np.array([[sum(r[:, k] * (x[:, d] - mean[k, d]) ** 2) / sum(r[:, k]) for d in range(D)] for k in range(K)])
    return np.array([sum(r[:, k]) / n for k in range(K)]), mean, var, float(total / n)


def check(student: Student) -> None:
    """Against loops, for 3 points and further shapes; a point far from all means; and ten steps that never go down."""
    names = ("x", "weights", "means", "variances")
    one = np.array([[0.5, 1.0], [2.0, -1.0], [1.0, 0.0]]), np.array([0.4, 0.6]), np.array([[0.0, 0.5], [1.0, -0.5]])
    first = (*one, np.array([[1.0, 2.0], [0.5, 1.5]]))
    expect(student.em_step, dict(zip(names, first)), by_loops(*first), "3 points, 2 components")
    rng = np.random.default_rng(16)
    for n, K, D in ((5, 3, 2), (6, 2, 4), (3, 4, 5), (4, 1, 1)):
        w = rng.dirichlet(np.ones(K))
        given = rng.normal(size=(n, D)), w, rng.normal(size=(K, D)), rng.uniform(0.5, 2, (K, D))
        expect(student.em_step, dict(zip(names, given)), by_loops(*given), f"{n} points in {D}-D, {K} components")
    far = np.array([[0.0], [1.0], [100.0]]), np.array([0.3, 0.7]), np.array([[0.0], [1.0]]), np.array([[1.0], [0.5]])
    expect(student.em_step, dict(zip(names, far)), by_loops(*far), "a point 100 standard deviations away")

    x = np.concatenate([rng.normal(-2, 1, (20, 2)), rng.normal(1, 0.5, (30, 2))])
    state, before = (np.array([0.5, 0.5]), x[:2].copy(), np.ones((2, 2))), -np.inf
    for step in range(10):
        case = f"step {step + 1} of ten on 50 points"
        *new, log_likelihood = call(student.em_step, dict(zip(names, (x, *state))), case)
        problem = "The log-likelihood fell from one step to the next."
        require(log_likelihood >= before - 1e-12, problem, case, got=log_likelihood, expected=f"at least {before}")
        state, before = (new[0], new[1], new[2]), log_likelihood


WRONG: Wrong = {
    "not normalising the responsibilities": change("log_joint - log_p[:, None]", "log_joint"),
    "normalising the responsibilities over the points": change(
        "np.exp(log_joint - log_p[:, None])", "np.exp(log_joint - logsumexp(log_joint, axis=0))"
    ),
    "taking the old means in the variances": change(
        "(x[:, None] - means) ** 2, axis=0)",
        "from_means * old, axis=0)",
        "from_means = (",
        "old = variances\n    from_means = (",
    ),
    "leaving out the weights in the responsibilities": change("np.log(weights) - 0.5", "0 * weights - 0.5"),
    "assigning each point wholly to its most probable component": change(
        "r = np.exp(log_joint - log_p[:, None])", "r = np.eye(len(weights))[np.argmax(log_joint, axis=1)] + 1e-300"
    ),
    "dividing by n instead of n_k": change("means = r.T @ x / n", "means = r.T @ x / len(x)"),
    "taking the variances for standard deviations in the density": change(
        "** 2 / variances", "** 2 / variances**2", "np.log(2 * np.pi * variances)", "np.log(2 * np.pi * variances**2)"
    ),
    "returning standard deviations": change("means, variances, float", "means, np.sqrt(variances), float"),
    "returning n_k for the weights": change("n[:, 0] / len(x)", "n[:, 0]"),
    "keeping the weights as they were": change("n[:, 0] / len(x)", "weights"),
    "returning the log-likelihood of the new parameters": lambda x, *given: (
        *em_step(x, *given)[:3],
        em_step(x, *em_step(x, *given)[:3])[3],
    ),
    "returning the log-likelihood of all points instead of their mean": change("np.mean(log_p)", "np.sum(log_p)"),
    "computing densities before their logarithm, so that they underflow": change(
        "logsumexp(log_joint, axis=1)", "np.log(np.sum(np.exp(log_joint), axis=1))"
    ),
    "leaving out the determinant, log σ²": change("np.log(2 * np.pi * variances)", "np.log(2 * np.pi)"),
    "taking one variance for all dimensions": change(
        "variances = np.sum(",
        "variances = 0 * means + np.mean(np.sum(",
        "axis=0) / n\n",
        "axis=0) / n, axis=1, keepdims=True)\n",
    ),
}
