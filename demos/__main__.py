"""Run the demos in the order of the lecture, and write their gallery.

python -m demos                    all of them
python -m demos --list             what there is
python -m demos --only page09      those whose name begins so
"""

from __future__ import annotations

import argparse
import importlib
import sys

from demos.chapters import kept
from demos.common import add_options, perform
from demos.contents import DEMOS
from demos.gallery import write_index


def main() -> int:
    """Run the chosen demos; the exit code is 1 if there are none."""
    parser = argparse.ArgumentParser(prog="python -m demos", description=__doc__)
    add_options(parser)
    parser.add_argument("--list", action="store_true", help="list the demos and end")
    parser.add_argument("--only", default="", metavar="NAME", help="only those whose name begins with NAME")
    options = parser.parse_args()
    chosen = {name: importlib.import_module(f"demos.{name}") for name in DEMOS if name.startswith(options.only)}
    if not chosen:
        print(f"no demo begins with {options.only}; there are {', '.join(DEMOS)}", file=sys.stderr)
        return 1
    if options.list:
        for name, module in chosen.items():
            print(f"{name:{max(map(len, chosen))}} {module.TITLE} (about {module.SECONDS} s)")
        return 0
    for i, (name, module) in enumerate(chosen.items(), 1):
        print(f"-- {i} of {len(chosen)}: {name}")
        perform(module, f"demos.{name}", options)
        print(f"wrote {write_index(kept(options.out), options.out)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
