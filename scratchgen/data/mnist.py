"""MNIST: 70,000 handwritten digits of 28×28 pixels, from the four IDX files in a local folder.

Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits" (1998). Data sets in the same
format, such as Fashion-MNIST and Kuzushiji-MNIST, load the same way.

Nothing is ever fetched unasked. `mnist_download(folder)` fetches the files when called.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scratchgen.data.dataset import DataError, Dataset
from scratchgen.data.download import download
from scratchgen.data.idx import read_idx


class _Published(NamedTuple):
    size: int
    sha256: str


MNIST_FILES = {
    "train-images-idx3-ubyte.gz": _Published(
        9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": _Published(
        28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": _Published(
        1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": _Published(4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}
MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_PREFIXES = {"train": "train", "test": "t10k"}


def mnist(folder: str | os.PathLike[str], split: str = "train") -> Dataset:
    """The training or the test images of the MNIST files in a folder, plain or gzip.

    split: "train" (60,000 images in the published files) or "test" (10,000). MNIST has no validation part; by custom
    the last 10,000 training images serve: `images[:50000], images[50000:]`.

    Returns images (n, 28, 28) uint8 in 0..255 and labels (n,) uint8 in 0..9. `to_unit(images, levels=256)` makes floats
    in [0, 1] of the images.

    Raises FileNotFoundError if a file is missing, DataError if one is damaged or the two do not belong together.

    >>> import tempfile
    >>> sizes = b"".join(size.to_bytes(4, "big") for size in (2, 28, 28))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images_file, labels_file = (Path(folder, f"t10k-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    ...     _ = images_file.write_bytes(bytes([0, 0, 0x08, 3]) + sizes + bytes(2 * 28 * 28))
    ...     _ = labels_file.write_bytes(bytes([0, 0, 0x08, 1]) + sizes[:4] + bytes([7, 2]))
    ...     images, labels = mnist(folder, "test")
    >>> images.shape, labels
    ((2, 28, 28), array([7, 2], dtype=uint8))
    """
    if split not in _PREFIXES:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(_PREFIXES)}")
    images_path = _find(Path(folder), f"{_PREFIXES[split]}-images-idx3-ubyte")
    labels_path = _find(Path(folder), f"{_PREFIXES[split]}-labels-idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path)

    for path, array in ((images_path, images), (labels_path, labels)):
        if array.dtype != np.uint8:
            raise DataError(path, "data type", array.dtype, "uint8 (code 0x08)")
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise DataError(images_path, "shape", images.shape, "(n, 28, 28)")
    if labels.ndim != 1:
        raise DataError(labels_path, "shape", labels.shape, "(n,)")
    if len(labels) != len(images):
        raise DataError(labels_path, "label count", len(labels), f"{len(images)}, one per image of {images_path.name}")
    if labels.max() > 9:
        index = int(np.argmax(labels > 9))
        raise DataError(labels_path, f"label {index}", labels[index], "0 to 9")
    return Dataset(images, labels)


def mnist_download(
    folder: str | os.PathLike[str],
    base_urls: Sequence[str] = MNIST_MIRRORS,
    timeout: float = 30.0,
    deadline: float = 600.0,
    progress: bool = True,
) -> Path:
    """Fetch the four MNIST files (11.6 MB) into a folder, which is made if need be; returns the folder.

    base_urls: where to look, in turn; a file that one mirror fails to deliver is asked of the next. All are held to the
    same published sizes and SHA-256 sums, so it does not matter which one answers. Files already there are kept.
    timeout, deadline, progress: as for `download`, for each file and mirror.

    Raises DataError with every mirror's failure, and what `download` raises for the local disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mnist_download(folder, base_urls=["ftp://example.org/mnist/"])
    Traceback (most recent call last):
    ValueError: url is 'ftp://example.org/mnist/train-images-idx3-ubyte.gz', expected http:// or https://
    """
    if isinstance(base_urls, str) or not base_urls:
        raise ValueError(f"base_urls is {base_urls!r}, expected a list of at least one URL")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, published in MNIST_FILES.items():
        failures = []
        for base in base_urls:
            url = f"{base.rstrip('/')}/{name}"
            try:
                download(url, folder / name, published.sha256, published.size, timeout, deadline, progress)
                break
            except DataError as error:
                failures.append(error)
        else:
            raise DataError(folder / name, "mirrors", "; ".join(map(str, failures)), "one that delivers it")
    return folder


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):  # gzip first: it carries a checksum
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"neither {name}.gz nor {name} is in {folder}: mnist_download(folder) fetches the MNIST files"
    )
