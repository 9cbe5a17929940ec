"""Arrays from files: .npy, .npz, .csv, IDX. A file holds data or is refused: nothing in it is ever run."""

from __future__ import annotations

import os
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from scratchgen.cli.errors import BadInput

USUAL = ("x", "X", "data", "images", "train", "x_train", "points", "samples")  # names of the array in an .npz
DELIMITERS = ",;\t"
# What NumPy lets through of a damaged file: its header is Python, and an .npz may be compressed in strange ways.
DAMAGE = (ValueError, EOFError, SyntaxError, tokenize.TokenError, RecursionError, zipfile.BadZipFile, zlib.error,
          NotImplementedError, RuntimeError, KeyError)  # fmt: skip


def is_array_file(path: Path) -> bool:
    """Whether the name says that there is an array inside; else it is text.

    >>> is_array_file(Path("a/train-images-idx3-ubyte.gz")), is_array_file(Path("book.txt"))
    (True, False)
    """
    name = path.name.lower()
    return name.endswith((".npy", ".npz", ".csv", ".tsv", ".idx")) or "-ubyte" in name or ".idx" in name


def read_array(path: Path, key: str | None = None) -> np.ndarray:
    """The array in a file, of numbers or truth values.

    Raises:
        BadInput: for what is damaged, is no array of numbers, or cannot be read.
    """
    name = path.name.lower()
    try:
        if name.endswith((".csv", ".tsv")):
            array = read_csv(path)
        elif name.endswith(".npz"):
            array = read_npz(path, key)
        elif name.endswith(".npy"):
            array = read_npy(path)
        else:
            from scratchgen.data import read_idx

            array = read_idx(path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise BadInput(f"{path}: the array is larger than the memory") from error
    if array.dtype.kind not in "biuf":
        what = {"c": "complex numbers", "U": "strings", "S": "strings", "M": "dates", "V": "records"}
        raise BadInput(
            f"{path} holds {what.get(array.dtype.kind, 'no numbers')} ({array.dtype}); expected floats or integers"
        )
    return array


def read_npy(path: Path) -> np.ndarray:
    """The array of an .npy file."""
    try:
        with open(path, "rb") as file:  # so that it is closed whatever happens
            array = np.load(file, allow_pickle=False)
            if not isinstance(array, np.ndarray):
                raise BadInput(f"{path} is an .npz file by its content: name it so")
            return array
    except DAMAGE as error:
        raise BadInput(f"{path}: {reason(error)}") from error


def read_npz(path: Path, key: str | None) -> np.ndarray:
    """One array of an .npz file: that called ``key``, or the only one, or the one of a usual name."""
    try:
        with open(path, "rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise BadInput(f"{path} is an .npy file by its content: name it so")
            names = arrays.files
            usual = [name for name in USUAL if name in names]
            chosen = key or (names[0] if len(names) == 1 else usual[0] if usual else None)
            if chosen not in names:
                wanted = f"has no array {key}" if key else "has several arrays"
                raise BadInput(f"{path} {wanted}; choose one by --key: {', '.join(names) or 'it is empty'}")
            return np.asarray(arrays[chosen])
    except DAMAGE as error:
        raise BadInput(f"{path}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What NumPy means, for users: its message advises to unpickle, which can run any code."""
    if "pickle" in str(error).lower():
        return (
            "it holds Python objects or no array at all; objects are pickles, which can run code, and are not read. "
            "Save an array of numbers: np.save(file, x.astype(float))"
        )
    return f"the file is damaged, or no array file: {error}"


def read_csv(path: Path) -> np.ndarray:
    """The numbers of a CSV file, (n, D): int64 if all of them are written as whole numbers, else float64.

    Values are separated by commas, semicolons, tabs or blanks. A first line that is no numbers is a header. Empty lines
    and those that begin with # are left out.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8 text; is it a CSV file?") from error
    if "\0" in text:
        raise BadInput(f"{path} is binary, not a CSV file")
    lines = numbered(text)
    if not lines:
        raise BadInput(f"{path} is empty")
    delimiter, head, is_header = first_line(lines[0][1])
    rows = lines[is_header:]
    if not rows:
        raise BadInput(f"{path} has a header, and no line of numbers after it")
    values = [line for _, line in rows]
    for dtype in (np.int64, np.float64):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # older NumPy reads 1.5 as an integer, with a warning
                return np.loadtxt(values, dtype, delimiter=delimiter, ndmin=2)
        except (ValueError, OverflowError, DeprecationWarning):
            pass
    raise BadInput(f"{path}, {fault(rows, head if is_header else [], len(head), delimiter)}")


def numbered(text: str) -> list[tuple[int, str]]:
    """The lines of a CSV file that hold something, each with its number: not those that begin with #.

    >>> numbered("x,y\\n\\n# in metres\\n1,2")
    [(1, 'x,y'), (4, '1,2')]
    """
    return [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"]


def first_line(line: str) -> tuple[str | None, list[str], bool]:
    """What the first line tells: the delimiter, None for blanks; its fields; whether it is a header, without numbers.

    >>> first_line("height;width")
    (';', ['height', 'width'], True)
    """
    delimiter = next((d for d in DELIMITERS if d in line), None)
    fields = [field.strip().strip('"') for field in line.split(delimiter)]
    return delimiter, fields, not any(map(is_number, fields))


def fault(rows: list[tuple[int, str]], names: list[str], columns: int, delimiter: str | None) -> str:
    """Where and why the lines are no table of numbers."""
    for i, line in rows:
        fields = [field.strip() for field in line.split(delimiter)]
        if len(fields) != columns:
            return f"line {i}: {len(fields)} values, where {columns} are expected as in the first line"
        for j, field in enumerate(fields):
            if not is_number(field):
                column = f"column {j + 1}" + (f" ({names[j]})" if names else "")
                if not field:
                    return f"line {i}, {column} is empty: fill it in, or leave the line out"
                hint = ": write it with a decimal point" if is_number(field.replace(",", ".")) else ""
                return f"line {i}, {column}: {field!r:.40} is no number{hint}"
    return "line 1: it is no table of numbers"


def is_number(text: str) -> bool:
    """Whether Python reads it as a float.

    >>> is_number("1e-3"), is_number("nan"), is_number("height")
    (True, True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def line_of_row(path: Path, row: int) -> str:
    """Where a row of the array stands in a CSV file, for messages; else its number, counted from 0."""
    if not path.name.lower().endswith((".csv", ".tsv")) or not os.path.exists(path):
        return f"row {row}"
    lines = numbered(path.read_text("utf-8-sig"))
    _, _, is_header = first_line(lines[0][1])
    return f"line {lines[row + is_header][0]}"
