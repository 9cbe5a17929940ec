"""The parser of the command line and of each command: argparse's, with errors that help."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` with ``--debug``, help that keeps the lines of examples, and errors of two lines.

    The parsers of its subcommands are of this class too.

    >>> Parser(prog="p").parse_args(["--debug"])
    Namespace(debug=True)
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": Layout, **options})
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show where in the source an error arose"
        )

    def error(self, message: str) -> NoReturn:
        """End with exit code 2: argparse would print all options first, and the message would be lost below them."""
        self.exit(2, f"{self.prog}: error: {message}{near(message)}\n{self.prog} --help tells more\n")


class Layout(argparse.RawDescriptionHelpFormatter):
    """Help in two columns, the first with room for any name of a model, and texts as they are written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        self._action_max_length = 17


def near(message: str) -> str:
    """A suggestion for a choice that there is not, from argparse's message.

    >>> near("argument command: invalid choice: 'trian' (choose from 'train', 'sample')")
    '; did you mean train?'
    """
    found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    close = difflib.get_close_matches(found[1], re.findall(r"[\w-]+", found[2]), n=1) if found else []
    return f"; did you mean {close[0]}?" if close else ""
