"""What a run of a demo leaves behind for the gallery: a chapter, kept as ``NAME.json`` beside its pictures.

So a gallery is made of all the runs that its folder has seen, each of them possibly in a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

from demos import contents
from scratchgen.atomic import replacing


class Picture(NamedTuple):
    """A picture that a demo has written, or a page (.html), and what there is to say of it."""

    path: Path
    title: str
    equation: str
    caption: str


class Chapter(NamedTuple):
    """One run of one demo: its pictures, its printed results, and the command that makes them again.

    Args:
        title, about: of the demo; ``about`` is what it says of itself.
        command: with the seed, and ``--quick`` where it was one.
        pictures: they lie in the folder of the gallery.
        results: lines of figures, beside the truth.
        name: of the module, such as ``page09_vae``.
        seconds: that the run took.
    """

    title: str
    command: str
    pictures: list[Picture]
    results: list[str]
    name: str = ""
    about: str = ""
    seconds: float = 0.0


def keep(chapter: Chapter, folder: Path) -> Path:
    """Write the chapter to ``folder``, over an older run of the same demo; returns the path."""
    pictures = [{**p._asdict(), "path": p.path.relative_to(folder).as_posix()} for p in chapter.pictures]
    text = json.dumps({**chapter._asdict(), "pictures": pictures}, ensure_ascii=False, indent=1)
    path = folder / f"{chapter.name}.json"
    with replacing(path) as file:
        file.write(text.encode())
    return path


def forget(name: str, folder: Path) -> None:
    """Remove the chapter of this demo, whose pictures are about to be replaced one by one."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def kept(folder: Path) -> list[Chapter]:
    """All chapters in ``folder``, in the order of the lecture. One that cannot be read is left out, with a warning."""
    chapters = []
    for path in (folder / f"{name}.json" for name in contents.DEMOS):
        if path.exists():
            try:
                chapters.append(_read(path))
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                print(f"{path} is left out of the gallery, run the demo again: {error!r}", file=sys.stderr)
    return chapters


def _read(path: Path) -> Chapter:
    """The chapter in this file."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    pictures = [Picture(**{**picture, "path": path.parent / picture["path"]}) for picture in fields["pictures"]]
    for picture in pictures:
        if not picture.path.is_file():
            raise FileNotFoundError(f"there is no picture {picture.path}")
    chapter = Chapter(**{**fields, "pictures": pictures})
    texts = [chapter.title, chapter.command, chapter.about, *(text for picture in pictures for text in picture[1:])]
    if not isinstance(chapter.results, list) or not isinstance(chapter.seconds, (int, float)):
        raise TypeError("results must be a list, and seconds a number")
    for text in [*texts, *chapter.results]:
        if not isinstance(text, str):
            raise TypeError(f"{text!r:.40} must be a text")
        text.encode()  # half of a surrogate pair is not to be written
    if chapter.name != path.stem:
        raise ValueError(f"it is the chapter of {chapter.name!r:.40}")
    return chapter
