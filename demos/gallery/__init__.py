"""``index.html``: what the demos showed, on one page that needs neither a network nor another file.

``index.py`` puts the page together (``template.html``, ``style.css`` and ``script.js`` are the frame), ``lecture.py``
sorts the chapters by page of the lecture, ``fragments.py`` writes one of them, ``notation.py`` typesets an equation,
``table.py`` shows a CSV file, ``embed.py`` makes a picture part of the page, and ``sources.py`` finds the files that a
demo shows.
"""

from demos.gallery.index import write_index

__all__ = ["write_index"]
