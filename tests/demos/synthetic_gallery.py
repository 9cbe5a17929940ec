"""A small gallery with all that there can be in one, and texts that break a page which does not expect them."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

from demos.chapters import Chapter, Picture

NASTY = """p < q & "r" > 's' </script><script>alert(1)</script> $style ${x}"""
LONG = "a_word_that_does_not_end_" * 20
FRAMES = 5
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)
PIXELS = 50


def frame(k: int) -> np.ndarray:
    """White, with the k-th fifth of its columns and of its rows in the k-th colour: (50, 50, 3)."""
    image = np.full((PIXELS, PIXELS, 3), 255, np.uint8)
    part = slice(k * PIXELS // FRAMES, (k + 1) * PIXELS // FRAMES)
    image[:, part] = image[part] = COLOURS[k]
    return image


def save_animation(path: Path, fps: int = 20) -> None:
    """The frames as the demos write theirs."""
    figure = plt.figure(figsize=(1, 1), dpi=PIXELS)
    shown = figure.figimage(frame(0))
    FuncAnimation(figure, lambda k: [shown.set_data(frame(k))] and [shown], frames=FRAMES).save(
        path, writer="pillow", fps=fps
    )
    plt.close(figure)


def save_picture(path: Path, width: float = 11) -> None:
    """A wide picture."""
    figure, ax = plt.subplots(figsize=(width, 2))
    ax.plot([0, 1], [0, 1])
    figure.savefig(path)
    plt.close(figure)


def chapters(folder: Path) -> list[Chapter]:
    """A plain chapter, one of nasty texts, one with an animation, and one of no page, with a table and a page."""
    save_picture(folder / "plain.png")
    save_picture(folder / "nasty <&'.png", width=2)
    save_animation(folder / "motion.gif")
    (folder / "explore.html").write_text("<!doctype html><title>A page</title>", encoding="utf-8")
    with (folder / "board.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [
                ["model", "nats", "± nats", *("another column " + str(i) for i in range(9))],
                [NASTY, "-1.25", "0.01", *"abcdefghi"],
                ["truth", "3", "", *"abcdefghi"],
            ]
        )

    def chapter(name: str, title: str, *pictures: Picture, results: list[str], about: str = "") -> Chapter:
        return Chapter(title, f"python -m demos.{name} --seed 0", list(pictures), results, name, about)

    return [
        chapter(
            "page02_likelihood",
            "Page 2: a plain one",
            Picture(folder / "plain.png", "A line", "y = x_{i+1};   x^2 ≥ 0", "It rises from 0 to 1."),
            results=["slope: 1.00 ± 0.01, exactly 1", "    and on"],
            about="One line says it.\n\nMore, in two\nlines.\n\n    a list   of it",
        ),
        chapter(
            "page02_nasty",
            f"Page 2: {NASTY}",
            Picture(folder / "nasty <&'.png", NASTY, f"{NASTY};   {LONG}", f"{NASTY} {LONG}"),
            results=[NASTY, LONG],
            about=f"{NASTY} {LONG}\n\n{LONG}",
        ),
        chapter(
            "page11_grid",
            "Page 11: in motion",
            Picture(folder / "motion.gif", "Crosses", "z = t", "A cross walks down a diagonal."),
            results=[],
        ),
        chapter(
            "board",
            "All of them",
            Picture(folder / "explore.html", "An explorer", "", "Everything can be moved."),
            results=["done"],
        ),
    ]
