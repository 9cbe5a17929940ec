"""A small language model on Python's own documentation: lecture page 10, "language models use transformers".

A transformer of two blocks reads 32 characters at a time and learns to predict each from those before. What it costs
on text that it has not seen, in nats a character, is drawn against n-grams, which count in the same text. Then it
writes: from the model itself, and from what temperature, top-k and top-p make of it.

It has seconds where real language models have months, and a third of a million characters to learn from. Longer
training helps a little: 10 000 steps with dropout 0.1, two and a half minutes, led to 1.28 nats a character of the
validation text, where the 3000 steps here lead to 1.32. ``--file`` names another text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.texts import FILE, Corpus, corpus
from demos.training import fit_with_falling_lr
from scratchgen.autoregressive import NGram, Transformer, generate_stream, stream_nats
from scratchgen.autoregressive.truncation import truncated
from scratchgen.distributions import Categorical
from scratchgen.plotting import curves

TITLE = "Page 10: a small language model"
SECONDS = 50
QUICK_SECONDS = 20
OPTIONS = {"file": FILE}
CONTEXT = 32  # characters in a window; all but the first are predicted from at least half as many
BATCH, STEPS, QUICK_STEPS, LR = 32, 3000, 720, 5e-3
POINTS = 6  # of the curve, after the first; they divide the steps
MEASURED = 40_000  # characters, at most
LADDER = (1, 2, 3, 4, 5, 6)
WRITTEN = 160  # characters of a generated text
WAYS: dict[str, dict[str, Any]] = {
    "the model itself": {},
    "temperature 0.5": {"temperature": 0.5},
    "top_k 3": {"top_k": 3},
    "top_p 0.8": {"top_p": 0.8},
    "top_k 1": {"top_k": 1},
}


def train(stage: Stage, text: Corpus, rng: np.random.Generator) -> tuple[Transformer, dict[str, Any]]:
    """The model, and its nats per character on both parts of the text, by the number of steps."""
    model = Transformer(len(text.vocabulary), CONTEXT, width=64, heads=4, layers=2, rng=rng)
    steps = QUICK_STEPS if stage.quick else STEPS
    parts = {"validation": text.validation[:MEASURED], "training": text.train[: len(text.validation)][:MEASURED]}
    at: list[int] = []
    nats: dict[str, list[float]] = {name: [] for name in parts}

    def look(step: int) -> None:
        if step % (steps // POINTS) == 0:
            at.append(step)
            for name, part in parts.items():
                nats[name].append(stream_nats(model, part))
            stage.say(f"step {step}: {nats['validation'][-1]:.3f} nats a character")

    fit_with_falling_lr(
        model,
        np.lib.stride_tricks.sliding_window_view(text.train, CONTEXT),
        lr=LR,
        batch_size=BATCH,
        steps=steps,
        warm_up=steps // 10,
        rng=rng,
        on_step=look,
    )
    look(steps)
    return model, {name: (at, values) for name, values in nats.items()}


def next_character(model: Transformer, prompt: np.ndarray, way: dict[str, Any]) -> np.ndarray:
    """p(next character | prompt) as it is drawn from, (V,)."""
    logits = model.next_logits(np.append(model.levels, prompt)[None], model.empty_cache(1))[0, -1]
    return np.asarray(Categorical(truncated(logits, **way)).probabilities)


def draw_next(model: Transformer, text: Corpus, prompt: np.ndarray, ax: Any) -> None:
    """Bars for the likeliest characters after the prompt, by each way to draw but the last."""
    ways = list(WAYS)[:-1]
    likeliest = np.argsort(-next_character(model, prompt, {}), kind="stable")[:8]
    for i, way in enumerate(ways):
        p = next_character(model, prompt, WAYS[way])[likeliest]
        ax.bar(np.arange(len(p)) + (i - 1.5) * 0.2, p, width=0.2, label=way)
    ax.set_xticks(range(len(likeliest)), [repr(text.vocabulary.characters[i]) for i in likeliest])
    ax.set(xlabel=f"after {text.vocabulary.decode(prompt[-24:])!r}", ylabel="probability", title="the next character")
    ax.legend()


def run(stage: Stage, seed: int, file: Path | None = None) -> None:
    """Count, train, measure, draw, and write."""
    import matplotlib.pyplot as plt

    text = corpus(stage, file)
    V, fresh = len(text.vocabulary), text.validation[:MEASURED]
    ladder = {n: NGram(text.train, V, n).nats(fresh) for n in LADDER if V**n < 2**63}
    best = min(ladder, key=lambda n: ladder[n])
    stage.result("n-grams: " + ", ".join(f"{nats:.4f} (n = {n})" for n, nats in ladder.items()) + " nats a character")

    model, lines = train(stage, text, np.random.default_rng(seed))
    steps, nats = lines["validation"]
    below = [step for step, value in zip(steps, nats) if value < ladder[best]]
    stage.result(
        f"transformer, {model.count_parameters():,} parameters, {steps[-1]} steps: {nats[-1]:.4f} nats a character of "
        f"new text, {lines['training'][1][-1]:.4f} of the text it learned from; best n-gram {ladder[best]:.4f}, "
        f"uniform {np.log(V):.4f}"
    )
    stage.result(
        f"below the best n-gram from step {below[0]} on" if below else "not below the best n-gram in so few steps"
    )

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.4), layout="constrained")
    shown = {f"{n}-gram": ladder[n] for n in sorted({2, 3, best})}
    curves({f"transformer, {name} text": line for name, line in lines.items()}, left, shown, ylabel="nats a character")
    left.set_title(text.name)
    prompt = text.validation[: CONTEXT - 1]
    draw_next(model, text, prompt, right)
    stage.save(
        figure,
        "page10_language",
        "A transformer against n-grams",
        "−1/N Σ_t log p(x[t] | x[<t]);   generation: p ∝ exp(logit / temperature), and 0 for what top-k or top-p drop",
        "Left: nats a character. Dashed: n-grams on the validation text. Where the text that it learns from comes to "
        "cost less than new text, the model learns by heart. Right: the distribution of the next character, and what "
        "is drawn from instead: a lower temperature sharpens it, top-k keeps k characters, top-p as few as have a "
        "probability of p together.",
    )
    for way, options in WAYS.items():
        drawn = generate_stream(model, 1, len(prompt) + WRITTEN, seed, prompt, **options)[0, len(prompt) :]
        stage.result(f"{way}: {' '.join(text.vocabulary.decode(drawn).split())}")


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
