"""The text that the demos of languages read: Python's own documentation, or the file that ``--file`` names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demos.common import Stage
from scratchgen.data import Vocabulary, documentation, text_file

LEAST = 3  # different characters: with top-k, demos draw one of the three that are most probable


class Corpus(NamedTuple):
    """A text as numbers: its name, its characters, and both parts of it, (N,) each."""

    name: str
    vocabulary: Vocabulary
    train: np.ndarray
    validation: np.ndarray


def readable(name: str) -> Path:
    """A text file from the command line."""
    try:
        text = text_file(name)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    different = len(set(text.train + text.validation))
    if different < LEAST:
        raise argparse.ArgumentTypeError(f"{name}: {different} different characters; there must be at least {LEAST}")
    return Path(name)


FILE = {"type": readable, "metavar": "TEXT", "help": "a text file in UTF-8 (default Python's own documentation)"}


def corpus(stage: Stage, file: Path | None) -> Corpus:
    """The text, and a line on what identifies it: the documentation is another in each version of Python."""
    text = documentation() if file is None else text_file(file)
    name = "Python's documentation" if file is None else file.name
    vocabulary = Vocabulary(text.train + text.validation)
    stage.say(f"{name}: {text.size:,} characters, {len(vocabulary)} different, SHA-256 {text.sha256[:12]}…")
    return Corpus(name, vocabulary, vocabulary.encode(text.train), vocabulary.encode(text.validation))
