"""The latent explorer as a page for any browser: a VAE and a flow, run by the page itself (lecture pages 9 and 11).

Two small models are trained: a VAE of the 8 × 8 digits with a code of two numbers, and a flow of the plane on two
moons, whose density is known. Their weights are rounded, as far as nothing of it can be seen, and written into
explore.html, with a decoder in plain JavaScript (``demos/explore/nets.js``): no Python and no network are needed to
move through their latent spaces. What the rounding changes is measured and printed.

The same in a window of matplotlib: python -m demos.explore
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.explore import export, views
from demos.explore.models import PIXELS, TOY, obtained
from demos.explore.page import page
from demos.explore.vae_window import draw_codes
from demos.page09_vae import Split, bounds, load
from scratchgen.data import gap_to_entropy

TITLE = "Pages 9 and 11: the latent explorer, a page that runs the models itself"
SECONDS = 10
CONTOUR = 0.05  # of the true density
CODES = "z ~ N(0, I),   p(x|z) = Π_j softmax(decoder(z)_j)[x_j],   q(z|x) = N(z; μ(x), σ²(x))"


def draw_manifold(stage: Stage, vae: Any, points: np.ndarray, test: Split) -> None:
    """The plane of codes, decoded, with the test digits in it."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 6.5), layout="constrained")
    draw_codes(vae, points, test.labels, ax)
    outside = int(np.sum(np.abs(points).max(axis=1) > views.REACH))
    stage.save(
        figure,
        "page09_explore",
        "The plane of the explorer",
        CODES,
        "Behind: the mean of p(x|z) at 15 × 15 codes, within three standard deviations of the prior. Points: the means "
        f"of q(z|x) of the 447 test digits, by class ({outside} of them lie outside).",
    )


def of_rounding(name: str, part: export.Export, what: str) -> str:
    """How far the weights in the page are from the trained ones."""
    return (
        f"{name}: weights to {part.digits} decimals, {part.size / 1000:.0f} kB; rounding changes {what} by at most "
        f"{part.error:.4f} (without rounding 0; allowed {export.TOLERANCE:g})"
    )


def run(stage: Stage, seed: int, steps: int | None = None) -> None:
    """Train, measure, write the page and its picture; fewer ``steps`` for a trial."""
    stage.say("training the VAE, then the flow")
    vae, flow = obtained("vae", seed, steps=steps), obtained("flow", seed, steps=steps)
    rng, test = np.random.default_rng(seed), load("test")
    x = test.x.reshape(-1, PIXELS)
    about_vae = f"VAE, code of two numbers, test set: {bounds(vae, x, rng)}"
    gap = gap_to_entropy(flow.log_prob, TOY, 20_000, rng, np.float64)
    about_flow = f"flow: {gap} above the entropy of two moons, {TOY.entropy():.4f} nats"
    small_vae, small_flow = export.exported_vae(vae), export.exported_flow(flow)
    vae_lines = about_vae, of_rounding("decoder", small_vae, "a probability of a grey level")
    flow_lines = about_flow, of_rounding("flow", small_flow, "a coordinate")
    for line in (*vae_lines, *flow_lines):
        stage.result(line)

    points = views.codes(vae, x)
    draw_manifold(stage, vae, points, test)
    models = {
        "vae": small_vae.content,
        "flow": small_flow.content,
        "codes": export.points_content(points, test.labels),
        "truth": {"std": TOY.std, "contour": export.true_contour(CONTOUR)},
    }
    command = f"python -m demos.page09_explore --seed {seed}"
    stage.save_page(
        page(models, *(html.escape(". ".join(lines) + ".") for lines in (vae_lines, flow_lines)), html.escape(command)),
        "explore",
        "Latent explorer",
        CODES,
        "Drag a point through the plane of codes, and see p(x|z) change; then draw noise for a flow, and follow it "
        "layer by layer. It runs in any browser, a phone's too, without Python or network.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
