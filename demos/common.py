"""What the demos share: their command line, and how they print and save."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import Any

from demos.chapters import Chapter, Picture, forget, keep, kept
from demos.gallery import write_index
from scratchgen.cli.numbers import at_least

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "demos" / "out"


class Stage:
    """Where a demo shows its results: it prints, saves pictures, and remembers both for the gallery.

    Args:
        title: of the demo.
        command: that runs it.
        out: the folder for the pictures.
        show: whether to open a window with each picture too.
        quick: whether the demo shall make do with fewer steps and samples.
        about: what else its chapter says: ``name``, ``about``.
    """

    def __init__(
        self, title: str, command: str, out: Path, show: bool = False, quick: bool = False, **about: Any
    ) -> None:
        self.chapter = Chapter(title, command, [], [], **about)
        self.out, self.show, self.quick, self.start = out, show, quick, time.perf_counter()
        out.mkdir(parents=True, exist_ok=True)

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"[{time.perf_counter() - self.start:5.1f} s] {text}", flush=True)

    def result(self, text: str) -> None:
        """Print a result, and keep it for the gallery."""
        self.say(text)
        self.chapter.results.append(text)

    def save(self, figure: Any, name: str, title: str, equation: str, caption: str) -> None:
        """Write the figure to ``name``.png, and say so."""
        import matplotlib.pyplot as plt

        path = self.out / f"{name}.png"
        figure.savefig(path, dpi=110)
        self.say(f"wrote {path}")
        self.chapter.pictures.append(Picture(path, title, equation, caption))
        if self.show:
            plt.show()
        plt.close(figure)

    def save_animation(self, animation: Any, name: str, title: str, equation: str, caption: str, fps: int = 15) -> None:
        """Write a ``FuncAnimation`` to ``name``.gif, and say so."""
        path = self.out / f"{name}.gif"
        animation.save(path, writer="pillow", fps=fps)
        self.say(f"wrote {path}")
        self.chapter.pictures.append(Picture(path, title, equation, caption))

    def save_page(self, page: str, name: str, title: str, equation: str, caption: str) -> None:
        """Write a page that is a whole of its own to ``name``.html, and say so; the gallery links to it."""
        path = self.out / f"{name}.html"
        path.write_text(page, encoding="utf-8")
        self.say(f"wrote {path}")
        self.chapter.pictures.append(Picture(path, title, equation, caption))


def main(module: Any) -> None:
    """Run one demo from its own command line.

    A demo is a module with TITLE, SECONDS (how long it takes, about) and ``run(stage, seed)``. One that takes longer
    than 20 seconds looks at ``stage.quick`` and has QUICK_SECONDS too: 20 at most, but for those of all families.
    Options of its own are in OPTIONS, by name, as ``argparse`` takes them; ``run`` gets those that are given, by
    keyword.
    """
    name = module.__spec__.name if module.__spec__ else module.__name__
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=module.__doc__)
    add_options(parser)
    own = getattr(module, "OPTIONS", {})
    for option, settings in own.items():
        parser.add_argument(f"--{option}", **settings)
    options = parser.parse_args()
    prepare(options.out, parser)
    given = {option: vars(options)[option] for option in own if vars(options)[option] is not None}
    perform(module, name, options, given)
    if options.index:
        print(f"wrote {write_index(kept(options.out), options.out)}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every demo has."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=at_least(0), default=0, help="of all random numbers (default 0)")
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help="folder for the pictures (default demos/out)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--quick", action="store_true", help="fewer steps and samples; python -m demos --list tells the seconds"
    )
    length.add_argument("--full", dest="quick", action="store_false", help="at full length (the default)")
    parser.add_argument(
        "--no-index", dest="index", action="store_false", help="leave the gallery's index.html as it is"
    )
    parser.add_argument("--show", action="store_true", help="also open each picture in a window")


def prepare(folder: Path, parser: argparse.ArgumentParser) -> None:
    """Make the folder for the pictures; a command that could not write into it ends here, before anything runs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        parser.error(f"--out {folder}: no pictures can be written there ({error.strerror}); name a folder of your own")


def perform(
    module: Any, name: str, options: argparse.Namespace, given: Mapping[str, Any] = MappingProxyType({})
) -> Chapter:
    """Run a demo, saying first what it will do and how long it takes; keeps its chapter in the folder ``options.out``.

    ``given`` are options of its own. Ctrl-C ends the program with exit code 130.
    """
    if not options.show:  # no window, and none needed, whatever the environment says
        os.environ["MPLBACKEND"] = "Agg"
        import matplotlib

        matplotlib.use("Agg")
    quick_seconds = getattr(module, "QUICK_SECONDS", module.SECONDS)
    seconds = quick_seconds if options.quick else module.SECONDS
    about = (module.__doc__ or "").strip()
    print(f"{module.TITLE}: about {seconds} s\n{about}\n", flush=True)
    command = f"python -m {name} --seed {options.seed}" + (" --quick" if options.quick else "")
    command += "".join(f" --{option} {shlex.quote(str(value))}" for option, value in given.items())
    short = name.removeprefix("demos.")
    stage = Stage(module.TITLE, command, options.out, options.show, options.quick, name=short, about=about)
    forget(short, options.out)
    try:
        module.run(stage, options.seed, **given)
    except KeyboardInterrupt:
        print(f"\ninterrupted; what was finished is in {options.out}", file=sys.stderr)
        sys.exit(130)  # as a shell reports of a program that Ctrl-C ended: 128 + SIGINT
    chapter = stage.chapter._replace(seconds=round(time.perf_counter() - stage.start, 1))
    keep(chapter, options.out)
    return chapter
