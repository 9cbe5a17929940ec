"""The command ``python -m scratchgen info``: of the installation, or of a checkpoint."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Any

from scratchgen import __version__

EXAMPLES = """
examples:
  python -m scratchgen info                 versions, the linear algebra behind NumPy, and its threads
"""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "info", help="tell of the installation", description="Tell of the installation.", epilog=EXAMPLES
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print it, a line each."""
    for name, value in installation().items():
        print(f"{name:14} {value}")
    return 0


def installation() -> dict[str, str]:
    """What a report of a fault should state.

    >>> installation()["dtype"]
    'float32 in training, float64 in checks'
    """
    from importlib.metadata import PackageNotFoundError, version

    import numpy as np

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    threads = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    return {
        "scratchgen": f"{__version__} in {Path(__file__).resolve().parents[1]}",
        "Python": f"{platform.python_version()} in {sys.executable}",
        "system": f"{platform.platform()}, {os.cpu_count()} cores",
        "NumPy": f"{np.__version__}, linear algebra by {linear_algebra()}",
        "SciPy": installed("scipy"),
        "matplotlib": installed("matplotlib"),
        "threads": ", ".join(threads) or "as the linear algebra chooses",
        "dtype": "float32 in training, float64 in checks",
    }


def linear_algebra() -> str:
    """The library that multiplies matrices for NumPy, and its version."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'an unknown library')} {blas.get('version', '')}".strip()
