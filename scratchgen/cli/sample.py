"""The command ``python -m scratchgen sample``: draws of a trained model, to a file or the terminal."""

from __future__ import annotations

import argparse
import os
from typing import Any

from scratchgen.cli.errors import BadInput
from scratchgen.cli.models import FAMILIES
from scratchgen.cli.numbers import above_zero, at_least

EXAMPLES = """
examples:
  python -m scratchgen sample digits.ckpt -n 4                      drawn in characters, on the terminal
  python -m scratchgen sample digits.ckpt -n 100 --out digits.png   as a picture; so are points in the plane
  python -m scratchgen sample moons.ckpt -n 1000 --out moons.csv    .csv, .npy or .npz
  python -m scratchgen sample moons.ckpt -n 1000 | head -3          without --out, points are lines of CSV
  python -m scratchgen sample book.ckpt -n 3 --length 200 --prompt "The " --temperature 0.8 --top-k 10
"""
SUFFIXES = (".npy", ".npz", ".csv", ".png")


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "sample", help="draw from a trained model", description="Draw from a trained model.", epilog=EXAMPLES
    )
    parser.add_argument("checkpoint", help="a file that train wrote")
    parser.add_argument("-n", type=at_least(1), default=16, help="how many draws (default 16)")
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the noise: the same gives the same bits (default 0)"
    )
    parser.add_argument("--out", metavar="FILE", help=f"where to save them: {', '.join(SUFFIXES)}; .txt for text")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument(
        "--temperature", type=above_zero, help=f"below 1: likelier, less various; {names_with('tempered')} only"
    )
    parser.add_argument("--top-k", type=at_least(1), help=f"draw among the K likeliest; {names_with('truncated')} only")
    parser.add_argument(
        "--top-p", type=above_zero, help=f"draw among the likeliest of mass P; {names_with('truncated')} only"
    )
    parser.add_argument("--prompt", help="how texts begin")
    parser.add_argument("--length", type=at_least(1), help="characters of a text, with the prompt (default 200)")
    parser.set_defaults(run=run)


def names_with(ability: str) -> str:
    """The names of the models that have an ability."""
    return ", ".join(family.name for family in FAMILIES.values() if getattr(family, ability))


def run(options: argparse.Namespace) -> int:
    """Load, draw, and write."""
    import numpy as np

    from scratchgen.cli import saved
    from scratchgen.cli.samples import ink, texts, write

    found = saved.load(options.checkpoint)
    form, is_text = found.form, found.form.kind == "text"
    check_file(options, is_text)
    knobs = knobs_of(options, found)
    if is_text:
        knobs |= {"length": options.length or 200, "prompt": prompt_of(options, form.characters)}
    try:
        drawn = found.family.sample(found.model, form, options.n, np.random.default_rng(options.seed), **knobs)
    except ValueError as error:
        raise BadInput(str(error)) from error
    x = texts(drawn, form) if is_text else form.to_data(drawn)
    if options.out:
        write(x, form, options.out)
        print(f"wrote {options.n} draw{'s' * (options.n > 1)} of {found.family.name} to {options.out}")
    elif isinstance(x, list):
        print("\n----\n".join(x))
    elif form.is_image:
        print("\n\n".join(ink(image, form.levels) for image in x))
    else:
        for row in x.tolist():
            print(",".join(map(repr, row)))
    return 0


def check_file(options: argparse.Namespace, is_text: bool) -> None:
    """Refuse a file of an unknown kind, or one that would be lost."""
    if options.out is None:
        return
    suffix = os.path.splitext(options.out)[1].lower()
    known = (".txt",) if is_text else SUFFIXES
    if suffix not in known:
        raise BadInput(f"--out {options.out}: give a name that ends in {' or '.join(known)}")
    if not os.path.isdir(os.path.dirname(options.out) or "."):
        raise BadInput(f"--out {options.out}: there is no such folder; create it first")
    if os.path.exists(options.out) and not options.force:
        raise BadInput(f"{options.out} exists already; --force replaces it")


def knobs_of(options: argparse.Namespace, found: Any) -> dict[str, Any]:
    """The options that change how a model draws, or BadInput where it has them not."""
    given = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p")}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        ability = "tempered" if name == "temperature" else "truncated"
        if not getattr(found.family, ability):
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(f"{flag}: {found.family.name} has none; it is for {names_with(ability)}")
    if found.form.kind != "text":
        for name in ("prompt", "length"):
            if getattr(options, name) is not None:
                raise BadInput(f"--{name} is for models of text; this one is of {found.form.describe()}")
    return given


def prompt_of(options: argparse.Namespace, characters: str) -> Any:
    """The tokens of the prompt."""
    from scratchgen.data import Vocabulary

    try:
        return Vocabulary(characters).encode(options.prompt or "")
    except ValueError as error:
        raise BadInput(f"--prompt: {error}") from error
