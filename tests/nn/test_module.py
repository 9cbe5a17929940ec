"""What a Module finds in its attributes, and that its state comes and goes whole."""

import copy
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.nn import MLP, Conv2d, Dropout, Linear, Module


def leaf(*shape: int, trained: bool = True) -> Tensor:
    return Tensor(np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1, requires_grad=trained)


class Nested(Module):
    """Every way to hold a Tensor."""

    def __init__(self) -> None:
        self.scale = leaf(2)
        self.layers = [Linear(2, 3, 0), Dropout(0.5), Linear(3, 2, 1, bias=False)]
        self.by_name = {"a": Linear(1, 1, 2), "b": (leaf(4), [leaf(5)])}
        self.mean = leaf(2, trained=False)
        self.plain = np.ones(7)
        self.shift = leaf(3)

    def forward(self, x: Any) -> Any:
        self.kept = x * self.scale
        return self.layers[2](self.layers[0](self.kept))


PARAMETERS = {
    "scale": (2,),
    "layers.0.W": (2, 3),
    "layers.0.b": (3,),
    "layers.2.W": (3, 2),
    "by_name.a.W": (1, 1),
    "by_name.a.b": (1,),
    "by_name.b.0": (4,),
    "by_name.b.1.0": (5,),
    "shift": (3,),
}


def test_parameters_are_found_in_the_order_of_definition() -> None:
    model = Nested()
    assert list(model.parameters()) == list(PARAMETERS)
    assert {name: t.shape for name, t in model.parameters().items()} == PARAMETERS
    assert model.parameters()["layers.0.W"] is model.layers[0].W
    assert model.count_parameters() == 2 + 6 + 3 + 6 + 1 + 1 + 4 + 5 + 3


def test_buffers_and_frozen_parameters_are_state_but_no_parameters() -> None:
    model = Nested()
    assert set(model.state()) == {*PARAMETERS, "mean"}
    model.scale.requires_grad = False
    assert "scale" not in model.parameters()
    assert "scale" in model.state()


def test_a_result_kept_from_a_forward_pass_is_neither() -> None:
    model = Nested()
    model(np.ones((1, 2), np.float32))
    assert model.kept.requires_grad
    assert list(model.parameters()) == list(PARAMETERS)
    assert set(model.state()) == {*PARAMETERS, "mean"}


def tied() -> Module:
    class Tied(Module):
        def __init__(self) -> None:
            self.encoder = Linear(3, 3, 0)
            self.decoder = Linear(3, 3, 1)
            self.decoder.W = self.encoder.W
            self.again = [self.encoder, self.decoder.b]

    return Tied()


def test_a_tied_parameter_is_listed_once() -> None:
    model = tied()
    assert list(model.parameters()) == ["encoder.W", "encoder.b", "decoder.b"]
    assert model.count_parameters() == 9 + 3 + 3
    assert list(model.state()) == list(model.parameters())


def test_a_copy_has_parameters_of_its_own_and_keeps_ties() -> None:
    model = tied()
    other = copy.deepcopy(model)
    assert other.decoder.W is other.encoder.W
    other.encoder.W.assign(np.zeros((3, 3), np.float32))
    assert np.all(model.encoder.W.data != 0)


def test_modules_that_know_each_other_end_the_walk() -> None:
    a, b = Linear(1, 1, 0), Linear(1, 2, 0)
    a.other, b.other = b, a
    assert list(a.parameters()) == ["W", "b", "other.W", "other.b"]
    assert "other: Linear" in repr(a)


def test_a_list_that_holds_itself_ends_the_walk() -> None:
    model = Module()
    model.layers = [leaf(2)]
    model.layers.append(model.layers)
    model.by_name = {"same": model.layers, "b": leaf(3)}
    assert list(model.parameters()) == ["layers.0", "by_name.b"]


def test_the_dtype_is_that_of_the_first_parameter() -> None:
    assert Linear(1, 1, 0, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="Dropout has no parameters, and so no dtype"):
        _ = Dropout(0.5).dtype


def test_two_tensors_of_one_name_are_refused() -> None:
    model = Module()
    model.layers = {1: leaf(2), "1": leaf(3)}
    with pytest.raises(ValueError, match=r"two tensors are called layers\.1"):
        model.parameters()


def test_a_subclass_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        Module()(1)


# -- assignment ------------------------------------------------------------------------------------------------------


def test_an_array_assigned_to_a_parameter_goes_into_it() -> None:
    layer = Linear(2, 3, 0)
    W = layer.W
    layer.W = np.full((2, 3), 5.0)
    assert layer.W is W
    assert W.dtype == np.float32
    assert np.array_equal(W.data, np.full((2, 3), 5.0))
    with pytest.raises(ValueError, match=r"the new values have shape \(3, 2\), the tensor \(2, 3\)"):
        layer.W = np.ones((3, 2))


def test_assignment_goes_on_after_an_optimiser_has_moved_the_values() -> None:
    layer = Linear(2, 3, 0)
    buffer = np.zeros(9, np.float32)
    layer.W.move_to(buffer[:6].reshape(2, 3))
    layer.b.move_to(buffer[6:])
    layer.W = np.full((2, 3), 5.0)
    layer.load_state({**layer.state(), "b": np.full(3, 7, np.float32)})
    assert np.array_equal(buffer, [5] * 6 + [7] * 3)
    buffer[:] = 1
    assert np.array_equal(layer.W.data, np.ones((2, 3)))


def test_a_tensor_assigned_to_a_parameter_takes_its_place() -> None:
    layer = Linear(2, 3, 0)
    layer.W = leaf(2, 3)
    assert layer.parameters()["W"] is layer.W
    assert layer.W.data[1, 2] == 6


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (lambda W: W * 2, "the result of multiply"),
        (lambda W: [0.0], "a list"),
        (lambda W: [W], "a list"),
        (lambda W: 0.5, "a float"),
    ],
)
def test_what_would_take_a_parameter_out_of_the_training_is_refused(value: Any, got: str) -> None:
    layer = Linear(2, 3, 0)
    W = layer.W
    with pytest.raises(TypeError, match=rf"Linear\.W is a parameter or buffer, and would be lost for {got}"):
        layer.W = value(layer.W)
    assert layer.W is W
    assert list(layer.parameters()) == ["W", "b"]


def test_a_parameter_gives_way_to_none_to_a_module_and_to_a_frozen_leaf() -> None:
    layer = Linear(2, 3, 0)
    layer.b = None
    assert list(layer.parameters()) == ["W"]
    layer.W = Tensor(layer.W.data)
    assert list(layer.parameters()) == [] and list(layer.state()) == ["W"]
    layer.W = Linear(1, 1, 0)
    assert list(layer.parameters()) == ["W.W", "W.b"]


def test_a_number_of_numpy_goes_into_a_scalar_parameter() -> None:
    model = Module()
    model.scale = scale = leaf()
    model.scale = model.scale.data * np.float32(2)
    assert model.scale is scale and scale.item() == 2


def test_an_array_that_was_no_parameter_stays_an_array() -> None:
    model = Nested()
    model.plain = np.zeros(3)
    model(np.ones((1, 2), np.float32))
    model.kept = np.zeros(3)
    assert isinstance(model.plain, np.ndarray)
    assert isinstance(model.kept, np.ndarray)


# -- state -----------------------------------------------------------------------------------------------------------


def test_state_is_a_copy_and_comes_back_bit_for_bit() -> None:
    model, other = MLP([3, 4, 2], 0), MLP([3, 4, 2], 1)
    state = model.state()
    assert all(not np.array_equal(state[name], array) for name, array in other.state().items())
    other.load_state(state)
    assert all(np.array_equal(state[name], array) for name, array in other.state().items())
    before = {name: array.copy() for name, array in state.items()}
    other.layers[0].W = np.zeros((3, 4))
    model.layers[0].W = np.zeros((3, 4))
    assert all(np.array_equal(before[name], array) for name, array in state.items())


def test_load_state_names_everything_wrong_at_once_and_changes_nothing() -> None:
    model = MLP([3, 4, 2], 0)
    before = model.state()
    arrays = model.state()
    arrays = {name: array + 1 for name, array in arrays.items()}
    del arrays["layers.0.b"]
    arrays["layers.0.W"] = arrays["layers.0.W"].T
    arrays["layers.1.b"] = arrays["layers.1.b"].astype(np.float64)
    arrays["layers.2.W"] = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        model.load_state(arrays)
    assert str(error.value).splitlines()[1:] == [
        "  layers.0.b is missing",
        "  layers.2.W is unknown to the model",
        "  layers.0.W has shape (4, 3), the model wants (3, 4)",
        "  layers.1.b is float64, the model float32",
    ]
    assert all(np.array_equal(before[name], array) for name, array in model.state().items())


# -- modes -----------------------------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_module() -> None:
    model = Nested()
    assert model.training
    assert model.eval() is model
    assert not any(m.training for m in model.modules().values())
    assert model.train() is model
    assert len([m for m in model.modules().values() if m.training]) == 5


def test_zero_grad_forgets_all_gradients() -> None:
    model = MLP([3, 4, 2], 0)
    model(np.ones((5, 3), np.float32)).sum().backward()
    assert all(t.grad is not None for t in model.parameters().values())
    model.zero_grad()
    assert all(t.grad is None for t in model.parameters().values())


def test_astype_converts_in_place() -> None:
    model = Nested()
    W, before = model.layers[0].W, model.state()
    W.grad = np.ones((2, 3), np.float32)
    assert model.astype(np.float64) is model
    assert model.layers[0].W is W
    assert W.grad is None
    assert {array.dtype for array in model.state().values()} == {np.dtype(np.float64)}
    assert all(np.array_equal(before[name], array) for name, array in model.state().items())
    assert model(np.ones((1, 2))).dtype == np.float64
    model.astype("float32")
    assert {array.dtype for array in model.state().values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", [np.float16, np.int64, complex])
def test_astype_refuses_other_dtypes(dtype: Any) -> None:
    with pytest.raises(TypeError, match="a model is float32 or float64"):
        Nested().astype(dtype)


def test_repr_shows_layers_shapes_and_settings() -> None:
    assert repr(Conv2d(1, 2, 3, 0, stride=2)) == "Conv2d(W=(3, 3, 1, 2), b=(2,), stride=2, padding=0)"
    assert repr(Nested().eval()).splitlines() == [
        "Nested(scale=(2,), mean=(2,), shift=(3,))",
        "  layers.0: Linear(W=(2, 3), b=(3,))",
        "  layers.1: Dropout(rate=0.5)",
        "  layers.2: Linear(W=(3, 2))",
        "  by_name.a: Linear(W=(1, 1), b=(1,))",
    ]
