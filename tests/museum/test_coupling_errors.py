"""Errors planted in couplings, splines, mixtures and autoregressive layers: for each there is a test that fails.

The checks are those that every transform has to pass, for one sample each, and the tests of these layers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import log_sigmoid, log_softmax, logsumexp
from scratchgen.autodiff.shapes import scatter_add
from scratchgen.autoregressive.masks import degrees
from scratchgen.checks.transforms import SAMPLES_OF_TRANSFORMS
from scratchgen.flows import (
    AffineMap,
    Coupling,
    LogisticMixtureMap,
    MaskedAutoregressive,
    MaskedNet,
    SplineMap,
    coupling,
    logistic_mixture,
    masked,
    scalar_maps,
    spline,
    stacks,
)
from tests.flows import (
    test_coupling,
    test_logistic_mixture,
    test_masked,
    test_scalar_maps,
    test_spline,
    test_stacks,
    test_transforms,
)
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught


def log_det(cls: type, kind: str, dims: int = 3) -> Check:
    return partial(test_transforms.test_log_det_of_each_direction, SAMPLES_OF_TRANSFORMS[cls, kind], dims)


def round_trip(cls: type, kind: str, dims: int = 3) -> Check:
    return partial(test_transforms.test_round_trips, SAMPLES_OF_TRANSFORMS[cls, kind], dims)


def scaled(cls: Any, direction: str, factor: float) -> Plant:
    """The second result of a direction, log |det| or log-slopes, times a factor."""
    right = getattr(cls, direction)

    def wrong(self: Any, h: Any, given: Any = None) -> Any:
        image, logarithm = right(self, h, given)
        return image, factor * logarithm

    return instead_of(cls, direction, wrong)


# -- couplings -----------------------------------------------------------------------------------------------------


def in_place(f: Coupling, passing: Any, image: Any, h: Any) -> Any:
    return scatter_add(passing, (slice(None), f.mask), h.shape) + scatter_add(image, (slice(None), ~f.mask), h.shape)


def total(log_slopes: Any) -> Any:
    return np.sum(log_slopes, axis=1)


def mapped(merge: Any = in_place, total: Any = total, seen: Any = None) -> Plant:
    """``Coupling.mapped`` with another way to merge or to sum, or a network that sees something else."""

    def wrong(self: Coupling, apply: Any, h: Any, context: Any) -> Any:
        passing, others = h[:, self.mask], h[:, ~self.mask]
        theta = self.theta(passing if seen is None else seen(h, passing), context)
        image, log_slopes = apply(others, theta)
        return merge(self, passing, image, h), total(log_slopes)

    return instead_of(Coupling, "mapped", wrong)


def theta(layout: Any = None, context_factor: float = 1.0) -> Plant:
    """``Coupling.theta`` with another layout of the outputs, or less of the context."""

    def wrong(self: Coupling, passing: Any, context: Any) -> Any:
        seen = passing if context is None else np.concatenate([passing, context_factor * context], axis=1)
        others, numbers = int(np.sum(~self.mask)), self.scalar_map.numbers
        flat = self.net(seen)
        return flat.reshape(-1, others, numbers) if layout is None else layout(flat, others, numbers)

    return instead_of(Coupling, "theta", wrong)


COUPLINGS: dict[str, tuple[Plant, Check]] = {
    "interleaved split, concatenated merge (pytorch-normalizing-flows#5, #10)": (
        mapped(lambda f, passing, image, h: np.concatenate([passing, image], axis=1)),
        round_trip(Coupling, "affine", 5),
    ),
    "interleaved split, concatenated merge, at D = 3": (
        mapped(lambda f, passing, image, h: np.concatenate([passing, image], axis=1)),
        partial(test_coupling.test_what_depends_on_what, "affine", [1, 0, 1, 1, 0]),
    ),
    "what passes in the place of what does not": (
        mapped(lambda f, passing, image, h: np.concatenate([image, passing], axis=1)),
        partial(test_coupling.test_what_depends_on_what, "affine", [1, 0]),
    ),
    "the network sees what it moves": (
        mapped(seen=lambda h, passing: np.mean(h, axis=1, keepdims=True) + 0 * passing),
        round_trip(Coupling, "affine"),
    ),
    "mask the wrong way round": (
        instead_of(coupling, "checked_mask", lambda mask: ~np.asarray(mask, bool)),
        partial(test_coupling.test_what_depends_on_what, "affine", [1, 0]),
    ),
    "log-slopes averaged": (mapped(total=lambda s: np.mean(s, axis=1)), log_det(Coupling, "affine", 5)),
    "log-slopes summed over the batch": (
        mapped(total=lambda s: np.sum(s) + 0 * np.sum(s, axis=1)),
        log_det(Coupling, "affine"),
    ),
    "slopes summed, not their logarithms": (
        mapped(total=lambda s: np.log(np.sum(np.exp(s), axis=1))),
        log_det(Coupling, "affine", 5),
    ),
    "the first of the others only": (mapped(total=lambda s: s[:, 0]), log_det(Coupling, "affine", 5)),
    "sign, forward (pytorch-flows#16)": (scaled(Coupling, "forward", -1.0), log_det(Coupling, "affine")),
    "sign, inverse (normalizing-flows#27)": (scaled(Coupling, "inverse", -1.0), log_det(Coupling, "spline")),
    "no log-det of the inverse (flowjax#208)": (scaled(Coupling, "inverse", 0.0), log_det(Coupling, "affine")),
    "forward in both directions": (
        instead_of(Coupling, "inverse", lambda self, z, context=None: self.mapped(self.scalar_map.forward, z, context)),
        round_trip(Coupling, "affine"),
    ),
    "numbers before dimensions": (
        theta(lambda flat, others, numbers: np.swapaxes(flat.reshape(-1, numbers, others), 1, 2)),
        test_coupling.test_by_hand,
    ),
    "context unused": (theta(context_factor=0.0), test_coupling.test_context_reaches_the_others_only),
    "the same mask in every layer": (
        instead_of(stacks, "alternating", lambda dims, layer: np.arange(dims) % 2 == 0),
        partial(test_stacks.test_all_dimensions_depend_on_all, stacks.coupling_stack, 3),
    ),
    "one network for all layers": (
        instead_of(stacks, "generator", lambda rng: 7),
        partial(test_stacks.test_each_layer_has_weights_of_its_own, stacks.coupling_stack),
    ),
}

# -- scalar maps ---------------------------------------------------------------------------------------------------


def slopes(name: str) -> Check:
    return partial(test_scalar_maps.test_the_slope_is_that_of_the_map, name)


def identity(name: str) -> Check:
    return partial(test_scalar_maps.test_it_starts_as_the_identity, name)


def huge(name: str, dtype: Any = np.float32) -> Check:
    return partial(test_scalar_maps.test_huge_inputs_and_parameters, name, dtype)


def affine_forward(image: Callable[..., Any], log_slope: Callable[..., Any]) -> Plant:
    def wrong(self: AffineMap, x: Any, theta: Any) -> Any:
        a = scalar_maps.bounded(theta[..., 1], self.most)
        return image(x, theta[..., 0], a), log_slope(a)

    return instead_of(AffineMap, "forward", wrong)


def scale(wrong: Callable[..., Any]) -> Plant:
    return instead_of(scalar_maps, "bounded", wrong)


MAPS: dict[str, tuple[Plant, Check]] = {
    "exp(scale) without a bound (normalizing-flows#47)": (scale(lambda alpha, most: alpha), huge("affine")),
    "a scale by the sigmoid, at most 1 (glow#25, nflows#49)": (
        scale(lambda alpha, most: log_sigmoid(alpha)),
        test_scalar_maps.test_scales_reach_above_and_below_one,
    ),
    "a scale by tanh, at most e": (
        scale(lambda alpha, most: np.tanh(alpha)),
        test_scalar_maps.test_scales_reach_above_and_below_one,
    ),
    "a bound that clips": (
        scale(lambda alpha, most: np.clip(alpha, -most, most)),
        test_scalar_maps.test_the_affine_map_by_hand,
    ),
    "multiplied by e^a, log-slope −a": (
        affine_forward(lambda x, b, a: (x - b) * np.exp(a), lambda a: -a),
        slopes("affine"),
    ),
    "divided by e^a, log-slope a": (
        affine_forward(lambda x, b, a: (x - b) * np.exp(-a), lambda a: a),
        slopes("affine"),
    ),
    "the slope for its logarithm": (
        affine_forward(lambda x, b, a: (x - b) * np.exp(-a), lambda a: np.exp(-a)),
        slopes("affine"),
    ),
    "scaled before shifted": (
        affine_forward(lambda x, b, a: x * np.exp(-a) - b, lambda a: -a),
        partial(test_scalar_maps.test_round_trips, "affine"),
    ),
    "shift added": (
        affine_forward(lambda x, b, a: (x + b) * np.exp(-a), lambda a: -a),
        test_scalar_maps.test_the_affine_map_by_hand,
    ),
}

# -- splines -------------------------------------------------------------------------------------------------------


def spline_inverse(root_of: Callable[..., Any]) -> Plant:
    """The inverse with another formula for ξ, from η, s, δ_k and δ_{k+1}."""

    def wrong(y: Any, b: Any) -> Any:
        xi = root_of((y - b.y) / b.height, b.height / b.width, b.left, b.right)
        return b.x + b.width * xi, -spline.common(xi, b.height / b.width, b)[1]

    return instead_of(spline, "inverse", wrong)


def textbook(eta: Any, s: Any, left: Any, right: Any) -> Any:
    """2 c / (−b − √(b² − 4 a c)) from the differences a, b and c, as published."""
    a, b, c = (s - left) + eta * (left + right - 2 * s), left - eta * (left + right - 2 * s), -s * eta
    return 2 * c / (-b - np.sqrt(b * b - 4 * a * c))


def other_root(eta: Any, s: Any, left: Any, right: Any) -> Any:
    u = left * (1 - eta) - right * eta
    return 2 * s * eta / (2 * s * eta + u - np.sqrt(u * u + 4 * s * s * eta * (1 - eta)))


def slope_with(change: Callable[..., Any]) -> Plant:
    """log dy/dx by another formula, from s, N and the rest."""
    right = spline.common

    def wrong(xi: Any, s: Any, b: Any) -> Any:
        N, _ = right(xi, s, b)
        return N, change(s, N, b.right * xi * xi + 2 * s * xi * (1 - xi) + b.left * (1 - xi) * (1 - xi))

    return instead_of(spline, "common", wrong)


def without_tails(direction: str, edges: str) -> Plant:
    """The spline asked for values beyond its ends."""

    def wrong(self: SplineMap, h: Any, theta: Any) -> Any:
        knots = self.knots(theta)
        return getattr(spline, direction)(h, spline.bin_of(h, getattr(knots, edges), knots))

    return instead_of(SplineMap, direction, wrong)


def all_or_nothing(self: SplineMap, x: Any, theta: Any) -> Any:
    """The points inside picked by a mask, of which at least one is taken for granted (nflows#23)."""
    inside, knots = np.abs(x) < self.bound, self.knots(theta)
    assert inside.any(), "no x inside"
    within = np.where(inside, x, 0.0)
    z, log_slope = spline.forward(within, spline.bin_of(within, knots.x, knots))
    return np.where(inside, z, x), np.where(inside, log_slope, 0.0)


def wrong_edges(points: Any, edges: Any, knots: Any, right: Any = spline.bin_of) -> Any:
    return right(points, knots.x, knots)  # those of x also for y


def bins_from(compare: Any) -> Plant:
    """The bin found by another comparison with the inner knots."""

    def wrong(points: Any, edges: Any, knots: Any) -> Any:
        shifted = np.nextafter(edges[..., 1:-1], compare).astype(edges.dtype)
        return right(points, np.concatenate([edges[..., :1], shifted, edges[..., -1:]], axis=-1), knots)

    right = spline.bin_of
    return instead_of(spline, "bin_of", wrong)


def coordinates_with(change: Callable[..., Any]) -> Plant:
    right = SplineMap.coordinates
    return instead_of(SplineMap, "coordinates", lambda self, theta: change(self, right(self, theta)))


def summed_to_the_end(self: SplineMap, theta: Any) -> Any:
    """The last knot by the sum of all steps: B but for its rounding."""
    steps = self.least_width + (1 - self.bins * self.least_width) * np.exp(log_softmax(theta))
    start = np.full((*theta.shape[:-1], 1), self.bound, theta.dtype)
    return np.concatenate([-start, 2 * self.bound * np.cumsum(steps, axis=-1) - self.bound], axis=-1)


def scaled_slopes(knots: Any) -> Any:
    return knots._replace(slope=1.01 * knots.slope)


exact_knots = partial(test_spline.test_the_knots_are_mapped_to_each_other_exactly, np.float64)
outside = partial(test_spline.test_outside_it_is_the_identity, 1.0)
formulas, roots = test_spline.test_the_formulas_of_the_paper, test_spline.test_the_inverse_is_the_root
SPLINES: dict[str, tuple[Plant, Check]] = {
    "discriminant by differences: negative (nflows#87)": (
        spline_inverse(textbook),
        partial(test_spline.test_extreme_splines_at_their_knots, np.float32),
    ),
    "the other root": (spline_inverse(other_root), roots),
    "no tails": (without_tails("forward", "x"), outside),
    "no tails in the inverse": (without_tails("inverse", "y"), outside),
    "all inputs in the tails (nflows#23)": (instead_of(SplineMap, "forward", all_or_nothing), outside),
    "knots of x in the inverse": (instead_of(spline, "bin_of", wrong_edges), roots),
    "the last knot by a sum": (instead_of(SplineMap, "coordinates", summed_to_the_end), test_spline.test_the_knots),
    "a knot belongs to the left": (bins_from(np.inf), exact_knots),
    "the first bin starts at 0": (
        coordinates_with(lambda self, knots: knots + self.bound),
        test_spline.test_the_knots,
    ),
    "slope squared in N only": (slope_with(lambda s, n, rest: np.log(s) - 2 * np.log(n) + np.log(rest)), formulas),
    "N not squared": (slope_with(lambda s, n, rest: 2 * np.log(s) - np.log(n) + np.log(rest)), formulas),
    "the slope in units of the bin": (slope_with(lambda s, n, rest: np.log(s / n / n * rest)), formulas),
    "the slope, not its logarithm": (slope_with(lambda s, n, rest: (s / n) ** 2 * rest), slopes("spline")),
    "sign, forward": (scaled(SplineMap, "forward", -1.0), slopes("spline")),
    "sign, inverse": (scaled(SplineMap, "inverse", -1.0), slopes("spline")),
    "slopes at the ends not 1": (
        instead_of(SplineMap, "knots", lambda self, theta, right=SplineMap.knots: scaled_slopes(right(self, theta))),
        partial(test_spline.test_the_knots),
    ),
    "not the identity at 0": (
        instead_of(spline, "softplus", lambda x, right=spline.softplus: right(x) + 0.1),
        identity("spline"),
    ),
    "rows that meet in the softmax": (
        instead_of(spline, "log_softmax", lambda x: x - logsumexp(x)),
        partial(test_scalar_maps.test_each_number_has_its_own_theta, "spline"),
    ),
}


# -- mixtures of logistics -----------------------------------------------------------------------------------------


def logit_of_cdf(wrong: Callable[..., Any]) -> Plant:
    """y and log dy/dx by another formula, from log w, s, log σ(u) and log σ(−u)."""

    def cdf(self: LogisticMixtureMap, x: Any, theta: Any) -> Any:
        log_w, m, s = self.mixture(theta)
        u = (x[..., None] - m) * np.exp(-s)
        return wrong(log_w, s, log_sigmoid(u), log_sigmoid(-u))

    return instead_of(LogisticMixtureMap, "logit_of_cdf", cdf)


def over(a: Any) -> Any:
    return logsumexp(a, axis=-1)


def no_scale_in_the_slope(w: Any, s: Any, left: Any, right: Any) -> Any:
    F, rest = over(w + left), over(w + right)
    return F - rest, over(w + left + right) - F - rest


def cdf_only(w: Any, s: Any, left: Any, right: Any) -> Any:
    F, rest = over(w + left), over(w + right)
    return F - rest, over(w - s + left + right)


def one_minus(w: Any, s: Any, left: Any, right: Any) -> Any:
    F = over(w + left)
    rest = np.log(1 - np.exp(F))
    return F - rest, over(w - s + left + right) - F - rest


def averaged_logits(w: Any, s: Any, left: Any, right: Any) -> Any:
    y = np.sum(np.exp(w) * (left - right), axis=-1)
    return y, over(w - s)


def no_weights(w: Any, s: Any, left: Any, right: Any) -> Any:
    F, rest = over(left), over(right)
    return F - rest, over(left + right - s) - F - rest


def first_component(self: LogisticMixtureMap, y: Any, theta: Any) -> Any:
    _, m, s = self.mixture(theta)
    alone = m[..., 0] + np.exp(s[..., 0]) * y
    return alone - 1.0, alone + 1.0


def expect_no_error(check: Check) -> None:
    """An error that the search raises counts as a failure of the check."""
    try:
        check()
    except (ArithmeticError, ValueError) as error:
        raise AssertionError(str(error)) from error


scipys = test_logistic_mixture.test_against_scipy
MIXTURES: dict[str, tuple[Plant, Check]] = {
    "scale missing in the slope": (logit_of_cdf(no_scale_in_the_slope), scipys),
    "slope of F, not of its logit": (logit_of_cdf(cdf_only), scipys),
    "log(1 − F) by a difference": (logit_of_cdf(one_minus), partial(test_logistic_mixture.test_tails, np.float64)),
    "mean of the logits": (logit_of_cdf(averaged_logits), scipys),
    "no weights": (logit_of_cdf(no_weights), scipys),
    "bracket of the first component": (
        instead_of(LogisticMixtureMap, "bracket", first_component),
        partial(expect_no_error, test_logistic_mixture.test_the_search_at_wild_parameters),
    ),
    "sign, numerical inverse (flowjax#208)": (scaled(LogisticMixtureMap, "inverse", -1.0), slopes("mixture")),
    "log-det 0, numerical inverse": (scaled(LogisticMixtureMap, "inverse", 0.0), slopes("mixture")),
    "no gradient through the search": (
        instead_of(
            logistic_mixture,
            "solve_increasing",
            lambda f, y, *rest, right=logistic_mixture.solve_increasing: (
                np.asarray(getattr(right(f, y, *rest), "data", right(f, y, *rest))) + 0 * y
            ),
        ),
        slopes("mixture"),
    ),
}


# -- autoregressive layers -----------------------------------------------------------------------------------------


def all_true(order: Any, hidden: Any, context: int, right: Any = masked.masks) -> Any:
    return [np.ones_like(mask) for mask in right(order, hidden, context)]


def with_itself(order: Any, hidden: Any, context: int, right: Any = masked.masks) -> Any:
    """≥ for > in the mask of the outputs."""
    *_, last_hidden, outputs = degrees(order, hidden, context)
    return [*right(order, hidden, context)[:-1], outputs >= last_hidden[:, None]]


def cut_context(order: Any, hidden: Any, context: int, right: Any = masked.masks) -> Any:
    """The outputs of the first dimension cut off from all hidden units."""
    *between, last = right(order, hidden, context)
    last = last.copy()
    last[:, order[0]] = False
    return [*between, last]


def masks_of(change: Callable[[Any], Any]) -> Plant:
    """The masks of a changed order."""
    right = masked.masks
    return instead_of(masked, "masks", lambda order, hidden, context: right(change(order), hidden, context))


def one_pass(self: MaskedAutoregressive, z: Any, context: Any = None) -> Any:
    x, log_slopes = self.scalar_map.inverse(z, self.net(z, context))
    return x, np.sum(log_slopes, axis=1)


def in_natural_order(self: MaskedAutoregressive, z: Any, context: Any = None) -> Any:
    x: Any = np.zeros(z.shape, z.dtype)
    logabsdet: Any = 0.0
    for j in range(self.net.dims):
        x_j, log_slope = self.scalar_map.inverse(z[:, j], self.net(x, context)[:, j])
        x, logabsdet = x + scatter_add(x_j, (slice(None), j), z.shape), logabsdet + log_slope
    return x, logabsdet


def last_log_slope(self: MaskedAutoregressive, z: Any, context: Any = None) -> Any:
    x: Any = np.zeros(z.shape, z.dtype)
    log_slope: Any = 0.0
    for j in self.net.order.tolist():
        x_j, log_slope = self.scalar_map.inverse(z[:, j], self.net(x, context)[:, j])
        x = x + scatter_add(x_j, (slice(None), j), z.shape)
    return x, log_slope


def tiled(self: MaskedNet, x: Any, context: Any = None, right: Any = MaskedNet.forward) -> Any:
    """Numbers of the outputs in the order of np.tile, where the mask has that of np.repeat."""
    theta = right(self, x, context)
    return np.swapaxes(theta.reshape(-1, self.numbers, self.dims), 1, 2)


any_order = "affine, any order"
triangle = partial(test_masked.test_the_jacobian_is_triangular, "affine", [2, 0, 1])
MASKED: dict[str, tuple[Plant, Check]] = {
    "all see all": (instead_of(masked, "masks", all_true), triangle),
    "each sees itself": (instead_of(masked, "masks", with_itself), log_det(MaskedAutoregressive, any_order)),
    "the masks of the natural order": (masks_of(np.sort), triangle),
    "order read as its inverse": (masks_of(np.argsort), triangle),
    "numbers tiled, mask repeated": (instead_of(MaskedNet, "forward", tiled), triangle),
    "one pass for the inverse": (
        instead_of(MaskedAutoregressive, "inverse", one_pass),
        round_trip(MaskedAutoregressive, any_order),
    ),
    "the inverse in the natural order": (
        instead_of(MaskedAutoregressive, "inverse", in_natural_order),
        round_trip(MaskedAutoregressive, any_order),
    ),
    "log-slope overwritten, not added": (
        instead_of(MaskedAutoregressive, "inverse", last_log_slope),
        log_det(MaskedAutoregressive, any_order),
    ),
    "sign, forward": (scaled(MaskedAutoregressive, "forward", -1.0), log_det(MaskedAutoregressive, any_order)),
    "sign, inverse": (scaled(MaskedAutoregressive, "inverse", -1.0), log_det(MaskedAutoregressive, any_order)),
    "context never reaches the first output (nflows PR#85)": (
        instead_of(masked, "masks", cut_context),
        test_masked.test_the_context_reaches_every_dimension,
    ),
    "the same order in every layer": (
        instead_of(stacks, "MaskedNet", lambda *args: MaskedNet(*args[:4], None, *args[5:])),
        test_stacks.test_layers_alternate,
    ),
}


PLANTS = {
    f"{topic}: {name}": entry
    for topic, entries in {
        "coupling": COUPLINGS,
        "map": MAPS,
        "spline": SPLINES,
        "mixture": MIXTURES,
        "autoregressive": MASKED,
    }.items()
    for name, entry in entries.items()
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(mapped(), round_trip(Coupling, "affine"))
