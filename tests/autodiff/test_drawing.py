"""A drawn graph shows each node once, in its layer, with an arrow from each of its parents."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from scratchgen.autodiff import Tensor, draw


@pytest.fixture
def ax():
    return Figure().add_subplot()


def places(ax):
    """The middle of each box by its first word. (An arrow is a text too, with nothing to read.)"""
    return {text.get_text().split()[0]: text.get_position() for text in ax.texts if text.get_text()}


def chain(nodes):
    """A graph of so many nodes, one below the other."""
    y = Tensor(1.0, requires_grad=True)
    for _ in range(nodes - 1):
        y = np.tanh(y)
    return y


@pytest.fixture
def drawn(ax):
    """multiply(exp(a), b): one parent of multiply is in layer 1, the other is a leaf."""
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([[3.0], [4.0]], requires_grad=True)
    return draw(np.exp(a) * b, ax, names={"a": a, "b": b})


def test_a_node_is_one_layer_right_of_its_highest_parent(drawn):
    assert {name: x for name, (x, _) in places(drawn).items()} == {"a": 0, "b": 0, "exp": 1, "multiply": 2}


def test_no_box_lies_on_another(drawn):
    assert len(set(places(drawn).values())) == 4


def test_every_place_is_within_the_axes(drawn):
    (left, right), (bottom, top) = drawn.get_xlim(), drawn.get_ylim()
    assert all(left < x < right and bottom < y < top for x, y in places(drawn).values())


def test_arrows_point_from_a_parent_to_what_was_made_of_it(drawn):
    at = places(drawn)
    arrows = {(arrow.xyann, arrow.xy) for arrow in drawn.texts if not arrow.get_text()}
    assert arrows == {(at[u], at[v]) for u, v in [("a", "exp"), ("exp", "multiply"), ("b", "multiply")]}
    assert all(arrow.arrowprops["arrowstyle"] == "-|>" for arrow in drawn.texts if not arrow.get_text())


def test_a_node_used_twice_has_two_arrows_that_differ(ax):
    x = Tensor(1.0, requires_grad=True)
    arrows = [arrow for arrow in draw(x * x, ax).texts if not arrow.get_text()]
    assert len({arrow.arrowprops["connectionstyle"] for arrow in arrows}) == len(arrows) == 2


def test_boxes_have_names_and_shapes_and_leaves_are_blue(drawn):
    boxes = {text.get_text(): text.get_bbox_patch().get_facecolor() for text in drawn.texts if text.get_text()}
    blue, paper = to_rgba("#cfe3f5"), to_rgba("#f4efe3")
    assert boxes == {"a\n(2,)": blue, "b\n(2, 1)": blue, "exp\n(2,)": paper, "multiply\n(2, 2)": paper}


def test_a_leaf_without_a_name_is_called_leaf(ax):
    assert set(places(draw(chain(2), ax))) == {"leaf", "tanh"}


def test_as_many_nodes_as_most_are_drawn_and_no_more(ax):
    draw(chain(5), ax, most=5)
    with pytest.raises(ValueError, match=r"more than 5 nodes.*raise most="):
        draw(chain(6), ax, most=5)


def test_200_nodes_are_drawn_by_default(ax):
    draw(chain(200), ax)
    with pytest.raises(ValueError, match="more than 200 nodes"):
        draw(chain(201), ax)


def test_a_freed_graph_is_refused(ax):
    y = chain(3)
    y.backward()
    with pytest.raises(RuntimeError, match="below tanh was freed by the first pass; pass retain_graph=True"):
        draw(y, ax)


def test_a_graph_freed_in_part_is_refused(ax):
    shared = chain(2)
    np.exp(shared).backward()
    with pytest.raises(RuntimeError, match="below tanh was freed"):
        draw(shared * 2.0, ax)


def test_a_retained_graph_is_drawn(ax):
    y = chain(3)
    y.backward(retain_graph=True)
    assert len(draw(y, ax).texts) == 3 + 2
