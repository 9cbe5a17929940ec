"""Finding out whether a learner's file changed what the check relies on, such as ``np.allclose`` or the check itself.

The file runs in the same process as the check, so that functions, classes and Tensors can be handed over. What it could
replace is compared before and after: functions, classes and their methods in NumPy, in scratchgen and in the parts of
Python's library that the check uses. This finds what is replaced by accident, or for a joke; against malice in earnest
there is no protection within a process, and a teacher should read what was handed in.
"""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

WATCHED = ("numpy", "scipy", "scratchgen")
LIBRARY = ("copy", "inspect", "json", "linecache", "math", "os", "traceback")
Snapshot = dict[str, tuple[Any, Any]]


def snapshot() -> Snapshot:
    """All functions and classes in the modules that are watched, by their full names, each with its code."""
    found: Snapshot = {}
    for name, module in list(sys.modules.items()):
        if isinstance(module, types.ModuleType) and (name.split(".")[0] in WATCHED or name in LIBRARY):
            add(found, name, module)
    add(found, "builtins", builtins)
    return found


def add(found: Snapshot, name: str, holder: Any) -> None:
    """Enter what a module holds; of scratchgen's classes their methods too."""
    for key, value in list(vars(holder).items()):
        if callable(value) or isinstance(value, property | classmethod | staticmethod | types.MemberDescriptorType):
            found[f"{name}.{key}"] = (value, code_of(value))
            if isinstance(value, type) and name.startswith("scratchgen") and value.__module__ == name:
                add(found, f"{name}.{key}", value)


def code_of(x: Any) -> Any:
    """What can be changed in a function without replacing it."""
    return getattr(x, "__code__", None), getattr(x, "__defaults__", None)


def changes(before: Snapshot) -> list[str]:
    """The names of what was replaced or removed since ``before``; what is new does no harm.

    >>> import math
    >>> before, floor = snapshot(), math.floor
    >>> math.floor = abs
    >>> changes(before)
    ['math.floor']
    >>> math.floor = floor
    >>> changes(before)
    []
    """
    after = snapshot()
    return [
        name
        for name, (value, code) in before.items()
        if name not in after or after[name][0] is not value or not same_code(after[name][1], code)
    ]


def same_code(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    """Whether two functions have the same code object and defaults."""
    return a[0] is b[0] and a[1] is b[1]
