"""One chapter of the gallery as HTML: its pictures with their equations, its figures, and how to make them again."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import quote

from demos.chapters import Chapter, Picture
from demos.gallery import embed, sources
from demos.gallery.lecture import heading
from demos.gallery.notation import typeset
from demos.gallery.table import table


def chapter_html(chapter: Chapter, folder: Path) -> str:
    """The chapter, for a page in ``folder``. If the demo has left a file NAME.csv there, its table comes first."""
    title = html.escape(heading(chapter))
    anchor = html.escape(chapter.name)
    data = folder / f"{chapter.name}.csv"
    parts = [
        f'<article aria-labelledby="{anchor}"><h3 id="{anchor}">{title}</h3>',
        _about(chapter.about),
        table(data, heading(chapter)) if data.is_file() else "",
        *(_shown(picture, folder) for picture in chapter.pictures),
        _figures(chapter.results),
        _again(chapter, folder),
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def _about(text: str) -> str:
    """The docstring of the demo: its first paragraph, and the others behind a word to tap on."""
    first, *others = re.split(r"\n\s*\n", text.strip())
    if not first:
        return ""
    rest = "\n".join(_paragraph(other) for other in others)
    more = f"<details><summary>What the demo does</summary>\n{rest}\n</details>" if rest else ""
    return f'<p class="about">{html.escape(first)}</p>\n{more}'


def _paragraph(text: str) -> str:
    """A paragraph; a list or a table, which is indented, keeps its lines."""
    tag = "pre" if text.startswith("    ") else "p"
    return f"<{tag}>{html.escape(text.rstrip())}</{tag}>"


def _shown(picture: Picture, folder: Path) -> str:
    """A picture, an animation, or the link to a page of its own, with title, equation and caption."""
    title, caption = html.escape(picture.title), html.escape(picture.caption)
    equation = f'<p class="equation">{typeset(picture.equation)}</p>' if picture.equation.strip() else ""
    content = f"{_content(picture, folder)}\n<figcaption>{caption}</figcaption>"
    return f"<h4>{title}</h4>\n{equation}\n<figure>{content}</figure>"


def _content(picture: Picture, folder: Path) -> str:
    """What the caption is about."""
    if picture.path.suffix == ".html":
        page = html.escape(quote(picture.path.relative_to(folder).as_posix()))
        return f'<p><a class="page" href="{page}">Open {html.escape(picture.title)}</a></p>'
    width, height = embed.size(picture.path)
    image = (
        f'<img src="{embed.data_uri(picture.path)}" width="{width}" height="{height}" decoding="async" '
        f'alt="{html.escape(alternative(picture))}">'
    )
    frame = f'<div class="player">{image}</div>' if picture.path.suffix == ".gif" else image
    about = f'<span class="unseen">: {html.escape(picture.title)}</span>'
    return f'{frame}<button class="enlarge" type="button">Enlarge{about}</button>'


def alternative(picture: Picture) -> str:
    """What stands for a picture that cannot be seen: what it shows, and of what.

    >>> alternative(Picture(Path("a.png"), "A parabola", "y = x²", "It touches the axis."))
    'A parabola, y = x²: It touches the axis.'
    """
    equation = re.sub(r"\s+", " ", picture.equation).strip()
    return f"{picture.title}{', ' if equation else ''}{equation}: {picture.caption}"


def _figures(results: list[str]) -> str:
    """The lines that the demo has printed, beside the truth as it has printed it."""
    if not results:
        return ""
    lines = "\n".join(f"<li>{html.escape(line)}</li>" for line in results)
    return f'<h4>Figures beside the truth</h4>\n<ul class="figures">\n{lines}\n</ul>'


def _again(chapter: Chapter, folder: Path) -> str:
    """The command that makes all of it again, with a button that copies it, and the files to read."""
    links = ", ".join(
        f'<a href="{html.escape(sources.address(path, folder))}">{html.escape(path).replace("/", "/<wbr>")}</a>'
        for path in sources.files(chapter.name)
    )
    read = f"<p>Read {links}.</p>" if links else ""
    took = f"<span>took {chapter.seconds:.3g} s</span>" if chapter.seconds else ""
    return (
        f'<div class="again"><p class="command"><code>{html.escape(chapter.command)}</code> '
        f'<button class="copy" type="button" aria-label="Copy the command">Copy</button> {took}</p>{read}</div>'
    )
