"""A point in the plane of codes, and what the decoder of a VAE makes of it: a window of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.explore import views
from demos.explore.models import LEVELS, PIXELS, SIDE
from demos.explore.views import REACH
from demos.explore.window import MARK, Window
from scratchgen import plotting

ACROSS = 13  # digits in a row along one axis
CORNERS = 0.5 * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])  # of a pixel, from its middle


class VaeWindow(Window):
    """A point in the plane of codes, and what the decoder makes of it.

    Args:
        vae: in float64.
        x: (n, 64) integers, encoded and shown in the plane.
        labels: (n,).
        rng: draws the noise of x, and codes.
    """

    def __init__(self, vae: Any, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> None:
        layout = [
            ["plane", "plane", "mean", "draw"],
            ["plane", "plane", "levels", "levels"],
            ["along z₁", "along z₁", "along z₁", "along z₁"],
            ["along z₂", "along z₂", "along z₂", "along z₂"],
            ["z₁", "z₁", "z₁", "draw z"],
            ["z₂", "z₂", "z₂", "draw x"],
        ]
        super().__init__("scratchgen: a VAE of digits", layout, [3, 1.6, 0.9, 0.9, 0.3, 0.3])
        self.vae, self.rng, self.pixel = vae, rng, 3 * SIDE + 3
        self.noise, self.points, self.labels = rng.random(PIXELS), views.codes(vae, x), labels
        draw_codes(vae, self.points, labels, self.panels["plane"])
        self.lines = [
            draw(0, color=MARK, linewidth=1) for draw in (self.panels["plane"].axvline, self.panels["plane"].axhline)
        ]
        (self.point,) = self.panels["plane"].plot([0], [0], "o", color=MARK, markersize=10, fillstyle="none", mew=2)
        self.images, self.squares = {}, []
        for name, title in {"mean": "mean of p(x|z): choose a pixel", "draw": "a draw of x"}.items():
            ax = plotting.image_grid(np.zeros((1, SIDE, SIDE)), self.panels[name], columns=1, vmax=LEVELS - 1)
            ax.set_title(title)
            self.images[name] = ax.images[0]
            self.squares += ax.plot([], [], color=MARK, linewidth=2)
        plotting.bars(np.zeros(LEVELS), self.panels["levels"], xlabel="grey level", ylabel="probability")
        self.panels["levels"].set(ylim=(0, 1), xticks=range(LEVELS))
        for name in ("along z₁", "along z₂"):
            ax = plotting.image_grid(np.zeros((ACROSS, SIDE, SIDE)), self.panels[name], columns=ACROSS, vmax=LEVELS - 1)
            ax.set_title(f"{name}, from −{REACH:g} to {REACH:g}", fontsize=9, loc="left", pad=2)
            self.images[name] = ax.images[0]
        for axis in ("z₁", "z₂"):
            self.add_slider(axis, -REACH, REACH, 0.0)
        self.add_button("draw z", self.draw_code)
        self.add_button("draw x", self.draw_noise)
        self.begin()

    @property
    def z(self) -> np.ndarray:
        """The code that is shown, (2,)."""
        return np.array([self.value("z₁"), self.value("z₂")])

    def drag(self, place: np.ndarray) -> None:
        """Move the code to this place; the sliders follow, and keep it within the plane."""
        self.set_sliders({"z₁": place[0], "z₂": place[1]})

    def press(self, event: Any) -> None:
        """Over an image, it chooses the pixel; over the plane, it takes hold of the code."""
        if event.inaxes in (self.panels["mean"], self.panels["draw"]):
            row, column = (int(np.clip(np.rint(value), 0, SIDE - 1)) for value in (event.ydata, event.xdata))
            self.pixel = row * SIDE + column
            self.redraw()
        super().press(event)

    def draw_code(self) -> None:
        """Another code, from the prior."""
        self.drag(self.rng.standard_normal(2))

    def draw_noise(self) -> None:
        """Another draw of x at this code."""
        self.noise = self.rng.random(PIXELS)
        self.redraw()

    def update(self) -> None:
        """Show what becomes of the code."""
        z, panels = self.z, self.panels
        seen = views.seen(self.vae, z, self.noise)
        label, count = views.neighbours(z, self.points, self.labels)
        panels["plane"].set_title(f"z = ({z[0]:.2f}, {z[1]:.2f}): {count} of the 15 nearest test digits are a {label}")
        self.point.set_data([z[0]], [z[1]])
        self.lines[0].set_xdata([z[0], z[0]])
        self.lines[1].set_ydata([z[1], z[1]])
        self.images["mean"].set_data(seen.mean)
        self.images["draw"].set_data(seen.draw)
        row, column = divmod(self.pixel, SIDE)
        for outline in self.squares:
            outline.set_data(column + CORNERS[0], row + CORNERS[1])
        drawn, mean = seen.draw[row, column], seen.mean[row, column]
        panels["levels"].set_title(f"pixel in row {row + 1}, column {column + 1}: mean {mean:.2f}, drawn {drawn}")
        for level, bar in enumerate(panels["levels"].patches):
            bar.set(height=seen.levels[self.pixel, level], color=MARK if level == drawn else "#3b75af")
        for axis, name in enumerate(("along z₁", "along z₂")):
            digits = views.traversal(self.vae, z, axis, ACROSS)
            sheet = np.pad(digits, [(0, 0), (0, 0), (0, 1)]).swapaxes(0, 1).reshape(SIDE, -1)  # a gap after each
            self.images[name].set_data(sheet[:, :-1])


def draw_codes(vae: Any, points: np.ndarray, labels: np.ndarray, ax: Any) -> Any:
    """The plane of codes: the means of p(x|z), and the encoded digits by their class; returns the axes."""
    plotting.labelled_scatter(points, labels, ax)
    extent = (-REACH, REACH, -REACH, REACH)
    ax.imshow(views.manifold(vae), cmap="gray_r", extent=extent, alpha=0.35, vmin=0, vmax=LEVELS - 1, zorder=0)
    ax.set_aspect("equal", adjustable="box")
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="z₁", ylabel="z₂")
    return ax
