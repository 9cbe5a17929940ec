"""The command ``python -m scratchgen info``: of the installation, or of a checkpoint."""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

from scratchgen import __version__

EXAMPLES = """
examples:
  python -m scratchgen info                 versions, the linear algebra behind NumPy, and its threads
  python -m scratchgen info digits.ckpt     what was trained, on what, how long, and its parameters by layer
"""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def add(subparsers: Any) -> None:
    """Add the command to the parser of ``python -m scratchgen``."""
    parser = subparsers.add_parser(
        "info",
        help="tell of the installation, or of a trained model",
        description="Tell of the installation, or of a trained model.",
        epilog=EXAMPLES,
    )
    parser.add_argument("checkpoint", nargs="?", help="a file that train wrote")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print it, a line each."""
    told = installation() if options.checkpoint is None else trained(options.checkpoint)
    for name, value in told.items():
        print(f"{name:11} {value}")
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


def trained(path: str) -> dict[str, str]:
    """What a checkpoint holds: the model, its data, its training, and the parameters of each layer."""
    from scratchgen.cli import saved

    found = saved.load(path)
    data, training = found.note["data"], found.note["training"]
    rows = ", ".join(f"{n:,} {part}" for part, n in data["rows"].items())
    told = {
        "file": f"{path}, {os.path.getsize(path):,} bytes, written by scratchgen {found.note['scratchgen']}",
        "model": found.family.summary,
        "settings": ", ".join(f"{name} {value}" for name, value in found.settings.items()),
        "data": f"{data['name']}: {found.form.describe()}; {rows}",
        "training": "fitted at once" if found.family.by_em else progress(found),
        "seed": str(training["seed"]),
    }
    tensors = found.model.parameters()
    width = max(map(len, tensors))
    layers = [f"{name:{width}} {t.size:>9,}  {t.shape}" for name, t in tensors.items()]
    told["parameters"] = "\n  ".join([f"{sum(t.size for t in tensors.values()):,}, {found.model.dtype}", *layers])
    return told


def progress(found: Any) -> str:
    """How far a training by gradients is, and how good it was at its best."""
    training, step = found.note["training"], found.meta["step"]
    epochs = step / math.ceil(len(found.arrays["order"]) / training["batch_size"])
    told = f"{step} of {training['steps']} steps of {training['batch_size']} rows, {epochs:.3g} epochs"
    validation = found.arrays["history.validation"]
    if len(validation):
        best = found.arrays["history.steps"][validation.argmin()]
        told += f"; the weights are those of step {best}, with the best validation loss, {validation.min():.4g}"
    return told


def linear_algebra() -> str:
    """The library that multiplies matrices for NumPy, and its version."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'an unknown library')} {blas.get('version', '')}".strip()
