"""Exercise 7: a network that can do more than a straight line.

A multilayer perceptron is a chain of affine maps with a nonlinearity between them:

    h⁰ = x,    hⁱ = tanh(hⁱ⁻¹ Wⁱ + bⁱ) for all layers but the last,    output = h Wᴸ + bᴸ       (1)

Write its start and its forward pass. The weights must start at random, so that the units of a layer become different,
with standard deviation 1/√(number of inputs), so that numbers keep their size from layer to layer; the biases start
from 0. The forward pass must work for arrays and for Tensors: NumPy's functions work on both.

    init_mlp(sizes, rng)    sizes such as [2, 8, 1], rng a np.random.Generator → a list of (W, b), one pair a layer,
                            W (n_in, n_out) normal with standard deviation 1/√n_in, b zeros (n_out,)
    mlp(layers, x)          x (B, sizes[0]) → (B, sizes[-1]), by (1)

In the lecture: page 7, the encoder and the decoder. Afterwards, look at scratchgen/nn/mlp.py.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect, require
from scratchgen.optim import Adam


def init_mlp(sizes: list[int], rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first weights (n_in, n_out) and biases (n_out,) of each layer.

    >>> [(W.shape, b.shape) for W, b in init_mlp([2, 8, 1], np.random.default_rng(0))]
    [((2, 8), (8,)), ((8, 1), (1,))]
    """
    # solution
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers.append((rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), np.zeros(n_out)))
    return layers
    # end of solution


def mlp(layers: list[tuple[Any, Any]], x: Any) -> Any:
    """The output (B, sizes[-1]) of the network (1) for the rows of x, (B, sizes[0]).

    >>> one = np.ones((1, 1))
    >>> mlp([(2 * one, np.zeros(1)), (10 * one, np.ones(1))], 0.5 * one).round(4)           # 10 tanh(1) + 1
    array([[8.6159]])
    """
    # solution
    for W, b in layers[:-1]:
        x = np.tanh(x @ W + b)
    W, b = layers[-1]
    return x @ W + b
    # end of solution


# end of the learner's part

HINTS = (
    """Go through the layers with a loop, in both functions. Which layer is different, and why should an output not be
    squeezed between −1 and 1?""",
    """W of a layer: rng.normal(size=(n_in, n_out)) / √n_in. Forward: x = np.tanh(x @ W + b) for all layers but the
    last.""",
    """for W, b in layers[:-1]: x = np.tanh(x @ W + b); then W, b = layers[-1]; return x @ W + b. Use np.tanh, which
    works on Tensors too.""",
)

EXPLANATION = """
The check trains yours on XOR, which no straight line can do. If all weights start from 0, the gradients of all hidden
units are equal, here even 0: only the last bias ever learns. Without the nonlinearity the layers are one matrix
product. With weights of standard deviation 1, a layer of 400 inputs of size 1 makes numbers of size 20, where tanh is
flat: its slope is 0.04 on average, and so little of the gradient comes through. That is why the size of the first
weights depends on the number of inputs.
"""

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
XOR = np.array([[0.0], [1.0], [1.0], [0.0]])


def check(student: Student) -> None:
    """The start, with large layers for their spread; the forward pass by hand, for one to four layers; then XOR."""
    start, forward = student.init_mlp, student.mlp
    check_start(start)
    rng = np.random.default_rng(7)
    one_unit = [(np.array([[1.0], [-2.0]]), np.array([0.5])), (np.array([[3.0]]), np.array([-1.0]))]
    expect(forward, {"layers": one_unit, "x": np.array([[1.0, 1.0]])}, np.array([[-1 - 3 * np.tanh(0.5)]]), "one unit")
    for sizes in ([2, 3, 3, 2], [3, 4], [2, 4, 1], [4, 2, 2, 5, 3]):
        layers = [(rng.normal(size=n), rng.normal(size=n[1])) for n in pairwise(sizes)]
        x = rng.normal(size=(3, sizes[0]))
        h = x
        for i, (W, b) in enumerate(layers):
            h = np.einsum("bi,io->bo", h, W) + b
            h = h if i == len(layers) - 1 else 1 - 2 / (np.exp(2 * h) + 1)  # tanh
        expect(forward, {"layers": layers, "x": x}, h, f"sizes {sizes}")

    case = "XOR, after 200 steps of Adam"
    made = call(start, {"sizes": [2, 8, 1], "rng": np.random.default_rng(7)}, case)
    tensors = [tuple(Tensor(np.array(part, dtype=float), requires_grad=True) for part in layer) for layer in made]
    optimizer = Adam([part for layer in tensors for part in layer], lr=0.05)
    for _ in range(200):
        output = call(forward, {"layers": tensors, "x": X}, case)
        problem = "No gradient flows through mlp: given Tensors, it must return a Tensor that was computed from them."
        require(isinstance(output, Tensor) and output.requires_grad, problem, case, got=type(output).__name__)
        loss = np.mean((output - XOR) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    problem = "It does not learn XOR: the mean squared error stays."
    require(float(loss.data) < 0.01, problem, case, got=float(loss.data), expected="less than 0.01")


def check_start(start: Callable[..., Any]) -> None:
    """The shapes, the moments of the weights of two large layers, the biases, and that rng, and rng alone, is used."""
    case, sizes = "init_mlp([400, 300, 200])", [400, 300, 200]
    made = call(start, {"sizes": sizes, "rng": np.random.default_rng(0)}, case)
    shapes = [tuple(np.shape(part) for part in layer) for layer in made]
    goal = [((400, 300), (300,)), ((300, 200), (200,))]
    require(shapes == goal, "The shapes are wrong.", case, got=shapes, expected=goal)
    for i, (W, b) in enumerate(made):
        of, w = f"{case}, layer {i + 1}", np.asarray(W, dtype=float)
        problem = "Many weights of a layer start equal: units that start equal stay equal."
        require(len(np.unique(w)) > 0.99 * w.size, problem, of, got=w, expected=f"{w.size:,} different numbers")
        # Of 60,000 numbers the root mean square has a relative error of 1/√120,000 = 0.003, the mean one of 0.004 std,
        # and the mean fourth power, 3 std⁴, one of √(96/60,000) std⁴ = 0.04 std⁴.
        spread, exact = float(np.sqrt(np.mean(w**2))), 1 / np.sqrt(sizes[i])
        problem = "The weights of a layer have the wrong standard deviation."
        require(abs(spread / exact - 1) < 0.02, problem, of, got=spread, expected=exact)
        require(abs(np.mean(w)) < 0.025 * exact, "The mean is not 0.", of, got=float(np.mean(w)), expected=0.0)
        fourth = float(np.mean(w**4) / spread**4)
        problem = (
            "The weights are not normal: of a normal variable the mean fourth power is 3 times the variance squared."
        )
        require(abs(fourth - 3) < 0.3, problem, of, got=fourth, expected=3.0)
        equal(np.asarray(b, dtype=float), np.zeros(sizes[i + 1]), f"{of}: the bias")
    same, other = (call(start, {"sizes": sizes, "rng": np.random.default_rng(seed)}, case) for seed in (0, 1))
    problem = "Another rng gives the same weights: draw them from the rng that is given."
    require(not np.array_equal(made[0][0], other[0][0]), problem, case, got="the same weights from two seeds")
    problem = "The same rng gives other weights when it is asked again: draw them from the rng that is given."
    mistake = "drawing from np.random instead of rng"
    require(np.array_equal(made[0][0], same[0][0]), problem, case, got=same[0][0], expected=made[0][0], mistake=mistake)


WRONG: Wrong = {
    "starting from zeros": change("rng.normal(size=(n_in, n_out))", "np.zeros((n_in, n_out))"),
    "starting from one constant": change("rng.normal(size=(n_in, n_out))", "np.ones((n_in, n_out))"),
    "drawing weights of standard deviation 1, whatever the number of inputs": change(" / np.sqrt(n_in)", ""),
    "dividing by n_in instead of its root": change("np.sqrt(n_in)", "n_in"),
    "dividing by the root of the number of outputs": change("np.sqrt(n_in)", "np.sqrt(n_out)"),
    "drawing weights from 0 to 1 instead of normal ones": change(
        "rng.normal(size=(n_in, n_out))", "rng.random(size=(n_in, n_out))"
    ),
    "drawing from np.random instead of rng": change("rng.normal(size=(n_in", "np.random.normal(size=(n_in"),
    "drawing uniform weights of the right standard deviation": change(
        "rng.normal(size=(n_in, n_out))", "rng.uniform(-(3**0.5), 3**0.5, size=(n_in, n_out))"
    ),
    "dividing by the root of the first size in all layers": change("np.sqrt(n_in)", "np.sqrt(sizes[0])"),
    "making a generator of your own": change("rng.normal(size=(n_in", "np.random.default_rng(0).normal(size=(n_in"),
    "drawing random biases": change("np.zeros(n_out)", "rng.normal(size=n_out)"),
    "giving W the outputs first": change("size=(n_in, n_out)", "size=(n_out, n_in)"),
    "leaving out the nonlinearity": change("np.tanh(x @ W + b)", "x @ W + b"),
    "putting a nonlinearity after the last layer too": change("return x @ W + b", "return np.tanh(x @ W + b)"),
    "leaving out the nonlinearity after the first layer": change(
        "for W, b in layers[:-1]:\n        x = np.tanh(x @ W + b)",
        "for i, (W, b) in enumerate(layers[:-1]):\n        x = np.tanh(x @ W + b) if i else x @ W + b",
    ),
    "leaving out the biases": change("np.tanh(x @ W + b)", "np.tanh(x @ W)", "return x @ W + b", "return x @ W"),
    "taking the sigmoid for tanh": change("np.tanh(x @ W + b)", "1 / (1 + np.exp(-(x @ W + b)))"),
    "taking the layers out of the list with pop": change("W, b = layers[-1]", "W, b = layers.pop()"),
    "taking relu for tanh": change("np.tanh(x @ W + b)", "np.maximum(x @ W + b, 0)"),
}
