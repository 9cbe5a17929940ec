"""The gallery in a real browser: nothing broken, nothing fetched, nothing wider than the screen, and all controls work.

What is checked of a page is in ``check``, which is run on a small gallery, on pages that have the defects, and on the
gallery that ``make demo`` has written (in ``make test-all``).
"""

import os
from pathlib import Path

import numpy as np
import pytest

from demos.gallery import write_index
from tests import browser as browsers
from tests.browser import Browser
from tests.demos.synthetic_gallery import FRAMES, chapters, frame

ROOT = Path(__file__).resolve().parents[2]
PHONE, DESKTOP = 360, 1280

# Text whose contrast with what is behind it is below 4.5 (WCAG 2.1, success criterion 1.4.3; 3 for large text).
FAINT = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text.length || element.matches("script, dialog *")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(numbers(style.color)), luminance(behind(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(text[0].textContent.trim().slice(0, 40));
  }
  return faint;
})()
"""
BROKEN = "[...document.images].filter((i) => !(i.complete && i.naturalWidth)).map((i) => i.alt)"
NAMELESS = """
[...document.querySelectorAll("img, canvas, button, input, a, summary, [tabindex='0']")].filter((e) =>
  !(e.alt || e.textContent.trim() || e.getAttribute("aria-label"))).map((e) => e.outerHTML.slice(0, 80))
"""
WIDTH = "document.documentElement.scrollWidth"


def check(page):
    """What has to be true of a gallery, whatever it shows and however large the screen is; the complaints."""
    page.wait_for("[...document.images].every((image) => image.complete)")
    page.wait_for("!document.querySelector('.player:not([data-playing])')")
    found = [f"console: {text}" for text in page.complaints()]
    found += [f"request: {url}" for url in page.requests()[1:]]  # the first is the page
    found += [f"broken: {alt}" for alt in page.run(BROKEN)]
    found += [f"without a name: {element}" for element in page.run(NAMELESS)]
    found += [f"faint: {text}" for text in page.run(FAINT)]
    too_wide = page.run(WIDTH) - page.width
    return found + ([f"{too_wide} pixels too wide"] if too_wide > 0 else [])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("a browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a gallery")
    path = write_index(chapters(folder), folder)
    return path.rename(tmp_path_factory.mktemp("moved, without its pictures") / "index.html")


@pytest.fixture(scope="module")
def page(browser, index):
    """One for all: each test leaves it as it likes, but for the dialog, which has to be closed."""
    page = browser.open(index)
    page.wait_for("!document.querySelector('.player:not([data-playing])')")
    yield page
    complaints = page.complaints()
    page.close()
    assert complaints == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_with_the_page(browser, index, width, scheme):
    page = browser.open(index, width, prefers_color_scheme=scheme)
    assert check(page) == []
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(23, 24, 22)"
    assert dark == (scheme == "dark")
    page.close()


DEFECTS = [
    ("<script>console.error('an error')</script>", "console: [{'type': 'string', 'value': 'an error'}]"),
    ("<script>undefined_function()</script>", "undefined_function is not defined"),
    ("<script src='missing.js'></script>", "missing.js"),
    ("<link rel=stylesheet href='http://127.0.0.1:9/a.css'>", "request: http://127.0.0.1:9/a.css"),
    ("<img alt='no picture' src='data:image/png;base64,AAAA'>", "broken: no picture"),
    ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>", "without a name: <img"),
    ("<button></button>", "without a name: <button"),
    ("<p style='color: #888'>grey on white</p>", "faint: grey on white"),
    ("<div style='background: #222'><p style='color: #666'>grey on black</p></div>", "faint: grey on black"),
    ("<h1 style='color: #aaa'>large</h1>", "faint: large"),
    ("<p style='width: 400px'>wide</p>", "pixels too wide"),
]


def test_planted_defects_are_seen(browser, tmp_path):
    head = "<!doctype html><meta name='viewport' content='width=device-width'><title>A</title><body>"
    (tmp_path / "a.html").write_text(head + "".join(defect for defect, _ in DEFECTS), encoding="utf-8")
    page = browser.open(tmp_path / "a.html", PHONE)
    found = check(page)
    assert [complaint for _, complaint in DEFECTS if not any(complaint in text for text in found)] == []
    page.close()


# Read from a copy: of a canvas that is read often, Chromium warns that it is slow.
PIXELS = """
(() => {
  const copy = new OffscreenCanvas(50, 50).getContext("2d");
  copy.drawImage(document.querySelector(".player canvas"), 0, 0);
  return Array.from(copy.getImageData(0, 0, 50, 50).data);
})()
"""


def shown_frame(page):
    """Which frame the animation shows, after a comparison of all its pixels; None if it shows none of them."""
    pixels = np.reshape(page.run(PIXELS), (50, 50, 4))
    matches = [k for k in range(FRAMES) if np.abs(pixels[..., :3] - frame(k).astype(int)).max() <= 8]
    return matches[0] if matches else None


def wind_to(page, k):
    """Move the slider, as a hand does."""
    page.run(
        f"(() => {{ const s = document.querySelector('.player input'); s.value = {k};"
        " s.dispatchEvent(new Event('input')); })()"
    )


def test_the_animation_has_the_frames_that_were_drawn(page):
    """In any order: each frame of the GIF is only the difference from the one before."""
    assert page.run("Number(document.querySelector('.player input').max)") == FRAMES - 1
    for k in (0, 1, 2, 3, 4, 2, 0, 4):
        wind_to(page, k)
        assert shown_frame(page) == k


def test_the_animation_plays_and_can_be_halted(page):
    value, playing = (
        "document.querySelector('.player input').value",
        "document.querySelector('.player').dataset.playing",
    )
    wind_to(page, 0)  # which also halts it
    page.click(".player button")
    assert page.run(playing) == "true"
    page.run(f"window.seen = new Set(); window.look = setInterval(() => seen.add({value}), 5)")
    page.wait_for(f"seen.size === {FRAMES} && {value} === '1'")  # so it also began again
    page.run("clearInterval(look); document.querySelector('.player button').focus()")
    page.press("Enter", 13)
    assert page.run(playing) == "false"
    page.run(f"window.seen = new Set(); window.look = setInterval(() => seen.add({value}), 5)")
    page.run("new Promise((done) => setTimeout(done, 250))")  # five frames' time
    assert page.run("clearInterval(look), seen.size") == 1


def test_who_wants_less_motion_gets_a_picture_that_stands_still(browser, index):
    page = browser.open(index, prefers_reduced_motion="reduce")
    page.wait_for("!document.querySelector('.player:not([data-playing])')")
    page.run("document.querySelector('.player').scrollIntoView(); new Promise((done) => setTimeout(done, 250))")
    assert page.run("document.querySelector('.player').dataset.playing") == "false"
    assert shown_frame(page) == FRAMES - 1
    page.close()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_tap_enlarges_a_picture_and_escape_ends_it(page, width):
    page.resize(width, 800)
    page.click("figure img")
    assert page.run("document.getElementById('large').open")
    drawn, natural = page.run(
        "(() => { const i = document.querySelector('dialog img'); return [i.clientWidth, i.naturalWidth]; })()"
    )
    assert drawn >= natural == 1100
    assert page.run("document.getElementById('large-title').textContent") == "A line"
    assert page.run(WIDTH) == width
    page.press("Escape", 27)
    assert not page.run("document.getElementById('large').open")


def test_pictures_can_be_enlarged_by_keyboard_and_the_focus_returns(page):
    page.run("document.querySelector('.enlarge').focus()")
    page.press("Enter", 13)
    assert page.run("document.getElementById('large').open && document.activeElement.textContent === 'Close'")
    page.press("Enter", 13)
    assert not page.run("document.getElementById('large').open")
    assert page.run("document.activeElement === document.querySelector('.enlarge')")


def test_an_animation_is_enlarged_in_motion(page):
    page.click(".player button")
    page.click(".player canvas")
    picture = "document.querySelector('dialog canvas').toDataURL()"
    page.run(f"window.seen = new Set(); window.watch = setInterval(() => seen.add({picture}), 5)")
    page.wait_for(f"seen.size >= {FRAMES}")
    page.run("clearInterval(watch)")
    page.click("dialog canvas")
    assert not page.run("document.getElementById('large').open")


def test_a_command_is_copied(page):
    page.browser.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.click(".copy")
    page.wait_for("document.getElementById('status').textContent.startsWith('copied')")
    assert page.run("navigator.clipboard.readText()") == "python -m demos.page02_likelihood --seed 0"


def test_where_copying_is_forbidden_the_command_is_selected(page):
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('forbidden')); 0")
    page.click(".copy")
    page.wait_for("getSelection().toString() === 'python -m demos.page02_likelihood --seed 0'")


def test_a_link_of_the_contents_leads_to_its_chapter(page):
    page.click("nav a[href='#page11_grid']")
    page.wait_for("Math.abs(document.getElementById('page11_grid').getBoundingClientRect().y) < 30")


def test_without_scripts_the_animation_plays_by_itself(browser, index):
    page = browser.open(index, PHONE)
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    page.send("Page.navigate", url=index.as_uri())
    page.wait_for("document.readyState === 'complete' && !!document.querySelector('.player img')")
    assert page.run("document.querySelectorAll('canvas').length") == 0
    assert page.run(BROKEN) == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_is_wrong_with_the_gallery_of_all_demos(browser, width):
    path, required = ROOT / "demos/out/index.html", bool(os.environ.get(browsers.REQUIRED))
    if not path.exists() and not required:
        pytest.skip("there is no demos/out/index.html: run make demo first")
    page = browser.open(path, width)
    assert check(page) == []
    assert page.run("document.querySelectorAll('img, canvas').length") > (80 if required else 0)  # else of a part
    page.close()


def test_a_missing_browser_is_a_failure_where_one_is_required(monkeypatch):
    monkeypatch.setattr(browsers.shutil, "which", lambda name: None)
    monkeypatch.setenv(browsers.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no Chromium is installed"):
        browsers.find_chromium()
    monkeypatch.delenv(browsers.REQUIRED)
    with pytest.raises(pytest.skip.Exception, match="no Chromium is installed"):
        browsers.find_chromium()
