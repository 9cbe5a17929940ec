"""Errors planted in MADE, its masks, its outputs and the mixture over orders: for each there is a test that fails."""

import copy
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, linear, log_softmax
from scratchgen.autoregressive import made, masks, order_mixture, outputs
from scratchgen.autoregressive.made import MADE
from scratchgen.autoregressive.order_mixture import OrderMixture
from scratchgen.distributions import Bernoulli, Mixture, Normal
from scratchgen.nn import MaskedLinear
from tests.autoregressive import test_made, test_masks, test_order_mixture, test_outputs
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught
from tests.nn import test_masked

degrees, all_masks, with_order = masks.degrees, masks.masks, MADE.with_order
made_masks = MADE.masks


def jacobian(kind: str = "binary", net: str = "one hidden layer") -> Check:
    return partial(test_made.test_each_output_depends_on_exactly_what_comes_before, kind, net)


def context(net: str) -> Check:
    return partial(test_made.test_the_context_reaches_every_output, "binary", net)


def triangle(hidden: list[int], rng: Any = None, context: int = 0) -> Check:
    return partial(test_masks.test_paths_are_the_strict_triangle, hidden, rng, context)


def other_order(net: str) -> Check:
    return partial(test_made.test_another_order_is_that_model_with_the_same_weights, net)


meaning: dict[str, Check] = {
    name: partial(test_outputs.test_the_numbers_have_their_meaning, name) for name in test_outputs.CASES
}
total = partial(test_made.test_total_probability_of_all_2_to_the_12, "three")
by_hand = test_made.test_log_prob_by_hand
right_way = partial(test_order_mixture.test_total_probability_is_1_by_the_right_way_only, 5)


# -- masks ---------------------------------------------------------------------------------------------------------


def with_masks(wrong: Callable[..., list[np.ndarray]]) -> Plant:
    """MADE with the masks that a function of the order, the widths and the context gives."""

    def patched(order: Any, hidden: Any, context: int = 0, complete: bool = True, rng: Any = None) -> list[np.ndarray]:
        return wrong(degrees(order, hidden, context, rng), np.asarray(order))

    return instead_of(made, "masks", patched)


def rule(m: list[np.ndarray], inner: Any = np.less_equal, outer: Any = np.less) -> list[np.ndarray]:
    """Masks of degrees, by the comparisons of the degree before with that after."""
    *before, last = m
    return [inner(a[:, None], b) for a, b in pairwise(before)] + [outer(before[-1][:, None], last)]


def order_for_rank(m: list[np.ndarray], order: np.ndarray) -> list[np.ndarray]:
    """normalizing_flows: inputs with the order where their positions in it are meant, outputs right."""
    return rule([order + 1, *m[1:]])


def order_for_rank_throughout(m: list[np.ndarray], order: np.ndarray) -> list[np.ndarray]:
    """A model of another order than it says."""
    return rule([order + 1, *m[1:-1], order + 1])


def drawn(order: Any, hidden: Any, context: int = 0, rng: Any = None) -> list[np.ndarray]:
    """As in the paper: some degree may not be there."""
    first, *between, last = degrees(order, hidden, context)
    draw = np.random.default_rng(0)
    return [first, *(draw.integers(1, max(len(last), 2), len(m)) for m in between), last]


def modulo(order: Any, hidden: Any, context: int = 0, rng: Any = None) -> list[np.ndarray]:
    first, *between, last = degrees(order, hidden, context, rng)
    return [first, *(np.arange(len(m)) % max(len(last) - 1, 1) + 1 for m in between), last]


def without_0(order: Any, hidden: Any, context: int = 0, rng: Any = None) -> list[np.ndarray]:
    """Hidden degrees from 1, with a context too."""
    first, *between, last = degrees(order, hidden, 0, rng)
    return [np.concatenate([np.zeros(context, int), first]), *between, last]


def context_of_degree_1(order: Any, hidden: Any, context: int = 0, rng: Any = None) -> list[np.ndarray]:
    first, *rest = degrees(order, hidden, context, rng)
    return [np.maximum(first, 1), *rest]


def spread_masks(features: Callable, numbers: Callable) -> Plant:
    """Masks brought to the number of features and of numbers by the wrong function."""

    def wrong(self: MADE, hidden: Any, rng: Any = None) -> list[np.ndarray]:
        result = all_masks(self.order, hidden, self.context, self.complete, rng)
        result[0] = features(result[0], self.output.features)
        result[-1] = numbers(result[-1], self.output.numbers)
        return result

    return instead_of(MADE, "masks", wrong)


def masked_in_place(self: MaskedLinear, x: Any) -> Tensor:
    self.W.assign(self.W.data * self.mask)
    y = linear(x, self.W, self.b)
    return y if self.activation is None else self.activation(y)


def unmasked(self: MaskedLinear, x: Any) -> Tensor:
    return self.activation(linear(x, self.W, self.b)) if self.activation else linear(x, self.W, self.b)


def masked_when_made(self: MaskedLinear, x: Any) -> Tensor:
    """The mask is not differentiated through: masked weights have a gradient, and are trained."""
    W = self.W + (self.W.data * self.mask - self.W.data)
    return linear(x, W, self.b) if self.activation is None else self.activation(linear(x, W, self.b))


# -- MADE ----------------------------------------------------------------------------------------------------------


def copied(self: MADE, order: Any, rng: Any = None) -> MADE:
    return with_order(copy.deepcopy(self), order, rng)


def masks_kept(what: str) -> Plant:
    """The new order forgets one of the masks."""

    def wrong(self: MADE, order: Any, rng: Any = None) -> MADE:
        other = with_order(self, order, rng)
        setattr(other, what, getattr(self, what))
        return other

    return instead_of(MADE, "with_order", wrong)


def fed_the_hidden_units_of_direct(self: MADE, features: Any, rng: Any = None) -> Tensor:
    """Direct connections left out."""
    h = features
    for layer in self.layers:
        h = self.dropout(layer(h), rng)
    return self.last(h).reshape(-1, self.dims, self.output.numbers)


def numbers_first(self: MADE, features: Any, rng: Any = None) -> Tensor:
    y = network(self, features, rng)
    return np.swapaxes(y.reshape(-1, self.output.numbers, self.dims), 1, 2)


network = MADE.network


# -- outputs -------------------------------------------------------------------------------------------------------


def mixture_of(kind: Callable[[Any, Any, Any], Any]) -> Plant:
    return instead_of(
        outputs.GaussianMixtureOutput, "__call__", lambda self, numbers: kind(*outputs.thirds(numbers)[:3])
    )


def logistics(wrong: Callable[..., Any]) -> Plant:
    """Locations and log-scales made by a wrong function of half, the spread, and what the network gives."""

    def call(self: Any, numbers: Any) -> Mixture:
        logits, loc, log_scale = outputs.thirds(numbers)
        half, spread = 0.5 * (self.levels - 1), outputs.spread(self.components, numbers.dtype)
        return Mixture(
            logits, outputs.DiscretisedLogistic(*wrong(half, spread, loc, log_scale, self.components), self.levels)
        )

    return instead_of(outputs.LogisticMixtureOutput, "__call__", call)


# -- the mixture over orders ---------------------------------------------------------------------------------------


def averaged_logits(self: OrderMixture, x: Any, context: Any = None) -> Any:
    """pytorch-made#1."""
    logits = sum(member.conditionals(x).logits for member in self.members) / len(self.members)
    return np.sum(Bernoulli(logits).log_prob(x), axis=-1)


def averaged_probabilities(self: OrderMixture, x: Any, context: Any = None) -> Any:
    """Of each component, then multiplied."""
    p = sum(member.conditionals(x).mean.data for member in self.members) / len(self.members)
    return Tensor(np.log(np.where(x == 1, p, 1 - p)).sum(axis=-1))


def of_each(self: OrderMixture, x: Any) -> Any:
    return np.stack([member.log_prob(x) for member in self.members], axis=-1)


def one_member_for_all(self: OrderMixture, n: int, rng: Any, context: Any = None, which: Any = None) -> np.ndarray:
    return self.members[0].sample(n, rng, context)


mixture_samples = test_order_mixture.test_samples_come_as_often_as_they_are_probable
mixture_loss = test_order_mixture.test_the_loss_in_training_is_of_one_order_and_in_evaluation_of_all

PLANTS: dict[str, tuple[Plant, Check]] = {
    "a random order, where an output sees its own input (normalizing_flows)": (with_masks(order_for_rank), jacobian()),
    "the same: no distribution": (with_masks(order_for_rank), total),
    "another order than it says": (with_masks(order_for_rank_throughout), jacobian()),
    "≥ at the output": (with_masks(lambda m, _: rule(m, outer=np.less_equal)), jacobian()),
    "≥ at the output: no distribution": (with_masks(lambda m, _: rule(m, outer=np.less_equal)), total),
    "> between hidden layers: dead connections": (
        with_masks(lambda m, _: rule(m, inner=np.less)),
        jacobian(net="three"),
    ),
    "degrees fall along a path": (with_masks(lambda m, _: rule(m, inner=np.greater_equal)), jacobian()),
    "degrees that are no staircase": (
        instead_of(test_masks, "masks", lambda order, hidden, context=0: rule(modulo(order, hidden, context))),
        test_masks.test_masks_of_the_natural_order_are_staircases,
    ),
    "degrees drawn: connections silently dead (pytorch-flows#12)": (
        instead_of(test_masks, "masks", lambda order, hidden, context=0, rng=None: rule(drawn(order, hidden, context))),
        triangle([4, 5, 9]),
    ),
    "context of degree 1": (instead_of(masks, "degrees", context_of_degree_1), context("narrow")),
    "context never reaches the first output (nflows PR#85)": (
        instead_of(masks, "degrees", without_0),
        context("narrow"),
    ),
    "features side by side, taken for copies of x": (
        spread_masks(lambda mask, n: np.tile(mask, (n, 1)), lambda mask, n: np.repeat(mask, n, axis=1)),
        jacobian("categorical"),
    ),
    "numbers side by side, taken for copies of x": (
        spread_masks(lambda mask, n: np.repeat(mask, n, axis=0), lambda mask, n: np.tile(mask, (1, n))),
        jacobian("Gaussian"),
    ),
    "numbers before components": (instead_of(MADE, "network", numbers_first), jacobian("Gaussian")),
    "direct connections left out": (instead_of(MADE, "network", fed_the_hidden_units_of_direct), by_hand),
    "masked in place (pytorch-generative)": (
        instead_of(MaskedLinear, "forward", masked_in_place),
        test_made.test_a_pass_leaves_the_weights_alone,
    ),
    "masked in place, in the layer": (
        instead_of(MaskedLinear, "forward", masked_in_place),
        test_masked.test_a_forward_pass_leaves_weights_and_mask_alone,
    ),
    "mask forgotten": (instead_of(MaskedLinear, "forward", unmasked), jacobian()),
    "masked weights trained": (
        instead_of(MaskedLinear, "forward", masked_when_made),
        test_masked.test_masked_weights_are_not_trained,
    ),
    "weights copied for another order": (
        instead_of(MADE, "with_order", copied),
        other_order("one hidden layer"),
    ),
    "mask of the output kept from the order before": (masks_kept("last"), other_order("one hidden layer")),
    "direct mask kept from the order before": (masks_kept("direct"), other_order("direct")),
    "hidden masks kept from the order before": (masks_kept("layers"), other_order("three")),
    "order not told": (masks_kept("permutation"), other_order("none")),
    "log p averaged over components": (
        instead_of(MADE, "log_prob", lambda self, x, c=None: np.mean(self.conditionals(x, c).log_prob(x), axis=-1)),
        total,
    ),
    "loss averaged over components": (
        instead_of(MADE, "loss", lambda self, x, c, rng: -np.mean(self.conditionals(x, c).log_prob(x))),
        by_hand,
    ),
    "loss summed over the batch": (
        instead_of(MADE, "loss", lambda self, x, c, rng: -np.sum(self.log_prob(x, c))),
        by_hand,
    ),
    "logits of 0 for those of 1": (
        instead_of(outputs.BinaryOutput, "__call__", lambda self, numbers: Bernoulli(-numbers[..., 0])),
        meaning["binary"],
    ),
    "standard deviation for log-variance": (
        instead_of(
            outputs.GaussianOutput,
            "__call__",
            lambda self, numbers: Normal(numbers[..., 0], 2 * outputs.bounded(numbers[..., 1])),
        ),
        meaning["Gaussian"],
    ),
    "mean and log-variance exchanged": (
        instead_of(
            outputs.GaussianOutput,
            "__call__",
            lambda self, numbers: Normal(numbers[..., 1], outputs.bounded(numbers[..., 0])),
        ),
        meaning["Gaussian"],
    ),
    "components that start equal": (
        instead_of(outputs, "spread", lambda k, dtype: np.zeros(k, dtype)),
        meaning["mixture of Gaussians"],
    ),
    "log-weights doubled": (
        mixture_of(lambda w, m, v: Mixture(2 * log_softmax(w), Normal(m + np.array([-1, 0, 1]), outputs.bounded(v)))),
        meaning["mixture of Gaussians"],
    ),
    "means for weights": (
        mixture_of(lambda w, m, v: Mixture(m, Normal(w + np.array([-1, 0, 1]), outputs.bounded(v)))),
        meaning["mixture of Gaussians"],
    ),
    "levels not moved to begin at 0": (
        logistics(lambda half, spread, loc, log_scale, k: (half * (spread + loc), log_scale + np.log(half / k))),
        meaning["mixture of logistics"],
    ),
    "scale left in [−1, 1]": (
        logistics(lambda half, spread, loc, log_scale, k: (half * (1 + spread + loc), log_scale - np.log(k))),
        meaning["mixture of logistics"],
    ),
    "location left in [−1, 1]": (
        logistics(lambda half, spread, loc, log_scale, k: (half * (1 + spread) + loc, log_scale + np.log(half / k))),
        meaning["mixture of logistics"],
    ),
    "logits averaged over orders (pytorch-made#1)": (instead_of(OrderMixture, "log_prob", averaged_logits), right_way),
    "probabilities averaged component by component": (
        instead_of(OrderMixture, "log_prob", averaged_probabilities),
        right_way,
    ),
    "log p averaged over orders": (
        instead_of(OrderMixture, "log_prob", lambda self, x: np.mean(of_each(self, x), axis=-1)),
        right_way,
    ),
    "log K forgotten": (
        instead_of(OrderMixture, "log_prob", lambda self, x: order_mixture.logsumexp(of_each(self, x), axis=-1)),
        right_way,
    ),
    "draws of one order only": (instead_of(OrderMixture, "sample", one_member_for_all), mixture_samples),
    "always trained in the first order": (
        instead_of(OrderMixture, "loss", lambda self, x, rng=0: self.members[0].loss(x, rng)),
        mixture_loss,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
