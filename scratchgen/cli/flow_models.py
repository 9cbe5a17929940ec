"""The normalising flows of the command line (lecture p. 11); of grey levels, by variational dequantisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from scratchgen.cli.family import Family, Nats, Option, Recipe, Settings, in_batches
from scratchgen.cli.form import Form

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.nn import Module

DRAWS = 50  # of the place in the bin, for each x, in evaluation
MARGIN = 1e-3  # keeps the logit of the ends of the unit interval finite


class FlowFamily(Family):
    """Layers of one kind, with one map of numbers; a subclass makes the transform."""

    options: ClassVar[Mapping[str, Option]] = {
        "layers": Option("how many", 1, {"points": 6, "levels": 8}),
        "hidden": Option("the width of the two hidden layers of each network", 1, {"points": 64, "levels": 64}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(2000, 256, 3e-3, clip=2.0),
        "levels": Recipe(400, 50, 2e-3, decay=0.3, clip=50.0),
    }
    tempered = True

    def scalar_map(self, settings: Settings) -> Any:
        """The map of numbers, by default affine."""
        from scratchgen.flows import AffineMap

        return AffineMap()

    def stack(self, form: Form, settings: Settings, rng: Any) -> Any:
        """The layers, after an ``ActNorm``."""
        from scratchgen.flows import coupling_stack

        widths = [settings["hidden"]] * 2
        return coupling_stack(form.dims, settings["layers"], self.scalar_map(settings), widths, rng)

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """A flow, of levels within the unit cube and with noise that is a flow too."""
        from scratchgen import flows
        from scratchgen.nn import MLP

        stack, D = self.stack(form, settings, rng), form.dims
        if form.kind == "points":
            return flows.Flow(stack, base(D))
        density = flows.Flow(flows.Composite([flows.Logit(margin=MARGIN), *stack.transforms]), base(D))
        noise = flows.FlowPosterior(MLP([D, 128, 128, 2 * D], rng), flows.Logit(), latent=D)
        return flows.Dequantised(density, form.levels, noise)

    def start(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> None:
        """Let ``ActNorm`` see the training data, with noise on levels."""
        import numpy as np

        from scratchgen.flows import start

        if form.kind == "points":
            start(model.transform, x)
        else:
            start(model.density.transform, ((x + rng.random(x.shape)) / form.levels).astype(np.float32))

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact for points, a bound for levels."""
        if form.kind == "points":
            return Nats(in_batches(model.log_prob, x), "exact", "the change of variables")
        values = in_batches(lambda rows: model.log_prob(rows, rng, DRAWS), x)
        return Nats(values, "upper bound", f"dequantisation, {DRAWS} draws of the noise for each x")

    def sample(self, model: Any, form: Form, n: int, rng: Any, **knobs: Any) -> np.ndarray:
        """n draws; with a temperature, of noise with that standard deviation."""
        from scratchgen import flows

        noise = base(form.dims, knobs.get("temperature", 1.0))
        if form.kind == "points":
            return flows.Flow(model.transform, noise).sample(n, rng)
        return flows.Dequantised(flows.Flow(model.density.transform, noise), form.levels).sample(n, rng)


class RealNVP(FlowFamily):
    """Affine couplings."""

    name = "realnvp"
    summary = "flow of affine couplings, in two or more dimensions (p. 11)"

    def objection(self, form: Form) -> str:
        """A coupling needs something to pass and something to transform."""
        alone = "its couplings need two or more dimensions; maf takes one"
        return super().objection(form) or (alone if form.dims < 2 else "")


class SplineFlow(RealNVP):
    """Spline couplings."""

    name = "spline-flow"
    summary = "flow of couplings by rational-quadratic splines (p. 11)"
    options: ClassVar[Mapping[str, Option]] = {
        **FlowFamily.options,
        "layers": Option("how many", 1, {"points": 4, "levels": 8}),
        "bins": Option("of each spline", 2, {"points": 12, "levels": 6}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(1200, 256, 3e-3, clip=2.0),
        "levels": Recipe(400, 50, 2e-3, decay=0.3, clip=50.0),
    }

    def scalar_map(self, settings: Settings) -> Any:
        """Splines within [−4, 4]."""
        from scratchgen.flows import SplineMap

        return SplineMap(bins=settings["bins"], bound=4.0)


class MAF(FlowFamily):
    """Masked autoregressive layers."""

    name = "maf"
    summary = "masked autoregressive flow (p. 11)"
    options: ClassVar[Mapping[str, Option]] = {
        "layers": Option("how many", 1, {"points": 5, "levels": 5}),
        "hidden": Option("the width of the two hidden layers of each network", 1, {"points": 64, "levels": 128}),
    }

    def stack(self, form: Form, settings: Settings, rng: Any) -> Any:
        """Layers that reverse the order by turns."""
        from scratchgen.flows import autoregressive_stack

        widths = [settings["hidden"]] * 2
        return autoregressive_stack(form.dims, settings["layers"], self.scalar_map(settings), widths, rng)


def base(dims: int, temperature: float = 1.0) -> Any:
    """N(0, T² I) in float32.

    >>> round(float(base(2, 2.0).variance[0]), 4)
    4.0
    """
    import numpy as np

    from scratchgen.distributions import Independent, Normal

    zeros = np.zeros(dims, np.float32)
    return Independent(Normal(zeros, zeros + np.float32(2 * np.log(temperature))), 1)
