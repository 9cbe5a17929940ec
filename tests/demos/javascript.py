"""Run the explorer's JavaScript in node, or else in a browser; skips the test where there is neither."""

import json
import shutil
import subprocess

from demos.explore.page import source
from tests import browser


def computed(expression, data, folder):
    """The value of a JavaScript expression that may use ``nets.js``, and the data by the name ``given``."""
    script = f"{source('nets.js')}\nconst given = {json.dumps(data)};\n"
    if node := shutil.which("node"):
        run = subprocess.run(
            [node, "-"],
            input=f"{script}console.log(JSON.stringify({expression}));",
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)
    path = folder / "nets.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><script>{script}</script>', encoding="utf-8")
    with browser.Browser(folder / "profile") as chromium:
        return chromium.open(path).run(expression)
