"""Page 12: both ways back end at the data, for three SDEs, and slips are seen."""

import numpy as np
import pytest

from demos import page12_sde as page12
from scratchgen.data import EightGaussians
from scratchgen.diffusion import VP
from tests.demos.recorder import Recorder


class Still(Recorder):
    """Keeps an animation, drawing no more than its first and its last frame."""

    def save_animation(self, animation, name, title, equation, caption):
        animation._draw_was_started = True  # it shall not complain
        frames = list(animation.new_frame_seq())
        for i in (frames[0], frames[-1]):
            animation._func(i)
        self.figures[name], self.frames = animation._fig, len(frames)


def recorded(seed, **numbers):
    stage = Still()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in numbers.items():
            patch.setattr(page12, name, value)
        page12.run(stage, seed)
    return stage


@pytest.fixture(scope="module")
def stage():
    stage = recorded(0, STEPS=60, FLOW_STEPS=30, N=400, FRAMES=8, SHOWN=100)
    yield stage
    stage.close()


def test_what_is_drawn_is_near_the_data_and_slips_are_not(stage):
    """With few steps and draws; the errors are those of sampling and, for the reverse SDE, of the steps too."""
    ways = stage.numbers(r"(?:SDE|flow): E\[−log p_0\] of 400 draws (\S+) ± (\S+) nats, entropy (\S+); χ² .* (\S+) per")
    assert len(ways) == 6
    for cost, error, entropy, spread in ways:
        assert entropy == pytest.approx(EightGaussians().entropy(), abs=1e-3)
        assert abs(cost - entropy) < 6 * error + 0.15 and spread < 4
    slips = stage.numbers(r"slip, .*: (\S+) ± (\S+) nats, entropy (\S+):")
    assert slips[0][0] > 10 and slips[1][0] < 2.0


def test_the_pictures_show_the_truth_and_the_ends(stage):
    assert set(stage.figures) == {"page12_sde", "page12_sde_strip", "page12_sde_motion"}
    axes = stage.figures["page12_sde"].axes
    for ax, t in ((axes[0], 0.0), (axes[2], 1.0), (axes[4], 0.0)):
        (line,) = ax.lines
        density, x = line.get_data()
        exact = page12.ON_THE_LINE.diffused(VP()).log_prob(np.asarray(x)[:, None], t)
        np.testing.assert_allclose(density, np.exp(exact), rtol=1e-12)
        assert line.get_linestyle() == "--"
    assert len(stage.figures["page12_sde_strip"].axes) == 3 * len(page12.STRIP)
    assert stage.frames == 8 + 1 + 2 * page12.PAUSE


def test_what_describes_draws_by_hand():
    data = page12.eight()
    x = np.repeat(data.means, [2, 1, 1, 1, 1, 1, 1, 0], axis=0)
    cost, error, spread = page12.described(x, data)
    assert cost == pytest.approx(np.log(8 * 2 * np.pi * 0.1), abs=1e-9) and error == pytest.approx(0, abs=1e-9)
    assert spread == pytest.approx((1 + 1) / 7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_full_form(seed):
    stage = recorded(seed)
    stage.close()
    ways = stage.numbers(
        r"(?:SDE|flow): E\[−log p_0\] of 3000 draws (\S+) ± (\S+) nats, entropy (\S+); χ² .* (\S+) per"
    )
    assert len(ways) == 6
    for cost, error, entropy, spread in ways:
        assert error < 0.02 and abs(cost - entropy) < 5 * error and spread < 3.6  # χ² of 7 degrees above 25: 1e-3
