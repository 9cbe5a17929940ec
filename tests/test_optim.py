"""Optimisers against the papers' formulas, the buffers that they work in, schedules, clipping and averages."""

import copy
import inspect
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import checkpoint
from scratchgen.autodiff import Tensor
from scratchgen.optim import SGD, Adam, AdamW, Average, clip_by_norm, constant, cosine, linear_warm_up
from scratchgen.optim import optimizer as optimizer_module
from scratchgen.optim.clipping import euclidean_norm
from tests import optim_by_hand as by_hand

ALL = [SGD, Adam, AdamW]
SHAPES = {"W": (4, 3), "b": (3,), "gain": (), "none": (0, 2), "V": (2, 3, 4)}


def parameters(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return {name: Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True) for name, shape in SHAPES.items()}


def give_gradients(tensors, seed):
    rng = np.random.default_rng(seed)
    for t in tensors.values():
        t.grad = np.asarray(rng.normal(size=t.shape), t.dtype)


def values(tensors):
    return {name: t.data.copy() for name, t in tensors.items()}


def assert_same_bits(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name


# -- the formulas ----------------------------------------------------------------------------------------------------


def test_ten_steps_of_sgd_by_hand():
    by_hand.check_sgd(SGD)


def test_ten_steps_of_adam_by_hand():
    by_hand.check_adam(Adam)


def test_ten_steps_of_adamw_by_hand():
    by_hand.check_adamw(AdamW)


def test_second_step_of_adam_by_hand():
    by_hand.check_second_step_of_adam(Adam)


def test_adam_with_a_constant_gradient_moves_by_lr():
    by_hand.check_constant_gradient_of_adam(Adam)


@pytest.mark.parametrize("make", ALL)
def test_float32_stays_float32(make):
    by_hand.check_keeps_float32(make)


def test_sgd_with_a_constant_gradient():
    """v_t = g (1 − μᵗ) / (1 − μ), so p_t = p_0 − lr g / (1 − μ) · (t − μ (1 − μᵗ) / (1 − μ))."""
    momentum, g, t = 0.9, -2.0, np.arange(1, 201)
    path = by_hand.run(SGD, [g] * 200, lr=0.01, momentum=momentum)
    travelled = t - momentum * (1 - momentum**t) / (1 - momentum)
    np.testing.assert_allclose(path, by_hand.START - 0.01 * g / (1 - momentum) * travelled, rtol=1e-12)


def test_adamw_without_gradient_decays_geometrically():
    path = by_hand.run(AdamW, [0.0] * 50, lr=0.1, weight_decay=0.2)
    np.testing.assert_allclose(path, by_hand.START * (1 - 0.1 * 0.2) ** np.arange(1, 51), rtol=1e-13)


def test_epsilon_is_outside_of_the_root():
    """Where the gradient is as large as ε, the step is lr/2; with ε in the root it would be next to nothing."""
    for g in (1e-8, -1e-8):
        (after,) = by_hand.run(Adam, [g], start=0.0, lr=0.1, eps=1e-8)
        np.testing.assert_allclose(after, -0.05 * np.sign(g), rtol=1e-12)


def test_no_gradient_so_far_means_no_step_even_in_float32():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (by_hand.run(Adam, [0.0, 0.0], dtype=np.float32, eps=1e-30) == np.float32(by_hand.START)).all()


def test_only_matrices_decay_if_so_wanted():
    tensors = parameters()
    before = values(tensors)
    optimizer = AdamW(tensors, lr=0.1, weight_decay=0.5, matrices_only=True)
    for t in tensors.values():
        t.grad = np.zeros(t.shape)
    optimizer.step()
    for name, t in tensors.items():
        expected = before[name] * 0.95 if t.ndim >= 2 else before[name]
        np.testing.assert_allclose(t.data, expected, rtol=1e-15, err_msg=name)


def test_the_learning_rate_can_be_set_between_steps():
    tensor = Tensor([0.0], requires_grad=True)
    optimizer = SGD([tensor], lr=1.0)
    for lr in (1.0, 0.5):
        optimizer.lr = lr
        tensor.grad = np.ones(1)
        optimizer.step()
    assert tensor.item() == -1.5


# -- the buffer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("block", [1, 5, 7, 12, 1000])
def test_blocks_give_the_same_bits_as_one_parameter_at_a_time(make, block, monkeypatch):
    apart = parameters(np.float32)
    optimizers = [make({name: t}, lr=0.01) for name, t in apart.items()]
    monkeypatch.setattr(optimizer_module, "BLOCK", block)
    together = parameters(np.float32)
    optimizers.append(make(together, lr=0.01))
    for seed in range(3):
        for tensors in (apart, together):
            give_gradients(tensors, seed)
        for optimizer in optimizers:
            optimizer.step()
    assert_same_bits(values(apart), values(together))


def test_parameters_of_two_dtypes():
    tensors = {
        "a": Tensor(np.ones(3, np.float32), True),
        "b": Tensor(np.ones(2), True),
        "c": Tensor(np.ones(4, "f4"), True),
    }
    optimizer = Adam(tensors, lr=0.1)
    give_gradients(tensors, 0)
    before, signs = values(tensors), {name: np.sign(t.grad) for name, t in tensors.items()}
    optimizer.step()
    for name, t in tensors.items():
        assert t.dtype == before[name].dtype
        np.testing.assert_allclose(t.data, before[name] - 0.1 * signs[name], rtol=1e-6)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("block", [3, 1000])  # one gradient in a block, or many
def test_a_step_changes_the_parameters_in_place_and_leaves_the_gradients(make, block, monkeypatch):
    monkeypatch.setattr(optimizer_module, "BLOCK", block)
    tensors = parameters()
    before = values(tensors)
    optimizer = make(tensors, lr=0.1)
    assert_same_bits(values(tensors), before)  # moving into the buffer changes no value
    arrays = {name: t.data for name, t in tensors.items()}
    give_gradients(tensors, 1)
    gradients = {name: t.grad.copy() for name, t in tensors.items()}
    optimizer.step()
    for name, t in tensors.items():
        assert t.data is arrays[name] and not t.data.flags.writeable
        assert t.size == 0 or not np.array_equal(t.data, before[name])
    assert_same_bits({name: t.grad for name, t in tensors.items()}, gradients)


def test_gradients_in_any_memory_layout():
    plain, odd = parameters(), parameters()
    optimizers = [Adam(plain, lr=0.1), Adam(odd, lr=0.1)]
    for tensors in (plain, odd):
        give_gradients(tensors, 2)
    odd["W"].grad = np.asfortranarray(odd["W"].grad)
    odd["V"].grad = np.repeat(odd["V"].grad, 2, axis=2)[:, :, ::2]
    odd["b"].grad = odd["b"].grad[::-1].copy()[::-1]
    for optimizer in optimizers:
        optimizer.step()
    assert_same_bits(values(plain), values(odd))


def test_a_tensor_as_gradient_as_backward_with_create_graph_leaves_it():
    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD([w], lr=0.5)
    (w * w).sum().backward(create_graph=True)
    assert isinstance(w.grad, Tensor)
    optimizer.step()
    np.testing.assert_array_equal(w.data, [0.0, 0.0])


def test_a_graph_that_needs_the_old_weights_refuses_after_the_step():
    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD([w], lr=0.5)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="changed in place after"):
        loss.backward()


def test_a_copy_of_the_parameters_is_independent():
    tensors = parameters()
    optimizer = SGD(tensors, lr=0.1)
    twin = copy.deepcopy(tensors)
    before = values(twin)
    give_gradients(tensors, 0)
    optimizer.step()
    assert_same_bits(values(twin), before)


COPIES = [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_parameters_and_optimiser_trains_as_the_first_would(make, copied):
    tensors = parameters(np.float32)
    optimizer = make(tensors, lr=0.1)
    give_gradients(tensors, 0)
    optimizer.step()
    twins, twin = copied((tensors, optimizer))
    assert all(twin.parameters[name] is t for name, t in twins.items())
    before = values(tensors)
    give_gradients(twins, 1)
    twin.step()
    assert_same_bits(values(tensors), before)
    give_gradients(tensors, 1)
    optimizer.step()
    assert_same_bits(values(twins), values(tensors))
    assert_same_bits(twin.state(), optimizer.state())


def test_training_finds_the_least_squares_solution():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    exact = np.linalg.lstsq(x, y, rcond=None)[0]
    for make, options in [
        (SGD, {"lr": 0.05, "momentum": 0.9}),
        (Adam, {"lr": 0.05}),
        (AdamW, {"weight_decay": 0.0, "lr": 0.05}),
    ]:
        w = Tensor(np.zeros(3), requires_grad=True)
        optimizer = make([w], **options)
        for _ in range(1000):
            optimizer.zero_grad()
            (np.square(x @ w - y).sum() / 50).backward()
            optimizer.step()
        np.testing.assert_allclose(w.data, exact, atol=1e-8)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("lr", [0, -0.1, math.nan, math.inf])
def test_a_learning_rate_that_is_not_positive_is_refused(make, lr):
    tensor = Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=f"lr is {lr}"):
        make([tensor], lr=lr)
    optimizer = make([tensor], lr=0.1)
    with pytest.raises(ValueError, match=f"lr is {lr}; it must be above 0"):
        optimizer.lr = lr
    assert optimizer.lr == 0.1


def test_a_learning_rate_too_large_for_the_weight_decay_is_refused_whenever_it_is_set():
    """p ← (1 − lr · weight_decay) p must not change a sign."""
    optimizer = AdamW([leaf()], lr=0.1, weight_decay=0.5)
    with pytest.raises(ValueError, match=r"lr is 2.0 and weight_decay is 0.5; lr · weight_decay must be below 1"):
        optimizer.lr = 2.0
    assert optimizer.lr == 0.1
    optimizer.lr = 1.99


def leaf():
    return Tensor([1.0], requires_grad=True)


twice = leaf()


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1), Adam, AdamW, Average, lambda p: clip_by_norm(p, 1.0)])
@pytest.mark.parametrize(
    ("given_parameters", "error", "message"),
    [
        ([], ValueError, "parameters is empty"),
        ({}, ValueError, "parameters is empty"),
        ([twice, leaf(), twice], ValueError, "parameters 0 and 2 are the same Tensor"),
        ({"W": twice, "tied": twice}, ValueError, "parameters W and tied are the same Tensor"),
        ({"W": leaf() * 2}, ValueError, "parameter W is the result of multiply; only a leaf"),
        ({"W": Tensor([1.0])}, ValueError, "parameter W does not require a gradient"),
        ({"W": np.ones(3)}, TypeError, "parameter W is a ndarray, expected a Tensor"),
        (leaf(), TypeError, r"parameters is a Tensor; give model.parameters\(\)"),
        (3, TypeError, r"parameters is a int; give model.parameters\(\)"),
    ],
)
def test_parameters_that_are_refused(make, given_parameters, error, message):
    with pytest.raises(error, match=message):
        make(given_parameters)


def broken(name, change):
    """Five parameters with gradients, one of them changed."""
    tensors = parameters()
    give_gradients(tensors, 0)
    tensors[name].grad = change(tensors[name].grad)
    return tensors


def planted(value, *index):
    def change(g):
        g = g.copy()
        for i in index:
            g[i] = value
        return g

    return change


REFUSED = [
    ("b", lambda g: None, ValueError, "no gradient for b: the loss does not depend on them"),
    ("W", planted(np.nan, (3, 1), (3, 2)), FloatingPointError, r"gradient of W has NaN at \(3, 1\); 2 of 12 values"),
    ("V", planted(-np.inf, (1, 2, 3)), FloatingPointError, r"gradient of V has -inf at \(1, 2, 3\); 1 of 24 values"),
    ("gain", planted(np.nan, ()), FloatingPointError, r"gradient of gain has NaN at \(\); 1 of 1 values"),
    ("b", lambda g: g[:2], ValueError, r"gradient of b has shape \(2,\), the parameter \(3,\)"),
    ("b", lambda g: g.astype(np.float32), TypeError, "gradient of b is float32, the parameter float64"),
]


@pytest.mark.parametrize(("name", "change", "error", "message"), REFUSED)
@pytest.mark.parametrize("make", ALL)
def test_a_bad_gradient_is_refused_before_anything_is_changed(make, name, change, error, message):
    tensors = broken(name, change)
    optimizer = make(tensors, lr=0.1)
    before, state = values(tensors), optimizer.state()
    with pytest.raises(error, match=message):
        optimizer.step()
    assert_same_bits(values(tensors), before)
    assert_same_bits(optimizer.state(), state)


@pytest.mark.parametrize(("name", "change", "error", "message"), REFUSED)
def test_a_bad_gradient_is_not_clipped(name, change, error, message):
    with pytest.raises(error, match=message):
        clip_by_norm(broken(name, change), 1.0)


def test_a_step_before_backward_is_refused():
    with pytest.raises(ValueError, match=r"no parameter has a gradient: call loss.backward\(\)"):
        SGD(parameters(), lr=0.1).step()


def test_a_large_gradient_is_no_nan():
    """Its square is inf in float32, but it is a number; in double the same step is as it should be."""
    (after,) = by_hand.run(SGD, [1e30], start=0.0, dtype=np.float32, lr=1e-30)
    np.testing.assert_allclose(after, -1.0, rtol=1e-6)


def test_a_parameter_of_two_optimisers_is_refused_by_the_first():
    tensors = parameters()
    first = SGD(tensors, lr=0.1)
    second = SGD({"b": tensors["b"]}, lr=0.1)
    give_gradients(tensors, 0)
    before = values(tensors)
    with pytest.raises(RuntimeError, match="parameter b has left the buffer"):
        first.step()
    assert_same_bits(values(tensors), before)
    second.step()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (SGD, {"momentum": 1.0}, "momentum is 1.0"),
        (SGD, {"momentum": -0.1}, "momentum is -0.1"),
        (SGD, {"momentum": math.nan}, "momentum is nan"),
        (Adam, {"betas": (1.0, 0.999)}, r"betas\[0\] is 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, r"betas\[1\] is -0.1"),
        (AdamW, {"betas": (0.9, math.nan)}, r"betas\[1\] is nan"),
        (Adam, {"betas": (0.9,)}, r"betas is \(0.9,\); give two numbers"),
        (AdamW, {"betas": (0.9, 0.99, 0.999)}, "betas is .*; give two numbers"),
        (Adam, {"betas": 0.9}, "betas is 0.9; give two numbers"),
        (Adam, {"eps": 0.0}, "eps is 0.0; it must be at least 1e-30"),
        (AdamW, {"eps": math.nan}, "eps is nan"),
        (Adam, {"eps": math.inf}, "eps is inf"),
        (AdamW, {"weight_decay": -1.0}, "weight_decay is -1.0"),
        (AdamW, {"weight_decay": 10.0}, "weight_decay is 10.0.*below 1"),
        (AdamW, {"weight_decay": math.nan}, "weight_decay is nan"),
    ],
)
def test_settings_out_of_range_are_refused(make, options, message):
    with pytest.raises(ValueError, match=message):
        make([leaf()], lr=0.1, **options)


def test_underflow_that_a_user_made_an_error_does_not_leave_half_a_step():
    with np.errstate(all="raise"):
        path = by_hand.run(Adam, [1e-30], dtype=np.float32, lr=0.1)  # its square is 0
    assert np.isfinite(path).all()


# -- the state -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_state_continues_bit_for_bit_through_a_file(make, dtype, tmp_path):
    straight, resumed = parameters(dtype), parameters(dtype)
    options = {"momentum": 0.9} if make is SGD else {}
    optimizer, first = make(straight, lr=0.1, **options), make(resumed, lr=0.1, **options)
    for seed in range(3):
        for tensors, o in ((straight, optimizer), (resumed, first)):
            o.lr = 0.1 / (1 + seed)
            give_gradients(tensors, seed)
            o.step()
    checkpoint.save(tmp_path / "o.ckpt", first.state())
    second = make(resumed, lr=7.0, **options)
    second.load_state(checkpoint.load(tmp_path / "o.ckpt")[0])
    for seed in range(3, 6):
        for tensors, o in ((straight, optimizer), (resumed, second)):
            give_gradients(tensors, seed)
            o.step()
    assert_same_bits(values(straight), values(resumed))
    assert_same_bits(optimizer.state(), second.state())


def test_the_state_is_a_copy():
    tensors = parameters()
    optimizer = Adam(tensors)
    before = optimizer.state()
    kept = {name: array.copy() for name, array in before.items()}
    give_gradients(tensors, 0)
    optimizer.step()
    assert_same_bits(before, kept)


@pytest.mark.parametrize("make", [Adam, Average])
def test_a_state_that_does_not_fit_is_refused_with_all_that_is_wrong(make):
    tensors = parameters()
    target = make(tensors)
    before = target.state()
    kind = "v" if make is Adam else "average"
    wrong = {**before, f"{kind}.V": np.ones((2, 3)), "new": np.ones(1), f"{kind}.b": np.ones(3, np.float32)}
    del wrong[f"{kind}.W"]
    with pytest.raises(ValueError, match="nothing was loaded") as caught:
        target.load_state(wrong)
    for part in (f"{kind}.W is missing", "new is unknown", rf"{kind}.V is float64 (2, 3)", f"{kind}.b is float32 (3,)"):
        assert part in str(caught.value)
    assert_same_bits(target.state(), before)


@pytest.mark.parametrize(
    ("make", "entry", "value", "message"),
    [
        (Adam, "lr", -1.0, "lr is -1.0"),
        (SGD, "lr", math.nan, "lr is nan"),
        (AdamW, "lr", 100.0, "lr is 100.0 and weight_decay"),
        (SGD, "steps", -5, "nothing was loaded:\n  steps is -5, it must be at least 0"),
        (Average, "steps", -1, "steps is -1"),
    ],
)
def test_a_state_out_of_range_is_refused_before_anything_is_changed(make, entry, value, message):
    target = make(parameters(), 0.1)
    before = target.state()
    wrong = {name: array + 1 for name, array in before.items()} | {entry: np.array(value)}
    with pytest.raises(ValueError, match=message):
        target.load_state(wrong)
    assert_same_bits(target.state(), before)


# -- schedules -------------------------------------------------------------------------------------------------------


def test_a_cosine_by_hand():
    schedule = cosine(0.8, steps=10, warm_up=2, lowest=0.2)
    expected = [0.4, 0.8] + [0.2 + 0.6 * 0.5 * (1 + math.cos(math.pi * i / 8)) for i in range(8)] + [0.2, 0.2]
    np.testing.assert_allclose([schedule(step) for step in range(12)], expected, rtol=1e-15)


@given(st.floats(1e-6, 10), st.integers(0, 20), st.integers(1, 30), st.floats(0, 1))
def test_a_cosine_rises_to_lr_then_falls_to_its_lowest_and_is_never_out_of_range(lr, warm_up, more, share):
    lowest = share * lr
    schedule = cosine(lr, warm_up + more, warm_up, lowest)
    path = [schedule(step) for step in range(warm_up + more + 3)]
    assert all(0 < rate <= lr * (1 + 1e-12) for rate in path[: warm_up + more])
    assert path[:warm_up] == sorted(path[:warm_up]) and path[warm_up:] == sorted(path[warm_up:], reverse=True)
    np.testing.assert_allclose(path[max(warm_up - 1, 0)], lr)  # the last step of the warm-up, or the first of all
    np.testing.assert_allclose(path[-3:], lowest, atol=1e-12 * lr)


def test_the_warm_up_and_constant_by_hand():
    assert [linear_warm_up(0.6, 3)(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.6, 0.6], rel=1e-15)
    assert [constant(0.6)(step) for step in (0, 5, 10**6)] == [0.6, 0.6, 0.6]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constant(0.0), "lr is 0.0"),
        (lambda: constant(math.nan), "lr is nan"),
        (lambda: linear_warm_up(0.1, -1), "warm_up is -1"),
        (lambda: cosine(-1.0, 10), "lr is -1.0"),
        (lambda: cosine(0.1, 10, warm_up=10), "steps is 10; it must be above warm_up, which is 10"),
        (lambda: cosine(0.1, 10, lowest=0.2), "lowest is 0.2"),
        (lambda: cosine(0.1, 10, lowest=-0.2), "lowest is -0.2"),
    ],
)
def test_schedules_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_keeps_the_direction_of_the_whole_gradient(dtype):
    tensors = parameters(dtype)
    give_gradients(tensors, 0)
    before = {name: t.grad.copy() for name, t in tensors.items()}
    norm = math.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in before.values()))
    assert clip_by_norm(tensors, most=2 * norm) == pytest.approx(norm, rel=1e-6)
    assert_same_bits({name: t.grad for name, t in tensors.items()}, before)
    assert clip_by_norm(tensors, most=norm / 4) == pytest.approx(norm, rel=1e-6)
    for name, t in tensors.items():
        assert t.grad.dtype == dtype
        np.testing.assert_allclose(t.grad, before[name] / 4, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e-19, 1.0, 1e19, 1e37])
def test_a_norm_whose_square_is_out_of_range(size):
    g = np.array([3 * size, -4 * size], np.float32)
    np.testing.assert_allclose(euclidean_norm(g), np.linalg.norm(g.astype(np.float64)), rtol=1e-6)


def test_the_norm_of_nothing_and_of_zeros():
    assert euclidean_norm(np.zeros(0)) == 0 and euclidean_norm(np.zeros(3, np.float32)) == 0


@pytest.mark.parametrize("most", [0, -1.0, math.nan])
def test_clipping_to_nothing_is_refused(most):
    with pytest.raises(ValueError, match=f"most is {most}"):
        clip_by_norm([leaf()], most)


# -- averages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_is_the_weighted_mean(decay):
    """â_t = Σ_i decay^(t−i) p_i / Σ_i decay^(t−i), by (1), since (1 − decayᵗ) = (1 − decay) Σ_i decay^(t−i)."""
    w = Tensor(np.zeros((2, 3)), requires_grad=True)
    average = Average([w], decay)
    points = np.random.default_rng(0).normal(size=(20, 2, 3))
    for t in range(1, 21):
        w.assign(points[t - 1])
        average.update()
        weights = decay ** np.arange(t - 1, -1, -1.0)
        with average.applied():
            np.testing.assert_allclose(w.data, np.tensordot(weights / weights.sum(), points[:t], 1), rtol=0, atol=1e-14)
        np.testing.assert_array_equal(w.data, points[t - 1])


def test_the_average_of_constant_weights_is_those_from_the_first_step_on():
    w = Tensor(np.full(3, 0.1, np.float32), requires_grad=True)
    average = Average([w], 0.999)
    for _ in range(10):
        average.update()
        with average.applied():
            assert w.dtype == np.float32
            np.testing.assert_array_equal(w.data, np.full(3, 0.1, np.float32))


def test_the_weights_come_back_after_an_error_and_the_optimiser_goes_on_with_them():
    tensors = parameters()
    optimizer, average = SGD(tensors, lr=0.1), Average(tensors, 0.5)
    for seed in range(2):
        give_gradients(tensors, seed)
        optimizer.step()
        average.update()
    before = values(tensors)
    with pytest.raises(ZeroDivisionError), average.applied():
        assert not np.array_equal(tensors["W"].data, before["W"])
        1 / 0  # noqa: B018
    assert_same_bits(values(tensors), before)
    optimizer.step()


def test_an_average_is_not_averaged_again():
    average = Average([leaf()])
    with pytest.raises(RuntimeError, match=r"no average yet: call update\(\)"), average.applied():
        pass
    average.update()
    with average.applied():
        with pytest.raises(RuntimeError, match="the average itself"):
            average.update()
        with pytest.raises(RuntimeError, match="applied already"), average.applied():
            pass


def test_a_change_of_the_weights_while_the_average_is_applied_is_no_silent_loss():
    tensors = parameters()
    optimizer, average = SGD(tensors, lr=0.1), Average(tensors, 0.5)
    for seed in range(2):
        give_gradients(tensors, seed)
        optimizer.step()
        average.update()
    before = values(tensors)
    for change in (optimizer.step, lambda: tensors["b"].assign(np.zeros(3))):
        with pytest.raises(RuntimeError, match=r"changed within applied\(\): .*b.*; the change is undone"):
            with average.applied():
                change()
        assert_same_bits(values(tensors), before)
    with average.applied():
        (tensors["W"] * tensors["b"]).sum().backward()  # a gradient is no change
    assert_same_bits(values(tensors), before)


def test_the_default_decay():
    assert inspect.signature(Average).parameters["decay"].default == Average([leaf()]).decay == 0.999


@pytest.mark.parametrize("decay", [1.0, -0.1, math.nan])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay is {decay}"):
        Average([leaf()], decay)


def test_the_state_of_an_average_continues_bit_for_bit():
    straight, resumed = parameters(np.float32), parameters(np.float32)
    first, second = Average(straight, 0.9), Average(resumed, 0.9)
    for seed in range(4):
        for tensors in (straight, resumed):
            give_gradients(tensors, seed)
            for t in tensors.values():
                t.assign(t.grad)
        first.update()
        second.update()
        fresh = Average(resumed, 0.9)
        fresh.load_state(second.state())
        second = fresh
    assert_same_bits(first.state(), second.state())
