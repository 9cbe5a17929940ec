"""How fast is a training step, beside other libraries? Run `python -m tests.bench` (or `make bench`).

Every peer takes the same training steps (forward, loss, backward, Adam) in float32, from the same weights, on the
same batches and noise. The losses must agree before anything is timed. Each peer lives in its own process, as its user
would run it; the peers take turns, round by round, and a ratio is formed within a round, so that a machine that slows
down slows both sides of it. Run it on an idle machine all the same: two threads of BLAS wait for each other, and
another program on one of two cores makes a product several times slower.

    python -m tests.bench --quick                     a short run
    python -m tests.bench --only vae,startup          some of the workloads (startup: import, first step, memory)
    python -m tests.bench --only sharding             a batch shared among processes, by fit(…, executor=)
    python -m tests.bench --peers numpy,scratchgen    some of the peers
    python -m tests.bench --rounds 50 --seed 1 --threads 1

A new workload is one file in `workloads/`; a new peer is one function in `peers.py`.
"""
