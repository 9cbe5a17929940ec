"""Medians with their quartiles, as plain text tables."""

import statistics
from collections.abc import Sequence


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def spread(values: Sequence[float], digits: int = 2, scale: float = 1.0) -> str:
    """Median and interquartile range: "0.97 (0.95–1.01)"; a dash where there are no values."""
    if not values:
        return "–"
    low, median, high = (scale * value for value in quartiles(values))
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def ratios(values: dict[str, list[float]], peer: str, reference: str) -> list[float]:
    """Of each round, the figure of the peer over that of the reference; empty if the reference did not run."""
    return [a / b for a, b in zip(values[peer], values.get(reference, []))]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell; the first is flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = []
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
