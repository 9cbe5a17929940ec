"""The command ``python -m scratchgen demo``: runs the demos, which are in the repository and not in the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from scratchgen.cli.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]  # of the repository, if this is a clone or installed from one by --editable
EXAMPLES = """
examples:
  python -m scratchgen demo --list                  all demos, in the order of the lecture
  python -m scratchgen demo page09_vae --quick      one, in short; its pictures go to demos/out
  python -m scratchgen demo                         the whole lecture

It is python -m demos of the repository that does the work; python -m demos --help lists more options.
"""


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "demo", help="run demos of the lecture", description="Run demos of the lecture.", epilog=EXAMPLES
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="how the names of the demos begin; all by default")
    parser.add_argument("--list", action="store_true", help="list the demos and end")
    parser.add_argument("--quick", action="store_true", help="the short form of each")
    parser.add_argument("--jobs", help="how many run at a time (default: one a core)")
    parser.add_argument("--seed", help="of all random numbers")
    parser.add_argument("--out", type=Path, help="folder for the pictures (default demos/out)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``python -m demos`` in the repository, and return its exit code."""
    if not (ROOT / "demos" / "__main__.py").is_file():
        raise BadInput(
            f"the demos are not part of the installed package (in {ROOT}): clone the repository of scratchgen, and run "
            "this command there"
        )
    arguments = list(options.names)
    arguments += [f"--{name}" for name in ("list", "quick") if getattr(options, name)]
    for name in ("jobs", "seed"):
        arguments += [] if getattr(options, name) is None else [f"--{name}", getattr(options, name)]
    arguments += [] if options.out is None else ["--out", str(options.out.resolve())]
    return subprocess.run([sys.executable, "-m", "demos", *arguments], cwd=ROOT).returncode
