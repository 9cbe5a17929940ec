"""The rules that the source keeps: what may import what, how long a file is, and what every public function states.

Each rule takes a file's path and text and returns its complaints. It is run on every file, and on planted offences that
it has to catch.
"""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")

# The layers of scratchgen, lowest first, and the layers that each may import: always rows further up in this table.
# The models do not know how they are trained, nor does training know the models; checkpoints know arrays only.
MAY_IMPORT = {
    "atomic": "",
    "random": "",
    "checkpoint": "atomic",
    "autodiff": "",
    "nn": "autodiff random",
    "optim": "autodiff nn",
    "distributions": "autodiff nn random",
    "data": "atomic autodiff distributions random",
    "training": "autodiff nn optim data checkpoint random",
    "latent": "autodiff nn optim distributions random",
    "autoregressive": "autodiff nn optim distributions random",
    "flows": "autodiff nn optim distributions autoregressive random",
    "diffusion": "autodiff nn optim distributions flows random",
    "metrics": "autodiff distributions data random",
    "plotting": "autodiff data metrics",
    "checks": "autodiff nn optim distributions latent autoregressive flows diffusion random",
    "exercises": "atomic autodiff nn optim distributions data training latent autoregressive flows diffusion metrics "
    "plotting random",
    # The command line: whatever it runs.
    "cli": "atomic random checkpoint autodiff nn optim distributions data training latent autoregressive flows "
    "diffusion metrics plotting checks exercises",
}
PEERS = {"torch", "jax", "autograd", "mygrad"}
LAZY = ("matplotlib", "scipy.stats")
LONGEST = 300

Rule = Callable[[str, str], list[str]]


def declared(section: str, option: str) -> set[str]:
    """The names of the packages that a setting of setup.cfg lists, without their versions."""
    return set(re.findall(r"^[\w-]+", SETUP[section][option], re.MULTILINE))


RUN = declared("options", "install_requires")
TEST = RUN | declared("options.extras_require", "test")


class Import(NamedTuple):
    line: int
    name: str  # dotted, down to what is imported: "scipy.stats" for `from scipy import stats`
    lazy: bool  # in a function or for the type checker only, so not run by importing the file


@cache
def imports(path: str, text: str) -> list[Import]:
    package, found = PurePosixPath(path).parent.parts, list[Import]()

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(node.lineno, alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*start, *filter(None, [node.module])))
            found.extend(Import(node.lineno, f"{module}.{alias.name}", lazy) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                visit(child, True)
            for child in node.orelse:
                visit(child, lazy)
        elif not isinstance(node, ast.expr):  # no expression imports anything
            lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for child in ast.iter_child_nodes(node):
                visit(child, lazy)

    visit(ast.parse(text), False)
    return found


def inside(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def imports_only_what_setup_cfg_declares(path: str, text: str) -> list[str]:
    if path in ("scratchgen/atomic.py", "scratchgen/checkpoint.py"):
        allowed = {"numpy", "scratchgen"}
    elif path.startswith("scratchgen/"):
        allowed = RUN | {"scratchgen"}
    elif path.startswith("demos/"):
        allowed = RUN | {"scratchgen", "demos"}
    else:
        allowed = (
            TEST
            | {"scratchgen", "demos", "tests"}
            | (PEERS if path.startswith(("tests/bench/", "tests/interop/")) else set())
        )
    allowed |= sys.stdlib_module_names
    return [f"{path}:{line}: {name}" for line, name, _ in imports(path, text) if name.split(".")[0] not in allowed]


def imports_the_slow_packages_lazily(path: str, text: str) -> list[str]:
    """Their import takes longer than all the rest together, and a script that draws nothing should not wait for it."""
    if not path.startswith("scratchgen/"):
        return []
    found = [f"{path}:{line}: {name}" for line, name, lazy in imports(path, text) if not lazy and inside(name, LAZY)]
    if path.startswith("scratchgen/autodiff/"):
        eager = ("scratchgen", "numpy", "scipy.special", *sys.stdlib_module_names)
        found += [
            f"{path}:{line}: {name}" for line, name, lazy in imports(path, text) if not lazy | inside(name, eager)
        ]
    return found


def imports_only_lower_layers(path: str, text: str) -> list[str]:
    layer = PurePosixPath(path).with_suffix("").parts[1]
    if not path.startswith("scratchgen/") or layer in ("__init__", "__main__"):
        return []
    if layer not in MAY_IMPORT:
        return [f"{path}: {layer} is not in the table of layers"]
    used = {
        (line, (name + ".").split(".")[1]) for line, name, _ in imports(path, text) if inside(name, ("scratchgen",))
    }
    allowed = (layer, "__version__", *MAY_IMPORT[layer].split())
    return [f"{path}:{line}: {name}" for line, name in used if name not in allowed]


def is_short(path: str, text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if lines > LONGEST and not path.startswith("tests/") else []


def is_valid_in_the_oldest_python(path: str, text: str) -> list[str]:
    try:
        ast.parse(text, feature_version=(3, 10))
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: {error.msg}"]
    return []


def states_what_it_does_and_returns(path: str, text: str) -> list[str]:
    """Module, public classes, their public methods and public functions; a setter and an overload share a docstring."""
    if not path.startswith("scratchgen/"):
        return []
    found = [] if ast.get_docstring(ast.parse(text)) else [f"{path}: the module has no docstring"]

    def visit(body: list[ast.stmt]) -> None:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
                continue
            shares = any(ast.unparse(d).split(".")[-1] in ("setter", "overload") for d in node.decorator_list)
            if not shares and not ast.get_docstring(node):
                found.append(f"{path}:{node.lineno}: {node.name} has no docstring")
            if isinstance(node, ast.ClassDef):
                visit(node.body)
            elif node.returns is None:
                found.append(f"{path}:{node.lineno}: {node.name} does not say what it returns")

    visit(ast.parse(text).body)
    return found


RULES: list[Rule] = [
    imports_only_what_setup_cfg_declares,
    imports_the_slow_packages_lazily,
    imports_only_lower_layers,
    is_short,
    is_valid_in_the_oldest_python,
    states_what_it_does_and_returns,
]


@pytest.mark.parametrize("rule", RULES)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    files = [path for folder in ("scratchgen", "demos", "tests") for path in sorted(ROOT.glob(f"{folder}/**/*.py"))]
    assert ROOT / "scratchgen/__init__.py" in files
    complaints = [c for f in files for c in rule(f.relative_to(ROOT).as_posix(), f.read_text(encoding="utf-8"))]
    assert not complaints, "\n".join(complaints)


OFFENCES = [
    (imports_only_what_setup_cfg_declares, "scratchgen/nn/a.py", "import pandas"),
    (imports_only_what_setup_cfg_declares, "scratchgen/nn/a.py", "def f():\n    import pytest"),
    (imports_only_what_setup_cfg_declares, "scratchgen/nn/a.py", "from tests.a import b"),
    (imports_only_what_setup_cfg_declares, "scratchgen/checkpoint.py", "def f():\n    from scipy import special"),
    (imports_only_what_setup_cfg_declares, "demos/a.py", "import hypothesis"),
    (imports_only_what_setup_cfg_declares, "tests/nn/test_a.py", "import torch.nn as nn"),
    (imports_only_what_setup_cfg_declares, "tests/bench/a.py", "import tensorflow"),
    (imports_the_slow_packages_lazily, "scratchgen/plotting.py", "import matplotlib.pyplot as plt"),
    (imports_the_slow_packages_lazily, "scratchgen/plotting.py", "class A:\n    from matplotlib import cm"),
    (
        imports_the_slow_packages_lazily,
        "scratchgen/plotting.py",
        "try:\n    from scipy import stats\nfinally:\n    pass",
    ),
    (imports_the_slow_packages_lazily, "scratchgen/autodiff/a.py", "from scipy import linalg"),
    (imports_only_lower_layers, "scratchgen/autodiff/a.py", "from scratchgen.nn import Linear"),
    (imports_only_lower_layers, "scratchgen/autodiff/a.py", "def f():\n    from scratchgen import nn"),
    (imports_only_lower_layers, "scratchgen/autodiff/a.py", "from ..nn.linear import Linear"),
    (imports_only_lower_layers, "scratchgen/autodiff/a.py", "from .. import optim"),
    (imports_only_lower_layers, "scratchgen/autodiff/a.py", "import scratchgen"),
    (imports_only_lower_layers, "scratchgen/autodiff/__init__.py", "from ..nn import Linear"),
    (imports_only_lower_layers, "scratchgen/checkpoint.py", "from .autodiff import Tensor"),
    (imports_only_lower_layers, "scratchgen/training.py", "from scratchgen.latent.vae import VAE"),
    (imports_only_lower_layers, "scratchgen/latent/vae.py", "from scratchgen.training import fit"),
    (imports_only_lower_layers, "scratchgen/utilities.py", ""),
    (is_short, "demos/a.py", "\n" * (LONGEST + 1)),
    (is_valid_in_the_oldest_python, "demos/a.py", "try:\n    pass\nexcept* ValueError:\n    pass"),
    (states_what_it_does_and_returns, "scratchgen/a.py", "x = 1"),
    (states_what_it_does_and_returns, "scratchgen/a.py", "'''Doc.'''\nclass A:\n    pass"),
    (states_what_it_does_and_returns, "scratchgen/a.py", "'''Doc.'''\ndef f() -> int:\n    return 1"),
    (states_what_it_does_and_returns, "scratchgen/a.py", "'''Doc.'''\ndef f():\n    '''Doc.'''"),
    (
        states_what_it_does_and_returns,
        "scratchgen/a.py",
        "'''Doc.'''\nclass A:\n    '''Doc.'''\n    def f(self): '''Doc.'''",
    ),
]
INNOCENT = [
    ("scratchgen/nn/a.py", '"""Doc."""\nfrom ..autodiff import Tensor\nfrom .b import C\nfrom . import d'),
    ("scratchgen/checkpoint.py", '"""Doc."""\nimport json, os.path\nimport numpy as np\nfrom .atomic import replacing'),
    (
        "scratchgen/plotting.py",
        '"""Doc."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib',
    ),
    (
        "scratchgen/plotting.py",
        '"""Doc."""\ndef f() -> None:\n    """Doc."""\n    import scipy.stats, matplotlib.pyplot',
    ),
    (
        "scratchgen/nn/a.py",
        '"""Doc."""\nclass _A:\n    def f(self): ...\nclass B:\n    """Doc."""\n    def __init__(self): ...',
    ),
    ("scratchgen/__init__.py", '"""Doc."""\nfrom .autodiff import Tensor\nfrom scratchgen import nn'),
    ("demos/a.py", "import matplotlib.pyplot as plt\nfrom scratchgen.nn import Linear\ndef f(): ..."),
    ("tests/interop/a.py", "import torch, jax"),
    ("tests/bench/a.py", "import torch, jax\nimport tests.bench.b\nfrom .c import d" + "\n" * LONGEST),
]


@pytest.mark.parametrize(("rule", "path", "text"), OFFENCES)
def test_the_rule_catches(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text)


@pytest.mark.parametrize(("path", "text"), INNOCENT)
def test_no_rule_complains_of(path: str, text: str) -> None:
    assert [complaint for rule in RULES for complaint in rule(path, text)] == []


def test_layers_import_only_rows_further_up() -> None:
    layers = list(MAY_IMPORT)
    for row, (layer, lower) in enumerate(MAY_IMPORT.items()):
        assert set(lower.split()) <= set(layers[:row]), layer


def test_no_module_loads_the_slow_packages() -> None:
    """The rule above, for what comes by way of other packages. Importing every module includes `import scratchgen`."""
    code = f"""
import importlib, pkgutil, sys, scratchgen
for module in pkgutil.walk_packages(scratchgen.__path__, "scratchgen."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*[name for name in sys.modules if name in {LAZY}])
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
