"""Errors planted in `scratchgen.data`: for each there is a test in tests/data that fails.

A plant is a piece of the source and what a slip of the hand could have made of it. The test named beside it is run on
the changed source and must fail; tests/data shows that it passes on the right one.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import test_digits, test_download, test_idx, test_idx_fuzz, test_mnist, test_scaling
from tests.data.loopback import Answer


@contextmanager
def planted(module_name: str, right: str, wrong: str, package: str = "scratchgen.data") -> Iterator[None]:
    """Inside, the module's source has `wrong` in the place of `right`, for all who imported from it too."""
    module = importlib.import_module(f"{package}.{module_name}")
    tests = f"tests.{package.removeprefix('scratchgen.')}"
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    old = dict(vars(module))
    exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), vars(module))
    swapped = [
        (user, name, old[name])
        for user_name, user in list(sys.modules.items())
        if user_name.startswith((package, tests)) and user is not module
        for name in vars(user).keys() & old.keys()
        if vars(user)[name] is old[name] and inspect.isfunction(old[name])
    ]
    for user, name, _ in swapped:
        setattr(user, name, vars(module)[name])
    try:
        yield
    finally:
        vars(module).update(old)
        for user, name, value in swapped:
            setattr(user, name, value)


Check = Callable[..., None]


def wrong_answer(name: str) -> Check:
    return partial(
        test_download.test_a_wrong_answer_leaves_no_file, **dict(zip(("answer", "message"), test_download.WRONG[name]))
    )


def slow_answer(then_wait: Callable[[Answer], object], message: str) -> Check:
    """Half the content, and then two seconds before the server gives up: with the limits kept, it is never seen to."""

    def answer(connection: Answer) -> None:
        connection.send(test_download.response(test_download.LENGTH) + test_download.HALF)
        then_wait(connection)

    return partial(test_download.test_a_wrong_answer_leaves_no_file, answer=answer, message=message)


def damaged_idx(content: bytes) -> Check:
    row = next(row for row in test_idx.DAMAGED if row[0] == content)
    return partial(
        test_idx.test_a_damaged_file_is_refused_by_field, **dict(zip(("content", "field", "got"), row)), packed=False
    )


def unfit_mnist(name: str) -> Check:
    row = dict(zip(("images", "labels", "culprit", "message"), test_mnist.UNFIT[name]))
    return partial(test_mnist.test_files_that_do_not_fit, **row)


digits_order = test_digits.test_the_parts_are_the_file_in_order_without_overlap
digits_repeat = test_digits.test_no_image_is_in_two_parts
digits_pairs = partial(test_digits.test_labels_belong_to_their_images, split="validation")
bits = partial(test_scaling.test_binarisation_is_equation_2, dtype=np.float32)
unit = partial(test_scaling.test_unit_scale_is_equation_1, levels=17)
every_type = partial(test_idx.test_every_data_type_round_trips, packed=False)
fuzz = test_idx_fuzz.test_damaged_files

PLANTS: dict[str, tuple[str, str, str, Check]] = {
    # The bundled digits.
    "validation begins an image early": ("digits", "slice(1000, 1350)", "slice(999, 1350)", digits_repeat),
    "test begins an image early": ("digits", "slice(1350, 1797)", "slice(1349, 1797)", digits_order),
    "test is the validation part": ("digits", "slice(1350, 1797)", "slice(1000, 1447)", digits_order),
    "the last image is lost": ("digits", '"test": slice(1350, 1797)', '"test": slice(1350, -1)', digits_order),
    "labels offset by one": ("digits", 'arrays["labels"][rows]', 'np.roll(arrays["labels"], 1)[rows]', digits_pairs),
    "labels of another part": (
        "digits",
        'arrays["labels"][rows]',
        'arrays["labels"][: len(arrays["images"][rows])]',
        digits_pairs,
    ),
    "images lie on their side": (
        "digits",
        'arrays["images"][rows]',
        'arrays["images"][rows].swapaxes(1, 2)',
        test_digits.test_the_first_image_is_a_zero_the_right_way_up,
    ),
    "checksum computed, not compared": (
        "digits",
        "checksum != _SHA256",
        "not checksum",
        partial(test_digits.test_another_file_is_refused, damage="other labels"),
    ),
    # Scaling.
    "17 levels divided by 17": ("scaling", "np.float32(levels - 1)", "np.float32(levels)", unit),
    "divided by 255, whatever the levels": ("scaling", "np.float32(levels - 1)", "np.float32(255)", unit),
    "divided by the largest of the batch": (
        "scaling",
        "np.float32(levels - 1)",
        "images.max()",
        test_scaling.test_unit_scale_does_not_depend_on_the_batch,
    ),
    "unit scale in float64": (
        "scaling",
        "images.astype(np.float32) / np.float32(levels - 1)",
        "images / (levels - 1)",
        unit,
    ),
    "binarised by a threshold": (
        "scaling",
        "random(images.shape, dtype=images.dtype)",
        "random(images.shape) * 0 + 0.5",
        bits,
    ),
    "binarised upside down": ("scaling", "dtype=images.dtype) < images)", "dtype=images.dtype) > images)", bits),
    "one draw for the whole image": (
        "scaling",
        "random(images.shape, dtype=images.dtype)",
        "random((len(images), 1), dtype=images.dtype)",
        bits,
    ),
    "bits become float64": ("scaling", "< images).astype(images.dtype)", "< images).astype(float)", bits),
    "NaN is in [0, 1]": (
        "scaling",
        "~((images >= 0) & (images <= 1))",
        "(images < 0) | (images > 1)",
        partial(
            test_scaling.test_binarisation_refuses,
            images=np.array([[0, np.nan], [np.nan, 1]]),
            rng=0,
            error=ValueError,
            message="images has nan",
        ),
    ),
    "label −1 counts from the end": (
        "scaling",
        "(labels < 0) | (labels >= classes)",
        "labels >= classes",
        partial(
            test_scaling.test_one_hot_refuses,
            labels=np.array([-1]),
            classes=3,
            error=ValueError,
            message="labels has -1",
        ),
    ),
    # IDX.
    "values little-endian": ("idx", '0x0B: ">i2"', '0x0B: "<i2"', test_idx.test_the_bytes_of_the_format),
    "sizes little-endian": (
        "idx",
        'sizes[i : i + 4], "big"',
        'sizes[i : i + 4], "little"',
        test_idx.test_the_bytes_of_the_format,
    ),
    "values left big-endian": (
        "idx",
        '.astype(dtype.newbyteorder("="), copy=False)',
        "",
        partial(every_type, name="int16"),
    ),
    "columns before rows": ("idx", ".reshape(shape)", '.reshape(shape, order="F")', partial(every_type, name="uint8")),
    "header a size short: values offset": (
        "idx",
        "_read_up_to(file, 4 * ndim)",
        "_read_up_to(file, 4 * ndim + 1)[:-1]",
        partial(every_type, name="uint8"),
    ),
    "item size forgotten": (
        "idx",
        "math.prod(shape) * dtype.itemsize",
        "math.prod(shape)",
        partial(every_type, name="int32"),
    ),
    "length overflows 32 bits": (
        "idx",
        "math.prod(shape) * dtype.itemsize",
        "int(np.prod(np.array(shape, np.uint32), dtype=np.uint32)) * dtype.itemsize",
        damaged_idx(b"\0\0\x08\2" + b"\0\1\0\0" * 2),
    ),
    "trailing bytes pass": ("idx", "len(data) != length", "len(data) < length", fuzz),
    "gzip is never read to its CRC": (
        "idx",
        "_read_up_to(file, length + 1)",
        "_read_up_to(file, length)",
        partial(
            test_idx.test_a_damaged_gzip_stream_is_refused,
            content=test_idx.PACKED[:-8] + bytes(4) + test_idx.PACKED[-4:],
        ),
    ),
    "truncation passes": ("idx", "len(data) != length", "len(data) > length", fuzz),
    "magic number not looked at": ("idx", 'magic[:2] != b"\\0\\0"', "False", fuzz),
    "size 0 passes": ("idx", "if 0 in shape", "if not shape", fuzz),
    "deflate's own error escapes": ("idx", "EOFError, zlib.error)", "EOFError)", fuzz),
    "end of file escapes": ("idx", "BadGzipFile, EOFError, zlib", "BadGzipFile, zlib", fuzz),
    "everything is unpacked first": (
        "idx",
        "_read_up_to(file, length + 1)",
        "bytearray(file.read())",
        test_idx.test_a_gzip_bomb_takes_no_memory,
    ),
    "memory for what the header claims": (
        "idx",
        "data = bytearray()",
        "data = bytearray(length)[:0]",
        test_idx.test_a_header_that_claims_more_than_there_is_takes_no_memory,
    ),
    "no largest size": ("idx", "length > max_bytes", "False", test_idx.test_max_bytes_is_the_bound),
    # MNIST.
    "test split reads the training files": (
        "mnist",
        '"test": "t10k"',
        '"test": "train"',
        partial(test_mnist.test_images_and_labels_of_the_split_asked_for, split="test", packed=False),
    ),
    "more images than labels pass": (
        "mnist",
        "len(labels) != len(images)",
        "len(labels) > len(images)",
        unfit_mnist("a label short"),
    ),
    "more labels than images pass": (
        "mnist",
        "len(labels) != len(images)",
        "len(labels) < len(images)",
        unfit_mnist("an image short"),
    ),
    "label 10 passes": ("mnist", "labels.max() > 9", "labels.max() > 10", unfit_mnist("a label of 10")),
    "images of any size pass": ("mnist", "images.shape[1:] != (28, 28)", "False", unfit_mnist("27 rows")),
    "any data type passes": ("mnist", "array.dtype != np.uint8", "False", unfit_mnist("signed images")),
    # Download.
    "checksum computed, not held against anything": (
        "download",
        "if digest.hexdigest() != sha256",
        "if not digest",
        wrong_answer("wrong bytes"),
    ),
    "checksum after the rename": (
        "download",
        "        if digest.hexdigest() != sha256",
        "    if digest.hexdigest() != sha256",
        wrong_answer("wrong bytes"),
    ),
    "written under its own name": (
        "download",
        "with replacing(path) as file",
        'with open(path, "wb") as file',
        wrong_answer("truncated"),
    ),
    "a file of the user is replaced": (
        "download",
        "if path.exists()",
        "if False",
        test_download.test_a_file_that_is_there_is_kept_and_nothing_is_fetched,
    ),
    "a longer answer is cut to fit": ("download", "if received > max_bytes", "if False", wrong_answer("endless")),
    "announced size not looked at": (
        "download",
        "announced > max_bytes",
        "announced < 0",
        wrong_answer("length too long"),
    ),
    "an error page is a file": ("download", "response.status != 200", "response.status > 299", wrong_answer("206")),
    "any scheme": (
        "download",
        'if not url.lower().startswith(("http://", "https://"))',
        "if not url",
        partial(
            test_download.test_bad_arguments,
            changes={"url": "file:///etc/hostname"},
            message="url is 'file:///etc/hostname', expected http:// or https://",
        ),
    ),
    "no deadline while bytes drip": (
        "guarded_http",
        "self._limits.ends_at - time.monotonic()",
        "self._limits.timeout",
        slow_answer(lambda connection: connection.drip(bytes(40)), "time: got more than 0.5 s"),
    ),
    "no timeout while nothing comes": (
        "guarded_http",
        "min(self._limits.timeout, time_left)",
        "None",
        slow_answer(lambda connection: connection.server.over.wait(2), "connection: got TimeoutError"),
    ),
    "no limit to what is not the body": (
        "guarded_http",
        "if self._bytes_left <= 0",
        "if False",
        wrong_answer("endless redirect"),
    ),
}


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_planted_error_is_caught(
    module: str, right: str, wrong: str, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = {"tmp_path": tmp_path, "monkeypatch": monkeypatch}
    fixtures: dict[str, Any] = {
        name: available[name] for name in inspect.signature(check).parameters if name in available
    }
    with planted(module, right, wrong):
        with pytest.raises((Exception, pytest.fail.Exception)) as caught:
            check(**fixtures)
    # A plant that does not even run would be caught by any test.
    assert not isinstance(caught.value, (NameError, TypeError, AttributeError))


def test_the_plants_leave_nothing_behind() -> None:
    """`planted` with no change: the functions are new ones inside, the old ones again after, and the test passes."""
    before = test_idx.read_idx
    with planted("idx", "0 in shape", "0 in shape"):
        assert test_idx.read_idx is not before
        digits_order()
    assert test_idx.read_idx is before
