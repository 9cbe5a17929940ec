"""What all tests share: which files are collected, repeatable examples, and the figures printed at the end of a run."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.figures import COUNTS, TEXTS, lines

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib: no test needs a screen
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before anything imports NumPy: see demos/__init__.py

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TEXTS], config.stash[COUNTS] = [], {}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Skip what is no test: --doctest-modules would import the helpers too, and with them the benchmarks' peers."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


@pytest.fixture(scope="session")
def print_at_end(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """`print_at_end(title, text)` shows the text under its title when the run ends, whether it passes or fails."""
    return lambda title, text: pytestconfig.stash[TEXTS].append((title, text))


@pytest.fixture(scope="session")
def count_at_end(pytestconfig: pytest.Config) -> Callable[[str, Counter[str]], None]:
    """`count_at_end(title, counts)` adds to the counts that are shown under the title when the run ends."""
    return lambda title, counts: pytestconfig.stash[COUNTS].setdefault(title, Counter()).update(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, text in lines(config.stash[TEXTS], config.stash[COUNTS]):
        terminalreporter.section(title)
        terminalreporter.write_line(text)
