"""The command ``python -m scratchgen demo``: runs the demos, which are in the repository and not in the package.

With ``--with DIR`` it is another name of ``exercises demo``, which is in the package.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from scratchgen.cli import exercises
from scratchgen.cli.errors import BadInput
from scratchgen.cli.numbers import at_least
from scratchgen.cli.parser import Parser

ROOT = Path(__file__).resolve().parents[2]  # of the repository, if this is a clone or installed from one by --editable
EXAMPLES = """
examples:
  python -m scratchgen demo --list                  all demos, in the order of the lecture
  python -m scratchgen demo page09_vae --quick      one, in short; its pictures go to demos/out
  python -m scratchgen demo --quick                 the whole lecture, in short
  python -m scratchgen demo                         the whole lecture, at full length
  python -m scratchgen demo vae --with DIR          a VAE trained on your own functions: see exercises demo --help

It is python -m demos of the repository that does the work; python -m demos --help lists more options.
"""


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "demo", help="run demos of the lecture", description="Run demos of the lecture.", epilog=EXAMPLES
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="how the names of the demos begin; all by default")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="the same as NAME")
    parser.add_argument("--list", action="store_true", help="list the demos and end")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="fewer steps and samples")
    length.add_argument("--full", action="store_true", help="at full length (the default)")
    parser.add_argument(
        "--jobs", type=at_least(1), metavar="N", help="how many run at a time (default: one a core, up to 8)"
    )
    parser.add_argument("--seed", type=at_least(0), help="of all random numbers (default 0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the pictures (default demos/out)")
    parser.add_argument("--with", dest="folder", metavar="DIR", help="the folder with your exercises, to be used in it")
    parser.add_argument("--anyway", action="store_true", help="with --with: use even a function that fails its check")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``python -m demos`` in the repository, or ``exercises demo`` with a folder, and return its exit code."""
    if options.folder is not None:
        return with_own_functions(options)
    if options.anyway:
        raise BadInput("--anyway is about your own functions: name the folder of your exercises by --with")
    if not (ROOT / "demos" / "__main__.py").is_file():
        raise BadInput(
            f"the demos are not part of the installed package (in {ROOT}): clone the repository of scratchgen, and run "
            "this command there"
        )
    arguments = [*options.names, *options.only]
    arguments += [f"--{name}" for name in ("list", "quick", "full") if getattr(options, name)]
    settings = {"jobs": options.jobs, "seed": options.seed, "out": options.out and options.out.resolve()}
    for name, value in settings.items():
        arguments += [] if value is None else [f"--{name}", str(value)]
    return subprocess.run([sys.executable, "-m", "demos", *arguments], cwd=ROOT).returncode


def with_own_functions(options: argparse.Namespace) -> int:
    """Run ``exercises demo`` with these options."""
    names = options.names + options.only
    if len(names) != 1 or names[0] not in exercises.DEMOS or options.list or options.jobs is not None:
        raise BadInput(f"--with takes one of the demos {', '.join(exercises.DEMOS)}, without --list and --jobs")
    arguments = ["exercises", "demo", *names, f"--with={options.folder}"]
    arguments += [f"--{name}" for name in ("quick", "anyway") if getattr(options, name)]
    arguments += [] if options.seed is None else [f"--seed={options.seed}"]
    arguments += [] if options.out is None else [f"--out={options.out}"]
    parser = Parser()
    exercises.add(parser.add_subparsers())
    return exercises.run(parser.parse_args(arguments))
