"""What takes part in the leaderboard, and what is measured of it.

An ``Entry`` knows how to train a model, and what its log-likelihood is; a ``Board`` is data, and the entries that are
trained on them. Every model is asked for log p(x) and for samples, through one small interface, and nothing else.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from demos.page12_ddpm import Standard
from scratchgen.autodiff import no_grad
from scratchgen.data import NegativeGap
from scratchgen.data.entropy_gap import ERRORS, ROUNDING
from scratchgen.distributions.distribution import values
from scratchgen.metrics import (
    MMDTest,
    SlicedDistance,
    TwoSampleAccuracy,
    classifier_two_sample,
    mmd_test,
    sliced_wasserstein,
)
from scratchgen.nn import Module
from scratchgen.optim import AdamW, Average, cosine
from scratchgen.training import fit

# What a model says is log p(x): with each the sign before its figure, which is of −log p(x).
EXACT, BOUND, ESTIMATE = "exact", "bound", "estimate"
SIGNS = {EXACT: "=", BOUND: "≤", ESTIMATE: "≈"}
TRUTH = "truth"
PERMUTATIONS = 499
# Seeds are (seed, board, entry, use). NumPy takes (1, 0) and (1, 0, 0) for one seed, so no use is 0 but training.
COMPARING, DATA = 1, 2
Rng = np.random.Generator  # itself: scratchgen.random.Rng may be a seed too


class Fitted(NamedTuple):
    """A trained model, as the board sees it.

    Attributes:
        log_prob: of x (n, D) in nats, (n,): log p(x), a lower bound on it, or an estimate.
        sample: n draws, (n, D).
        parameters: how many numbers were learned.
    """

    log_prob: Callable[[np.ndarray, Rng], Any]
    sample: Callable[[int, Rng], np.ndarray]
    parameters: int


class Entry(NamedTuple):
    """A model that takes part.

    Attributes:
        name: in the table.
        measure: EXACT, BOUND or ESTIMATE: what its ``log_prob`` is.
        train: from the data, the share of the full length of training, and an rng, to what is fitted.
    """

    name: str
    measure: str
    train: Callable[[Any, float, Rng], Fitted]


class Nats(NamedTuple):
    """−log p(x), averaged over x, and how far that is above the entropy, where that is known; each with its error."""

    value: float
    error: float
    gap: float | None = None
    gap_error: float | None = None


class Board(NamedTuple):
    """Data, and who is trained on them.

    Attributes:
        name: of the data.
        data: what the entries are given.
        entropy: in nats; None if nobody knows.
        likelihood: from a ``Fitted`` and an rng to ``Nats``.
        reference: data that no model has seen, (n, D).
        others: as many other data: what is told of these against the reference is what a perfect model would be told.
        entries: who takes part.
        about: a line on the data.
    """

    name: str
    data: Any
    entropy: float | None
    likelihood: Callable[[Fitted, Rng], Nats]
    reference: np.ndarray
    others: np.ndarray
    entries: list[Entry]
    about: str


class Row(NamedTuple):
    """A line of the table. The seconds are of this machine and this hour; all else comes of the seed."""

    data: str
    model: str
    measure: str
    nats: Nats | None
    mmd: MMDTest
    sliced: SlicedDistance
    told: TwoSampleAccuracy
    parameters: int
    train_seconds: float
    sample_seconds: float  # for 1,000
    samples: np.ndarray  # for the picture

    @property
    def is_alarm(self) -> bool:
        """Whether it is better than the truth beyond its error, which no density is."""
        if self.nats is None or self.nats.gap is None or self.nats.gap_error is None:
            return False
        return not self.nats.gap >= -ERRORS * self.nats.gap_error - ROUNDING  # so NaN is one too


class BetterThanTheTruth(RuntimeError):
    """A model has a likelihood that nothing can have: its "log p" is not that of a density."""


def rows_of(board: Board, share: float, seed: tuple[int, ...], say: Callable[[str], None]) -> Iterable[Row]:
    """The truth, then each entry: trained, measured, and its samples compared. Each has random numbers of its own.

    Args:
        board: what is played for.
        share: of the full length of training.
        seed: two numbers, the seed of the run and that of the board.
        say: prints a line of progress.
    """
    truth = None if board.entropy is None else Nats(board.entropy, 0.0, 0.0, 0.0)
    found = compared(board.others, board.reference, (*seed, 0, COMPARING))
    yield Row(board.name, TRUTH, EXACT, truth, *found, 0, 0.0, 0.0, board.others)
    for i, entry in enumerate(board.entries, 1):
        rng = np.random.default_rng((*seed, i))
        say(f"{board.name}, {i} of {len(board.entries)}: {entry.name}")
        began = time.perf_counter()
        fitted = entry.train(board.data, share, rng)
        trained = time.perf_counter()
        samples = fitted.sample(len(board.reference), rng)
        sampled = (time.perf_counter() - trained) * 1000 / len(samples)
        nats = board.likelihood(fitted, rng)
        found = compared(samples, board.reference, (*seed, i, COMPARING))
        times = trained - began, sampled
        yield Row(board.name, entry.name, entry.measure, nats, *found, fitted.parameters, *times, samples)


def compared(
    samples: np.ndarray, data: np.ndarray, seed: tuple[int, ...]
) -> tuple[MMDTest, SlicedDistance, TwoSampleAccuracy]:
    """The three comparisons of samples with data."""
    rng = np.random.default_rng(seed)
    return (
        mmd_test(samples, data, rng, PERMUTATIONS),
        sliced_wasserstein(samples, data, rng),
        classifier_two_sample(samples, data, rng),
    )


def gap_of(data: Standard, fitted: Fitted, n: int, rng: Rng) -> Nats:
    """−log p(x) of fresh draws of a toy, as its entropy and the gap to it, whose error is the smaller one.

    NaN, which is an alarm, where log p is NaN or +inf somewhere: the others shall have their rows all the same.
    """
    strange = False

    def log_prob(z: np.ndarray) -> np.ndarray:
        nonlocal strange
        found = np.asarray(values(fitted.log_prob(z, rng)), np.float64)
        strange = strange or not (found < np.inf).all()
        return np.where(found < np.inf, found, -np.inf)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NegativeGap)  # the board raises an alarm of its own, after the table
        gap = data.gap(log_prob, n, rng)
    if strange:
        return Nats(np.nan, np.nan, np.nan, np.nan)
    return Nats(data.entropy + gap.value, gap.error, gap.value, gap.error)


def trained(
    model: Module,
    x: np.ndarray,
    rng: Rng,
    steps: int,
    lr: float,
    batch: int,
    decay: float = 0.0,
    averaged: float = 0.99,
    clip: float = 5.0,
    validation: np.ndarray | None = None,
) -> None:
    """AdamW with a rate that falls to 0; the model gets the averaged weights, the best ones if there is a validation.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed.
    """
    average = Average(model.parameters(), decay=averaged)
    history = fit(
        model,
        x,
        optimizer=AdamW(model.parameters(), lr=lr, weight_decay=decay, matrices_only=True),
        average=average,
        batch_size=batch,
        steps=steps,
        evaluate_every=max(1, steps // 10),
        schedule=cosine(lr, steps, warm_up=min(50, steps // 10)),
        validation=validation,
        patience=None if validation is None else steps,
        clip=clip,
        rng=rng,
        progress=False,
    )
    if history.interrupted:  # a table of half trainings would not be what it says
        raise KeyboardInterrupt
    if validation is None:
        with average.applied():
            state = model.state()
        model.load_state(state)


def mean_of(draws: int, bound: Callable[[np.ndarray, Rng], Any]) -> Callable[[np.ndarray, Rng], np.ndarray]:
    """The mean of so many draws of a bound that draws noise: it is a bound too, and less of it is chance."""

    def mean(x: np.ndarray, rng: Rng) -> np.ndarray:
        with no_grad():
            return np.mean([values(bound(x, rng)) for _ in range(draws)], axis=0)

    return mean


def size(model: Module) -> int:
    """How many numbers a model has learned."""
    return sum(parameter.size for parameter in model.parameters().values())
