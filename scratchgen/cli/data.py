"""``--data``: a bundled set by its name, or a file; split, and made what models take, with all guesses told.

Rows are dealt out once and for all, by a fixed seed: eight tenths for training, one for validation, one for the test.
Sets that come split stay so: the digits, texts, and a folder of MNIST files, whose validation part is the last sixth of
its training images.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchgen.cli.errors import BadInput
from scratchgen.cli.form import KINDS, Form
from scratchgen.cli.numbers import at_least

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.data import Toy

TOYS = {
    "two_moons": "TwoMoons",
    "checkerboard": "Checkerboard",
    "eight_gaussians": "EightGaussians",
    "gaussian_grid": "GaussianGrid",
    "rings": "Rings",
    "pinwheel": "Pinwheel",
    "banana": "Banana",
    "spiral": "NoisySpiral",
    "spirals": "Spirals",
}
BUNDLED = ("digits", "documentation", *TOYS)
ROWS = 20_000  # of a toy
SEED = 0  # of the split, and of the draws of a toy: evaluation finds the same rows again
FEWEST = 20
HELP = f"""
data:
  {", ".join(("digits", *TOYS))}
                              bundled; the toys are drawn, --rows of them, and their entropy is known
  documentation               Python's own, a text
  FILE.npy FILE.npz FILE.csv  rows of numbers (n, D), or images (n, height, width); floats are taken for points in
                              space, integers from 0 to 255 for grey levels
  FOLDER                      with the four files of MNIST, in IDX format
  any other FILE              a text in UTF-8
"""


class Data(NamedTuple):
    """Data, ready for a model.

    Attributes:
        name: as it was given.
        form: what they look like.
        parts: "train", "validation", "test" and "all": arrays of rows as the model takes them, or tokens of a text.
        guesses: what was inferred, to be printed.
        toy: the true distribution, where it is known.
        sha256: of the training part.
    """

    name: str
    form: Form
    parts: dict[str, np.ndarray]
    guesses: list[str]
    toy: Toy | None = None
    sha256: str = ""

    def part(self, split: str) -> np.ndarray:
        """One part; raises BadInput if it is empty."""
        if not len(self.parts[split]):
            there = ", ".join(name for name, rows in self.parts.items() if len(rows))
            raise BadInput(f"{self.name} has no {split} part; it has {there}")
        return self.parts[split]


def add_options(parser: Any) -> None:
    """--data, and what corrects the guesses about it."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", metavar="NAME|FILE", required=True, help="a bundled set or a file, see below")
    group.add_argument(
        "--rows", type=at_least(FEWEST), default=ROWS, help=f"how many to draw of a toy (default {ROWS})"
    )
    group.add_argument("--kind", choices=[*KINDS], help="what the data are, if the guess is wrong")
    group.add_argument(
        "--levels", type=at_least(2), help="how many grey levels there can be; else inferred from the largest"
    )
    group.add_argument("--binarise", action="store_true", help="make bits of grey levels, at random, once and for all")
    group.add_argument("--shape", metavar="H,W", help="height and width of images in flat rows; H alone: no images")
    group.add_argument("--key", help="the name of the array in an .npz file")


def load(options: argparse.Namespace, form: Form | None = None) -> Data:
    """The data that the options name; those for a trained model have to have its form.

    Raises:
        BadInput: for what cannot be found, read or used, saying why.
    """
    name = options.data
    if form is not None:
        levels = None if form.binarised else form.levels or None
        changes = {"kind": form.kind, "levels": levels, "binarise": form.binarised}
        options = argparse.Namespace(**{**vars(options), **changes})
        options.shape = ",".join(map(str, form.shape)) if form.kind == "levels" else None
    try:
        parts, toy = read(options)
        if isinstance(parts["all"], str):
            return of_text(name, parts, options, form)
        return of_arrays(name, parts, options, toy, form)
    except (ValueError, TypeError) as error:  # of scratchgen.data: they say what and where
        raise BadInput(str(error)) from error
    except OSError as error:  # such as a name that is too long
        raise BadInput(f"{name:.200}: {error.strerror or error}") from error


def read(options: argparse.Namespace) -> tuple[dict[str, Any], Toy | None]:
    """The parts as they are, arrays or strings, "all" alone where they are not split yet; and the toy, or None."""
    import numpy as np

    from scratchgen import data
    from scratchgen.cli.files import is_array_file, read_array

    name, path = options.data.replace("-", "_"), Path(options.data)
    if name in TOYS:
        toy: Toy = getattr(data, TOYS[name])()
        return {"all": toy.sample(options.rows, SEED)}, toy
    if name == "digits":
        return {part: data.digits(part).images for part in ("train", "validation", "test", "all")}, None
    if name == "documentation":
        return of_split(data.documentation()), None
    if not path.exists():
        raise BadInput(not_found(options.data, path))
    if path.is_dir():
        try:
            train, test = data.mnist(path, "train").images, data.mnist(path, "test").images
        except FileNotFoundError as error:
            raise BadInput(f"{path} is a folder, but not one of MNIST files: {error}") from error
        last = len(train) - max(1, len(train) // 6)
        parts = {"train": train[:last], "validation": train[last:], "test": test}
        return {**parts, "all": np.concatenate([train, test])}, None
    if is_array_file(path):
        return {"all": read_array(path, options.key)}, None
    with open(path, "rb") as file:
        head = file.read(4)
    if head[:1] == b"\x80" or head == b"PK\3\4":
        kind = "a zip file" if head[:1] == b"P" else "a pickle, which can run code when it is opened"
        raise BadInput(f"{path} is {kind}, and is not read; save the numbers as .npy or .csv")
    return of_split(data.text_file(path)), None


def of_split(text: Any) -> dict[str, str]:
    """The two parts of a text, and the whole."""
    return {"train": text.train, "validation": text.validation, "test": "", "all": text.train + text.validation}


def not_found(name: str, path: Path) -> str:
    """The message for a name that is neither bundled nor a file, with names that are near."""
    if "mnist" in name.lower():
        return f"{name}: MNIST is not bundled; scratchgen.data.mnist_download('mnist') fetches it, for --data mnist"
    files = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    folder = "" if path.parent == Path(".") else f"{path.parent}/"
    near = difflib.get_close_matches(name.lower().replace("-", "_"), BUNDLED, n=2)
    near += [folder + file for file in difflib.get_close_matches(path.name, files, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"bundled are {', '.join(BUNDLED)}"
    return f"{name}: there is no such file or bundled set; {hint}"


def of_text(name: str, parts: dict[str, str], options: argparse.Namespace, form: Form | None) -> Data:
    """Text, as tokens of its vocabulary or of that of the model."""
    from scratchgen.data import Vocabulary

    if (options.kind or "text") != "text":
        raise BadInput(f"{name} is text, and no {KINDS[options.kind]}; numbers are read from .npy, .npz and .csv files")
    vocabulary = Vocabulary(parts["all"] if form is None else form.characters)
    tokens = {part: vocabulary.encode(text) for part, text in parts.items()}
    guesses = [f"{len(parts['all']):,} characters, the last tenth for validation"]
    return Data(name, form or Form("text", characters=vocabulary.characters), tokens, guesses, None, digest(tokens))


def of_arrays(
    name: str, parts: dict[str, Any], options: argparse.Namespace, toy: Toy | None, form: Form | None
) -> Data:
    """Numbers, as points or levels."""
    import numpy as np

    from scratchgen.cli.interpretation import interpreted, scaled

    if options.kind == "text":
        raise BadInput(f"{name} holds numbers, no text")
    rows, found, guesses = interpreted(name, parts["all"], options)
    if form is not None and found.shape != form.shape:
        raise BadInput(f"{name} has {found.describe()}; the model was trained on {form.describe()}")
    if len(rows) < FEWEST and form is None:
        raise BadInput(f"{name} has {len(rows)} rows; at least {FEWEST} are needed to train, validate and test")
    split = {"all": rows}
    if len(parts) > 1:
        levels = 0 if found.binarised else found.levels
        split |= {part: interpreted(name, x, options, levels)[0] for part, x in parts.items()}
    else:
        split |= dealt_out(rows)
        guesses.append(f"{len(rows):,} rows, dealt out in 8 : 1 : 1 for training, validation and test")
    if form is None:
        form, told = scaled(name, found, split["train"], getattr(options, "standardise", True))
        guesses += told
    ready = {part: form.to_model(x) for part, x in split.items()}
    if form.kind == "points" and not np.isfinite(ready["all"]).all():
        raise BadInput(f"{name} has values so far from those of the training part that float32 does not hold them")
    return Data(name, form, ready, guesses, toy, digest(ready))


def dealt_out(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The three parts of the rows, in a fixed random order.

    >>> import numpy as np
    >>> {part: len(rows) for part, rows in dealt_out(np.arange(30)).items()}
    {'train': 24, 'validation': 3, 'test': 3}
    """
    import numpy as np

    order, tenth = np.random.default_rng(SEED).permutation(len(rows)), len(rows) // 10
    cuts = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    return {part: rows[cuts[part]] for part in ("train", "validation", "test")}


def digest(parts: dict[str, np.ndarray]) -> str:
    """The SHA-256 of the training part: whether data are those that a model was trained on."""
    train = parts["train"]
    return hashlib.sha256(repr((train.shape, train.dtype.str)).encode() + train.tobytes()).hexdigest()
