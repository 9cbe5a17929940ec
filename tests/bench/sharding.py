"""What sharing a batch among processes gains, and what it costs: `python -m tests.bench --only sharding`.

A step is the gradient of a batch and an update by Adam: in one process, by one worker, and by two, each with one thread
of BLAS. They take turns, and a ratio, of one process to two workers, is formed within a round. The bytes are those of a
step with two shards, as pickle writes them: to the workers the model and the rows, from them the gradients.

The first two times are of the processor, and so mean something on a busy machine too: of a step in one process, and of
the same in two shards, which one after the other go through pickle as if there were workers. What that is more is the
price, and at best two workers do half of the whole each. The other times are those of a clock; whoever shares the cores
with other programs does not see in them what two free cores would do.
"""

import argparse
import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from demos.processes import ONE_THREAD
from scratchgen.autoregressive import Transformer
from scratchgen.latent import VAE, BernoulliLikelihood
from scratchgen.nn import MLP, Module
from scratchgen.optim import Adam
from scratchgen.training import ignore_interrupts
from scratchgen.training.gradients import loss_and_gradients
from scratchgen.training.sharded import Sharded

from .race import ROOT
from .report import ratios, spread, table

SIZES = ["weights", "rows", "MB out", "MB back"]
HEADER = ["", *SIZES, "CPU", "CPU in shards", "one process", "1 worker", "2 workers", "ratio"]
STEPS = 3  # of a turn, after one that is not timed
Clock = Callable[[], float]


class Problem(NamedTuple):
    """A model and a batch for it."""

    name: str
    model: Module
    batch: np.ndarray


def vae(pixels: int, width: int, rows: int, rng: np.random.Generator) -> Problem:
    encoder, decoder = MLP([pixels, width, width, 20], rng), MLP([10, width, width, pixels], rng)
    model = VAE(encoder, decoder, BernoulliLikelihood(pixels), 10)
    return Problem(f"VAE of {pixels} pixels", model, rng.integers(0, 2, (rows, pixels)).astype(np.float32))


def problems(tiny: bool, seed: int) -> list[Problem]:
    """A small model; a large one with a small and a large batch; one with much arithmetic for each weight."""
    rng = np.random.default_rng(seed)
    if tiny:
        return [vae(4, 3, 6, rng)]
    transformer = Transformer(levels=64, dims=64, width=128, heads=4, layers=4, rng=rng)
    text = Problem("transformer, 64 symbols", transformer, rng.integers(0, 64, (64, 64)))
    return [vae(64, 64, 128, rng), vae(784, 512, 128, rng), vae(784, 512, 2048, rng), text]


def stepper(problem: Problem, compute: Callable[..., float]) -> Callable[[], None]:
    """One training step, each time it is called."""
    model, rng = pickle.loads(pickle.dumps(problem.model)), np.random.default_rng(0)
    optimizer, tensors = Adam(model.parameters(), lr=1e-4), model.parameters()

    def step() -> None:
        compute(model, tensors, (problem.batch,), rng)
        optimizer.step()

    return step


class Counted(Executor):
    """Runs a task at once, in this process, but by way of the bytes that would go to a worker and come back."""

    def __init__(self) -> None:
        self.out = self.back = 0

    def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future:
        future: Future = Future()
        out = pickle.dumps(args)
        back = pickle.dumps(fn(*pickle.loads(out), **options))
        future.set_result(pickle.loads(back))
        self.out, self.back = self.out + len(out), self.back + len(back)
        return future


def bytes_of_a_step(problem: Problem, shards: int) -> tuple[int, int]:
    """To the workers, and from them."""
    counted = Counted()
    step = stepper(problem, Sharded(counted, shards, problem.model))
    counted.out = counted.back = 0  # without the trial at the start
    step()
    return counted.out, counted.back


def race(steps: dict[str, Callable[[], None]], rounds: int, seed: int, clock: Clock) -> dict[str, list[float]]:
    """Milliseconds a step by name, one figure a round."""
    order, spent = random.Random(seed), {name: [] for name in steps}
    for _ in range(rounds):
        for name in order.sample(list(steps), len(steps)):
            steps[name]()
            start = clock()
            for _ in range(STEPS):
                steps[name]()
            spent[name].append(1e3 * (clock() - start) / STEPS)
    return spent


def row(problem: Problem, pools: dict[str, Executor], rounds: int, seed: int) -> list[str]:
    """Of the table: sizes, times, and how many times as fast two workers are."""
    alone = {"one process": stepper(problem, loss_and_gradients)}
    pieces = {"two shards": stepper(problem, Sharded(Counted(), 2, problem.model))}
    workers = {name: stepper(problem, Sharded(pool, None, problem.model)) for name, pool in pools.items()}
    computing = race(alone | pieces, rounds, seed, time.process_time)
    waiting = race(alone | workers, rounds, seed, time.perf_counter)
    sizes = [f"{count / 1e6:.3g}" for count in bytes_of_a_step(problem, shards=2)]
    times = [spread(each, 1) for each in (*computing.values(), *waiting.values())]
    gain = spread(ratios(waiting, "one process", "2 workers"))
    return [problem.name, f"{problem.model.count_parameters():,}", f"{len(problem.batch):,}", *sizes, *times, gain]


def in_new_process(rounds: int, seed: int, tiny: bool) -> None:
    """Run it where BLAS has one thread, which is decided when NumPy is imported."""
    arguments = ["--rounds", str(rounds), "--seed", str(seed), *(["--tiny"] if tiny else [])]
    command = [sys.executable, "-m", "tests.bench.sharding", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    spawn = get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn, ignore_interrupts) as one,
        ProcessPoolExecutor(2, spawn, ignore_interrupts) as two,
    ):
        pools = {"1 worker": one, "2 workers": two}
        rows = [row(each, pools, options.rounds, options.seed) for each in problems(options.tiny, options.seed)]
    print(
        f"\nsharding: a step in one process and by workers of one thread each, {options.rounds} rounds of {STEPS} steps"
    )
    print(table(HEADER, rows))


if __name__ == "__main__":
    main()
