"""Check a file as soon as it is saved: ``python -m scratchgen exercises watch``.

The folder is looked at a few times a second, which works on every system and drive. Editors save in many ways, so a
file counts as saved when it has looked the same twice in a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scratchgen.exercises.kit.desk import COMMAND, Desk
from scratchgen.exercises.kit.exercise import Exercise
from scratchgen.exercises.kit.load import SECONDS

PAUSE = 0.4  # seconds
Stamp = tuple[int, int] | None


def watch(desk: Desk, seconds: float = SECONDS, pause: Callable[[], None] = lambda: time.sleep(PAUSE)) -> int:
    """Check the exercise that comes next, and then each that is saved, until Ctrl-C, or until all pass.

    ``pause`` is called between two looks at the folder.
    """
    checked = {number: stamp(desk, exercise) for number, exercise in desk.exercises.items()}
    first = desk.open_one()
    if first is not None:
        desk.report(first, seconds)
    seen = dict(checked)
    desk.tell("", f"Waiting for you to save a file in {desk.folder.path.resolve()}. Ctrl-C ends this.")
    try:
        while desk.open_one() is not None:
            pause()
            for number, exercise in desk.exercises.items():
                now = stamp(desk, exercise)
                if now is not None and now == seen[number] != checked[number]:
                    checked[number] = now
                    desk.tell("", "-" * 60, "")
                    desk.report(exercise, seconds)
                seen[number] = now
    except KeyboardInterrupt:
        desk.tell("", f"Stopped. `{COMMAND} list` shows how far you are.")
    return 0


def stamp(desk: Desk, exercise: Exercise) -> Stamp:
    """What changes when a file is saved: its time and size; None if it is not there."""
    try:
        status = desk.folder.file(exercise).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
