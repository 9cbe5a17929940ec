"""scratchgen: generative models from scratch, in NumPy that you can differentiate.

The lecture *Unsupervised Learning: latent variable models, variational autoencoders* as running code. Start with
``autodiff.operations`` (the engine) or ``latent.joint`` (what it is for). The README maps pages to files, and has a way
through them in two hours; the ``__init__`` of each folder says in which order to read it.

What holds everywhere:

    shapes        the batch is the first axis, B; the ``log_prob`` of a model gives (B,)
    units         nats: natural logarithms. 1 nat is 1.44 bits
    losses        sum over dimensions and average over the batch, so that the weight of a KL term is 1
    randomness    is an argument: ``rng`` is a ``np.random.Generator`` or an int seed, and where noise is drawn, it can
                  be given instead. Equal seeds give equal bits on one machine with one number of threads; the demos,
                  tests and commands set that to 1, by OPENBLAS_NUM_THREADS
    dtypes        training is float32, checks are float64, and no operation turns one into the other silently
    names         ``logvar``, ``log_scale`` and ``std`` say which they are; weights are (in, out), for ``x @ W + b``
    errors        say what came, what was expected, and what to do
"""

__version__ = "0.1.0"
