"""Commands side by side: how many, what they wrote to the last word, their threads, and that they end."""

import os
import signal
import sys
import time
from contextlib import closing

import pytest

from demos.processes import Task, side_by_side
from demos.processes import __name__ as processes_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="with the commands of POSIX")


def shell(command, name="task"):
    return Task(name, ["sh", "-c", command], 0)


def test_no_more_run_than_are_asked_for(tmp_path):
    """Each counts those that have begun and not ended while it runs."""
    command = f"cd '{tmp_path}'; mkdir $$; ls | wc -l; sleep 0.2; rmdir $$"
    for jobs in (1, 2):
        outcomes = list(side_by_side([shell(command) for _ in range(4)], jobs))
        assert max(int(outcome.output) for outcome in outcomes) == jobs


def test_the_last_output_is_read_and_each_task_has_its_own():
    """Of a command that ends at once, before anyone has looked."""
    seen = []
    tasks = [shell(f"echo {name}; echo of {name} >&2; exit {i}", name) for i, name in enumerate("abc")]
    outcomes = list(side_by_side(tasks, 3, watch=lambda task, text: seen.append((task.name, text))))
    expected = {name: f"{name}\nof {name}\n" for name in "abc"}
    assert {outcome.task.name: outcome.output for outcome in outcomes} == expected == dict(seen)
    assert {outcome.task.name: outcome.code for outcome in outcomes} == {"a": 0, "b": 1, "c": 2}


def test_one_thread_unless_the_user_wants_more(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    (outcome,) = side_by_side([shell("echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS")], 1)
    assert outcome.output == "1 3\n"


def test_what_does_not_end_is_killed(monkeypatch):
    """A process that ignores Ctrl-C, when the iteration is left."""
    monkeypatch.setattr(sys.modules[processes_name], "GRACE", 0.1)
    stubborn = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(os.getpid(), flush=True); "
    pids, started = [], time.monotonic()
    tasks = [Task("stubborn", [sys.executable, "-c", stubborn + "time.sleep(60)"], 0), shell("sleep 1")]
    with closing(side_by_side(tasks, 2, watch=lambda task, text: pids.append(int(text)))) as outcomes:
        assert next(outcomes).code == 0
    assert time.monotonic() - started < 20
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_killed_process_says_by_what():
    (outcome,) = side_by_side([shell("kill -SEGV $$")], 1)
    assert (outcome.code, outcome.failure) == (-signal.SIGSEGV, "was killed by SIGSEGV")
