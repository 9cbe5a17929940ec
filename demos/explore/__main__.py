"""Explore the latent space of a model, in a window with sliders.

python -m demos.explore                             a VAE of handwritten digits, whose code is a point of the plane
python -m demos.explore --model flow                a flow of the plane, between noise and two moons
python -m demos.explore --checkpoint vae.ckpt       keep the trained weights there; the next time, start from them

or explore a VAE that the package's own command has trained:

python -m scratchgen train vae --data digits --latent 2 --out mine.ckpt
python -m demos.explore --checkpoint mine.ckpt

Drag the point in the plane, or move the sliders. Training takes about 5 seconds. For a page that needs no window and no
Python: python -m demos.page09_explore
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demos.explore.flow_window import FlowWindow
from demos.explore.models import PIXELS, obtained
from demos.explore.vae_window import VaeWindow
from demos.page09_vae import load
from scratchgen.checkpoint import CheckpointError
from scratchgen.cli.errors import CommandError
from scratchgen.cli.numbers import at_least

WITHOUT_WINDOWS = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}  # backends of matplotlib that write files
ADVICE = """\
The explorer needs a window, and there can be none: {reason}.

With a display, give matplotlib a backend for it:
    python -m pip install PyQt6     and then   MPLBACKEND=QtAgg python -m demos.explore
    or Python's own tkinter (Debian, Ubuntu: apt install python3-tk) and   MPLBACKEND=TkAgg python -m demos.explore
Over ssh, forward the display: ssh -X …
Without one, the explorer is a page too, for any browser:
    python -m demos.page09_explore  writes demos/out/explore.html"""


def no_window() -> str | None:
    """Why matplotlib cannot open a window; None if it can."""
    try:
        import matplotlib.pyplot as plt

        plt.close(plt.figure())  # only now the backend is looked for
        backend = plt.get_backend()
    except Exception as error:  # of any kind: each toolkit has its own
        return " ".join(f"{error}".split()) or type(error).__name__
    if backend.lower() in WITHOUT_WINDOWS:
        return f"matplotlib draws to files only, by its backend {backend} (MPLBACKEND says so, or no display was found)"
    return None


def window(kind: str, model: Any, rng: np.random.Generator) -> VaeWindow | FlowWindow:
    """The window that explores the model."""
    if kind == "flow":
        return FlowWindow(model, rng)
    test = load("test")
    return VaeWindow(model, test.x.reshape(-1, PIXELS), test.labels, rng)


def main(argv: Sequence[str] | None = None) -> int:
    """Train or load the model, and open its window; the exit code is 2 if that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m demos.explore",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=["vae", "flow"], default="vae", help="what to explore (default vae)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of all random numbers (default 0)")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="load the weights, or save them if there is none"
    )
    options = parser.parse_args(argv)
    reason = no_window()  # before the training, not after it
    if reason is not None:
        print(ADVICE.format(reason=reason), file=sys.stderr)
        return 2
    path = options.checkpoint
    if path is not None and not path.parent.is_dir():
        print(f"--checkpoint {path}: there is no folder {path.parent}; make it first", file=sys.stderr)
        return 2
    try:
        model = obtained(options.model, options.seed, path)
    except (CheckpointError, CommandError, ValueError) as error:
        print(f"--checkpoint {path} --model {options.model}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130  # as a shell reports of a program that Ctrl-C ended: 128 + SIGINT
    import matplotlib.pyplot as plt

    shown = window(options.model, model, np.random.default_rng(options.seed))  # its sliders live as long as this name
    plt.show()
    plt.close(shown.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
