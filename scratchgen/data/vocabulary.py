"""Characters as numbers: the vocabulary of a text, and its way there and back.

    encode: "abba" ↦ [0, 1, 1, 0],   decode: [0, 1, 1, 0] ↦ "abba",   with the vocabulary "ab"

Characters are numbered in the order of their code points, so that equal sets of characters make equal vocabularies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions.arguments import require, unmasked


class Vocabulary:
    """The characters that occur in a text, numbered from 0.

    Args:
        text: whose characters are taken; at least one.

    Attributes:
        characters: all of them, sorted, as one string.

    Raises:
        TypeError: for a text that is no str.
        ValueError: for an empty text.

    >>> vocabulary = Vocabulary("hello")
    >>> vocabulary.characters, len(vocabulary)
    ('ehlo', 4)
    >>> vocabulary.decode(vocabulary.encode("hole"))
    'hole'
    """

    def __init__(self, text: str) -> None:
        self.characters = "".join(sorted(set(require_text(text))))
        if not self.characters:
            raise ValueError("text is empty; a vocabulary needs at least one character")
        self.number = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The numbers of the characters of a text, (L,) int64.

        Raises:
            TypeError: for a text that is no str.
            ValueError: for a character that is not in the vocabulary, with its code point and position.

        >>> Vocabulary("abc").encode("cab")
        array([2, 0, 1])
        """
        require_text(text)
        unknown = set(text) - self.number.keys()
        if unknown:
            at = min(text.index(character) for character in unknown)
            raise ValueError(
                f"text has {text[at]!r} (U+{ord(text[at]):04X}) at position {at}, which is not among the {len(self)} "
                f"characters of the vocabulary, and {len(unknown) - 1} other such characters: make the vocabulary of "
                "all texts that it shall encode"
            )
        return np.array([self.number[character] for character in text], np.int64)

    def decode(self, tokens: Any) -> str:
        """The text of the numbers (L,).

        Raises:
            TypeError: for tokens that are no integers.
            ValueError: for another shape, or numbers outside the vocabulary.

        >>> Vocabulary("abc").decode([2, 0, 1])
        'cab'
        """
        tokens = require_stream(tokens)
        top = len(self) - 1
        require("tokens", tokens, lambda value: (value >= 0) & (value <= top), f"tokens are 0 to {top}")
        return "".join(self.characters[i] for i in tokens.tolist())


def require_text(text: Any) -> str:
    """``text``, if it is a str.

    Raises:
        TypeError: for what is none.
    """
    if not isinstance(text, str):
        hint = ": text.decode('utf-8')" if isinstance(text, bytes) else ""
        raise TypeError(f"text is of type {type(text).__name__}; it must be a str{hint}")
    return text


def require_stream(tokens: Any) -> np.ndarray:
    """The tokens as an array (L,) of integers.

    Raises:
        TypeError: for other types than integers.
        ValueError: for another number of axes.
    """
    array = np.asarray(unmasked("tokens", tokens))
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"tokens is {array.dtype}; tokens are integers")
    if array.ndim != 1:
        raise ValueError(f"tokens has shape {array.shape}; it must be (L,), one stream")
    return array.astype(np.int64)
