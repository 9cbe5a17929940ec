"""The command ``python -m scratchgen exercises``: write the lecture's functions yourself, and have them checked."""

from __future__ import annotations

import argparse
from typing import Any

from scratchgen.cli.errors import BadInput

EXAMPLES = """
examples:
  python -m scratchgen exercises init                 write the exercises into ./scratchgen-exercises
  cd scratchgen-exercises
  python -m scratchgen exercises next                 the first task that is not passed
  python -m scratchgen exercises check 11             or: check kl_gaussians; or all that you changed: check
  python -m scratchgen exercises hint 11              one hint more each time, three in all
  python -m scratchgen exercises watch                check whatever you save

An exercise is named by its number or its name. Do them in any order. All subcommands but init work in the current
folder, or in the one that --dir names.
"""


def add(subparsers: Any) -> None:
    """Add the command, and its subcommands, to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "exercises",
        help="write the lecture's functions yourself, and have them checked",
        description="Write the lecture's functions yourself, and have them checked.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(run=run)
    commands = parser.add_subparsers(title="subcommands", required=True, metavar="subcommand", dest="subcommand")

    def subcommand(name: str, text: str, which: str | None = None, **options: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        if which:
            added.add_argument("exercise", metavar="N", help=which, **options)
        return added

    init = subcommand("init", "write the exercises into a folder of your own; nothing there is overwritten")
    init.add_argument("folder", nargs="?", help="the folder; by default scratchgen-exercises in the current one")
    one = "number or name of the exercise"
    for added in (
        subcommand("list", "list the exercises, and how far you are"),
        subcommand("next", "print the first task that you have not passed"),
        check := subcommand("check", "check what you wrote", f"{one}, or all; by default what you changed", nargs="?"),
        subcommand("hint", "give one hint more", f"{one}; by default the next", nargs="?"),
        solution := subcommand("solution", "show the solution, and ask before if you have not passed", one),
        reset := subcommand("reset", "begin an exercise anew; a backup is kept", one),
        watch := subcommand("watch", "check each file that you save"),
    ):
        added.add_argument("--dir", metavar="DIR", help="the folder with your exercises; by default the current one")
    for added in (check, watch):
        added.add_argument("--seconds", type=limit, default=20, help="that a check may take (default 20)")
    for added in (solution, reset):
        added.add_argument("--yes", action="store_true", help="do not ask")


def limit(text: str) -> float:
    """A number of seconds, from 0.1 to a day."""
    if not 0.1 <= float(text) <= 86400:
        raise ValueError(text)
    return float(text)


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says, and return the exit code."""
    from scratchgen.exercises.kit import exercises
    from scratchgen.exercises.kit.desk import Desk
    from scratchgen.exercises.kit.folder import DEFAULT, Folder, Refused
    from scratchgen.exercises.kit.watch import watch

    command = options.subcommand
    try:
        if command == "init":
            return Desk(Folder.create(options.folder or DEFAULT), exercises(), restore=True).init()
        desk = Desk(Folder.open(options.dir), exercises())
        if command in ("list", "next"):
            return int(getattr(desk, command)())
        if command == "check":
            return desk.check(options.exercise, options.seconds)
        if command == "watch":
            return watch(desk, options.seconds)
        if command == "hint":
            return desk.hint(options.exercise)
        return int(getattr(desk, command)(options.exercise, options.yes))
    except Refused as error:
        raise BadInput(str(error)) from error
