"""A trained model in one file: its weights, and a note from which it is made again. Nothing in the file is ever run.

The file is a checkpoint of ``training.fit`` (or, for models that are fitted at once, one like it), so it can be resumed
too. The note is JSON: the format, the version that wrote it, the model's name and settings, the form of the data, where
they are from, and how the training was set.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from scratchgen.cli.errors import BadInput
from scratchgen.cli.family import Family
from scratchgen.cli.form import Form
from scratchgen.cli.models import FAMILIES

FORMAT = 1


class Saved(NamedTuple):
    """A model from a file.

    Attributes:
        model: with the best weights by the validation loss, or else the last, in evaluation mode.
        family, settings: what it was made of.
        form: of its data.
        note: all that the file says of it.
        meta: of the training, as ``training.run`` saves it: "step" is how many were taken.
        arrays: the weights, the best ones, the optimiser's sums, and the history.
    """

    model: Any
    family: Family
    settings: dict[str, Any]
    form: Form
    note: dict[str, Any]
    meta: dict[str, Any]
    arrays: dict[str, Any]


def note_of(
    family: Family, settings: dict[str, Any], form: Form, data: dict[str, Any], training: Any
) -> dict[str, Any]:
    """The note, as JSON."""
    from scratchgen import __version__

    return {
        "format": FORMAT,
        "scratchgen": __version__,
        "model": family.name,
        "settings": settings,
        "form": form.to_json(),
        "data": data,
        "training": training,
    }


def read_note(path: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The note of a file, its meta and its arrays.

    Raises:
        BadInput: for a file that is missing, damaged, or not written by ``train``; for one of a newer version.
    """
    from scratchgen import __version__, checkpoint

    if not os.path.exists(path):
        raise BadInput(f"{path}: there is no such file; python -m scratchgen train … --out {path} would make it")
    try:
        arrays, meta = checkpoint.load(path)
    except checkpoint.CheckpointError as error:
        raise BadInput(str(error)) from error
    note = meta.get("note")
    if not isinstance(note, dict) or type(note.get("format")) is not int:
        raise BadInput(
            f"{path} is a checkpoint, but not one that python -m scratchgen train wrote: its model is unknown"
        )
    if note["format"] > FORMAT:
        raise BadInput(
            f"{path} was written by scratchgen {note.get('scratchgen')}, in format {note['format']}; this is "
            f"{__version__}, which reads format {FORMAT}: install the newer version"
        )
    return note, meta, arrays


def load(path: str) -> Saved:
    """The model of a file.

    Raises:
        BadInput: as ``read_note``; for a note or weights that this version would not have written.
    """
    from scratchgen.training.run import part

    note, meta, arrays = read_note(path)
    try:
        family = FAMILIES[note["model"]]
        form = Form.from_json(note["form"])
        settings = checked_settings(family, form, note["settings"])
        check_source(note)
        model = family.build(form, settings, 0)
        weights = part("best", arrays) or part("model", arrays)
        model.load_state(weights)
    except (KeyError, TypeError, ValueError, MemoryError) as error:
        raise BadInput(
            f"{path}: its note and its weights do not make a model of this version: {error!s:.300}"
        ) from error
    return Saved(model.eval(), family, settings, form, note, meta, arrays)


def check_source(note: dict[str, Any]) -> None:
    """Raises ValueError unless the note says, as that of ``train``, where the data are from and how it was trained."""
    match note:
        case {
            "data": {"name": str(), "rows": dict(rows), "sha256": str(), **more},
            "training": {"seed": int(), "steps": int(), "batch_size": int(batch)},
            "scratchgen": str(),
        } if all(type(n) is int for n in [*rows.values(), *more.values()]) and batch > 0 and more.keys() <= {"drawn"}:
            return
    raise ValueError("where the data are from, or how it was trained, is not as this version writes it")


def checked_settings(family: Family, form: Form, given: Any) -> dict[str, Any]:
    """The settings, if they are those that the model has for data of this form; raises ValueError."""
    expected = family.settings(form, {})
    if set(given) != set(expected):
        raise ValueError(f"settings {sorted(given)}, expected {sorted(expected)}")
    for name, value in given.items():
        option: Any = family.options[name]
        if type(value) is not option.type or not value >= option.least:
            raise ValueError(f"setting {name} is {value!r}")
    return dict(given)
