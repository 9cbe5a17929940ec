"""Page 6: f = mean of (μ + σ η)², its graph, and the distribution of the estimates 2z of its gradient."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import norm

from demos import page06_gradients as page06
from scratchgen.autodiff import Tensor


class Recorder:
    """A stage that keeps what it is given, and writes nothing."""

    def __init__(self):
        self.results, self.figures = [], {}

    def result(self, text):
        self.results.append(text)

    def save(self, figure, name, title, equation, caption):
        self.figures[name] = figure


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page06.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_another_seed_gives_another_result(stage):
    another = Recorder()
    page06.run(another, seed=1)
    for figure in another.figures.values():
        plt.close(figure)
    assert len(another.results) == len(stage.results) == 2
    assert not set(another.results) & set(stage.results)


def test_the_objective_is_the_mean_of_z_squared():
    mean, log_std, noise = 1.5, np.log(0.8), np.array([-1.0, 0.25, 2.0])
    value = page06.objective(Tensor(mean), Tensor(log_std), noise)
    assert value.data == pytest.approx(((1.5 - 0.8) ** 2 + (1.5 + 0.2) ** 2 + (1.5 + 1.6) ** 2) / 3, rel=1e-14)


def test_the_variance_of_one_estimate_is_that_of_2z(stage):
    """Var(2z) = 4σ². That of n normal numbers has standard error 4σ² √(2/n); 5.96 of them: false alarm 2.5e-9."""
    (line,) = (line for line in stage.results if line.startswith("variance"))
    estimate, exact = map(float, re.search(r"estimate: (\S+), exactly (\S+)", line).groups())
    assert exact == 2.56
    assert abs(estimate - exact) < 5.96 * exact * np.sqrt(2 / 20_000)


def test_the_density_is_that_of_2z(stage):
    """N(2μ, 4σ²) at μ = 1.5, σ = 0.8."""
    density = next(line for line in stage.figures["page06_estimates"].axes[0].lines if "exact" in line.get_label())
    x, p = density.get_data()
    assert x.min() < 3.0 - 6 and 3.0 + 6 < x.max()
    np.testing.assert_allclose(p, norm.pdf(x, loc=3.0, scale=1.6), rtol=1e-12)


def test_the_histogram_has_area_1_as_the_density_has(stage):
    bars = stage.figures["page06_estimates"].axes[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)


def test_the_names_stand_at_their_leaves(stage):
    """z = μ + exp(log σ) η: the arrow into exp comes from log σ, and one into add comes from μ."""
    texts = stage.figures["page06_graph"].axes[0].texts
    at = {text.get_position(): text.get_text().split("\n")[0] for text in texts if text.get_text()}
    arrows = {(at[arrow.xyann], at[arrow.xy]) for arrow in texts if not arrow.get_text()}
    assert {("log σ", "exp"), ("μ", "add")} <= arrows
