"""The pages of the lecture, by which the gallery is ordered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from demos.chapters import Chapter

PAGES = {
    2: "Maximum likelihood",
    3: "Latent variables",
    4: "The evidence lower bound",
    5: "Two sets of parameters, by turns",
    6: "The reparameterisation trick",
    7: "A variational autoencoder",
    8: "Reconstruction and divergence",
    9: "Variational autoencoders, trained",
    10: "Autoregressive models",
    11: "Normalising flows",
    12: "Diffusion models",
}
TOGETHER = "together"  # the anchor of what belongs to no page


class Part(NamedTuple):
    """The chapters of one page of the lecture."""

    anchor: str
    heading: str
    chapters: list[Chapter]


def parts(chapters: Iterable[Chapter]) -> list[Part]:
    """The chapters by page, in the order in which they come; those of no page are in a part of their own."""
    found: dict[str, Part] = {}
    for chapter in chapters:
        match = re.match(r"page(\d+)_", chapter.name)
        anchor, title = TOGETHER, "All families together"
        if match:
            page = int(match[1])
            anchor, title = f"page{page:02d}", f"Page {page}" + (f": {PAGES[page]}" if page in PAGES else "")
        found.setdefault(anchor, Part(anchor, title, [])).chapters.append(chapter)
    return list(found.values())


def heading(chapter: Chapter) -> str:
    """The title of a chapter as it stands below that of its page.

    >>> heading(Chapter("Page 6: bounds of many samples", "", [], []))
    'Bounds of many samples'
    >>> heading(Chapter("Pages 9 and 11: the explorer", "", [], []))
    'The explorer'
    """
    text = re.sub(r"^Pages? \d+( (to|and) \d+)?: ", "", chapter.title)
    return text[:1].upper() + text[1:]
