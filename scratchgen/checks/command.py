"""The command ``python -m scratchgen gradcheck``: of a function in a file, or of the whole package."""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLES = """
examples:
  python -m scratchgen gradcheck mine.py:f --shapes 2,3 3,5     f(x, y) with x of shape (2, 3) and y of shape (3, 5)
  python -m scratchgen gradcheck mine.py:f --shapes scalar      f(x) of a single number
  python -m scratchgen gradcheck mine.py:f --shapes 7 --range 0.1 2     inputs between 0.1 and 2, for a logarithm
  python -m scratchgen gradcheck --all                          every operation, layer, distribution and model

f takes Tensors, which NumPy's functions and operators work on, and returns one Tensor. The exit code is 0 if its
derivatives are right and 1 if they are wrong.
"""


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "gradcheck",
        help="compare the derivatives of a function with numerical ones",
        description="Compare the derivatives of a function with numerical ones, to first and second order.",
        epilog=EXAMPLES,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("function", nargs="?", help="file.py:name")
    what.add_argument("--all", action="store_true", help="check everything in the package, and print a table")
    parser.add_argument(
        "--shapes", nargs="+", type=shape, help="of the inputs: 2,3 for a matrix, 7 for a vector, scalar for a number"
    )
    parser.add_argument(
        "--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of the inputs; else ±0.3 to ±1.7"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the inputs and directions (default 0)")
    parser.add_argument("--order", type=int, choices=(1, 2), default=2, help="1: the gradient only (default 2)")
    parser.add_argument("--oracle", choices=("real", "complex"), default="real", help="complex: exact, for analytic f")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Check, print, and return the exit code."""
    from scratchgen.autodiff.checking.gradient_error import GradientError
    from scratchgen.autodiff.gradcheck import gradcheck

    if args.all:
        from scratchgen.checks.table import print_table

        return 1 if print_table(args.seed, lambda row: print(row, flush=True)) else 0
    if not args.shapes:
        args.parser.error("--shapes is needed: one for each input of the function, such as --shapes 2,3 scalar")
    if args.range and not args.range[0] < args.range[1]:
        args.parser.error(f"--range {args.range[0]} {args.range[1]}: LOW must be below HIGH")
    try:
        function = load(args.function)
    except (AttributeError, FileNotFoundError, ValueError) as error:
        args.parser.error(str(error))
    try:
        print(gradcheck(function, *inputs(args), order=args.order, oracle=args.oracle, rng=args.seed))
    except GradientError as error:
        print(error)
        return 1
    except (TypeError, ValueError) as error:  # the function does not take these inputs, or returns no Tensor
        args.parser.error(f"{args.function} on {args.shapes} raised {type(error).__name__}: {error}")
    return 0


def inputs(args: argparse.Namespace) -> list[Any]:
    """An array for each shape."""
    import numpy as np

    from scratchgen.checks.sample import signed, uniform

    rng = np.random.default_rng(args.seed)
    return [(uniform(*args.range, *shape) if args.range else signed(*shape))(rng) for shape in args.shapes]


def shape(text: str) -> tuple[int, ...]:
    """The shape that ``--shapes`` means.

    >>> shape("2,3"), shape("7"), shape("scalar")
    ((2, 3), (7,), ())
    """
    if text == "scalar":
        return ()
    sizes = tuple(int(n) for n in text.strip("(),").split(","))
    if min(sizes) < 0 or math.prod(sizes) > 10**7:
        raise ValueError(text)
    return sizes


def seed(text: str) -> int:
    """A seed, which is not negative."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return int(text)


def load(target: str) -> Callable[..., Any]:
    """The function that ``file.py:name`` means.

    Raises:
        ValueError: for another form.
        FileNotFoundError: for a file that is not there.
        AttributeError: for a name that the file does not have, or that is no function.
    """
    file, colon, name = target.rpartition(":")
    if not colon or not file or not name:
        raise ValueError(f"{target}: expected file.py:name, such as mine.py:f")
    path = Path(file).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{file} is not a file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # for what it imports from beside it
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        there = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        raise AttributeError(f"{file} has no function {name}; it has {', '.join(there) or 'none'}")
    return function
