"""``index.html``: the pictures of a run in page order, each with its equation, its caption and how to make it again."""

from __future__ import annotations

import html
from pathlib import Path

from demos.chapters import Chapter

STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
figure { margin: 2.5rem 0; } img { max-width: 100%; height: auto; border: 1px solid #ddd; }
figcaption { margin-top: .5rem; } code, .equation { font-family: ui-monospace, monospace; font-size: .9em; }
.equation { background: #f6f4ee; padding: .4rem .8rem; overflow-x: auto; } h2 { margin-top: 3rem; }
pre.equation { white-space: pre-wrap; }
"""


def write_index(chapters: list[Chapter], folder: Path) -> Path:
    """Write ``folder/index.html``, which shows the pictures that lie beside it; returns its path."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>scratchgen</title><style>{STYLE}</style></head><body>",
        "<h1>scratchgen</h1>",
        "<p>One run, in the order of the lecture: pictures with their equations, and figures beside the truth.</p>",
        "<ol>",
        *(f'<li><a href="#{i}">{html.escape(chapter.title)}</a></li>' for i, chapter in enumerate(chapters, 1)),
        "</ol>",
    ]
    for i, chapter in enumerate(chapters, 1):
        parts.append(f'<h2 id="{i}">{html.escape(chapter.title)}</h2>')
        parts.append(f"<p>Made by <code>{html.escape(chapter.command)}</code></p>")
        if chapter.results:
            lines = html.escape("\n".join(chapter.results))
            parts.append(f'<pre class="equation">{lines}</pre>')
        for picture in chapter.pictures:
            title, caption = html.escape(picture.title), html.escape(picture.caption)
            address = html.escape(picture.path.relative_to(folder).as_posix())
            is_page = picture.path.suffix == ".html"
            parts.append(
                f"<figure><h3>{title}</h3>"
                f'<p class="equation">{html.escape(picture.equation)}</p>'
                + (
                    f'<p><a href="{address}">Open {address}</a></p>'
                    if is_page
                    else f'<img src="{address}" alt="{caption}">'
                )
                + f"<figcaption>{caption}</figcaption></figure>"
            )
    parts.append("</body></html>")
    index = folder / "index.html"
    index.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return index
