"""IDX, the file format of MNIST: a header of big-endian integers, then the array in C order.

    offset  bytes  what
    0       2      zero
    2       1      data type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
    3       1      number of dimensions d
    4       4·d    the d sizes, unsigned 32-bit
    4+4·d   …      the values, big-endian

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "The IDX file format".

The header decides how much is read, never the file: a gzip file of a few kilobytes can hold gigabytes of zeros.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchgen.data.dataset import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 4
_CHUNK = 1 << 16


def read_idx(path: str | os.PathLike[str], max_bytes: int = 1 << 26) -> NDArray[Any]:
    """The array in an IDX file, plain or gzip (told apart by content: some browsers unpack but keep the `.gz`).

    max_bytes: the largest array accepted, and so the memory used; the default, 64 MiB, admits every MNIST file.
    Returns a writeable array in the machine's byte order.

    Raises DataError for anything that is not exactly one IDX array, OSError if the file cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1]) + (3).to_bytes(4, "big") + bytes([5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = Path(path)
    with open(path, "rb") as plain:
        is_gzip = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not is_gzip:
            return _read_array(plain, path, max_bytes)
        try:
            with gzip.GzipFile(fileobj=plain) as unpacked:
                return _read_array(unpacked, path, max_bytes)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(path, "gzip stream", f"{type(error).__name__}: {error}", "a whole one") from error


def _read_array(file: BufferedIOBase, path: Path, max_bytes: int) -> NDArray[Any]:
    magic = _read_up_to(file, 4)
    if len(magic) < 4:
        raise DataError(path, "length", f"{len(magic)} bytes", "at least the 4 bytes of the magic number")
    if magic[:2] != b"\0\0":
        raise DataError(path, "magic number", f"0x{magic.hex()}", "0x0000 and two bytes: this is no IDX file")
    code, ndim = magic[2], magic[3]
    if code not in _TYPES:
        raise DataError(path, "data type code", f"0x{code:02x}", ", ".join(f"0x{known:02x}" for known in _TYPES))
    if not 1 <= ndim <= _MAX_DIMENSIONS:
        raise DataError(path, "number of dimensions", ndim, f"1 to {_MAX_DIMENSIONS}")

    sizes = _read_up_to(file, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(path, "header length", f"{4 + len(sizes)} bytes", f"{4 + 4 * ndim} for {ndim} dimensions")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * ndim, 4))
    if 0 in shape:
        raise DataError(path, "shape", shape, "sizes of at least 1")

    dtype = np.dtype(_TYPES[code])
    length = math.prod(shape) * dtype.itemsize  # a Python integer: no overflow
    if length > max_bytes:
        raise DataError(path, "data length", f"{length} bytes for shape {shape}", f"at most max_bytes={max_bytes}")
    # One byte more than promised: it shows trailing bytes, and takes gzip to its end, where it checks its CRC.
    data = _read_up_to(file, length + 1)
    if len(data) != length:
        got = f"{len(data)} bytes" if len(data) < length else "more: bytes trail the array"
        raise DataError(path, "data length", got, f"{length} bytes for shape {shape} of {dtype.name}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_up_to(file: BufferedIOBase, length: int) -> bytearray:
    """At most `length` bytes; memory grows with what is really there, not with what the header claims."""
    data = bytearray()
    while len(data) < length and (chunk := file.read(min(_CHUNK, length - len(data)))):
        data += chunk
    return data
