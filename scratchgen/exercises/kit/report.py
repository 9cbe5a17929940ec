"""For teachers: which submissions pass, as a table: ``python -m scratchgen exercises report FOLDER``.

A submission is a file whose name ends in that of an exercise: ``ada/ex11_kl_gaussians.py``, as ``init`` names them, or
``ada_ex11_kl_gaussians.py``, as learning platforms do. The student is the folder and what stands before. Each file is
checked in a process of its own, in an empty folder, with limits of time, memory, and size of what it writes; where the
system cannot bound memory (Windows, macOS) only the time is. This keeps one submission from spoiling the report. It is
no cage: the code can still read and write files. Run what strangers send as a user who has nothing to lose.

The table is CSV, a row for each student and exercise. Spreadsheets take a cell that begins with one of ``=+-@`` for a
formula, and run it; such a cell gets an apostrophe in front (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

from scratchgen.exercises.kit.exercise import ERROR, Exercise, Verdict
from scratchgen.exercises.kit.folder import Refused
from scratchgen.exercises.kit.load import SECONDS, check_file

MEGABYTES = 2048
LONGEST_CELL = 300


class Submission(NamedTuple):
    """A file that was handed in, or None for an exercise that was not."""

    student: str
    exercise: Exercise
    path: Path | None


class Row(NamedTuple):
    """A row of the table; the names of the fields are the headings."""

    student: str
    exercise: int
    name: str
    status: str
    mistake: str
    message: str
    file: str


def submissions(folder: str | os.PathLike[str], exercises: Mapping[int, Exercise]) -> list[Submission]:
    """All files in ``folder`` and below that are answers to ``exercises``, by student and number; links are left out.

    A student who handed in some, or has a folder with none, has a row for each of the others too, without a file.

    Raises:
        Refused: if the folder is not there.
    """
    root = Path(folder)
    if not root.is_dir():
        raise Refused(f"there is no folder {folder}")
    found: dict[tuple[str, int], list[Path | None]] = {}
    students: set[str] = set()
    for where, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        inside = Path(where).relative_to(root).as_posix()
        here = set()
        for name in sorted(names):
            for exercise in exercises.values():
                path = Path(where, name)
                if name.endswith(f"{exercise.id}.py") and not path.is_symlink():
                    before = name[: -len(f"{exercise.id}.py")].rstrip("_-. ")
                    student = "/".join(part for part in (inside, before) if part not in ("", ".")) or "."
                    found.setdefault((student, exercise.number), []).append(path)
                    here.add(student)
        students |= here or ({inside} if not folders and inside != "." else set())  # who handed in nothing, too
    return [
        Submission(student, exercise, path)
        for student in sorted(students)
        for number, exercise in exercises.items()
        for path in found.get((student, number)) or [None]
    ]


def rows(
    handed_in: list[Submission], seconds: float = SECONDS, megabytes: int | None = MEGABYTES, jobs: int = 1
) -> Iterator[Row]:
    """The rows of the table, each as soon as it and those before it are there; ``jobs`` are checked at a time."""
    with tempfile.TemporaryDirectory(prefix="scratchgen-report-") as empty, ThreadPoolExecutor(jobs) as pool:

        def row(submission: Submission) -> Row:
            student, exercise, path = submission
            if path is None:
                return Row(student, exercise.number, exercise.name, "no file", "", "", "")
            try:
                own = tempfile.mkdtemp(dir=empty)
                verdict = check_file(exercise, path, seconds, megabytes, own).verdict
            except Exception as error:  # whatever is wrong with this one, the others are still to come
                verdict = Verdict(ERROR, f"it could not be checked: {type(error).__name__}: {error}")
            mistake = " / ".join(verdict.mistakes)
            return Row(student, exercise.number, exercise.name, verdict.status, mistake, verdict.message, str(path))

        yield from pool.map(row, handed_in)


def write_table(table: Iterator[Row], file: IO[str], told: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Write the rows as CSV, each at once; ``told`` is called with each. Returns them all."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Row._fields)
    written = []
    for row in table:
        writer.writerow([cell(str(value)) for value in row])
        file.flush()
        told(row)
        written.append(row)
    return written


def cell(text: str) -> str:
    """A text as one line that no spreadsheet runs; ``csv`` takes care of commas and quotes.

    >>> cell("=HYPERLINK(0)"), cell(" @SUM(1)"), cell("ada"), cell("one\\n  two")
    ("'=HYPERLINK(0)", "' @SUM(1)", 'ada', 'one / two')
    """
    line = re.sub(r"\s*[\r\n]+\s*", " / ", text.strip("\r\n"))
    line = "".join(c if c.isprintable() else "\ufffd" for c in line)
    line = line if len(line) <= LONGEST_CELL else line[:LONGEST_CELL] + " …"
    return "'" + line if line.lstrip().startswith(("=", "+", "-", "@")) else line


def report(
    folder: str | os.PathLike[str],
    exercises: Mapping[int, Exercise],
    out: str | None = None,
    seconds: float = SECONDS,
    megabytes: int | None = MEGABYTES,
    jobs: int = 1,
) -> int:
    """Check all submissions in ``folder``, and write the table to the file ``out``, or print it; progress is on stderr.

    Returns:
        The exit code 0: that submissions fail is no failure of the report.
    """
    handed_in = submissions(folder, exercises)
    if not handed_in:
        raise Refused(f"there are no submissions in {folder}: their names end in those of the exercises")
    if not sys.platform.startswith("linux"):
        print("note: memory is not bounded on this system, only the time is", file=sys.stderr)
    files = sum(s.path is not None for s in handed_in)
    count = 0

    def tell(row: Row) -> None:
        nonlocal count
        if row.file:
            count += 1
            print(f"{count} of {files}: {row.student}, {row.name}: {row.status}", file=sys.stderr, flush=True)

    table = rows(handed_in, seconds, megabytes, jobs)
    if out is None:
        written = write_table(table, sys.stdout, tell)
    else:
        try:
            with open(out, "w", encoding="utf-8-sig", newline="") as file:  # Excel takes UTF-8 only with the mark
                written = write_table(table, file, tell)
        except OSError as error:
            raise Refused(f"{out} cannot be written: {error.strerror}") from None
    passed = sum(row.status == "passed" for row in written)
    print(f"{passed} of {files} files pass, of {len({r.student for r in written})} students", file=sys.stderr)
    return 0
