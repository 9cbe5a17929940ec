"""What a run leaves behind: chapters reach the next gallery as they were, and a damaged one leaves the others."""

import json

import pytest

from demos import contents
from demos.chapters import Chapter, Picture, forget, keep, kept


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder for the chapters of the demos one and two."""
    monkeypatch.setattr(contents, "DEMOS", ["two", "one"])
    return tmp_path


def chapter(folder, name, picture="a.png"):
    (folder / picture).write_bytes(b"a picture")
    picture = Picture(folder / picture, "Σ < 1", "p(x)", 'a "caption"')
    return Chapter("Title", f"python -m demos.{name}", [picture], ["log p = −1 ± 2"], name, "About.", 1.5)


def test_chapters_come_back_as_they_were_in_the_order_of_the_lecture(folder):
    one, two = chapter(folder, "one"), chapter(folder, "two")
    keep(one, folder)
    keep(two, folder)
    assert kept(folder) == [two, one]


def test_the_folder_can_be_moved(folder):
    keep(chapter(folder, "one"), folder)
    moved = folder.rename(folder.parent / "elsewhere, with spaces")
    (only,) = kept(moved)
    assert only.pictures[0].path == moved / "a.png"


def test_a_new_run_takes_the_place_of_the_old_one(folder):
    keep(chapter(folder, "one"), folder)
    new = chapter(folder, "one", "b.png")
    keep(new, folder)
    assert kept(folder) == [new]
    forget("one", folder)
    forget("one", folder)  # which was not there
    assert kept(folder) == []


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"pictures": []}', '{"pictures": [{"path": "a.png"}]}', "\xff"])
def test_a_damaged_chapter_is_left_out_with_a_warning(folder, capsys, damage):
    two = chapter(folder, "two")
    keep(two, folder)
    (folder / "one.json").write_bytes(damage.encode("latin-1"))
    assert kept(folder) == [two]
    assert f"{folder / 'one.json'} is left out of the gallery, run the demo again: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        *({"title": 5}, {"about": None}, {"command": ["a"]}, {"results": 3}, {"results": [1]}, {"seconds": "long"}),
        *({"name": "two"}, {"title": "\ud800"}),
        {"pictures": [{"path": "a.png", "title": 1, "equation": "", "caption": ""}]},
    ],
)
def test_what_is_not_of_its_type_is_left_out(folder, capsys, change):
    path = keep(chapter(folder, "one"), folder)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    assert kept(folder) == []
    assert "is left out of the gallery" in capsys.readouterr().err


def test_a_chapter_without_its_picture_is_left_out(folder, capsys):
    path = keep(chapter(folder, "one"), folder)
    assert json.loads(path.read_text(encoding="utf-8"))["pictures"][0]["path"] == "a.png"
    (folder / "a.png").unlink()
    assert kept(folder) == []
    assert f"there is no picture {folder / 'a.png'}" in capsys.readouterr().err
