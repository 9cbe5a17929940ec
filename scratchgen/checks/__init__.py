"""The promise of this package, kept by checks: the gradient of every operation, layer and loss.

``sample`` says what is tried of an operation, and ``cases`` how layers, distributions and models are registered;
``suite`` runs those of operations; ``command`` both, as ``python -m scratchgen gradcheck --all``. The other files are the
lists themselves, one for each topic.
"""
