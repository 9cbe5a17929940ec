"""A damaged checkpoint is refused with CheckpointError: it never loads as different arrays and raises nothing else.

Each kind of damage is a function (rng, content) -> damaged content. The fast tests draw a few hundred damaged files in
all, the slow ones 4,000 of each kind, and every truncation and every single-bit flip there is.
"""

import copy
import hashlib
import json
import math
import operator
import struct
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest

from scratchgen import checkpoint

Damage = Callable[[np.random.Generator, bytes], bytes]
META = {"step": 1000, "rng": np.random.default_rng(0).bit_generator.state, "name": "vae", "losses": [101.5, 100.25]}
SLOW_COUNT = 4000


def saved_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "encoder.0.W": rng.normal(size=(7, 5)).astype(np.float32),
        "encoder.0.b": np.zeros(5, np.float32),
        "step": np.array(1000),
        "decoder.0.W": rng.normal(size=(5, 7)).astype(np.float32),
        "mask": rng.random(11) < 0.5,
        "nothing": np.empty((0, 3), np.float32),
        "labels": rng.integers(0, 256, 64, np.uint8),
    }


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return make_content(tmp_path)


def make_content(folder: Path) -> bytes:
    checkpoint.save(folder / "good.ckpt", saved_arrays(), META)
    return (folder / "good.ckpt").read_bytes()


def opens_as_saved(path: Path, may_miss: Collection[str] = ()) -> bool:
    """True if the arrays are those that were saved, False if the file is refused; anything else fails the test."""
    try:
        arrays, _ = checkpoint.load(path)
    except checkpoint.CheckpointError as error:
        assert error.path == str(path) and error.field and str(error)
        return False
    saved = saved_arrays()
    assert arrays.keys() | set(may_miss) == saved.keys()
    for name in arrays:
        array = saved[name]
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()
    return True


# ── Damage to the bytes: every byte of the file is covered, so every change must be noticed ──


def span(rng: np.random.Generator, content: bytes) -> tuple[int, int]:
    """The ends of a piece, of a length from 1 to that of the file, the short ones as likely as the long ones."""
    length = int(np.exp(rng.uniform(0, np.log(len(content)))))
    start = int(rng.integers(0, len(content) - length + 1))
    return start, start + length


def flip_bits(rng: np.random.Generator, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def truncate(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: rng.integers(len(content))]


def insert(rng: np.random.Generator, content: bytes) -> bytes:
    at = int(rng.choice([0, len(content), rng.integers(len(content) + 1)], p=[0.1, 0.1, 0.8]))
    return content[:at] + rng.bytes(int(rng.integers(1, 20))) + content[at:]


def delete(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = span(rng, content)
    return content[:start] + content[end:]


def repeat(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = span(rng, content)
    return content[:end] + content[start:end] + content[end:]


def swap(rng: np.random.Generator, content: bytes) -> bytes:
    """Two neighbouring pieces change places."""
    a, b, c = sorted(int(i) for i in rng.integers(0, len(content) + 1, 3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def zero(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = span(rng, content)
    return content[:start] + bytes(end - start) + content[end:]


def garble(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = span(rng, content)
    return content[:start] + rng.bytes(end - start) + content[end:]


def zero_tail(rng: np.random.Generator, content: bytes) -> bytes:
    """What a power cut leaves when the length of a file reached the disk and its content did not."""
    at = int(rng.integers(len(content)))
    return content[:at] + bytes(len(content) - at)


BYTE_DAMAGE: list[Damage] = [flip_bits, truncate, insert, delete, repeat, swap, zero, garble, zero_tail]


def check_byte_damage(folder: Path, damage: Damage, count: int) -> None:
    content = make_content(folder)
    rng = np.random.default_rng(hash_of(damage))
    path, changed = folder / "damaged.ckpt", 0
    for _ in range(count):
        damaged = damage(rng, content)
        path.write_bytes(damaged)
        assert opens_as_saved(path) == (damaged == content), f"{damage.__name__} was not noticed"
        changed += damaged != content
    assert changed > 0.8 * count


def hash_of(damage: Damage) -> int:
    return int.from_bytes(hashlib.sha256(damage.__name__.encode()).digest()[:4], "little")


@pytest.mark.parametrize("damage", BYTE_DAMAGE)
def test_damaged_bytes_are_noticed(tmp_path, damage):
    check_byte_damage(tmp_path, damage, 40)


@pytest.mark.slow
@pytest.mark.parametrize("damage", BYTE_DAMAGE)
def test_damaged_bytes_are_noticed_thousands_of_times(tmp_path, damage):
    check_byte_damage(tmp_path, damage, SLOW_COUNT)


def check_every_byte(folder: Path) -> None:
    """Each byte inverted; each length from 0 up."""
    content = make_content(folder)
    path = folder / "damaged.ckpt"
    for i, byte in enumerate(content):
        path.write_bytes(content[:i] + bytes([byte ^ 0xFF]) + content[i + 1 :])
        assert not opens_as_saved(path), f"byte {i}"
        path.write_bytes(content[:i])
        assert not opens_as_saved(path), f"{i} bytes"


def test_every_byte_and_every_truncation_is_noticed(tmp_path):
    check_every_byte(tmp_path)


@pytest.mark.slow
def test_every_single_bit_is_noticed(tmp_path, content):
    path = tmp_path / "damaged.ckpt"
    for i in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[i // 8] ^= 1 << i % 8
        path.write_bytes(damaged)
        assert not opens_as_saved(path), f"bit {i}"


# ── Damage to the header whose checksum is then made right again ──

JUNK = [None, True, False, -1, 0, 1, 7, 2**31, 2**62, 2**63, 2**64, 10**30, 0.5, 1e308, "", "W", "encoder.0.W", "mask"]
JUNK += ["object", "|O", "float32", "float64", "int32", "uint8", "bool", "float128", [], [0], [-1], [5], [5, 7], [7, 5]]
JUNK += [[2**40, 2**40], [1] * 70, {}, {"name": "x"}, [[[[]]]]]


def with_header(content: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    """The file with its header edited, the header's length and checksum made right."""
    (length,) = struct.unpack_from("<Q", content, 8)
    text = edit(content[48 : 48 + length])
    return struct.pack("<8sQ32s", content[:8], len(text), hashlib.sha256(text).digest()) + text + content[48 + length :]


def edit_text(rng: np.random.Generator, content: bytes) -> bytes:
    """A byte of the JSON text replaced, inserted or deleted."""

    def edit(text: bytes) -> bytes:
        at = int(rng.integers(len(text)))
        with_what = rng.choice([b"", b" ", b"0", b"1", b"9", b"-", b".", b"e", b'"', b",", b"]", b"}", b"\\", b"\xff"])
        return text[:at] + with_what + text[at + int(rng.integers(2)) :]

    return with_header(content, edit)


def edit_values(rng: np.random.Generator, content: bytes) -> bytes:
    """One to three values of the header replaced by junk, removed, doubled or put in another order."""

    def edit(text: bytes) -> bytes:
        header = json.loads(text)
        for _ in range(rng.integers(1, 4)):
            change_one(rng, header)
        return json.dumps(header).encode()

    return with_header(content, edit)


def change_one(rng: np.random.Generator, node: dict | list) -> None:
    """Walk down at random and change something on the way."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = keys[rng.integers(len(keys))]
    if isinstance(node[key], dict | list) and rng.random() < 0.8:
        return change_one(rng, node[key])
    action = rng.integers(4)
    if action == 0:
        node[key] = copy.deepcopy(JUNK[rng.integers(len(JUNK))])
    elif action == 1:
        del node[key]
    elif action == 2 and isinstance(node, list):
        node.insert(int(rng.integers(len(node) + 1)), copy.deepcopy(node[key]))
    else:
        other = keys[rng.integers(len(keys))]
        node[key], node[other] = node[other], node[key]


def edit_consistently(rng: np.random.Generator, content: bytes) -> bytes:
    """A field of an entry changed to another possible one: only the checksum of the array can tell."""

    def edit(text: bytes) -> bytes:
        header = json.loads(text)
        entries = header["arrays"]
        i, j = rng.choice([i for i, entry in enumerate(entries) if 0 not in entry["shape"]], 2, replace=False)
        same_size = [["float32", "int32", "uint32"], ["int64", "float64", "uint64"], ["bool", "uint8", "int8"]]
        action = rng.integers(4)
        if action == 0:  # the shapes of the example are not squares
            entries[i]["shape"] = (
                entries[i]["shape"][::-1] if len(entries[i]["shape"]) > 1 else [*entries[i]["shape"], 1]
            )
        elif action == 1:
            (group,) = (group for group in same_size if entries[i]["dtype"] in group)
            entries[i]["dtype"] = rng.choice([dtype for dtype in group if dtype != entries[i]["dtype"]])
        elif action == 2:
            entries[i]["name"], entries[j]["name"] = entries[j]["name"], entries[i]["name"]
        else:
            entries[i]["name"] += "'"
        return json.dumps(header).encode()

    return with_header(content, edit)


HEADER_DAMAGE: list[Damage] = [edit_text, edit_values, edit_consistently]


def check_header_damage(folder: Path, damage: Damage, count: int) -> None:
    """Arrays that load are right. No second checksum covers meta, or notices that an array without bytes is missing."""
    content = make_content(folder)
    rng = np.random.default_rng(hash_of(damage))
    refused = 0
    for _ in range(count):
        (folder / "damaged.ckpt").write_bytes(damage(rng, content))
        refused += not opens_as_saved(folder / "damaged.ckpt", may_miss=["nothing"])
    assert refused > 0.4 * count
    if damage is edit_consistently:
        assert refused == count


@pytest.mark.parametrize("damage", HEADER_DAMAGE)
def test_an_edited_header_is_noticed(tmp_path, damage):
    check_header_damage(tmp_path, damage, 60)


@pytest.mark.slow
@pytest.mark.parametrize("damage", HEADER_DAMAGE)
def test_an_edited_header_is_noticed_thousands_of_times(tmp_path, damage):
    check_header_damage(tmp_path, damage, SLOW_COUNT)


# ── Every checksum made right again: another file, but still one exception type and no more memory than its size ──


def forge(rng: np.random.Generator, content: bytes) -> bytes:
    """Entries changed at random, and each given the checksum of the bytes at its place."""
    damaged = edit_values(rng, content)
    (length,) = struct.unpack_from("<Q", damaged, 8)
    data = damaged[48 + length :]

    def edit(text: bytes) -> bytes:
        header = json.loads(text)
        offset = 0
        for entry in header["arrays"] if isinstance(header.get("arrays"), list) else []:
            try:
                described = {key: entry[key] for key in ("name", "dtype", "shape")}
                lengths = [operator.index(length) for length in entry["shape"]]
                end = offset + math.prod(lengths) * np.dtype(entry["dtype"]).itemsize
            except (KeyError, TypeError, ValueError):
                continue
            entry["sha256"] = hashlib.sha256(json.dumps(described).encode() + data[offset:end]).hexdigest()
            entry["offset"], offset = offset, end
        return json.dumps(header).encode()

    return with_header(damaged, edit)


def check_forged(folder: Path, count: int) -> None:
    content = make_content(folder)
    rng = np.random.default_rng(5)
    loaded = 0
    for _ in range(count):
        damaged = forge(rng, content)
        (folder / "forged.ckpt").write_bytes(damaged)
        try:
            arrays, _ = checkpoint.load(folder / "forged.ckpt")
        except checkpoint.CheckpointError:
            continue
        assert sum(array.nbytes for array in arrays.values()) < len(damaged)
        assert all(array.dtype.name in checkpoint.DTYPES for array in arrays.values())
        loaded += 1
    assert 0 < loaded < count


def test_a_forged_file_raises_nothing_else(tmp_path):
    check_forged(tmp_path, 60)


@pytest.mark.slow
def test_thousands_of_forged_files_raise_nothing_else(tmp_path):
    check_forged(tmp_path, SLOW_COUNT)
