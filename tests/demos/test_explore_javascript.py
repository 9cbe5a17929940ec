"""nets.js computes what views.py does, to rounding: the same whole-number weights, the same codes and noise."""

import json

import numpy as np
import pytest

from demos.explore import export, models, views
from scratchgen.autodiff import no_grad
from tests.demos.javascript import computed
from tests.demos.test_explore_views import bent_flow

CODES = np.array([[0.0, 0.0], [0.5, -1.0], [-2.9, 2.1], [40.0, -30.0]])  # the last far outside
DIGITS = 3


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Everything that is compared, from one run of JavaScript, beside what Python makes of the same weights."""
    rng = np.random.default_rng(0)
    vae, flow = models.in_float64(models.new_vae(rng)), bent_flow()
    u, points = rng.random((len(CODES), 64)), rng.uniform([-2, -1.5], [3, 2], (40, 2))
    data = {
        "vae": export.vae_content(vae, DIGITS),
        "flow": export.flow_content(flow, DIGITS),
        "z": CODES.tolist(),
        "u": u.tolist(),
        "points": points.tolist(),
    }
    expression = """(() => {
        const [vae, flow] = [readVae(given.vae), readFlow(given.flow)], random = uniforms(3), again = uniforms(3);
        return {
            levels: given.z.map((z) => decode(z, vae)),
            means: given.z.map((z) => decode(z, vae).map(mean)),
            draws: given.z.map((z, i) => decode(z, vae).map((probabilities, j) => draw(probabilities, given.u[i][j]))),
            flow: given.z.map((z) => throughFlow(z, flow)),
            truth: given.points.map((x) => moonsLogProb(x, 0.1)),
            far: moonsLogProb([50, 50], 0.1),
            great: softmax([1e4, 1e4 - 1, -1e4]),
            last: draw([0.5, 0.4999], 0.99999),
            edges: [draw([0.5, 0.5], 0), draw([0.5, 0.5], 0.5), draw([0, 1], 0)],
            uniform: Array.from({ length: 20000 }, random),
            again: Array.from({ length: 5 }, again),
            normal: Array.from({ length: 20000 }, () => normalPair(random)),
        };
    })()"""
    javascript = computed(expression, json.loads(export.compact(data)), tmp_path_factory.mktemp("javascript"))
    for model in (vae, flow):
        model.load_state(export.rounded(model, DIGITS))
    return javascript, vae, flow, u, points


def test_the_probabilities_of_the_levels_are_equal(found):
    javascript, vae, *_ = found
    np.testing.assert_allclose(javascript["levels"], views.level_probabilities(vae, CODES), rtol=1e-11, atol=1e-300)


def test_the_means_are_equal(found):
    javascript, vae, *_ = found
    np.testing.assert_allclose(np.reshape(javascript["means"], (-1, 8, 8)), views.means(vae, CODES), rtol=1e-12)


def test_the_draws_are_equal(found):
    javascript, vae, _, u, _ = found
    expected = views.drawn(views.level_probabilities(vae, CODES), u)
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(javascript["draws"], expected)
    assert javascript["last"] == 1 and javascript["edges"] == [0, 1, 1]


def test_the_flow_is_equal_in_every_layer(found):
    javascript, _, flow, *_ = found
    places = np.array([one["places"] for one in javascript["flow"]]).swapaxes(0, 1)
    expected = views.layers(flow, CODES)
    assert np.abs(np.diff(expected, axis=0)).max(axis=(1, 2)).min() > 0.01  # every layer does something
    np.testing.assert_allclose(places, expected, rtol=1e-11, atol=1e-12)


def test_the_density_of_the_flow_is_equal(found):
    javascript, _, flow, *_ = found
    for one, z in zip(javascript["flow"], CODES):
        assert one["logProb"] == pytest.approx(views.place(flow, z).log_prob, rel=1e-12)
    with no_grad():
        values = flow.log_prob(np.array([one["places"][-1] for one in javascript["flow"][:3]]))
    np.testing.assert_allclose(
        [one["logProb"] for one in javascript["flow"][:3]], np.asarray(getattr(values, "data", values)), rtol=1e-9
    )


def test_the_true_density_is_that_of_the_toy(found):
    """Evenly spaced nodes, where the toy has Gauss and Legendre's: good to 1e-3 nats near data, to 1e-3 of it afar."""
    javascript, *_, points = found
    expected, got = models.TOY.log_prob(points), np.array(javascript["truth"])
    near = expected > -10
    assert near.sum() > 10
    np.testing.assert_allclose(got[near], expected[near], atol=1e-3)
    np.testing.assert_allclose(got[~near], expected[~near], rtol=1e-3)
    assert javascript["far"] == pytest.approx(models.TOY.log_prob(np.array([[50.0, 50.0]]))[0], rel=1e-4)


def test_large_numbers_have_probabilities(found):
    p = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(found[0]["great"], [p, 1 - p, 0], rtol=1e-14)


def test_the_random_numbers_have_their_moments(found):
    """Within 5.96 standard errors, and the same ones from the same seed."""
    javascript = found[0]
    uniform, normal = np.array(javascript["uniform"]), np.array(javascript["normal"])
    assert javascript["again"] == javascript["uniform"][:5]
    assert uniform.min() >= 0 and uniform.max() < 1
    n = len(uniform)
    assert abs(uniform.mean() - 1 / 2) < 5.96 * np.sqrt(1 / 12 / n) < 0.02
    assert abs(uniform.var() - 1 / 12) < 5.96 * np.sqrt(1 / 180 / n) < 0.01
    assert np.all(np.abs(normal.mean(axis=0)) < 5.96 / np.sqrt(n))
    assert np.all(np.abs(np.cov(normal.T) - np.eye(2)) < 5.96 * np.sqrt([[2 / n, 1 / n], [1 / n, 2 / n]]))
    assert np.all(np.abs((normal**4).mean(axis=0) - 3) < 5.96 * np.sqrt(96 / n)) and 5.96 * np.sqrt(96 / n) < 0.5
