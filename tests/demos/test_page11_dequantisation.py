"""The demo of dequantisation: its table, its integrals, and what it measures, on models that are known."""

import numpy as np
import pytest

from demos import page11_dequantisation as demo
from scratchgen.distributions import Independent, Uniform
from scratchgen.flows import Dequantised
from scratchgen.nn import Module
from tests.demos.recorder import Recorder
from tests.flows.test_dequantisation import OnTheCube

P = demo.wave()


class Cubes(Module):
    """The density that is flat in each bin, with the true probabilities; tilted within the bin, if asked for."""

    def __init__(self, tilt=False):
        self.tilt = tilt

    def log_prob(self, v):
        i, j = np.moveaxis(np.floor(demo.LEVELS * v).astype(int), -1, 0)
        within = np.log(2 * (demo.LEVELS * v[:, 0] - i)) if self.tilt else 0.0
        return np.log(P[i, j] * demo.LEVELS**2) + within

    def forward(self):
        p = OnTheCube(np.zeros_like)
        p.log_prob = self.log_prob
        return p


def test_the_entropy_of_the_table():
    assert P.sum() == pytest.approx(1.0) and P.sum(axis=1) == pytest.approx(1 / 8)
    assert demo.entropy(P) == pytest.approx(-(P * np.log(P)).sum(), rel=1e-12)


def test_draws_are_from_the_table():
    x = demo.draws(P, 40_000, np.random.default_rng(0))
    counts = np.zeros_like(P)
    np.add.at(counts, tuple(x.T), 1)
    z = (counts - 40_000 * P) / np.sqrt(40_000 * P * (1 - P) + 1)
    assert np.abs(z).max() < 5.96


def test_probabilities_are_integrals_over_bins():
    """Of cubes, and of a density that is 2u in the bin; float32 draws the line at the walls."""
    for tilt in (False, True):
        np.testing.assert_allclose(demo.probabilities(Cubes(tilt)), P.ravel(), rtol=1e-5)


def test_what_is_measured():
    """Of cubes, the entropy thrice; of the tilted ones the bound loses −E[log 2u] = 1 − log 2, and the rest nothing."""
    rng = np.random.default_rng(0)
    assert demo.measured(Dequantised(Cubes(), demo.LEVELS), P, rng) == pytest.approx([demo.entropy(P)] * 3, rel=1e-6)
    found = demo.measured(Dequantised(Cubes(tilt=True), demo.LEVELS), P, rng)
    assert found.bound - demo.entropy(P) == pytest.approx(1 - np.log(2), abs=0.06)
    assert found.tighter - demo.entropy(P) == pytest.approx(0.0, abs=0.06)
    assert found.exact == pytest.approx(demo.entropy(P), rel=1e-5)


def test_without_noise_it_is_the_density_at_the_centres():
    class Box(Module):
        def forward(self):
            return Independent(Uniform(np.full(2, 0.4), np.full(2, 0.45)), 1)  # around the centre of bin (3, 3)

    model = demo.Centres(Box(), demo.LEVELS)
    found = model.bound(np.array([[3, 3], [3, 4]]), rng=0)
    np.testing.assert_allclose(found, [2 * np.log(20 / 8), -np.inf])


def test_the_entropy_is_drawn_as_a_dashed_line():
    stage = Recorder()
    rng = np.random.default_rng(0)
    models = {name: Dequantised(demo.density(rng), demo.LEVELS) for name in ("uniform noise", "variational noise")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "CELLS", 2)
        demo.draw(stage, P, models, {"uniform noise": ([1, 2], [4.0, 3.5])})
    ax = stage.figures["page11_dequantisation"].axes[0]
    (dashed,) = (line for line in ax.lines if line.get_linestyle() == "--")
    assert dashed.get_ydata()[0] == pytest.approx(demo.entropy(P))
    stage.close()


@pytest.mark.slow
def test_the_figures():
    """No bound below the entropy, none but the one without noise; the variational bound is the tighter."""
    stage = Recorder()
    demo.run(stage, seed=0)
    stage.close()
    entropy = demo.entropy(P)
    ((wrong, _, exact),) = stage.numbers(r"\"NLL\" (\S+) nats, entropy (\S+); .* bin: (\S+)$")
    assert wrong < entropy - 2 and exact > entropy
    uniform, variational = stage.numbers(r"bound (\S+) nats, with 100 draws (\S+), exact NLL (\S+), entropy")
    for bound, tighter, exact in (uniform, variational):
        assert bound > tighter > exact - 0.02 and exact > entropy
    assert variational[0] < uniform[0] - 0.1 and variational[0] < entropy + 0.15
