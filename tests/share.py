"""A pytest plugin that runs a share of the tests: what no other process has claimed first. `tests/jobs.py` uses it.

All processes collect the same tests, and each takes the next unit that is left, so they end at about the same time
whatever the units cost and however fast the processes are. A unit is the tests of one file, which may share fixtures;
a slow test is a unit of its own. Which process runs a unit is a matter of time, what the tests find is not: they have
to be independent of each other anyway.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from scratchgen.atomic import replacing
from tests.figures import COUNTS, TEXTS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", type=Path, metavar="FILE", help="claim tests in FILE's folder, and tell of them in FILE"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--share"):
        config.pluginmanager.register(Share(config.getoption("--share")), "share")


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def unit_of(item: pytest.Item) -> str:
    """The name of the unit that the test belongs to."""
    return item.nodeid if is_slow(item) else item.nodeid.partition("::")[0]


class Share:
    """The share of this process.

    Args:
        report: the file for what there is to tell: how many tests are `collected` and `done`, the `unit` that runs,
            and at the end the `outcomes` and the figures.
    """

    def __init__(self, report: Path) -> None:
        self.report, self.told, self.last = report, {"collected": 0, "done": 0, "unit": "its start"}, 0.0

    def tell(self, **news: object) -> None:
        """Write the report anew."""
        self.told |= news
        self.last = time.monotonic()
        with replacing(self.report) as file:
            file.write(json.dumps(self.told).encode())

    def claim(self, unit: str) -> bool:
        """Whether the unit is for this process: only one can create a file of that name."""
        try:
            (self.report.parent / f"{hashlib.sha256(unit.encode()).hexdigest()}.claim").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def units(self, items: list[pytest.Item]) -> Iterator[list[pytest.Item]]:
        """The units of this process, the slow ones first: short ones at the end let all processes end together."""
        for unit, tests in groupby(sorted(items, key=is_slow, reverse=True), key=unit_of):
            if self.claim(unit):
                self.tell(unit=unit)
                yield list(tests)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """As pytest's own loop, but for the claims."""
        if session.testsfailed or session.config.option.collectonly:
            return None  # pytest's own loop says what could not be collected
        self.tell(collected=len(session.items))
        for tests in self.units(session.items):
            # After the last test of a unit everything is torn down but the session: nobody knows yet what comes next.
            for test, following in zip(tests, [*tests[1:], session]):
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
                self.told["done"] += 1
                if time.monotonic() > self.last + 2:  # a report has to reach the disk, which takes as long as a test
                    self.tell()
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        outcomes = {name: len(reports) for name, reports in terminalreporter.stats.items() if name}
        self.tell(outcomes=outcomes, texts=config.stash.get(TEXTS, []), counts=config.stash.get(COUNTS, {}))
