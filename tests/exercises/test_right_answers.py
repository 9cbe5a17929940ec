"""Right answers in other styles than the solution: loops, einsum, SciPy, another order, other types. All must pass.

A check that refuses a right answer is worse than one that lets a wrong one pass.
"""

import numpy as np
import pytest
import scipy.special

from scratchgen.exercises.kit import Student, exercises

EVERY = exercises()

RIGHT = {
    (18, "random degrees, of floats"): """
def made_masks(order, hidden):
    rng, D = np.random.default_rng(0), len(order)
    degrees = [order, *(rng.permutation(np.append(np.arange(1, D), rng.integers(1, D, n - D + 1))) for n in hidden)]
    masks = [np.less_equal.outer(a, b).astype(float) for a, b in zip(degrees, degrees[1:])]
    return (*masks, np.less.outer(degrees[-1], order) * 1)
""",
    (18, "degrees from D − 1 down, by loops"): """
def made_masks(order, hidden):
    degrees = [list(order), *([len(order) - 1 - i % (len(order) - 1) for i in range(n)] for n in hidden), list(order)]
    masks = []
    for layer, (before, after) in enumerate(zip(degrees, degrees[1:])):
        strict = int(layer == len(hidden))
        masks.append(np.array([[int(a + strict <= b) for b in after] for a in before]))
    return masks
""",
    (19, "from NaN on, of integers later"): """
def ancestral_sample(probabilities, uniforms):
    x = np.full(uniforms.shape, np.nan)
    for j in range(uniforms.shape[1]):
        x[:, j] = np.where(uniforms[:, j] < probabilities(x)[:, j], 1, 0)
    return x.astype(int)
""",
    (19, "all bits again in each pass"): """
def ancestral_sample(probabilities, uniforms):
    x = uniforms > 0.5
    for _ in range(uniforms.shape[1]):
        x = uniforms < probabilities(x)
    return x
""",
    (20, "einsum, −∞ added"): """
def causal_attention(q, k, v):
    T, d = q.shape[1:]
    scores = np.einsum("bid,bjd->bij", q, k) / d**0.5 + np.triu(np.full((T, T), -np.inf), 1)
    w = scipy.special.softmax(scores, axis=-1)
    return [np.einsum("bij,bje->bie", w, v), w]
""",
    (20, "query by query"): """
def causal_attention(q, k, v):
    o, w = np.zeros(v.shape), np.zeros((len(q), q.shape[1], q.shape[1]))
    for i in range(q.shape[1]):
        s = (k[:, : i + 1] @ (q[:, i, :, None] / np.sqrt(q.shape[2])))[..., 0]
        w[:, i, : i + 1] = np.exp(s - scipy.special.logsumexp(s, axis=1, keepdims=True))
        o[:, i] = np.sum(w[:, i, : i + 1, None] * v[:, : i + 1], axis=1)
    return o, w
""",
    (21, "written into copies"): """
def forward(x, network):
    z, half = x.copy(), x.shape[1] // 2
    s, t = network(z[:, :half])
    z[:, half:] *= np.exp(s)
    z[:, half:] += t
    return [z, s @ np.ones(s.shape[1])]

def inverse(z, network):
    first, second = np.split(z, [z.shape[1] // 2], axis=1)
    s, t = network(first)
    return np.hstack([first, (second - t) / np.exp(s)])
""",
    (22, "by recursion"): """
def flow_log_density(x, layers):
    if not layers:
        return -0.5 * x.shape[1] * np.log(2 * np.pi) - 0.5 * np.einsum("bd,bd->b", x, x)
    h, logdet = layers[0](x)
    return logdet + flow_log_density(h, layers[1:])
""",
    (23, "from NaN on"): """
def maf_inverse(z, network):
    x = np.full(z.shape, np.nan)
    for d in range(z.shape[1]):
        m, s = network(x)
        x[:, d] = m[:, d] + z[:, d] / np.exp(-s[:, d])
    return x
""",
    (23, "all dimensions again in each pass"): """
def maf_inverse(z, network):
    x = z
    for _ in range(z.shape[1]):
        m, s = network(x)
        x = z * np.exp(s) + m
    return x
""",
    (24, "in bits from the beginning; u checked"): """
def dequantise(x, levels, u):
    assert (u >= 0).all() and (u < 1).all() and (x < levels).all()
    return x * (1 / levels) + u * (1 / levels)

def bits_per_dimension(log_density, levels, dims):
    return np.log2(levels) - log_density * np.log2(np.e) / dims
""",
    (25, "sums of logarithms"): """
def alpha_bar(betas):
    return np.exp(np.append(0, np.cumsum(np.log1p(-betas))))

def log_snr(betas):
    return scipy.special.logit(alpha_bar(betas)[1:])
""",
    (26, "axes at the end"): """
def q_sample(x0, t, alpha_bar, eps):
    return (np.sqrt(alpha_bar[t]) * x0.T + np.sqrt(1 - alpha_bar[t]) * eps.T).T
""",
    (27, "by precisions, a whole number at the last step"): """
def ddpm_posterior(x0, xt, t, alpha_bar):
    if t == 1:
        return [x0.copy(), 0]
    alpha, kept = alpha_bar[t] / alpha_bar[t - 1], alpha_bar[t - 1]
    variance = 1 / (alpha / (1 - alpha) + 1 / (1 - kept))
    return [variance * (alpha**0.5 / (1 - alpha) * xt + kept**0.5 / (1 - kept) * x0), np.array(variance)]
""",
    (28, "by the estimate of x₀"): """
def ddpm_step(xt, t, network, alpha_bar, noise):
    now, before = alpha_bar[t], alpha_bar[t - 1]
    x0 = (xt - np.sqrt(1 - now) * network(xt, t)) / np.sqrt(now)
    if t == 1:
        return x0
    beta = 1 - now / before
    mean = (np.sqrt(before) * beta * x0 + np.sqrt(1 - beta) * (1 - before) * xt) / (1 - now)
    return mean + np.sqrt((1 - before) / (1 - now) * beta) * noise
""",
    (29, "σ itself, and a branch for s = 0"): """
def ddim_step(xt, t, s, network, alpha_bar, eta, noise):
    now, then, eps = alpha_bar[t], alpha_bar[s], network(xt, t)
    x0 = xt / np.sqrt(now) - np.sqrt(1 / now - 1) * eps
    if s == 0:
        return x0
    std = eta * np.sqrt((1 - then) / (1 - now)) * np.sqrt(1 - now / then)
    return then**0.5 * x0 + np.sqrt(np.maximum(1 - then - std**2, 0)) * eps + std * noise
""",
    (30, "squares multiplied out"): """
def mixture_score(x, weights, means, variance):
    squares = np.sum(x**2, axis=1)[:, None] - 2 * x @ means.T + np.sum(means**2, axis=1)
    return (scipy.special.softmax(np.log(weights) - squares / (2 * variance), axis=1) @ means - x) / variance
""",
    (31, "walk by walk"): """
def langevin(x, score, step, noise):
    ends = []
    for start, own in zip(x, np.swapaxes(noise, 0, 1)):
        for eta in own:
            start = start + step * score(start) + (2 * step) ** 0.5 * eta
        ends.append(start)
    return np.array(ends)
""",
    (32, "times added up"): """
def training_pair(noise, data, t):
    return [noise + np.einsum("b,bd->bd", t, data - noise), data - noise]

def follow(velocity, noise, n):
    x, t = noise.copy(), 0.0
    for _ in range(n):
        x += velocity(x, t) / n
        t += 1 / n
    return x
""",
    (33, "rows in turn"): """
def guided(x, t, y, network, none, scale):
    eps = network(np.repeat(x, 2, axis=0), t, np.stack([y, 0 * y + none], axis=1).ravel())
    return scale * eps[::2] + (1 - scale) * eps[1::2]
""",
}


@pytest.mark.parametrize(("number", "style"), RIGHT, ids=str)
def test_a_right_answer_in_another_style_passes(number, style):
    names = EVERY[number].names(EVERY[number].solution)
    exec(RIGHT[number, style], names | {"np": np, "scipy": scipy}, own := {})
    own = {name: function for name, function in own.items() if name in EVERY[number].functions}
    for function in own.values():
        function.__globals__.update(own)
    assert own and EVERY[number].verdict(Student({**names, **own})).message == ""
