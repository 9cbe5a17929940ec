"""The page itself: its frame, its contents, and one part after the other."""

from __future__ import annotations

import html
import sys
from pathlib import Path
from string import Template
from urllib.parse import quote

from demos.chapters import Chapter
from demos.gallery.fragments import chapter_html
from demos.gallery.lecture import TOGETHER, Part, heading, parts
from scratchgen.atomic import replacing

HERE = Path(__file__).parent


def write_index(chapters: list[Chapter], folder: Path) -> Path:
    """Write ``folder/index.html``, which shows these chapters and contains their pictures; returns its path.

    The links to the source are relative, from ``folder`` to the clone that this file is in. A chapter whose picture or
    table is damaged is left out, with a warning: another command may be writing it just now.
    """
    shown = _shown(chapters, folder)
    chapters = [chapter for chapter in chapters if chapter.name in shown]
    ordered = parts(chapters)
    frame, style, script = (_read(name) for name in ("template.html", "style.css", "script.js"))
    pictures = sum(picture.path.suffix != ".html" for chapter in chapters for picture in chapter.pictures)
    page = Template(frame).substitute(
        style=style,
        script=script,
        summary=f"{len(chapters)} demos, {pictures} pictures",
        first=_first(ordered, folder),
        contents="\n".join(_contents(part) for part in ordered),
        parts="\n".join(_part(part, shown) for part in ordered),
    )
    index = folder / "index.html"
    with replacing(index) as file:
        file.write(page.encode())
    return index


def _shown(chapters: list[Chapter], folder: Path) -> dict[str, str]:
    """The HTML of each chapter, by its name."""
    found = {}
    for chapter in chapters:
        try:
            found[chapter.name] = chapter_html(chapter, folder)
        except (OSError, ValueError) as error:
            print(f"{chapter.name} is left out of the gallery, run the demo again: {error}", file=sys.stderr)
    return found


def _read(name: str) -> str:
    """A file of the frame."""
    return (HERE / name).read_text(encoding="utf-8")


def _first(ordered: list[Part], folder: Path) -> str:
    """Where to look first: at the chapters that are about all pages, and at the pages to play with."""
    links = [(f"#{c.name}", heading(c)) for part in ordered if part.anchor == TOGETHER for c in part.chapters]
    pictures = (picture for part in ordered for chapter in part.chapters for picture in chapter.pictures)
    links += [(p.path.relative_to(folder).as_posix(), p.title) for p in pictures if p.path.suffix == ".html"]
    shown = ", ".join(f'<a href="{html.escape(quote(to, safe="/#"))}">{html.escape(text)}</a>' for to, text in links)
    return f"<p>Look first at: {shown}.</p>" if links else ""


def _contents(part: Part) -> str:
    """The part's entry in the contents."""
    chapters = "".join(
        f'<li><a href="#{html.escape(chapter.name)}">{html.escape(heading(chapter))}</a></li>'
        for chapter in part.chapters
    )
    return f'<li><a href="#{part.anchor}">{html.escape(part.heading)}</a>\n<ul>{chapters}</ul></li>'


def _part(part: Part, shown: dict[str, str]) -> str:
    """A page of the lecture."""
    chapters = "\n".join(shown[chapter.name] for chapter in part.chapters)
    return (
        f'<section aria-labelledby="{part.anchor}"><h2 id="{part.anchor}">{html.escape(part.heading)}</h2>\n'
        f"{chapters}\n</section>"
    )
