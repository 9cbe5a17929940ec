"""The command line of the benchmark: `python -m tests.bench --help`."""

import argparse
import contextlib
import os
import platform
import sys
from collections.abc import Callable

import numpy as np

from . import peers, workloads
from .race import AGREEMENT_STEPS, TOLERANCE, Settings, Worker, largest_difference, race
from .report import ratios, spread, table
from .sharding import in_new_process
from .startup import measure

REFERENCES = ("torch", "numpy")


def list_of(*allowed: str) -> Callable[[str], list[str]]:
    """An argparse type: names separated by commas, each one of those allowed."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(allowed)}")
        return names

    return parse


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Training steps beside other libraries.")
    parts = (*workloads.NAMES, "startup", "sharding")
    parser.add_argument("--only", type=list_of(*parts), default=parts, help=f"of {','.join(parts)}")
    parser.add_argument("--peers", type=list_of(*peers.NAMES), default=peers.NAMES, help=f"of {','.join(peers.NAMES)}")
    parser.add_argument("--rounds", type=int, help="turns of each peer (30; with --quick 5)")
    parser.add_argument("--quick", action="store_true", help="5 rounds, 3 new processes a peer")
    parser.add_argument("--threads", type=int, default=2, help="threads of BLAS and of the peers (2)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, data and turns (0)")
    parser.add_argument(
        "--tiny", action="store_true", help="toy sizes, to try the harness itself; its times mean nothing"
    )
    options = parser.parse_args(argv)
    if options.rounds is None:
        options.rounds = 5 if options.quick else 30
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    return options


def run_workload(name: str, names: list[str], rounds: int, settings: Settings) -> None:
    """Agreement, race and table of one workload."""
    workload = workloads.load(name)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, peer, settings)) for peer in names]
        losses = {worker.peer: worker.ask(f"losses {AGREEMENT_STEPS}") for worker in workers}
        difference = largest_difference(losses)
        seconds = race(workers, rounds, workload.STEPS, settings.seed)
    print(f"\n{workload.DESCRIPTION}")
    print(f"losses agree to {difference:.0e} over {AGREEMENT_STEPS} steps (at most {TOLERANCE:.0e})", end="; ")
    print(f"{rounds} rounds of {workload.STEPS} steps")
    header = ["", "ms a step", *(f"/ {reference}" for reference in REFERENCES)]
    rows = [
        [peer, spread(seconds[peer], 3, 1e3), *(spread(ratios(seconds, peer, ref)) for ref in REFERENCES)]
        for peer in names
    ]
    print(table(header, rows))
    print(f"aim for scratchgen: at most {workload.AIM:.2f} of torch and 1.10 of numpy", flush=True)


def run_startup(names: list[str], runs: int, settings: Settings) -> None:
    """Table of import time, time to the first step and peak memory."""
    results = measure(names, runs, settings)
    imports = results["import"]
    rows = [
        [
            peer,
            spread(imports[peer]),
            spread(ratios(imports, peer, "numpy")),
            spread(results["first step"][peer]),
            spread(results["peak"][peer], 0),
        ]
        for peer in names
    ]
    print(f"\nstartup: new processes, {runs} of each; the first step is of the vae")
    print(table(["", "import s", "/ numpy", "new process to first step s", "peak MB"], rows))
    print("aim for scratchgen: import at most 1.30 of numpy, first step within 0.35 s, 60 MB", flush=True)


def main(argv: list[str] | None = None) -> None:
    options = arguments(argv)
    names = [peer for peer in options.peers if peers.present(peer)]
    settings = Settings(options.seed, options.threads, options.tiny)
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {options.threads} threads"
    )
    if hasattr(os, "getloadavg"):
        print(f"load average before the start: {os.getloadavg()[0]:.1f} (the figures are good for an idle machine)")
    if "OPENBLAS_CORETYPE" in os.environ:  # a peer with a BLAS of its own does not know of it
        print(f"OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']} holds NumPy to the products of that processor")
    print("median (lower–upper quartile); a ratio is formed within each round; lower is faster")
    for peer in options.peers:
        if peer not in names:
            print(f"{peer}: not installed, skipped")
    if not names:
        sys.exit("no peer is left to run")
    for i, name in enumerate(options.only, 1):
        print(f"{i} of {len(options.only)}: {name}", file=sys.stderr, flush=True)
        if name in workloads.NAMES:
            run_workload(name, names, options.rounds, settings)
    if "startup" in options.only:
        run_startup(names, 3 if options.quick else 11, settings)
    if "sharding" in options.only:
        in_new_process(3 if options.quick else 10, options.seed, options.tiny)


if __name__ == "__main__":
    main()
