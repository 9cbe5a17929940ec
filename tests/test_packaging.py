"""What is declared in setup.cfg, and that the wheel made of it works where there is no repository."""

import configparser
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import scratchgen

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that has to succeed, and does not see the repository by PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_declares_what_it_needs_and_no_more() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup["options"]["install_requires"].split() == ["numpy>=2.0", "scipy", "matplotlib"]
    assert setup["options"]["python_requires"] == ">=3.10"
    assert setup["options.extras_require"]["test"].split() == ["pytest>=8.2", "hypothesis"]


def test_changelog_knows_the_version() -> None:
    assert scratchgen.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: pip leaves a build folder behind, whose old files would find their way into the next wheel."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("scratchgen", "demos", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    files = (path.relative_to(ROOT) for path in ROOT.glob("scratchgen/**/*") if path.is_file())
    package = {path.as_posix() for path in files if not any(p == "__pycache__" or p[0] == "." for p in path.parts)}
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == package
    assert {"scratchgen/py.typed", "scratchgen/data/digits.npz"} <= package
    assert any(name.endswith("/LICENSE") for name in about)


@pytest.mark.slow
def test_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    commands = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(commands / "python", "-m", "pip", "install", wheel, cwd=tmp_path)
    code = (
        "import scratchgen; from scratchgen.data import digits; print(scratchgen.__file__, len(digits('all').images))"
    )
    file, images = run(commands / "python", "-c", code, cwd=tmp_path).rsplit(maxsplit=1)
    assert (tmp_path / "venv").resolve() in Path(file).resolve().parents
    assert int(images) == 1797
    assert "gradcheck" in run(commands / "scratchgen", "--help", cwd=tmp_path)
