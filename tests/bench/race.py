"""Peers side by side: agreement of their losses first, then rounds in which each takes its turn."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

AGREEMENT_STEPS = 10
TOLERANCE = 5e-6  # relative; float32 sums in another order differ by a few 1e-7

WARM_UP = 2  # untimed steps at the start of a turn
PAUSE = 0.05  # seconds before a turn: an idle BLAS thread of the peer before spins for tens of milliseconds


class Settings(NamedTuple):
    """What all processes of a run share."""

    seed: int = 0
    threads: int = 2
    tiny: bool = False


class Worker:
    """The process of one peer (see worker.py), closed at the end of a `with` block."""

    def __init__(self, workload: str, peer: str, settings: Settings) -> None:
        size = "tiny" if settings.tiny else "full"
        arguments = [workload, peer, str(settings.seed), size, str(settings.threads)]
        self.peer = peer
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str) -> Any:
        """Send one command and wait for its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            print(command, file=stdin, flush=True)
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"the process of peer {self.peer} ended at {command!r}; its traceback is above")
        return json.loads(answer)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()  # closes its stdin, at which it ends


def largest_difference(losses: dict[str, list[float]], tolerance: float = TOLERANCE) -> float:
    """The largest relative difference from the first peer's loss at the same step; an error above `tolerance`."""
    largest = 0.0
    for step, values in enumerate(zip(*losses.values(), strict=True)):
        differences = [abs(value / values[0] - 1) for value in values]
        if not all(difference <= tolerance for difference in differences):  # so written, a NaN fails too
            shown = ", ".join(f"{peer} {value:.8g}" for peer, value in zip(losses, values))
            raise AssertionError(f"losses disagree at step {step} by more than {tolerance:.0e}: {shown}")
        largest = max(largest, *differences)
    return largest


def race(workers: list[Worker], rounds: int, steps: int, seed: int) -> dict[str, list[float]]:
    """Seconds per step of every peer, one figure a round; within a round the peers go in random order."""
    order = random.Random(seed)
    seconds: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for _ in range(rounds):
        for worker in order.sample(workers, len(workers)):
            time.sleep(PAUSE)
            worker.ask(f"time {WARM_UP}")
            seconds[worker.peer].append(worker.ask(f"time {steps}"))
    return seconds
