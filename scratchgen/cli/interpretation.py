"""What numbers in a file stand for: points or grey levels, images or rows; and on which scale. All guesses are told."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from scratchgen.cli.errors import BadInput
from scratchgen.cli.files import line_of_row
from scratchgen.cli.form import Form
from scratchgen.data import binarise, to_unit

USUAL_LEVELS = (2, 17, 256)  # bits, the bundled digits, bytes
SEED = 0  # of the bits that levels are made of: evaluation has the same
SMALLEST_IMAGE = 4  # pixels: the side of a square that flat rows are taken for


def interpreted(
    name: str, x: np.ndarray, options: argparse.Namespace, levels: int = 0
) -> tuple[np.ndarray, Form, list[str]]:
    """Rows as (n, *shape), float64 or int64; their form, without a scale yet; and what was guessed.

    Args:
        name: of the data, for messages; of a file, to find the line of a fault.
        x: as read.
        options: kind, levels and shape, which are None to be inferred; and binarise.
        levels: how many there are, if another part of the data has told.

    Raises:
        BadInput: for what is no table of numbers that are finite; for options that contradict it.
    """
    x = rows_of(name, x)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = ~np.isfinite(x)
        row, *place = (int(i) for i in np.argwhere(bad)[0])
        where = f"column {place[0] + 1}" if len(place) == 1 else f"pixel {tuple(place)}"
        raise BadInput(
            f"{name}: {line_of_row(Path(name), row)}, {where} is {x[(row, *place)]}; {bad.sum()} of {bad.size} values "
            "are not finite: fill them in, or leave their rows out"
        )
    guesses: list[str] = []
    kind = options.kind or guessed_kind(x, guesses)
    if kind == "points":
        if options.shape or options.levels or options.binarise:
            raise BadInput("--shape, --levels and --binarise are for levels; these data are points: --kind levels?")
        flat = x.reshape(len(x), -1).astype(np.float64)
        return flat, Form("points", (flat.shape[1],)), guesses
    x, levels = as_levels(name, x, options.levels or levels, guesses)
    shape = image_shape(name, x.shape[1:], options.shape, guesses)
    if options.binarise:
        guesses.append("binarised: each is 1 with the probability of its grey value")
        x, levels = binarise(to_unit(x, levels), SEED).astype(np.int64), 2
    return x.reshape(len(x), *shape), Form("levels", shape, levels, binarised=options.binarise), guesses


def rows_of(name: str, x: np.ndarray) -> np.ndarray:
    """x as (n, D) or (n, height, width), or BadInput."""
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim == 4:
        raise BadInput(f"{name} has shape {x.shape}: images in colour are not modelled; average their channels")
    if x.ndim not in (2, 3):
        hint = ": x[:, None] makes rows of one number each" if x.ndim == 1 else ""
        raise BadInput(f"{name} has shape {x.shape}; expected (rows, columns) or (images, height, width){hint}")
    if not x.size:
        raise BadInput(f"{name} has shape {x.shape}: it is empty")
    return x


def guessed_kind(x: np.ndarray, guesses: list[str]) -> str:
    """Points or levels, by dtype and range."""
    if x.dtype.kind == "f":
        if x.ndim == 3:
            return "levels"
        if (x == np.rint(x)).all() and x.min() >= 0:
            guesses.append("floats, though all are whole numbers: taken for points; --kind levels if they are levels")
        return "points"
    if x.dtype.kind == "b" or 0 <= x.min() <= x.max() <= 255:
        return "levels"
    guesses.append(f"integers from {x.min()} to {x.max()}: too many for levels, taken for real numbers")
    return "points"


def as_levels(name: str, x: np.ndarray, levels: int, guesses: list[str]) -> tuple[np.ndarray, int]:
    """Integers from 0, and how many levels there are."""
    if x.dtype.kind == "f" and not (x == np.rint(x)).all():
        if x.min() < 0 or x.max() > 1:
            raise BadInput(
                f"{name} has floats from {x.min():.4g} to {x.max():.4g}; levels are integers, or floats from 0 to 1"
            )
        for tried in (levels,) if levels else USUAL_LEVELS:
            scaled = x * (tried - 1)
            if np.abs(scaled - np.rint(scaled)).max() < 1e-3:
                guesses.append(f"floats from 0 to 1: multiples of 1/{tried - 1}, so {tried} levels")
                return np.rint(scaled).astype(np.int64), tried
        raise BadInput(
            f"{name} has floats that are no multiples of 1/{(levels or 256) - 1}; grey levels are integers, or such "
            "multiples: give --levels, round them, or take them for real numbers by --kind points"
        )
    x = x.astype(np.int64)
    if x.min() < 0:
        raise BadInput(f"{name} has the value {x.min()}; grey levels are integers from 0")
    if levels:
        if x.max() >= levels:
            raise BadInput(f"{name} has the value {x.max()}; with {levels} levels they are 0 to {levels - 1}")
        return x, levels
    most = int(x.max())
    levels = next((usual for usual in USUAL_LEVELS if most == usual - 1), 256 if 16 < most < 256 else max(2, most + 1))
    guesses.append(f"the largest value is {most}: {levels} levels; --levels if there can be more or fewer")
    return x, levels


def image_shape(name: str, shape: tuple[int, ...], given: str | None, guesses: list[str]) -> tuple[int, ...]:
    """Height and width, or the number of columns of what is no image."""
    D = math.prod(shape)
    if given:
        try:
            wanted = tuple(int(n) for n in given.replace("x", ",").split(","))
        except ValueError:
            wanted = ()
        if len(wanted) not in (1, 2) or min(wanted) < 1 or math.prod(wanted) != D:
            raise BadInput(f"--shape {given}: rows of {name} have {D} numbers; give a height and width of so many")
        return wanted
    side = math.isqrt(D)
    if len(shape) == 1 and side * side == D and side >= SMALLEST_IMAGE:
        guesses.append(f"{D} columns: taken for images of {side} × {side}; --shape {D} if they are none")
        return side, side
    return shape


def scaled(name: str, form: Form, train: np.ndarray, standardise: bool) -> tuple[Form, list[str]]:
    """The form with its scale: points get mean 0 and standard deviation 1, column by column, by the training part.

    Raises:
        BadInput: for columns that are constant, whose density would be infinite; for values whose squares are.
    """
    if form.kind == "levels":
        return form, []
    with np.errstate(over="ignore", invalid="ignore"):
        std = train.std(axis=0)
    if not np.isfinite(std).all():
        raise BadInput(f"{name}: its values are so large that their squares overflow: give them in another unit")
    constant = np.flatnonzero((np.ptp(train, axis=0) == 0) | (std == 0))
    if constant.size:
        columns = ", ".join(str(j + 1) for j in constant[:10])
        raise BadInput(
            f"{name}: column {columns} has the same value in all rows, {train[0, constant[0]]:.6g}; a density of it "
            "would be infinite: leave such columns out"
        )
    if not standardise:
        return Form("points", form.shape, shift=(0.0,) * form.dims, scale=(1.0,) * form.dims), ["on their own scale"]
    told = "standardised by the training part; nats are those of the data as they were"
    return Form("points", form.shape, shift=tuple(train.mean(axis=0).tolist()), scale=tuple(std.tolist())), [told]
