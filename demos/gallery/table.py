"""A CSV file as a table of the page."""

from __future__ import annotations

import csv
import html
from pathlib import Path


def table(path: Path, caption: str) -> str:
    """The rows of the file; the first names the columns, and the first cell of each of the others names its row.

    A column whose name begins with ± is the error of the one before, and joins it. The table scrolls by itself where
    the screen is narrower, and can be reached by keyboard to do so.

    Raises:
        ValueError: for a row with another number of cells than there are columns; for an error in the first column.
    """
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = [row for row in csv.reader(file) if row] or [[]]
    if not names:
        return ""
    if names[0].startswith("±"):
        raise ValueError(f"{path}: {names[0]} is the error of no column before it")
    for i, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise ValueError(f"{path}: row {i} has {len(row)} cells, but there are {len(names)} columns")
    columns = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names if not name.startswith("±"))
    body = []
    for row in rows:
        first, *others = _joined(row, names)
        cells = "".join(_cell(cell) for cell in others)
        body.append(f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>\n')
    label = html.escape(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table><caption>{label}</caption>\n'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{''.join(body)}</tbody></table></div>"
    )


def _joined(row: list[str], names: list[str]) -> list[str]:
    """The row with each error, where there is one, in the cell that it is the error of."""
    cells: list[str] = []
    for name, cell in zip(names, row):
        if not name.startswith("±"):
            cells.append(cell)
        elif cell:
            cells[-1] += f" ± {cell}"
    return cells


def _cell(text: str) -> str:
    """A number to the right, so that digits stand below digits; anything else to the left."""
    try:
        float(text.replace(",", "").replace("−", "-").split("±")[0])
    except ValueError:
        return f"<td>{html.escape(text)}</td>"
    return f'<td class="number">{html.escape(text)}</td>'
