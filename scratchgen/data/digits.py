"""The bundled handwritten digits: 1,797 images of 8×8 pixels, small enough to train on in a minute.

Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository (1998),
its test part, https://doi.org/10.24432/C50P49, licensed under CC BY 4.0. `LICENSE-digits.md`, beside this file, has
the full notice.

Each pixel counts the ink in one 4×4 block of a 32×32 bitmap. It is a number from 0 to 16, hence *17* grey levels, and a
categorical likelihood over them is a true likelihood of the data.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np

from scratchgen.data.dataset import DataError, Dataset

SPLITS = {
    "train": slice(0, 1000),
    "validation": slice(1000, 1350),
    "test": slice(1350, 1797),
    "all": slice(0, 1797),
}
_SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"


def digits(split: str = "train") -> Dataset:
    """One part of the bundled digits, by E. Alpaydin and C. Kaynak (UCI, 1998; CC BY 4.0).

    split: "train" (the first 1,000 images of the file), "validation" (the next 350), "test" (the last 447) or "all".

    Returns images (n, 8, 8) uint8 in 0..16 and labels (n,) uint8 in 0..9, both fresh arrays.
    `to_unit(images, levels=17)` makes floats in [0, 1] of the images.

    Raises ValueError for an unknown split, and DataError if the bundled file is not the one that was published.

    >>> images, labels = digits("train")
    >>> images.shape, images.dtype, int(images.max())
    ((1000, 8, 8), dtype('uint8'), 16)
    >>> labels[:10]
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=uint8)
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    from importlib.resources import files  # not above: it is slow to import

    content = (files("scratchgen.data") / "digits.npz").read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != _SHA256:
        raise DataError("digits.npz", "SHA-256", checksum, f"{_SHA256}: install scratchgen again")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        rows = SPLITS[split]
        return Dataset(arrays["images"][rows].copy(), arrays["labels"][rows].copy())
