"""Diffusion and flow matching on the command line (lecture p. 12). Settings for images are those of ``demos``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from scratchgen.cli.family import Family, Nats, Option, Recipe, Settings, batches, in_batches
from scratchgen.cli.form import Form

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.nn import Module

MOST_EXACT = 8  # dimensions for which the divergence is computed exactly
PROBES = 4  # random directions for it in more dimensions
STEPS = 30  # of the integration of the likelihood


class DDPM(Family):
    """A denoising diffusion model, trained by its bound."""

    name = "ddpm"
    summary = "denoising diffusion in T steps, trained by its bound (p. 12)"
    options: ClassVar[Mapping[str, Option]] = {
        "diffusion_steps": Option("T", 2, {"points": 100, "levels": 100}),
        "width": Option("of the network; its channels, for images of even sides", 1, {"points": 128, "levels": 16}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(2500, 256, 3e-3, average=0.99),
        "levels": Recipe(600, 100, 6e-3, decay=0.3, average=0.98, clip=100.0),
    }

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """A U-Net for images of even sides, else a residual network."""
        from scratchgen import diffusion as df

        D, width = form.dims, settings["width"]
        # At first there has to be less noise than the finest structure of points; of levels, the decoder takes care.
        schedule = df.even_log_snr(settings["diffusion_steps"], high=8.0 if form.kind == "points" else 3.0)
        if form.kind == "points":
            network = df.ResidualNet(D, rng, width=width, outputs=2 * D)
            return df.DDPM(network, schedule, (D,), target="v", weighting="bound", variance="learned", first=0.1)
        if form.is_image and not any(side % 2 for side in form.shape):
            unet = df.UNet(1, rng, channels=width, outputs=form.levels)
            return df.LevelDDPM(unet, schedule, (*form.shape, 1), form.levels, first=0.5)
        network = df.ResidualNet(D, rng, width=8 * width, outputs=D * form.levels)
        return df.LevelDDPM(network, schedule, (D,), form.levels, first=0.5)

    def arranged(self, model: Any, x: np.ndarray) -> np.ndarray:
        """As images, (B, height, width, 1), for a U-Net."""
        return x.reshape(len(x), *model.event_shape)

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """The bound, all its terms."""
        import numpy as np

        from scratchgen.diffusion import terms

        x = self.arranged(model, x)
        values = np.concatenate([terms(model, rows, rng).total for rows in batches(x)])
        return Nats(values, "upper bound", f"its {model.schedule.T} terms, each with one draw for each x")


class FlowMatching(Family):
    """A velocity, learned by regression."""

    name = "flow-matching"
    summary = "flow matching: straight lines from data to noise (p. 12)"
    options: ClassVar[Mapping[str, Option]] = {
        "width": Option("of the network", 1, {"points": 128, "levels": 256}),
        "blocks": Option("of the network", 1, {"points": 3, "levels": 3}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(2500, 256, 3e-3, average=0.99, unit=""),
        "levels": Recipe(2000, 100, 2e-3, decay=0.3, average=0.99, unit=""),
    }

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """A residual network; levels get noise within their bins, and are spread over [−1, 1]."""
        from scratchgen import diffusion as df

        network = df.ResidualNet(form.dims, rng, width=settings["width"], blocks=settings["blocks"])
        if form.kind == "points":
            return df.FlowMatching(network, (form.dims,))
        return df.LevelMatching(network, (form.dims,), form.levels)

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """By the divergence along the path, in few dimensions the whole of it, else along random directions."""
        from scratchgen.flows import random_signs

        exact = form.dims <= MOST_EXACT
        flow = model.flow(STEPS, None if exact else random_signs((PROBES, form.dims), rng))
        integral = f"the integral of the divergence, {STEPS} steps of order 4"
        log_prob = flow.log_prob if form.kind == "points" else lambda rows: model.bound(rows, flow, rng)
        how = integral + ("" if exact else f", estimated by {PROBES} random directions")
        if form.kind == "levels":  # a bound, but for the error of the integral
            how = f"of a bound: dequantisation, one draw for each x; {how}"
        return Nats(in_batches(log_prob, x), "estimate", how)
