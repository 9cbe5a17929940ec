"""The command ``python -m scratchgen evaluate``: the figure of a trained model on data, in nats."""

from __future__ import annotations

import argparse
from typing import Any

from scratchgen.cli import data as datasets
from scratchgen.cli.numbers import at_least

EXAMPLES = """
examples:
  python -m scratchgen evaluate moons.ckpt                         the test part of the data that it was trained on
  python -m scratchgen evaluate maf.ckpt --data measurements.csv   the same, named; its rows are known again
  python -m scratchgen evaluate maf.ckpt --data new.csv            all rows of other data
  python -m scratchgen evaluate digits.ckpt --split validation

The figure is the mean of -log p in nats, ± its standard error over the examples: less is better. Which models have it
exactly, and which only a bound on it, is said. Of grey levels it is also given in bits per dimension.
"""
SPLITS = ("train", "validation", "test", "all")


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a trained model on data, in nats",
        description="Measure a trained model on data, in nats.",
        epilog=EXAMPLES + datasets.HELP,
    )
    parser.add_argument("checkpoint", help="a file that train wrote")
    parser.add_argument("--data", metavar="NAME|FILE", help="a bundled set or a file, see below; else that of training")
    parser.add_argument("--key", help="the name of the array in an .npz file")
    parser.add_argument(
        "--split", choices=SPLITS, help="which part; by default the test part of known data, all of new"
    )
    parser.add_argument("--most", type=at_least(1), metavar="N", help="only the first N rows")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the noise of estimates (default 0)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, measure, print."""
    from scratchgen.cli import saved
    from scratchgen.cli.figures import measured

    model = saved.load(options.checkpoint)
    before = model.note["data"]
    if options.data is None:
        options.data = before["name"]
    options.rows = before.get("drawn", datasets.ROWS)  # of a toy: the draws that the model was trained on
    data = datasets.load(options, model.form)
    known = data.sha256 == before["sha256"]
    if not known and data.name == before["name"] and data.toy is None:
        print(f"{data.name} has changed since the model was trained on it: all of its rows are taken as new")
    split = options.split or split_of(data, known)
    figure = measured(model.family, model.model, data, split, options.seed, options.most)
    print(f"{model.family.name} on {data.name}, {'all of it' if split == 'all' else f'the {split} part'}")
    for line in figure.lines():
        print(f"  {line}")
    if known and split in ("train", "all"):
        print("  the model was trained on these rows: of new ones it says more")
    return 0


def split_of(data: datasets.Data, known: bool) -> str:
    """The part that is held out of known data, or all of other data."""
    if not known and data.toy is None:
        return "all"
    return "test" if len(data.parts["test"]) else "validation"
