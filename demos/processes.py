"""Commands that run side by side, each in a process of its own, with the output of each kept together.

A process isolates state: what a command does to its modules, random numbers or figures reaches no other, and one that
dies takes none with it. Each does its linear algebra with one thread, so they do not fight for cores.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from scratchgen.cli.info import THREADS

# Read when NumPy is loaded, so they have to be there before. What the user has set stays.
ONE_THREAD = dict.fromkeys(THREADS, "1")
TEXT = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}  # errors stay between the lines they came between
GRACE = 3.0  # seconds for a process to end of itself after Ctrl-C


class Task(NamedTuple):
    """A command to run, and the seconds it is expected to take."""

    name: str
    command: Sequence[str]
    seconds: float


class Outcome(NamedTuple):
    """How a task ended: its exit code (negative: the signal that killed it), all it wrote, and the seconds it took."""

    task: Task
    code: int
    output: str
    seconds: float

    @property
    def failure(self) -> str:
        """What went wrong, in words; empty if nothing did."""
        if self.code >= 0:
            return f"ended with exit code {self.code}" if self.code else ""
        if self.code == -signal.SIGINT:
            return "was interrupted"
        names = {int(s): s.name for s in signal.Signals}
        hint = ": is there enough memory?" if self.code == -9 else ""
        return f"was killed by {names.get(-self.code, f'signal {-self.code}')}{hint}"


class Process:
    """A task that runs, with all its output in the file ``log``."""

    def __init__(self, task: Task, log: Path) -> None:
        self.task, self.start = task, time.perf_counter()
        with log.open("wb") as file:
            self.popen = subprocess.Popen(
                task.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**ONE_THREAD, **os.environ, **TEXT},
            )
        self.reader = log.open(encoding="utf-8", errors="replace")
        self.output = ""

    def news(self) -> str:
        """What it has written since the last call."""
        text = self.reader.read()
        self.output += text
        return text

    def end(self) -> Outcome:
        """The outcome, after its end."""
        seconds = time.perf_counter() - self.start
        self.reader.close()
        return Outcome(self.task, self.popen.returncode, self.output, seconds)


def side_by_side(
    tasks: Sequence[Task],
    jobs: int,
    started: Callable[[Task], None] = lambda task: None,
    watch: Callable[[Task, str], None] = lambda task, text: None,
) -> Iterator[Outcome]:
    """Start the tasks in their order, at most ``jobs`` at a time; gives each outcome when it is there.

    ``started(task)`` is called at the start of each, ``watch(task, text)`` with each new piece of its output. Whatever
    ends the iteration (Ctrl-C, an error of the caller, ``close``) ends the processes that still run.
    """
    waiting, running = list(tasks), []
    with TemporaryDirectory(prefix="scratchgen-") as folder, _ended_at_exit(running):
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                started(task)
                running.append(Process(task, Path(folder) / f"{len(waiting)}.log"))
            time.sleep(0.05)
            for process in running.copy():
                ended = process.popen.poll() is not None  # asked before its last output is read
                if text := process.news():
                    watch(process.task, text)
                if ended:
                    running.remove(process)
                    yield process.end()


@contextmanager
def _ended_at_exit(running: list[Process]) -> Iterator[None]:
    """Ask the processes that are left to end, as Ctrl-C does, and kill those that do not."""
    try:
        yield
    finally:
        try:
            for process in running:
                process.popen.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            deadline = time.perf_counter() + GRACE
            while any(process.popen.poll() is None for process in running) and time.perf_counter() < deadline:
                time.sleep(0.02)
        finally:  # also after a second Ctrl-C
            for process in running:
                process.popen.kill()
                process.popen.wait()
                process.reader.close()


def exit_on_sigterm() -> None:
    """Let SIGTERM (of ``timeout`` or a scheduler) end this program by an exception, so that it ends its processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """The seconds as one reads them.

    >>> duration(40.4), duration(200), duration(59.9)
    ('40 s', '3 min 20 s', '1 min 0 s')
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
