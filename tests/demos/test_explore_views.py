"""The explorer's numbers: what is shown of a code or of noise is what the models say. Equations are those of views."""

import numpy as np
import pytest

from demos.explore import models, views
from scratchgen import checkpoint
from scratchgen.autodiff import no_grad
from scratchgen.checkpoint import CheckpointError
from scratchgen.cli.form import Form
from scratchgen.cli.models import FAMILIES
from scratchgen.cli.saved import note_of


@pytest.fixture(scope="module")
def vae():
    return models.in_float64(models.new_vae(np.random.default_rng(0)))


@pytest.fixture(scope="module")
def flow():
    return bent_flow()


def bent_flow(size=0.3):
    """A flow whose layers all do something, the more the greater ``size`` is."""
    flow, rng = models.in_float64(models.new_flow(np.random.default_rng(0))), np.random.default_rng(1)
    for t in flow.parameters().values():
        t.assign(t.data + size * rng.standard_normal(t.shape))
    return flow


CODES = np.array([[0.0, 0.0], [0.5, -1.0], [-2.9, 2.1]])


def test_the_levels_are_those_of_the_likelihood(vae):
    """(1): Σ_j log p(x_j | z) is the log p(x | z) of the VAE."""
    levels, x = views.level_probabilities(vae, CODES), np.random.default_rng(0).integers(0, 17, (3, 64))
    np.testing.assert_allclose(levels.sum(axis=2), 1, rtol=1e-14)
    chosen = np.take_along_axis(levels, x[..., None], axis=2)[..., 0]
    with no_grad():
        expected = vae.decode(CODES).log_prob(x)
    np.testing.assert_allclose(np.log(chosen).sum(axis=1), np.asarray(getattr(expected, "data", expected)), rtol=1e-12)


def test_the_means_are_those_of_the_likelihood(vae):
    """(2), and that the image is not transposed."""
    with no_grad():
        expected = np.asarray(vae.decode(CODES).mean.data).reshape(-1, 8, 8)
    np.testing.assert_allclose(views.means(vae, CODES), expected, rtol=1e-12)


def test_a_draw_is_the_inverse_of_the_cumulative_probabilities():
    """(3): over evenly spaced u each level comes as often as its probability says."""
    levels = np.array([0.1, 0.0, 0.6, 0.25, 0.05])
    u = (np.arange(1000) + 0.5) / 1000
    drawn = views.drawn(np.broadcast_to(levels, (1000, 5)), u)
    assert np.all(np.diff(drawn) >= 0)
    np.testing.assert_array_equal(np.bincount(drawn, minlength=5), 1000 * levels)


def test_a_draw_stays_among_the_levels_where_the_sum_is_below_1():
    assert views.drawn(np.full((1, 17), 1 / 17 - 1e-16), np.array([np.nextafter(1, 0)])) == 16


def test_a_level_of_probability_0_is_never_drawn():
    assert views.drawn(np.array([[0.0, 0.5, 0.0, 0.5]] * 2), np.array([0.0, 0.5])).tolist() == [1, 3]


def test_what_is_seen_of_a_code_belongs_together(vae):
    u = np.random.default_rng(0).random(64)
    seen = views.seen(vae, CODES[1], u)
    np.testing.assert_array_equal(seen.levels, views.level_probabilities(vae, CODES[1:2])[0])
    np.testing.assert_allclose(seen.mean, views.means(vae, CODES[1:2])[0], rtol=1e-14)
    np.testing.assert_array_equal(seen.draw, views.drawn(seen.levels, u).reshape(8, 8))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_traversal_moves_along_one_axis(vae, axis):
    z = np.array([0.3, -0.7])
    images = views.traversal(vae, z, axis, n=5)
    for image, value in zip(images, (-3, -1.5, 0, 1.5, 3)):
        code = z.copy()
        code[axis] = value
        np.testing.assert_allclose(image, views.means(vae, code[None])[0], rtol=1e-14)
    np.testing.assert_array_equal(z, [0.3, -0.7])


def test_the_manifold_has_z1_to_the_right_and_z2_upwards(vae):
    picture = views.manifold(vae, n=3)
    assert picture.shape == (30, 30)
    for row, second in enumerate((2, 0, -2)):
        for column, first in enumerate((-2, 0, 2)):
            tile = picture[10 * row : 10 * row + 10, 10 * column : 10 * column + 10].copy()
            expected = views.means(vae, np.array([[first, second]], float))[0]
            np.testing.assert_allclose(tile[1:-1, 1:-1], expected, rtol=1e-13)
            tile[1:-1, 1:-1] = 0
            assert not tile.any()


def test_a_point_of_noise_is_placed_with_its_density(flow):
    """(4): log p(x) by the way of the noise is log p(x) by the way of the data."""
    for z in CODES:
        place = views.place(flow, z)
        with no_grad():
            back, _ = flow.transform(place.x[None])
            expected = flow.log_prob(place.x[None])
        np.testing.assert_allclose(np.asarray(back.data)[0], z, atol=1e-9)
        assert place.log_prob == pytest.approx(float(np.asarray(getattr(expected, "data", expected))[0]), abs=1e-9)
        assert abs(place.log_prob + 0.5 * np.sum(z**2) + np.log(2 * np.pi)) > 0.1  # the flow does stretch


def test_the_layers_lead_from_noise_to_data(flow):
    places = views.layers(flow, CODES)
    assert places.shape == (models.COUPLINGS + 2, 3, 2)
    np.testing.assert_array_equal(places[0], CODES)
    np.testing.assert_allclose(places[-1][1], views.place(flow, CODES[1]).x, rtol=1e-13)


def test_the_line_between_two_noises():
    """(5)"""
    a, b = np.array([1.0, 2.0]), np.array([-3.0, 0.5])
    np.testing.assert_allclose(views.line(a, b, np.array([0, 0.25, 1])), [a, [0, 1.625], b], rtol=1e-15)


@pytest.mark.parametrize("kind", ["vae", "flow"])
def test_a_checkpoint_gives_the_trained_model_again(tmp_path, kind, capsys):
    path = tmp_path / "model.ckpt"
    trained = models.obtained(kind, 0, path, steps=4)
    assert "step 4/4" in capsys.readouterr().err  # progress is shown
    loaded = models.obtained(kind, 1, path)
    assert capsys.readouterr().err == ""  # nothing was trained
    for name, array in trained.state().items():
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, loaded.state()[name])
    other = {"vae": "flow", "flow": "vae"}[kind]
    with pytest.raises(ValueError, match="the state does not fit"):
        models.obtained(other, 0, path)


def trained_by_the_command(name, form, settings, path):
    """A file such as ``python -m scratchgen train`` writes."""
    family = FAMILIES[name]
    settings = family.settings(form, settings)
    model = family.build(form, settings, 0)
    data = {"name": "digits", "rows": {"train": 1000}, "sha256": "0"}
    note = note_of(family, settings, form, data, {"seed": 0, "steps": 1, "batch_size": 100})
    checkpoint.save(path, {f"model.{key}": array for key, array in model.state().items()}, {"note": note})
    return model


DIGITS = Form("levels", (8, 8), 17)


@pytest.mark.parametrize("name", ["vae", "iwae"])
def test_a_vae_of_the_command_line_can_be_explored(tmp_path, name):
    trained = trained_by_the_command(name, DIGITS, {"latent": 2, "hidden": 8}, tmp_path / "a.ckpt")
    vae = models.obtained("vae", 0, tmp_path / "a.ckpt")
    for key, array in trained.state().items():
        np.testing.assert_array_equal(vae.state()[key], array.astype(np.float64))
    assert views.seen(vae, CODES[1], np.full(64, 0.5)).mean.shape == (8, 8)


@pytest.mark.parametrize(
    ("kind", "name", "form", "settings"),
    [
        ("vae", "vae", DIGITS, {"latent": 3, "hidden": 8}),
        ("vae", "vae", Form("levels", (4, 4), 17), {"latent": 2, "hidden": 8}),
        ("vae", "vae", Form("levels", (8, 8), 5), {"latent": 2, "hidden": 8}),
        ("vae", "made", DIGITS, {}),
        ("flow", "vae", DIGITS, {"latent": 2, "hidden": 8}),
    ],
)
def test_other_models_of_the_command_line_are_refused(tmp_path, kind, name, form, settings):
    trained_by_the_command(name, form, settings, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=f"holds a {name}; .* train vae --data digits --latent 2 --out .*a.ckpt"):
        models.obtained(kind, 0, tmp_path / "a.ckpt")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(CheckpointError, match=r"notes\.txt: magic: got text"):
        models.obtained("vae", 0, path)
    assert path.read_text() == "hello"
