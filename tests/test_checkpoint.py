"""What is saved comes back bit for bit, what cannot be saved is refused, and no small file can ask for much memory."""

import hashlib
import json
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgen import checkpoint

PREAMBLE_SIZE = 8 + 8 + 32


def build(header: object, data: bytes = b"") -> bytes:
    """A file as the module docstring draws it, its header checksum right, whatever the header says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<8sQ32s", b"\x89SGCK1\r\n", len(text), hashlib.sha256(text).digest()) + text + data


def describe(name: object, dtype: object, shape: object, offset: object, data: bytes) -> dict[str, object]:
    """A header entry whose checksum is right, whatever the fields say."""
    described = {"name": name, "dtype": dtype, "shape": shape}
    checksum = hashlib.sha256(json.dumps(described).encode() + data).hexdigest()
    return {**described, "offset": offset, "sha256": checksum}


def little_endian_bytes(array: np.ndarray) -> bytes:
    """The elements in C order; byteswap moves bytes only, so the payload of a NaN cannot change on the way."""
    little = array if array.dtype == array.dtype.newbyteorder("<") else array.byteswap()
    return little.tobytes(order="C")


def assert_same(loaded: dict[str, np.ndarray], saved: dict[str, np.ndarray]) -> None:
    assert list(loaded) == list(saved)
    for name, array in saved.items():
        assert type(loaded[name]) is np.ndarray
        assert loaded[name].shape == array.shape
        assert loaded[name].dtype == array.dtype.newbyteorder("=")
        assert little_endian_bytes(loaded[name]) == little_endian_bytes(array)
        assert loaded[name].flags.writeable and loaded[name].flags.c_contiguous


def assert_refused(path: Path, content: bytes, field: str, *words: str) -> checkpoint.CheckpointError:
    path.write_bytes(content)
    with pytest.raises(checkpoint.CheckpointError) as caught:
        checkpoint.load(path)
    assert caught.value.field == field
    for word in (str(path), *words):
        assert word in str(caught.value)
    return caught.value


def examples() -> dict[str, np.ndarray]:
    """Every kind of array that a save has got wrong somewhere."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 7, 3))
    nans = np.array([0x7FF0000000000001, 0xFFF8000000000123, 0x8000000000000000], np.uint64).view(np.float64)
    return {
        "float32": x.astype(np.float32),
        "transposed": x.T,
        "reversed": x[::-1, ::2],
        "Fortran": np.asfortranarray(x),
        "broadcast": np.broadcast_to(x[0], (2, 7, 3)),
        "big-endian": x.astype(">f8"),
        "big-endian int": np.arange(5, dtype=">i2"),
        "signalling NaN, payload, -0": nans,
        "signalling NaN, big-endian": nans.byteswap().view(">f8"),
        "infinite": np.array([np.inf, -np.inf, np.nan, 5e-324], np.float64),
        "0-d": np.array(3.5, np.float32),
        "scalar": np.int64(2**62 + 1),  # type: ignore[dict-item]
        "empty": np.empty((0, 4), np.float32),
        "empty at the end": np.empty((3, 0), bool),
        "bool": x > 0,
        "complex": (x + 1j * x[::-1]).astype(np.complex64),
        "float16": x.astype(np.float16),
        "read-only": np.frombuffer(b"abcdefgh", np.uint8),
        '名前 \x00\n"\\': np.arange(3, dtype=np.uint64) + 2**63,
        "": np.arange(4, dtype=np.int8),
    }


# ── Round trips ──


def test_every_kind_of_array_comes_back_bit_for_bit(tmp_path):
    checkpoint.save(tmp_path / "a.ckpt", examples())
    arrays, meta = checkpoint.load(tmp_path / "a.ckpt")
    assert_same(arrays, {name: np.asarray(array) for name, array in examples().items()})
    assert meta == {}


@st.composite
def raw_arrays(draw: st.DrawFn) -> np.ndarray:
    """Any bits (signalling NaNs, bools that are neither 0 nor 1) in any layout."""
    dtype = np.dtype(draw(st.sampled_from(checkpoint.DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    count = int(np.prod(shape, dtype=int))
    array = np.frombuffer(draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize)), dtype)
    array = array.reshape(shape).transpose(draw(st.permutations(range(len(shape)))))
    return array[tuple(slice(None, None, draw(st.sampled_from([1, -1, 2]))) for _ in shape)]


@settings(max_examples=150)
@given(st.dictionaries(st.text(max_size=5), raw_arrays(), max_size=4))
def test_any_arrays_come_back_bit_for_bit(arrays):
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder + "/a.ckpt", arrays)
        assert_same(checkpoint.load(folder + "/a.ckpt")[0], arrays)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_meta_comes_back_exactly(meta):
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder + "/a.ckpt", {}, meta)
        assert repr(checkpoint.load(folder + "/a.ckpt")[1]) == repr(meta)  # == takes True for 1 and -0.0 for 0


def test_random_state_continues_where_it_was(tmp_path):
    rng = np.random.default_rng(3)
    rng.normal(size=11)
    state = rng.bit_generator.state
    assert state["state"]["state"] > 2**64  # more than a float or an int64 keeps
    checkpoint.save(tmp_path / "a.ckpt", {}, {"rng": state})
    other = np.random.default_rng()
    other.bit_generator.state = checkpoint.load(tmp_path / "a.ckpt")[1]["rng"]
    np.testing.assert_array_equal(other.normal(size=100), rng.normal(size=100))


def test_loaded_arrays_are_our_own(tmp_path):
    checkpoint.save(tmp_path / "a.ckpt", {"x": np.zeros(3), "y": np.zeros(3)})
    arrays, _ = checkpoint.load(tmp_path / "a.ckpt")
    arrays["x"] += 1
    assert arrays["y"].sum() == 0 and checkpoint.load(tmp_path / "a.ckpt")[0]["x"].sum() == 0


def test_the_bytes_are_those_of_the_docstring(tmp_path):
    """Built by hand, so that a file saved today can be read by every later version."""
    arrays = {"W": np.arange(6, dtype=np.float32).reshape(2, 3).T, "step": np.array(7, ">i2"), "none": np.empty((0, 2))}
    first, second = struct.pack("<6f", 0, 3, 1, 4, 2, 5), struct.pack("<h", 7)
    entries = [
        describe("W", "float32", [3, 2], 0, first),
        describe("step", "int16", [], 24, second),
        describe("none", "float64", [0, 2], 26, b""),
    ]
    by_hand = build({"arrays": entries, "meta": {"epoch": 1}}, first + second)
    checkpoint.save(tmp_path / "a.ckpt", arrays, {"epoch": 1})
    assert (tmp_path / "a.ckpt").read_bytes() == by_hand
    assert hashlib.sha256(by_hand).hexdigest() == "b71b3e9c218829212d24c17dea970ed936561554e01181644833371478728b41"


# ── What cannot be saved ──

surrogates = "\ud83d\ude00"  # two halves, which JSON would join into one character
nested: list = []
nested.append(nested)
deep: list = []
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize(
    ("arrays", "field", "word"),
    [
        ({"o": np.array([None])}, "arrays['o'].dtype", "object"),
        ({"s": np.array(["a"])}, "arrays['s'].dtype", "str"),
        ({"t": np.array(["2020"], "datetime64[D]")}, "arrays['t'].dtype", "datetime64"),
        ({"v": np.zeros(2, [("a", "f4")])}, "arrays['v'].dtype", "void"),
        ({"x": np.zeros(1), "list": [1, 2]}, "arrays['list']", "np.asarray"),
        ({"float": 1.0}, "arrays['float']", "meta"),
        ({"masked": np.ma.masked_array([1, 2], [0, 1])}, "arrays['masked']", "MaskedArray"),
        ({"None": None}, "arrays['None']", "NoneType"),
        ({3: np.zeros(1)}, "arrays[3]", "int"),
        ({surrogates: np.zeros(1)}, f"arrays[{surrogates!r}]", "valid string"),
        ([np.zeros(1)], "arrays", "list"),
    ],
)
def test_what_is_no_plain_array_is_refused(tmp_path, arrays, field, word):
    with pytest.raises(checkpoint.CheckpointError) as caught:
        checkpoint.save(tmp_path / "a.ckpt", arrays)
    assert caught.value.field == field and word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (float("nan"), "float (Out of range"),
        ([1.0, {"a": -float("inf")}], "list (Out of range"),
        (np.float64("nan"), "float64 (Out of range"),
        ((1, 2), "(1, 2)"),
        ({"sizes": [(1, 2)]}, "(1, 2)"),
        ({1: "a"}, "{1: 'a'}"),
        (np.int64(3), "int64"),
        (np.zeros(3), "ndarray"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (surrogates, "would change"),
        (nested, "Circular"),
        (deep, "recursion"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_would_lose_is_refused(tmp_path, value, word):
    with pytest.raises(checkpoint.CheckpointError) as caught:
        checkpoint.save(tmp_path / "a.ckpt", {}, {"step": 1, "config": value})
    assert caught.value.field == "meta['config']" and word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_meta_is_a_dict_with_string_keys(tmp_path):
    for meta, field in (([1], "meta"), ({1: 2}, "meta[1]"), ({None: 2}, "meta[None]")):
        with pytest.raises(checkpoint.CheckpointError) as caught:
            checkpoint.save(tmp_path / "a.ckpt", {}, meta)
        assert caught.value.field == field


def test_a_header_that_load_would_refuse_is_not_written(tmp_path):
    with pytest.raises(checkpoint.CheckpointError, match=r"header length.*as arrays"):
        checkpoint.save(tmp_path / "a.ckpt", {}, {"losses": [0.123456789] * 500_000})
    assert list(tmp_path.iterdir()) == []


# ── What cannot be loaded ──


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (pickle.dumps({"W": 1}), "a pickle"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"W = 1\n", "got text"),
        (b"\x93NUMPY\x01\x00", "an npy file"),
        (b"", "got the bytes b''"),
        (b"\xff\x00\x01", "got the bytes b'\\xff"),
        (b"\x89SGCK2\r\n" + bytes(100), "another format version"),
    ],
)
def test_a_file_of_another_kind_is_recognised(tmp_path, content, word):
    assert_refused(tmp_path / "a.ckpt", content, "magic", word, "scratchgen.checkpoint.save")


def test_an_npz_and_a_zip_file_are_recognised(tmp_path):
    np.savez(tmp_path / "a.npz", W=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    for name, word in (("a.npz", "an npz file"), ("a.zip", "a zip file")):
        assert_refused(tmp_path / name, (tmp_path / name).read_bytes(), "magic", word)


def header_of(*entries: object, **more: object) -> dict[str, object]:
    return {"arrays": list(entries), "meta": {}, **more}


W = describe("W", "float32", [2], 0, bytes(8))

IMPOSSIBLE = {
    "two of a name": (header_of(W, describe("W", "float32", [2], 8, bytes(8))), bytes(16), "arrays['W']"),
    "object dtype": (header_of(describe("W", "object", [1], 0, bytes(8))), bytes(8), "arrays['W'].dtype"),
    "dtype code": (header_of(describe("W", "|O", [1], 0, bytes(8))), bytes(8), "arrays['W'].dtype"),
    "overlap": (header_of(W, describe("V", "float32", [2], 0, bytes(8))), bytes(8), "file length"),
    "overlap and filler": (header_of(W, describe("V", "float32", [2], 0, bytes(8))), bytes(16), "arrays['V'].offset"),
    "gap": (header_of(describe("W", "float32", [2], 4, bytes(8))), bytes(8), "arrays['W'].offset"),
    "trailing byte": (header_of(W), bytes(9), "file length"),
    "missing byte": (header_of(W), bytes(7), "file length"),
    "negative length": (header_of(describe("W", "float32", [-2, -1], 0, bytes(8))), bytes(8), "arrays['W'].shape"),
    "length -1": (header_of(describe("W", "float32", [-1], 0, bytes(8))), bytes(8), "arrays['W'].shape"),
    "float length": (header_of(describe("W", "float32", [2.0], 0, bytes(8))), bytes(8), "arrays['W'].shape"),
    "bool length": (header_of(describe("W", "float64", [True], 0, bytes(8))), bytes(8), "arrays['W'].shape"),
    "65 dimensions": (header_of(describe("W", "float64", [1] * 65, 0, bytes(8))), bytes(8), "arrays['W'].shape"),
    "no checksum": (header_of({**W, "sha256": None}), bytes(8), "arrays['W'].sha256"),
    "not an object": (header_of(3), b"", "arrays[0]"),
    "name not a string": (header_of(describe(None, "float32", [2], 0, bytes(8))), bytes(8), "arrays[0]"),
    "arrays not a list": ({"arrays": {}, "meta": {}}, b"", "header"),
    "meta not an object": ({"arrays": [], "meta": []}, b"", "header"),
    "no meta": ({"arrays": []}, b"", "header"),
    "not JSON": (b"{", b"", "header"),
    "not UTF-8": (b'{"arrays": [], "meta": {"\xff": 1}}', b"", "header"),
    "UTF-16": ('{"arrays": [], "meta": {}}'.encode("utf-16"), b"", "header"),
    "NaN": (b'{"arrays": [], "meta": {"x": NaN}}', b"", "header"),
    "infinite": (b'{"arrays": [], "meta": {"x": 1e999}}', b"", "header"),
    "key twice": (b'{"arrays": [], "meta": {"x": 1, "x": 2}}', b"", "header"),
    "arrays twice": (b'{"arrays": [], "arrays": [], "meta": {}}', b"", "header"),
    "integer without end": (b'{"arrays": [], "meta": {"x": ' + b"9" * 100_000 + b"}}", b"", "header"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_an_impossible_header_is_refused_though_its_checksums_are_right(tmp_path, kind):
    header, data, field = IMPOSSIBLE[kind]
    assert_refused(tmp_path / "a.ckpt", build(header, data), field, "another copy")


def test_the_files_built_by_hand_are_otherwise_right(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(build(header_of(W), bytes(8)))
    assert_same(checkpoint.load(tmp_path / "a.ckpt")[0], {"W": np.zeros(2, np.float32)})


def test_missing_folder_device_and_impossible_paths(tmp_path):
    for path, word in (
        (tmp_path / "none.ckpt", "Check the path"),
        (tmp_path, "a folder"),
        ("", "Check the path"),
        ("a\0b", "null"),
    ):
        with pytest.raises(checkpoint.CheckpointError, match=word) as caught:
            checkpoint.load(path)
        assert caught.value.field == "file" and caught.value.path == str(path)


def test_the_system_may_refuse_to_read(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    checkpoint.save(tmp_path / "a.ckpt", {})
    monkeypatch.setattr(checkpoint, "open", refuse, raising=False)
    with pytest.raises(checkpoint.CheckpointError, match=r"Permission denied.*Check the path"):
        checkpoint.load(tmp_path / "a.ckpt")


def test_the_error_survives_pickling_and_keeps_its_message_short():
    error = checkpoint.CheckpointError("a.ckpt", "magic", "x" * 10_000, "y", "Do this.")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) and len(str(error)) < 300
    assert (copy.path, copy.field, copy.expected, copy.advice) == ("a.ckpt", "magic", "y", "Do this.")


# ── Bombs: small files that ask for much memory ──


def peak_memory(path: Path) -> tuple[int, str]:
    """The most that load held at a time, in bytes, and the field that it complained about."""
    tracemalloc.start()
    try:
        checkpoint.load(path)
        field = ""
    except checkpoint.CheckpointError as error:
        field = error.field
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, field


many = [describe(str(i), "float64", [10_000], 0, bytes(80_000)) for i in range(200)]
BOMBS = {
    "header length": (struct.pack("<8sQ32s", b"\x89SGCK1\r\n", 2**27, bytes(32)) + bytes(1000), "header length"),
    "header length 2^63": (struct.pack("<8sQ32s", b"\x89SGCK1\r\n", 2**63, bytes(32)) + bytes(1000), "header length"),
    "one array": (build(header_of(describe("W", "float64", [2**24], 0, bytes(8))), bytes(8)), "file length"),
    "product": (build(header_of(describe("W", "uint8", [2**16, 2**16], 0, bytes(8))), bytes(8)), "file length"),
    "product that wraps to 0": (build(header_of(describe("W", "uint8", [2**32] * 2, 0, b"")), b""), "file length"),
    "empty but vast": (build(header_of(describe("W", "float64", [0, 2**62], 0, b"")), b""), "file"),
    "the same bytes 200 times": (build(header_of(*many), bytes(80_000)), "file length"),
    "last of many": (build(header_of(W, describe("V", "int8", [2**40], 8, b"")), bytes(8)), "file length"),
    "deep": (build(b"[" * 100_000), "header"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_anything_is_allocated(tmp_path, kind):
    content, field = BOMBS[kind]
    (tmp_path / "a.ckpt").write_bytes(content)
    peak, complaint = peak_memory(tmp_path / "a.ckpt")
    assert peak < 20 * len(content) + 100_000
    assert complaint == field


def test_a_header_of_the_greatest_length_is_bounded_too(tmp_path):
    """Forty times its length; measured with a shorter one, for a million objects take seconds to count."""
    assert checkpoint.MAX_HEADER == 2**22
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "MAX_HEADER", 2**18)
        text = b'{"arrays": [], "meta": {"x": [' + b"[], " * 2**16
        text = text[: checkpoint.MAX_HEADER - 6] + b"[]]}}"
        (tmp_path / "a.ckpt").write_bytes(build(text[: checkpoint.MAX_HEADER]))
        assert peak_memory(tmp_path / "a.ckpt")[0] < 40 * checkpoint.MAX_HEADER
    with open(
        tmp_path / "a.ckpt", "wb"
    ) as file:  # as long as it says, and on most file systems without using the space
        file.write(struct.pack("<8sQ32s", b"\x89SGCK1\r\n", 2**26, bytes(32)))
        file.truncate(2**26 + PREAMBLE_SIZE)
    peak, field = peak_memory(tmp_path / "a.ckpt")
    assert peak < 100_000 and field == "header length"


def test_loading_takes_no_more_memory_than_the_file(tmp_path):
    checkpoint.save(tmp_path / "a.ckpt", {str(i): np.zeros(250_000) for i in range(4)})
    assert peak_memory(tmp_path / "a.ckpt")[0] < (tmp_path / "a.ckpt").stat().st_size + 100_000
