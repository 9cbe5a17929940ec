"""What all demos share: the options reach the demo, and what it shows reaches the gallery."""

import html
import shlex
import sys
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import common, contents, page09_vae, training
from demos.chapters import kept
from scratchgen.nn import MLP
from scratchgen.training import History


def demo(title, run):
    """A module such as those of the demos."""
    return types.SimpleNamespace(__doc__=f"What {title} is about.", TITLE=title, SECONDS=1, run=run)


def show(stage, seed):
    """A demo with a result and a picture."""
    stage.say("only progress")
    stage.result(f"the seed was {seed}")
    stage.save(plt.figure(), "picture", "A title", "y = 2x", "What it shows.")


@pytest.fixture
def perform(monkeypatch, tmp_path):
    """Run these demos by their own command lines, called one, two, … ; gives the gallery's text."""

    def run(*chosen, options=()):
        modules = dict(zip(["one", "two"], chosen))
        monkeypatch.setattr(contents, "DEMOS", list(modules))
        for name, module in modules.items():
            module.__spec__, module.__name__ = None, f"demos.{name}"
            monkeypatch.setattr(sys, "argv", [f"demos.{name}", "--out", str(tmp_path), *options])
            common.main(module)
        return (tmp_path / "index.html").read_text(encoding="utf-8")

    return run


def test_the_seed_reaches_the_demo_and_the_command_that_makes_it_again(perform):
    index = perform(demo("One", show), options=["--seed", "7"])
    assert "the seed was 7" in index
    assert "<code>python -m demos.one --seed 7</code>" in index


def test_the_seed_is_0_by_default(perform):
    index = perform(demo("One", show))
    assert "the seed was 0" in index and "--seed 0<" in index


def say_whether_quick(stage, seed):
    """A demo with a short form."""
    stage.result("quick" if stage.quick else "at full length")


def test_quick_reaches_the_demo_and_the_command_that_makes_it_again(perform, capsys):
    module = demo("One", say_whether_quick)
    module.SECONDS, module.QUICK_SECONDS = 60, 9
    index = perform(module, options=["--quick"])
    assert ">quick<" in index and "--seed 0 --quick<" in index
    assert "One: about 9 s" in capsys.readouterr().out
    assert ">at full length<" in perform(module)
    assert "One: about 60 s" in capsys.readouterr().out


def test_options_of_a_demo_reach_it_and_the_command_that_makes_it_again(monkeypatch, tmp_path):
    def tell(stage, seed, word="none", times=1):
        stage.result(f"{word} {times} times")

    module = demo("One", tell)
    module.__spec__, module.__name__ = None, "demos.one"
    monkeypatch.setattr(contents, "DEMOS", ["one"])
    module.OPTIONS = {"word": {}, "times": {"type": int}}
    for options, told in ((["--word", "a b"], "a b 1 times"), (["--times", "3"], "none 3 times"), ([], "none 1 times")):
        monkeypatch.setattr(sys, "argv", ["demos.one", "--out", str(tmp_path), *options])
        common.main(module)
        index = (tmp_path / "index.html").read_text(encoding="utf-8")
        assert f">{told}<" in index
        assert (
            f"<code>{html.escape(shlex.join(['python', '-m', 'demos.one', '--seed', '0', *options]))}</code>" in index
        )


def test_the_gallery_shows_results_and_pictures_but_no_progress(perform, tmp_path):
    index = perform(demo("One", show))
    for shown in (
        "<li>the seed was 0</li>",
        "<h4>A title</h4>",
        '<p class="equation"><span><i>y</i> = 2<i>x</i></span></p>',
        'alt="A title, y = 2x: What it shows."',
        "<figcaption>What it shows.</figcaption>",
    ):
        assert shown in index
    assert "only progress" not in index
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_is_written_whole_and_linked(perform, tmp_path):
    def write(stage, seed):
        """A demo with a page."""
        stage.save_page("<!doctype html><p>σ & μ", "page", "A page", "y = 2x", "What it lets one do.")

    index = perform(demo("One", write))
    assert 'href="page.html">Open A page</a>' in index and "What it lets one do." in index
    assert "<img" not in index
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<!doctype html><p>σ & μ"


def test_the_gallery_has_every_demo_in_order(perform):
    index = perform(demo("First", show), demo("Second", show))
    assert 0 < index.index('<h3 id="one">First</h3>') < index.index('<h3 id="two">Second</h3>')


def test_saved_figures_are_closed(perform):
    before = plt.get_fignums()
    perform(demo("One", show))
    assert plt.get_fignums() == before


def interrupt(stage, seed):
    """A demo during which Ctrl-C is pressed."""
    raise KeyboardInterrupt


def test_ctrl_c_ends_with_a_short_message_and_keeps_what_is_done(perform, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        perform(demo("First", show), demo("Second", interrupt))
    assert end.value.code == 130
    assert capsys.readouterr().err == f"\ninterrupted; what was finished is in {tmp_path}\n"
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<a href="#one">First</a>' in index and '<h3 id="one">First</h3>' in index and "Second" not in index


def test_ctrl_c_in_a_training_ends_the_demo(monkeypatch):
    """``fit`` returns in good order after Ctrl-C; the pictures of an unfinished model are not drawn."""
    monkeypatch.setattr(training, "fit", lambda *args, **options: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        page09_vae.train(MLP([2, 2], 0), np.zeros((1, 2)), np.zeros((1, 2)), 0, lr=1e-3, weight_decay=0.0)


def test_a_negative_seed_is_refused_before_anything_runs(perform, capsys):
    with pytest.raises(SystemExit) as end:
        perform(demo("One", show), options=["--seed", "-1"])
    assert end.value.code == 2
    assert "-1 is not a whole number of at least 0" in capsys.readouterr().err


@pytest.mark.parametrize(("folder", "why"), [("file", "File exists"), ("file/out", "Not a directory")])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(perform, capsys, tmp_path, folder, why):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SystemExit) as end:
        perform(demo("One", interrupt), options=["--out", str(tmp_path / folder)])
    assert end.value.code == 2
    assert f"{tmp_path / folder}: no pictures can be written there ({why}); name" in capsys.readouterr().err


def test_the_index_can_be_left_as_it_is(perform, tmp_path):
    (tmp_path / "index.html").write_text("as it was")
    assert perform(demo("One", show), options=["--no-index"]) == "as it was"
    assert [chapter.title for chapter in kept(tmp_path)] == ["One"]


def test_a_demo_that_fails_leaves_no_chapter_of_an_older_run(perform, tmp_path):
    def fail(stage, seed):
        raise ValueError("no luck")

    perform(demo("One", show))
    with pytest.raises(ValueError, match="no luck"):
        perform(demo("One", fail))
    assert kept(tmp_path) == []
