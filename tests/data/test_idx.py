"""The IDX reader returns what the format says, and refuses everything else without using memory for it."""

import gzip
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import DataError, read_idx
from tests.data.idx_files import CODES, idx_bytes

LABELS = np.array([5, 0, 4, 1, 9], np.uint8)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CODES)
def test_every_data_type_round_trips(tmp_path: Path, name: str, packed: bool) -> None:
    """Sizes 2, 3, 5, 7 and values that differ in every byte show a wrong order of bytes, axes or rows."""
    array = np.frombuffer(np.random.default_rng(0).bytes(210 * 8), np.uint64).reshape(2, 3, 5, 7)
    array = (array / 2**40).astype(name) if name.startswith("float") else array.astype(name)
    for ndim in (1, 2, 3, 4):
        part = array[(0,) * (4 - ndim)]
        content = idx_bytes(part)
        path = tmp_path / f"{ndim}"
        path.write_bytes(gzip.compress(content) if packed else content)
        read = read_idx(path)
        assert read.dtype == np.dtype(name) and read.dtype.isnative and read.flags.writeable
        np.testing.assert_array_equal(read, part, strict=True)


def test_the_bytes_of_the_format(tmp_path: Path) -> None:
    """Written out, so that reader and writer cannot share an error: two int16 rows, 258 = 0x0102."""
    path = tmp_path / "idx"
    path.write_bytes(bytes.fromhex("0000 0b02 00000002 00000001 0102 ffff"))
    assert read_idx(path).tolist() == [[258], [-1]]


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(idx_bytes(LABELS))
    (tmp_path / "packed").write_bytes(gzip.compress(idx_bytes(LABELS)))
    for name in ("plain.gz", "packed"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), LABELS)


GOOD = idx_bytes(LABELS)
DAMAGED = [
    (b"", "length", "0 bytes"),
    (GOOD[:3], "length", "3 bytes"),
    (GOOD[:6], "header length", "6 bytes, expected 8 for 1 dimensions"),
    (b"\0\0\x08\3" + bytes(9), "header length", "13 bytes, expected 16 for 3 dimensions"),
    (GOOD[:8], "data length", "0 bytes"),
    (GOOD[:-1], "data length", "4 bytes"),
    (GOOD + b"\0", "data length", "more"),
    (GOOD + GOOD, "data length", "more"),
    (b"\1" + GOOD[1:], "magic number", "0x01000801"),
    (struct.pack("<I", 0x0801) + GOOD[4:], "magic number", "0x01080000"),
    (b"\x93NUMPY", "magic number", "0x934e554d"),
    (b"PK\3\4" + GOOD, "magic number", "0x504b0304"),
    (b"\0\0\x0a" + GOOD[3:], "data type code", "0x0a"),
    (b"\0\0\x08\0" + GOOD[4:], "number of dimensions", "0"),
    (b"\0\0\x08\xff" + GOOD[4:], "number of dimensions", "255"),
    (b"\0\0\x08\5" + b"\0\0\0\1" * 5 + b"x", "number of dimensions", "5, expected 1 to 4"),
    (b"\0\0\x08\1" + bytes(4), "shape", r"(0,)"),
    (b"\0\0\x08\3" + bytes(4) + b"\xff" * 8, "shape", r"(0, 4294967295, 4294967295)"),
    (b"\0\0\x08\1" + b"\4\0\0\1" + GOOD[8:], "data length", "(67108865,), expected at most max_bytes=67108864"),
    (b"\0\0\x0e\1" + GOOD[4:], "data length", "5 bytes"),
    # 2^16 · 2^16 is 0 in 32 bits, 2^32 · 2^32 is 0 in 64.
    (b"\0\0\x08\2" + b"\0\1\0\0" * 2, "data length", "4294967296 bytes for shape (65536, 65536)"),
    (b"\0\0\x08\4" + b"\0\1\0\0" * 4, "data length", "18446744073709551616 bytes"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "field", "got"), DAMAGED)
def test_a_damaged_file_is_refused_by_field(tmp_path: Path, content: bytes, field: str, got: str, packed: bool) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=re.escape(got)) as caught:
        read_idx(path)
    assert (caught.value.source, caught.value.field) == (path, field)
    assert str(caught.value).startswith(f"{path}: {field}: got ")


PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PACKED[:2], id="cut after the magic number"),
        pytest.param(PACKED[:9], id="cut in the header"),
        pytest.param(PACKED[:-9], id="cut in the data"),
        pytest.param(PACKED[:-1], id="cut in the trailer"),
        pytest.param(PACKED[:-8] + bytes(4) + PACKED[-4:], id="wrong CRC"),
        pytest.param(PACKED[:-4] + bytes(4), id="wrong length"),
        pytest.param(PACKED[:10] + b"\xff" + PACKED[11:], id="wrong block type"),
        pytest.param(PACKED[:2] + b"\x07" + PACKED[3:], id="wrong method"),
        pytest.param(PACKED + b"trailing", id="more after the end"),
    ],
)
def test_a_damaged_gzip_stream_is_refused(tmp_path: Path, content: bytes) -> None:
    """For these, `gzip` raises three kinds of exception."""
    path = tmp_path / "damaged.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert caught.value.field == "gzip stream"


def peak_memory(path: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(header: bytes, megabytes: int) -> bytes:
    """A gzip stream of the header and then zeros, about a thousandth in size."""
    packer = zlib.compressobj(9, wbits=31)
    blocks = [packer.compress(header), *(packer.compress(bytes(1 << 20)) for _ in range(megabytes))]
    return b"".join(blocks) + packer.flush()


def test_a_gzip_bomb_takes_no_memory(tmp_path: Path) -> None:
    """100 MB behind a header that admits to 5 bytes: reading stops after the sixth."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb(GOOD[:8], 100))
    assert path.stat().st_size < 120_000
    assert peak_memory(path) < 1_000_000


def test_a_header_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    """67 MB claimed, the most that is allowed, and 5 bytes there."""
    path = tmp_path / "claims"
    path.write_bytes(b"\0\0\x08\1" + (1 << 26).to_bytes(4, "big") + bytes(5))
    assert peak_memory(path) < 1_000_000


def test_max_bytes_is_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(GOOD)
    assert len(read_idx(path, max_bytes=5)) == 5
    with pytest.raises(DataError, match=r"data length: got 5 bytes for shape .*, expected at most max_bytes=4"):
        read_idx(path, max_bytes=4)


def test_what_cannot_be_opened_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "missing")
    with pytest.raises((IsADirectoryError, PermissionError)):  # the latter on Windows
        read_idx(tmp_path)
