"""The promise of this package, kept by checks: the gradient of every operation, layer and loss.

``sample`` says what is tried of an operation, and ``suite`` tries it; ``cases`` is how layers, distributions and models
are registered, and checked. ``table`` prints what both find: ``python -m scratchgen gradcheck --all``, of ``command``.
The other files are the lists themselves, one for each topic.
"""
