"""What teachers use: the table of submissions, a new exercise, the page of mistakes, pytest and notebooks."""

import csv
import io
import re
import sys
import textwrap
from pathlib import Path

import pytest

from scratchgen.__main__ import main
from scratchgen.exercises.kit import assert_passes, exercises, teaching, verdict
from scratchgen.exercises.kit import report as report_module
from scratchgen.exercises.kit.exercise import FAILED, PASSED, Verdict
from scratchgen.exercises.kit.folder import Refused
from scratchgen.exercises.kit.load import Checked
from scratchgen.exercises.kit.mistakes import page
from scratchgen.exercises.kit.report import Row, cell, rows, submissions, write_table
from tests.exercises.rules import broken_rules, exercise_from

DIVISION, KL = (exercises()[n] for n in (2, 11))
TWO = {2: DIVISION, 11: KL}


def hand_in(folder, name, source):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


# -- the table -----------------------------------------------------------------------------------------------------


def test_the_report_of_a_whole_folder_in_processes(tmp_path, capsys):
    """A right one, a known mistake, and one that ends Python: each has its row, and none keeps another from it."""
    sent = tmp_path / "sent in"
    hand_in(sent, "ada/ex11_kl_gaussians.py", KL.solution)
    hand_in(sent, '=1+1, or "Bob"/ex11_kl_gaussians.py', KL.solution.replace("np.sum", "np.mean"))
    hand_in(sent, "eve_ex11_kl_gaussians.py", "import os\nopen('left.txt', 'w').write('x')\nos._exit(0)")
    out = tmp_path / "table.csv"
    assert main(["exercises", "report", str(sent), "--out", str(out), "--jobs", "2"]) == 0
    table = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    found = {row["student"]: row for row in table if row["status"] != "no file"}
    assert {name: row["status"] for name, row in found.items()} == {
        "ada": "passed",
        '\'=1+1, or "Bob"': "failed",
        "eve": "error",
    }
    assert found['\'=1+1, or "Bob"']["mistake"] == "averaging over the latent dimensions instead of summing"
    assert len(table) == 3 * len(exercises())
    assert "1 of 3 files pass, of 3 students" in capsys.readouterr().err
    assert not list(Path(".").glob("left.txt")) and len(list(sent.rglob("*"))) == 5  # nothing is left behind


def test_what_counts_as_a_submission(tmp_path):
    for name in (
        "ada/ex02_division_rule.py",
        "bob_ex02_division_rule.py",
        "b/c/Eve - ex11_kl_gaussians.py",
        "x/notes.py",
    ):
        hand_in(tmp_path, name, "")
    hand_in(tmp_path, ".git/ex02_division_rule.py", "")
    hand_in(tmp_path, "ada/ex02_division_rule.py.bak", "")
    if sys.platform != "win32":
        (tmp_path / "ada/ex11_kl_gaussians.py").symlink_to("/etc/passwd")
    found = submissions(tmp_path, TWO)
    assert [(s.student, s.exercise.number, s.path and s.path.name) for s in found] == [
        ("ada", 2, "ex02_division_rule.py"),
        ("ada", 11, None),
        ("b/c/Eve", 2, None),
        ("b/c/Eve", 11, "Eve - ex11_kl_gaussians.py"),
        ("bob", 2, "bob_ex02_division_rule.py"),
        ("bob", 11, None),
        ("x", 2, None),
        ("x", 11, None),
    ]


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(Refused, match="no folder"):
        submissions(tmp_path / "none", TWO)
    assert main(["exercises", "report", str(tmp_path)]) == 2


def test_one_that_cannot_be_checked_stops_nothing(tmp_path, monkeypatch):
    def broken(exercise, path, *limits):
        if path.parent.name == "b":
            raise OSError("no more processes")
        return Checked(Verdict(PASSED))

    monkeypatch.setattr(report_module, "check_file", broken)
    for name in "abc":
        hand_in(tmp_path, f"{name}/ex02_division_rule.py", "")
    found = list(rows(submissions(tmp_path, {2: DIVISION}), jobs=2))
    assert [row.status for row in found] == ["passed", "error", "passed"]
    assert "no more processes" in found[1].message


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("  =1", "'  =1"),
        ("\t=1", "\ufffd=1"),
        ("\r=1", "'=1"),
        ("a\r\n\n  =b\x1b[31m", "a / =b\ufffd[31m"),
        ("\ud800", "\ufffd"),
        ("1 = 1", "1 = 1"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula_or_breaks_the_table(text, safe):
    assert cell(text) == safe
    file = io.StringIO()
    write_table(iter([Row(text, 1, 'a,"b"', "failed", "", "x" * 10**5, ";")]), file)
    (heading, row) = csv.reader(io.StringIO(file.getvalue()))
    assert heading == list(Row._fields)
    assert row[0] == safe and row[2] == 'a,"b"' and len(row[5]) < 400 and len(file.getvalue().splitlines()) == 2


# -- a new exercise ------------------------------------------------------------------------------------------------


def test_a_new_exercise_is_complete_and_passes_what_all_must_pass(tmp_path):
    path = teaching.new("squares", tmp_path)
    assert path.name == f"ex{max(exercises()) + 1:02}_squares.py"
    assert broken_rules(exercise_from(path.read_text(encoding="utf-8"), path)) == []


@pytest.mark.parametrize("name", ["", "1st", "Upper", "a-b", "a/b", "../a", "kl_gaussians", "é"])
def test_names_that_no_exercise_can_have(tmp_path, name):
    with pytest.raises(Refused):
        teaching.new(name, tmp_path)


def test_no_new_exercise_in_an_installed_package(tmp_path, monkeypatch):
    monkeypatch.setattr(teaching, "PACKAGE_FOLDER", tmp_path)
    with pytest.raises(Refused, match="no clone of the repository"):
        teaching.new("squares")
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    assert main(["exercises", "new", "a", "--dir", str(tmp_path / "none")]) == 2
    assert main(["exercises", "new", "a", "--dir", str(tmp_path)]) == 0


# -- pytest, notebooks, mistakes -----------------------------------------------------------------------------------


def examples():
    """The two pieces of code in the docstring of ``teaching``: of a notebook, and of a file for pytest."""
    blocks = re.findall(r"(?:^(?:    .*)?\n)+", teaching.__doc__, re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks if block.strip()]


def test_the_example_of_a_notebook(capsys):
    notebook, _ = examples()
    exec(KL.solution + notebook, {"__name__": "__main__"})
    assert capsys.readouterr().out.rstrip().endswith("passed")
    exec(KL.stub + notebook, {"__name__": "__main__"})
    assert "not written" in capsys.readouterr().out


def test_the_example_of_pytest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    right = hand_in(tmp_path / "submissions", "ada/ex11_kl_gaussians.py", KL.solution)
    wrong = hand_in(tmp_path / "submissions", "bob/ex11_kl_gaussians.py", KL.solution.replace("np.sum", "np.mean"))
    space = {"__name__": "test_submissions"}
    exec(examples()[1], space)
    (mark,) = space["test_kl"].pytestmark
    assert sorted(tmp_path / path for path in mark.args[1]) == [right, wrong]
    space["test_kl"](right)
    with pytest.raises(AssertionError, match="failed\n"):
        space["test_kl"](wrong)


def test_an_exercise_is_found_by_its_number_or_name():
    for name in (11, "kl_gaussians", "ex11_kl_gaussians"):
        assert verdict(name, {"kl_gaussians": lambda *a: None}).status == FAILED
    with pytest.raises(KeyError):
        assert_passes(99, "none.py")


def test_the_page_of_mistakes_has_each_with_its_symptom(capsys):
    text = "\n".join(page([DIVISION, KL]))
    for mistake in [*DIVISION.wrong, *KL.wrong]:
        assert f"- {mistake}: " in text
    assert "averaging over the latent dimensions instead of summing: `[0.5344]` instead of `[1.06879]`" in text
    assert "summing over the batch too: shape () instead of (1,)" in text
    assert "passes" not in text
    assert main(["exercises", "mistakes", "kl"]) == 0
    assert "swapping q and p" in capsys.readouterr().out
