"""A learner's file, whatever it does, gets a verdict that is never a pass unless it is right, and a message.

What stops Python itself, or never ends, is tried in the process of its own that `check_file` starts; the rest here.
"""

import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scratchgen.exercises.kit import Student, exercises
from scratchgen.exercises.kit.exercise import ERROR, FAILED, NOT_WRITTEN, PASSED
from scratchgen.exercises.kit.guard import changes, snapshot
from scratchgen.exercises.kit.load import MOST_OUTPUT, check_file, clipped
from scratchgen.exercises.kit.reading import LARGEST, Unreadable, define

KL = exercises()[11]
ANSWER = "import numpy as np\ndef kl_gaussians(mean_q, logvar_q, mean_p, logvar_p):\n    "


def in_solution(first: str) -> str:
    """The solution, with a line at its beginning."""
    return KL.solution.replace("    variance_ratio =", f"    {first}\n    variance_ratio =")


# In processes: source, status, pieces of the message, a piece of the output.
HARD = {
    "right": (KL.solution, PASSED, [], ""),
    "the stub": (KL.stub, NOT_WRITTEN, ["kl_gaussians is not written yet", "line 28", "raise NotImplementedError"], ""),
    "known mistake": (
        KL.solution.replace("np.sum", "np.mean"),
        FAILED,
        ["got:       [0.5344]", "expected:  [1.06879]", "averaging over the latent dimensions instead of summing"],
        "",
    ),
    "prints a lot": (in_solution("print('here', 'x' * 10**6)"), PASSED, [], "here xxx"),
    "prints a verdict": ('print(\'{"status": "passed"}\')\nraise SystemExit', ERROR, ["exit()", "line 2"], "passed"),
    "loop": (ANSWER + "while True:\n        pass\n", ERROR, ["within 1 s", ", in kl_gaussians"], ""),
    "ends Python": ("import os\nos._exit(0)", ERROR, ["ended Python before the check was finished"], ""),
    "ends Python when called": (ANSWER + "import os; os._exit(0)", ERROR, ["ended Python before"], ""),
    "crash": ("import os, signal\nos.kill(os.getpid(), 9)", ERROR, ["crashed"], ""),
    "replaces NumPy": ("import numpy\nnumpy.abs = lambda x: 0 * x\n", ERROR, ["replaces numpy.abs"], ""),
    "replaces the check": (
        ANSWER + "import sys\n    sys.modules['scratchgen.exercises.kit.judge'].expect = lambda *a: 0\n    return 0\n",
        ERROR,
        ["replaces scratchgen.exercises.kit.judge.expect"],
        "",
    ),
    "replaces NumPy for a while": (
        "import numpy as np\nold, np.abs = np.abs, abs\n"
        + KL.solution.replace("    variance_ratio =", "    np.abs = old\n    variance_ratio ="),
        ERROR,
        ["replaces numpy.abs"],
        "",
    ),
    "says goodbye": ("import atexit\natexit.register(print, 'bye')\n" + KL.solution, PASSED, [], ""),
    "a module beside it that has a name of Python's": ("import colorsys\n" + KL.solution, PASSED, [], ""),
    "threads that go on": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()\n" + KL.solution,
        PASSED,
        [],
        "",
    ),
    "leaves a process": (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
        + KL.solution,
        PASSED,
        [],
        "",
    ),
    "asks": ("x = input('?')", ERROR, ["asks for input()", "line 1"], "?"),
    "too much memory": (ANSWER + "return np.ones(10**10)", FAILED, ["MemoryError", "line 3"], ""),
}
if not sys.platform.startswith("linux"):
    del HARD["too much memory"]
if sys.platform == "win32":
    del HARD["crash"], HARD["leaves a process"]


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The verdicts on all of ``HARD``, a few at a time, in a folder that has a file which is not NumPy."""
    folder = tmp_path_factory.mktemp("a learner's folder é")
    for name in ("numpy.py", "colorsys.py"):
        (folder / name).write_text("raise ImportError('not the right one')")

    def check(item):
        number, (source, *_) = item
        path = folder / f"ex11_{number}.py"
        path.write_text(source, encoding="utf-8")
        return check_file(KL, path, seconds=1 if "while" in source else 30)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(HARD, pool.map(check, enumerate(HARD.values()))))


@pytest.mark.parametrize("name", HARD)
def test_in_a_process_of_its_own(checked, name):
    _, status, pieces, printed = HARD[name]
    verdict, output = checked[name]
    assert verdict.status == status, verdict.message
    assert all(piece in verdict.message for piece in pieces), verdict.message
    assert printed in output and len(output) < MOST_OUTPUT + 100
    assert "bye" not in output  # the child ends at once, whatever the file has left to do


def verdict_here(tmp_path: Path, source: str | bytes):
    path = tmp_path / "ex11_kl_gaussians.py"
    path.write_bytes(source.encode() if isinstance(source, str) else source)
    return KL.verdict(Student(define(path)))


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("", ["is empty"]),
        (" \n\t\n", ["is empty"]),
        ("def f(:\n", ["line 1: ", "def f(:\n", "^"]),
        ("def f():\nreturn 1", ["line 2: expected an indented block", "four spaces"]),
        ("def f():\n    x = 1\n\treturn x", ["line 3", "Tabs and spaces are mixed"]),
        ("x = (" * 300, ["Python"]),
        (b"#\n#\n# caf\xe9\n", ["line 3", "byte 0xe9", "not UTF-8"]),
        (b"# caf\xe9\n", ["line 1", "byte 0xe9", "not UTF-8"]),
        (b"# coding: klingon\n", ["klingon", "save the file as UTF-8"]),
        ("x = 1".encode("utf-16"), ["UTF-16"]),
        (b"x = 1\0", ["no text in UTF-8"]),
        (b"#" * (LARGEST + 1), ["1,000,000 bytes"]),
        ("import nothing_like_this", ["ModuleNotFoundError", "line 1", "import nothing_like_this"]),
        ("x = 1\ny = x / 0", ["ZeroDivisionError", "line 2", "y = x / 0"]),
        ("from scratchgen.exercises.ex11_kl_gaussians import *", ["line 1", "imports the exercises"]),
        ("import scratchgen.exercises.kit as k", ["imports the exercises"]),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, source, pieces):
    with pytest.raises(Unreadable) as caught:
        verdict_here(tmp_path, source)
    assert all(piece in str(caught.value) for piece in pieces), str(caught.value)


@pytest.mark.parametrize("name", ["missing.py", "."])
def test_no_file(tmp_path, name):
    with pytest.raises(Unreadable, match="There is no file"):
        define(tmp_path / name)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_ends_of_lines_and_a_byte_order_mark_do_not_matter(tmp_path, end, encoding):
    source = KL.solution.replace("\n", end).encode(encoding)
    assert verdict_here(tmp_path, source).status == PASSED


def test_a_coding_line_is_understood(tmp_path):
    source = "# coding: latin-1\n" + KL.solution.encode("ascii", "replace").decode()
    assert verdict_here(tmp_path, source.encode("latin-1")).status == PASSED


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        ("pass", ["returned None", "`return` missing"]),
        ("return np.full(len(mean_q), np.nan)", ["gave NaN."]),
        ("return np.full(len(mean_q), np.inf)", ["infinite number."]),
        ("return [1.0]", ["returned a list", "a NumPy array of shape (1,)"]),
        ("return 'text'", ["returned a str"]),
        ("return {}", ["returned a dict"]),
        ("return np.array(['a'])", ["type <U1"]),
        ("return np.array([object()])", ["type object"]),
        ("return np.zeros(1) + 0j", ["type complex128"]),
        ("return np.zeros(2)", ["shape is wrong", "(2,)", "(1,)"]),
        ("return np.zeros((1, 1))", ["shape is wrong"]),
        ("return 0.0", ["shape is wrong"]),
        ("from scratchgen.autodiff import Tensor; return Tensor(np.zeros(1))", ["returned a Tensor"]),
        ("mean_q += 1; return np.zeros(1)", ["modified its argument mean_q"]),
        ("return mean_q[:, 5]", ["IndexError", "line 3", "return mean_q[:, 5]"]),
        ("return np.linalg.solve(mean_q, logvar_q)", ["LinAlgError", "line 3", "np.linalg.solve"]),
        ("return kl_gaussians(mean_q, logvar_q, mean_p, logvar_p)", ["RecursionError", "line 3"]),
        ("import sys; sys.exit(0)", ["SystemExit", "line 3"]),
        ("return input()", ["line 3"]),
        ("raise NotImplementedError", ["not written yet", "line 3"]),
    ],
)
def test_what_a_function_may_do_wrong(tmp_path, body, pieces):
    verdict = verdict_here(tmp_path, ANSWER + body)
    assert verdict.status in (FAILED, NOT_WRITTEN)
    assert all(piece in verdict.message for piece in pieces), verdict.message


@pytest.mark.parametrize(
    ("source", "piece"),
    [
        ("def kl(a): ...", "no function kl_gaussians; it has kl"),
        ("kl_gaussians = 3", "kl_gaussians is no function"),
        (
            "def kl_gaussians(a, b): return a",
            "cannot be called with the 4 arguments mean_q, logvar_q, mean_p, logvar_p",
        ),
        ("kl_gaussians = lambda a, b, c, d: a[:, 0]", "value is wrong"),
    ],
)
def test_what_may_be_wrong_with_the_function_itself(tmp_path, source, piece):
    verdict = verdict_here(tmp_path, source)
    assert verdict.status == FAILED and piece in verdict.message


def test_the_line_shown_is_the_innermost_of_the_learners_own(tmp_path):
    helper = "import numpy as np\ndef helper(x):\n    return np.linalg.inv(x)\n"
    source = helper + "def kl_gaussians(a, b, c, d):\n    return helper(a)"
    message = verdict_here(tmp_path, source).message
    assert "line 3, in helper" in message and "return np.linalg.inv(x)" in message


def test_an_object_that_claims_to_equal_everything_does_not_pass(tmp_path):
    source = textwrap.dedent("""
        import numpy as np
        class Same(np.ndarray):
            def __array_ufunc__(self, *args, **options): return np.array(True)
            def __eq__(self, other): return np.array(True)
            def all(self): return True
        def kl_gaussians(a, b, c, d):
            return np.zeros(len(a)).view(Same)
    """)
    assert verdict_here(tmp_path, source).status == FAILED


def test_the_guard_sees_replaced_methods_code_and_removed_names(monkeypatch):
    from scratchgen.exercises.kit import failure, judge

    before = snapshot()
    assert changes(before) == []
    monkeypatch.setattr(Student, "__getattr__", lambda self, name: None)
    monkeypatch.setattr(judge.equal, "__code__", (lambda *args, **options: None).__code__)
    monkeypatch.setattr(failure.show, "__defaults__", (1,))
    monkeypatch.delattr(np, "allclose")
    found = changes(before)
    assert {"scratchgen.exercises.kit.judge.Student.__getattr__", "numpy.allclose"} <= set(found)
    assert {"scratchgen.exercises.kit.judge.equal", "scratchgen.exercises.kit.failure.show"} <= set(found)


def test_output_is_bounded_and_cannot_command_the_terminal():
    text = clipped(b"\x1b[31mred\x07\r\n" + b"\xff" + b"x" * 10**5)
    assert text.startswith("·[31mred·\n\ufffdxxx") and text.endswith("left out") and len(text) < MOST_OUTPUT + 100
