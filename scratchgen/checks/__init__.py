"""The promise of this package, kept by checks: the gradient of every operation, layer and loss."""
