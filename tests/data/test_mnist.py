"""MNIST files belong together, split by split, image by label; and the download of them holds to the published sums."""

import gzip
import hashlib
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from scratchgen.data import DataError, mnist, mnist_download
from tests.data.idx_files import idx_bytes, write_mnist
from tests.data.loopback import Answer, serving

MODULE = importlib.import_module("scratchgen.data.mnist")  # `scratchgen.data.mnist` itself is the function
LABELS = np.array([5, 0, 4, 1, 9, 2], np.uint8)
# Image i is filled with 20 times its label, but for a corner that tells rows from columns.
IMAGES = np.broadcast_to(20 * LABELS[:, None, None], (6, 28, 28)).copy()
IMAGES[:, 0, 1] = 255


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_images_and_labels_of_the_split_asked_for(tmp_path: Path, split: str, packed: bool) -> None:
    other = {"train": "test", "test": "train"}[split]
    write_mnist(tmp_path, split, IMAGES, LABELS, packed)
    write_mnist(tmp_path, other, IMAGES[:2] + 1, LABELS[2:4], packed)
    images, labels = mnist(tmp_path, split)
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    np.testing.assert_array_equal(labels, LABELS, strict=True)
    np.testing.assert_array_equal(images[:, 5, 5], 20 * labels)
    assert (images[:, 0, 1] == 255).all()


def test_the_packed_file_is_preferred_for_its_checksum(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train", IMAGES[:1], LABELS[:1], packed=False)
    write_mnist(tmp_path, "train", IMAGES, LABELS, packed=True)
    assert len(mnist(tmp_path).labels) == 6


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train", IMAGES, LABELS)[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"neither train-labels-idx1-ubyte\.gz nor .* mnist_download\(folder\)"):
        mnist(tmp_path)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="split is 'validation', expected one of train, test"):
        mnist(tmp_path, "validation")


UNFIT: dict[str, tuple[np.ndarray, np.ndarray, int, str]] = {  # images, labels, which file is blamed, why
    "a label short": (
        IMAGES,
        LABELS[:5],
        1,
        "label count: got 5, expected 6, one per image of train-images-idx3-ubyte",
    ),
    "an image short": (IMAGES[:5], LABELS, 1, "label count: got 6, expected 5"),
    "swapped": (LABELS, IMAGES, 0, "shape: got (6,), expected (n, 28, 28)"),
    "images twice": (IMAGES, IMAGES, 1, "shape: got (6, 28, 28), expected (n,)"),
    "27 rows": (IMAGES[:, :27], LABELS, 0, "shape: got (6, 27, 28), expected (n, 28, 28)"),
    "flat images": (IMAGES.reshape(6, 784), LABELS, 0, "shape: got (6, 784), expected (n, 28, 28)"),
    "a label of 10": (IMAGES, np.array([0, 9, 1, 10, 9, 0], np.uint8), 1, "label 3: got 10, expected 0 to 9"),
    "signed images": (IMAGES.view(np.int8), LABELS, 0, "data type: got int8, expected uint8 (code 0x08)"),
    "wide labels": (IMAGES, LABELS.astype(np.int32), 1, "data type: got int32, expected uint8 (code 0x08)"),
}


@pytest.mark.parametrize(("images", "labels", "culprit", "message"), UNFIT.values(), ids=UNFIT)
def test_files_that_do_not_fit(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, culprit: int, message: str
) -> None:
    paths = write_mnist(tmp_path, "train", images, labels)
    with pytest.raises(DataError, match=re.escape(f"{paths[culprit]}: {message}")):
        mnist(tmp_path)


NAMES = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]
FILES = {name: gzip.compress(idx_bytes(IMAGES if "images" in name else LABELS), mtime=0) for name in NAMES}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """FILES stand in for the real ones."""
    sums = {name: MODULE._Published(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    monkeypatch.setattr(MODULE, "MNIST_FILES", sums)


def mirror(answer: Answer) -> None:
    """/right/ has the files; /wrong/ has others of the same length; nothing else exists."""
    _, folder, name = answer.path.split("/")
    if folder == "missing":
        answer.send(b"HTTP/1.0 404 Not Found\r\n\r\n")
    else:
        content = FILES[name] if folder == "right" else bytes(len(FILES[name]))
        answer.send(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


def fetch(folder: Path, *base_urls: str) -> Path:
    return mnist_download(folder, base_urls, timeout=5, deadline=10, progress=False)


def test_the_real_files_are_the_published_ones() -> None:
    assert list(MODULE.MNIST_FILES) == NAMES
    assert sum(file.size for file in MODULE.MNIST_FILES.values()) == 11_594_722
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in MODULE.MNIST_FILES.values())
    assert all(url.startswith("https://") for url in MODULE.MNIST_MIRRORS)


@pytest.mark.usefixtures("published")
def test_downloaded_files_load(tmp_path: Path) -> None:
    with serving(mirror) as server:
        assert fetch(tmp_path / "new" / "mnist", f"{server.url}/right/") == tmp_path / "new" / "mnist"
        assert [path.split("/")[2] for path in server.requests] == NAMES
        np.testing.assert_array_equal(mnist(tmp_path / "new" / "mnist", "test").images, IMAGES)
        fetch(tmp_path / "new" / "mnist", f"{server.url}/right")
    assert len(server.requests) == 4, "the second time, all is there"


@pytest.mark.usefixtures("published")
def test_the_next_mirror_is_asked(tmp_path: Path) -> None:
    with serving(mirror) as server:
        fetch(tmp_path, f"{server.url}/missing", f"{server.url}/wrong", f"{server.url}/right")
    assert len(server.requests) == 12
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == FILES


@pytest.mark.usefixtures("published")
def test_every_mirror_failing_says_how_each_failed(tmp_path: Path) -> None:
    with serving(mirror) as server, pytest.raises(DataError) as caught:
        fetch(tmp_path, f"{server.url}/missing", f"{server.url}/wrong")
    assert re.search(r"mirrors: got .*/missing/.*HTTP status: got 404.*/wrong/.*SHA-256: got", str(caught.value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("published")
def test_a_file_of_the_user_is_never_replaced(tmp_path: Path) -> None:
    """Fashion-MNIST has files of the same names."""
    (tmp_path / NAMES[0]).write_bytes(b"mine")
    with serving(mirror) as server, pytest.raises(FileExistsError, match="move it away first"):
        fetch(tmp_path, f"{server.url}/right")
    assert (tmp_path / NAMES[0]).read_bytes() == b"mine" and server.requests == []


@pytest.mark.parametrize("base_urls", [[], "https://example.org/mnist/"])
def test_base_urls_are_a_list(tmp_path: Path, base_urls: object) -> None:
    with pytest.raises(ValueError, match="expected a list of at least one URL"):
        mnist_download(tmp_path / "never", base_urls)
    assert not (tmp_path / "never").exists()
