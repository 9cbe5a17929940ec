"""One script an experiment, named by the page of the lecture that it shows. Run them all by ``python -m demos``."""

import os

# Before anything imports NumPy. With a thread for each core, products this small wait for the slowest of them: beside
# other work a training took five times as long. And the bits of a result would depend on how many cores there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
