"""Fetching one published file, so that the outcome is the right file or no file.

The bytes go to a temporary file, which gets its name only when their number and SHA-256 are right. Whatever else
happens (a wrong, lying, stalling or vanishing server, a full disk, Ctrl-C), it is removed. There are no retries here:
`mnist_download` goes on to the next mirror instead.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from scratchgen.atomic import replacing
from scratchgen.data.dataset import DataError

_CHUNK = 1 << 16


def download(
    url: str,
    path: str | os.PathLike[str],
    sha256: str,
    max_bytes: int,
    timeout: float = 30.0,
    deadline: float = 600.0,
    progress: bool = True,
) -> Path:
    """Fetch url into the file `path`, whose folder must exist, and return the path.

    sha256: the expected checksum, 64 hexadecimal digits. A file that is already there and has it is kept as it is, and
    nothing is fetched.
    max_bytes: the largest size accepted, held against both what the server announces and what it sends.
    timeout: the longest silence, in seconds. deadline: the longest time in all, in seconds.
    progress: show on stderr how far it is.

    Raises ValueError for an argument out of range or a URL that is not http(s); FileExistsError if path holds something
    else; other OSErrors of the local disk; DataError for all that the network or the server does wrong.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "three-bytes")
    ...     _ = path.write_bytes(b"abc")
    ...     expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ...     download("https://example.org/three-bytes", path, expected, max_bytes=3).name
    'three-bytes'
    """
    path, sha256 = Path(path), sha256.lower()
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"url is {url!r}, expected http:// or https://")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"sha256 is {sha256!r}, expected 64 hexadecimal digits")
    for name, value in (("max_bytes", max_bytes), ("timeout", timeout), ("deadline", deadline)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}, expected a positive number")
    if path.exists():
        if path.is_file() and _sha256(path) == sha256:
            return path
        raise FileExistsError(f"{path} exists and its SHA-256 is not {sha256}: move it away first")

    with replacing(path) as file:  # before connecting: a folder that cannot be written shows at once
        digest = hashlib.sha256()
        line = _ProgressLine(path.name) if progress else None
        for chunk, announced in _fetch(url, max_bytes, timeout, deadline):
            file.write(chunk)
            digest.update(chunk)
            if line:
                line.add(len(chunk), announced or max_bytes)
        if digest.hexdigest() != sha256:
            raise DataError(url, "SHA-256", digest.hexdigest(), sha256)
    return path


def _fetch(url: str, max_bytes: int, timeout: float, deadline: float) -> Iterator[tuple[bytes, int | None]]:
    """The body of url in pieces, each with the announced length of the whole, if any. DataError if it is not right."""
    # Not above: what speaks HTTP and TLS is slow to import, and few who import this module ever download.
    from http.client import HTTPException
    from urllib.error import HTTPError

    from scratchgen.data.guarded_http import Limits, open_guarded

    ends_at = time.monotonic() + deadline
    try:
        with open_guarded(url, Limits(min(timeout, deadline), ends_at, max_bytes)) as response:
            if response.status != 200:
                raise DataError(url, "HTTP status", f"{response.status} {response.reason!r:.200}", "200 OK")
            announced = response.length  # what Content-Length says; None if it says nothing usable
            if announced is not None and announced > max_bytes:
                raise DataError(url, "Content-Length", announced, f"at most max_bytes={max_bytes}")
            received = 0
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                if received > max_bytes:
                    raise DataError(url, "length", f"more than {max_bytes} bytes", f"at most max_bytes={max_bytes}")
                yield chunk, announced
            if announced is not None and received != announced:
                raise DataError(url, "length", f"{received} bytes", f"the {announced} of Content-Length")
    except DataError:
        raise
    except HTTPError as error:
        raise DataError(url, "HTTP status", f"{error.code} {error.reason!r:.200}", "200 OK") from error
    except (OSError, HTTPException, ValueError) as error:
        if time.monotonic() >= ends_at:
            raise DataError(url, "time", f"more than {deadline:g} s", f"at most deadline={deadline:g}") from error
        got = f"{type(error).__name__}: {str(error)!r:.200}"
        raise DataError(url, "connection", got, f"a whole answer, no silence over timeout={timeout:g} s") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _ProgressLine:
    """A line on stderr that a terminal rewrites at every 1 %; elsewhere, such as in a log, a new line every 10 %."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._terminal = sys.stderr.isatty()
        self._received = 0
        self._steps_shown = 0

    def add(self, count: int, total: int) -> None:
        self._received += count
        steps = self._received * (100 if self._terminal else 10) // total
        if steps > self._steps_shown:
            self._steps_shown = steps
            start, end = ("\r", "\n" if self._received == total else "") if self._terminal else ("", "\n")
            text = f"{self._name}: {self._received / 1000:,.1f} of {total / 1000:,.1f} kB"
            print(start + text, end=end, file=sys.stderr, flush=True)
