"""The tests in several processes: each test runs once, and whatever keeps one from running fails the whole."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from demos.processes import Outcome, Task
from tests.figures import lines
from tests.jobs import failures_in, summary, what_went_wrong

ROOT = Path(__file__).resolve().parents[1]
HEAD = "import os, signal, time, pytest\nfrom pathlib import Path\nLOG = Path(__file__).parent / 'log'\n"
TELL = "def tell(what):\n    with LOG.open('a') as file:\n        file.write(what + '\\n')\n"
FIXTURE = "@pytest.fixture(scope='module')\ndef shared():\n    tell('set up')\n    yield\n    tell('torn down')\n"


@pytest.fixture
def jobs(tmp_path):
    """Run these files, given by name, in two processes; gives the exit code and what was printed."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\naddopts = --import-mode=importlib")

    def run(*arguments, **files):
        for name, body in files.items():
            (tmp_path / f"test_{name}.py").write_text(HEAD + TELL + FIXTURE + body)
        command = [sys.executable, "-m", "tests.jobs", "--jobs", "2", str(tmp_path), *arguments]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # hypothesis, which takes its time to load
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
        return done.returncode, done.stdout + done.stderr

    run.log = lambda: (tmp_path / "log").read_text().split("\n")[:-1]
    return run


def test_each_test_runs_once_and_fixtures_are_torn_down_between_units(jobs):
    """A slow test is a unit of its own, though it stands among others and shares their fixture."""
    test = "def test_{0}(shared):\n    tell('{0}')\n    time.sleep(0.1)\n"
    mixed = test.format("a") + "@pytest.mark.slow\n" + test.format("b") + test.format("c")
    code, text = jobs(one=mixed, two=mixed, three="def test_d():\n    tell('d')\n")
    assert code == 0, text
    assert "\n7 passed in " in text and text.endswith("by 2 processes\n")
    counts = Counter(jobs.log())
    assert counts["set up"] == counts["torn down"] == 4  # two files, two slow tests
    assert [counts[name] for name in "abcd"] == [2, 2, 2, 1]


def test_one_failure_is_enough(jobs):
    """Also where the other process has passed all that it ran."""
    code, text = jobs(one="def test_a():\n    assert False\n", two="def test_b():\n    time.sleep(1)\n")
    assert code == 1 and "1 failed" in text and "1 passed" in text


def test_failures_of_all_processes_are_shown(jobs):
    wait = "    time.sleep(0.5)\n"
    code, text = jobs(
        one=f"def test_a():\n{wait}    assert 1 + 1 == 3\n",
        two=f"def test_b():\n{wait}    assert 2 + 2 == 5\n",
        three="def test_c():\n    pytest.skip('a reason')\n",
    )
    assert code == 1
    assert "assert (1 + 1) == 3" in text and "assert (2 + 2) == 5" in text
    assert "2 failed" in text and "1 skipped" in text


@pytest.mark.parametrize("end", ["os._exit(0)", "os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_process_that_dies_is_told_with_where_it_was(jobs, end):
    code, text = jobs(one=f"def test_a():\n    {end}\n", two="def test_b():\n    pass\n")
    assert code == 2
    assert "test_one.py\n" in text.splitlines(keepends=True)[-1]
    assert ("was killed by SIGKILL" if "kill" in end else "process") in text


def test_no_tests_at_all_are_a_failure(jobs):
    code, text = jobs("-k", "nothing", one="def test_a():\n    pass\n")
    assert code == 2 and "no tests were collected" in text


def test_what_cannot_be_collected_is_shown_once(jobs):
    code, text = jobs(one="import no_such_module", two="def test_b():\n    pass\n")
    assert code == 2
    assert text.count("ModuleNotFoundError: No module named 'no_such_module'") == 1
    assert "process 0 ended with exit code 2" in text


def test_a_wrong_argument_of_pytest_is_shown(jobs):
    code, text = jobs("--no-such-option", one="def test_a():\n    pass\n")
    assert code == 2 and "unrecognized arguments: --no-such-option" in text


def whole(code=0, **report):
    """An outcome with its report, of a process to which nothing happened."""
    report = {"collected": 5, "done": 5, "unit": "test_z.py", "outcomes": {"passed": 5}} | report
    return Outcome(Task("process 0", [], 0), code, "", 1.0), report


def test_a_test_that_no_process_ran_is_noticed():
    def wrong(*shares):
        return what_went_wrong([outcome for outcome, _ in shares], [report for _, report in shares])

    assert wrong(whole(done=2), whole(done=3)) == wrong(whole()) == wrong(whole(code=1)) == []
    assert wrong(whole(done=2), whole(done=2)) == ["4 tests ran, but the processes collected [5]"]
    assert wrong(whole(done=3), whole(done=3)) == ["6 tests ran, but the processes collected [5]"]
    assert wrong(whole(done=3), whole(done=2, collected=4)) == ["5 tests ran, but the processes collected [4, 5]"]
    assert wrong(whole(collected=0, done=0)) == ["no tests were collected"]
    assert wrong(whole(code=-11)) == ["process 0 was killed by SIGSEGV, at test_z.py"]


def test_counts_of_all_processes_are_added():
    one = whole(counts={"check": {"planted": 1000, "caught": 2}}, outcomes={"passed": 1200, "deselected": 7})[1]
    two = whole(counts={"check": {"caught": 3, "alarms": 0}}, texts=[("a", "text")], outcomes={"passed": 1})[1]
    assert summary([one, two]) == "a: text\ncheck: planted 1,000 · caught 5 · alarms 0\n1,201 passed"


def test_lines_name_what_is_counted():
    assert lines([("a", "text")], {"b": Counter(checks=1200, caught=0)}) == [
        ("a", "text"),
        ("b", "checks 1,200 · caught 0"),
    ]


def test_failures_begin_behind_the_dots():
    assert failures_in("..F [100%]\n==== FAILURES ====\n__ test_a __\n") == "==== FAILURES ====\n__ test_a __\n"
    assert failures_in("no dots") == "no dots"
