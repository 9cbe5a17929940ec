"""What all tests share: which files are collected, repeatable examples, and the figures printed at the end of a run."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib: no test needs a screen
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before anything imports NumPy: see demos/__init__.py

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

FIGURES = pytest.StashKey[list[tuple[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Skip what is no test: --doctest-modules would import the helpers too, and with them the benchmarks' peers."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


@pytest.fixture(scope="session")
def print_at_end(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """`print_at_end(title, text)` shows the text under its title when the run ends, whether it passes or fails."""
    return lambda title, text: pytestconfig.stash[FIGURES].append((title, text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, text in config.stash[FIGURES]:
        terminalreporter.section(title)
        terminalreporter.write_line(text)
