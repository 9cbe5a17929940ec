"""What a user pays before the first step: import time, time to the first training step, and peak memory.

Everything is measured in new processes, the libraries taking turns. The process that starts them imports nothing but
NumPy: Linux hands the peak memory of a parent on to its children, so that a large parent would show in every figure.
"""

import os
import subprocess
import sys
import time

from .race import ROOT, Settings, Worker

WORKLOAD = "vae"
MEMORY_STEPS = 20

# An `import scratchgen` that loads nothing would look fast and say nothing: count what a training step imports.
MODULES = {"scratchgen": "scratchgen, scratchgen.autodiff, scratchgen.optim"}
IMPORT = "import time; start = time.perf_counter(); import {0}; print(time.perf_counter() - start)"

# pip compiled the libraries when it installed them. What lies in this folder is compiled at its first import, and each
# time anew where the environment forbids to write that down.
MAY_COMPILE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def import_seconds(peer: str) -> float:
    """Import the library in a new interpreter, without the start of the interpreter."""
    code = IMPORT.format(MODULES.get(peer, peer))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=MAY_COMPILE, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def first_step_and_peak(peer: str, settings: Settings) -> tuple[float, float | None]:
    """Seconds from starting a process to the end of its first step of the vae; MB at most after twenty more.

    The figure includes the interpreter, the imports, drawing the weights and data, and one update by Adam.
    """
    start = time.perf_counter()
    with Worker(WORKLOAD, peer, settings) as worker:
        worker.ask("losses 1")
        seconds = time.perf_counter() - start
        worker.ask(f"time {MEMORY_STEPS}")
        return seconds, worker.ask("memory")


def measure(peers: list[str], runs: int, settings: Settings) -> dict[str, dict[str, list[float]]]:
    """{"import" | "first step" | "peak": {peer: one figure a run}}; a peak that cannot be had is left out."""
    results: dict[str, dict[str, list[float]]] = {
        what: {peer: [] for peer in peers} for what in ("import", "first step", "peak")
    }
    for peer in peers:
        import_seconds(peer)  # untimed: compiles
    for _ in range(runs):
        for peer in peers:
            results["import"][peer].append(import_seconds(peer))
        for peer in peers:
            seconds, peak = first_step_and_peak(peer, settings)
            results["first step"][peer].append(seconds)
            if peak is not None:
                results["peak"][peer].append(peak)
    return results
