"""Generation with a cache of keys and values, and without: lecture page 10, language models use transformers.

To draw x[t], a transformer needs the keys and values of all positions before it. Blocks look back only, so these are
the same at every later step: they can be kept, and each step computes one position. Without a cache, step t computes t.

Multiply-adds of a pass over T new positions after S old ones, in one block of width d:

    12 d² T + 2 d T (S + T)                    the linear maps, and attention                    (1)
    without, Σ_t over T = t, S = 0:            6 d² L² + ⅔ d L³, about                           (2)
    with, Σ_t over T = 1, S = t − 1:           12 d² L + d L², about                             (3)

In (1), 12 d² are four maps d × d of the attention, and two of the network, d × 4d and 4d × d; 2 d are q · k, and a sum
of v, for each pair of positions. In (2) and (3) t runs from 1 to L, the length of the sequence. So O(L³) becomes O(L²),
once L is so large that attention is what costs: here the two terms of (2) are equal at L = 9 d. Time is more than
multiply-adds: a pass, however small, has to go through all the calls of its operations. What is measured is drawn
beside a time for each pass plus a time for each multiply-add.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autoregressive import Autoregressive, Transformer

TITLE = "Page 10: what a cache of keys and values saves"
SECONDS = 10
LENGTHS = (8, 16, 32, 64, 128, 256, 512)
SYMBOLS, WIDTH, HEADS, LAYERS = 16, 32, 2, 2
SEQUENCES = 4  # generated at once
LEAST = 0.2  # seconds of each measurement


class Uncached(Transformer):
    """The same model, but it keeps nothing: each symbol costs a pass over all before it."""

    in_turn = Autoregressive.in_turn


def multiply_adds(new: Any, old: Any) -> Any:
    """(1), for the layers of one sequence, and V d for the logits at each new position."""
    return LAYERS * (12 * WIDTH**2 * new + 2 * WIDTH * new * (old + new)) + SYMBOLS * WIDTH * new


def work(length: int, cached: bool) -> float:
    """Multiply-adds of generating SEQUENCES of this length: (3) or (2), by the sum itself."""
    t = np.arange(1, length + 1)
    return SEQUENCES * float(np.sum(multiply_adds(1, t - 1) if cached else multiply_adds(t, 0)))


def timed(model: Transformer, uniforms: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of processor time that one generation takes, and what was generated.

    The mean of several: some clocks count in steps of 0.016 s. The time that other programs get does not count.
    """
    runs, start = 0, time.process_time()
    while runs == 0 or time.process_time() < start + LEAST:
        x = model.sample(len(uniforms), uniforms=uniforms)
        runs += 1
    return (time.process_time() - start) / runs, x


def fit_costs(passes: np.ndarray, counts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """a and b ≥ 0 of seconds = a passes + b multiply-adds, by least squares of the relative errors."""
    from scipy.optimize import nnls

    # In units of the means, since nnls compares both columns with one tolerance.
    scale = np.array([np.mean(seconds / passes), np.mean(seconds / counts)])
    return scale * nnls(np.stack([passes, counts], 1) * scale / seconds[:, None], np.ones(len(seconds)))[0]


def largest_difference(model: Transformer, x: np.ndarray) -> float:
    """Between the logits of one full pass and those that the cache gives, symbol by symbol."""
    conditional = model.in_turn(len(x))
    in_turn = np.stack([conditional(x, t).logits for t in range(x.shape[1])], axis=1)
    return float(np.max(np.abs(in_turn - model.conditionals(x).logits.data)))


def run(stage: Stage, seed: int) -> None:
    """Time both, check that they generate the same, and draw."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    lengths = np.array(LENGTHS)
    seconds = np.zeros((2, len(lengths)))  # with a cache, and without
    for i, length in enumerate(lengths):
        sizes: Any = (SYMBOLS, int(length), WIDTH, HEADS, LAYERS)
        uniforms, weights = rng.random((SEQUENCES, length)), int(rng.integers(2**32))
        model = Transformer(*sizes, rng=weights, dtype=np.float64).eval()
        seconds[0, i], x = timed(model, uniforms)
        seconds[1, i], same = timed(Uncached(*sizes, rng=weights, dtype=np.float64).eval(), uniforms)
        if not np.array_equal(x, same):
            raise AssertionError(f"length {length}: with the cache another sequence was generated than without")
        stage.say(f"length {length}: {seconds[0, i]:.3g} s with a cache, {seconds[1, i]:.3g} s without")
    stage.result(
        f"the same {SEQUENCES} sequences at all {len(lengths)} lengths; at {length} logits differ by at most "
        f"{largest_difference(model, x):.0e}"
    )

    counts = np.array([[work(int(length), cached) for length in lengths] for cached in (True, False)])
    each_pass, each_count = fit_costs(np.tile(lengths, 2), counts.ravel(), seconds.ravel())
    fitted = each_pass * lengths + each_count * counts  # (2, lengths)
    stage.result(
        f"length {length}: {seconds[0, -1]:.3g} s with a cache, {seconds[1, -1]:.3g} s without: "
        f"{seconds[1, -1] / seconds[0, -1]:.1f} times as long, for {counts[1, -1] / counts[0, -1]:.0f} times as many "
        "multiply-adds"
    )
    stage.result(
        f"fitted: {1e3 * each_pass:.2f} ms a pass and {1e9 * each_count:.2f} ns a multiply-add; the measured times are "
        f"{np.min(seconds / fitted):.2f} to {np.max(seconds / fitted):.2f} of that"
    )
    for name, row, count in zip(("with a cache", "without"), seconds, counts):
        slope, exact = (np.log2(y[-1] / y[-2]) for y in (row, count))
        stage.result(f"{name}, from {lengths[-2]} to {length}: time ∝ L^{slope:.2f}, multiply-adds ∝ L^{exact:.2f}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for name, colour, row, law in zip(("with a cache", "without"), ("#3b75af", "#c44e52"), seconds, fitted):
        left.plot(lengths, row, "o", color=colour, label=name)
        left.plot(lengths, law, "--", color=colour, linewidth=1)
    left.plot([], [], "k--", linewidth=1, label="a passes + b multiply-adds")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="length L",
        ylabel="seconds of processor time",
        title=f"{SEQUENCES} sequences of L symbols",
    )
    right.plot(lengths, seconds[1] / seconds[0], "o-", color="k", label="time, measured")
    right.plot(lengths, fitted[1] / fitted[0], "k--", linewidth=1, label="time, by the fit")
    right.plot(lengths, counts[1] / counts[0], "k:", linewidth=1.5, label="multiply-adds, counted")
    right.set(xscale="log", yscale="log", xlabel="length L", ylabel="without / with", title="what the cache saves")
    for ax in (left, right):
        ax.set_xticks(lengths, [str(length) for length in lengths])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
        ax.legend()
    stage.save(
        figure,
        "page10_cache",
        "What a cache of keys and values saves",
        "without: Σ_t (12 d² t + 2 d t²) ≈ 6 d² L² + ⅔ d L³;   with: Σ_t (12 d² + 2 d t) ≈ 12 d² L + d L²",
        "The same sequences, drawn in both ways. As long as a pass is small, its time is that of its calls, and the "
        "cache saves little; then the multiply-adds decide. Dashed: one time for each pass and one for each "
        "multiply-add, fitted to all points of both curves.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
