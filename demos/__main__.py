"""Run the demos, each in a process of its own, and make the gallery of all that their folder holds.

python -m demos                        all of them at full length
python -m demos --quick                in short: make demo
python -m demos --list                 what there is
python -m demos page09 page11_grid     those whose names begin so; --only page09 page11_grid is the same

A demo that fails does not stop the others; the exit code is then 1. It is 2 for a wrong command, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from demos.chapters import kept
from demos.common import ROOT, add_options, prepare
from demos.contents import DEMOS
from demos.gallery import write_index
from demos.processes import Outcome, Task, cores, duration, exit_on_sigterm, side_by_side
from scratchgen.cli.numbers import at_least

MOST_JOBS = 8  # more would only wait for the longest demo


class About(NamedTuple):
    """What a demo says of itself before it runs."""

    title: str
    seconds: float
    quick_seconds: float


def about(name: str) -> About:
    """Title and seconds of a demo; one that cannot be imported says why when it is run."""
    try:
        module = importlib.import_module(f"demos.{name}")
        return About(module.TITLE, module.SECONDS, getattr(module, "QUICK_SECONDS", module.SECONDS))
    except Exception as error:
        return About(f"cannot be imported: {error!r}", 1, 1)


def choose(asked: Sequence[str]) -> list[str]:
    """The demos whose names begin with any of these, in the order of the lecture; all, if none is asked for.

    A number counts as a whole: ``page1`` is not the pages 10 to 12.

    Raises: ValueError if one begins no name, with the names that are near.

    >>> choose(["page11_g", "demos.page02_probe"])
    ['page02_probe', 'page11_grid']
    """
    prefixes = [name.removesuffix(".py").replace("/", ".").rpartition(".")[2] for name in asked] or [""]
    for name, prefix in zip(asked, prefixes):
        if not any(begins(demo, prefix) for demo in DEMOS) or not prefix:
            pages = dict.fromkeys(demo.partition("_")[0] for demo in DEMOS)
            near = difflib.get_close_matches(prefix, [*pages, *DEMOS], n=4, cutoff=0.5)
            hint = f"; near are {', '.join(near)}" if near else ""
            raise ValueError(f"no demo begins with {name!r}{hint}; python -m demos --list shows all")
    return [demo for demo in DEMOS if any(begins(demo, prefix) for prefix in prefixes)]


def begins(name: str, prefix: str) -> bool:
    """Whether a name begins so, and not in the middle of a number."""
    return name.startswith(prefix) and not (prefix[-1:].isdigit() and name[len(prefix) :][:1].isdigit())


def in_starting_order(tasks: Sequence[Task], jobs: int) -> list[Task]:
    """Page order; of several jobs, the long ones first, from the longest on: started last, they would run on alone."""
    long = sum(task.seconds for task in tasks) / jobs / 4  # a quarter of what each job has to do
    return sorted(tasks, key=lambda task: -task.seconds if task.seconds >= long and jobs > 1 else 0)


class Report:
    """Prints how far the run is.

    Args:
        tasks: all that shall run.
        jobs: how many at a time. The output of a single job is shown as it comes, that of each of several at its end.
    """

    def __init__(self, tasks: Sequence[Task], jobs: int) -> None:
        self.tasks, self.jobs, self.done, self.begun = tasks, jobs, list[Outcome](), 0

    def left(self) -> str:
        """The time left: what the other demos are expected to take, if all are as slow as those that are done."""
        expected = sum(outcome.task.seconds for outcome in self.done)
        slowness = sum(outcome.seconds for outcome in self.done) / expected if expected else 1.0
        rest = sum(task.seconds for task in self.tasks) - expected
        return f"about {duration(slowness * rest / self.jobs)} left"

    def started(self, task: Task) -> None:
        """Say which of how many begins."""
        self.begun += 1
        print(f"-- {self.begun} of {len(self.tasks)} starts: {task.name}, {self.left()}", flush=True)

    def watch(self, task: Task, text: str) -> None:
        """Show the output of a single job."""
        if self.jobs == 1:
            print(text, end="", flush=True)

    def ended(self, outcome: Outcome) -> None:
        """Show the output of one of several jobs, and how it went."""
        self.done.append(outcome)
        if self.jobs > 1:
            print(f"\n{outcome.output}", end="")
        how = outcome.failure.upper() or "is done"
        print(
            f"-- {outcome.task.name} {how}: {len(self.done)} of {len(self.tasks)} in {outcome.seconds:.1f} s\n",
            flush=True,
        )

    def failures(self) -> list[Outcome]:
        """Print all that went wrong, and how to see it again."""
        failed = [outcome for outcome in self.done if outcome.failure]
        for outcome in failed:
            _, found, traceback = outcome.output.partition("Traceback (most recent call last):\n")
            shown = found + traceback or "\n".join(outcome.output.splitlines()[-20:])
            print(f"\n{outcome.task.name} {outcome.failure}:\n\n{shown.rstrip()}\n", file=sys.stderr)
            alone = shlex.join(["python", *[word for word in outcome.task.command[1:] if word != "--no-index"]])
            print(f"run it alone: {alone}", file=sys.stderr)
        return failed


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with the chosen demos as ``names``."""
    parser = argparse.ArgumentParser(prog="python -m demos", description=__doc__)
    add_options(parser)
    parser.add_argument("--list", action="store_true", help="list the demos and end")
    parser.add_argument(
        "--jobs", type=at_least(1), metavar="N", help=f"how many run at a time (default: one a core, up to {MOST_JOBS})"
    )
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="the same as NAME")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only demos whose names begin so")
    options = parser.parse_intermixed_args(argv)
    try:
        options.names = choose(options.only + options.names)
    except ValueError as error:
        parser.error(str(error))
    if not options.list:
        prepare(options.out, parser)
    return options


def tasks_of(chosen: dict[str, About], options: argparse.Namespace) -> list[Task]:
    """The command of each demo, as one would type it, but that it leaves the gallery to us."""
    settings = ["--seed", str(options.seed), "--quick" if options.quick else "--full", "--out", str(options.out)]
    settings += ["--no-index", *(["--show"] if options.show else [])]
    return [
        Task(
            name,
            [sys.executable, "-m", f"demos.{name}", *settings],
            demo.quick_seconds if options.quick else demo.seconds,
        )
        for name, demo in chosen.items()
    ]


def run(tasks: Sequence[Task], jobs: int, out: Path) -> int:
    """Run the tasks and make the gallery; the exit code is 1 if one fails."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    exit_on_sigterm()
    report, start = Report(tasks, jobs), time.perf_counter()
    try:
        with closing(side_by_side(in_starting_order(tasks, jobs), jobs, report.started, report.watch)) as outcomes:
            for outcome in outcomes:
                report.ended(outcome)
                if len(report.done) == 1:  # something to look at already; each time would take a minute in all
                    write_index(kept(out), out)
    except KeyboardInterrupt:
        print(f"\ninterrupted; what was finished is in {out}", file=sys.stderr)
        return 130  # as a shell reports of a program that Ctrl-C ended: 128 + SIGINT
    finally:
        index = write_index(kept(out), out)
    failed = report.failures()
    print(f"{len(tasks) - len(failed)} of {len(tasks)} demos in {duration(time.perf_counter() - start)}")
    print(f"wrote {index}")
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """List or run the chosen demos; the exit code is 1 if one fails."""
    options = parse(argv)
    chosen = {name: about(name) for name in options.names}
    if options.list:
        for name, demo in chosen.items():
            quick = f", {demo.quick_seconds} s with --quick" if demo.quick_seconds < demo.seconds else ""
            print(f"{name:{max(map(len, chosen))}} {demo.title} (about {demo.seconds} s{quick})")
        return 0
    tasks = tasks_of(chosen, options)
    jobs = 1 if options.show else min(options.jobs or min(cores(), MOST_JOBS), len(tasks))
    length = "in short" if options.quick else "at full length"
    print(f"{len(tasks)} demo{'s' * (len(tasks) != 1)} {length}, {jobs} at a time")
    return run(tasks, jobs, options.out)


if __name__ == "__main__":
    sys.exit(main())
