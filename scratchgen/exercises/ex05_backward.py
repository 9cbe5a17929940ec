"""Exercise 5: backpropagation.

A computation is a graph: each `Node` has the nodes it was computed from, its parents, and for each of them the local
derivative d(node)/d(parent). Backpropagation starts from the output, whose gradient is 1, and hands each node's
gradient on to its parents:

    parent.grad  +=  node.grad · d(node)/d(parent)                                              (1)

A node may hand on its gradient only when it is complete: when every node that was computed from it has done so. Write
`backward(output)`, which sets `grad` of the output and of every node it depends on. It may be called again, also from
another node of the same graph: then the gradients are those of that call alone. Graphs may be thousands of nodes deep,
and a node may be used many times: visit each once.

`Node` is given; numbers are plain floats.

In the lecture: page 6, "Now we can compute derivative wrt ϕ!". Afterwards, look at `backpropagate` in
scratchgen/autodiff/chain_rule.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchgen.exercises.kit import Failure, Student, Wrong, call, change, equal


class Node:
    """A number in a computation: its value, its parents, and its derivative with respect to each of them."""

    def __init__(self, value: float, parents: tuple[Node, ...] = (), derivatives: tuple[float, ...] = ()) -> None:
        self.value, self.parents, self.derivatives, self.grad = value, parents, derivatives, 0.0

    def __add__(self, other: Node) -> Node:
        return Node(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other: Node) -> Node:
        return Node(self.value * other.value, (self, other), (other.value, self.value))


def backward(output: Node) -> None:
    """Set ``grad`` of the output and of all nodes before it to the derivative of the output with respect to them.

    >>> x, y = Node(3.0), Node(4.0)
    >>> backward(x * y + x)
    >>> x.grad, y.grad
    (5.0, 3.0)
    """
    # solution
    order, seen, stack = [], set(), [(output, False)]  # order: parents before children
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    for node in order:
        node.grad = 0.0
    output.grad = 1.0
    for node in reversed(order):
        for parent, derivative in zip(node.parents, node.derivatives):
            parent.grad += node.grad * derivative
    # end of solution


# end of the learner's part

HINTS = (
    """Two passes. The first finds all nodes, in an order in which parents come before the nodes computed from them. The
    second goes through that order backward, and applies (1).""",
    """A depth-first search appends a node to the order after all its parents. Python's own recursion ends at a depth
    of 1000, so keep a stack of your own, and the set of nodes already visited. Set all grad to 0 before the second
    pass.""",
    """Put pairs (node, parents_done) on the stack. A pair that comes off with False, and is new, goes back with True,
    and its parents on top with False; one with True is appended to the order.""",
)

EXPLANATION = """
In b = a + a, c = b + b the derivative is 4: the node a is reached twice, and both uses count, hence += and not =. If
a node is handed on before all its uses have reported, a part of its gradient is lost, or is sent on twice:
breadth-first search does that where two paths have unequal lengths. Clearing first makes the second call give the
same as the first; the library's `backward` adds instead, to gather gradients over several losses, and `zero_grad` is
what clears there.
"""


def check(student: Student) -> None:
    """By hand: shared nodes, unequal paths, calls again; 2⁶⁰ paths; 5,000 deep; random graphs, by the product rule."""
    write, node = student.backward, student.Node

    def run(output: Node, inputs: tuple[Node, ...], exact: tuple[float, ...], case: str) -> None:
        call(write, {"output": output}, case, returns=False)
        equal(np.array([float(x.grad) for x in inputs]), np.array(exact), f"{case}: their grad", name="backward")

    a = node(1.0)
    b = a + a
    c = b + b
    run(c, (a, b, c), (4.0, 2.0, 1.0), "a, b, c, where b = a + a, c = b + b")
    run(c, (a, b, c), (4.0, 2.0, 1.0), "a, b, c, the same again")
    run(b, (a, b), (2.0, 1.0), "a, b, then from b alone")

    x, y = node(3.0), node(5.0)
    square = x * x
    run(square * x + y * x, (x, y), (32.0, 3.0), "x, y of x² x + y x, where x = 3, y = 5")
    run(x * (square * y) + square, (x, y, square), (141.0, 27.0, 16.0), "x, y, x² of x (x² y) + x²")
    x = node(2.0)
    run(x * x + (x + x), (x,), (6.0,), "x of x x + (x + x), where x = 2")
    single = node(7.0)
    run(single, (single,), (1.0,), "a single node")
    count_visits(student)

    x = node(1.0)
    deep = x
    for _ in range(5000):
        deep = deep + x
    run(deep, (x,), (5001.0,), "x, 5,000 nodes deep")

    rng = np.random.default_rng(5)
    for inputs in (2, 4, 5):
        nodes = [node(float(v)) for v in rng.uniform(0.5, 1.5, inputs)]
        slopes = [np.eye(inputs)[i] for i in range(inputs)]  # derivatives forward, by the product rule
        for _ in range(12):
            i, j = rng.integers(len(nodes), size=2)
            if rng.random() < 0.5:
                nodes, slopes = [*nodes, nodes[i] + nodes[j]], [*slopes, slopes[i] + slopes[j]]
            else:
                slope = slopes[i] * nodes[j].value + slopes[j] * nodes[i].value
                nodes, slopes = [*nodes, nodes[i] * nodes[j]], [*slopes, slope]
        total, slope = nodes[0], slopes[0]
        for n, s in zip(nodes[1:], slopes[1:]):
            total, slope = total + n, slope + s
        run(total, tuple(nodes[:inputs]), tuple(float(s) for s in slope), f"the {inputs} inputs of a random graph")


def count_visits(student: Student) -> None:
    """60 doublings: 61 nodes, and 2⁶⁰ paths, which nobody can follow one by one. Counts how often parents are read."""
    case, asked = "60 times b = b + b", 0

    def count() -> None:
        nonlocal asked
        asked += 1
        if asked > 100_000:
            problem = "The parents of 61 nodes were read more than 100,000 times: visit each node once."
            raise Failure(problem, case=case, got=asked, mistake="following each path to the inputs by itself")

    class Parents(tuple[Node, ...]):
        def __iter__(self) -> Iterator[Node]:
            count()
            return super().__iter__()

        def __getitem__(self, index: Any) -> Any:
            count()
            return super().__getitem__(index)

    x = student.Node(1.0)
    b = x
    for _ in range(60):
        b = student.Node(b.value + b.value, Parents((b, b)), (1.0, 1.0))
    call(student.backward, {"output": b}, case, returns=False)
    equal(float(x.grad), 2.0**60, case, name="backward")


def recursively(output: Node) -> None:
    """The same order, by recursion."""
    order: list[Node] = []
    seen = set()

    def visit(node: Node) -> None:
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    hand_on(output, order[::-1])


def breadth_first(output: Node) -> None:
    """Each node when it is first reached."""
    order = [output]
    for node in order:
        order += [p for p in dict.fromkeys(node.parents) if p not in order]
    hand_on(output, order)


def depth_first(output: Node) -> None:
    """Each node before its parents, in the order in which a search finds them."""
    order, stack = [], [output]
    while stack:
        node = stack.pop()
        if node not in order:
            order.append(node)
            stack += node.parents
    hand_on(output, order)


def path_by_path(output: Node) -> None:
    """Send a gradient along each path of its own: right, but there are too many paths."""
    reached = [output]
    while reached:
        node = reached.pop()
        node.grad = 0.0
        reached.extend(node.parents)
    stack = [(output, 1.0)]
    while stack:
        node, g = stack.pop()
        node.grad += g
        stack.extend((parent, g * derivative) for parent, derivative in zip(node.parents, node.derivatives))


def by_value(output: Node) -> None:
    """The solution, with the values for the nodes already seen."""
    order: list[Node] = []
    seen, stack = set(), [(output, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif node.value not in seen:
            seen.add(node.value)
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    hand_on(output, order[::-1])


def hand_on(output: Node, order: list[Node]) -> None:
    """The second pass, over this order."""
    for node in order:
        node.grad = 0.0
    output.grad = 1.0
    for node in order:
        for parent, derivative in zip(node.parents, node.derivatives):
            parent.grad += node.grad * derivative


WRONG: Wrong = {
    "recursing, which ends at a depth of about 1000": {"backward": recursively},
    "writing = for +=, so that only the last use counts": change("parent.grad += node", "parent.grad = node"),
    "leaving the gradients of the last call where they are": change("node.grad = 0.0", "node.grad += 0.0"),
    "clearing the output alone": change("for node in order:\n        node.grad = 0.0", "output.grad = 0.0"),
    "following each path to the inputs by itself": {"backward": path_by_path},
    "telling nodes apart by their values": {"backward": by_value},
    "going breadth first": {"backward": breadth_first},
    "handing on a gradient as soon as the node is found": {"backward": depth_first},
    "adding the local derivatives instead of multiplying": change("node.grad * derivative", "node.grad + derivative"),
    "leaving out the gradient of the node itself": change("node.grad * derivative", "derivative"),
    "leaving out the local derivative": change("node.grad * derivative", "node.grad"),
    "going through the order forward": change("in reversed(order)", "in order"),
    "not giving the output its gradient of 1": change("output.grad = 1.0", "output.grad = 0.0"),
    "handing on to the first parent alone": change(
        "for parent, derivative in zip(node.parents, node.derivatives):",
        "for parent, derivative in list(zip(node.parents, node.derivatives))[:1]:",
    ),
}
