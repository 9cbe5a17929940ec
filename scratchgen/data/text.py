"""Real text, none of it bundled: Python's own documentation, or any UTF-8 file; and windows of it to learn from.

    train, validation, _, _ = documentation()           two strings, alike wherever the Python is the same
    train, validation, _, _ = text_file("book.txt")     the same of a file
    tokens = Vocabulary(train + validation).encode(train)
    inputs, targets = draw_windows(tokens, length=64, n=16, rng=0)

The documentation is ``pydoc_data.topics``, which ships with every interpreter: what ``help("if")`` prints. It *differs
between versions of Python*, and so do figures that are measured on it: state ``size`` and ``sha256`` beside them.

Its topics repeat each other: a fifth of the characters stand in paragraphs that were there before. A model that has
learned them by heart would be praised for it in validation. So each paragraph is kept once only.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scratchgen.data.dataset import DataError
from scratchgen.data.vocabulary import require_stream, require_text
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator

VALIDATION = 0.1  # the share of a text, at its end
SHORTEST = 100  # characters of a text that can be split


class Text(NamedTuple):
    """A text in two parts, and what identifies it.

    train: the first nine tenths, up to the end of a line if there is one near.
    validation: the rest.
    size: the number of characters in both.
    sha256: of both in UTF-8, as hexadecimal digits.
    """

    train: str
    validation: str
    size: int
    sha256: str


class Windows(NamedTuple):
    """Stretches of a stream of tokens, and the token that follows each place in them.

    inputs: (n, length) int64.
    targets: (n, length) int64; targets[i, t] is the token after inputs[i, t].
    """

    inputs: np.ndarray
    targets: np.ndarray


def split(text: str) -> Text:
    """A text's first nine tenths for training and the rest for validation, cut after a line where possible.

    Raises:
        TypeError: for a text that is no str.
        ValueError: for a text of less than 100 characters.

    >>> parts = split("to be or not to be\\n" * 20)
    >>> len(parts.train), len(parts.validation), parts.size
    (342, 38, 380)
    """
    if len(require_text(text)) < SHORTEST:
        raise ValueError(f"text has {len(text)} characters; to split it takes at least {SHORTEST}")
    cut = len(text) - int(len(text) * VALIDATION)
    line_end = text.rfind("\n", cut - int(len(text) * VALIDATION), cut)
    cut = line_end + 1 if line_end >= 0 else cut
    return Text(text[:cut], text[cut:], len(text), hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def documentation() -> Text:
    """Python's documentation of its own language, each paragraph once, topics in alphabetical order.

    >>> docs = documentation()
    >>> docs.size > 200_000, docs.size == len(docs.train) + len(docs.validation)
    (True, True)
    """
    from pydoc_data.topics import topics  # not above: half a megabyte, for those who want it

    paragraphs = (paragraph.strip("\n") for name in sorted(topics) for paragraph in topics[name].split("\n\n"))
    return split("\n\n".join(dict.fromkeys(paragraphs)) + "\n")  # a dict keeps the first of equal keys, in order


def text_file(path: str | os.PathLike[str]) -> Text:
    """Any text file in UTF-8, split as the documentation is. Line ends become "\\n", and a byte order mark is dropped.

    Raises:
        FileNotFoundError: if there is none.
        DataError: for a folder; for bytes that are not UTF-8, with their position; for an empty or too short file.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(path, "kind", "a folder", "a text file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file; name a text file in UTF-8")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        got = f"byte 0x{content[error.start]:02x} at position {error.start}"
        raise DataError(path, "encoding", got, "UTF-8: save the file in that encoding") from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) < SHORTEST:
        raise DataError(path, "length", f"{len(text)} characters", f"at least {SHORTEST}")
    return split(text)


def draw_windows(tokens: np.ndarray, length: int, n: int, rng: Rng) -> Windows:
    """n windows that start anywhere in the stream, all places alike: a minibatch for training.

    Raises:
        TypeError: for tokens, a length or n that are no integers.
        ValueError: for a length or n below 1, or a stream that is shorter than a window and its last target.

    >>> inputs, targets = draw_windows(np.arange(100), length=4, n=2, rng=0)
    >>> (targets == inputs + 1).all()
    np.True_
    """
    tokens = require_windows(tokens, length)
    require_int("n", n, least=1)
    if len(tokens) < length + 1:
        raise ValueError(f"{len(tokens)} tokens; a window of {length} and its last target take {length + 1}")
    start = generator(rng).integers(len(tokens) - length, size=n)
    at = start[:, None] + np.arange(length)  # (n, length)
    return Windows(tokens[at], tokens[at + 1])


def cover(tokens: np.ndarray, length: int) -> list[Windows]:
    """Windows side by side, for evaluation: each token but the first is a target exactly once.

    Returns the windows of the full length, and, if tokens are left over, one shorter window after them. The nats of all
    targets, over their number, are then comparable between models, whatever the length.

    Raises:
        TypeError: for tokens or a length that are no integers.
        ValueError: for a length below 1, or less than two tokens.

    >>> [part.targets.tolist() for part in cover(np.arange(8), length=3)]
    [[[1, 2, 3], [4, 5, 6]], [[7]]]
    """
    tokens = require_windows(tokens, length)
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} tokens; a window and its target take at least 2")
    full = (len(tokens) - 1) // length * length
    inputs, targets = tokens[:-1], tokens[1:]
    whole = Windows(inputs[:full].reshape(-1, length), targets[:full].reshape(-1, length))
    rest = Windows(inputs[None, full:], targets[None, full:])
    return [part for part in (whole, rest) if part.inputs.size]


def require_windows(tokens: np.ndarray, length: int) -> np.ndarray:
    """The stream of tokens, if it is one and the length of the windows is at least 1."""
    tokens = require_stream(tokens)
    require_int("length", length, least=1)
    return tokens
