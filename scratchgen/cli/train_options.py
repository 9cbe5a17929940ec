"""The options of ``train``, with a parser for each model."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from scratchgen.cli import data as datasets
from scratchgen.cli.family import Family
from scratchgen.cli.models import FAMILIES
from scratchgen.cli.numbers import above_zero, at_least

EXAMPLES = """
examples:
  python -m scratchgen train realnvp --data two_moons --out moons.ckpt
  python -m scratchgen train vae --data digits --latent 8 --out digits.ckpt
  python -m scratchgen train maf --data measurements.csv --out maf.ckpt --steps 5000 --seed 1
  python -m scratchgen train transformer --data book.txt --out book.ckpt
  python -m scratchgen train vae --data digits --latent 8 --out digits.ckpt --resume      after Ctrl-C
"""
END = """
train MODEL --help lists the settings of a model.

Kept are the weights that are best on the validation part, and the figure at the end is of this part; evaluate has that
of the test part, which had no say in anything.
"""


def add_parsers(subparsers: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """The parser of ``train``, with one for each model."""
    parser = subparsers.add_parser(
        "train",
        help="train a model on data",
        description="Train a model on data, and save it with all that is needed to make it again.",
        epilog=EXAMPLES + END + datasets.HELP,
    )
    models = parser.add_subparsers(title="models", required=True, metavar="MODEL", dest="model")
    for family in FAMILIES.values():
        of_model = models.add_parser(
            family.name,
            help=family.summary,
            description=f"Train a {family.summary}.",
            epilog=datasets.HELP,
        )
        add_options(of_model, family)
        of_model.set_defaults(run=run, parser=of_model)


def add_options(parser: argparse.ArgumentParser, family: Family) -> None:
    """What can be said of the data, the model, the training and the file."""
    datasets.add_options(parser)
    parser.add_argument("--no-standardise", dest="standardise", action="store_false", help="take points as they are")
    settings = parser.add_argument_group(f"settings of {family.name}")
    for name, option in family.options.items():
        flag = "--" + name.replace("_", "-")
        settings.add_argument(flag, type=at_least(option.least, option.type), metavar="N", help=option.describe())
    training = parser.add_argument_group("training")
    training.add_argument("--seed", type=at_least(0), default=0, help="of weights, order and noise (default 0)")
    file = parser.add_argument_group("file")
    file.add_argument("--out", default=f"{family.name}.ckpt", metavar="FILE", help=f"else {family.name}.ckpt")
    file.add_argument("--force", action="store_true", help="replace FILE if it is there")
    if family.by_em:  # at once
        parser.set_defaults(steps=None, epochs=None, batch_size=None, lr=None, resume=False, quiet=True)
        return
    length = training.add_mutually_exclusive_group()
    defaults = ", ".join(f"{recipe.steps} for {kind}" for kind, recipe in family.recipes.items())
    length.add_argument("--steps", type=at_least(1), help=f"how long (default {defaults})")
    length.add_argument("--epochs", type=at_least(1), help="how long, as passes through the data")
    training.add_argument("--batch-size", type=at_least(1), help="rows in a step")
    training.add_argument("--lr", type=above_zero, help="the largest; it falls to 0")
    file.add_argument("--resume", action="store_true", help="go on from FILE, to the same bits as without a stop")
    file.add_argument("--quiet", action="store_true", help="no progress")
