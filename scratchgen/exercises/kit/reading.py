"""Reading a learner's file: from bytes to what it defines. All that can be wrong before a function is called.

Every way to fail raises ``Unreadable`` with a message for beginners: which line, and what to do.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import types
from pathlib import Path
from typing import Any

from scratchgen.exercises.kit.judge import learners_line

LARGEST = 1_000_000  # bytes; a solution has a few thousand


class Unreadable(Exception):
    """A file whose functions cannot even be called."""


def text_of(path: Path) -> str:
    """The text of a source file, as Python would read it: a byte order mark and a coding line are understood.

    Raises:
        Unreadable: if it is no file, empty, too large, or in an encoding that Python does not read.
    """
    if not path.is_file():  # a pipe or device would be waited for
        raise Unreadable(f"There is no file {path}.")
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > LARGEST:
        raise Unreadable(f"{path.name} has more than {LARGEST:,} bytes: it is no solution.")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content:
        raise Unreadable(f"{path.name} is no text in UTF-8, but perhaps in UTF-16: save it as UTF-8 in your editor.")
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:  # SyntaxError if it is in the first two lines
        raise Unreadable(f"{path.name}{bad_byte(content, error)}: save the file as UTF-8 in your editor.") from None
    if not text.strip():
        raise Unreadable(f"{path.name} is empty: write the function in it, or get the task back with `reset`.")
    return text


def bad_byte(content: bytes, error: Exception) -> str:
    """Which line cannot be decoded, and why."""
    try:
        content.decode()
    except UnicodeDecodeError as found:
        line = content.count(b"\n", 0, found.start) + 1
        return f", line {line}, has the byte 0x{content[found.start]:02x}, which is not UTF-8"
    return f" names an encoding that it is not in ({error})"


def compiled(text: str, path: Path) -> types.CodeType:
    """The code of a source text.

    Raises:
        Unreadable: where Python does not understand it, or if it imports the solutions.
    """
    try:
        tree = ast.parse(text, str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        row = (error.text or "").rstrip().expandtabs(4)
        shown = f"\n    {row.strip()}" if row.strip() else ""
        if shown and error.offset:
            before = (error.text or "")[: error.offset - 1].expandtabs(4)
            shown += "\n    " + " " * (len(before) - (len(row) - len(row.lstrip()))) + "^"
        raise Unreadable(
            f"Python does not understand {path.name}, line {error.lineno}: {error.msg}{shown}{advice(error)}"
        ) from None
    except (RecursionError, MemoryError):
        raise Unreadable(f"{path.name} has brackets or operators nested too deeply for Python to read.") from None
    except ValueError as error:
        raise Unreadable(f"Python does not understand {path.name}: {error}.") from None
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.startswith("scratchgen.exercises") for name in names):
            raise Unreadable(
                f"{path.name}, line {node.lineno}, imports the exercises themselves: write the function instead."  # type: ignore[attr-defined]
            )
    return code


def advice(error: SyntaxError) -> str:
    """What to do about the most frequent ones."""
    if isinstance(error, TabError):
        return "\nTabs and spaces are mixed: indent all lines by spaces."
    if isinstance(error, IndentationError):
        return "\nThe body of a function is indented by four spaces, all its lines alike."
    return ""


def define(path: Path) -> dict[str, Any]:
    """Run a learner's file, and return what it defines.

    Raises:
        Unreadable: see ``text_of`` and ``compiled``; or if it raises an exception while it is run.
    """
    code = compiled(text_of(path), path)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module  # dataclasses look for it there
    try:
        exec(code, vars(module))
    except SystemExit as error:
        line = learners_line(error.__traceback__, str(path))
        raise Unreadable(f"{path.name} ends Python by exit() while it is read; remove that.{line}") from None
    except EOFError as error:
        line = learners_line(error.__traceback__, str(path))
        raise Unreadable(f"{path.name} asks for input() while it is read; there is none here.{line}") from None
    except Exception as error:
        line = learners_line(error.__traceback__, str(path))
        raise Unreadable(f"{path.name} raises {type(error).__name__} while it is read: {error}{line}") from None
    return vars(module)
