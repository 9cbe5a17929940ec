"""The demo that writes the explorer's page: what it prints is measured, and the page has the trained models."""

import json
import re

import numpy as np
import pytest

from demos import page09_explore
from demos.explore import export, models
from tests.demos.recorder import Recorder


def page_of(stage):
    """The models in the page, as a browser reads them."""
    (text,) = re.findall(r'<script type="application/json" id="models">(.*?)</script>', stage.pages["explore"], re.S)
    return json.loads(text)


@pytest.fixture(scope="module")
def stage():
    """A run of a few steps, without the bounds, which take long."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page09_explore, "bounds", lambda vae, x, rng: f"of {len(x)}")
        page09_explore.run(recorder, seed=0, steps=8)
    yield recorder
    recorder.close()


def test_it_prints_what_rounding_changes(stage):
    for kind, (digits, size, error, allowed) in zip(
        ("vae", "flow"),
        stage.numbers(r"weights to (\d) decimals, (\d+) kB; .* by at most (\S+) \(without rounding 0; allowed (\S+)\)"),
        strict=True,
    ):
        content = page_of(stage)[kind]
        assert content["digits"] == digits and abs(len(export.compact(content)) / 1000 - size) <= 0.5
        assert 0 < error <= allowed == export.TOLERANCE


def test_it_prints_the_gap_beside_the_entropy(stage):
    ((gap, error, entropy),) = stage.numbers(r"flow: (\S+) ± (\S+) nats above the entropy of two moons, (\S+) nats")
    assert entropy == pytest.approx(models.TOY.entropy(), abs=1e-4)
    assert gap > 5.96 * error > 0  # after a few steps


def test_the_page_has_the_codes_and_the_truth(stage):
    content = page_of(stage)
    assert np.shape(content["codes"]["points"]) == (447, 2) and set(content["codes"]["labels"]) == set(range(10))
    assert content["truth"]["std"] == models.TOY.std and len(content["truth"]["contour"]) >= 1
    for line in stage.results:
        assert line in stage.pages["explore"]


def test_the_picture_has_the_plane(stage):
    ax = stage.figures["page09_explore"].axes[0]
    assert ax.get_xlim() == ax.get_ylim() == (-3, 3)
    assert sum(len(points.get_offsets()) for points in ax.collections) == 447
    assert ax.images[0].get_array().shape == (150, 150)


@pytest.mark.slow
def test_the_claims():
    """The models are good ones: published for a VAE of layers 64-256-256-16 is −100.5 on the validation set."""
    recorder = Recorder()
    page09_explore.run(recorder, seed=1)
    recorder.close()
    ((elbo, tighter),) = recorder.numbers(r"test set: ELBO (\S+) ± \S+, importance-weighted log p\(x\) (\S+) ")
    assert -101 < elbo < tighter < -90
    ((gap,),) = recorder.numbers(r"flow: (\S+) ± ")
    assert 0 < gap < 0.06
    assert len(recorder.pages["explore"]) < 300_000
