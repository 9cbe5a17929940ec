"""The tests in several processes: `python -m tests.jobs`, with pytest's own arguments behind it.

python -m tests.jobs                      the quick tests (make test), in one process a core, at most four
python -m tests.jobs -m "" --jobs 2       all of them, in two
python -m tests.jobs tests/nn -k linear   what pytest would select

Each process claims what it runs next (`tests/share.py`). Failures are printed at the end; the exit code is then 1, and
2 if not everything ran, because a process died or nothing was collected.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from demos.processes import Outcome, Task, cores, duration, exit_on_sigterm, side_by_side
from scratchgen.cli.numbers import at_least
from tests.figures import lines

MOST_JOBS = 4  # each needs half a gigabyte, and the longest test alone its time
EVERY = 15.0  # seconds between two lines of progress


def reports(files: list[Path]) -> list[dict]:
    """What the processes have told of their shares so far."""
    nothing = {"collected": 0, "done": 0, "unit": "its start"}
    return [json.loads(file.read_text(encoding="utf-8")) if file.exists() else nothing for file in files]


class Progress:
    """Prints every few seconds how many of the tests each process has done."""

    def __init__(self, files: list[Path]) -> None:
        self.files, self.start, self.printed = files, time.perf_counter(), 0.0

    def __call__(self, *_: object) -> None:
        passed = time.perf_counter() - self.start
        told = reports(self.files)
        collected = max(report["collected"] for report in told)
        if passed < self.printed + EVERY or not collected:
            return
        self.printed = passed
        done = [report["done"] for report in told]
        shares = " + ".join(f"{n:,}" for n in done)
        print(f"[{passed:4.0f} s] {shares} = {sum(done):,} of {collected:,} tests", flush=True)


def what_went_wrong(outcomes: list[Outcome], told: list[dict]) -> list[str]:
    """Why the run is not whole, in lines; empty if each test ran in some process."""
    wrong = []
    for outcome, report in zip(outcomes, told):
        if "outcomes" not in report or outcome.code not in (0, 1, 5):  # 5: nothing was left for it
            how = outcome.failure or "ended before its end"
            wrong.append(f"{outcome.task.name} {how}, at {report['unit']}")
    collected, done = {report["collected"] for report in told}, sum(report["done"] for report in told)
    if not wrong and collected == {0}:
        wrong.append("no tests were collected")
    if not wrong and collected != {done}:
        wrong.append(f"{done} tests ran, but the processes collected {sorted(collected)}")
    return wrong


def failures_in(output: str) -> str:
    """From what pytest wrote, what follows the dots."""
    starts = [output.find(title) for title in ("= ERRORS =", "= FAILURES =", "= warnings summary =")]
    found = [output.rfind("\n", 0, start) + 1 for start in starts if start >= 0]
    return output[min(found) :] if found else output[-5000:]


def summary(told: list[dict]) -> str:
    """How many tests passed, failed and so on, in all processes, and their figures."""
    outcomes, texts, counts = Counter[str](), [], dict[str, Counter[str]]()
    for report in told:
        outcomes.update({name: n for name, n in report.get("outcomes", {}).items() if name != "deselected"})
        texts += report.get("texts", [])
        for title, found in report.get("counts", {}).items():
            counts.setdefault(title, Counter()).update(found)
    figures = [f"{title}: {text}" for title, text in lines(texts, counts)]
    return "\n".join([*figures, ", ".join(f"{n:,} {name}" for name, n in outcomes.items())])


def show(outcomes: list[Outcome]) -> None:
    """Print what failed, in each process, and what was skipped. What cannot be collected fails alike in all: once."""
    unusual = [outcome for outcome in outcomes if outcome.code > 1]
    for outcome in [outcome for outcome in outcomes if outcome.code == 1 or outcome.code < 0] + unusual[:1]:
        print(f"\n{failures_in(outcome.output)}")
    passed = "\n".join(outcome.output for outcome in outcomes if outcome.code == 0)
    for line in dict.fromkeys(passed.splitlines()):  # once: a whole file is skipped by all of them
        if line.startswith(("SKIPPED [", "XFAIL ")):
            print(line)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tests; the exit code is 0 if all of them ran and passed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.jobs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # what begins like an option of ours may be pytest's
    )
    parser.add_argument(
        "--jobs",
        type=at_least(1),
        default=min(cores(), MOST_JOBS),
        metavar="N",
        help=f"how many processes (default: one a core, up to {MOST_JOBS})",
    )
    options, arguments = parser.parse_known_args(argv)
    exit_on_sigterm()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="scratchgen-tests-") as folder:
        files = [Path(folder) / f"share-{i}.json" for i in range(options.jobs)]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.share", "-p", "no:cacheprovider", *arguments]
        tasks = [Task(f"process {i}", [*command, f"--share={file}"], 0) for i, file in enumerate(files)]
        try:
            with closing(side_by_side(tasks, options.jobs, watch=Progress(files))) as running:
                outcomes = sorted(running, key=lambda outcome: tasks.index(outcome.task))
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return 130
        told = reports(files)
    show(outcomes)
    wrong = what_went_wrong(outcomes, told)
    print(f"\n{summary(told)} in {duration(time.perf_counter() - start)}, by {options.jobs} processes", flush=True)
    for line in wrong:
        print(line, file=sys.stderr)
    return 2 if wrong else max(outcome.code for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
