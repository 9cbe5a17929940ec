"""The weights of the explorer's page: whole numbers that give the models again, as near as is said."""

import json
import re

import numpy as np
import pytest

from demos.explore import export, models, views
from demos.explore.page import page
from tests.demos.test_explore_views import bent_flow


@pytest.fixture
def vae():
    return models.in_float64(models.new_vae(np.random.default_rng(0)))


def test_the_decoder_survives_json(vae):
    content = json.loads(export.compact(export.vae_content(vae, 5)))
    assert (content["levels"], content["side"], content["digits"]) == (17, 8, 5)
    shapes = [(np.shape(layer["W"]), np.shape(layer["b"])) for layer in content["decoder"]]
    assert shapes == [((2, 64), (64,)), ((64, 32), (32,)), ((32, 1088), (1088,))]
    for layer, original in zip(content["decoder"], vae.decoder.layers):
        for part in ("W", "b"):
            assert np.abs(np.array(layer[part]) / 1e5 - getattr(original, part).data).max() <= 0.5e-5 * (1 + 1e-9)


def test_the_flow_survives_json():
    flow = bent_flow()
    content = json.loads(export.compact(export.flow_content(flow, 6)))
    first, *couplings = flow.transform.transforms
    np.testing.assert_allclose(np.array(content["actnorm"]["loc"]) / 1e6, first.loc.data, atol=0.51e-6)
    np.testing.assert_allclose(np.array(content["actnorm"]["log_scale"]) / 1e6, first.log_scale.data, atol=0.51e-6)
    assert [coupling["passes"] for coupling in content["couplings"]] == [0, 1] * 4
    for written, original in zip(content["couplings"], couplings, strict=True):
        assert written["most"] == original.scalar_map.most and list(original.mask).index(True) == written["passes"]
        for layer, linear in zip(written["net"], original.net.layers, strict=True):
            np.testing.assert_allclose(np.array(layer["W"]) / 1e6, linear.W.data, atol=0.51e-6)
            np.testing.assert_allclose(np.array(layer["b"]) / 1e6, linear.b.data, atol=0.51e-6)


def test_it_takes_the_fewest_digits_that_do(vae):
    """One digit less, and a probability is off by more than is allowed; the model itself keeps its weights."""
    before = vae.state()
    found = export.exported_vae(vae)
    for name, array in vae.state().items():
        np.testing.assert_array_equal(array, before[name])
    assert found.size == len(json.dumps(found.content, separators=(",", ":")).encode())
    assert found.content["digits"] == found.digits > 1
    axis = np.linspace(-4, 4, 41)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    exact, errors = views.level_probabilities(vae, grid), {}
    for digits in (found.digits - 1, found.digits):
        vae.load_state({name: np.round(array, digits) for name, array in before.items()})
        errors[digits] = np.abs(views.level_probabilities(vae, grid) - exact).max()
    assert errors[found.digits - 1] > export.TOLERANCE >= found.error
    assert found.error == pytest.approx(errors[found.digits], rel=1e-9)


def test_the_error_of_a_flow_is_that_of_every_layer():
    flow = bent_flow()
    found = export.exported_flow(flow)
    z = np.array([[0.0, 0.0], [2.0, -3.4]])  # of the points that are tried
    exact = views.layers(flow, z)
    flow.load_state(export.rounded(flow, found.digits))
    assert 0 < np.abs(views.layers(flow, z) - exact).max() <= found.error <= export.TOLERANCE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(vae, value):
    W = vae.decoder.layers[1].W
    W.assign(np.where(np.arange(W.size).reshape(W.shape) == 65, value, W.data))
    with pytest.raises(ValueError, match=r"decoder\.1\.W has \S+ at \(2, 1\); 1 of 2048 values .* train it again"):
        export.exported_vae(vae)


def test_weights_that_no_rounding_leaves_alone_are_refused(vae):
    with pytest.raises(ValueError, match="with 9 digits of each weight the error is still"):
        export.exported(vae, export.vae_content, lambda model: model.decoder.layers[0].W.data * 1e9)


def test_the_contour_is_where_the_true_density_is():
    points = np.concatenate([np.array(line) for line in export.true_contour(0.05)])
    density = np.exp(models.TOY.log_prob(points))
    assert len(points) > 100 and np.median(np.abs(density - 0.05)) < 0.005 and np.abs(density - 0.05).max() < 0.02


def test_points_are_kept_to_a_hundredth():
    content = export.points_content(np.array([[0.123456, -2.0]]), np.array([7], np.uint8))
    assert content == {"points": [[0.12, -2.0]], "labels": [7]}


def test_a_page_has_all_its_parts_and_loads_nothing():
    text = page({"vae": {"a": "</script>"}}, "about <b>", "about flow", "python -m x")
    for part in (
        "function dense(",
        "function steerable(",
        "function exploreVae(",
        "function exploreFlow(",
        "about <b>",
    ):
        assert part in text
    assert not re.search(r"\$[a-z]", text) and '{"vae":{"a":"\\u003c/script>"}}' in text
    assert text.count("</script>") == 2
    assert not [word for word in ("http:", "https:", "src=", "@import", "url(", "fetch(") if word in text]


def test_nan_is_no_json():
    with pytest.raises(ValueError, match="JSON"):
        export.compact({"a": np.nan})
