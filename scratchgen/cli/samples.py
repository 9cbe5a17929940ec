"""Draws as files, pictures, and characters on a terminal."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from scratchgen.cli.errors import BadInput
from scratchgen.cli.form import Form

INK = " .:-=+*#%@"  # from paper to full ink, in ASCII


def texts(tokens: np.ndarray, form: Form) -> list[str]:
    """The text of each row of tokens (n, length)."""
    from scratchgen.data import Vocabulary

    vocabulary = Vocabulary(form.characters)
    return [vocabulary.decode(row) for row in tokens]


def ink(image: np.ndarray, levels: int) -> str:
    """A picture in characters, two for a pixel, which makes it about square.

    >>> print(ink(np.array([[0, 16], [8, 4]]), levels=17))
      @@
    ==::
    """
    index = image * (len(INK) - 1) // (levels - 1)
    return "\n".join("".join(2 * INK[i] for i in row).rstrip() for row in index.tolist())


def write(x: Any, form: Form, path: str) -> None:
    """Write draws to a file of the kind that its name ends in, whole or not at all.

    Raises:
        BadInput: for a picture of what has none; for a file that cannot be written.
    """
    from scratchgen.atomic import replacing

    suffix, content = os.path.splitext(path)[1].lower(), io.BytesIO()
    if suffix == ".txt":
        content.write("\n----\n".join(x).encode("utf-8", "surrogatepass"))
    elif suffix == ".npy":
        np.save(content, x)
    elif suffix == ".npz":
        np.savez_compressed(content, x=x)
    elif suffix == ".csv":
        rows = x.reshape(len(x), -1)
        np.savetxt(content, rows, delimiter=",", fmt="%d" if form.kind == "levels" else "%.17g")
    else:
        picture(x, form, content)
    try:
        with replacing(path) as file:
            file.write(content.getbuffer())
    except OSError as error:
        raise BadInput(f"--out {path}: {error.strerror or error}") from error


def picture(x: np.ndarray, form: Form, content: io.BytesIO) -> None:
    """A PNG of images side by side, or of points in the plane."""
    from matplotlib.figure import Figure

    from scratchgen.plotting import image_grid

    if form.is_image:
        columns = min(len(x), max(10, int(np.ceil(np.sqrt(len(x))))))
        rows = -(-len(x) // columns)
        figure = Figure(figsize=(0.7 * columns, 0.7 * rows), layout="constrained")
        image_grid(x, figure.add_subplot(), columns=columns, vmax=form.levels - 1)
    elif form.shape == (2,):
        figure = Figure(figsize=(5, 5), layout="constrained")
        ax = figure.add_subplot()
        ax.scatter(x[:, 0], x[:, 1], s=max(1.0, min(20.0, 4000 / len(x))), linewidths=0)
        ax.set_aspect("equal", adjustable="datalim")
    else:
        raise BadInput(f"--out: there is no picture of {form.describe()}; save them as .csv, .npy or .npz")
    figure.savefig(content, format="png", dpi=120)
