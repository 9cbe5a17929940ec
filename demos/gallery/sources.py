"""Which files a demo shows: its own, and those of scratchgen whose classes and functions it uses."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import types
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("autodiff", "nn", "optim", "plotting", "training", "random")  # which every demo uses, and few are about


@functools.cache
def files(name: str) -> list[str]:
    """The files that the demo ``name`` shows, by their paths in the clone: its own first.

    Whatever the demo imports from scratchgen is traced to the file that defines it: by ``from scratchgen import flows``
    and ``flows.Flow`` it uses ``scratchgen/flows/flow.py``. The tools are left out, unless it uses nothing else.

    >>> files("page06_gradients")
    ['demos/page06_gradients.py', 'scratchgen/autodiff/tensor.py', 'scratchgen/autodiff/drawing.py']
    """
    path = next((p for p in (f"demos/{name}.py", f"demos/{name}/__init__.py") if (ROOT / p).is_file()), None)
    if path is None:
        return []
    modules = _modules(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    about = [module for module in modules if module.split(".")[1] not in TOOLS]
    return [path, *(_path(module) for module in about or modules)]


def address(path: str, folder: Path) -> str:
    """The link from a page in ``folder`` to a file of the clone."""
    return quote(Path(os.path.relpath(ROOT / path, folder.resolve())).as_posix())


def _path(module: str) -> str:
    """``scratchgen/flows/flow.py`` of ``scratchgen.flows.flow``."""
    file = Path(str(importlib.import_module(module).__file__))
    return file.relative_to(ROOT).as_posix()


def _modules(tree: ast.AST) -> list[str]:
    """The modules of scratchgen that define what the code uses, each once, in the order of use."""
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scratchgen":
            for alias in node.names:
                names[alias.asname or alias.name] = _imported(str(node.module), alias.name)
    used = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = names.get(node.value.id)
            used.append(getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None)
        elif isinstance(node, ast.Name) and not isinstance(names.get(node.id), types.ModuleType):
            used.append(names.get(node.id))
    found = (str(getattr(thing, "__module__", "")) for thing in used)
    return list(dict.fromkeys(module for module in found if module.startswith("scratchgen.")))


def _imported(module: str, name: str) -> Any:
    """What ``from module import name`` gives."""
    package = importlib.import_module(module)
    return getattr(package, name) if hasattr(package, name) else importlib.import_module(f"{module}.{name}")
