"""One network for many orders: how to average over them, and how not to (lecture page 10).

Masks make a network autoregressive in any order, so one set of weights can learn several: each order k is a model p_k
of its own. They can be put together in two ways. Averaged as probabilities, p(x) = (1/K) Σ_k p_k(x), they are a
mixture: a distribution, by which data cost at least their entropy. Averaged as logits, component by component, they
look even better; but each component has then been told of others that were told of it. The result does not sum to 1,
and what it calls its negative log-likelihood falls below the entropy, where no distribution can be.

The data are noisy patterns of 3 × 3 pixels: rows or columns that are black or white, and each pixel flipped with
probability 0.05. All 512 images can be listed, so entropy, costs and sums are exact.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from demos.common import Stage, main
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import MADE, BinaryOutput, OrderMixture, order_agnostic
from scratchgen.distributions import Bernoulli
from scratchgen.distributions.distribution import values
from scratchgen.optim import Adam

TITLE = "Page 10: an average over orders, right and wrong"
SECONDS = 4
SIDE, FLIP = 3, 0.05
ALL = np.array(list(product((0, 1), repeat=SIDE * SIDE)))  # the 512 images
ORDERS, HIDDEN = 8, 200
STEPS, BATCH, LR = 3000, 100, 0.003
SHOWN = 24


def patterns() -> np.ndarray:
    """p(x) of each image: a row or column pattern, each with probability 1/16, and then pixels are flipped."""
    lines = np.array(list(product((0, 1), repeat=SIDE)))
    clean = np.concatenate([np.repeat(lines, SIDE, axis=1), np.tile(lines, (1, SIDE))])  # (16, 9)
    flipped = np.sum(ALL[:, None] != clean, axis=-1)  # (512, 16)
    return np.mean(FLIP**flipped * (1 - FLIP) ** (SIDE * SIDE - flipped), axis=1)


def train(model: MADE | OrderMixture, p: np.ndarray, rng: np.random.Generator) -> None:
    """Steps of Adam on fresh images, with a learning rate that falls to 0; a mixture draws one order for each step."""
    optimizer = Adam(model.parameters(), LR)
    for step, x in enumerate(ALL[rng.choice(len(ALL), (STEPS, BATCH), p=p)]):
        optimizer.lr = LR * min(1.0, 2 * (1 - step / STEPS))
        optimizer.zero_grad()
        model.loss(x, rng).backward()
        optimizer.step()


def logits(mixture: OrderMixture) -> np.ndarray:
    """Those of all orders for all images, (K, 512, 9), in float64."""
    with no_grad():
        return np.array([values(member.conditionals(ALL).logits) for member in mixture.astype(np.float64).members])


def log_prob(logit: np.ndarray) -> np.ndarray:
    """Σ_j log σ(± logit of component j), (…, 512): log p(x) if they are those of an autoregressive model."""
    return np.sum(Bernoulli(logit).log_prob(np.broadcast_to(ALL, logit.shape)), axis=-1)


def run(stage: Stage, seed: int) -> None:
    """Train in one order and in many, average both ways, and add up."""
    import matplotlib.pyplot as plt

    rng, p = np.random.default_rng(seed), patterns()
    entropy = -float(np.sum(p * np.log(p)))
    stage.result(f"entropy of the patterns {entropy:.4f} nats; uniform over 512 images {np.log(512):.4f}")

    alone = MADE(SIDE * SIDE, BinaryOutput(), [HIDDEN], rng)
    train(alone, p, rng)
    mixture = order_agnostic(MADE(SIDE * SIDE, BinaryOutput(), [HIDDEN], rng), ORDERS, rng, shuffle=False)
    train(mixture, p, rng)
    cost_alone = -float(p @ alone.astype(np.float64).log_prob(ALL).data)
    stage.result(f"a network for one order: {cost_alone:.4f} nats, {cost_alone - entropy:.4f} above the entropy")

    each = logits(mixture)
    members = log_prob(each)  # (K, 512)
    K = np.arange(1, ORDERS + 1)
    single = [-float(p @ members[:k].mean(axis=0)) for k in K]
    right = np.array([OrderMixture(mixture.members[:k]).log_prob(ALL).data for k in K])  # (K, 512)
    wrong = np.array([log_prob(each[:k].mean(axis=0)) for k in K])
    ways = {"probabilities": right, "logits": wrong}
    costs = {name: -(log_q @ p) for name, log_q in ways.items()}
    sums = {name: np.exp(log_q).sum(axis=1) for name, log_q in ways.items()}
    for name, verdict in (("probabilities", "a distribution"), ("logits", "none, so its cost is no likelihood")):
        stage.result(
            f"{ORDERS} orders, {name} averaged: {costs[name][-1]:.4f} nats, {costs[name][-1] - entropy:+.4f} against "
            f"the entropy {entropy:.4f}; all 512 sum to {sums[name][-1]:.12f}: {verdict}"
        )
    normalised = costs["logits"][-1] + np.log(sums["logits"][-1])
    stage.result(
        f"one order at a time: {single[-1]:.4f} nats on average; averaged logits divided by their sum, which only a "
        f"list of all images gives: {normalised:.4f} nats, {normalised - entropy:+.4f} against the entropy"
    )

    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.2), layout="constrained", width_ratios=(3, 3, 2))
    plotting.curves(
        {
            "one order, on average": (K, single),
            "probabilities averaged": (K, costs["probabilities"]),
            "logits averaged": (K, costs["logits"]),
        },
        axes[0],
        {"entropy": entropy},
        "orders K",
        "nats per image, E[−log q(x)]",
    )
    axes[0].set_title("what looks best is impossible")
    axes[1].set_prop_cycle(color=["tab:orange", "tab:green"])  # as on the left
    plotting.curves(
        {f"{name} averaged": (K, total) for name, total in sums.items()},
        axes[1],
        {"a distribution": 1.0},
        "orders K",
        "Σ q(x) over all images",
    )
    axes[1].set_title("and gives itself away")
    drawn = mixture.eval().sample(SHOWN, rng).reshape(-1, SIDE, SIDE)
    data = ALL[rng.choice(len(ALL), SHOWN, p=p)].reshape(-1, SIDE, SIDE)
    shades = [0.15 + 0.85 * data, np.zeros((6, SIDE, SIDE)), 0.15 + 0.85 * drawn]  # white pixels grey, on white paper
    plotting.image_grid(np.concatenate(shades), axes[2], columns=6)
    axes[2].set_title("data above, draws from the mixture below", fontsize=10)
    stage.save(
        figure,
        "page10_orders",
        "An average over orders, right and wrong",
        "right: log (1/K) Σ_k p_k(x);   wrong: Σ_j log σ(± (1/K) Σ_k logit_k[j])",
        "Left: the cost of both averages, and the entropy, below which no distribution can be. Middle: averaged logits "
        "make none; what they call probabilities has a sum above 1.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
