"""A causal transformer on two sources of known entropy rate: lecture page 10, "language models use transformers".

In both sources a symbol depends on two before it, by the same table p(c | a, b): on the last two in one, on the last
and the fifth last in the other. An n-gram counts what followed all n − 1 symbols before, so it needs n = 3 here and
n = 6 there. The transformer is told of neither. Both times it comes down to the entropy rate, the least that any model
can cost, and its attention shows which place it has learned to look at: the last symbol is there already, in the
position that predicts; it has to fetch the other.

All models learn from the same million symbols, 32 at a time, each seen once, and are measured on fresh ones. The
embeddings start with a standard deviation of 0.2. With GPT-2's 0.02 a network this narrow takes long to find where to
look: after 1500 steps, 3 of 18 trainings were still more than 0.01 nats above the entropy rate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import NGram, Transformer
from scratchgen.data import MarkovSource
from scratchgen.distributions.distribution import values
from scratchgen.plotting import curves

TITLE = "Page 10: a transformer finds what a source remembers"
SECONDS = 10
SYMBOLS = 4
LAGS = {2: "the last two symbols", 5: "the last and the fifth last"}
LENGTH = 32  # symbols in a sequence
BATCH, STEPS, LR = 32, 1000, 1e-2
EVERY = 50  # steps between two points of a curve
FRESH = 4000  # sequences to measure on
LADDER = range(1, 8)


class Cost(NamedTuple):
    """Nats per symbol, and the standard error of its distance from the entropy rate."""

    nats: float
    error: float


def source_with_lag(pair: MarkovSource, lag: int) -> MarkovSource:
    """p(x[t] | x[t−lag], x[t−1]) by the table of ``pair``; what is between them does not matter.

    >>> source_with_lag(MarkovSource.random(2, 2, rng=0), 4).order
    4
    """
    table = pair.transition[(slice(None),) + (None,) * (lag - 2)]  # (V, 1, …, 1, V, V)
    return MarkovSource(np.broadcast_to(table, (pair.symbols,) * (lag + 1)))


def after(model: Any, x: np.ndarray, k: int) -> np.ndarray:
    """log p(x[k+1..L] | x[1..k]) = log p(x) − log p(x[1..k]), (B,): the chain rule, for any model of page 10."""
    with no_grad():
        return np.asarray(values(model.log_prob(x) - model.log_prob(x[:, :k])))


def cost(model: Any, source: MarkovSource, x: np.ndarray) -> Cost:
    """What a symbol costs that has all it depends on before it: for the source itself, the entropy rate.

    Its own cost of these x is not quite that, by chance; the chance is the same for the model, and cancels.
    """
    k = source.order
    excess = (after(source, x, k) - after(model, x, k)) / (x.shape[1] - k)
    return Cost(source.entropy_rate + float(excess.mean()), float(excess.std() / np.sqrt(len(x))))


def train(source: MarkovSource, x: np.ndarray, fresh: np.ndarray, rng: np.random.Generator) -> tuple[Transformer, Any]:
    """The model, and its curves: (steps, training loss per symbol, cost on fresh symbols)."""
    model = Transformer(SYMBOLS, LENGTH, width=32, heads=1, layers=1, rng=rng, std=0.2)
    steps, costs = len(x) // BATCH, []

    def look(step: int) -> None:
        if step % EVERY == 0:
            costs.append(cost(model, source, fresh[:500]).nats)

    history = fit_with_falling_lr(
        model,
        x,
        lr=LR,
        batch_size=BATCH,
        steps=steps,
        evaluate_every=EVERY,
        warm_up=EVERY,
        rng=rng,
        on_step=look,
    )
    look(steps)
    return model, (history.steps, np.array(history.loss) / LENGTH, np.array(costs))


def attention_map(model: Transformer, x: np.ndarray) -> np.ndarray:
    """How position t of the first block looks at position i, the mean over all x, (T, T)."""
    block = model.blocks[0]
    return block.attention.weights(block.norms[0](model.embedded(model.shifted(x)))).mean(axis=(0, 1))


def study(stage: Stage, axes: Any, source: MarkovSource, rng: np.random.Generator) -> None:
    """Train on one source, measure, and draw a row of the picture."""
    lag, rate = source.order, source.entropy_rate
    # Stretches of a stationary stream are distributed as sequences from its start are.
    stream = source.sample(BATCH, STEPS * LENGTH, rng)
    fresh = source.sample(FRESH, LENGTH, rng)
    model, (at, loss, costs) = train(source, stream.reshape(-1, LENGTH), fresh, rng)
    found = cost(model, source, fresh)
    ladder = [cost(NGram(stream.ravel(), SYMBOLS, n), source, fresh).nats for n in LADDER]
    weights = attention_map(model, fresh[:500])
    # Row t − 1 is that of x[t], column t − lag is x[t−lag]. Without the first of them, where that is the start.
    looks = np.mean(np.diagonal(weights, 1 - lag)[1:])
    even = np.mean(1 / np.arange(lag + 1, LENGTH + 1))

    stage.result(
        f"{LAGS[lag]}: transformer {found.nats:.4f} ± {found.error:.4f} nats a symbol, entropy rate {rate:.4f}: "
        f"{found.nats - rate:.4f} above"
    )
    stage.result("n-grams: " + ", ".join(f"{nats:.4f} (n = {n})" for n, nats in zip(LADDER, ladder)))
    stage.result(f"attention to x[t−{lag}]: {looks:.2f} of 1, the mean over t > {lag}; spread evenly {even:.2f}")

    least = source.entropy(LENGTH) / LENGTH
    curves(
        {"training loss / 32": (at, loss), "fresh, after the start": (EVERY * np.arange(len(costs)), costs)},
        axes[0],
        {"H(X[1..32]) / 32": least, "entropy rate": rate},
        ylabel="nats per symbol",
    )
    axes[0].set_title(LAGS[lag])
    axes[1].axhline(found.nats, color="#c44e52", linewidth=4, alpha=0.5, label=f"transformer {found.nats:.2f}")
    curves({"n-gram": (list(LADDER), ladder)}, axes[1], {"entropy rate": rate}, "n", "nats per symbol")
    axes[1].set_title("against n-grams")
    image = axes[2].imshow(weights, cmap="gray_r", vmin=0.0, vmax=1.0, extent=(-0.5, LENGTH - 0.5, LENGTH + 0.5, 0.5))
    axes[2].set(xlabel="x[i] that is looked at (0: start)", ylabel="x[t] that is predicted", title="attention")
    axes[2].figure.colorbar(image, ax=axes[2], shrink=0.8)


def run(stage: Stage, seed: int) -> None:
    """Both sources, a row each."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    pair = MarkovSource.random(SYMBOLS, 2, rng)
    figure, rows = plt.subplots(len(LAGS), 3, figsize=(13, 7.6), layout="constrained")
    for axes, lag in zip(rows, LAGS):
        stage.say(f"training on {LAGS[lag]}")
        study(stage, axes, source_with_lag(pair, lag), rng)
    stage.save(
        figure,
        "page10_transformer",
        "Down to the entropy rate, and where it looks",
        "h = −Σ_s π(s) Σ_c P(c | s) log P(c | s);   attention p_ti = exp(q_t · k_i / √d) / Σ_i exp(q_t · k_i / √d)",
        "Above, a symbol depends on the last two; below, by the same table, on the last and the fifth last. Left: the "
        "loss falls to the exact least, dashed. Middle: an n-gram has to reach as far as the source does. Right: the "
        "mean attention. Each row looks at the one place whose symbol it lacks: the second last, the fifth last.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
