"""``python -m scratchgen gradcheck --all``: the promise of the package as one table.

A row for every operation, layer, distribution and model: how much was compared with a derivative that was computed
otherwise, and the largest difference found, relative to the scale of that derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.checks.cases import REGISTERED, check_case
from scratchgen.checks.suite import all_samples, check, load_everything

HEADER = f"{'':36}{'checks':>8}{'numbers':>9}{'largest error':>15}  "


def print_table(seed: int = 0, write: Callable[[str], Any] = print) -> list[GradientError]:
    """Check everything, write a row after the other, and return what failed."""
    load_everything()
    failures: list[GradientError] = []
    for section, rows in (("operations", operations(seed, failures)), *cases(seed, failures)):
        write(f"\n{section.upper():36}{HEADER[36:]}")
        for row in rows:
            write(row)
    write(f"\n{len(failures)} failed" if failures else "\nall right")
    for failure in failures:
        write(f"\n{failure}")
    return failures


def operations(seed: int, failures: list[GradientError]) -> Iterator[str]:
    """The rows of the operations, to first and second order, and in float32."""
    samples = all_samples()
    for name in sorted({sample.operation for sample in samples}):
        errors, single, numbers, checks, failed = [0.0], [0.0], 0, 0, len(failures)
        for sample in samples:
            if sample.operation == name:
                checks += 2
                try:
                    report = check(sample, seed)
                except GradientError as error:
                    failures.append(error)
                    continue
                numbers += report.entries
                errors.append(report.error)
                single.append(report.float32 or 0.0)
        remark = f"float32 {max(single):.0e}" if failed == len(failures) else "FAILED"
        yield f"  {name:34}{checks:8}{numbers:9}{max(errors):15.0e}  {remark}"


def cases(seed: int, failures: list[GradientError]) -> Iterator[tuple[str, Iterator[str]]]:
    """The sections of layers, distributions and models."""

    def rows(section: str) -> Iterator[str]:
        for (cls, kind), factory in REGISTERED[section].items():
            name = f"{cls.__name__}, {kind}" if kind else cls.__name__
            try:
                result = check_case(factory, seed, taylor=section == "models")
            except GradientError as error:
                failures.append(error)
                yield f"  {name:34}{1:8}{'':9}{'':15}  FAILED"
                continue
            remark = "" if result.slope is None else f"Taylor remainder ~ h^{result.slope:.3f}"
            yield f"  {name:34}{1:8}{result.numbers:9}{result.error:15.0e}  {remark}".rstrip()

    for section in REGISTERED:
        yield section, rows(section)
