"""The demos run, say what they write, and reach the figures that the README names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from demos.__main__ import DEMOS

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, expect=0):
    result = subprocess.run(
        [sys.executable, "-m", "demos", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == expect, result.stderr
    return result.stdout + result.stderr


def test_every_demo_is_listed():
    scripts = {path.stem for path in (ROOT / "demos").glob("page*.py")} | {"leaderboard"}
    assert scripts == set(DEMOS)
    listed = run("--list")
    assert all(name in listed for name in DEMOS)


def test_an_unknown_name_is_an_error_that_names_those_near_it():
    text = run("--only", "page06", "page99", expect=2)
    assert "no demo begins with 'page99'; near are page09, " in text and "--list shows all" in text


def test_a_demo_says_what_it_does_and_what_it_wrote_without_a_display(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "absent")
    monkeypatch.delenv("DISPLAY", raising=False)
    text = run("--only", "page06_gradients", "--out", str(tmp_path))
    assert "about 3 s" in text
    for name in ("page06_graph.png", "page06_estimates.png", "index.html"):
        assert f"wrote {tmp_path / name}" in text
        assert (tmp_path / name).stat().st_size > 1000
    mean, error, exact = (float(n) for n in re.search(r"dμ: (\S+) ± (\S+) from .* exactly (\S+)", text).groups())
    assert exact == 3.0 and abs(mean - exact) < 5.96 * error < 0.1


@pytest.mark.slow
def test_the_vae_of_the_digits_reaches_the_published_figure(tmp_path):
    text = run("--only", "page09_vae", "--out", str(tmp_path))
    validation = float(re.search(r"wide, validation set: ELBO (-\d+\.\d+)", text).group(1))
    assert -100.5 <= validation < -90
    # A bound that is tighter, and both of them a long way above 64 log 17 = 181.3 nats, for knowing nothing.
    for elbo, tighter in re.findall(r"ELBO (\S+) ± \S+, importance-weighted log p\(x\) (\S+) ", text):
        assert -110 < float(elbo) < float(tighter) < -85
    assert len(list(tmp_path.glob("page09_*.png"))) == 7
