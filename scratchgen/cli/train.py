"""The command ``python -m scratchgen train``: a named model on data of one's own, to a file that rebuilds it."""

from __future__ import annotations

import argparse
import os
import shlex
import stat
import sys
from typing import TYPE_CHECKING, Any

from scratchgen.cli import data as datasets
from scratchgen.cli.errors import BadInput, Failed
from scratchgen.cli.family import Family, Recipe
from scratchgen.cli.models import FAMILIES, require_fit
from scratchgen.cli.terminal import PROGRAM
from scratchgen.cli.train_options import add_parsers

if TYPE_CHECKING:
    from scratchgen.cli.data import Data

EVALUATIONS = 20  # in a training
# Rows of the validation part that are looked at while training: at most so many, of wide ones as many as have so many
# numbers, but never fewer than the last.
MOST_VALIDATION, MOST_NUMBERS, FEWEST_VALIDATION = 2000, 150_000, 100


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    add_parsers(subparsers, run)


def run(options: argparse.Namespace) -> int:
    """Train, save, and print the validation figure and what to do next."""
    import numpy as np

    from scratchgen.cli import saved
    from scratchgen.cli.figures import measured

    family = FAMILIES[options.model]
    check_file(options)
    data = datasets.load(options)
    require_fit(family, data.form, data.name)
    settings = family.settings(data.form, vars(options))
    unused = [n for n in family.options if n not in settings and getattr(options, n) is not None]
    if unused:
        raise BadInput(f"--{unused[0].replace('_', '-')} is no setting of {family.name} for {data.form.describe()}")
    print(f"data       {data.name}: {data.form.describe()}")
    for guess in data.guesses:
        print(f"           {guess}")
    recipe = recipe_for(family, data, options)
    note = saved.note_of(family, settings, data.form, source(data, options), training_note(recipe, options))
    rng = np.random.default_rng(options.seed)
    try:
        if family.by_em:
            model = family.fitted(data.form, settings, data.part("train"), data.part("validation"), rng)
        else:
            model = family.build(data.form, settings, rng)
    except (ValueError, TypeError, MemoryError) as error:
        raise BadInput(f"{family.name}: {error}") from error
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    print(f"model      {family.name}: {told}; {sum(t.size for t in model.parameters().values()):,} parameters")
    sys.stdout.flush()
    if family.by_em:
        save_fitted(model, note, options)
    elif not trained(family, model, data, recipe, note, rng, options):
        return 130
    figure = measured(family, model, data, "validation", 0, most_validation(data))
    first, *rest = figure.lines()
    print(f"validation {first}")
    for line in rest:
        print(f"           {line}")
    file = shlex.quote(options.out)
    show = " --out samples.png" if data.form.is_image or data.form.shape == (2,) else ""
    print(f"saved      {options.out}")
    print(f"next       {PROGRAM} sample {file} -n 16{show}")
    print(f"           {PROGRAM} evaluate {file} --data {shlex.quote(options.data)}")
    return 0


def check_file(options: argparse.Namespace) -> None:
    """Refuse, before any work, a file that would be lost, or cannot be written or resumed."""
    folder = os.path.dirname(options.out) or "."
    if os.path.isdir(options.out):
        raise BadInput(f"--out {options.out} is a folder; name a file in it")
    if not os.path.isdir(folder):
        raise BadInput(f"--out {options.out}: there is no folder {folder}; create it first")
    exists = os.path.exists(options.out)
    if exists and not os.path.isfile(options.out):  # --force would remove it
        raise BadInput(f"--out {options.out} is a device or a pipe; name a file")
    if exists and not os.stat(options.out).st_mode & stat.S_IWUSR:
        raise BadInput(f"--out {options.out} is read-only; name another file, or make it writable")
    if options.resume and options.force:
        raise BadInput("--resume goes on from the file, and --force replaces it: choose one")
    if options.resume and not exists:
        raise BadInput(f"--resume: there is no file {options.out} to go on from")
    if exists and not (options.resume or options.force):
        raise BadInput(f"{options.out} exists already: --resume goes on from it, --force replaces it")


def source(data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """Where the data are from, and how they are known again."""
    rows = {part: len(x) for part, x in data.parts.items() if part != "all"}
    drawn = {"drawn": options.rows} if data.toy is not None else {}
    return {"name": data.name, "rows": rows, "sha256": data.sha256, **drawn}


def training_note(recipe: Recipe, options: argparse.Namespace) -> dict[str, Any]:
    """How the training is set: what a resume has to repeat."""
    return {"seed": options.seed, "steps": recipe.steps, "batch_size": recipe.batch, "lr": recipe.lr}


def recipe_for(family: Family, data: Data, options: argparse.Namespace) -> Recipe:
    """That of the family for these data, with what the options change."""
    recipe, rows = family.recipes[data.form.kind], len(windows(family, data, options))
    batch = options.batch_size or min(recipe.batch, rows)
    if batch > rows:
        raise BadInput(f"--batch-size {batch}: there are only {rows} rows to train on")
    steps = options.steps or recipe.steps
    if options.epochs:
        steps = options.epochs * -(-rows // batch)
    return recipe._replace(steps=steps, batch=batch, lr=options.lr or recipe.lr)


def windows(family: Family, data: Data, options: argparse.Namespace, part: str = "train") -> Any:
    """The rows of a part; of a text, all its stretches as long as the context."""
    import numpy as np

    x = data.part(part)
    if data.form.kind != "text":
        return x
    context = int(family.settings(data.form, vars(options)).get("context", 1))
    if len(x) < context + 1:
        raise BadInput(f"{data.name}: its {part} part has {len(x)} characters; --context {context} is too long")
    stretches = np.lib.stride_tricks.sliding_window_view(x, context)
    return stretches if part == "train" else stretches[::context]


def most_validation(data: Data) -> int:
    """How many rows of the validation part to look at."""
    return min(MOST_VALIDATION, max(FEWEST_VALIDATION, MOST_NUMBERS // max(1, data.form.dims)))


def save_fitted(model: Any, note: dict[str, Any], options: argparse.Namespace) -> None:
    """A checkpoint of a model that was fitted at once."""
    from scratchgen import checkpoint
    from scratchgen.training.run import prefixed

    try:
        checkpoint.save(options.out, prefixed("model", model.state()), {"step": 1, "note": note})
    except checkpoint.CheckpointError as error:
        raise BadInput(str(error)) from error


def trained(
    family: Family, model: Any, data: Data, recipe: Recipe, note: dict[str, Any], rng: Any, options: argparse.Namespace
) -> bool:
    """Train by gradients, keeping the best weights; whether it came to its end, and not to Ctrl-C."""
    from scratchgen.checkpoint import CheckpointError
    from scratchgen.optim import AdamW, Average, cosine
    from scratchgen.training import TrainingError, fit

    train = windows(family, data, options)
    if options.resume:
        check_resume(note, options)
    family.start(model, data.form, data.part("train"), rng)
    if options.force and os.path.exists(options.out):
        os.unlink(os.path.realpath(options.out))
    steps = recipe.steps
    try:
        history = fit(
            model,
            family.arranged(model, train),
            optimizer=AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.decay, matrices_only=True),
            batch_size=recipe.batch,
            rng=rng,
            steps=steps,
            validation=family.arranged(model, windows(family, data, options, "validation")[: most_validation(data)]),
            evaluate_every=max(1, steps // EVALUATIONS),
            patience=steps,  # never stop early, but keep the best weights
            schedule=cosine(recipe.lr, steps, warm_up=min(50, steps // 10)),
            clip=recipe.clip,
            average=Average(model.parameters(), recipe.average) if recipe.average else None,
            checkpoint=options.out,
            note=note,
            resume=options.resume,
            progress=not options.quiet,
            unit="nats, standardised" if recipe.unit and data.form.log_volume else recipe.unit,
        )
    except TrainingError as error:
        raise Failed(str(error)) from error
    except (CheckpointError, ValueError, TypeError) as error:
        raise BadInput(str(error)) from error
    if history.interrupted:
        again = [argument for argument in options.arguments if argument not in ("--force", "--resume")]
        print(f"saved in {options.out}; to go on: {PROGRAM} {shlex.join([*again, '--resume'])}", file=sys.stderr)
    return not history.interrupted


def check_resume(note: dict[str, Any], options: argparse.Namespace) -> None:
    """Refuse to go on from the file of another model, other data or other settings, naming the first that differs."""
    from scratchgen.cli.saved import read_note

    before, _, _ = read_note(options.out)
    for what in ("model", "settings", "form", "data", "training"):
        if before.get(what) != note[what]:
            then, now = before.get(what), note[what]
            if isinstance(then, dict) and isinstance(now, dict):
                key = next(k for k in {**then, **now} if then.get(k) != now.get(k))
                what, then, now = f"{what}: {key}", then.get(key), now.get(key)
            raise BadInput(
                f"--resume: {options.out} was trained with another {what}, {then!s:.80}, not {now!s:.80}: repeat the "
                "command that began it, with --resume; with other settings, a training begins anew"
            )
