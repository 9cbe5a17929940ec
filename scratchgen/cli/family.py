"""What a model of the command line is: how it is made for data of some form, trained, measured and drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from scratchgen.cli.form import KINDS, Form

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.nn import Module

Settings = Mapping[str, Any]
AT_ONCE = 30_000  # numbers in the rows of a batch in evaluation: more would take memory, and no less time


class Option(NamedTuple):
    """A setting of a model, an int or a float, with a default for each kind of data that has one.

    Attributes:
        help: what it is.
        least: the smallest value that is allowed.
        defaults: by the kind of the data.
    """

    help: str
    least: float
    defaults: Mapping[str, int | float]

    @property
    def type(self) -> type:
        """int or float."""
        return type(next(iter(self.defaults.values())))

    def describe(self) -> str:
        """The help, with the defaults."""
        values = {f"{value} for {kind}": None for kind, value in self.defaults.items()}
        same = len(set(self.defaults.values())) == 1
        return f"{self.help} (default {next(iter(self.defaults.values())) if same else ', '.join(values)})"


class Recipe(NamedTuple):
    """How a model is trained, unless the options of ``train`` say otherwise.

    Attributes:
        steps, batch: how many steps, of how many rows.
        lr: the largest; it falls to 0 by a cosine.
        decay: the weight decay of matrices.
        average: the decay of the average of the weights; 0 for none.
        clip: the longest gradient.
        unit: of the loss: "nats", or "" where it is a squared error.
    """

    steps: int
    batch: int
    lr: float
    decay: float = 0.0
    average: float = 0.0
    clip: float = 10.0
    unit: str = "nats"


class Nats(NamedTuple):
    """−log p of each row, and what that is.

    Attributes:
        values: (B,), in nats; of the standardised rows, for points.
        kind: "exact"; "upper bound", on −log p, in expectation; or "estimate".
        how: how it was computed.
    """

    values: np.ndarray
    kind: str
    how: str


class Family(ABC):
    """A named model. NumPy and the model itself are imported in the methods only, so that ``--help`` is quick.

    Attributes:
        name: on the command line.
        summary: a line on what it is, with the page of the lecture.
        options: its settings by name.
        recipes: how it is trained, for each kind of data that suits it.
        by_em: whether it is fitted by ``fitted``, without steps.
        tempered: whether ``sample`` knows a temperature.
        truncated: whether it knows top-k and top-p too.
    """

    name: str
    summary: str
    options: ClassVar[Mapping[str, Option]] = {}
    recipes: ClassVar[Mapping[str, Recipe]]
    by_em: bool = False
    tempered: bool = False
    truncated: bool = False

    def objection(self, form: Form) -> str:
        """Why data of this form do not suit the model; "" if they do."""
        if form.kind in self.recipes:
            return ""
        return f"it takes {' or '.join(KINDS[kind] for kind in self.recipes)}"

    def settings(self, form: Form, given: Settings) -> dict[str, Any]:
        """All settings: those given, and the defaults for this form."""
        return {
            name: option.defaults[form.kind] if given.get(name) is None else given[name]
            for name, option in self.options.items()
            if form.kind in option.defaults
        }

    @abstractmethod
    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """The model, untrained."""

    def fitted(self, form: Form, settings: Settings, x: np.ndarray, held_out: np.ndarray, rng: Any) -> Module:
        """The model fitted to x without gradients, where ``by_em``; the best on what is held out, if several are."""
        raise NotImplementedError

    def start(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> None:
        """What a model does with the training data before the first step: most do nothing."""
        return

    def arranged(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Rows (B, D) as the loss of the model takes them: as they are, unless it wants pictures."""
        return x

    @abstractmethod
    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """−log p of each row of x (B, D)."""

    def sample(self, model: Any, form: Form, n: int, rng: Any, **knobs: Any) -> np.ndarray:
        """n draws, as the model sees data, (n, D)."""
        drawn: np.ndarray = model.sample(n, rng).reshape(n, form.dims)
        return drawn


def in_batches(log_prob: Any, x: np.ndarray) -> np.ndarray:
    """−log p of all rows, a batch at a time, outside any graph, (B,) float64."""
    import numpy as np

    from scratchgen.autodiff import no_grad
    from scratchgen.distributions.distribution import values

    with no_grad():
        return np.concatenate([-values(log_prob(rows)).astype(np.float64) for rows in batches(x)])


def batches(x: np.ndarray) -> list[np.ndarray]:
    """The rows of x in batches that are small enough for any model.

    >>> import numpy as np
    >>> [len(rows) for rows in batches(np.zeros((100, 784)))]
    [38, 38, 24]
    """
    size = max(1, AT_ONCE // x[0].size)
    return [x[i : i + size] for i in range(0, len(x), size)]
