"""Page 10: n-grams on a source whose entropy rate is known, and on Python's documentation."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page10_text as page10
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
