"""A CSV file as a table of the page."""

from __future__ import annotations

import csv
import html
from pathlib import Path


def table(path: Path, caption: str) -> str:
    """The rows of the file; the first names the columns, and the first cell of each of the others names its row.

    The table scrolls by itself where the screen is narrower, and can be reached by keyboard to do so.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        return ""
    columns = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in rows[0])
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(first)}</th>{"".join(_cell(cell) for cell in others)}</tr>'
        for first, *others in rows[1:]
    )
    label = html.escape(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table><caption>{label}</caption>\n'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """A number to the right, so that digits stand below digits; anything else to the left."""
    try:
        float(text.replace(",", "").replace("−", "-").split("±")[0])
    except ValueError:
        return f"<td>{html.escape(text)}</td>"
    return f'<td class="number">{html.escape(text)}</td>'
