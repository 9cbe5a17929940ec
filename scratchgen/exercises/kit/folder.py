"""The learner's own folder: a file for each exercise, and ``progress.json``, which remembers what was passed.

The work is in the Python files; they are never overwritten, but by ``reset``, which keeps a backup. The progress has of
each exercise

    stub      a digest of the stub as it was written: a file with another one has been worked on
    passed    the day on which the check passed, and ``text``, a digest of the file that it passed with
    hints     how many hints were shown; and ``solution``, whether it was shown before passing

Losing this file, or damaging it, loses no work: it is made anew, and ``check`` finds out again what passes. After an
upgrade of scratchgen ``sync`` adds new exercises, and replaces stubs that nobody has touched. Where a task changed that
is being worked on, the new stub is put beside it, as ``….py.new``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scratchgen.atomic import replacing
from scratchgen.exercises.kit.exercise import Exercise

PROGRESS, FORMAT = "progress.json", 1
ABOUT = "What you have passed in the exercises of scratchgen. Your work is in the .py files; this file may be deleted."
PACKAGE_FOLDER = Path(__file__).resolve().parents[2]

PASSED, CHANGED, STARTED, UNTOUCHED, MISSING = "passed", "changed since it passed", "started", "", "no file"


class Refused(Exception):
    """What was asked for cannot be done; the message says why, and what to do."""


@dataclass
class Record:
    """What is remembered of one exercise: see above."""

    stub: str | None = None
    passed: str | None = None
    text: str | None = None
    hints: int = 0
    solution: bool = False


class Folder:
    """A learner's folder, which exists.

    Attributes:
        path: of the folder.
        notes: what to tell the learner about it, such as that the progress was damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.notes: list[str] = []

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Folder:
        """The folder, which is made if it is not there.

        Raises:
            Refused: where there is a file, inside of scratchgen itself, or if the system does not allow it.
        """
        resolved = Path(path).resolve()
        if resolved == PACKAGE_FOLDER or PACKAGE_FOLDER in resolved.parents:
            raise Refused(f"{path} is inside scratchgen itself: choose a folder of your own")
        try:
            resolved.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"{path} cannot be made a folder: {error.strerror}") from None
        return cls(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None) -> Folder:
        """The folder at ``path``; by default the current one, or the one in it that ``init`` makes by default.

        Raises:
            Refused: if there are no exercises in it.
        """
        candidates = [Path(path)] if path is not None else [Path("."), Path(DEFAULT)]
        for candidate in candidates:
            inside = PACKAGE_FOLDER in (candidate.resolve(), *candidate.resolve().parents)
            if not inside and ((candidate / PROGRESS).is_file() or any(candidate.glob("ex[0-9][0-9]_*.py"))):
                return cls(candidate)
        if path is not None:
            raise Refused(f"there are no exercises in {path}: write them by `init`, or name their folder by --dir")
        below = sorted(file.parent.name for file in Path(".").glob(f"*/{PROGRESS}"))  # that of init, without its cd
        there = f"; there are in {below[0]}: `cd` there" if below else ": write them by `init`"
        raise Refused(f"there are no exercises in the current folder{there}, or name their folder by --dir")

    def file(self, exercise: Exercise) -> Path:
        """The learner's file of an exercise."""
        return self.path / f"{exercise.id}.py"

    def records(self) -> dict[str, Record]:
        """What is remembered, by the exercises' names; a damaged file is put aside.

        Raises:
            Refused: if a newer version of scratchgen wrote it.
        """
        path = self.path / PROGRESS
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, entries = content["format"], content["exercises"]
            if isinstance(version, int) and version > FORMAT:
                raise Refused(f"{path} was written by a newer scratchgen: upgrade this one, or use another folder")
            return {str(name): record_of(entry) for name, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            aside = unused(path.with_name(PROGRESS + ".damaged"))
            os.replace(path, aside)
            self.notes.append(
                f"{PROGRESS} was damaged: it is {aside.name} now. A new one is begun: `check all` tells what passes."
            )
            return {}
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}") from None

    def write(self, records: dict[str, Record]) -> None:
        """Remember all of these."""
        entries = {name: asdict(entry) for name, entry in sorted(records.items())}
        text = json.dumps({"about": ABOUT, "format": FORMAT, "exercises": entries}, indent=2, ensure_ascii=False)
        try:
            with replacing(self.path / PROGRESS) as file:
                file.write((text + "\n").encode())
        except OSError as error:
            raise Refused(f"{self.path / PROGRESS} cannot be written: {error.strerror or error}") from None

    def update(self, exercise: Exercise, **changes: Any) -> None:
        """Remember something of one exercise."""
        records = self.records()
        entry = records.setdefault(exercise.id, Record())
        for key, value in changes.items():
            setattr(entry, key, value)
        self.write(records)

    def state(self, exercise: Exercise, entry: Record) -> str:
        """How far the learner is with an exercise."""
        now = digest_of(self.file(exercise))
        if now is None:
            return MISSING
        if entry.passed:
            return PASSED if now == entry.text else CHANGED
        return UNTOUCHED if now == (entry.stub or digest(exercise.stub)) else STARTED

    def sync(self, exercises: Iterable[Exercise], restore: bool = False) -> list[str]:
        """Bring the folder up to date with the exercises, as told above; with ``restore`` write files that are gone.

        Returns:
            What was done, a line each.
        """
        records, done = self.records(), []
        before = {name: Record(**asdict(entry)) for name, entry in records.items()}
        for exercise in exercises:
            path, stub = self.file(exercise), exercise.stub
            known, entry = exercise.id in records, records.setdefault(exercise.id, Record())
            old, entry.stub = entry.stub, digest(stub)
            now = digest_of(path)
            if now is None:
                if not known or restore:
                    write_new(path, stub)
                    done.append(f"{path.name}: written")
            elif not known or old in (None, entry.stub):
                continue
            elif now == old:
                replace(path, stub)
                done.append(f"{path.name}: its task has changed; the file was as it had been written, and is replaced")
            else:
                replace(path.with_name(path.name + ".new"), stub)
                done.append(f"{path.name}: its task has changed; yours is kept, the new one is {path.name}.new")
        if records != before:
            self.write(records)
        return done

    def reset(self, exercise: Exercise) -> Path | None:
        """Put the stub in the place of the learner's file, and return the backup of it; None if there was no file."""
        path, backup = self.file(exercise), None
        if path.exists():
            backup = unused(path.with_name(path.name + ".bak"))
            os.replace(path, backup)
        write_new(path, exercise.stub)
        self.update(exercise, stub=digest(exercise.stub), passed=None, text=None)
        return backup


DEFAULT = "scratchgen-exercises"  # the folder that ``init`` makes


def record_of(entry: dict[str, Any]) -> Record:
    """A record from JSON; what it does not know is left out.

    Raises:
        TypeError: for a value of another type.
    """
    known = {f.name: entry[f.name] for f in fields(Record) if f.name in entry}
    kinds = {"hints": (int,), "solution": (bool,)}
    for key, value in known.items():
        if not isinstance(value, kinds.get(key, (str, type(None)))):
            raise TypeError(f"{key} is {value!r}")
    return Record(**known)


def digest(text: str) -> str:
    """What tells one text from another; the ends of lines, which editors change, do not count.

    >>> digest("a\\r\\nb") == digest("a\\nb"), len(digest(""))
    (True, 16)
    """
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()[:16]


def digest_of(path: Path) -> str | None:
    """The digest of a file, however it is encoded; None if there is none that can be read."""
    try:
        with open(path, "rb") as file:
            return digest(file.read(2**24).decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
    except OSError:
        return None


def unused(path: Path) -> Path:
    """This name, or the first with a number behind it that no file has."""
    count = 1
    candidate = path
    while candidate.exists():
        count += 1
        candidate = path.with_name(f"{path.name}{count}")
    return candidate


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet."""
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None


def replace(path: Path, text: str) -> None:
    """Write a file in the place of an old one."""
    try:
        with replacing(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror or error}") from None
