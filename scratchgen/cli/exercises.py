"""The command ``python -m scratchgen exercises``: write the lecture's functions yourself, and have them checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scratchgen.cli.errors import BadInput
from scratchgen.cli.numbers import at_least

DEMOS = ("vae", "made", "flow", "diffusion")
EXAMPLES = """
examples:
  python -m scratchgen exercises init                 write the exercises into ./scratchgen-exercises
  cd scratchgen-exercises
  python -m scratchgen exercises next                 the first task that is not passed
  python -m scratchgen exercises check 11             or: check kl_gaussians; or all that you changed: check
  python -m scratchgen exercises hint 11              one hint more each time, three in all
  python -m scratchgen exercises watch                check whatever you save
  python -m scratchgen exercises demo vae             train a model on your own functions, and draw it
  python -m scratchgen exercises report submissions --out table.csv --jobs 4

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
    commands = parser.add_subparsers(title="subcommands", metavar="subcommand", dest="subcommand")

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
    add_demo(payoff := subcommand("demo", "train a small model on your own functions, and draw what it learns"))
    report = subcommand("report", "for teachers: check a folder of submissions, and print a table, CSV")
    report.add_argument("folder", help="with files such as ada/ex11_kl_gaussians.py, or ada_ex11_kl_gaussians.py")
    report.add_argument("--out", metavar="FILE", help="write the table there, with the mark that Excel needs")
    report.add_argument(
        "--megabytes", type=at_least(1), default=2048, help="of memory for each (default 2048; Linux only)"
    )
    report.add_argument("--jobs", type=at_least(1), default=1, help="how many are checked at a time (default 1)")
    subcommand("mistakes", "print the common mistakes, and what one gets by them", f"{one}; by default all", nargs="?")
    new = subcommand("new", "for teachers: write an exercise to start from, into the package")
    new.add_argument("name", help="of the function that is to be written")
    new.add_argument("--dir", metavar="DIR", help="another folder for it")
    for added in (check, watch, payoff, report):
        added.add_argument("--seconds", type=limit, default=20, help="that a check may take (default 20)")
    for added in (solution, reset):
        added.add_argument("--yes", action="store_true", help="do not ask")


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``demo``."""
    parser.add_argument("payoff", choices=DEMOS, help=f"which: {', '.join(DEMOS)}")
    parser.add_argument(
        "--with", "--dir", dest="dir", metavar="DIR", help="the folder with your exercises; by default the current one"
    )
    parser.add_argument("--anyway", action="store_true", help="use even a function that fails its check, and see")
    parser.add_argument("--quick", action="store_true", help="train a twentieth only")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of all random numbers (default 0)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the picture (default: that of the exercises)"
    )


def limit(text: str) -> float:
    """A number of seconds, from 0.1 to a day."""
    if not 0.1 <= float(text) <= 86400:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.1 to 86400 seconds")
    return float(text)


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says, and return the exit code."""
    if options.subcommand is None:  # like the whole command line without a command
        options.parser.exit(2, options.parser.format_help())
    from scratchgen.exercises.kit.folder import Refused

    try:
        return (
            for_learners(options) if options.subcommand not in ("report", "mistakes", "new") else for_teachers(options)
        )
    except Refused as error:
        raise BadInput(str(error)) from error


def for_learners(options: argparse.Namespace) -> int:
    """The subcommands that work in the learner's folder."""
    from scratchgen.exercises.kit import exercises
    from scratchgen.exercises.kit.desk import Desk
    from scratchgen.exercises.kit.folder import DEFAULT, Folder
    from scratchgen.exercises.kit.watch import watch
    from scratchgen.exercises.payoff.desk import demo

    if options.subcommand == "init":
        return Desk(Folder.create(options.folder or DEFAULT), exercises(), restore=True).init()
    desk = Desk(Folder.open(options.dir), exercises())
    return {
        "list": desk.list,
        "next": desk.next,
        "check": lambda: desk.check(options.exercise, options.seconds),
        "hint": lambda: desk.hint(options.exercise),
        "solution": lambda: desk.solution(options.exercise, options.yes),
        "reset": lambda: desk.reset(options.exercise, options.yes),
        "watch": lambda: watch(desk, options.seconds),
        "demo": lambda: demo(
            desk, options.payoff, options.out, options.seed, options.quick, options.anyway, options.seconds
        ),
    }[options.subcommand]()


def for_teachers(options: argparse.Namespace) -> int:
    """The other subcommands."""
    from scratchgen.exercises.kit import exercises
    from scratchgen.exercises.kit.desk import find
    from scratchgen.exercises.kit.mistakes import page, section
    from scratchgen.exercises.kit.report import report
    from scratchgen.exercises.kit.teaching import new

    every = exercises()
    if options.subcommand == "report":
        return report(options.folder, every, options.out, options.seconds, options.megabytes, options.jobs)
    if options.subcommand == "new":
        path = new(options.name, options.dir)
        print(f"{path} is written: change it piece by piece. pytest tests/exercises -k {path.stem} tests it.")
    elif options.exercise is None:
        for text in page(every.values()):
            print(text, flush=True)
    else:
        print(section(find(every, options.exercise)))
    return 0
