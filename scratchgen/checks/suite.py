"""The gradient check of every operation of the package: all samples, and the check of one."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import scratchgen.autodiff
import scratchgen.checks
from scratchgen.autodiff.checking.comparison import ROUNDING, SAFETY, curve, random_unit
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.oracles import complex_step, extrapolated_difference, largest
from scratchgen.autodiff.checking.subjects import Direct, Gradient, size_of
from scratchgen.autodiff.gradcheck import Report, gradcheck
from scratchgen.checks.sample import Draw, Sample

CERTAINTY = 1e-10  # of the real difference, relative to the scale of the derivative


def load_everything() -> None:
    """Import every module of the package, so that each operation is entered, also those that load late."""
    for module in pkgutil.walk_packages(scratchgen.__path__, "scratchgen."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def tables() -> list[Any]:
    """The modules beside this one that hold samples."""
    names = sorted(module.name for module in pkgutil.iter_modules(scratchgen.checks.__path__))
    modules = [importlib.import_module(f"scratchgen.checks.{name}") for name in names]
    return [module for module in modules if hasattr(module, "SAMPLES")]


def all_samples() -> list[Sample]:
    """Every sample of every table, and the memory layouts made of the "primes" ones."""
    samples = [sample for table in tables() for sample in table.SAMPLES]
    return samples + [layout for sample in samples if sample.kind == "primes" for layout in layouts(sample)]


def exemptions() -> dict[tuple[str, str], str]:
    """Why an operation has no sample of a kind: (operation, kind) → reason."""
    return {key: reason for table in tables() for key, reason in table.EXEMPT.items()}


def layouts(sample: Sample) -> Iterator[Sample]:
    """The same sample on arrays that lie otherwise in memory."""
    for kind, lay in (("non-contiguous", spread), ("negative strides", backwards)):
        draws = [laid(draw, lay) for draw in sample.draws]
        yield Sample(sample.operation, kind, sample.function, *draws, oracle=sample.oracle)


def laid(draw: Draw, lay: Callable[[np.ndarray], np.ndarray]) -> Draw:
    """The same values in another layout."""
    return lambda rng: lay(draw(rng))


def spread(x: np.ndarray) -> np.ndarray:
    """x as every other element of an array, and in Fortran's order.

    >>> x = np.ones((2, 3))
    >>> bool((spread(x) == x).all()), spread(x).flags.forc
    (True, False)
    """
    if x.ndim == 0:
        return x
    buffer = np.full((2 * x.shape[0], *x.shape[1:]), np.nan, order="F")
    buffer[::2] = x
    return buffer[::2]


def backwards(x: np.ndarray) -> np.ndarray:
    """x with every axis stored from its end.

    >>> backwards(np.ones((2, 3))).strides
    (-24, -8)
    """
    return np.flip(np.flip(x).copy())


def check(sample: Sample, seed: int = 0) -> Report:
    """The gradient check of a sample, to second order.

    Raises:
        GradientError: if it fails.
        TypeError: if it could not be checked in float32.
    """
    report = gradcheck(sample.function, *sample.inputs(seed), oracle=sample.oracle, rng=seed, certainty=CERTAINTY)
    if report.float32 is None:
        raise TypeError(f"{sample} could not be checked in float32: {report.notes[-1]}")
    return report


def false_alarms(seeds: range) -> list[str]:
    """What is refused although the rules are right: at each seed one sample of every operation, all of them in turn."""
    load_everything()
    samples = defaultdict(list)
    for sample in all_samples():
        samples[sample.operation].append(sample)
    alarms = []
    for seed in seeds:
        for of_one in samples.values():
            sample = of_one[seed % len(of_one)]
            try:
                check(sample, seed)
            except GradientError as error:
                alarms.append(f"{sample}, seed {seed}: {error}")
    return alarms


def oracles_agree(sample: Sample, seed: int = 0) -> bool:
    """Whether the complex step and the real difference agree along a random direction, to first and second order.

    The complex step gives 0 without a word where the function, or a rule, is not analytic; so a sample judged by it has
    to pass this as well.
    """
    inputs, rng = sample.inputs(seed), np.random.default_rng(seed)
    y = Direct(sample.function).value(inputs)
    for subject in (Direct(sample.function), Gradient(sample.function, random_unit(y, rng))):
        for i, x in enumerate(inputs):
            along = curve(subject, inputs, i, size_of(x) * random_unit(x, rng))
            exact, real = complex_step(along).value, extrapolated_difference(along)
            rounding = ROUNDING * max(subject.magnitude(inputs, subject.value(inputs)), largest(exact))
            if not np.all(np.abs(exact - real.value) <= rounding + SAFETY * real.error):
                return False
    return True
