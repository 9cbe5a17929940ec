"""The commands of the package: ``python -m scratchgen --help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from scratchgen.checks import command as gradcheck

COMMANDS = (gradcheck,)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, by default that of the command line, and return the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before a command imports NumPy: see demos/__init__.py
    parser = argparse.ArgumentParser(prog="python -m scratchgen", description="Deep generative models, to be read.")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="command")
    for command in COMMANDS:
        command.add_to(subparsers)
    args = parser.parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
