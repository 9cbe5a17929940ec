"""``python -m demos``: what is chosen, in which order, and what becomes of demos that fail, die or are interrupted."""

import doctest
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demos import __main__ as demos
from demos import processes
from demos.__main__ import About, Report, choose, in_starting_order, parse, tasks_of
from demos.contents import DEMOS
from demos.processes import Outcome, Task, cores

ROOT = Path(__file__).resolve().parents[2]
FAKES = {
    "page01_good": """
        import numpy as np
        x = np.random.default_rng(seed).normal(size=(300, 300))
        stage.result(f"{(x @ x).sum().hex()}, one thread: {os.environ['OMP_NUM_THREADS']}, quick: {stage.quick}")""",
    "page01_bad": """
        print("a line before")
        raise ValueError("no luck")""",
    "page01_exits": "sys.exit('gave up')",
    "page01_killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "page01_broken": "if:",
    "page02_two": """
        for i in range(5):
            print("two", i, flush=True); time.sleep(0.02)
        stage.result("still there")""",
    "page03_endless": """
        (stage.out / "pid.new").write_text(str(os.getpid()))
        (stage.out / "pid.new").rename(stage.out / "pid")  # never there without the number
        time.sleep(600)""",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder whose package ``demos`` is that of this repository, but for the demos, which are the FAKES."""
    folder = tmp_path_factory.mktemp("my demos")
    ignored = shutil.ignore_patterns("page*", "leaderboard*", "out", "__pycache__")
    shutil.copytree(ROOT / "demos", folder / "demos", ignore=ignored)
    (folder / "demos" / "contents.py").write_text(f"DEMOS = {list(FAKES)}")
    head = '"""About."""\nimport os, signal, sys, time\nfrom demos.common import main\nTITLE, SECONDS = "A title", 1\n'
    tail = "\nif __name__ == '__main__':\n    main(sys.modules['__main__'])\n"
    for name, body in FAKES.items():
        (folder / "demos" / f"{name}.py").write_text(f"{head}def run(stage, seed):\n        {body.lstrip()}{tail}")
    return folder


def start(package, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "absent"}
    command = [sys.executable, "-m", "demos", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=package, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def run(package, *arguments, expect=0):
    process = start(package, *arguments)
    out, err = process.communicate()
    assert process.returncode == expect, out + err
    return out, err


def chapters(out):
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*.json")}


def test_failures_do_not_stop_the_others_and_are_told_at_the_end(package, tmp_path):
    out, err = run(package, "page01", "page02", "--out", tmp_path, "--jobs", 3, expect=1)
    assert set(chapters(tmp_path)) == {"page01_good", "page02_two"}
    assert "2 of 6 demos in " in out and "still there" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "\ntwo 0\ntwo 1\ntwo 2\ntwo 3\ntwo 4\n" in out
    for told in (
        "page01_bad ended with exit code 1:\n\nTraceback (most recent call last):\n",
        "ValueError: no luck\n\nrun it alone: python -m demos.page01_bad --seed 0 --full --out ",
        "page01_exits ended with exit code 1:\n",
        "gave up\n",
        "page01_killed was killed by SIGKILL: is there enough memory?",
        "SyntaxError: invalid syntax\n",
    ):
        assert told in err
    assert "a line before\n" in out and "a line before" not in err


def test_results_have_the_same_bits_for_any_number_of_jobs(package, tmp_path):
    results = []
    for jobs in (1, 2):
        run(package, "page01_good", "page02", "--quick", "--seed", 4, "--jobs", jobs, "--out", tmp_path / f"{jobs}")
        found = chapters(tmp_path / f"{jobs}")
        results.append([found[name]["results"] for name in ("page01_good", "page02_two")])
    assert results[0] == results[1] and results[0][0][0].endswith(", one thread: 1, quick: True")


def test_one_demo_keeps_the_others_in_the_gallery(package, tmp_path):
    run(package, "page02", "--out", tmp_path)
    out, _ = run(package, "--only", "page01_good", "--out", tmp_path)
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 0 < index.index("one thread: 1") < index.index("still there")
    assert "-- 1 of 1 starts: page01_good, about 1 s left\n" in out


def test_a_bad_folder_is_an_error_before_anything_runs(package, tmp_path):
    (tmp_path / "file").touch()
    out, err = run(package, "page02", "--out", tmp_path / "file", expect=2)
    assert out == "" and "no pictures can be written there (File exists)" in err


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored here")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_all_processes_and_keeps_what_is_done(package, tmp_path, sent, code):
    process = start(package, "page02", "page03", "--out", tmp_path, "--jobs", 2)
    deadline = time.monotonic() + 200
    while not ((tmp_path / "index.html").exists() and (tmp_path / "pid").exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, err = process.communicate(timeout=200)
    assert process.returncode == code, err
    assert sent == signal.SIGTERM or err == f"\ninterrupted; what was finished is in {tmp_path}\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert set(chapters(tmp_path)) == {"page02_two"}
    assert "still there" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_names_are_beginnings_or_files_in_page_order():
    assert choose([]) == DEMOS
    assert choose(["page11_grid", "page02"]) == ["page02_likelihood", "page02_probe", "page11_grid"]
    for name in ("demos.page11_grid", "demos/page11_grid.py", "page11_grid.py"):
        assert choose([name]) == ["page11_grid"]
    with pytest.raises(ValueError, match=r"no demo begins with 'page11_gird'; near are page11_grid, .*--list shows"):
        choose(["page02", "page11_gird"])
    with pytest.raises(ValueError, match="no demo begins with ''"):
        choose([""])


def test_the_commands_have_the_settings_that_were_given(tmp_path):
    for given, length in (["--quick"], "--quick"), ([], "--full"):
        options = parse(["page05_em", "--seed", "7", "--out", str(tmp_path), *given])
        (task,) = tasks_of({"page05_em": About("EM", 40, 10)}, options)
        command = [sys.executable, "-m", "demos.page05_em", "--seed", "7", length, "--out", str(tmp_path)]
        assert task == ("page05_em", [*command, "--no-index"], 10 if given else 40)


def test_a_number_is_not_cut():
    """Who asks for page 1 does not want pages 10 to 12."""
    assert choose(["page"]) == [name for name in DEMOS if name != "leaderboard"]
    assert {name[:6] for name in choose(["page10", "page11_g"])} == {"page10", "page11"}
    for cut in ("page1", "page0"):
        with pytest.raises(ValueError, match=f"no demo begins with '{cut}'; near are page"):
            choose([cut])


def test_names_may_stand_anywhere(tmp_path):
    folder = ["--out", str(tmp_path)]
    options = parse(["page11_grid", "--quick", "page05_em", "--only", "page12_sde", "page12_ddpm", *folder])
    assert options.names == ["page05_em", "page11_grid", "page12_sde", "page12_ddpm"] and options.quick
    assert not parse(["--full", *folder]).quick and not parse(folder).quick


@pytest.mark.parametrize("wrong", [["--jobs", "0"], ["--jobs", "-1"], ["--quick", "--full"], ["--jobs", "two"]])
def test_wrong_options_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        parse(wrong)
    assert end.value.code == 2 and f"argument {wrong[0]}" in capsys.readouterr().err.replace("--full", "--quick")


def tasks(*seconds):
    return [Task(str(i), [], s) for i, s in enumerate(seconds)]


def test_with_several_jobs_the_long_ones_start_first():
    """2 jobs, 118 s: a quarter of what each has to do is 14.75 s."""
    names = [task.name for task in in_starting_order(tasks(3, 20, 5, 60, 20, 2, 8), 2)]
    assert names == ["3", "1", "4", "0", "2", "5", "6"]
    assert in_starting_order(tasks(3, 20, 5, 60), 1) == tasks(3, 20, 5, 60)


def test_the_time_left_is_that_of_the_others_at_the_speed_of_those_done(capsys):
    report = Report(tasks(10, 20, 30), jobs=2)
    assert report.left() == "about 30 s left"
    report.ended(Outcome(report.tasks[1], 0, "", 40.0))
    assert report.left() == "about 40 s left"  # (10 + 30) · 40 / 20 / 2
    assert "-- 1 is done: 1 of 3 in 40.0 s" in capsys.readouterr().out


def test_failures_are_told_in_words():
    task = Task("a", [], 1)
    for code, told in (
        (0, ""),
        (3, "ended with exit code 3"),
        (-9, "was killed by SIGKILL: is there enough memory?"),
        (-11, "was killed by SIGSEGV"),
        (-2, "was interrupted"),
        (-64, "was killed by signal 64" if 64 not in set(signal.Signals) else "was killed by SIGRTMAX"),
    ):
        assert Outcome(task, code, "", 1.0).failure == told


@pytest.mark.parametrize("module", [demos, processes])
def test_the_examples_of_the_docstrings(module):
    failed, attempted = doctest.testmod(module)
    assert failed == 0 < attempted


def test_there_is_a_core():
    assert 1 <= cores() <= (os.cpu_count() or 1)
