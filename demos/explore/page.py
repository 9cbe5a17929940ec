"""The explorer as one page for any browser: text, style, scripts and weights in a single file, without network."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

from demos.explore.export import compact

HERE = Path(__file__).parent
SCRIPTS = ("nets.js", "ui.js", "vae.js", "flow.js")


def source(name: str) -> str:
    """The text of a file of this folder."""
    return (HERE / name).read_text(encoding="utf-8").rstrip()


def page(models: dict[str, Any], vae: str, flow: str, command: str) -> str:
    """The whole page.

    Args:
        models: "vae" and "flow" as ``export`` makes them, "codes" of the test digits, "truth" of the flow's data.
        vae, flow: a paragraph of figures on each, HTML.
        command: that makes the page, HTML.

    Raises:
        ValueError: for NaN or inf in the models.
    """
    return Template(source("page.html")).substitute(
        style=source("page.css"),
        scripts="\n\n".join(map(source, SCRIPTS)),
        models=compact(models).replace("<", "\\u003c"),  # no text in it may end the script
        vae=vae,
        flow=flow,
        command=command,
    )
