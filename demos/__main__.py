"""Run the demos in the order of the lecture, and write their gallery.

python -m demos                    all of them
python -m demos --list             what there is
python -m demos --only page09      those whose name begins so
"""

from __future__ import annotations

import argparse
import importlib
import sys

from demos.common import add_options, perform
from demos.gallery import write_index

DEMOS = [
    "page02_likelihood",
    "page02_probe",
    "page03_mixture",
    "page03_plane",
    "page04_marginal",
    "page04_jensen",
    "page04_gap",
    "page05_em",
    "page05_theta_gradient",
    "page06_gradients",
    "page06_estimators",
    "page06_bounds",
    "page06_discrete",
    "page07_spiral",
    "page08_kl",
    "page08_linear_vae",
    "page09_vae",
    "page09_iwae",
    "page09_collapse",
    "page09_factors",
    "page10_chain_rule",
    "page10_masks",
    "page10_made",
    "page10_binary",
    "page10_context",
    "page10_orders",
    "page10_text",
    "page10_pixels",
    "page10_transformer",
    "page10_language",
    "page10_cache",
    "page11_change_of_variables",
    "page11_grid",
    "page11_couplings",
    "page11_spline_affine",
    "page11_maf_iaf",
    "page11_filament",
    "page11_reverse_kl",
    "page11_dequantisation",
    "page11_digits",
    "page12_sde",
    "page12_steps",
    "page12_score",
    "page12_variance",
    "page12_ddpm",
    "page12_digits",
    "page12_flow_matching",
]


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
    chapters = []
    for i, (name, module) in enumerate(chosen.items(), 1):
        print(f"-- {i} of {len(chosen)}: {name}")
        chapters.append(perform(module, f"demos.{name}", options))
        print(f"wrote {write_index(chapters, options.out)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
