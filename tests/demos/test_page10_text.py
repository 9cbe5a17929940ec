"""Page 10: n-grams on a source whose entropy rate is known, and on Python's documentation."""

import argparse
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page10_text as page10
from demos.texts import readable
from scratchgen.data import MarkovSource
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page10.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_the_right_memory_comes_down_to_the_entropy_rate_and_no_other_below_it(stage):
    source = MarkovSource.random(symbols=4, order=2, rng=np.random.default_rng(0))
    cost, rate = (
        float(x) for x in re.search(r"3-gram (\S+) nats a symbol, entropy rate (\S+);", stage.results[0]).groups()
    )
    assert rate == pytest.approx(source.entropy_rate, abs=5e-5)
    assert 0 < cost - rate < 0.005
    curve, limit = stage.figures["page10_ngrams"].axes[0].lines
    assert np.argmin(curve.get_ydata()) == 2 and np.min(curve.get_ydata()) > source.entropy_rate
    np.testing.assert_allclose(limit.get_ydata(), source.entropy_rate)


def test_on_the_documentation_memory_pays_and_text_is_drawn(stage):
    costs = {
        name: float(re.search(rf"'{name}': best (\S+) nats", "\n".join(stage.results)).group(1))
        for name in ("interpolated", "add")
    }
    assert 1 < costs["interpolated"] < costs["add"] < 2
    assert sum(line.startswith("n = ") for line in stage.results) == len(page10.SHOWN)


def test_another_text_can_be_named(tmp_path):
    """Of 300 different characters, whose windows of eight could not be numbered."""
    text = "".join(map(chr, range(0x100, 0x22C))) * 3
    (tmp_path / "signs.txt").write_text(text, encoding="utf-8")
    recorder = Recorder()
    page10.on_text(recorder, plt.figure().add_subplot(), 0, tmp_path / "signs.txt")
    plt.close("all")
    best, n, uniform = recorder.numbers(
        r"signs.txt, .*'interpolated': best (\S+) nats a character, n = (\d); uniform (\S+)"
    )[0]
    assert uniform == pytest.approx(np.log(300), abs=5e-5) and best < 1 < n < 8


def test_a_text_that_cannot_be_read_is_refused_on_the_command_line(tmp_path):
    with pytest.raises(argparse.ArgumentTypeError, match="there is no such file"):
        readable(str(tmp_path / "none.txt"))
    (tmp_path / "binary").write_bytes(b"\xff" * 200)
    with pytest.raises(argparse.ArgumentTypeError, match="byte 0xff at position 0"):
        readable(str(tmp_path / "binary"))
    (tmp_path / "lines").write_text("a\n" * 200)
    with pytest.raises(argparse.ArgumentTypeError, match="2 different characters; there must be at least 3"):
        readable(str(tmp_path / "lines"))
