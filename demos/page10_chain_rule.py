"""The chain rule in any order: log p(x) = Σ_j log p(x[j] | x[<j]) (lecture page 10).

Four bits, whose probabilities are known: is it cloudy, is the sprinkler on, does it rain, is the grass wet. A table of
all 16 probabilities gives every conditional in every order by sums. What one bit costs, given those before it, depends
on the order; what all four cost together does not: it is the entropy. Told one by one without looking back, they cost
more. Models with fewer parameters than the table have an order: a logistic regression for each bit comes close to the
entropy in some orders, and less close in others, and hidden units close the gap.

The example is that of S. Russell and P. Norvig, Artificial Intelligence, section 14.4 of the third edition, but with
grass that is wet once in a hundred times without water, since −log 0 cannot be drawn.
"""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import FVSBN, NADE, Autoregressive, ProbabilityTable
from scratchgen.optim import Adam

TITLE = "Page 10: the chain rule in any order"
SECONDS = 6
BITS = ("cloudy", "sprinkler", "rain", "wet grass")
COLOURS = ("#8c8c8c", "#e8a33d", "#3b75af", "#519e3e")
GREYS = ("0.6", "0.2")
ORDERS = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 2, 0), (0, 1, 3, 2), (0, 2, 3, 1), (3, 0, 2, 1)]
EVERY = list(permutations(range(len(BITS))))
ALL = np.array(list(product((0, 1), repeat=len(BITS))))  # the 16 outcomes
HIDDEN, STEPS, LR = 8, 1000, 0.1
DRAWS = 2000


def weather() -> ProbabilityTable:
    """p(cloudy) p(sprinkler | cloudy) p(rain | cloudy) p(wet | sprinkler, rain) for each outcome."""
    cloudy, sprinkler, rain, wet = ALL.T
    p = np.array([0.5, 0.5])[cloudy]
    p = p * share(sprinkler, np.array([0.5, 0.1])[cloudy])
    p = p * share(rain, np.array([0.2, 0.8])[cloudy])
    p = p * share(wet, np.array([[0.01, 0.90], [0.90, 0.99]])[sprinkler, rain])
    return ProbabilityTable.of(p.reshape((2,) * len(BITS)))


def share(bit: np.ndarray, p: np.ndarray) -> np.ndarray:
    """p where the bit is 1, 1 − p where it is 0."""
    return np.where(bit == 1, p, 1 - p)


def cost(model: Autoregressive, truth: ProbabilityTable) -> Tensor:
    """E[−log q(x)], x from the truth: the exact expectation, by the sum over all outcomes."""
    return -np.sum(truth.probabilities.ravel() * model.log_prob(ALL))


def trained(model: Autoregressive, truth: ProbabilityTable) -> float:
    """The cost of the model after gradient steps on it, as from endless data."""
    optimizer = Adam(model.parameters(), LR)
    for _ in range(STEPS):
        optimizer.zero_grad()
        cost(model, truth).backward()
        optimizer.step()
    return cost(model, truth).item()


def initials(order: tuple[int, ...]) -> str:
    """The order, as C S R W."""
    return " ".join(BITS[j][0].upper() for j in order)


def stacked(ax: Any, stacks: dict[str, list[tuple[int, float]]], entropy: float) -> Any:
    """A bar for each order, of the costs of its bits in the order in which they are told."""
    for at, terms in enumerate(stacks.values()):
        bottom = 0.0
        for j, term in terms:
            ax.bar(at, term, bottom=bottom, color=COLOURS[j], edgecolor="white", width=0.8)
            ax.text(at, bottom + term / 2, f"{BITS[j][0].upper()} {term:.2f}", ha="center", va="center", fontsize=8)
            bottom += term
    ax.axhline(entropy, color="k", linestyle="--", linewidth=1, label=f"entropy {entropy:.4f}")
    for name, colour in zip(BITS, COLOURS):
        ax.bar(0, 0, color=colour, label=name)
    ax.set_xticks(range(len(stacks)), stacks.keys())
    ax.set(title="the table: what each bit costs", xlabel="order", ylabel="nats", ylim=(0, 3.4))
    ax.legend(fontsize="small", ncols=3, loc="upper left")
    return ax


def run(stage: Stage, seed: int) -> None:
    """Costs by the table in all orders, then by two models that are trained in some."""
    import matplotlib.pyplot as plt

    truth, rng = weather(), np.random.default_rng(seed)
    p = truth.probabilities
    entropy = -float(np.sum(p * np.log(p)))

    # -- the table
    draws = truth.sample(DRAWS, rng)
    counted = ProbabilityTable.fit(draws, levels=2)
    for name, costs in (
        ("the true table", [cost(truth.in_order(order), truth).item() for order in EVERY]),
        (f"a table counted from {DRAWS} draws, of these", [counted.in_order(o).loss(draws).item() for o in EVERY]),
    ):
        stage.result(
            f"{name}: {np.mean(costs):.6f} nats in each of {len(costs)} orders, which differ by {np.ptp(costs):.0e}; "
            f"entropy {entropy:.6f}"
        )
    stacks = {}
    for order in ORDERS:
        terms = truth.in_order(order).entropies()
        stacks[initials(order)] = [(j, float(terms[j])) for j in order]
    alone = [float(truth.in_order([j, *(i for i in range(4) if i != j)]).entropies()[j]) for j in range(4)]
    stacks["each\nalone"] = list(enumerate(alone))
    stage.result(f"each bit alone: {sum(alone):.4f} nats, {sum(alone) - entropy:.4f} above the entropy {entropy:.4f}")

    # -- models with an order
    above: dict[str, list[float]] = {"FVSBN": [], "NADE": []}
    for order in ORDERS:
        above["FVSBN"].append(trained(FVSBN(4, order, np.float64), truth) - entropy)
        above["NADE"].append(trained(NADE(4, HIDDEN, rng, order, np.float64), truth) - entropy)
        stage.result(
            f"order {initials(order)}: FVSBN {above['FVSBN'][-1]:.5f}, NADE {above['NADE'][-1]:.5f} nats above the "
            "entropy, which is 0 for the table"
        )

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8), layout="constrained", width_ratios=(3, 2))
    stacked(left, stacks, entropy)
    for i, (name, values) in enumerate(above.items()):
        drawn = right.bar(
            np.arange(len(ORDERS)) + 0.4 * i - 0.2, 1000 * np.array(values), 0.4, label=name, color=GREYS[i]
        )
        right.bar_label(drawn, fmt="%.2f", fontsize=8)
    right.axhline(0, color="k", linestyle="--", linewidth=1, label="entropy, and the table")
    right.set_xticks(range(len(ORDERS)), list(map(initials, ORDERS)))
    right.set(title="models trained in one order", xlabel="order", ylabel="thousandths of a nat above the entropy")
    right.set_ylim(bottom=-0.06 * right.get_ylim()[1])  # so that the dashed line, and NADE's bars on it, can be seen
    right.legend(fontsize="small")
    stage.save(
        figure,
        "page10_chain_rule",
        "One distribution, told in different orders",
        "E[−log p(x)] = Σ_j E[−log p(x[j] | x[<j])]",
        "Left: the terms change with the order, their sum does not; it is the entropy. Right: with one logistic "
        "regression for each bit (FVSBN) some orders come closer to it than others; with hidden units (NADE) all come "
        "down to it.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
