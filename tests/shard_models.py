"""Models for the tests of ``training.sharded``. A worker that is spawned has to import their classes, so they are here.

python -m tests.shard_models run.ckpt        trains by two processes until Ctrl-C
"""

import os
import signal
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.latent import VAE, BernoulliLikelihood
from scratchgen.nn import MLP, Module
from scratchgen.optim import SGD
from scratchgen.training import fit, ignore_interrupts


class Inline(Executor):
    """Runs each task at once, in this thread; it remembers them, and does not tell how many workers it has."""

    def __init__(self) -> None:
        self.futures: list[Future] = []
        self.tasks: list[tuple[Any, ...]] = []

    def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future:
        future: Future = Future()
        self.futures.append(future)
        self.tasks.append(args)
        try:
            future.set_result(fn(*args, **options))
        except BaseException as error:
            future.set_exception(error)
        return future


class GivenNoise(VAE):
    """A VAE whose noise is data: a row of it goes with each row of x."""

    def loss(self, x: Any, noise: Any, rng: Any) -> Tensor:
        return -np.mean(self.elbo(x, noise=noise).total)


def given_noise() -> GivenNoise:
    return GivenNoise(
        MLP([5, 7, 4], rng=0, dtype=np.float64), MLP([2, 6, 5], rng=1, dtype=np.float64), BernoulliLikelihood(5), 2
    )


class Mean(Module):
    """Σ_d (x_d − w_d − noise)², the mean over the batch; ``fault`` says what happens in each loss, or in that of a row.

    Row r of a batch has x = r in its first column.
    """

    def __init__(self, fault: str = "", row: float | None = None, noise: float = 0.0) -> None:
        self.w = Tensor(np.zeros(2), requires_grad=True)
        self.count = Tensor(np.zeros(()))
        self.fault, self.row, self.noise = fault, row, noise
        self.home = os.getpid()

    def loss(self, x: Any, rng: np.random.Generator) -> Tensor:
        if self.row is None or self.row in x[:, 0]:
            self.fail()
        loss = np.mean(np.sum(np.square(x - self.w - self.noise * rng.standard_normal(x.shape)), axis=1))
        return loss * np.nan if self.fault == "nan" and self.row in x[:, 0] else loss

    def fail(self) -> None:
        if self.fault == "killed" and os.getpid() != self.home:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows knows one that no one can ignore
        if self.fault == "raises":
            raise ValueError("no such row")
        if self.fault == "raises what cannot be unpickled":
            raise Unreadable(1, 2)
        if self.fault == "interrupted":
            raise KeyboardInterrupt
        if self.fault == "counts":
            self.count.assign(self.count.data + 1)
        if self.fault == "overflows":
            with np.errstate(over="ignore"):
                np.exp(self.w + 1e3)


class Unreadable(Exception):
    """Pickles, but its unpickling fails: it lacks an argument."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class Homebound:
    """Can be pickled, and unpickled in the process where it was made only."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        if os.getpid() != state["home"]:
            raise AttributeError("Can't get attribute 'Net' on <module '__main__'>")


class Switching(Module):
    """Rows with x[:, 0] > 0 use the parameter a, others b: a shard may lack one of them. c is used by none."""

    def __init__(self) -> None:
        self.a, self.b, self.c = (Tensor(np.ones(1), requires_grad=True) for _ in range(3))

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Tensor:
        total = Tensor(0.0)
        for parameter, rows in ((self.a, x[x[:, 0] > 0]), (self.b, x[x[:, 0] <= 0])):
            if len(rows):
                total = total + np.sum(np.square(rows - parameter))
        return total / len(x)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
    model = Mean(noise=1.0)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=ignore_interrupts) as workers:
        history = fit(
            model,
            np.zeros((64, 2)),
            optimizer=SGD(model.parameters(), lr=1e-3),
            batch_size=64,
            rng=0,
            steps=10**6,
            checkpoint=sys.argv[1],
            progress=False,
            on_step=lambda step: print("started", flush=True) if step == 5 else None,
            executor=workers,
        )
    print("interrupted" if history.interrupted else "ended")
