"""The autoregressive models of the command line (lecture p. 10). Settings for images are those of ``demos``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from scratchgen.cli.family import Family, Nats, Option, Recipe, Settings, in_batches
from scratchgen.cli.form import Form

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.nn import Module

PIECES = 20  # of a text, whose figures give the standard error
MOST_CATEGORIES, LOGISTICS = 32, 5  # of levels: beyond so many, MADE has so many logistic densities cut into levels
CHAIN = "the chain rule"


class MADE(Family):
    """A masked network."""

    name = "made"
    summary = "masked network: mixtures of normals for points, or levels (p. 10)"
    options: ClassVar[Mapping[str, Option]] = {
        "hidden": Option("the width of the hidden layer", 1, {"points": 256, "levels": 512}),
        "components": Option("normal distributions in each conditional", 1, {"points": 20}),
        "dropout": Option("the rate in training", 0.0, {"points": 0.0, "levels": 0.5}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(3000, 256, 3e-3, average=0.99),
        "levels": Recipe(2400, 25, 3e-3, decay=1.0, average=0.99),
    }

    def settings(self, form: Form, given: Settings) -> dict[str, Any]:
        """With a hidden layer that is as wide as x, if nothing else is wanted: narrower ones cut inputs off."""
        chosen = super().settings(form, given)
        if given.get("hidden") is None:
            chosen["hidden"] = max(chosen["hidden"], form.dims)
        return chosen

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """One hidden layer for levels, two for points."""
        from scratchgen import autoregressive as ar

        output: ar.Output = ar.GaussianMixtureOutput(settings.get("components", 1))
        if form.levels:
            few = form.levels <= MOST_CATEGORIES
            output = ar.CategoricalOutput(form.levels) if few else ar.LogisticMixtureOutput(LOGISTICS, form.levels)
        hidden = [settings["hidden"]] * (1 if form.levels else 2)
        return ar.MADE(form.dims, output, hidden, rng, activation="tanh", dropout=settings["dropout"])

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact."""
        return Nats(in_batches(model.log_prob, x), "exact", CHAIN)


class PixelCNN(Family):
    """Masked convolutions."""

    name = "pixelcnn"
    summary = "masked convolutions in two stacks, for images (p. 10)"
    options: ClassVar[Mapping[str, Option]] = {
        "width": Option("channels of each stack", 1, {"levels": 32}),
        "layers": Option("how many", 1, {"levels": 5}),
        "dropout": Option("the rate in training", 0.0, {"levels": 0.3}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {"levels": Recipe(320, 50, 6e-3, decay=0.3, average=0.97)}

    def objection(self, form: Form) -> str:
        """It needs a height and a width."""
        return "" if form.is_image else "it takes images of grey levels, (n, height, width) or --shape H,W"

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """With a first convolution that reaches as far as the layers leave to be reached."""
        from scratchgen import autoregressive as ar

        height, width = form.shape
        first = max(3, max(height, width) - 1 - settings["layers"])
        return ar.PixelCNN((height, width), form.levels, rng, first=first, **settings)

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact."""
        return Nats(in_batches(model.log_prob, x), "exact", CHAIN)


class Transformer(Family):
    """A causal transformer over characters, or over pixels."""

    name = "transformer"
    summary = "causal transformer over characters or pixels (p. 10)"
    options: ClassVar[Mapping[str, Option]] = {
        "width": Option("features at each position", 1, {"levels": 64, "text": 64}),
        "heads": Option("of the attention", 1, {"levels": 4, "text": 4}),
        "layers": Option("how many blocks", 1, {"levels": 2, "text": 2}),
        "context": Option("characters in a window", 2, {"text": 32}),
        "dropout": Option("the rate in training", 0.0, {"levels": 0.2, "text": 0.0}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "levels": Recipe(800, 32, 5e-3, decay=0.3, average=0.98),
        "text": Recipe(1500, 32, 5e-3),
    }
    tempered = truncated = True

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """Of as many positions as a row has numbers, or the context."""
        from scratchgen import autoregressive as ar

        sizes = {name: settings[name] for name in ("width", "heads", "layers", "dropout")}
        dims, symbols = settings.get("context", form.dims), len(form.characters) or form.levels
        return ar.Transformer(symbols, dims, rng=rng, **sizes)

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact; of a text, per character, for each of ``PIECES`` pieces."""
        import numpy as np

        from scratchgen.autoregressive import stream_nats

        if form.kind == "levels":
            return Nats(in_batches(model.log_prob, x), "exact", CHAIN)
        pieces = np.array_split(x, min(PIECES, max(1, len(x) // model.dims)))
        how = f"the chain rule, by windows of {model.dims} characters, each predicted from {model.dims // 2} or more"
        return Nats(np.array([stream_nats(model, piece) for piece in pieces]), "exact", how)

    def sample(self, model: Any, form: Form, n: int, rng: Any, **knobs: Any) -> np.ndarray:
        """n draws: rows of levels, or texts of ``length`` characters that begin with ``prompt``."""
        from scratchgen.autoregressive import generate_stream

        drawn: np.ndarray
        if form.kind == "levels":
            drawn = model.generate(n, rng, **knobs)
        else:
            drawn = generate_stream(model, n, rng=rng, **knobs)
        return drawn
