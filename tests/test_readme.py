"""What the README shows is true: its examples run and print what they say, and its paths, commands and figures hold."""

import importlib
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from demos.contents import DEMOS
from scratchgen.__main__ import main as command
from tests.demos.recorder import Recorder

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def rows(start, stop):
    """The cells of all rows of the tables between two headings; a bar in an equation is written \\|."""
    part = TEXT[TEXT.index(start) : TEXT.index(stop)]
    lines = [line[1:-1].replace(r"\|", "¦") for line in part.split("\n") if line.startswith("| ")]
    tables = [[cell.strip() for cell in re.split(r" \|(?: |$)", line)] for line in lines]
    heads = [i for i, (_, below) in enumerate(pairwise(tables)) if below[0].startswith("---")]
    return [cells for i, cells in enumerate(tables) if i not in heads and i - 1 not in heads]


def named(cell):
    """What a cell names in code spans."""
    return re.findall(r"`([^`]+)`", cell)


class Row(NamedTuple):
    page: str
    says: str
    equation: str
    read: list[str]
    run: list[str]
    truth: str


LECTURE = []
for page, says, read, truth in rows("## From the lecture", "## How to read"):
    (says, equation), (read, run) = says.split("<br>"), read.split("<br>")
    LECTURE.append(Row(page, says, equation, named(read), named(run), truth))
TRUTHS = {name: [] for name in DEMOS}  # what the first demo of a row has to print
for row in LECTURE:
    TRUTHS[row.run[0]] += re.findall(r"\*\*(.+?)\*\*", row.truth)


# -- what it runs ------------------------------------------------------------------------------------------------------


def test_the_example_prints_what_it_says(capsys):
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    gradient, elbo, image = capsys.readouterr().out.split("\n", 2)
    assert gradient in BLOCKS[0]
    # The last digits depend on the machine's rounding; a model that knows nothing has −64 log 17 = −181.
    assert abs(float(elbo) - -102) < 3
    image = np.array([[int(n) for n in re.findall(r"\d+", row)] for row in image.strip().split("\n")])
    assert image.shape == (8, 8) and 0 <= image.min() and image.max() <= 16


def test_the_exercise():
    exec(compile(BLOCKS[1], "README.md", "exec"), {})


def session():
    """The transcript's steps: a file and what is written into it, or a command and what it says."""
    (text,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    return re.findall(r"^(# |\$ )(.+)\n((?:(?!# |\$ ).*\n)*)", text, re.MULTILINE)


def says(out, said):
    """Whether a command printed what the transcript says. … is anything.

    In lines that begin with a time, the time is any, and figures are right to 0.5 nats: rounding differs by machine.
    """
    number = r"\d+\.\d+"
    timed = [line for line in said.split("\n") if line.startswith("[")]
    expected = [float(n) for line in timed for n in re.findall(number, line.partition("]")[2])]
    for line in timed:
        said = said.replace(line, "[¤]" + re.sub(number, "¤", line.partition("]")[2]))
    pattern = re.escape(said).replace(r"\[¤\]", r"\[ *[\d.]+ s\]").replace("¤", f"({number})").replace("…", "(?s:.*?)")
    found = re.fullmatch(pattern, out)
    return found is not None and np.allclose([float(n) for n in found.groups()], expected, rtol=0, atol=0.5)


@pytest.mark.parametrize("last", ["solution", pytest.param("demo", marks=pytest.mark.slow)])
def test_the_transcript(last, tmp_path, capfd, monkeypatch):
    """Each step is done, and says what the README has, to the letter; the demo only where there is time for it."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    unwritten = '    raise NotImplementedError("not written yet")\n'
    stubs = {}
    for kind, words, said in session():
        if kind == "# ":
            file = Path(words.removesuffix(":"))
            stub = stubs.setdefault(file, file.read_text(encoding="utf-8"))
            assert unwritten in stub
            file.write_text(stub.replace(unwritten, said), encoding="utf-8")
        elif words.startswith("cd "):
            monkeypatch.chdir(tmp_path / words[3:])
        elif last == "demo" or " demo " not in words:
            arguments = words.removeprefix("python -m scratchgen ").split()
            assert command(arguments) == (": failed" in said)
            out = capfd.readouterr().out
            assert says(out, said), out
    assert len(stubs) == 3 and "demo" in words
    assert f"{len(list(Path().glob('ex*.py')))} of the lecture's functions" in TEXT


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("np.sum(mean", "np.mean(mean"),
        ("- logvar", "+ logvar"),
        ("logvar - 1", "logvar"),
        ("return 0.5", "return -0.5"),
        # Detached, its values are right and its derivatives are not.
        ("return 0.5 * np.sum(mean**2", "return 0.5 * np.sum(np.asarray(getattr(mean, 'data', mean))**2"),
    ],
)
def test_the_exercise_refuses(right, wrong):
    code = BLOCKS[1].replace(right, wrong, 1)
    assert code != BLOCKS[1]
    with pytest.raises(AssertionError):  # GradientError is one
        exec(compile(code, "README.md", "exec"), {})


def test_the_other_block_is_for_pytorch():
    """It is run by tests/interop/test_torch.py."""
    assert len(BLOCKS) == 3 and "import torch" in BLOCKS[2]


# -- what it names -----------------------------------------------------------------------------------------------------


def test_the_paths_exist():
    for path in re.findall(r"`([\w/]+(?:/|\.py|\.md))`", TEXT.replace("`mine.py`", "")):
        assert (ROOT / path).exists() or (ROOT / "scratchgen" / path).exists(), path


def test_the_pictures_are_there_and_small():
    for path in re.findall(r"!\[.+?\]\((.+?)\)", TEXT):
        assert 10_000 < (ROOT / path).stat().st_size < 150_000, path


def test_the_commands_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"make ([a-z-]+)(?:`|  )", TEXT):
        assert target in targets


def test_the_table_has_every_demo_and_no_other():
    assert set(re.findall(r"`(page\d\d_\w+|leaderboard)`", TEXT)) == set(DEMOS)
    assert {name for row in LECTURE for name in row.run} == set(DEMOS)


def test_each_row_has_an_equation_sources_and_a_demo():
    for row in LECTURE:
        assert re.fullmatch(r"\d+|–", row.page) and row.says and row.equation and row.truth
        assert row.read and all((ROOT / "scratchgen" / path).is_file() for path in row.read)
        assert row.run and all((ROOT / "demos" / f"{name}.py").is_file() for name in row.run)


def test_the_way_through_the_source_takes_two_hours():
    """At 10 to 25 lines a minute, which is how fast one reads what is half prose."""
    minutes = 0
    for _, read, time, _ in rows("## How to read", "## Common mistakes"):
        (path,) = named(read)
        lines = len((ROOT / "scratchgen" / path).read_text(encoding="utf-8").splitlines())
        assert 10 <= lines / int(time) <= 25, (path, lines)
        minutes += int(time)
    assert minutes == 120


def test_the_museum_has_each_of_the_mistakes():
    mistakes = rows("## Common mistakes", "## Learn by writing it")
    assert len(mistakes) >= 12
    for _, _, planted in mistakes:
        file, name = re.fullmatch(r"`(\w+)`: (.+)", planted).groups()
        source = (ROOT / f"tests/museum/test_{file}.py").read_text(encoding="utf-8")
        assert f'"{name}"' in source or f"def {name}(" in source, planted


# -- what it says is true ----------------------------------------------------------------------------------------------


def seconds(name):
    """How long a demo says that it takes, in short."""
    module = importlib.import_module(f"demos.{name}")
    return getattr(module, "QUICK_SECONDS", module.SECONDS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if seconds(name) < 3 else pytest.mark.slow)
        for name in TRUTHS
        if seconds(name) <= 5 and TRUTHS[name]
    ],
)
def test_a_demo_prints_the_truths(name):
    """Those in bold; demos of more than five seconds have their own tests only."""
    stage = Recorder()
    stage.quick = True
    importlib.import_module(f"demos.{name}").run(stage, seed=0)
    stage.close()
    printed = " ".join(stage.results)
    for truth in TRUTHS[name]:
        number = re.escape(truth.replace("−", "-"))
        assert re.search(rf"(?<![\d.]){number}(?!\d|\.\d)", printed), (truth, printed)


def test_most_rows_have_a_truth():
    without = {name for name, truths in TRUTHS.items() if not truths}
    assert without <= {"page11_maf_iaf"}
