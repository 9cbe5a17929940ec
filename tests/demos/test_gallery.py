"""The gallery as a file: whole in itself, in the order of the lecture, with what was handed over and nothing broken."""

import base64
import doctest
import html
import importlib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from demos import contents
from demos.chapters import Chapter, Picture
from demos.gallery import embed, lecture, sources, write_index
from demos.gallery.notation import typeset
from demos.gallery.table import table
from tests.demos.synthetic_gallery import LONG, NASTY, chapters

ROOT = Path(__file__).resolve().parents[2]
EMPTY = {"meta", "link", "img", "br", "wbr", "input"}


class Parsed(HTMLParser):
    """The elements of a page, in order, with their attributes and text; every element has to be closed where it may."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        if tag not in EMPTY:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def all(self, *tags):
        return [(attributes, text) for tag, attributes, text in self.elements if tag in tags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("a gallery")


@pytest.fixture(scope="module")
def page(folder):
    return Parsed(write_index(chapters(folder), folder).read_text(encoding="utf-8"))


def test_the_pictures_are_in_the_page(page, folder):
    sources = [attributes["src"] for attributes, _ in page.all("img")]
    assert len(sources) == 3
    for source, name in zip(sources, ("plain.png", "nasty <&'.png", "motion.gif")):
        kind, data = source.split(";base64,")
        assert kind == f"data:image/{name[-3:]}"
        assert base64.b64decode(data) == (folder / name).read_bytes()


def test_nothing_is_loaded_from_elsewhere(page):
    """Links may lead out of the page; scripts, styles, pictures and icons may not."""
    for _, attributes, _ in page.elements:
        assert attributes.get("src", "data:").startswith("data:")
    assert [a["href"] for a, _ in page.all("link")] == ["data:,"]
    assert all("url(" not in text and "@import" not in text for _, text in page.all("style", "script"))


def test_the_alternative_text_says_what_is_to_be_seen(page):
    alternatives = [attributes["alt"] for attributes, _ in page.all("img")]
    assert alternatives[0] == "A line, y = x_{i+1}; x^2 ≥ 0: It rises from 0 to 1."
    assert NASTY in alternatives[1] and LONG in alternatives[1]
    assert alternatives[2] == "Crosses, z = t: A cross walks down a diagonal."


def test_sizes_are_told_before_the_pictures_are_decoded(page):
    assert [(a["width"], a["height"]) for a, _ in page.all("img")] == [("1100", "200"), ("200", "200"), ("50", "50")]


def test_headings_go_down_by_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _, _ in page.elements if tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pages_of_the_lecture_come_in_order_and_are_in_the_contents(page):
    parts = [text for _, text in page.all("h2")]
    assert parts == ["Contents", "Page 2: Maximum likelihood", "Page 11: Normalising flows", "All families together"]
    titles = [text for _, text in page.all("h3")]
    assert titles == ["A plain one", NASTY[0].upper() + NASTY[1:], "In motion", "All of them"]
    anchors = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [a["href"][1:] for a, _ in page.all("a") if a["href"].startswith("#")]
    assert set(links) <= set(anchors)
    assert [link for link in links if link in ("page02", "page11", "together")] == ["page02", "page11", "together"]
    assert {"page02_likelihood", "page02_nasty", "page11_grid", "board"} <= set(links)


def test_labels_point_at_what_is_there(page):
    anchors = {attributes.get("id") for _, attributes, _ in page.elements}
    assert {a["aria-labelledby"] for _, a, _ in page.elements if "aria-labelledby" in a} <= anchors
    assert page.all("html")[0][0]["lang"] == "en"


def test_what_was_handed_over_is_shown_as_it_was(page):
    assert [text for _, text in page.all("figcaption")][:2] == ["It rises from 0 to 1.", f"{NASTY} {LONG}"]
    figures = [text for attributes, text in page.all("li") if not text.startswith(("Page", "All"))]
    assert figures[-5:] == ["slope: 1.00 ± 0.01, exactly 1", "    and on", NASTY, LONG, "done"]
    assert "python -m demos.page11_grid --seed 0" in [text for _, text in page.all("code")]
    assert len(page.all("script")) == 1 and not [text for _, text in page.all("title") if "<" in text]


def test_the_docstring_leads_and_its_lists_keep_their_lines(page):
    about = [text for attributes, text in page.all("p") if attributes.get("class") == "about"]
    assert about == ["One line says it.", f"{NASTY} {LONG}"]
    assert [text for _, text in page.all("pre")] == ["    a list   of it"]


def test_a_page_of_its_own_is_linked(page):
    (link,) = [(a, text) for a, text in page.all("a") if a.get("class") == "page"]
    assert link == ({"class": "page", "href": "explore.html"}, "Open An explorer")


def test_what_to_look_at_first_is_linked_at_the_top(page):
    (first,) = [text for _, text in page.all("p") if text.startswith("Look first")]
    assert first == "Look first at: All of them, An explorer."
    assert any("4 demos, 3 pictures" in " ".join(text.split()) for _, text in page.all("p"))


def test_links_to_the_source_lead_to_files(page, folder):
    links = [a["href"] for a, _ in page.all("a") if a["href"].endswith(".py")]
    files = {(folder / unquote(link)).resolve().relative_to(ROOT).as_posix() for link in links}
    assert {"demos/page02_likelihood.py", "demos/page11_grid.py", "scratchgen/flows/flow.py"} <= files
    assert all((ROOT / file).is_file() for file in files)
    assert sources.address("demos/a b.py", ROOT / "demos/out") == "../a%20b.py"


@pytest.mark.parametrize("name", contents.DEMOS)
def test_every_demo_shows_files_that_are_there(name):
    own, *shown = sources.files(name)
    assert own in (f"demos/{name}.py", f"demos/{name}/__init__.py") and shown
    assert all((ROOT / path).is_file() for path in (own, *shown))


def test_a_demo_that_uses_tools_alone_shows_them():
    assert "scratchgen/autodiff/tensor.py" in sources.files("page06_gradients")
    assert "scratchgen/autodiff/tensor.py" not in sources.files("page06_bounds")
    assert sources.files("page99_nothing") == []


def test_a_csv_file_becomes_a_table(page):
    rows = [text for _, text in page.all("th")]
    assert rows[:3] == ["model", "nats", "another column 0"] and rows[-2:] == [NASTY, "truth"]
    cells = [(a.get("class"), text) for a, text in page.all("td")]
    assert cells[:2] == [("number", "-1.25 ± 0.01"), (None, "a")] and cells[10:12] == [("number", "3"), (None, "a")]


def test_a_row_that_is_too_short_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.csv: row 1 has 1 cells, but there are 2 columns"):
        table(tmp_path / "a.csv", "Nothing")


def test_an_error_of_nothing_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("± a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="± a is the error of no column before it"):
        table(tmp_path / "a.csv", "a")


@pytest.mark.parametrize("damage", ["picture", "table"])
def test_a_damaged_chapter_leaves_the_others_and_an_index_that_is_whole(tmp_path, capsys, damage):
    """As while another command writes them; and the old index is replaced in a single step."""
    first, *others = chapters(tmp_path)
    if damage == "picture":
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"")
        first = first._replace(pictures=[Picture(bad, "t", "", "c")])
    else:
        (tmp_path / f"{first.name}.csv").write_text("a,b\n1\n", encoding="utf-8")
    parsed = Parsed(write_index([first, *others], tmp_path).read_text(encoding="utf-8"))
    titles = [text for _, text in parsed.all("h3")]
    assert len(titles) == len(others)
    assert f"{first.name} is left out of the gallery, run the demo again: " in capsys.readouterr().err
    assert f'href="#{first.name}"' not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_an_empty_csv_file_is_no_table(tmp_path):
    (tmp_path / "a.csv").write_text("\n", encoding="utf-8")
    assert table(tmp_path / "a.csv", "Nothing") == ""


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png is neither a PNG nor a GIF; save pictures with Stage\.save"):
        embed.size(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("equation", "shown"),
    [
        ("x_<j", "<i>x</i><sub>&lt;<i>j</i></sub>"),
        ("f_1⁻¹(z)", "<i>f</i><sub>1</sub>⁻¹(<i>z</i>)"),
        ("e^{−a(x)} s^½", "<i>e</i><sup>−<i>a</i>(<i>x</i>)</sup> <i>s</i><sup>½</sup>"),
        ("w̃_k² & KL_i", "<i>w̃</i><sub><i>k</i></sub>² &amp; KL<sub><i>i</i></sub>"),
        ("p_model of a mixture", "<i>p</i><sub>model</sub> of a mixture"),
        ("dμ = σ(a z)", "<i>d</i><i>μ</i> = <i>σ</i>(<i>a</i> <i>z</i>)"),
    ],
)
def test_equations_are_typeset(equation, shown):
    assert typeset(equation) == f"<span>{shown}</span>"


@pytest.mark.parametrize("module", ["fragments", "lecture", "notation", "sources"])
def test_the_examples_run(module):
    result = doctest.testmod(importlib.import_module(f"demos.gallery.{module}"))
    assert result.attempted and not result.failed


def test_a_page_that_the_lecture_does_not_have_is_named_by_its_number():
    (part,) = lecture.parts([Chapter("One", "", [], [], "page40_new")])
    assert part.heading == "Page 40"


def test_nasty_texts_stay_texts_wherever_they_are(tmp_path):
    """In a list of the docstring, the name and the title of a page, a heading, a column, and a cell."""
    (tmp_path / "a&'b c.html").touch()
    picture = Picture(tmp_path / "a&'b c.html", NASTY, "", "c")
    chapter = Chapter(NASTY, NASTY, [picture], [], name="leaderboard", about=f"First.\n\n    {NASTY}")
    (tmp_path / "leaderboard.csv").write_text("a,<b>\n1,<script>alert(1)</script>\n", encoding="utf-8")
    page = Parsed(write_index([chapter], tmp_path).read_text(encoding="utf-8"))
    assert len(page.all("script")) == 1 and not page.all("b")
    label, _ = [a["aria-label"] for a, _ in page.all("div") if a.get("class") == "scroll"]  # and that of the frame
    heading = NASTY[:1].upper() + NASTY[1:]
    assert label == heading and [text for _, text in page.all("caption", "h3")] == [heading] * 2
    assert [text for _, text in page.all("code")] == [NASTY] and [text for _, text in page.all("th")][1] == "<b>"
    assert [text for _, text in page.all("td")] == ["<script>alert(1)</script>"]
    assert [text for _, text in page.all("pre")] == [f"    {NASTY}"]
    (link,) = [(a, text) for a, text in page.all("a") if a.get("class") == "page"]
    assert unquote(link[0]["href"]) == "a&'b c.html" and " " not in link[0]["href"] and link[1] == f"Open {NASTY}"


def test_width_and_height_of_a_gif(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + (300).to_bytes(2, "little") + (20).to_bytes(2, "little"))
    assert embed.size(tmp_path / "a.gif") == (300, 20)


def test_an_equation_is_not_needed(tmp_path):
    (tmp_path / "a.html").write_text("", encoding="utf-8")
    chapter = Chapter("One", "python", [Picture(tmp_path / "a.html", "A", " ", "B")], [])
    text = write_index([chapter], tmp_path).read_text(encoding="utf-8")
    assert 'class="equation"' not in text and html.escape("A") in text
