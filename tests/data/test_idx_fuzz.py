"""Thousands of damaged IDX files: each is refused with DataError, or is an IDX file and read as what it says.

A plain IDX file has no checksum, so damage can turn it into another valid one; `what_it_says`, a reader for bytes in
memory that is written apart, decides which. A gzip file has a CRC: there, nothing but the original array may come out.
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import DataError, mnist, read_idx
from tests.data.idx_files import idx_bytes, write_mnist

TYPES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}
MAX_BYTES = 1 << 20
SIZES = [0, 1, 2, 3, 4, 7, 8, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1]


def what_it_says(content: bytes) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Shape and values of an IDX file; None if it is none, or is empty, too large or of more than 4 dimensions."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or content[3] not in (1, 2, 3, 4):
        return None
    code, ndim = TYPES[content[2]], content[3]
    if len(content) < 4 + 4 * ndim:
        return None
    shape = struct.unpack_from(f">{ndim}I", content, 4)
    count = math.prod(shape)
    length = count * struct.calcsize(f">{code}")
    if not 0 < length <= MAX_BYTES or len(content) != 4 + 4 * ndim + length:
        return None
    return shape, struct.unpack_from(f">{count}{code}", content, 4 + 4 * ndim)


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three of: cut, flip a bit, set a byte, insert, delete, append, swap two blocks, set a header field."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 9))
        early = min(int(rng.integers(0, 24)), max(len(data) - 1, 0))  # the header deserves most of the attention
        match rng.integers(0, 9):
            case 0:
                del data[at:]
            case 1 if data:
                data[early] ^= 1 << rng.integers(0, 8)
            case 2 if data:
                data[min(at, len(data) - 1)] = rng.integers(0, 256)
            case 3:
                data[at:at] = rng.bytes(length)
            case 4:
                del data[at : at + length]
            case 5:
                data += rng.bytes(length)
            case 6:
                data[at : at + 2 * length] = data[at + length : at + 2 * length] + data[at : at + length]
            case 7:
                data[4 * length : 4 * length + 4] = struct.pack(">I", int(rng.choice(SIZES)))
            case 8 if len(data) >= 4:
                data[2:4] = int(rng.choice(list(TYPES))), int(rng.integers(0, 6))
    return bytes(data)


ORIGINALS = [
    np.arange(10, dtype=np.uint8),
    np.arange(210, dtype=np.uint8).reshape(2, 3, 5, 7),
    np.arange(-6, 6, dtype=np.int32).reshape(3, 4),
    np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
]


def check_plain(path: Path, content: bytes) -> bool:
    """Asserts that the reader and `what_it_says` agree on the content; whether it was accepted."""
    path.write_bytes(content)
    expected = what_it_says(content)
    try:
        array = read_idx(path, max_bytes=MAX_BYTES)
    except DataError:
        assert expected is None, content[:32].hex()
        return False
    assert expected is not None, content[:32].hex()
    assert array.shape == expected[0]
    np.testing.assert_array_equal(array.ravel(), expected[1])  # NaN equals NaN here: the bits are given
    return True


def check_packed(path: Path, content: bytes, original: np.ndarray) -> bool:
    """Asserts that the reader refuses the gzip file or finds the original array in it."""
    path.write_bytes(content)
    try:
        array = read_idx(path, max_bytes=MAX_BYTES)
    except DataError:
        return False
    np.testing.assert_array_equal(array, original, strict=True)
    return True


def fuzz(folder: Path, files: int) -> None:
    rng = np.random.default_rng(20)
    accepted = {"plain": 0, "packed": 0}
    for i in range(files // 2):
        original = ORIGINALS[i % len(ORIGINALS)]
        content = idx_bytes(original)
        accepted["plain"] += check_plain(folder / "plain", damage(content, rng))
        accepted["packed"] += check_packed(folder / "packed", damage(gzip.compress(content), rng), original)
    # The damage is neither all refused at the door nor all harmless.
    assert 0.01 < accepted["plain"] / (files // 2) < 0.5
    assert 0.001 < accepted["packed"] / (files // 2) < 0.5


def test_damaged_files(tmp_path: Path) -> None:
    fuzz(tmp_path, 2000)


@pytest.mark.slow
def test_many_damaged_files(tmp_path: Path) -> None:
    fuzz(tmp_path, 20_000)


def test_every_truncation_and_every_flipped_bit(tmp_path: Path) -> None:
    for original in ORIGINALS[0], ORIGINALS[2]:
        content = idx_bytes(original)
        packed = gzip.compress(content, mtime=0)
        for whole in (content, packed):
            for length in range(len(whole)):
                (tmp_path / "cut").write_bytes(whole[:length])
                with pytest.raises(DataError):
                    read_idx(tmp_path / "cut")
        for bit in range(8 * len(content)):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            check_plain(tmp_path / "plain", bytes(flipped))
        for bit in range(8 * len(packed)):
            flipped = bytearray(packed)
            flipped[bit // 8] ^= 1 << bit % 8
            check_packed(tmp_path / "packed", bytes(flipped), original)


def test_damaged_mnist_files(tmp_path: Path) -> None:
    """Either file damaged: DataError, or arrays of the promised dtype, shape and range, one label per image."""
    rng = np.random.default_rng(21)
    images = rng.integers(0, 256, (2, 28, 28)).astype(np.uint8)
    labels = np.array([3, 8], np.uint8)
    refused = 0
    for i in range(600):
        paths = write_mnist(tmp_path, "test", images, labels)
        paths[i % 2].write_bytes(damage(paths[i % 2].read_bytes(), rng))
        try:
            data = mnist(tmp_path, "test")
        except DataError:
            refused += 1
            continue
        assert data.images.dtype == data.labels.dtype == np.uint8
        assert data.images.shape == (len(data.labels), 28, 28) and data.labels.max() <= 9
    assert 300 < refused < 600
