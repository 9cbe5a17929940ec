"""Noise of the plane, and what becomes of it layer by layer in a flow: a window of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.explore import views
from demos.explore.models import TOY
from demos.explore.views import REACH
from demos.explore.window import MARK, Window
from demos.page11_grid import polar_grid

POINTS = 600
STARTS = {"a": (-1.3, 0.4), "b": (1.2, -0.6)}  # two noises, one for each moon


class FlowWindow(Window):
    """Noise of the plane, and what becomes of it after some of the layers.

    Args:
        flow: in float64.
        rng: draws the noise.
    """

    def __init__(self, flow: Any, rng: np.random.Generator) -> None:
        layout = [["plane", "data"], ["layers", "layers"], ["temperature", "temperature"], ["a → b", "a → b"]]
        layout += [["a: z₁", "b: z₁"], ["a: z₂", "b: z₂"]]
        super().__init__("scratchgen: a flow of the plane", layout, [8, 0.35, 0.35, 0.35, 0.35, 0.35])
        self.flow, self.last, self.held = flow, len(flow.transform.transforms), "a"
        self.noise, lines = rng.standard_normal((POINTS, 2)), polar_grid()
        self.ends = np.cumsum([len(line) for line in lines])[:-1]
        self.grid = views.layers(flow, np.concatenate(lines))
        self.drawn = {name: self.artists(self.panels[name]) for name in ("plane", "data")}
        self.panels["plane"].set(title="noise z: drag a or b", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
        self.truth = self.panels["data"].contour(
            *views.true_density(), levels=[0.05], colors="k", linestyles="--", linewidths=1.2
        )
        self.add_slider("layers", 0, self.last, self.last, step=1)
        self.add_slider("temperature", 0.0, 1.5, 1.0)
        self.add_slider("a → b", 0.0, 1.0, 0.5)
        for name, place in STARTS.items():
            for axis_name, value in zip(("z₁", "z₂"), place):
                self.add_slider(f"{name}: {axis_name}", -REACH, REACH, value)
        self.begin()

    def artists(self, ax: Any) -> dict[str, Any]:
        """All that moves in one panel: grid, samples, the line from a to b, and a, b and the point on it."""
        from matplotlib.collections import LineCollection

        ax.set_aspect("equal", adjustable="box")
        drawn = {"grid": ax.add_collection(LineCollection([], colors="0.8", linewidths=0.7))}
        angles = np.arctan2(self.noise[:, 1], self.noise[:, 0])
        drawn["cloud"] = ax.scatter(*self.noise.T, c=angles, cmap="hsv", s=6, linewidths=0)
        (drawn["path"],) = ax.plot([], [], color="k", linewidth=1.5)
        drawn["marks"] = ax.scatter(
            [0] * 3, [0] * 3, s=80, facecolors="none", edgecolors=["k", "k", MARK], linewidths=2
        )
        drawn["marks"].set_zorder(3)
        drawn["names"] = [
            ax.annotate(name, (0, 0), xytext=(8, 6), textcoords="offset points", weight="bold") for name in STARTS
        ]
        return drawn

    def end(self, name: str) -> np.ndarray:
        """The noise a or b, (2,)."""
        return np.array([self.value(f"{name}: z₁"), self.value(f"{name}: z₂")])

    def hold(self, place: np.ndarray) -> None:
        """Take hold of the nearer of a and b."""
        self.held = min(STARTS, key=lambda name: float(np.sum((self.end(name) - place) ** 2)))
        self.drag(place)

    def drag(self, place: np.ndarray) -> None:
        """Move the point that is held; its sliders follow."""
        self.set_sliders({f"{self.held}: z₁": place[0], f"{self.held}: z₂": place[1]})

    def update(self) -> None:
        """Show the noise, and the same after as many layers as the slider says."""
        layer, a, b = int(self.value("layers")), self.end("a"), self.end("b")
        z = views.line(a, b, self.value("a → b"))
        cloud = views.layers(self.flow, self.value("temperature") * self.noise)
        path = views.layers(self.flow, views.line(a, b, np.linspace(0, 1, 400)))
        marks, place = views.layers(self.flow, np.stack([a, b, z])), views.place(self.flow, z)
        for name, at in (("plane", 0), ("data", layer)):
            drawn = self.drawn[name]
            drawn["grid"].set_segments(np.split(self.grid[at], self.ends))
            drawn["cloud"].set_offsets(cloud[at])
            drawn["path"].set_data(*path[at].T)
            drawn["marks"].set_offsets(marks[at])
            for text, mark in zip(drawn["names"], marks[at]):
                text.xy = mark
        low, high = self.grid[layer].min(axis=0), self.grid[layer].max(axis=0)
        centre, half = (low + high) / 2, 0.56 * np.max(high - low)
        (left, bottom), (right, top) = centre - half, centre + half
        true = float(TOY.log_prob(place.x[None])[0])
        self.panels["data"].set(
            xlim=(left, right),
            ylim=(bottom, top),
            title=f"after {layer} of {self.last} layers\nat the end x = ({place.x[0]:.2f}, {place.x[1]:.2f}): "
            f"log p(x) {place.log_prob:.2f}, true {true:.2f} nats",
        )
        self.truth.set_visible(layer == self.last)
