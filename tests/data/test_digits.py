"""The bundled digits are the published ones, split as promised, each label beside its image."""

import importlib.resources
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import DataError, Dataset, digits

SIZES = {"train": 1000, "validation": 350, "test": 447}


def test_shapes_dtypes_and_ranges() -> None:
    for split, n in {**SIZES, "all": 1797}.items():
        data = digits(split)
        assert isinstance(data, Dataset)
        assert data.images.shape == (n, 8, 8) and data.images.dtype == np.uint8 and data.images.flags.c_contiguous
        assert data.labels.shape == (n,) and data.labels.dtype == np.uint8
        assert data.images.max() == 16 and set(data.labels.tolist()) == set(range(10))


def test_the_parts_are_the_file_in_order_without_overlap() -> None:
    whole = digits("all")
    for part in range(2):
        np.testing.assert_array_equal(np.concatenate([digits(split)[part] for split in SIZES]), whole[part])


def test_no_image_is_in_two_parts() -> None:
    """All 1,797 images differ, so an overlap of the splits would show as a repeated image."""
    images = np.concatenate([digits(split).images for split in SIZES])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images) == 1797


def test_class_counts_are_those_that_uci_publishes() -> None:
    """From its documentation, "Class distribution", testing set."""
    assert np.bincount(digits("all").labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_first_image_is_a_zero_the_right_way_up() -> None:
    images, labels = digits("train")
    assert labels[0] == 0
    assert images[0].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
        [0, 4, 12, 0, 0, 8, 8, 0],
        [0, 5, 8, 0, 0, 9, 8, 0],
        [0, 4, 11, 0, 1, 12, 7, 0],
        [0, 2, 14, 5, 10, 12, 0, 0],
        [0, 0, 6, 13, 10, 0, 0, 0],
    ]


@pytest.mark.parametrize("split", SIZES)
def test_labels_belong_to_their_images(split: str) -> None:
    """The nearest class mean is right for 87 % to 92 % of the images; with labels shifted by one, for 23 % to 28 %."""
    images, labels = digits("train")
    means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
    images, labels = digits(split)
    distances = ((images.reshape(-1, 1, 64) - means) ** 2).sum(axis=-1)
    assert (distances.argmin(axis=1) == labels).mean() > 0.85


def test_each_call_returns_fresh_arrays() -> None:
    digits("train").images[:] = 0
    digits("train").labels[:] = 0
    assert digits("train").images.max() == 16 and digits("train").labels.max() == 9


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split is 'dev', expected one of train, validation, test, all"):
        digits("dev")


@pytest.mark.parametrize("damage", ["one bit", "other labels"])
def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    content = bytearray((importlib.resources.files("scratchgen.data") / "digits.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "digits.npz").write_bytes(content)
    if damage == "other labels":
        images, labels = digits("all")
        np.savez_compressed(tmp_path / "digits.npz", images=images, labels=np.roll(labels, 1))
    monkeypatch.setattr(importlib.resources, "files", lambda _: tmp_path)
    with pytest.raises(DataError, match=r"digits\.npz: SHA-256: got [0-9a-f]{64}, expected b2dab7b5"):
        digits()


def test_the_notice_that_the_licence_asks_for_is_shipped() -> None:
    """CC BY 4.0, section 3(a): creators, source, licence with its address, disclaimer, and the changes made."""
    notice = (importlib.resources.files("scratchgen.data") / "LICENSE-digits.md").read_text(encoding="utf-8")
    for needed in (
        "E. Alpaydin and C. Kaynak",
        "https://doi.org/10.24432/C50P49",
        "https://creativecommons.org/licenses/by/4.0/",
        "without warranties",
        "Changes made",
    ):
        assert needed in notice
