"""The learner's folder and the subcommands: nothing is lost, whatever happens to the files or to scratchgen."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scratchgen.__main__ import main
from scratchgen.exercises.kit import Student, exercises
from scratchgen.exercises.kit import desk as desk_module
from scratchgen.exercises.kit import folder as folder_module
from scratchgen.exercises.kit.desk import Desk, filled
from scratchgen.exercises.kit.exercise import ERROR, Verdict
from scratchgen.exercises.kit.folder import PACKAGE_FOLDER, PROGRESS, Folder, Refused
from scratchgen.exercises.kit.load import Checked
from scratchgen.exercises.kit.reading import Unreadable, define
from scratchgen.exercises.kit.watch import watch

DIVISION, KL = (exercises()[n] for n in (2, 11))
TWO = {2: DIVISION, 11: KL}


def check_here(exercise, path, seconds):
    """What `check_file` does, without a process."""
    try:
        return Checked(exercise.verdict(Student(define(path))), "printed\n")
    except Unreadable as error:
        return Checked(Verdict(ERROR, str(error)))


@pytest.fixture(autouse=True)
def no_processes(monkeypatch):
    monkeypatch.setattr(desk_module, "check_file", check_here)


@pytest.fixture
def folder(tmp_path):
    return Folder.create(tmp_path / "my exercises")


@pytest.fixture
def desk(folder):
    return Desk(folder, TWO, restore=True)


def write(desk, exercise, source):
    desk.folder.file(exercise).write_text(source, encoding="utf-8")


def read(desk, exercise):
    return desk.folder.file(exercise).read_text(encoding="utf-8")


def progress(desk):
    return json.loads((desk.folder.path / PROGRESS).read_text(encoding="utf-8"))["exercises"]


def with_other_task(exercise):
    """The exercise as another version of scratchgen might have it."""
    other = copy.copy(exercise)
    vars(other)["text"] = exercise.text.replace("In the lecture:", "In this lecture:")
    assert other.stub != exercise.stub
    return other


# -- the folder ----------------------------------------------------------------------------------------------------


def test_init_writes_the_stubs_and_never_overwrites(desk, folder, capsys):
    assert read(desk, KL) == KL.stub
    write(desk, KL, "mine")
    folder.file(DIVISION).unlink()
    again = Desk(Folder.create(folder.path), TWO, restore=True)
    again.init()
    assert (read(desk, KL), read(desk, DIVISION)) == ("mine", DIVISION.stub)
    out = capsys.readouterr().out
    assert "1 exercises are in" in out and f'  cd "{folder.path}"\n' in out, "a path with a space, to be copied"


def test_a_file_that_the_learner_deleted_is_not_written_again(desk, folder):
    folder.file(DIVISION).unlink()
    Desk(folder, TWO)
    assert not folder.file(DIVISION).exists()
    assert desk.next() == 0 and desk.list() == 0 and desk.check("2") == 1


def test_an_upgrade_adds_exercises_and_replaces_untouched_stubs_only(desk, folder):
    passed = copy.copy(KL)
    write(desk, DIVISION, "mine")
    new = {2: with_other_task(DIVISION), 11: with_other_task(passed)}
    assert len(Desk(folder, new).done) == 2
    assert read(desk, KL) == new[11].stub  # it was the stub
    assert read(desk, DIVISION) == "mine"
    assert (folder.path / "ex02_division_rule.py.new").read_text(encoding="utf-8") == new[2].stub
    assert Desk(folder, new).done == []  # once is enough
    assert Desk(folder, {11: new[11]}).done == [] and "ex02_division_rule" in progress(
        desk
    )  # nor does a downgrade lose it


def test_a_new_exercise_appears(folder):
    Desk(folder, {2: DIVISION}, restore=True)
    assert Desk(folder, TWO).done == ["ex11_kl_gaussians.py: written"]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0\xff", b"[]", b"{", b'{"format": 1}', b'{"format": 1, "exercises": []}', b"[" * 10**5),
        b'{"format": 1, "exercises": {"ex11_kl_gaussians": {"hints": "many"}}}',
        b'{"format": 1, "exercises": {"ex11_kl_gaussians": 3}}',
    ],
)
def test_a_damaged_progress_file_loses_no_work(desk, folder, content, capsys):
    write(desk, KL, KL.solution)
    (folder.path / PROGRESS).write_bytes(content)
    again = Desk(Folder.open(folder.path), TWO)
    assert read(desk, KL) == KL.solution
    assert (folder.path / (PROGRESS + ".damaged")).read_bytes() == content
    assert "was damaged" in capsys.readouterr().out
    assert again.check("all") == 0  # the stub has not begun, and does not count
    assert again.states() == {2: "", 11: "passed"}


def test_without_a_progress_file_the_work_is_found_again(desk, folder):
    write(desk, KL, KL.solution)
    (folder.path / PROGRESS).unlink()
    assert Desk(Folder.open(folder.path), TWO).check(None) == 0
    assert progress(desk)["ex11_kl_gaussians"]["passed"]


def test_a_newer_format_is_left_alone(folder):
    (folder.path / PROGRESS).write_text('{"format": 2, "exercises": {}}')
    with pytest.raises(Refused, match="newer scratchgen"):
        Desk(Folder.open(folder.path), TWO)
    assert json.loads((folder.path / PROGRESS).read_text())["format"] == 2


def test_the_ends_of_lines_do_not_make_a_stub_a_work(desk, folder):
    folder.file(KL).write_bytes(KL.stub.replace("\n", "\r\n").encode("utf-8-sig"))
    assert desk.states()[11] == ""


@pytest.mark.parametrize("path", [PACKAGE_FOLDER / "exercises", PACKAGE_FOLDER / "mine", Path(__file__)])
def test_places_where_no_folder_can_be(path):
    with pytest.raises(Refused):
        Folder.create(path)
    assert not (PACKAGE_FOLDER / "mine").exists()


def test_a_folder_without_exercises_is_refused(tmp_path, monkeypatch):
    with pytest.raises(Refused, match="--dir"):
        Folder.open(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="in the current folder"):
        Folder.open(None)
    Desk(Folder.create(folder_module.DEFAULT), TWO, restore=True)
    assert Folder.open(None).path.name == folder_module.DEFAULT  # from beside it,
    monkeypatch.chdir(folder_module.DEFAULT)
    assert Folder.open(None).path == Path(".")  # and from within


def test_the_sources_of_the_exercises_are_no_learners_folder(monkeypatch):
    monkeypatch.chdir(PACKAGE_FOLDER / "exercises")
    with pytest.raises(Refused):
        Folder.open(None)


# -- the subcommands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["11", "ex11", "011", "kl_gaussians", "KL-Gaussians", "kl", "gauss", "a b/ex11_kl_gaussians.py"]
)
def test_an_exercise_has_many_names(desk, text):
    assert desk.find(text) is KL


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("12", "list"),
        ("", "list"),
        ("i", "ex02_division_rule, ex11"),
        ("kl_gausians", "do you mean kl_gaussians"),
        ("-1", "list"),
    ],
)
def test_what_is_no_exercise_is_refused(desk, text, piece):
    with pytest.raises(Refused, match=piece):
        desk.find(text)


def test_a_pass_is_remembered_with_the_text_that_passed(desk, capsys):
    assert desk.check("2") == 1
    write(desk, DIVISION, DIVISION.solution)
    assert desk.check("division") == 0
    out = capsys.readouterr().out
    assert "| printed" in out and "Both are linear in g" in out and "Next: exercise 11" in out
    assert desk.states() == {2: "passed", 11: ""}
    assert desk.open_one() is KL
    write(desk, DIVISION, DIVISION.solution + "\nx = 1\n")
    assert desk.states()[2] == "changed since it passed"
    assert desk.check(None) == 0 and desk.states()[2] == "passed"
    write(desk, DIVISION, DIVISION.solution.replace("-g", "g"))
    assert desk.check(None) == 1
    assert "by giving the second gradient the wrong sign" in capsys.readouterr().out


def test_several_are_checked_with_a_line_each(desk, capsys):
    write(desk, DIVISION, DIVISION.solution)
    write(desk, KL, KL.solution.replace("np.sum", "np.mean"))
    assert desk.check(None) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[:1] for line in lines[:2]] == ["✓", "✗"] and lines[-2:] == [
        "1 of 2 pass.",
        "More about the first: " + desk_module.COMMAND + " check 11",
    ]


def test_each_hint_is_one_more_and_is_remembered(desk, capsys):
    for shown in (1, 2, 3, 3):
        assert Desk(desk.folder, TWO).hint("11") == 0
        out = capsys.readouterr().out
        assert [f"Hint {i} of 3" in out for i in (1, 2, 3)] == [i <= shown for i in (1, 2, 3)]
    assert "3 of 3 hints" in (desk.list(), capsys.readouterr().out)[1]
    desk.hint(None)
    assert "Exercise 2," in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "shown"), [("y", True), ("n", False), ("", False), (None, False)])
def test_the_solution_is_shown_on_demand_only(desk, capsys, monkeypatch, answer, shown):
    def reply(question):
        assert "has not passed yet" in question
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    assert desk.solution("11") == (0 if shown else 1)
    assert ("variance_ratio = np.exp" in capsys.readouterr().out) is shown
    assert progress(desk)["ex11_kl_gaussians"]["solution"] is shown


def test_the_solution_of_what_passed_is_shown_unasked(desk, capsys):
    write(desk, KL, KL.solution)
    desk.check("11")
    assert desk.solution("11") == 0
    assert not progress(desk)["ex11_kl_gaussians"]["solution"]


def test_reset_asks_and_keeps_a_backup(desk, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    write(desk, KL, "first")
    assert desk.reset("11") == 1 and read(desk, KL) == "first"
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert desk.reset("11") == 0 and read(desk, KL) == KL.stub
    write(desk, KL, "second")
    assert desk.reset("11", yes=True) == 0
    names = ("ex11_kl_gaussians.py.bak", "ex11_kl_gaussians.py.bak2")
    assert [(desk.folder.path / name).read_text() for name in names] == ["first", "second"]
    assert desk.states()[11] == ""


def test_reset_writes_a_file_that_is_gone(desk, folder):
    folder.file(KL).unlink()
    assert desk.reset("11") == 0 and read(desk, KL) == KL.stub


def test_at_the_end_there_is_nothing_next(desk, capsys):
    for exercise in TWO.values():
        write(desk, exercise, exercise.solution)
    desk.check("all")
    assert desk.next() == 0 and "All exercises pass" in capsys.readouterr().out
    with pytest.raises(Refused, match="all exercises pass"):
        desk.hint(None)
    assert desk.list() == 0 and "2 of 2 passed" in capsys.readouterr().out


def test_watch_checks_what_is_saved_until_all_pass(desk, capsys):
    saves = [(DIVISION, "def"), None, (DIVISION, DIVISION.solution), None, None, (KL, KL.solution), None, None]

    def pause():
        if saves and (save := saves.pop(0)):
            write(desk, *save)

    assert watch(desk, 1, pause) == 0
    out = capsys.readouterr().out
    assert out.count("Exercise 2, the derivative rule of division: not written") == 1
    assert out.count(": passed") == 2 and "Python does not understand" in out


def test_watch_ends_by_ctrl_c(desk, capsys):
    def interrupt():
        raise KeyboardInterrupt

    assert watch(desk, 1, interrupt) == 0
    assert "Stopped" in capsys.readouterr().out


def test_watch_names_the_folder_in_full(folder, capsys, monkeypatch):
    """ "a file in .." would be the folder above."""
    Desk(folder, TWO, restore=True)
    monkeypatch.chdir(folder.path)

    def interrupt():
        raise KeyboardInterrupt

    watch(Desk(Folder.open(None), TWO), 1, interrupt)
    assert f"save a file in {folder.path}. Ctrl-C" in capsys.readouterr().out


def test_the_list_has_columns_and_tells_of_solutions(tmp_path, capsys):
    every = Desk(Folder.create(tmp_path), exercises(), restore=True)
    every.solution("2", yes=True)
    capsys.readouterr()
    every.list()
    lines = capsys.readouterr().out.splitlines()[: len(exercises())]
    assert len({line.index(e.title, 6 + len(e.name)) for line, e in zip(lines, exercises().values())}) == 1
    assert lines[1].endswith("(solution shown)")


def test_who_forgot_cd_is_told(folder, monkeypatch):
    Desk(folder, TWO, restore=True)
    monkeypatch.chdir(folder.path.parent)
    with pytest.raises(Refused, match="there are in my exercises: `cd` there"):
        Folder.open(None)


def test_exercises_alone_prints_its_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["exercises"])
    assert ended.value.code == 2 and "exercises init" in capsys.readouterr().err


def test_paragraphs_are_filled_and_equations_are_not(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert filled("one two three four five six\n\n    a = b  +  c, and this line is long\n") == (
        "one two three four\nfive six\n\n    a = b  +  c, and this line is long"
    )


# -- the command ---------------------------------------------------------------------------------------------------


def test_bad_usage_is_an_error_of_two(tmp_path, capsys):
    assert main(["exercises", "list", "--dir", str(tmp_path)]) == 2
    assert "there are no exercises in" in capsys.readouterr().err
    assert main(["exercises", "init", str(tmp_path / "new")]) == 0
    assert main(["exercises", "check", "nonsense", "--dir", str(tmp_path / "new")]) == 2
    for seconds in ("0", "nan", "-1", "x"):
        with pytest.raises(SystemExit):
            main(["exercises", "check", "--seconds", seconds, "--dir", str(tmp_path / "new")])


def test_a_newcomers_path_from_within_the_folder(tmp_path):
    """In processes, as it is typed: a wrong answer is named, the right one passes, and the folder stays clean."""

    def run(*words, folder=tmp_path / "my exercises", answer=""):
        done = subprocess.run(
            [sys.executable, "-m", "scratchgen", "exercises", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_FOLDER.parent), "PYTHONIOENCODING": "utf-8"},
            input=answer,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return done.returncode, done.stdout + done.stderr

    assert run("init", "my exercises", folder=tmp_path)[0] == 0
    file = tmp_path / "my exercises" / "ex11_kl_gaussians.py"
    file.write_text(KL.solution.replace("np.sum", "np.mean"), encoding="utf-8")
    code, text = run("check", "11")
    assert code == 1 and "exactly what you get by averaging over the latent dimensions instead of summing" in text
    file.write_text(KL.solution, encoding="utf-8")
    code, text = run("check", "kl")
    assert code == 0 and "passed" in text
    assert "not shown" in run("solution", "2", answer="n\n")[1].lower()
    assert {f.name for f in file.parent.iterdir()} == {f"{e.id}.py" for e in exercises().values()} | {PROGRESS}
