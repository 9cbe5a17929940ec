"""Ctrl-C as a request: the step is finished, and only then does the training stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Within this block the first Ctrl-C raises nothing; the function that it yields tells whether it came.

    An exception could come between two operations of an optimiser's step and leave half of it done. The second Ctrl-C
    raises KeyboardInterrupt at once, as always. Python delivers signals to the main thread alone, so in another
    thread this changes nothing, nor where a program has its own handler or, in the background, ignores Ctrl-C.

    >>> with deferred_interrupt() as interrupted:
    ...     for step in range(1000):
    ...         if interrupted():
    ...             break
    """
    asked = False

    def remember(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore_interrupts() -> None:
    """For the workers of a process pool, as its ``initializer``: they work on at Ctrl-C.

    A terminal sends it to all of its processes, and the one that trains needs its workers to finish the step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
