"""The frame of the command line: its help, its exit codes, and terminals and pipes of every kind."""

import argparse
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import scratchgen
from scratchgen import __main__ as commands
from scratchgen.cli.errors import BadInput, Failed

ROOT = Path(__file__).resolve().parents[2]


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scratchgen", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})


def command_that_raises(error: BaseException) -> SimpleNamespace:
    def run(options: argparse.Namespace) -> int:
        raise error

    return SimpleNamespace(add=lambda subparsers: subparsers.add_parser("fail").set_defaults(run=run))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BadInput("x.csv: no such file"), 2, "python -m scratchgen fail: error: x.csv: no such file\n"),
        (Failed("step 3: the loss is nan"), 1, "python -m scratchgen fail: error: step 3: the loss is nan\n"),
        (MemoryError(), 1, "python -m scratchgen fail: error: the memory does not suffice: ask for less\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
    ],
)
def test_errors_end_with_a_message_and_a_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "failing", command_that_raises(error))
    monkeypatch.setattr(commands, "COMMANDS", ("failing",))
    assert commands.main(["fail"]) == code
    assert capsys.readouterr() == ("", message)


def test_debug_shows_the_traceback_and_a_defect_is_never_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMANDS", ("failing",))
    monkeypatch.setitem(sys.modules, "failing", command_that_raises(BadInput("wrong")))
    with pytest.raises(BadInput):
        commands.main(["fail", "--debug"])
    monkeypatch.setitem(sys.modules, "failing", command_that_raises(AssertionError("a defect of ours")))
    with pytest.raises(AssertionError):
        commands.main(["fail"])


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"], ["info", "--help"]):
        with pytest.raises(SystemExit) as raised:
            commands.main(arguments)
        assert raised.value.code == 0
    out = capsys.readouterr().out
    assert (
        f"scratchgen {scratchgen.__version__}\n" in out and "gradcheck" in out and out.count("exit codes: 0 fine") == 2
    )


def test_help_loads_no_numpy() -> None:
    code = "import sys\nfrom scratchgen.__main__ import parser\nparser()\nprint('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("False\n", "")


def test_a_terminal_of_ascii_and_a_closed_pipe() -> None:
    help_in_ascii = shell("gradcheck", "--help", PYTHONIOENCODING="ascii")
    assert help_in_ascii.returncode == 0 and "+-0.3 to +-1.7" in help_in_ascii.stdout
    reading, writing = os.pipe()
    os.close(reading)  # as head does, once it has its lines
    command = [sys.executable, "-m", "scratchgen", "info"]
    run = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_a_full_disk_behind_the_output_is_told_and_one_that_is_closed_is_none() -> None:
    command = [sys.executable, "-m", "scratchgen", "info"]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert run.stderr == "python -m scratchgen info: error: No space left on device\n"
    closed = subprocess.run(["sh", "-c", f"{shlex.join(command)} >&-"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


def test_what_is_printed_where_characters_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    from scratchgen.cli.terminal import print_anything

    print_anything()
    print("−1 ± 2, ü", flush=True)
    assert written.getvalue().strip() == rb"-1 +- 2, \xfc"


def test_info_of_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    assert commands.main(["info"]) == 0
    out = capsys.readouterr().out
    assert np.__version__ in out and str(ROOT) in out and "threads" in out
