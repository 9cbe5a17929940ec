"""The commands of the package: ``python -m scratchgen --help``.

A command is a module with two functions, and a line in ``COMMANDS``:

    add(subparsers)      its parser: subparsers.add_parser(…), and parser.set_defaults(run=run)
    run(options)         do it, and return the exit code

It imports NumPy, and all that does, inside ``run`` only: ``--help`` then answers at once. Of what is wrong with the
input it raises ``cli.errors.BadInput``, or tells ``parser.error``; of what it tried and failed, ``cli.errors.Failed``.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from scratchgen import __version__
from scratchgen.cli.errors import CommandError, Failed
from scratchgen.cli.parser import Parser
from scratchgen.cli.terminal import PROGRAM, close_quietly, print_anything, print_warning

COMMANDS = (
    "scratchgen.cli.demo",
    "scratchgen.cli.exercises",
    "scratchgen.checks.command",
    "scratchgen.cli.train",
    "scratchgen.cli.sample",
    "scratchgen.cli.evaluate",
    "scratchgen.cli.info",
)
EXIT_CODES = """
exit codes: 0 fine; 1 what was asked for failed, such as a check, or a training that diverged; 2 wrong usage or bad
input; 130 stopped by Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, by default that of the command line, and return the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before a command imports NumPy: see demos/__init__.py
    print_anything()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        parser().exit(2, parser().format_help())
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    options.arguments = arguments
    try:
        with warnings.catch_warnings():
            warnings.showwarning = print_warning
            code: int = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe, such as head, has enough
        close_quietly()
        return 0
    except OSError as error:  # of files, commands tell themselves; a full disk behind > shows only here
        if "debug" in options or error.errno != errno.ENOSPC:
            raise
        close_quietly()
        print(f"{PROGRAM} {options.command}: error: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130
    except (CommandError, MemoryError) as error:
        if "debug" in options:
            raise
        if isinstance(error, MemoryError):
            error = Failed("the memory does not suffice: ask for less")
        print(f"{PROGRAM} {options.command}: error: {error}", file=sys.stderr)
        return error.code
    return code


def parser() -> Parser:
    """The parser of the command line, with that of each command."""
    whole = Parser(
        prog=PROGRAM,
        description="Deep generative models from scratch, to be read.",
        epilog=f"{PROGRAM} COMMAND --help tells more, with examples.\n{EXIT_CODES}",
    )
    whole.add_argument("--version", action="version", version=f"scratchgen {__version__}")
    subparsers = whole.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")
    for module in COMMANDS:
        importlib.import_module(module).add(subparsers)
    for each in subparsers.choices.values():
        each.epilog = (each.epilog or "") + EXIT_CODES
        each.set_defaults(parser=each)  # for errors; that of a subcommand may be another
    return whole


if __name__ == "__main__":
    sys.exit(main())
