"""Data on the command line: what is inferred of each file, and the error that each bad one gets."""

import argparse
import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen.cli import data
from scratchgen.cli.errors import BadInput
from scratchgen.cli.files import read_array
from scratchgen.cli.form import Form
from scratchgen.data import TwoMoons, digits

GREY = np.random.default_rng(0).integers(0, 17, (30, 16))
GREY[0, 0] = 16
REAL = np.random.default_rng(1).standard_normal((30, 3))


def load(name: object, form: Form | None = None, **options: Any) -> data.Data:
    defaults = {
        "rows": 100,
        "kind": None,
        "levels": None,
        "shape": None,
        "key": None,
        "standardise": True,
        "binarise": False,
    }
    return data.load(argparse.Namespace(data=str(name), **{**defaults, **options}), form)


def refused(name: object, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        load(name, **options)
    return str(caught.value)


def saved(folder: Path, x: Any, name: str = "x.npy") -> Path:
    np.save(folder / name, x)
    return folder / name


def written(folder: Path, text: str, name: str = "x.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def table(x: np.ndarray, delimiter: str = ",", form: str = "%.17g") -> str:
    return "\n".join(delimiter.join(form % value for value in row) for row in x) + "\n"


# -- what is inferred --------------------------------------------------------------------------------------------------


def test_the_digits_are_the_bundled_split() -> None:
    found = load("digits")
    assert found.form.shape == (8, 8) and found.form.levels == 17
    for part in ("train", "validation", "test", "all"):
        assert np.array_equal(found.parts[part], digits(part).images.reshape(-1, 64))
    assert found.parts["train"].dtype == np.int64


def test_a_toy_is_drawn_split_and_standardised_by_its_training_part() -> None:
    found, drawn = load("two-moons", rows=100), TwoMoons().sample(100, 0)
    order = np.random.default_rng(0).permutation(100)
    train = drawn[order[20:]]
    assert np.allclose(found.parts["train"], (train - train.mean(axis=0)) / train.std(axis=0), atol=1e-6)
    assert np.allclose(found.form.to_data(found.parts["test"]), drawn[order[:10]], atol=1e-6)
    assert {part: len(x) for part, x in found.parts.items()} == {"all": 100, "test": 10, "validation": 10, "train": 80}
    assert found.form.log_volume == pytest.approx(np.log(train.std(axis=0)).sum())
    assert found.parts["train"].dtype == np.float32 and isinstance(found.toy, TwoMoons)


@pytest.mark.parametrize("name", data.TOYS)
def test_every_toy_has_a_name(name: str) -> None:
    assert load(name, rows=20).form.shape == (2,)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", ", "])
@pytest.mark.parametrize("header", ["", "height{0}weight{0}age\n", "# a comment\n\n"])
def test_a_csv_file_of_any_kind(delimiter: str, header: str, tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff" + header.format(delimiter) + table(REAL, delimiter))
    assert np.allclose(load(path, standardise=False).parts["all"], REAL, atol=1e-6)


def test_integers_in_a_csv_file_are_levels_and_reals_are_not(tmp_path: Path) -> None:
    found = load(written(tmp_path, table(GREY, form="%d")))
    assert found.form.describe() == "images of 4 × 4 pixels, 17 grey levels" and (found.parts["all"] == GREY).all()
    assert any("taken for images of 4 × 4" in guess for guess in found.guesses)
    assert load(written(tmp_path, table(REAL))).form.kind == "points"


@pytest.mark.parametrize(
    ("x", "levels", "kind"),
    [
        (GREY > 8, 2, "levels"),
        (GREY.astype(np.uint8), 17, "levels"),
        (GREY * 15, 256, "levels"),
        (GREY.clip(0, 5), 6, "levels"),
        ((GREY / 16).reshape(30, 4, 4), 17, "levels"),
        ((GREY / 16).astype(np.float32).reshape(30, 4, 4, 1), 17, "levels"),
        ((GREY * 15 / 255).reshape(30, 2, 8), 256, "levels"),
        (GREY - 8, 0, "points"),
        (GREY * 1000, 0, "points"),
        (REAL, 0, "points"),
        (GREY.astype(float), 0, "points"),
    ],
)
def test_levels_and_points_are_told_apart(x: np.ndarray, levels: int, kind: str, tmp_path: Path) -> None:
    found = load(saved(tmp_path, x))
    assert (found.form.kind, found.form.levels) == (kind, levels)
    if kind == "levels":
        expected = GREY > 8 if levels == 2 else GREY.clip(0, 5) if levels == 6 else GREY * (15 if levels == 256 else 1)
        assert np.array_equal(found.parts["all"], expected.reshape(30, 16))


def test_guesses_can_be_corrected(tmp_path: Path) -> None:
    path = saved(tmp_path, GREY)
    assert load(path, kind="points").form.kind == "points"
    assert load(path, levels=20).form.levels == 20
    assert load(path, shape="2,8").form.shape == (2, 8) and load(path, shape="16").form.shape == (16,)
    assert load(saved(tmp_path, GREY.astype(float)), kind="levels").form.levels == 17


def test_levels_can_be_made_bits(tmp_path: Path) -> None:
    """Bit b of level k with probability k/16, the same bits each time, 0 and 16 for certain."""
    path = saved(tmp_path, np.resize(GREY, (2000, 16)))
    found, again = load(path, binarise=True), load(path, binarise=True)
    x, grey = found.parts["all"], np.resize(GREY, (2000, 16))
    assert found.form.describe() == "images of 4 × 4 pixels, binarised" and found.form.levels == 2
    assert np.array_equal(x, again.parts["all"]) and set(np.unique(x)) == {0, 1}
    for k in range(17):
        p, n = k / 16, (grey == k).sum()
        assert abs(x[grey == k].mean() - p) <= 5.96 * np.sqrt(p * (1 - p) / n)
    assert "--binarise are for levels" in refused(saved(tmp_path, REAL), binarise=True)


def test_an_npz_file_and_its_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY, labels=GREY[:, 0], other=GREY)
    assert load(tmp_path / "a.npz").form.dims == 16
    np.savez(tmp_path / "b.npz", one=GREY, two=REAL)
    assert load(tmp_path / "b.npz", key="two").form.dims == 3
    assert "choose one by --key: one, two" in refused(tmp_path / "b.npz")
    assert "no array three" in refused(tmp_path / "b.npz", key="three")


def test_a_folder_of_mnist_files(tmp_path: Path) -> None:
    for prefix, n in (("train", 60), ("t10k", 20)):
        sizes = b"".join(size.to_bytes(4, "big") for size in (n, 28, 28))
        grey = np.resize(GREY, (n, 28, 28)).astype(np.uint8)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + sizes + grey.tobytes())
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") + bytes(n))
    found = load(tmp_path)
    assert {part: len(x) for part, x in found.parts.items()} == {"all": 80, "train": 50, "validation": 10, "test": 20}
    assert np.array_equal(found.parts["validation"], np.resize(GREY, (60, 784))[50:])
    assert load(tmp_path / "t10k-images-idx3-ubyte").form.shape == (28, 28)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    assert "t10k-images" in refused(tmp_path)


def test_a_text_has_two_parts(tmp_path: Path) -> None:
    found = load(written(tmp_path, "to be or not to be\n" * 20, "a.txt"))
    assert found.form.characters == "\n benort" and len(found.parts["train"]) == 342
    with pytest.raises(BadInput, match="no test part; it has train, validation, all"):
        found.part("test")


# -- what is refused ---------------------------------------------------------------------------------------------------

WITH_NAN, CONSTANT = REAL.copy(), REAL.copy()
WITH_NAN[4, 1] = np.nan
CONSTANT[:, 2] = 7.5
ARRAYS: list[tuple[Any, dict[str, Any], str]] = [
    (WITH_NAN, {}, "row 4, column 2 is nan; 1 of 90 values are not finite"),
    (CONSTANT, {}, "column 3 has the same value in all rows, 7.5"),
    (REAL[:19], {}, "has 19 rows; at least 20 are needed"),
    (REAL[:, 0], {}, "shape (30,); expected (rows, columns) or (images, height, width): x[:, None]"),
    (REAL.reshape(1, 1, 30, 3, 1), {}, "expected (rows, columns)"),
    (np.zeros((30, 4, 4, 3)), {}, "images in colour are not modelled"),
    (np.zeros((0, 3)), {}, "it is empty"),
    (REAL * 1j, {}, "complex numbers (complex128)"),
    (REAL.astype(str), {}, "strings"),
    (np.array([{"a": 1}] * 30), {}, "pickles, which can run code, and are not read"),
    (REAL.reshape(30, 3, 1), {}, "levels are integers, or floats from 0 to 1"),
    (np.abs(REAL).clip(0, 1).reshape(30, 3, 1), {}, "no multiples of 1/255"),
    (GREY, {"levels": 10}, "has the value 16; with 10 levels they are 0 to 9"),
    (GREY - 3, {"kind": "levels"}, "grey levels are integers from 0"),
    (GREY, {"shape": "3,5"}, "rows of"),
    (GREY, {"shape": "a"}, "give a height and width"),
    (GREY, {"kind": "text"}, "holds numbers, no text"),
    (REAL, {"levels": 3}, "these data are points"),
]


@pytest.mark.parametrize(("x", "options", "message"), ARRAYS)
def test_a_bad_array_is_refused(x: Any, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert message in refused(saved(tmp_path, x), **options)


ROWS = table(REAL)
TABLES = [
    (ROWS + "1,2\n", "line 31: 2 values, where 3 are expected"),
    ("a,b,c\n\n" + ROWS + "1,2,3,4\n", "line 33: 4 values"),
    ("a,b,c\n" + ROWS + "1,,3\n", "line 32, column 2 (b) is empty"),
    (ROWS + "1,two,3\n", "line 31, column 2: 'two' is no number"),
    ("a;b\n1,5;2\n", "line 2, column 1 (a): '1,5' is no number: write it with a decimal point"),
    ("# x\na,b,c\n" + ROWS + "1,2,nan\n", "line 33, column 3 is nan"),
    (ROWS + "1,inf,3\n", "line 31, column 2 is inf"),
    ("", "is empty"),
    ("a,b,c\n", "a header, and no line of numbers"),
    (ROWS + "\0", "binary"),
]


@pytest.mark.parametrize(("text", "message"), TABLES)
def test_a_bad_table_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    assert message in refused(written(tmp_path, text))


def with_header(header: bytes) -> bytes:
    """An .npy file of format 1.0 with this header, and nothing after it."""
    return b"\x93NUMPY\1\0" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path, REAL).read_bytes()
    files = {
        "cut.npy": (whole[:200], "damaged"),
        "empty.npy": (b"", "no array"),
        "a.npz": (whole, "is an .npy file by its content"),
        "text.npz": (b"PK\3\4 no zip file", "damaged"),
        "t-ubyte": (b"\1\2\3\4", "magic number"),
        "latin.csv": ("é".encode("latin-1"), "not UTF-8"),
        "model.pkl": (pickle.dumps(REAL), "a pickle, which can run code"),
        "table.xlsx": (b"PK\3\4 and more", "a zip file"),
        "short.txt": (b"ten chars.", "at least 100"),
        "latin.txt": ("é".encode("latin-1") * 200, "UTF-8"),
        "deep.npy": (with_header(b"{'shape': " + b"(" * 300), "damaged"),
        "minus.npy": (with_header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }"), "damaged"),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        assert message in refused(tmp_path / name), name
    (tmp_path / "folder").mkdir()
    assert "not one of MNIST files" in refused(tmp_path / "folder")


def test_any_damage_to_a_compressed_file_is_told(tmp_path: Path) -> None:
    """Each byte in turn: the file is read all the same, or refused, and no other error comes through."""
    np.savez_compressed(tmp_path / "whole.npz", x=REAL[:4])
    whole = (tmp_path / "whole.npz").read_bytes()
    for i in range(len(whole)):
        damaged = tmp_path / "damaged.npz"
        damaged.write_bytes(whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :])
        with contextlib.suppress(BadInput):
            read_array(damaged)


def test_a_column_that_is_constant_but_for_rounding_is_refused(tmp_path: Path) -> None:
    """The mean of many 0.1 is not 0.1 to the last bit, so their deviation is not 0."""
    x = np.concatenate([np.random.default_rng(0).normal(size=(1000, 1)), np.full((1000, 1), 0.1)], axis=1)
    assert x[:, 1].std() > 0
    assert "column 2 has the same value in all rows, 0.1" in refused(saved(tmp_path, x))


def test_a_name_that_no_file_can_have_is_told() -> None:
    assert "File name too long" in refused("x" * 5000)


def test_numbers_that_floats_do_not_hold(tmp_path: Path) -> None:
    assert "their squares overflow" in refused(saved(tmp_path, REAL * 1e300))
    form = Form("points", (3,), shift=(0.0,) * 3, scale=(1.0,) * 3)
    with pytest.raises(BadInput, match="float32 does not hold them"):
        load(saved(tmp_path, REAL * 1e200), form)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    array = np.array([Bomb()] * 30, dtype=object)
    np.save(tmp_path / "bomb.npy", array)
    np.savez(tmp_path / "bomb.npz", x=array)
    for name in ("bomb.npy", "bomb.npz"):
        assert "can run code" in refused(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_told_with_near_names(tmp_path: Path) -> None:
    saved(tmp_path, REAL, "measurements.npy")
    assert "did you mean two_moons" in refused("two_moon")
    assert "did you mean digits" in refused("Digit")
    assert f"did you mean {tmp_path}/measurements.npy" in refused(tmp_path / "measurement.npy")
    assert "bundled are digits" in refused("zzz")
    assert "mnist_download('mnist') fetches it" in refused("MNIST")
