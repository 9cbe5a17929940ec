"""What the README shows is true: its example runs and prints what it says, and its paths and commands exist."""

import re
from pathlib import Path

import numpy as np

from demos.__main__ import DEMOS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_it_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    gradient, elbo, image = capsys.readouterr().out.split("\n", 2)
    assert gradient in code
    # The last digits depend on the machine's rounding; a model that knows nothing has −64 log 17 = −181.
    assert abs(float(elbo) - -102) < 3
    image = np.array([[int(n) for n in re.findall(r"\d+", row)] for row in image.strip().split("\n")])
    assert image.shape == (8, 8) and 0 <= image.min() and image.max() <= 16


def test_the_paths_exist():
    for path in re.findall(r"`([\w/]+(?:/|\.py|\.md))`", TEXT.replace("`mine.py`", "")):
        roots = ("", "scratchgen", "scratchgen/autodiff", "scratchgen/latent")
        assert any((ROOT / root / path).exists() for root in roots), path


def test_the_commands_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"make ([a-z-]+)(?:`|  )", TEXT):
        assert target in targets


def test_the_table_has_every_demo_and_no_other():
    assert set(re.findall(r"`(page\d\d_\w+)`", TEXT)) == set(DEMOS)
