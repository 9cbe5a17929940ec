"""The leaderboard as text for a terminal, as CSV, and as pictures. Text and CSV have the same figures to the digit."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from demos.board.contest import BOUND, ESTIMATE, EXACT, SIGNS, TRUTH, Row
from scratchgen import plotting

COLOURS = {EXACT: "#3b75af", BOUND: "#c44e52", ESTIMATE: "#55a868"}
COLUMNS = (
    "model", "data", "log p is", "nats", "± nats", "gap", "± gap", "MMD²", "p", "sliced W", "± W", "told apart",
    "± told", "parameters", "training s", "1,000 samples s",
)  # fmt: skip
SECONDS = COLUMNS[-2:]  # which no seed repeats
WIDTH = 120
LEGEND = (
    "nats: −log p(x) of fresh data, lower is better; = exact, ≤ a bound (the model may be better), ≈ an estimate by an "
    "ODE. gap: nats above the entropy; no model is below it. MMD²: with its p-value; one perfect model in a hundred "
    "has p ≤ 0.01. sliced W: the Wasserstein distance. told apart: the share that nearest neighbours tell right; 0.5 "
    "is a guess. numbers: parameters. train s, draw s: seconds of training, and of 1,000 samples, on this machine."
)


def cells(row: Row) -> dict[str, str]:
    """Every figure of a row as text, by column; empty where there is none."""
    digits = 2 if row.nats and row.nats.gap is None else 3  # where the entropy is unknown, nats are many
    value, error, gap, gap_error = ("" if n is None else f"{n:.{digits}f}" for n in row.nats or (None,) * 4)
    is_truth = row.model == TRUTH
    return dict(
        zip(
            COLUMNS,
            (
                row.model, row.data, row.measure if row.nats else "", value, error, gap, gap_error,
                f"{row.mmd.value:.4f}", f"{row.mmd.p:.3f}",
                f"{row.sliced.value:.3f}", f"{row.sliced.error:.3f}", f"{row.told.value:.3f}", f"{row.told.error:.3f}",
                "" if is_truth else str(row.parameters),
                "" if is_truth else f"{row.train_seconds:.3g}", "" if is_truth else f"{row.sample_seconds:.3g}",
            ),
            strict=True,
        )
    )  # fmt: skip


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each row, below the names of the columns."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(cells, rows))
    return file.getvalue()


def as_text(rows: Sequence[Row], about: dict[str, str]) -> str:
    """A table for each data set, of at most 120 columns, and what its figures mean."""
    heads = ("model", "nats", "gap", "MMD² (p)", "sliced W", "told apart", "numbers", "train s", "draw s")
    lines = []
    for data, of_data in groupby(rows, key=lambda row: row.data):
        lines += [
            *textwrap.wrap(f"{data}: {about[data]}", WIDTH),
            line(heads),
            *(line(shown(row)) for row in of_data),
            "",
        ]
    return "\n".join([*lines, *textwrap.wrap(LEGEND, WIDTH)]) + "\n"


def shown(row: Row) -> tuple[str, ...]:
    """The cells of a row, as the text has them."""
    c = cells(row)
    return (
        row.model + (" ALARM" if row.is_alarm else ""),
        f"{SIGNS[row.measure]} {c['nats']} ± {c['± nats']}" if c["nats"] else "",
        f"{c['gap']} ± {c['± gap']}" if c["gap"] else "",
        f"{c['MMD²']} ({c['p']})",
        f"{c['sliced W']} ± {c['± W']}",
        f"{c['told apart']} ± {c['± told']}",
        c["parameters"],
        c["training s"],
        c["1,000 samples s"],
    )


def line(texts: Sequence[str]) -> str:
    """One line: the name to the left, figures to the right."""
    widths = (18, 15, 14, 15, 14, 14, 7, 7, 7)
    return " ".join([f"{texts[0]:{widths[0]}}", *(f"{text:>{w}}" for text, w in zip(texts[1:], widths[1:]))]).rstrip()


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_nats(rows: Sequence[Row], reference: dict[str, float]) -> Any:
    """Gaps; where the entropy is unknown nats, beside those of independent pixels, which ``reference`` has by data."""
    import matplotlib.pyplot as plt

    groups = [(data, [row for row in each if row.model != TRUTH]) for data, each in groupby(rows, lambda row: row.data)]
    figure, axes = plt.subplots(1, len(groups), figsize=(4.6 * len(groups), 4.6), layout="constrained", squeeze=False)
    for ax, (data, of_data) in zip(axes[0], groups):
        has_gap = of_data[0].nats is not None and of_data[0].nats.gap is not None
        values, errors = np.array([row.nats[2:] if has_gap else row.nats[:2] for row in of_data if row.nats], float).T
        finite, colours, at = (
            values[np.isfinite(values)],
            [COLOURS[row.measure] for row in of_data],
            reference.get(data, 0.0),
        )
        ax.axvline(at, color="k", linestyle="--", linewidth=1.2, zorder=0)
        for place, (value, error, colour) in enumerate(zip(values, errors, colours)):
            text, end = f"{value:.3f}" if has_gap else f"{value:.1f}", at  # what is not finite has a text, and no place
            if np.isfinite(value + error):
                ax.errorbar(value, place, xerr=error, fmt="o", markersize=5, color=colour)
                end = value + error
            ax.annotate(text, (end, place), (6, 0), textcoords="offset points", va="center", size=8,
                        bbox={"color": "white", "pad": 0.5})  # fmt: skip
        ax.set_yticks(range(len(of_data)), [row.model for row in of_data])
        ax.invert_yaxis()
        ax.grid(axis="y", alpha=0.25)
        if has_gap:
            ax.set_xscale("symlog", linthresh=0.1)
            ax.set(
                xlim=(-0.02, 4 * max(finite.max(initial=0), 0.1)), xlabel="gap to the entropy, nats; dashed: the truth"
            )
            ticks = [tick for tick in (0, 0.05, 0.1, 0.3, 1, 3, 10) if tick < ax.get_xlim()[1]]
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        else:
            if finite.size:
                ax.set(xlim=(None, finite.max() + 0.2 * np.ptp(finite)))
            ax.set_xlabel(f"−log P(x), nats per image\n(dashed: independent pixels, {at:.1f})")
        ax.set_title(data)
    kinds = {EXACT: "exact", BOUND: "a bound: the model may be better", ESTIMATE: "an estimate, by an ODE"}
    dots = [plt.Line2D([], [], marker="o", linestyle="", color=COLOURS[kind], label=kinds[kind]) for kind in kinds]
    figure.legend(handles=dots, loc="outside lower center", ncols=3, fontsize="small")
    return figure


def draw_samples(rows: Sequence[Row], shape: tuple[int, int] = (8, 8), most: int = 800) -> Any:
    """The samples of every model, beside the truth: points as points, images as images."""
    import matplotlib.pyplot as plt

    groups = [list(each) for _, each in groupby(rows, lambda row: row.data)]
    columns = max(map(len, groups))
    figure, axes = plt.subplots(
        len(groups), columns, figsize=(1.25 * columns, 1.5 * len(groups)), layout="constrained", squeeze=False
    )
    for line_of_axes, group in zip(axes, groups):
        reach = 1.15 * np.abs(group[0].samples).max()
        for ax, row in zip(line_of_axes, group):
            if row.samples.shape[1] == 2:
                ax.scatter(*row.samples[:most].T, s=1.5, linewidths=0, color="k" if row.model == TRUTH else "#3b75af")
                ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
            else:
                plotting.image_grid(row.samples[:25].reshape(-1, *shape), ax, columns=5, vmax=group[0].samples.max())
            ax.set_title(row.model, fontsize=7)
        line_of_axes[0].set_ylabel(group[0].data, fontsize=8)
    return figure
