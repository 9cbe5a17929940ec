"""The explorer's page in a real browser: it shows what Python computes, and mouse, finger, keys and sliders work."""

import re

import numpy as np
import pytest

from demos.explore import export, models, views
from demos.explore.page import page as text_of
from tests.browser import Browser
from tests.demos.test_explore_views import bent_flow
from tests.demos.test_gallery_in_browser import FAINT, NAMELESS, WIDTH

PHONE, DESKTOP, DIGITS = 360, 1280, 3
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("a browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The file; the models with the weights that are in it; the codes and labels."""
    rng = np.random.default_rng(0)
    vae, flow = models.in_float64(models.new_vae(rng)), bent_flow(0.1)
    points, labels = np.round(rng.standard_normal((60, 2)), 2), rng.integers(0, 10, 60)
    content = {
        "vae": export.vae_content(vae, DIGITS),
        "flow": export.flow_content(flow, DIGITS),
        "codes": export.points_content(points, labels),
        "truth": {"std": models.TOY.std, "contour": export.true_contour(0.05)},
    }
    for model in (vae, flow):
        model.load_state(export.rounded(model, DIGITS))
    path = tmp_path_factory.mktemp("a page") / "explore.html"
    path.write_text(text_of(content, "About the VAE.", "About the flow.", "python -m demos"), encoding="utf-8")
    return path, vae, flow, points, labels


@pytest.fixture(scope="module")
def page(browser, found):
    """One for all: each test moves what it looks at."""
    page = browser.open(found[0], DESKTOP, 3000)
    page.run(DRAWN)
    yield page
    assert page.complaints() == []


def slide(page, name, value):
    """Move a slider, as a user does."""
    page.run(f"byId({name!r}).value = {value}; byId({name!r}).dispatchEvent(new Event('input'))")
    page.run(DRAWN)


def numbers(page, element):
    """All numbers in the text of an element."""
    text = page.run(f"byId({element!r}).textContent").replace("−", "-")
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def grey(page, canvas, rows, columns):
    """How dark the middle of each cell of a canvas is, from 0 for paper to 1 for ink."""
    red = page.run(
        f"""(() => {{
            const canvas = byId({canvas!r}), copy = document.createElement("canvas");
            [copy.width, copy.height] = [canvas.width, canvas.height];
            const context = copy.getContext("2d", {{ willReadFrequently: true }}); // the browser asks for it
            context.drawImage(canvas, 0, 0);
            return Array.from({{ length: {rows * columns} }}, (_, i) => context.getImageData(
                Math.floor(((i % {columns}) + 0.5) * canvas.width / {columns}),
                Math.floor((Math.floor(i / {columns}) + 0.5) * canvas.height / {rows}), 1, 1).data[0]);
        }})()"""
    )
    return ((255 - np.array(red)) / (255 - 17)).reshape(rows, columns)


def box(page, selector):
    """Where an element is: left, top, width, height."""
    return page.run(f"(({{x, y, width, height}}) => [x, y, width, height])(byId({selector!r}).getBoundingClientRect())")


@pytest.mark.parametrize(
    ("width", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]
)
def test_nothing_is_wrong_with_the_page(browser, found, width, scheme):
    page = browser.open(found[0], width, 800, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.run(DRAWN)
    assert page.complaints() == []
    assert page.requests()[1:] == []  # the first is the page
    assert page.run(WIDTH) <= width
    assert page.run(FAINT) == []
    labelled = page.run(NAMELESS)  # controls have their names from a label
    assert [element for element in labelled if not element.startswith("<input")] == []
    assert page.run("[...document.querySelectorAll('input')].every((input) => input.labels.length === 1)")
    paper = {"light": 255, "dark": 22}[scheme]
    assert page.run("byId('levels').getContext('2d').getImageData(1, 1, 1, 1).data[0]") == paper
    page.close()


def test_the_sliders_show_another_digit(page, found):
    _, vae, *_ = found
    before = {name: page.run(f"byId({name!r}).toDataURL()") for name in ("plane", "mean", "draw", "levels", "along")}
    slide(page, "z1", 1.5)
    slide(page, "z2", -0.75)
    for name, picture in before.items():
        assert page.run(f"byId({name!r}).toDataURL()") != picture, name
    z = np.array([1.5, -0.75])
    np.testing.assert_allclose(grey(page, "mean", 8, 8), views.means(vae, z[None])[0] / 16, atol=0.004)
    along = np.concatenate([views.traversal(vae, z, axis)[:, 4, 4] for axis in (0, 1)]).reshape(2, 13) / 16
    np.testing.assert_allclose(grey(page, "along", 2 * 8, 13 * 8)[4::8, 4::8], along, atol=0.02)


def test_the_manifold_lies_behind(page, found):
    """Without the test digits it is drawn in full; the cross of the point is kept away from what is looked at."""
    _, vae, *_ = found
    slide(page, "z1", 3)
    slide(page, "z2", 3)
    page.click("#show-codes")
    page.run(DRAWN)
    shown, expected = grey(page, "plane", 150, 150), views.manifold(vae) / 16
    np.testing.assert_allclose(shown[10:, :-10], expected[10:, :-10], atol=0.004)
    page.click("#show-codes")


def test_the_levels_of_the_chosen_pixel_are_told(page, found):
    _, vae, *_ = found
    slide(page, "z1", 0.5)
    slide(page, "z2", 2.0)
    left, top, width, height = box(page, "mean")
    mouse(page, (left + 5.5 / 8 * width, top + 1.5 / 8 * height))
    row, column, _, mean, drawn = numbers(page, "levels-status")
    assert (row, column) == (2, 6)
    levels = views.level_probabilities(vae, np.array([[0.5, 2.0]]))[0]
    assert mean == pytest.approx(levels[8 + 5] @ np.arange(17), abs=0.0051)
    assert grey(page, "draw", 8, 8)[1, 5] == pytest.approx(drawn / 16, abs=0.004)


def test_the_nearest_digits_are_told(page, found):
    *_, points, labels = found
    slide(page, "z1", -0.5)
    slide(page, "z2", 0.25)
    label, count = views.neighbours(np.array([-0.5, 0.25]), points, labels)
    assert numbers(page, "vae-status") == [-0.5, 0.25, 15, count, label]


def mouse(page, *places):
    """Press the mouse at the first place, move it to the others, and let go."""
    for kind, (x, y) in [
        ("mousePressed", places[0]),
        *(("mouseMoved", p) for p in places),
        ("mouseReleased", places[-1]),
    ]:
        page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
    page.run(DRAWN)


def test_the_code_is_dragged_by_the_mouse(page):
    left, top, width, height = box(page, "plane")
    mouse(page, (left + width / 2, top + height / 2), (left + 0.75 * width, top + 0.25 * height))
    assert numbers(page, "vae-status")[:2] == pytest.approx([1.5, 1.5], abs=0.02)  # z₂ upwards
    assert [page.run(f"Number(byId('z{i}').value)") for i in (1, 2)] == pytest.approx([1.5, 1.5], abs=0.02)
    mouse(page, (left + width / 2, top + height / 2), (left + 2 * width, top - 50))  # out of it
    assert numbers(page, "vae-status")[:2] == [3, 3]


def test_the_code_is_moved_by_a_finger(browser, found):
    page = browser.open(found[0], PHONE, 1500)
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    left, top, width, height = box(page, "plane")
    for kind, x, y in [
        ("touchStart", 0.5, 0.5),
        ("touchMove", 0.3, 0.6),
        ("touchMove", 0.25, 0.75),
        ("touchEnd", 0, 0),
    ]:
        points = [] if kind == "touchEnd" else [{"x": left + x * width, "y": top + y * height}]
        page.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    page.run(DRAWN)
    assert numbers(page, "vae-status")[:2] == pytest.approx([-1.5, -1.5], abs=0.03)
    assert page.complaints() == []
    page.close()


def test_the_arrow_keys_move_the_point_that_has_the_focus(page):
    slide(page, "z1", 0)
    slide(page, "z2", 0)
    page.run("byId('plane').focus()")
    for key, code in [("ArrowRight", 39), ("ArrowUp", 38), ("ArrowUp", 38), ("ArrowLeft", 37), ("ArrowLeft", 37)]:
        page.press(key, code)
    page.run(DRAWN)
    assert numbers(page, "vae-status")[:2] == pytest.approx([-0.05, 0.1], abs=1e-9)
    page.run("byId('mean').focus()")
    before = numbers(page, "levels-status")[:2]
    page.press("ArrowDown", 40)
    page.run(DRAWN)
    assert numbers(page, "levels-status")[:2] == [before[0] + 1, before[1]]


def test_the_buttons_draw(page):
    for button, changed, kept in (("new-x", "draw", "mean"), ("new-z", "mean", None)):
        before = {name: page.run(f"byId({name!r}).toDataURL()") for name in (changed, kept) if name}
        page.click(f"#{button}")
        page.run(DRAWN)
        assert page.run(f"byId({changed!r}).toDataURL()") != before[changed]
        if kept:
            assert page.run(f"byId({kept!r}).toDataURL()") == before[kept]


@pytest.mark.parametrize("box_name", ["show-manifold", "show-codes"])
def test_the_layers_of_the_plane_can_be_hidden(page, box_name):
    before = page.run("byId('plane').toDataURL()")
    for same in (False, True):
        page.click(f"#{box_name}")
        page.run(DRAWN)
        assert (page.run("byId('plane').toDataURL()") == before) == same


def test_the_flow_tells_its_density_and_the_true_one(page, found):
    _, _, flow, *_ = found
    page.click("input[name=point][value=b]")
    slide(page, "p1", 0.8)
    slide(page, "p2", -1.0)
    page.click("input[name=point][value=a]")
    slide(page, "p1", -0.4)
    slide(page, "p2", 0.2)
    slide(page, "between", 0.25)
    z = 0.75 * np.array([-0.4, 0.2]) + 0.25 * np.array([0.8, -1.0])
    place = views.place(flow, z)
    expected = [*z, *place.x, place.log_prob, models.TOY.log_prob(place.x[None])[0]]
    assert numbers(page, "flow-status") == pytest.approx(expected, abs=0.0065)


@pytest.mark.parametrize(("name", "value", "moves_noise"), [("temperature", 0.4, True), ("layers", 3.5, False)])
def test_the_sliders_of_the_flow_show_other_pictures(page, name, value, moves_noise):
    before = {plane: page.run(f"byId({plane!r}).toDataURL()") for plane in ("noise", "data")}
    slide(page, name, value)
    assert page.run("byId('data').toDataURL()") != before["data"]
    assert (page.run("byId('noise').toDataURL()") != before["noise"]) == moves_noise
    slide(page, name, {"temperature": 1, "layers": 9}[name])
    for plane, picture in before.items():
        assert page.run(f"byId({plane!r}).toDataURL()") == picture  # the same noise again


def test_the_nearer_noise_is_dragged(page):
    page.click("input[name=point][value=a]")
    slide(page, "between", 1)  # z is b
    b = numbers(page, "flow-status")[:2]
    left, top, width, height = box(page, "noise")
    at = [left + (b[0] / 3.5 + 1) / 2 * width, top + (1 - b[1] / 3.5) / 2 * height]
    mouse(page, at, (left + width / 2, top + height / 4))
    assert numbers(page, "flow-status")[:2] == pytest.approx([0, 1.75], abs=0.02)
    assert page.run("document.querySelector('input[name=point]:checked').value") == "b"
