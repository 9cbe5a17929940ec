"""The commands of ``python -m scratchgen``."""

import subprocess
import sys
from pathlib import Path

import pytest

from scratchgen.__main__ import main

ROOT = Path(__file__).resolve().parents[1]

MINE = """
import numpy as np
from scratchgen.autodiff import custom_rule
from beside import two

def f(x, y):
    return np.tanh(x @ y) * two

def loss(x):
    return np.sum(np.log(x))

@custom_rule(lambda g, y, x: g * x)
def wrong(x):
    return x * x

@custom_rule(lambda g, y, x: g * 2.0 * getattr(x, "_data", x))
def constant(x):
    return x * x

number = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "beside.py").write_text("two = 2.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return "mine.py"


def test_a_right_function(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", f"{mine}:f", "--shapes", "2,3", "3,5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("f((2, 3), (3, 5)): right") and "order 2, argument 1" in out


def test_a_wrong_function(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", f"{mine}:wrong", "--shapes", "2,3"]) == 1
    out = capsys.readouterr().out
    assert (
        "the derivative of output" in out
        and "analytic" in out
        and "numeric" in out
        and "happens to wrong alone, argument 0" in out
    )


def test_options(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", f"{mine}:constant", "--shapes", "3", "--order", "1"]) == 0
    assert main(["gradcheck", f"{mine}:constant", "--shapes", "3"]) == 1
    assert main(["gradcheck", f"{mine}:loss", "--shapes", "7", "--range", "0.1", "2", "--oracle", "complex"]) == 0
    assert main(["gradcheck", f"{mine}:loss", "--shapes", "scalar", "--range", "0.1", "2"]) == 0
    capsys.readouterr()
    reports = []
    for seed in ("0", "0", "1"):
        assert main(["gradcheck", f"{mine}:loss", "--shapes", "7", "--range", "0.1", "2", "--seed", seed]) == 0
        reports.append(capsys.readouterr().out)
    assert reports[0] == reports[1] != reports[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gradcheck"], "one of the arguments function --all is required"),
        (["gradcheck", "mine.py:f"], "--shapes is needed"),
        (["gradcheck", "mine.py", "--shapes", "2"], "expected file.py:name"),
        (
            ["gradcheck", "mine.py:number", "--shapes", "2"],
            "no function number; it has constant, custom_rule, f, loss, wrong",
        ),
        (["gradcheck", "mine.py:h", "--shapes", "2"], "no function h"),
        (["gradcheck", "other.py:f", "--shapes", "2"], "other.py is not a file"),
        (["gradcheck", "mine.py:f", "--shapes", "2,x"], "invalid shape value: '2,x'"),
        (["gradcheck", "mine.py:f", "--shapes", "-2"], "--shapes"),
        (["gradcheck", "mine.py:f", "--shapes", "2", "--seed", "-1"], "--seed"),
        (["gradcheck", "mine.py:f", "--shapes", "2", "--order", "3"], "invalid choice: 3"),
        (["gradcheck", "mine.py:f", "--shapes", "2", "--range", "2", "1"], "--range"),
        ([], "command"),
    ],
)
def test_wrong_usage(mine: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["gradcheck", "--help"])
    assert raised.value.code == 0
    assert "python -m scratchgen gradcheck mine.py:f --shapes 2,3 3,5" in capsys.readouterr().out


def test_it_is_a_module_to_run(mine: str) -> None:
    command = [sys.executable, "-m", "scratchgen", "gradcheck", str(Path(mine).resolve()) + ":wrong", "--shapes", "2"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "")
    assert "is wrong" in run.stdout


@pytest.mark.slow
def test_the_whole_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", "--all"]) == 0
    out = capsys.readouterr().out
    for section in ("OPERATIONS", "LAYERS", "DISTRIBUTIONS", "MODELS"):
        assert section in out
    assert "FAILED" not in out and out.endswith("\nall right\n")
