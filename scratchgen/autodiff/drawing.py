"""A picture of the graph that a Tensor remembers."""

from __future__ import annotations

from typing import Any

from scratchgen.autodiff.chain_rule import freed
from scratchgen.autodiff.tensor import Tensor


def layers_of(output: Tensor, most: int) -> dict[Tensor, int]:
    """Each node's layer: 0 for a leaf, else one more than the highest of its parents."""
    nodes, stack = {output}, [output]
    while stack:
        node = stack.pop()
        if node.op is not None and node.args is None:
            raise RuntimeError(freed(node))
        for _, parent in node.parents:
            if parent not in nodes:
                nodes.add(parent)
                stack.append(parent)
                if len(nodes) > most:
                    raise ValueError(
                        f"the graph has more than {most} nodes, too many for a picture; draw a part, or raise most="
                    )
    layer: dict[Tensor, int] = {}
    for node in sorted(nodes, key=lambda node: node.number):
        layer[node] = 1 + max((layer[parent] for _, parent in node.parents), default=-1)
    return layer


def draw(output: Tensor, ax: Any = None, names: dict[str, Tensor] | None = None, most: int = 200) -> Any:
    """Draw the graph of ``output`` from its leaves (left, blue) to itself (right), with the shape of each value.

    Args:
        output: the last node; its graph must not have been freed yet.
        ax: matplotlib axes to draw on; new ones by default.
        names: names for some of the nodes, such as ``model.parameters()``.
        most: the largest number of nodes to draw.

    Returns:
        the axes.

    Raises:
        ValueError: for a graph with more nodes than that.
        RuntimeError: where a backward pass has freed the graph.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> ax = draw((x * x).sum(), names={"x": x})
    >>> sorted(text.get_text().split()[0] for text in ax.texts if text.get_text())
    ['multiply', 'sum', 'x']
    """
    import matplotlib.pyplot as plt

    layer = layers_of(output, most)
    label = {node: name for name, node in (names or {}).items()}
    if ax is None:
        ax = plt.subplots(figsize=(1.6 * (max(layer.values()) + 1) + 1, 4), layout="constrained")[1]
    columns: dict[int, list[Tensor]] = {}
    for node, column in layer.items():
        columns.setdefault(column, []).append(node)
    place = {node: (x, (len(column) - 1) / 2 - i) for x, column in columns.items() for i, node in enumerate(column)}
    for node in layer:
        parents = [parent for _, parent in node.parents]
        for i, parent in enumerate(parents):
            bend = 0.25 * sum(other is parent for other in parents[:i])  # in x * x, x is a parent twice
            past = layer[node] - layer[parent] - 1  # boxes in between, to pass on the side where the arrow comes from
            bend += 0.12 * past * (-1 if place[parent][1] > 0 else 1)
            arrow = {"arrowstyle": "-|>", "color": "0.55", "shrinkA": 24, "shrinkB": 24}
            ax.annotate("", place[node], place[parent], arrowprops={**arrow, "connectionstyle": f"arc3,rad={bend}"})
    for node, (x, y) in place.items():
        name = label.get(node, "leaf" if node.op is None else node.op.name)
        colour = "#cfe3f5" if node.op is None else "#f4efe3"
        ax.text(
            x,
            y,
            f"{name}\n{node.shape}",
            ha="center",
            va="center",
            fontsize=9,
            bbox={"boxstyle": "round", "facecolor": colour, "edgecolor": "0.5"},
        )
    heights = [y for _, y in place.values()]
    ax.set(xlim=(-0.6, max(layer.values()) + 0.6), ylim=(min(heights) - 0.7, max(heights) + 0.7))
    ax.set_axis_off()
    return ax
