"""The error of the gradient check."""

from __future__ import annotations

import math


class GradientError(AssertionError):
    """A derivative is not what it should be.

    Attributes:
        order: 1 for a gradient, 2 for a derivative of a gradient.
        argument: the number of the input that it is with respect to; None if all.
        index: where in that input; None along a random direction.
        analytic: what the backward pass computed.
        numeric: what the oracle computed, and ``estimate``, how far from the truth that may be.
        operation: the operation whose own rule is wrong, where one was found; else the name of the function.
    """

    def __init__(
        self,
        message: str,
        order: int = 1,
        argument: int | None = None,
        index: tuple[int, ...] | None = None,
        analytic: float = math.nan,
        numeric: float = math.nan,
        estimate: float = math.nan,
    ) -> None:
        super().__init__(message)
        self.message, self.order, self.argument, self.index = message, order, argument, index
        self.analytic, self.numeric, self.estimate = analytic, numeric, estimate
        self.operation = ""

    def __str__(self) -> str:
        return self.message
