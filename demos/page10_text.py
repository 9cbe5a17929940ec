"""n-grams on a source of known entropy, and on Python's own documentation: lecture page 10.

An n-gram predicts a symbol from the n − 1 before it, by counting. On a Markov source whose symbols depend on two before
them, n = 3 is enough: it comes down to the entropy rate, which no model can beat. More context only costs, since each
context is seen less often. On a real text the same trade-off has no such known end; the best n is read off.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from demos.common import Stage, main
from demos.texts import FILE, corpus
from scratchgen.autoregressive.ngram import NGram
from scratchgen.data import MarkovSource
from scratchgen.plotting import curves

TITLE = "Page 10: n-grams, and what they cost a symbol"
SECONDS = 5
OPTIONS = {"file": FILE}
LENGTH = 20_000  # symbols of the Markov source
LADDER = range(1, 9)
SHOWN = (1, 2, 3, 5, 8)  # n of the generated texts
PER_SYMBOL = "nats per symbol"


def run(stage: Stage, seed: int, file: Path | None = None) -> None:
    """Both ladders, one picture, and generated text."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    on_source(stage, left, np.random.default_rng(seed))
    on_text(stage, right, seed, file)
    stage.save(
        figure,
        "page10_ngrams",
        "How much memory does a model need?",
        "−1/N Σ_t log p(x[t] | x[t−n+1..t−1])",
        "Nats per symbol of fresh data. Left: a Markov source of order 2; n = 3 comes down to its entropy rate. Right: "
        "a real text. With a long memory most contexts are new: there, to guess by shorter ones (interpolated) is "
        "better than to hold all symbols as likely (add).",
    )


def on_source(stage: Stage, ax: object, rng: np.random.Generator) -> None:
    """n-grams on the Markov source, against its exact entropy rate and its own log p of the same data."""
    source = MarkovSource.random(symbols=4, order=2, rng=rng)
    train, fresh = (source.sample(1, LENGTH, rng)[0] for _ in range(2))
    best = -float(source.log_prob(fresh[None])[0]) / LENGTH
    # The chance of the fresh data cancels in the difference to the source's own cost of them.
    cost = {n: source.entropy_rate + NGram(train, 4, n).nats(fresh) - best for n in LADDER}
    free = (source.symbols - 1) * source.symbols**source.order
    stage.result(
        f"Markov source of order 2: 3-gram {cost[3]:.4f} nats a symbol, entropy rate {source.entropy_rate:.4f}; {free} "
        f"parameters are expected to cost about {free} / {2 * LENGTH:,} = {free / 2 / LENGTH:.4f}"
    )
    curves({"n-gram": (list(LADDER), list(cost.values()))}, ax, {"entropy rate": source.entropy_rate}, "n", PER_SYMBOL)
    ax.set_title("Markov source of order 2")  # type: ignore[attr-defined]


def on_text(stage: Stage, ax: object, seed: int, file: Path | None) -> None:
    """n-grams on the documentation or a file, by both smoothings, and text drawn from them."""
    name, vocabulary, train, validation = corpus(stage, file)
    V = len(vocabulary)
    ladder = [n for n in LADDER if V**n < 2**63]  # of more symbols the contexts cannot be numbered
    cost = {
        smoothing: [NGram(train, V, n, smoothing=smoothing).nats(validation) for n in ladder]
        for smoothing in ("interpolated", "add")
    }
    for smoothing, nats in cost.items():
        best = int(np.argmin(nats))
        stage.result(
            f"{name}, smoothing {smoothing!r}: best {nats[best]:.4f} nats a character, n = {ladder[best]}; "
            f"uniform {np.log(V):.4f}"
        )
    curves({way: (ladder, nats) for way, nats in cost.items()}, ax, {"uniform": float(np.log(V))}, "n", PER_SYMBOL)
    ax.set_title(name)  # type: ignore[attr-defined]
    for n in SHOWN:
        if n in ladder:
            drawn = NGram(train, V, n).sample(1, 160, seed)[0]
            stage.result(f"n = {n}: {' '.join(vocabulary.decode(drawn).split())}")


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
