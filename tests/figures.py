"""The figures that a run of the tests prints at its end, by title: texts, and counts that several processes add up."""

from collections import Counter

import pytest

TEXTS = pytest.StashKey[list[tuple[str, str]]]()
COUNTS = pytest.StashKey[dict[str, Counter[str]]]()


def lines(texts: list[tuple[str, str]], counts: dict[str, Counter[str]]) -> list[tuple[str, str]]:
    """Each title with its text; that of counts names them in the order in which they came."""
    return [
        *texts,
        *((title, " · ".join(f"{name} {n:,}" for name, n in found.items())) for title, found in counts.items()),
    ]
