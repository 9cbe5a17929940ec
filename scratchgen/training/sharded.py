"""A batch in shards, one for each worker: training that grows past one process, and past one machine.

The loss of a batch is a mean over its n rows. Cut into shards of n_1 + … + n_S = n rows,

    L = Σ_s (n_s / n) L_s,      ∇L = Σ_s (n_s / n) ∇L_s                                                (1)

so that each worker computes the loss and the gradient of its own rows, and a sum is left to do. The weights n_s / n
matter: in the plain mean of the L_s, the rows of a smaller shard would count for more.

    this process                       a worker
    pickles the model        ──────►   unpickles it, with the weights of this step
    cuts the batch           ──────►   takes its rows
    sums (1)                 ◄──────   sends L_s and ∇L_s
    clips, steps, saves                keeps nothing

Since a worker keeps nothing, one that is lost takes nothing with it, and what ``on_step`` changes in the model reaches
all of them. It costs that in each step the model goes out S times and S gradients come back. For two shards, pickle
included, in float32 (megabytes to and from the workers, and milliseconds of the processor for a whole step, by Adam):

    model                          weights     rows    out + back      a step    in two shards
    VAE of 64 pixels                18,644      128     0.2 + 0.2         0.7              2.5
    VAE of 784 pixels            1,345,316      128    11.2 + 10.8       12.9             21.7
    the same                     1,345,316    2,048    17.2 + 10.8        146              156
    transformer, 64 symbols        818,112       64     6.6 + 6.6         442              410

At best two workers do half of the last column each. So the first loses on any machine, the second gains nothing worth
a process, and the others may come near twice the speed: it pays for large batches, and for models with much arithmetic
per weight. What the clock says has to be measured where it shall run: ``python -m tests.bench --only sharding`` prints
all of it. (The table is from there: one thread, medians of 5 rounds. Two halves of the transformer's batch, one after
the other in one process, take 371 ms: it is faster in parts, workers or not.)

A worker may be a process of this machine,

    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=ignore_interrupts) as workers:
        fit(model, x, …, executor=workers)

below ``if __name__ == "__main__":`` in a script, because a spawned worker imports it, and with OPENBLAS_NUM_THREADS=1
in the environment, so that the workers do not fight for the cores. The same call takes any other executor of the
interface of ``concurrent.futures``, whose workers may be on other machines: ``mpi4py.futures.MPIPoolExecutor``, or
``get_executor()`` of a Dask client.

What is reproduced. (1) holds to rounding: sums are made in another order. Of the noise that a loss draws,

    S = 1    the worker draws from the generator of the run: all bits are those without an executor;
    S > 1    shard s of step t draws from one that is derived from (r, t, s); r is drawn once, for the run.       (2)

So the bits depend on the seed of the run and on S, but not on the kind of executor, on how many workers it has or who
is first. With S > 1 a loss draws other numbers than without an executor, of the same distribution. For the very same
ones, noise has to be dealt out with the rows, as data: ``fit(model, (x, noise), …)`` with a ``loss(x, noise, rng)``
that does not draw. Such a loss, as any that does not draw, has the same batches with and without executor, and (1)
throughout.

What (1) asks of the model: that the loss is a mean of what each row contributes on its own. Where a row's contribution
depends on the others, ``couples_rows`` of the Module says so, and it is refused: BatchNorm, free bits, optimal pairing.
A loss that changes a buffer, such as a running mean, is refused when it does so. Whatever else a loss leaves in the
model is lost with the worker's copy. Draws that are spread evenly over a batch, such as the time steps of a diffusion
model, are spread over each shard: other draws, of the same expectation.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.modes import looking_for_anomalies
from scratchgen.nn import Module
from scratchgen.training.gradients import Trainable
from scratchgen.training.minibatches import Arrays, whole_number
from scratchgen.training.worker import ShardFailed, check_worker, pickled, told, work


class Sharded:
    """``loss_and_gradients`` by the workers of an executor (1).

    Args:
        executor: whose workers are to be used. It is left running.
        shards: S, or None for as many as a pool of this machine has workers. A batch of fewer rows has a shard a row.
        model: is sent to a worker once, to see whether it arrives.

    Raises:
        TypeError: for what is no Executor, and for a model that cannot be pickled, naming what is in its way.
        ValueError: for shards that are no integer of at least 1, or not known; for a model that couples rows; for an
            executor that is shut down or broken, or whose workers cannot unpickle the model.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from scratchgen.latent import GaussianMixture
    >>> model, x = GaussianMixture([0.5, 0.5], [[0.0], [1.0]], [[0.0], [0.0]]), np.array([[0.0], [1.0], [4.0]])
    >>> with ThreadPoolExecutor(2) as workers:
    ...     sharded = Sharded(workers, None, model)
    ...     loss = sharded(model, model.parameters(), (x,), np.random.default_rng(0))      # of 2 rows and 1 row
    >>> bool(np.isclose(loss, model.loss(x).item(), rtol=1e-12))
    True
    """

    def __init__(self, executor: Executor, shards: int | None, model: Trainable) -> None:
        if not isinstance(executor, Executor):
            raise TypeError(f"executor is {executor!r}; give a concurrent.futures.Executor, such as a process pool")
        if shards is None:
            shards = getattr(executor, "_max_workers", None)  # of the pools of the standard library
            if shards is None:
                raise ValueError(f"a {type(executor).__name__} does not tell how many workers it has: give shards")
        self.executor, self.shards = executor, whole_number("shards", shards)
        if self.shards > 1 and (coupled := coupling(model)):
            raise ValueError(
                f"{', '.join(coupled)}: what a row contributes to the loss depends on the other rows of its batch, "
                "and would be another in a shard; train it with shards=1, or without executor"
            )
        check_worker(executor, pickled(model))

    def __call__(
        self,
        model: Trainable,
        tensors: Mapping[str, Tensor],
        batch: Arrays,
        rng: np.random.Generator,
        seed: int = 0,
        step: int = 0,
    ) -> float:
        """The loss of the batch; its gradients are then in ``.grad`` of the parameters.

        Args:
            model, tensors, batch: as of ``loss_and_gradients``.
            rng: what one shard draws from.
            seed, step: r and t of (2).

        Raises:
            FloatingPointError: for a loss that is NaN or inf.
            ShardFailed: for any other error in a worker, or a worker that is lost.
        """
        rows = len(batch[0])
        parts = list(zip(*(np.array_split(array, min(self.shards, rows)) for array in batch)))
        generators = self._generators(len(parts), rng, seed, step)
        sent, watched = pickle.dumps(model), looking_for_anomalies.get()
        futures: list[Future] = []
        loss, total = 0.0, dict.fromkeys(tensors)
        try:
            for s, part in enumerate(parts):
                with named_shard(s, len(parts)):
                    futures.append(self.executor.submit(work, sent, part, generators[s], watched))
            for s, part in enumerate(parts):  # whoever is first: the order of a sum shows in its last bits
                with named_shard(s, len(parts)):
                    own_loss, gradients, state = futures[s].result()
                weight = len(part[0]) / rows  # n_s / n
                loss += weight * own_loss  # (1)
                for name, g in zip(tensors, gradients):
                    if g is not None:
                        total[name] = weight * g if total[name] is None else total[name] + weight * g  # (1)
        finally:
            for future in futures:
                future.cancel()  # after an error, those that have not begun
        if self.shards == 1:
            rng.bit_generator.state = state
        for name, tensor in tensors.items():
            tensor.grad = None if total[name] is None else np.asarray(total[name])
        return loss

    def _generators(self, parts: int, rng: np.random.Generator, seed: int, step: int) -> list[np.random.Generator]:
        """What each shard draws from."""
        if self.shards == 1:  # a copy: a thread that outlives a second Ctrl-C must not go on with that of the run
            return [copy.deepcopy(rng)]
        return [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(step, s))) for s in range(parts)]  # (2)


@contextmanager
def named_shard(s: int, shards: int) -> Iterator[None]:
    """Within this block an error says which shard it is of, and whether the loss failed or the worker."""
    which = f"shard {s + 1} of {shards}"
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{which}: {error}") from error
    except ShardFailed as error:
        raise ShardFailed(f"{which} raised {error}") from error
    except Exception as error:  # each kind of executor has its own for a worker that is killed
        raise ShardFailed(f"{which} was lost by the executor: {told(error)}") from error


def coupling(model: Trainable) -> list[str]:
    """The names of the Modules in the model that couple the rows of a batch."""
    modules = model.modules() if isinstance(model, Module) else {}
    return [f"{name or 'the model'} ({type(m).__name__})" for name, m in modules.items() if m.couples_rows]
