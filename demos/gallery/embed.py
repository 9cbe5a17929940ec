"""A picture as a part of the page, so that the page can be moved or sent without it."""

from __future__ import annotations

import base64
from pathlib import Path

KINDS = {".png": "image/png", ".gif": "image/gif"}


def data_uri(path: Path) -> str:
    """The file as an address that contains it: ``data:image/png;base64,…``."""
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG or GIF, in pixels: with them, nothing moves while the page is loaded.

    Both are in the first bytes of the file: of a PNG after its signature and the name of its first chunk, of a GIF
    after its version.
    """
    head = path.read_bytes()[:24]
    if head.startswith(b"\x89PNG"):
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith(b"GIF8"):
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    raise ValueError(f"{path} is neither a PNG nor a GIF; save pictures with Stage.save or Stage.save_animation")
