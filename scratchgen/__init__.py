"""scratchgen: generative models from scratch, in NumPy that you can differentiate.

The lecture *Unsupervised Learning: latent variable models, variational autoencoders* as running code.
Start with ``scratchgen.autodiff`` (the engine) or ``scratchgen.latent.vae`` (what it is for). The README maps pages to
files.
"""

__version__ = "0.1.0"
