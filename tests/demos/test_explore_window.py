"""The explorer's windows, without a screen: sliders, buttons and the mouse change what is drawn, and to the right."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent

from demos.explore import __main__ as command
from demos.explore import models, views
from demos.explore.flow_window import FlowWindow
from demos.explore.vae_window import VaeWindow
from scratchgen import checkpoint
from tests.demos.test_explore_views import bent_flow


@pytest.fixture(scope="module")
def vae_window():
    rng = np.random.default_rng(0)
    vae, x = models.in_float64(models.new_vae(rng)), rng.integers(0, 17, (30, 64))
    window = VaeWindow(vae, x, np.arange(30) % 10, rng)
    yield lazy(window)
    plt.close(window.figure)


@pytest.fixture(scope="module")
def flow_window():
    window = FlowWindow(bent_flow(), np.random.default_rng(0))
    yield lazy(window)
    plt.close(window.figure)


def lazy(window):
    """The window, which counts how often it shall be drawn, and is not: without a screen it would be at once."""
    window.asked = 0

    def ask():
        window.asked += 1

    window.figure.canvas.draw_idle = ask
    return window


def mouse(window, kind, panel, place):
    """The mouse does something at a place of a panel, given in its data."""
    ax = window.panels[panel]
    event = MouseEvent(f"{kind}_event", window.figure.canvas, *ax.transData.transform(place), button=1)
    window.figure.canvas.callbacks.process(event.name, event)


def assert_shows(window, z):
    """All panels are those of the code z."""
    seen = views.seen(window.vae, np.array(z), window.noise)
    np.testing.assert_allclose(window.images["mean"].get_array(), seen.mean)
    np.testing.assert_array_equal(window.images["draw"].get_array(), seen.draw)
    heights = [bar.get_height() for bar in window.panels["levels"].patches]
    np.testing.assert_allclose(heights, seen.levels[window.pixel])
    for axis, name in enumerate(("along z₁", "along z₂")):
        sheet = window.images[name].get_array()
        for i, digit in enumerate(views.traversal(window.vae, np.array(z), axis)):
            np.testing.assert_allclose(sheet[:, 9 * i : 9 * i + 8], digit)
    np.testing.assert_allclose(np.ravel(window.point.get_data()), z)
    assert f"z = ({z[0]:.2f}, {z[1]:.2f})" in window.panels["plane"].get_title()


def test_it_is_drawn(vae_window, flow_window):
    for window in (vae_window, flow_window):
        window.figure.canvas.draw()
        shades = np.asarray(window.figure.canvas.buffer_rgba())[..., :3]
        assert len(np.unique(shades.reshape(-1, 3), axis=0)) > 100


def test_the_sliders_move_the_code(vae_window):
    vae_window.sliders["z₁"].set_val(1.25)
    before = vae_window.asked
    vae_window.sliders["z₂"].set_val(-2.0)
    assert vae_window.asked > before
    assert_shows(vae_window, [1.25, -2.0])


def test_the_code_is_dragged_and_its_sliders_follow(vae_window):
    mouse(vae_window, "button_press", "plane", (-1.0, 0.5))
    assert_shows(vae_window, [-1.0, 0.5])
    mouse(vae_window, "motion_notify", "plane", (2.0, 1.5))
    assert_shows(vae_window, [2.0, 1.5])
    assert [vae_window.value(name) for name in ("z₁", "z₂")] == pytest.approx([2.0, 1.5])
    mouse(vae_window, "button_release", "plane", (2.0, 1.5))
    mouse(vae_window, "motion_notify", "plane", (0.0, 0.0))  # not held any more
    assert_shows(vae_window, [2.0, 1.5])


def test_a_code_stays_within_the_plane(vae_window):
    vae_window.drag(np.array([7.0, -9.0]))
    assert_shows(vae_window, [3.0, -3.0])


@pytest.mark.parametrize("panel", ["mean", "draw"])
def test_a_pixel_is_chosen(vae_window, panel):
    z = vae_window.z
    mouse(vae_window, "button_press", panel, (5.2, 1.9))  # x is the column
    assert vae_window.pixel == 2 * 8 + 5
    assert "row 3, column 6" in vae_window.panels["levels"].get_title()
    for outline in vae_window.squares:
        x, y = np.array(outline.get_data())
        assert (x.min(), x.max(), y.min(), y.max()) == (4.5, 5.5, 1.5, 2.5)
    assert_shows(vae_window, z)
    mouse(vae_window, "button_release", panel, (5.2, 1.9))
    vae_window.pixel = 27


def test_the_buttons_draw(vae_window):
    z, noise = vae_window.z, vae_window.noise
    vae_window.draw_noise()
    assert np.any(vae_window.noise != noise)
    assert_shows(vae_window, z)
    vae_window.draw_code()
    assert np.all(vae_window.z != z)
    assert_shows(vae_window, vae_window.z)


def test_the_commonest_class_nearby_is_told(vae_window):
    label, count = views.neighbours(vae_window.z, vae_window.points, vae_window.labels)
    assert f"{count} of the 15 nearest test digits are a {label}" in vae_window.panels["plane"].get_title()


def test_the_layers_lead_from_noise_to_data(flow_window):
    flow_window.sliders["temperature"].set_val(0.5)
    expected = views.layers(flow_window.flow, 0.5 * flow_window.noise)
    for layer in (0, 4, 9):
        flow_window.sliders["layers"].set_val(layer)
        np.testing.assert_allclose(flow_window.drawn["plane"]["cloud"].get_offsets(), 0.5 * flow_window.noise)
        np.testing.assert_allclose(flow_window.drawn["data"]["cloud"].get_offsets(), expected[layer])
        assert flow_window.truth.get_visible() == (layer == 9)  # the truth is one of data
        lines = flow_window.drawn["data"]["grid"].get_segments()
        np.testing.assert_allclose(np.concatenate(lines), flow_window.grid[layer])


def test_noises_are_interpolated_and_their_density_is_told(flow_window):
    flow_window.sliders["layers"].set_val(9)
    flow_window.sliders["a → b"].set_val(0.25)
    a, b = flow_window.end("a"), flow_window.end("b")
    z = 0.75 * a + 0.25 * b
    np.testing.assert_allclose(flow_window.drawn["plane"]["marks"].get_offsets(), [a, b, z])
    place = views.place(flow_window.flow, z)
    np.testing.assert_allclose(flow_window.drawn["data"]["marks"].get_offsets()[2], place.x, rtol=1e-9)
    true = models.TOY.log_prob(place.x[None])[0]
    assert f"log p(x) {place.log_prob:.2f}, true {true:.2f} nats" in flow_window.panels["data"].get_title()
    path = np.array(flow_window.drawn["plane"]["path"].get_data())
    np.testing.assert_allclose(path[:, [0, -1]].T, [a, b])


def test_the_nearer_noise_is_dragged(flow_window):
    a, b = flow_window.end("a"), flow_window.end("b")
    mouse(flow_window, "button_press", "plane", b + np.array([0.1, 0.0]))
    mouse(flow_window, "motion_notify", "plane", a + np.array([0.0, 0.2]))  # b is held, however near a is
    mouse(flow_window, "button_release", "plane", a)
    np.testing.assert_allclose(flow_window.end("b"), a + np.array([0.0, 0.2]), atol=1e-9)
    np.testing.assert_array_equal(flow_window.end("a"), a)


# -- the command -----------------------------------------------------------------------------------------------------


def test_without_a_window_it_says_what_to_do_and_ends_with_2(capsys, monkeypatch):
    monkeypatch.setattr(command, "obtained", lambda *_: pytest.fail("it must not train first"))
    assert command.main([]) == 2
    error = capsys.readouterr().err
    for advice in ("its backend agg", "MPLBACKEND=TkAgg", "MPLBACKEND=QtAgg", "python -m demos.page09_explore"):
        assert advice.lower() in error.lower()
    assert "Traceback" not in error


def test_a_toolkit_that_fails_is_a_reason_too(capsys, monkeypatch):
    def fail():
        raise ImportError("Cannot load backend 'TkAgg'\nwhich requires tk")

    monkeypatch.setattr(plt, "figure", fail)
    assert command.main([]) == 2
    assert "there can be none: Cannot load backend 'TkAgg' which requires tk." in capsys.readouterr().err


@pytest.fixture
def a_display(monkeypatch):
    """As if windows could open; gives the labels of the figures that were shown."""
    shown = []
    monkeypatch.setattr(command, "no_window", lambda: None)
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf().get_label()))
    return shown


class Opened:
    """Stands for a window."""

    def __init__(self, model, *arguments):
        self.figure, self.model = plt.figure(label=type(model).__name__), model


@pytest.mark.parametrize("kind", ["vae", "flow"])
def test_it_opens_the_window_of_the_model(a_display, monkeypatch, kind, capsys, tmp_path):
    monkeypatch.setitem(models.STEPS, kind, 4)
    monkeypatch.setattr(command, {"vae": "VaeWindow", "flow": "FlowWindow"}[kind], Opened)
    before, path = plt.get_fignums(), str(tmp_path / "a.ckpt")
    assert command.main(["--model", kind, "--checkpoint", path]) == 0
    assert "step 4/4" in capsys.readouterr().err
    assert command.main(["--model", kind, "--checkpoint", path]) == 0
    assert "step" not in capsys.readouterr().err  # loaded
    assert a_display == [{"vae": "VAE", "flow": "Flow"}[kind]] * 2
    assert plt.get_fignums() == before


@pytest.mark.parametrize("name", ["missing/a.ckpt", "text.ckpt"])
def test_a_checkpoint_that_cannot_be_used_ends_with_2(a_display, capsys, tmp_path, name):
    (tmp_path / "text.ckpt").write_text("hello")
    assert command.main(["--checkpoint", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert ("there is no folder" if "missing" in name else "expected a checkpoint") in error
    assert "Traceback" not in error and not a_display


def test_a_damaged_note_ends_with_2(a_display, capsys, tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, {"model.x": np.zeros(2)}, {"note": {"format": 1, "model": "vae"}})
    assert command.main(["--checkpoint", str(path)]) == 2
    assert "its note and its weights do not make a model" in capsys.readouterr().err and not a_display


def test_ctrl_c_ends_with_130(a_display, capsys, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "obtained", interrupt)
    assert command.main([]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"
