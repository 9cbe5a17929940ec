"""Pictures: functions that draw one thing on given axes, and return them.

Each takes plain arrays, and ``ax``, the matplotlib axes to draw on. matplotlib itself is imported by who makes the
axes, so that ``import scratchgen`` stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def image_grid(images: np.ndarray, ax: Any, columns: int = 10, gap: int = 1, vmax: float = 1.0) -> Any:
    """Draw images side by side, row by row: dark ink on white, for values from 0 (paper) to ``vmax``.

    Args:
        images: (n, height, width).
        ax: the axes to draw on.
        columns: images in a row, at least 1; places left over in the last row stay empty.
        gap: empty pixels between images.
        vmax: the value that is drawn black, and so is what lies above it.

    Returns:
        the axes.

    Raises:
        ValueError: for another number of axes, no images, no columns, or integers above ``vmax``.

    >>> from matplotlib.figure import Figure
    >>> ax = image_grid(np.zeros((7, 8, 8)), Figure().add_subplot(), columns=5)
    >>> ax.images[0].get_array().shape           # two rows of five, with a gap of one pixel
    (17, 44)
    """
    if images.ndim != 3:
        raise ValueError(
            f"images have shape {images.shape}; they must be (n, height, width): images.reshape(-1, 8, 8)?"
        )
    if images.size == 0:
        raise ValueError(f"images have shape {images.shape}: there is nothing to draw")
    if columns < 1:
        raise ValueError(f"columns is {columns}; it must be at least 1")
    if images.dtype.kind in "iu" and images.max() > vmax:  # floats may pass it a little: the means of a Gaussian do
        top = images.max()
        raise ValueError(
            f"images are {images.dtype} with values up to {top}, which vmax={vmax} would draw black; pass vmax={top}"
        )
    n, height, width = images.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap))
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    ax.imshow(sheet, cmap="gray_r", vmin=0.0, vmax=vmax, interpolation="nearest")
    ax.set_axis_off()
    return ax


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    ax: Any,
    limits: Mapping[str, float] | None = None,
    xlabel: str = "step",
    ylabel: str = "nats",
) -> Any:
    """Draw named curves, and known true values as dashed lines.

    Args:
        lines: name → (x values, y values).
        ax: the axes to draw on.
        limits: name → the true value that a curve should reach.
        xlabel: what is counted along x.
        ylabel: what is measured along y.

    Returns:
        the axes.

    >>> from matplotlib.figure import Figure
    >>> ax = curves({"loss": ([0, 1], [3.0, 2.0])}, Figure().add_subplot(), limits={"entropy": 1.5})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['loss', 'entropy 1.50']
    """
    for name, (x, y) in lines.items():
        ax.plot(x, y, label=name)
    for i, (name, value) in enumerate((limits or {}).items()):
        ax.axhline(value, color=str(0.15 + 0.3 * i), linestyle="--", linewidth=1, label=f"{name} {value:.2f}")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def labelled_scatter(points: np.ndarray, labels: np.ndarray, ax: Any, size: float = 9.0) -> Any:
    """Draw points in the plane, coloured by their class, with a legend.

    Args:
        points: (n, 2).
        labels: (n,) integers from 0 to 9; each class has its own colour, the same in every picture.
        ax: the axes to draw on.
        size: of a point.

    Returns:
        the axes.

    Raises:
        ValueError: unless the points are in the plane, with a label from 0 to 9 for each.

    >>> from matplotlib.figure import Figure
    >>> ax = labelled_scatter(np.zeros((4, 2)), np.array([0, 1, 1, 3]), Figure().add_subplot())
    >>> len(ax.collections)
    3
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points have shape {points.shape}; they must be (n, 2)")
    if labels.shape != points.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape} for {len(points)} points; they must be (n,)")
    strange = np.flatnonzero(~np.isin(labels, np.arange(10)))
    if strange.size:
        i = strange[0]
        raise ValueError(
            f"labels[{i}] is {labels[i]}; there are ten colours, for the integers from 0 to 9: "
            "np.unique(labels, return_inverse=True)[1] numbers the classes so, if there are no more than ten"
        )
    import matplotlib

    colours = matplotlib.colormaps["tab10"]
    for label in np.unique(labels):
        chosen = points[labels == label]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=size, color=colours(int(label)), label=str(label), linewidths=0)
    ax.legend(title="class", markerscale=2, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set_aspect("equal", adjustable="datalim")
    return ax


def bars(
    values: Sequence[float], ax: Any, pale: Sequence[bool] | None = None, xlabel: str = "", ylabel: str = "nats"
) -> Any:
    """Draw a bar for each value.

    Args:
        values: one number a bar.
        ax: the axes to draw on.
        pale: which bars to draw pale; none by default.
        xlabel: what the bars are.
        ylabel: what their heights are.

    Returns:
        the axes.

    Raises:
        ValueError: unless ``pale`` is as long as ``values``.

    >>> from matplotlib.figure import Figure
    >>> len(bars([1.0, 0.001], Figure().add_subplot(), pale=[False, True]).patches)
    2
    """
    faint = [False] * len(values) if pale is None else pale
    if len(faint) != len(values):
        raise ValueError(f"pale has {len(faint)} entries for {len(values)} bars; give one for each")
    ax.bar(range(len(values)), values, color=["0.8" if f else "#3b75af" for f in faint])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax
