"""MADE: what each output depends on, total probability, samples against log_prob, and refusals."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive import (
    MADE,
    BinaryOutput,
    CategoricalOutput,
    GaussianMixtureOutput,
    GaussianOutput,
    LogisticMixtureOutput,
    Output,
)

OUTPUTS: dict[str, Output] = {
    "binary": BinaryOutput(),
    "categorical": CategoricalOutput(3),
    "Gaussian": GaussianOutput(),
    "mixture of Gaussians": GaussianMixtureOutput(2),
    "mixture of logistics": LogisticMixtureOutput(2, 3),
}
KINDS = pytest.mark.parametrize("kind", OUTPUTS)
NETS: dict[str, dict[str, Any]] = {
    "one hidden layer": {"hidden": [40]},
    "three": {"hidden": [12, 30, 15]},
    "none": {"hidden": []},
    "direct": {"hidden": [20], "direct": True},
    "direct, narrow": {"hidden": [3], "direct": True},
    "narrow": {"hidden": [3, 4], "complete": False},
    "dropout": {"hidden": [30], "dropout": 0.4},
}
NET = pytest.mark.parametrize("net", NETS)


def large(model: MADE, seed: int = 0) -> MADE:
    """With weights so large that the components depend on each other in earnest."""
    rng = np.random.default_rng(seed)
    for t in model.parameters().values():
        t.assign(rng.normal(size=t.shape))
    return model


def small(kind: str = "binary", dims: int = 5, net: str = "one hidden layer", seed: int = 0, **options: Any) -> MADE:
    options = {"order": np.random.default_rng(seed).permutation(dims), "activation": "tanh", **options}
    return large(MADE(dims, OUTPUTS[kind], rng=seed, dtype=np.float64, **{**NETS[net], **options}), seed)


def every(levels: int, dims: int) -> np.ndarray:
    """All vectors of that many levels, (levels^dims, dims)."""
    return np.indices([levels] * dims).reshape(dims, -1).T


# -- what depends on what ------------------------------------------------------------------------------------------


@NET
@KINDS
def test_each_output_depends_on_exactly_what_comes_before(kind: str, net: str) -> None:
    """The Jacobian of all numbers by all features: exactly 0 where it must be, and nowhere else but if too narrow."""
    for seed in range(3):
        model = small(kind, net=net, seed=seed)
        rank = np.argsort(model.order)
        before = rank[:, None] > rank  # (output, input)
        features = np.random.default_rng(seed).normal(size=(1, 5 * model.output.features))
        x = Tensor(features, requires_grad=True)
        y = model.network(x, seed)
        for j in range(5):
            for k in range(model.output.numbers):
                x.grad = None
                y[0, j, k].backward(retain_graph=True)
                depends = x.grad.reshape(5, -1) != 0
                assert not depends[~before[j]].any()
                if net not in ("narrow", "dropout"):
                    assert depends[before[j]].all()


@NET
def test_the_future_does_not_matter_however_large(net: str) -> None:
    """Bit for bit the same numbers with 1e30 in place of x[j] and all that comes after it, in training too."""
    model = small("Gaussian", net=net, seed=4)
    x = np.random.default_rng(0).normal(size=(3, 5))
    y = model.network(x, 7).data
    for position, j in enumerate(model.order):
        changed = x.copy()
        changed[:, model.order[position:]] = 1e30
        np.testing.assert_array_equal(model.network(changed, 7).data[:, j], y[:, j])


@KINDS
def test_the_first_component_depends_on_its_bias_alone(kind: str) -> None:
    model = small(kind)
    first, features = model.order[0], np.random.default_rng(1).normal(size=(4, 5 * OUTPUTS[kind].features))
    bias = model.last.b.data.reshape(5, -1)[first]
    np.testing.assert_array_equal(model.network(features).data[:, first], np.tile(bias, (4, 1)))


@KINDS
@NET
def test_the_context_reaches_every_output(kind: str, net: str) -> None:
    """d numbers / d context ≠ 0, for the first of the order too."""
    model = small(kind, net=net, context=2).eval()
    features = np.random.default_rng(0).normal(size=(1, 5 * model.output.features))
    context = Tensor(np.array([[0.3, -0.8]]), requires_grad=True)
    y = model.network(np.concatenate([context, features], axis=-1))
    for j in range(5):
        context.grad = None
        np.sum(y[0, j]).backward(retain_graph=True)
        assert np.all(context.grad != 0), j


# -- log_prob ------------------------------------------------------------------------------------------------------


def test_log_prob_by_hand() -> None:
    """Equations (1) to (3) for one hidden layer in NumPy, one component at a time, with x[≥j] cut out of the input."""
    model = small(net="direct", context=1)
    x, context = every(2, 5), np.random.default_rng(1).normal(size=(32, 1))
    (layer,), total = model.layers, np.zeros(32)
    units = np.arange(20) * 5 // 20  # degrees: how many components a hidden unit may see
    for position, j in enumerate(model.order):
        logit = model.last.b.data[j] + context[:, 0] * model.direct.W.data[0, j]
        for unit in np.flatnonzero(units <= position):
            seen = model.order[: units[unit]]
            z = x[:, seen] @ layer.W.data[1 + seen, unit] + context[:, 0] * layer.W.data[0, unit] + layer.b.data[unit]
            logit = logit + np.tanh(z) * model.last.W.data[unit, j]
        logit = logit + x[:, model.order[:position]] @ model.direct.W.data[1 + model.order[:position], j]
        total -= np.logaddexp(0, np.where(x[:, j] == 1, -logit, logit))
    np.testing.assert_allclose(model.log_prob(x, context).data, total, rtol=0, atol=1e-12)
    assert model.loss(x, context, 0).item() == pytest.approx(-total.mean(), abs=1e-13)


@NET
def test_total_probability_of_all_2_to_the_12(net: str) -> None:
    x = every(2, 12)
    for order in (np.arange(12), np.arange(12)[::-1], np.random.default_rng(2).permutation(12)):
        model = small(dims=12, net=net, order=order).eval()
        assert abs(np.exp(model.log_prob(x).data).sum() - 1) < 1e-12


@pytest.mark.parametrize("kind", ["categorical", "mixture of logistics"])
def test_total_probability_of_all_levels(kind: str) -> None:
    for context in (0, 1):
        model = small(kind, 6, context=context)
        log_p = model.log_prob(every(3, 6), np.full((3**6, 1), 0.7) if context else None)
        assert abs(np.exp(log_p.data).sum() - 1) < 1e-12


@pytest.mark.parametrize("kind", ["Gaussian", "mixture of Gaussians"])
def test_densities_integrate_to_1(kind: str) -> None:
    """The trapezoidal rule over a plane, which for smooth densities that end within it is exact but for rounding."""
    grid = np.linspace(-14, 14, 401)
    x = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    for seed in range(3):
        model = MADE(2, OUTPUTS[kind], [6], seed, order=[1, 0], activation="tanh", dtype=np.float64)
        log_p = model.log_prob(x).data
        assert abs(np.exp(log_p).sum() * (grid[1] - grid[0]) ** 2 - 1) < 1e-10


@KINDS
def test_one_component_alone(kind: str) -> None:
    """D = 1: the distribution of the bias, whatever the hidden layers."""
    model = small(kind, 1)
    x = np.zeros((2, 1), int if model.symbols else float)
    alone = model.output(model.last.b.data.reshape(1, 1, -1))
    np.testing.assert_allclose(model.log_prob(x).data, np.repeat(alone.log_prob(x[:1])[:, 0], 2), rtol=0, atol=1e-15)
    assert model.sample(3, 0).shape == (3, 1)


def test_a_pass_leaves_the_weights_alone() -> None:
    model = small("categorical", net="direct")
    before = model.state()
    model.loss(np.ones((2, 5), int), 0).backward()
    model.with_order(range(5)).log_prob(np.ones((2, 5), int))
    model.sample(3, 0)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


# -- samples -------------------------------------------------------------------------------------------------------


@KINDS
def test_each_draw_follows_its_uniform_number(kind: str) -> None:
    """x[j] is the inverse, at u[j], of the distribution function given those before, and what is given is kept."""
    from scratchgen.autoregressive import inverse, part

    model, rng = small(kind, context=1), np.random.default_rng(3)
    u, context = rng.random((6, 5)), rng.normal(size=(6, 1))
    given = model.sample(6, 4, context)[:, model.order[:2]]
    x = model.sample(6, uniforms=u, context=context, given=given)
    np.testing.assert_array_equal(x[:, model.order[:2]], given)
    p = model.conditionals(x, context)
    for j in model.order[2:]:
        np.testing.assert_array_equal(inverse(part(p, (slice(None), j)), u[:, j]), x[:, j])


@pytest.mark.parametrize("kind", ["binary", "categorical"])
def test_samples_come_as_often_as_they_are_probable(kind: str) -> None:
    """Chi-square over all vectors of three components, in standard deviations of its distribution."""
    model, n = small(kind, 3), 20_000
    levels = 2 if kind == "binary" else 3
    x = model.sample(n, 0).astype(int)
    count = np.bincount(np.ravel_multi_index(tuple(x.T), [levels] * 3), minlength=levels**3)
    expected = n * np.exp(model.log_prob(every(levels, 3)).data)
    few = expected < 10  # together, as one bin
    count, expected = (np.append(a[~few], a[few].sum()) for a in (count, expected))
    chi2, free = np.sum((count - expected) ** 2 / expected), len(count) - 1
    assert free > 3 and abs(chi2 - free) < 5.96 * np.sqrt(2 * free)
    # What it could notice: bits that are drawn with probabilities 5 % too small.
    assert 0.05**2 * n > 5.96 * np.sqrt(2 * free)


def test_known_components_come_first_in_a_suitable_order() -> None:
    model = small("categorical")
    known = np.array([False, True, False, False, True])
    given = np.array([0, 2, 0, 0, 1])
    fitting = model.with_order([4, 1, 0, 2, 3])
    x = fitting.sample(4, 0, given=given, known=known)
    np.testing.assert_array_equal(x[:, known], np.tile([2, 1], (4, 1)))


# -- other orders --------------------------------------------------------------------------------------------------


@NET
def test_another_order_is_that_model_with_the_same_weights(net: str) -> None:
    model, order = small("categorical", net=net).eval(), [3, 1, 4, 0, 2]
    fresh = small("categorical", net=net, order=order).eval()
    fresh.load_state(model.state())
    other, x = model.with_order(order), every(3, 5)
    np.testing.assert_array_equal(other.log_prob(x).data, fresh.log_prob(x).data)
    np.testing.assert_array_equal(other.order, order)
    assert {id(t) for t in other.parameters().values()} == {id(t) for t in model.parameters().values()}


def test_shuffled_units_are_another_model_of_the_same_order() -> None:
    model, x = small(dims=12), every(2, 12)
    other = model.with_order(model.order, rng=0)
    assert abs(np.exp(other.log_prob(x).data).sum() - 1) < 1e-12
    assert np.abs(other.log_prob(x).data - model.log_prob(x).data).max() > 1e-3
    np.testing.assert_array_equal(model.with_order(model.order, rng=0).log_prob(x).data, other.log_prob(x).data)


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dims": 0}, ValueError, "dims is 0"),
        ({"dims": True}, ValueError, "dims is True"),
        ({"order": Tensor(np.arange(5.0))}, TypeError, "pass t.data"),
        ({"order": np.ma.masked_array(range(5), True)}, TypeError, "order is a masked array"),
        ({"hidden": [4, 0]}, ValueError, r"hidden\[1\] is 0"),
        ({"hidden": 8}, ValueError, r"hidden is 8; give the width of each hidden layer, such as \[64\]"),
        ({"output": BinaryOutput}, TypeError, r"give one of autoregressive\.outputs, such as BinaryOutput\(\)"),
        ({"hidden": [3]}, ValueError, r"hidden layers \[3\] are too narrow for 5 inputs.*cannot see inputs \[3\]"),
        ({"hidden": [4], "context": 1}, ValueError, "use widths of at least 5"),
        ({"order": [0, 1, 2, 3, 3]}, ValueError, r"missing \[4\], repeated \[3\]"),
        ({"order": [1, 0]}, ValueError, r"no permutation of 0 … 4: missing \[2, 3, 4\]"),
        ({"context": -1}, ValueError, "context is -1"),
        ({"activation": "swish"}, ValueError, "no activation 'swish'"),
        ({"dropout": 1.0}, ValueError, "rate is 1.0"),
    ],
)
def test_models_that_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MADE(**{"dims": 5, "output": BinaryOutput(), "hidden": [8], "rng": 0, **options})


@pytest.mark.parametrize(
    ("kind", "x", "error", "message"),
    [
        ("binary", np.zeros((2, 4)), ValueError, r"x has shape \(2, 4\), expected \(batch, 5\)"),
        ("binary", np.zeros((2, 5, 1)), ValueError, r"x\.reshape\(-1, 5\)"),
        ("binary", np.zeros(5), ValueError, r"x has shape \(5,\).*x\[None\] is a batch of one"),
        ("binary", np.zeros((0, 5)), ValueError, "x has 0 rows"),
        ("binary", np.full((2, 5), 0.5), ValueError, r"x has 0.5 at \(0, 0\).*binarise it"),
        ("binary", np.full((2, 5), np.nan), ValueError, r"x has nan at \(0, 0\)"),
        ("binary", np.zeros((2, 5), np.float32), TypeError, "x is float32"),
        ("categorical", np.zeros((2, 5)), TypeError, "x is float64; grey levels are integers from 0 to 2"),
        ("categorical", np.full((2, 5), 3), ValueError, r"x has 3 at \(0, 0\); grey levels are 0 to 2"),
        ("mixture of logistics", np.full((2, 5), -1), ValueError, r"x has -1 at \(0, 0\)"),
        ("Gaussian", np.full((2, 5), np.inf), ValueError, r"x has inf at \(0, 0\)"),
        ("mixture of Gaussians", np.zeros((2, 5), np.uint8), TypeError, "x is uint8"),
    ],
)
def test_data_that_are_refused(kind: str, x: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        small(kind).loss(x, 0)


@pytest.mark.parametrize("known", [1, 5])
@pytest.mark.parametrize(("kind", "value"), [("binary", 0.5), ("binary", 2), ("categorical", 3), ("categorical", -1)])
def test_given_values_that_x_cannot_have_are_refused_even_where_nothing_is_left_to_draw(
    kind: str, value: float, known: int
) -> None:
    with pytest.raises(ValueError, match=f"x has {value}"):
        small(kind).sample(2, 0, given=np.full(known, value))
    with pytest.raises(ValueError, match=f"x has {value}"):
        small(kind).sample(2, 0, given=np.full(5, value), known=np.ones(5, bool))


@KINDS
def test_no_rows_and_nothing_given(kind: str) -> None:
    model = small(kind)
    nothing = model.sample(0, 0)
    assert nothing.shape == (0, 5) and model.log_prob(nothing).shape == (0,)
    np.testing.assert_array_equal(model.sample(3, 0, given=[]), model.sample(3, 0))


def test_contexts_that_are_refused() -> None:
    x, without, model = np.zeros((2, 5)), small(), small(context=3)
    for context, error, message in [
        (None, ValueError, r"context is missing; it must be \(2, 3\)"),
        (np.zeros((2, 2)), ValueError, r"context has shape \(2, 2\); it must be \(2, 3\)"),
        (np.zeros((1, 3)), ValueError, r"context has shape \(1, 3\); it must be \(2, 3\)"),
        (np.zeros((2, 3), np.float32), TypeError, "context is float32"),
        (np.full((2, 3), np.nan), ValueError, "context has nan"),
    ]:
        with pytest.raises(error, match=message):
            model.log_prob(x, context)
    with pytest.raises(ValueError, match="context was given, but this MADE was made without"):
        without.log_prob(x, np.zeros((2, 3)))


def test_dropout_needs_an_rng_in_training_only() -> None:
    model, x = small(net="dropout"), np.zeros((2, 5))
    with pytest.raises(ValueError, match="Dropout draws in training"):
        model.loss(x)
    assert model.loss(x, 0).item() != model.loss(x, 1).item()
    assert model.eval().loss(x).item() == model.loss(x, 3).item()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CategoricalOutput(0), "levels is 0"),
        (lambda: CategoricalOutput(1), "levels is 1; it must be at least 2"),
        (lambda: LogisticMixtureOutput(2, 2.5), "levels is 2.5"),
        (lambda: GaussianMixtureOutput(0), "components is 0"),
        (lambda: LogisticMixtureOutput(0, 3), "components is 0"),
        (lambda: LogisticMixtureOutput(2, 2.5), "levels is 2.5; it must be an integer"),
        (lambda: LogisticMixtureOutput(2, 1), "levels is 1; it must be at least 2"),
    ],
)
def test_outputs_that_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_dropout_after_each_hidden_layer_by_hand() -> None:
    """(2) in training: one stream of random numbers, so that no two layers leave out the same units, for a seed too."""
    model = MADE(4, BinaryOutput(), [6, 6], rng=0, dropout=0.5, dtype=np.float64).train()
    x = np.random.default_rng(1).integers(0, 2, (5, 4)).astype(np.float64)
    rng, h = np.random.default_rng(2), x
    for layer in model.layers:
        h = model.dropout(layer(h), rng)
    expected = model.last(h).data.reshape(5, 4, 1)
    np.testing.assert_array_equal(model.network(x, 2).data, expected)
    assert not np.array_equal(model.eval().network(x).data, expected)
