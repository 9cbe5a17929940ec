"""n-grams on a source of known entropy, and on Python's own documentation: lecture page 10.

An n-gram predicts a symbol from the n − 1 before it, by counting. On a Markov source whose symbols depend on two before
them, n = 3 is enough: it comes down to the entropy rate, which no model can beat. More context only costs, since each
context is seen less often. On a real text the same trade-off has no such known end; the best n is read off.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from scratchgen.autoregressive.ngram import NGram
from scratchgen.data import MarkovSource, Vocabulary, documentation
from scratchgen.plotting import curves

TITLE = "Page 10: n-grams, and what they cost a symbol"
SECONDS = 5
LENGTH = 20_000  # symbols of the Markov source
LADDER = range(1, 9)
SHOWN = (1, 2, 3, 5, 8)  # n of the generated texts
PER_SYMBOL = "nats per symbol"


def run(stage: Stage, seed: int) -> None:
    """Both ladders, one picture, and generated text."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    on_source(stage, left, np.random.default_rng(seed))
    on_documentation(stage, right, seed)
    stage.save(
        figure,
        "page10_ngrams",
        "How much memory does a model need?",
        "−1/N Σ_t log p(x[t] | x[t−n+1..t−1])",
        "Nats per symbol of fresh data. Left: a Markov source of order 2; n = 3 comes down to its entropy rate. Right: "
        "Python's documentation. Guessing by shorter contexts (interpolated) makes more of a long memory.",
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


def on_documentation(stage: Stage, ax: object, seed: int) -> None:
    """n-grams on the documentation, by both smoothings, and text drawn from them."""
    docs = documentation()
    vocabulary = Vocabulary(docs.train + docs.validation)
    train, validation = vocabulary.encode(docs.train), vocabulary.encode(docs.validation)
    V = len(vocabulary)
    stage.say(f"documentation: {docs.size:,} characters, {V} different, SHA-256 {docs.sha256[:12]}…")
    cost = {
        smoothing: [NGram(train, V, n, smoothing=smoothing).nats(validation) for n in LADDER]
        for smoothing in ("interpolated", "add")
    }
    for smoothing, nats in cost.items():
        best = int(np.argmin(nats))
        stage.result(
            f"documentation, smoothing {smoothing!r}: best {nats[best]:.4f} nats a character, n = {LADDER[best]}; "
            f"uniform {np.log(V):.4f}"
        )
    curves(
        {name: (list(LADDER), nats) for name, nats in cost.items()}, ax, {"uniform": float(np.log(V))}, "n", PER_SYMBOL
    )
    ax.set_title("Python's documentation")  # type: ignore[attr-defined]
    for n in SHOWN:
        drawn = NGram(train, V, n).sample(1, 160, seed)[0]
        stage.result(f"n = {n}: {' '.join(vocabulary.decode(drawn).split())}")


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
