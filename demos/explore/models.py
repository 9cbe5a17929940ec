"""The two models that are explored: small, so that they train in seconds and their weights fit in a page.

    vae     z ∈ R² → 64 → 32 → 64 pixels × 17 grey levels: what p(x|z) says of each pixel is a table of probabilities
    flow    eight affine couplings of the plane, trained on two moons, whose density is known

All layers but the last of a network are tanh. They are explored in float64: what a page or a window shows can then be
compared with what Python computes to the last digits.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from demos.flows import standard_normal
from demos.page09_vae import load
from demos.training import fit_with_falling_lr
from scratchgen import checkpoint
from scratchgen.cli.form import Form
from scratchgen.cli.saved import load as load_saved
from scratchgen.data import TwoMoons
from scratchgen.flows import AffineMap, Flow, coupling_stack, start
from scratchgen.latent import VAE, CategoricalLikelihood
from scratchgen.nn import MLP, Module
from scratchgen.nn.initialisations import he_normal
from scratchgen.optim import AdamW, Average

LEVELS, SIDE, PIXELS = 17, 8, 64
COUPLINGS, TOY = 8, TwoMoons(std=0.1)
STEPS = {"vae": 1500, "flow": 2000}


def new_vae(rng: np.random.Generator) -> VAE:
    """A VAE of flat digits with a code in the plane, untrained."""
    likelihood = CategoricalLikelihood(PIXELS, LEVELS)
    # Of smaller weights than these, three layers of tanh make next to nothing of z: the training would stand still
    # for a long time where q(z|x) is the prior.
    encoder = MLP([PIXELS, 128, 64, 4], rng, "tanh", he_normal)
    decoder = MLP([2, 64, 32, likelihood.outputs], rng, "tanh", he_normal)
    return VAE(encoder, decoder, likelihood, latent=2)


def new_flow(rng: np.random.Generator) -> Flow:
    """A flow of the plane, untrained."""
    return Flow(coupling_stack(2, COUPLINGS, AffineMap(), (24, 24), rng, activation="tanh"), standard_normal(2))


def train_vae(vae: VAE, steps: int, rng: np.random.Generator) -> None:
    """The least −ELBO, with averaged weights; those that are best on the validation set are kept."""
    x, held_out = (load(part).x.reshape(-1, PIXELS) for part in ("train", "validation"))
    optimizer = AdamW(vae.parameters(), lr=1e-2, weight_decay=0.1, matrices_only=True)
    fit_with_falling_lr(
        vae,
        x,
        lr=1e-2,
        steps=steps,
        rng=rng,
        optimizer=optimizer,
        warm_up=min(50, steps // 4),
        progress=True,
        batch_size=100,
        validation=held_out,
        evaluate_every=100,
        patience=steps,
        average=Average(vae.parameters(), decay=0.99),
    )


def train_flow(flow: Flow, steps: int, rng: np.random.Generator) -> None:
    """The greatest likelihood of draws of the toy."""
    x = TOY.sample(20_000, rng).astype(np.float32)
    start(flow.transform, x)
    warm_up = max(steps // 20, 1)
    fit_with_falling_lr(
        flow, x, lr=5e-3, steps=steps, rng=rng, warm_up=warm_up, progress=True, batch_size=256, clip=5.0
    )


NEW: dict[str, Any] = {"vae": new_vae, "flow": new_flow}
TRAIN: dict[str, Any] = {"vae": train_vae, "flow": train_flow}


def obtained(kind: str, seed: int, path: str | os.PathLike[str] | None = None, steps: int | None = None) -> Any:
    """The VAE or the flow, in float64.

    Args:
        kind: "vae" or "flow".
        seed: of its training.
        path: a checkpoint. If there is a file, the model is taken from it; else it is trained and saved there.
        steps: of the training, ``STEPS`` by default.

    Raises:
        CheckpointError: for a file that is no checkpoint, or cannot be written.
        CommandError: for one of ``python -m scratchgen train`` that is not whole.
        ValueError: for the checkpoint of another model, with what does not fit.
    """
    if path is not None and os.path.exists(path):
        return in_float64(loaded(kind, os.fspath(path)))
    rng = np.random.default_rng(seed)
    model = NEW[kind](rng)
    TRAIN[kind](model, STEPS[kind] if steps is None else steps, rng)
    if path is not None:
        checkpoint.save(path, model.state(), {"model": kind, "seed": seed})
    return in_float64(model)


def loaded(kind: str, path: str) -> Any:
    """The model of a checkpoint: one that ``obtained`` has saved, or a VAE of ``python -m scratchgen train``.

    Raises:
        CheckpointError, CommandError, ValueError: as ``obtained``.
    """
    arrays, meta = checkpoint.load(path)
    if "note" not in meta:
        model = NEW[kind](np.random.default_rng(0))
        model.load_state(arrays)
        return model
    saved = load_saved(path)
    vae, of_digits = saved.model, saved.form == Form("levels", (SIDE, SIDE), LEVELS)
    if kind != "vae" or not isinstance(vae, VAE) or vae.latent != 2 or not of_digits:
        raise ValueError(
            f"the file holds a {saved.family.name}; of models of the command line, --model vae shows a VAE of the "
            f"digits with two latent dimensions: python -m scratchgen train vae --data digits --latent 2 --out {path}"
        )
    return vae


def in_float64(model: Module) -> Any:
    """The same model, ready to be explored: in float64 and evaluation mode."""
    if isinstance(model, Flow):
        model.base = standard_normal(2, np.float64)
    return model.astype(np.float64).eval()
