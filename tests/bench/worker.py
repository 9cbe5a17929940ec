"""One peer on one workload in a process of its own: `python -m tests.bench.worker vae numpy SEED full|tiny THREADS`.

It imports as little as it can, since its start is timed and its memory measured. It reads a command a line from stdin
and answers each with a line of JSON:

    losses N    the losses of the next N steps, a list
    time N      seconds per step over the next N steps
    memory      the largest resident set so far, in MB
"""

import json
import os
import sys
import time


def limit_threads(threads: int) -> None:
    """Before NumPy is imported: BLAS and OpenMP read the variables, XLA's thread pool counts the permitted cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def peak_megabytes() -> float | None:
    """Unknown (None) on Windows, which has no `resource`."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


def main() -> None:
    name, peer, seed, size, threads = sys.argv[1:]
    limit_threads(int(threads))
    import numpy as np

    from . import peers, workloads

    workload = workloads.load(name)
    problem = workload.problem(np.random.default_rng(int(seed)), tiny=size == "tiny")
    step = peers.make(peer)(workload, problem)
    done = 0

    for line in sys.stdin:
        command, *count = line.split()
        answer: object
        if command == "memory":
            answer = peak_megabytes()
        elif command == "losses":
            answer = [float(step(done + i)) for i in range(int(count[0]))]
        else:
            start = time.perf_counter()
            for i in range(int(count[0])):
                loss = step(done + i)
            float(loss)
            answer = (time.perf_counter() - start) / int(count[0])
        done += int(count[0]) if count else 0
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
