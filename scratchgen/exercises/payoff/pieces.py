"""The functions that a payoff is put together from: the learner's own where it may be used, else the solution.

A payoff calls them by name, ``pieces.kl_gaussians(…)``, whoever wrote them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.exercises.kit.exercise import Exercise
from scratchgen.exercises.kit.failure import Failure
from scratchgen.exercises.kit.judge import Student, name_of, raised
from scratchgen.exercises.kit.reading import define

ARRAYS_ONLY = """yours is for arrays only, and training needs gradients through it. So the solution trains, and
yours is used on what was trained. Made of NumPy's functions and operators, without assignment to elements, it would
work on Tensors too."""


class Pieces:
    """All functions of some exercises, by their names.

    Args:
        exercises: those that a payoff needs.
        files: the learner's files by the exercises' names; the solution stands in where there is none.

    Raises:
        Unreadable: for a file that cannot be run.

    >>> from scratchgen.exercises.kit import exercises
    >>> Pieces([exercises()[11]], {}).kl_gaussians(np.ones((1, 2)), *3 * [np.zeros((1, 2))])
    array([1.])
    """

    def __init__(self, exercises: list[Exercise], files: Mapping[str, Path]) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._own: set[str] = set()
        self._exercises = {name: exercise for exercise in exercises for name in exercise.functions}
        for exercise in exercises:
            own = exercise.id in files
            student = Student(define(files[exercise.id]) if own else exercise.names(exercise.solution))
            for name in exercise.functions:
                self._functions[name] = guarded(getattr(student, name))
                self._own |= {name} if own else set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"no exercise of this payoff has {name}") from None

    def is_own(self, name: str) -> bool:
        """Whether the learner wrote this function."""
        return name in self._own

    def solution(self, name: str) -> Callable[..., Any]:
        """The function of the solution, whoever wrote the one that is used."""
        exercise = self._exercises[name]
        return guarded(exercise.names(exercise.solution)[name])


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which tells the learner's own line if it raises an exception, or if it returns nothing.

    >>> guarded(lambda x: 1 / x)(0)
    Traceback (most recent call last):
    scratchgen.exercises.kit.failure.Failure: Your function raised ZeroDivisionError: division by zero
    ...
    """

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        try:
            with np.errstate(all="ignore"):  # a training that diverges is told of by its value
                result = function(*arguments)
        except Failure:  # of another piece, which this one called
            raise
        except (Exception, SystemExit) as error:
            given = {f"argument {i}": value for i, value in enumerate(arguments, 1)}
            raise raised(name_of(function), error, "the training, or what is drawn after it", given) from error
        if result is None:
            raise Failure(f"{name_of(function)} returned None: is its `return` missing?")
        return result

    return run


def trainable(pieces: Pieces, name: str, trial: Callable[[Callable[..., Any], Tensor], Any]) -> Callable[..., Any]:
    """The function for use in training: the learner's if gradients flow through it, else the solution, which is said.

    Some exercises ask for a function of arrays. It works on Tensors too if it is made of NumPy's functions and
    operators; not if it fills an array element by element, or calls what knows arrays only.

    Args:
        pieces: with the function.
        name: of the function.
        trial: calls a function with what depends on a Tensor, a number, and returns what it returned.

    >>> from scratchgen.exercises.kit import exercises
    >>> pieces = Pieces([exercises()[11]], {})
    >>> trainable(pieces, "kl_gaussians", lambda f, p: f(*4 * [p * np.ones((1, 2))])) == pieces.kl_gaussians
    True
    """
    function = getattr(pieces, name)
    parameter = Tensor(0.5, requires_grad=True)
    try:
        result = trial(function, parameter)
        for part in result if isinstance(result, tuple) else (result,):
            parameter.grad = None
            np.sum(part).backward(retain_graph=True)
            if parameter.grad is None:
                raise TypeError("no gradient")
    except (Failure, TypeError, ValueError, AttributeError, RuntimeError):
        if not pieces.is_own(name):
            raise
        print(f"{name}: {ARRAYS_ONLY}", flush=True)
        return pieces.solution(name)
    return function


def weights(layers: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Tensor, Tensor]]:
    """The arrays that ``init_mlp`` makes, as Tensors that can be trained.

    >>> [[W, b]] = weights([(np.ones((1, 1)), np.zeros(1))])
    >>> W
    Tensor([[1.]], requires_grad=True)
    """
    return [(Tensor(W, requires_grad=True), Tensor(b, requires_grad=True)) for W, b in layers]


class Optimizer:
    """Exercise 6 as an object: it keeps the averages of all parameters, and steps them together.

    Args:
        pieces: with ``adam_step``.
        networks: lists of layers, each a pair (W, b) of Tensors.
        lr: the learning rate; may be changed between steps.

    >>> from scratchgen.exercises.kit import exercises
    >>> p = Tensor([1.0], requires_grad=True)
    >>> optimizer = Optimizer(Pieces([exercises()[6]], {}), [[(p,)]], lr=0.1)
    >>> (-200 * p).sum().backward()
    >>> optimizer.step()
    >>> p
    Tensor([1.1], requires_grad=True)
    """

    def __init__(self, pieces: Pieces, networks: list[Any], lr: float) -> None:
        self.parameters: list[Tensor] = [p for layers in networks for layer in layers for p in layer]
        self.averages = [(np.zeros(p.shape), np.zeros(p.shape)) for p in self.parameters]
        self.adam_step, self.lr, self.steps = pieces.adam_step, lr, 0

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """One step of Adam for each parameter that has a gradient."""
        self.steps += 1
        for i, p in enumerate(self.parameters):
            if p.grad is not None:
                m, v = self.averages[i]
                value, m, v = self.adam_step(p.data.copy(), np.array(p.grad), m, v, self.steps, self.lr)
                self.averages[i] = m, v
                p.assign(value)
