"""Tiny data files and trainings for the tests of the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from scratchgen.__main__ import main

TEXT = "the rain in spain stays mainly in the plain, and the snow in the north\n" * 6


class Run(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: Any) -> Run:
    """Run a command in this process; wrong usage, which ends a program, has its code too."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Run(code, *capsys.readouterr())


def points(folder: Path, columns: int = 2, rows: int = 200) -> Path:
    """A file of points with a mean and a scale of their own."""
    x = np.random.default_rng(0).standard_normal((rows, columns)) * np.array([10.0, 0.5, 3.0])[:columns] + 100
    np.save(folder / "points.npy", x)
    return folder / "points.npy"


def images(folder: Path, rows: int = 60) -> Path:
    """A file of images, 4 × 4, with three levels."""
    np.save(folder / "images.npy", np.random.default_rng(1).integers(0, 3, (rows, 4, 4)))
    return folder / "images.npy"


def text(folder: Path) -> Path:
    """A file of text."""
    (folder / "text.txt").write_text(TEXT)
    return folder / "text.txt"


FILES = {"points": points, "levels": images, "text": text}
SMALL: dict[str, Sequence[str]] = {
    "mixture": ["--components", "1"],
    "ppca": ["--latent", "1"],
    "vae": ["--latent", "1", "--hidden", "5"],
    "iwae": ["--latent", "1", "--hidden", "5", "--samples", "3"],
    "made": ["--hidden", "20"],
    "pixelcnn": ["--width", "3", "--layers", "2"],
    "transformer": ["--width", "4", "--heads", "1", "--layers", "1"],
    "realnvp": ["--layers", "2", "--hidden", "4"],
    "spline-flow": ["--layers", "2", "--hidden", "4", "--bins", "3"],
    "maf": ["--layers", "2", "--hidden", "20"],
    "ddpm": ["--diffusion-steps", "3", "--width", "2"],
    "flow-matching": ["--width", "4", "--blocks", "1"],
}
FITTED_AT_ONCE = ("mixture", "ppca")


def training(model: str, data: object, out: object, *more: Any) -> list[Any]:
    """The arguments of a training of three steps."""
    steps = [] if model in FITTED_AT_ONCE else ["--steps", "3", "--batch-size", "20", "--quiet"]
    return ["train", model, "--data", data, "--out", out, *SMALL[model], *steps, *more]
