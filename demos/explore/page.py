"""The explorer as one page for any browser: text, style, scripts and weights in a single file, without network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from demos.explore.export import compact

HERE = Path(__file__).parent
SCRIPTS = ("nets.js", "ui.js", "vae.js", "flow.js")


def source(name: str) -> str:
    """The text of a file of this folder."""
    return (HERE / name).read_text(encoding="utf-8").rstrip()


def filled(template: str, parts: dict[str, str]) -> str:
    """The template with every ``{{name}}`` replaced.

    Raises:
        ValueError: for a name that does not stand in the template exactly once.

    >>> filled("<p>{{text}}</p>", {"text": "{{1}} < 2"})
    '<p>{{1}} < 2</p>'
    """
    for name in parts:
        found = template.count("{{" + name + "}}")
        if found != 1:
            raise ValueError(f"{{{{{name}}}}} stands in the template {found} times; it must be there once")
    for piece in sorted(parts, key=lambda name: template.index("{{" + name + "}}"), reverse=True):
        start = template.index("{{" + piece + "}}")  # from the back, so that what is filled in is not searched
        template = template[:start] + parts[piece] + template[start + len(piece) + 4 :]
    return template


def page(models: dict[str, Any], vae: str, flow: str, command: str) -> str:
    """The whole page.

    Args:
        models: "vae" and "flow" as ``export`` makes them, "codes" of the test digits, "truth" of the flow's data.
        vae, flow: a paragraph of figures on each, HTML.
        command: that makes the page, HTML.

    Raises:
        ValueError: for NaN or inf in the models.
    """
    return filled(
        source("page.html"),
        {
            "style": source("page.css"),
            "scripts": "\n\n".join(map(source, SCRIPTS)),
            "models": compact(models).replace("<", "\\u003c"),  # no text in it may end the script
            "vae": vae,
            "flow": flow,
            "command": command,
        },
    )
