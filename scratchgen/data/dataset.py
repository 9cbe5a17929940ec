"""What every loader of `scratchgen.data` returns, and the one exception with which it refuses bad bytes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Dataset(NamedTuple):
    """Images and their labels; row i of one belongs to row i of the other.

    images: (n, height, width) uint8, grey levels counted from 0 (no ink).
    labels: (n,) uint8, class numbers counted from 0.

    >>> images, labels = Dataset(np.zeros((2, 8, 8), np.uint8), np.array([3, 1], np.uint8))
    >>> images.shape, labels.shape
    ((2, 8, 8), (2,))
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class DataError(ValueError):
    """A data file or a download whose bytes are not what they have to be.

    source: the path or URL; field: what was checked; got, expected: what it was and what it should have been.

    >>> str(DataError("labels.gz", "label count", 9, "10, one per image"))
    'labels.gz: label count: got 9, expected 10, one per image'
    """

    def __init__(self, source: object, field: str, got: object, expected: object) -> None:
        super().__init__(source, field, got, expected)
        self.source, self.field, self.got, self.expected = source, field, got, expected

    def __str__(self) -> str:
        return f"{self.source}: {self.field}: got {self.got}, expected {self.expected}"
