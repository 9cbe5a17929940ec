"""What both windows of matplotlib share: sliders, buttons, and a plane in which points are dragged.

What is drawn is made once; ``update`` gives it the numbers that the sliders ask for. That works without a screen too: a
test moves a slider by ``set_val``, and looks at what was drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MARK = "#c8102e"  # of what the user has chosen


class Window:
    """A figure with sliders and buttons, and a panel "plane" in which points are dragged.

    Args:
        title: of the window.
        layout: the names of the panels, as ``subplot_mosaic`` takes them.
        heights: of its rows, relative to each other.
    """

    def __init__(self, title: str, layout: list[list[str]], heights: list[float]) -> None:
        import matplotlib.pyplot as plt

        self.figure = plt.figure(figsize=(12, 8), layout="constrained")
        if self.figure.canvas.manager is not None:
            self.figure.canvas.manager.set_window_title(title)
        self.panels = self.figure.subplot_mosaic(layout, height_ratios=heights)
        self.sliders: dict[str, Any] = {}
        self.buttons: dict[str, Any] = {}
        self.dragging = False
        for event, handle in (
            ("button_press_event", self.press),
            ("motion_notify_event", self.motion),
            ("button_release_event", self.release),
        ):
            self.figure.canvas.mpl_connect(event, handle)

    def add_slider(self, panel: str, low: float, high: float, value: float, step: float | None = None) -> None:
        """A slider of that name in the panel of that name."""
        from matplotlib.widgets import Slider

        slider = Slider(self.panels[panel], panel, low, high, valinit=value, valstep=step)
        slider.on_changed(lambda _: self.redraw())
        self.sliders[panel] = slider

    def add_button(self, panel: str, press: Any) -> None:
        """A button of that name in the panel of that name."""
        from matplotlib.widgets import Button

        self.buttons[panel] = Button(self.panels[panel], panel)
        self.buttons[panel].on_clicked(lambda _: press())

    def begin(self) -> None:
        """Lay out what there is to see; from then on the panels keep their places, which makes drawing faster."""
        self.update()
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")

    def redraw(self) -> None:
        """Show what the sliders say, as soon as the screen has time for it."""
        self.update()
        self.figure.canvas.draw_idle()

    def value(self, name: str) -> float:
        """What a slider says."""
        return float(self.sliders[name].val)

    def set_sliders(self, values: dict[str, float]) -> None:
        """Move several sliders, each as far as it goes, and update once."""
        for name, value in values.items():
            slider = self.sliders[name]
            slider.eventson = False  # else each would update
            slider.set_val(np.clip(value, slider.valmin, slider.valmax))
            slider.eventson = True
        self.redraw()

    def press(self, event: Any) -> None:
        """A mouse button goes down: over the plane, it takes hold of the point."""
        if event.inaxes is self.panels["plane"]:
            self.dragging = True
            self.hold(np.array([event.xdata, event.ydata]))

    def motion(self, event: Any) -> None:
        """The mouse moves: with the point, if it has hold of it."""
        if self.dragging and event.inaxes is self.panels["plane"]:
            self.drag(np.array([event.xdata, event.ydata]))

    def release(self, event: Any) -> None:
        """The mouse button comes up."""
        self.dragging = False

    def hold(self, place: np.ndarray) -> None:
        """The mouse takes hold of the point at this place of the plane."""
        self.drag(place)

    def drag(self, place: np.ndarray) -> None:
        """Move the point to this place of the plane."""
        raise NotImplementedError

    def update(self) -> None:
        """Give all that is drawn the numbers that the sliders ask for."""
        raise NotImplementedError
