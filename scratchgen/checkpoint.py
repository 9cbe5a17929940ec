"""Checkpoints: named arrays and a little JSON in one file that is either whole or refused.

A pickle runs code when it is opened, and an interrupted write leaves half a file. A checkpoint holds only data, a check
covers every byte of it, and it replaces the old one in a single step. The bytes of the file (integers little-endian):

    0         8          16                48              48 + n                        end of file
    ├─────────┼──────────┼─────────────────┼───────────────┼─────────┬─────────┬─────────┤
    │  magic  │ n (u64)  │ sha256 (header) │ header (JSON) │ array 0 │ array 1 │   ...   │
    └─────────┴──────────┴─────────────────┴───────────────┴─────────┴─────────┴─────────┘

    header    {"arrays": [{"name": "W", "dtype": "float32", "shape": [2, 3], "offset": 0, "sha256": "..."}, ...],
               "meta": {"step": 10}}
    array k   its elements in C order, little-endian, at 48 + n + offset: no gap, no overlap, nothing after the last

The sha256 of an array covers its name, dtype and shape too, so its bytes cannot be read as something else. Checksums
find accidents; they do not prove who wrote the file. The sizes in the header must add up to the length of the file
before any array is allocated, and the header is bounded, so a small file cannot ask for much memory.

A model, and an optimiser too, is saved by its state, and loaded into one that was made alike:

    save("vae.ckpt", model.state())
    arrays, meta = load("vae.ckpt")
    model.load_state(arrays)
"""

import hashlib
import json
import math
import os
import reprlib
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from .atomic import replacing

MAGIC = (
    b"\x89SGCK1\r\n"  # a byte that is not text, a name, the version, and a line end that a text-mode copy would change
)
PREAMBLE = struct.Struct("<8sQ32s")  # magic, length of the header, sha256 of the header
MAX_HEADER = 2**22  # bytes; the objects that json.loads makes of them can take some forty times as much
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
FOREIGN = {b"\x80": "a pickle", b"PK": "a zip file", b"\x93NUMPY": "an npy file", MAGIC[:5]: "another format version"}
DAMAGED = "The file is damaged: use another copy."


class CheckpointError(Exception):
    """A checkpoint cannot be saved (the old file is as it was) or loaded (nothing was loaded).

    Attributes: path, field (the part of the file, or the argument), got, expected, advice (what to do).

    >>> print(CheckpointError("vae.ckpt", "file length", 90, 120, DAMAGED))
    vae.ckpt: file length: got 90, expected 120. The file is damaged: use another copy.
    """

    def __init__(self, path: object, field: str, got: object, expected: object, advice: str = "") -> None:
        super().__init__(path, field, got, expected, advice)
        self.path, self.field, self.got, self.expected, self.advice = str(path), field, got, expected, advice

    def __str__(self) -> str:
        return f"{self.path}: {self.field}: got {self.got!s:.200}, expected {self.expected}. {self.advice}".rstrip()


def save(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None) -> None:
    """Write arrays (any shape, a dtype of `DTYPES`) and meta (JSON) to `path`, whole or not at all.

    The old file is replaced in a single step (see `atomic.replacing`): any failure, Ctrl-C too, leaves it as it was.
    meta comes back exactly, also the big integers in the state of a NumPy generator; NaN, inf and tuples are refused.

    Raises: CheckpointError if an argument cannot be stored or the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/vae.ckpt", {"b": np.zeros(3, np.float32)}, {"step": 10})
    ...     load(folder + "/vae.ckpt")
    ({'b': array([0., 0., 0.], dtype=float32)}, {'step': 10})
    """
    entries, blocks = _pack(path, arrays)
    header = _encode({"arrays": entries, "meta": _exact_json(path, {} if meta is None else meta)})
    if len(header) > MAX_HEADER:
        advice = "Keep long lists of numbers as arrays."
        raise CheckpointError(path, "header length", len(header), f"at most {MAX_HEADER}", advice)
    preamble = PREAMBLE.pack(MAGIC, len(header), hashlib.sha256(header).digest())
    with _system_errors(path, "a file that can be written"), replacing(path) as file:
        file.write(preamble + header)
        for block in blocks:
            file.write(block)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save` wrote: (arrays, meta); the arrays are writable and in this machine's byte order.

    Raises: CheckpointError if the file is missing, unreadable, damaged, too big for the memory, or not a checkpoint.

    >>> load("no-such-file")
    Traceback (most recent call last):
    scratchgen.checkpoint.CheckpointError: no-such-file: file: got ..., expected a file that can be read. Check ...
    """
    with _system_errors(path, "a file that can be read"):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("a folder or a device")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = _read_header(path, file, size)
            _check_sizes(path, header["arrays"], file.tell(), size)
            arrays: dict[str, np.ndarray] = {}
            offset = 0
            for entry in header["arrays"]:
                array = np.empty(entry["shape"], np.dtype(entry["dtype"]).newbyteorder("<"))
                file.readinto(_as_bytes(array))
                for key, found in _describe(entry["name"], array, offset).items():
                    if entry.get(key) != found:
                        raise CheckpointError(path, f"arrays[{entry['name']!r}].{key}", entry.get(key), found, DAMAGED)
                offset += array.nbytes
                arrays[entry["name"]] = array.astype(entry["dtype"], copy=False)
            return arrays, header["meta"]


@contextmanager
def _system_errors(path: object, expected: str) -> Iterator[None]:
    """What the system (OSError), the path (ValueError: a null character) or the memory refuse, as a CheckpointError."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:
        got = getattr(error, "strerror", None) or str(error) or type(error).__name__
        advice = "Check the path, the permissions and the space left."
        raise CheckpointError(path, "file", got, expected, advice) from error


def _pack(path: object, arrays: Mapping[str, np.ndarray]) -> tuple[list[dict[str, Any]], list[memoryview]]:
    """The header's entry and the bytes of every array."""
    if not isinstance(arrays, Mapping):
        raise CheckpointError(path, "arrays", type(arrays).__name__, "a dict")
    entries: list[dict[str, Any]] = []
    blocks: list[memoryview] = []
    offset = 0
    for name, array in arrays.items():
        field = f"arrays[{name!r}]"
        if not isinstance(name, str) or json.loads(_encode(name)) != name:  # surrogate halves would merge
            raise CheckpointError(path, field, f"a name of type {type(name).__name__}", "a valid string")
        if type(array) is not np.ndarray and not isinstance(array, np.generic):  # a masked array would lose its mask
            advice = "Give .data of a Tensor, np.asarray(...) of others; numbers may go into meta."
            raise CheckpointError(path, field, type(array).__name__, "a NumPy array", advice)
        if array.dtype.name not in DTYPES:
            advice = "Convert it with .astype(...)."
            raise CheckpointError(path, f"{field}.dtype", array.dtype.name, f"one of {DTYPES}", advice)
        array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")  # ascontiguousarray makes 0-d arrays 1-d
        entries.append(_describe(name, array, offset))
        blocks.append(_as_bytes(array))
        offset += array.nbytes
    return entries, blocks


def _exact_json(path: object, meta: Mapping[str, Any]) -> dict[str, Any]:
    """meta, if it survives JSON: a tuple would become a list, the key 1 a string, NaN an error in other readers."""
    if not isinstance(meta, Mapping):
        raise CheckpointError(path, "meta", type(meta).__name__, "a dict")
    for key, value in meta.items():
        try:
            changed = json.loads(_encode({key: value})) != {key: value}
            got = f"{reprlib.repr(value)}, which JSON would change" if changed else ""
        except (TypeError, ValueError, RecursionError) as error:
            got = f"{type(value).__name__} ({error})"
        if got:
            advice = "Use lists for tuples, None for NaN, .item() for NumPy scalars; arrays go into arrays."
            raise CheckpointError(path, f"meta[{key!r}]", got, "JSON", advice)
    return dict(meta)


def _read_header(path: object, file: BinaryIO, size: int) -> dict[str, Any]:
    """The header, its length, checksum and form checked; the file then stands where the arrays begin."""
    head = file.read(PREAMBLE.size)
    if not head.startswith(MAGIC):
        advice = "Give a file that scratchgen.checkpoint.save wrote."
        raise CheckpointError(path, "magic", _recognise(head), "a checkpoint", advice)
    if len(head) < PREAMBLE.size:
        raise CheckpointError(path, "file length", size, f"at least {PREAMBLE.size}", DAMAGED)
    _, length, checksum = PREAMBLE.unpack(head)
    limit = min(size - PREAMBLE.size, MAX_HEADER)
    if length > limit:
        raise CheckpointError(path, "header length", length, f"at most {limit}", DAMAGED)
    text = file.read(length)
    found = hashlib.sha256(text).digest()
    if found != checksum:
        raise CheckpointError(path, "header checksum", checksum.hex(), found.hex(), DAMAGED)
    try:
        header = json.loads(text)
        if _encode(header) == text:  # not so with a key given twice, a number like 1e999, or another encoding
            match header:
                case {"arrays": list(), "meta": dict()}:
                    return header
    except (ValueError, RecursionError):
        pass
    raise CheckpointError(path, "header", reprlib.repr(text), "the JSON that save writes", DAMAGED)


def _recognise(head: bytes) -> str:
    """What a file is that does not begin like ours."""
    for prefix, kind in FOREIGN.items():
        if head.startswith(prefix):
            return "an npz file" if b".npy" in head else kind
    is_text = head.isascii() and head.translate(None, b"\t\n\r").decode("ascii").isprintable()
    return "text" if head and is_text else f"the bytes {head[:8]!r}"


def _check_sizes(path: object, entries: list[Any], end: int, size: int) -> None:
    """Before anything is allocated: every entry is possible, and the arrays end with the file."""
    names: set[str] = set()
    for i, entry in enumerate(entries):
        match entry:
            case {"name": str(name), "dtype": str(dtype), "shape": list(shape)}:
                field = f"arrays[{name!r}]"
            case _:
                raise CheckpointError(path, f"arrays[{i}]", entry, "an object with name, dtype and shape", DAMAGED)
        if name in names:
            raise CheckpointError(path, field, "two arrays of this name", "one", DAMAGED)
        if dtype not in DTYPES:
            raise CheckpointError(path, f"{field}.dtype", dtype, f"one of {DTYPES}", DAMAGED)
        if len(shape) > 64 or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
            raise CheckpointError(path, f"{field}.shape", shape, "at most 64 lengths", DAMAGED)
        names.add(name)
        end += math.prod(shape) * np.dtype(dtype).itemsize
    if end != size:
        raise CheckpointError(path, "file length", size, end, DAMAGED)


def _describe(name: str, array: np.ndarray, offset: int) -> dict[str, Any]:
    """The header's entry for an array that is little-endian and in C order."""
    entry = {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
    checksum = hashlib.sha256(_encode(entry))
    checksum.update(_as_bytes(array))
    return {**entry, "offset": offset, "sha256": checksum.hexdigest()}


def _encode(value: object) -> bytes:
    return json.dumps(value, allow_nan=False).encode("ascii")


def _as_bytes(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array as plain bytes, a view; memoryview.cast cannot do complex or empty arrays."""
    return array.reshape(-1).view(np.uint8).data
