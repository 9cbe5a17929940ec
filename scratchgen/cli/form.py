"""What data look like to a model: rows of real numbers, grey levels, or text; and how they came to look so."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

KINDS = {"points": "rows of real numbers", "levels": "grey levels, integers from 0", "text": "characters"}


@dataclass(frozen=True)
class Form:
    """The form of data, as a checkpoint keeps it.

    Attributes:
        kind: "points", "levels" or "text".
        shape: of one row: (D,), or (height, width) of an image; () for text.
        levels: how many grey levels there can be; 0 for other kinds.
        characters: the vocabulary of a text; "" for other kinds.
        binarised: whether grey levels were made bits at random, so that there are two levels.
        shift, scale: x = shift + scale · (what the model sees), (D,) each, of points.

    >>> Form("levels", (8, 8), levels=17).dims
    64
    """

    kind: str
    shape: tuple[int, ...] = ()
    levels: int = 0
    characters: str = ""
    binarised: bool = False
    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @property
    def dims(self) -> int:
        """D, how many numbers one row has."""
        return math.prod(self.shape)

    @property
    def is_image(self) -> bool:
        """Whether rows are pictures of grey levels."""
        return self.kind == "levels" and len(self.shape) == 2

    @property
    def log_volume(self) -> float:
        """Σ log scale: what the density of the data has less than that of what the model sees, in nats."""
        return sum(map(math.log, self.scale))

    def to_model(self, x: np.ndarray) -> np.ndarray:
        """Data as the model takes them: float32 (n, D) points of about mean 0 and variance 1, int64 (n, D) levels."""
        import numpy as np

        x = x.reshape(len(x), self.dims)
        if self.kind == "levels":
            return x.astype(np.int64)
        with np.errstate(over="ignore"):  # whoever gives such numbers finds inf
            return ((x - np.asarray(self.shift)) / np.asarray(self.scale)).astype(np.float32)

    def to_data(self, x: np.ndarray) -> np.ndarray:
        """What the model drew, as the data are: float64 (n, D) points, int64 (n, *shape) levels."""
        import numpy as np

        if self.kind == "levels":
            return x.reshape(len(x), *self.shape)
        return np.asarray(self.shift) + np.asarray(self.scale) * x.reshape(len(x), self.dims).astype(np.float64)

    def describe(self) -> str:
        """One line of it.

        >>> Form("levels", (8, 8), levels=17).describe()
        'images of 8 × 8 pixels, 17 grey levels'
        """
        if self.kind == "text":
            return f"text of {len(self.characters)} different characters"
        if self.kind == "points":
            return f"points of {self.dims} real number{'s' * (self.dims > 1)}"
        what = "images of {} × {} pixels".format(*self.shape) if self.is_image else f"rows of {self.dims} integers"
        if self.binarised:
            return f"{what}, binarised"
        return f"{what}, {self.levels} {'grey ' * self.is_image}levels"

    def to_json(self) -> dict[str, Any]:
        """For the note of a checkpoint; ``from_json`` takes it back."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, given: Any) -> Form:
        """The form that ``to_json`` wrote.

        Raises:
            ValueError: for anything else.

        >>> form = Form("points", (2,), shift=(0.0, 1.0), scale=(1.0, 2.0))
        >>> Form.from_json(form.to_json()) == form
        True
        """
        match given:
            case {
                "kind": "points" | "levels" | "text" as kind,
                "shape": list(shape),
                "levels": int(levels),
                "characters": str(characters),
                "binarised": bool(binarised),
                "shift": list(shift),
                "scale": list(scale),
            } if (
                all(type(n) is int and n > 0 for n in shape)
                and all(type(v) is float and math.isfinite(v) for v in shift + scale)
                and all(v > 0 for v in scale)
                and len(shift) == len(scale) == (math.prod(shape) if kind == "points" else 0)
            ):
                return cls(kind, tuple(shape), levels, characters, binarised, tuple(shift), tuple(scale))
        raise ValueError("the form of the data is not as this version writes it")
