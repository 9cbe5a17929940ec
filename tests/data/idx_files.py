"""IDX files for tests, written with `struct`, apart from the reader."""

import gzip
import struct
from pathlib import Path

import numpy as np

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, CODES[array.dtype.name], array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes(order="C")


def write_mnist(
    folder: Path, split: str, images: np.ndarray, labels: np.ndarray, packed: bool = False
) -> tuple[Path, Path]:
    prefix = {"train": "train", "test": "t10k"}[split]
    paths = folder / f"{prefix}-images-idx3-ubyte", folder / f"{prefix}-labels-idx1-ubyte"
    if packed:
        paths = paths[0].with_name(paths[0].name + ".gz"), paths[1].with_name(paths[1].name + ".gz")
    for path, array in zip(paths, (images, labels)):
        content = idx_bytes(array)
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return paths
