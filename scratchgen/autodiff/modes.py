"""Switches for a block of code: ``no_grad`` and ``detect_anomaly``. Each holds for its own thread only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

recording: ContextVar[bool] = ContextVar("recording", default=True)
looking_for_anomalies: ContextVar[bool] = ContextVar("looking_for_anomalies", default=False)


@contextmanager
def switched(mode: ContextVar[bool], on: bool) -> Iterator[None]:
    """Within this block the mode is on, or off; afterwards it is what it was before, after an exception too."""
    token = mode.set(on)
    try:
        yield
    finally:
        mode.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this block nothing is recorded: results need no gradient, and no memory for one.

    >>> from scratchgen.autodiff import Tensor
    >>> x = Tensor(3.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """
    with switched(recording, False):
        yield


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within this block, the operation in which a NaN or inf is born raises FloatingPointError, forward or backward.

    >>> import numpy as np
    >>> from scratchgen.autodiff import Tensor
    >>> with detect_anomaly(), np.errstate(divide="ignore"):
    ...     np.log(Tensor([1.0, 0.0]))
    Traceback (most recent call last):
        ...
    FloatingPointError: the forward pass of log gave -inf at (1,); the shapes of its inputs are (2,)
    """
    with switched(looking_for_anomalies, True):
        yield
