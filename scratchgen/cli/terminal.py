"""What a command prints reaches any terminal or pipe: one of ASCII only, and one that is closed before the end."""

from __future__ import annotations

import codecs
import io
import os
import sys

PROGRAM = "scratchgen" if os.path.basename(sys.argv[0]) in ("scratchgen", "scratchgen.exe") else "python -m scratchgen"
IN_ASCII = {"±": "+-", "−": "-", "–": "-", "×": "x", "≤": "<=", "≥": ">=", "→": "->", "…": "...", "·": "*", "²": "^2"}


def plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for characters that the terminal does not have; for ``codecs.register_error``.

    >>> codecs.register_error("plain", plain)
    >>> "2 ± 1, é".encode("ascii", "plain")
    b'2 +- 1, \\\\xe9'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(c, c.encode("ascii", "backslashreplace").decode()) for c in missing), error.end


def print_anything() -> None:
    """From now on, printing raises no UnicodeEncodeError."""
    codecs.register_error("plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None under pythonw
            stream.reconfigure(errors="plain")


def print_warning(message: object, *place: object, **more: object) -> None:
    """A warning as a line on stderr, without its place in the source; for ``warnings.showwarning``."""
    print(f"warning: {message}", file=sys.stderr)


def close_quietly() -> None:
    """Once a pipe is closed: leave nothing that Python would complain of when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
