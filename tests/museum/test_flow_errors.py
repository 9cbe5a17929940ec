"""Errors planted in the change of variables and in the transforms without networks: for each a test fails.

Many of them are of well-known packages. Most are caught by what holds for every transform, in test_transforms.py.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, sigmoid, softplus
from scratchgen.checks.suite import load_everything
from scratchgen.checks.transforms import SAMPLES_OF_TRANSFORMS
from scratchgen.distributions.distribution import values
from scratchgen.distributions.log1mexp import log1mexp
from scratchgen.flows import (
    ActNorm,
    Affine,
    BatchNorm,
    Composite,
    ContinuousFlow,
    Exp,
    FullLinear,
    InvertibleConv,
    LeakyReLU,
    Logit,
    LULinear,
    Orthogonal,
    Permutation,
    Planar,
    Radial,
    Reverse,
    Sigmoid,
    Softplus,
    Sylvester,
    Tanh,
    Transformed,
    Triangular,
    elementwise,
    householder,
    invertible_conv,
    linear,
    normalisation,
    planar,
    root,
    squashing,
    sylvester,
    transform,
)
from tests.flows import test_continuous as continuous_tests
from tests.flows import test_elementwise as elementwise_tests
from tests.flows import test_flow as flow_tests
from tests.flows import test_linear as linear_tests
from tests.flows import test_normalisation as normalisation_tests
from tests.flows import test_residual_flows as residual_tests
from tests.flows import test_root as root_tests
from tests.flows import test_transforms as transform_tests
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

load_everything()


def log_det(cls: type, kind: str = "", dims: int = 3) -> Check:
    """log |det| against brute force, in each direction."""
    return partial(transform_tests.test_log_det_of_each_direction, SAMPLES_OF_TRANSFORMS[cls, kind], dims)


def round_trip(cls: type, kind: str = "", dims: int = 3) -> Check:
    return partial(transform_tests.test_round_trips, SAMPLES_OF_TRANSFORMS[cls, kind], dims)


def negated(cls: Any, direction: str) -> Plant:
    """The other sign of log |det| in one direction."""
    right = getattr(cls, direction)

    def wrong(self: Any, h: Any, context: Any = None) -> Any:
        image, logabsdet = right(self, h, context)
        return image, -logabsdet

    return instead_of(cls, direction, wrong)


def also(*plants: Plant) -> Plant:
    """Several at once."""

    def all_of_them(patch: pytest.MonkeyPatch) -> None:
        for plant in plants:
            plant(patch)

    return all_of_them


# -- the change of variables and composition ---------------------------------------------------------------------------


def last_log_det(maps: Any, h: Any, context: Any) -> Any:
    total: Any = 0.0
    for apply in maps:
        h, total = apply(h, context)
    return h, total


def without_log_det(self: Any, x: Any) -> Any:
    z, _ = self.mapped(self.transform.forward, x)
    return self.base.log_prob(z)


def subtracted(self: Any, x: Any) -> Any:
    z, logabsdet = self.mapped(self.transform.forward, x)
    return self.base.log_prob(z) - logabsdet


def added(self: Any, n: Any, rng: Any = None, noise: Any = None) -> Any:
    z = self.base.rsample(n, rng, noise)
    x, logabsdet = self.mapped(self.transform.inverse, z)
    return x, self.base.log_prob(z) + logabsdet


def forwards(self: Any, z: Any, context: Any = None) -> Any:
    return transform.through([t.inverse for t in self.transforms], z, context)


FLOW: dict[str, tuple[Plant, Check]] = {
    "log-det overwritten in a composition": (instead_of(transform, "through", last_log_det), log_det(Composite)),
    "a composition undone from its first": (instead_of(Composite, "inverse", forwards), round_trip(Composite)),
    "no log-det in the density": (instead_of(Transformed, "log_prob", without_log_det), flow_tests.test_a_gaussian),
    "log-det subtracted": (instead_of(Transformed, "log_prob", subtracted), flow_tests.test_a_log_normal_distribution),
    "log-det of a sample added": (
        instead_of(Transformed, "rsample_and_log_prob", added),
        flow_tests.test_samples_and_their_density,
    ),
    "sign, forward": (negated(Affine, "forward"), log_det(Affine)),
    "sign, inverse": (negated(Affine, "inverse"), log_det(Affine)),
    "sign, inverse of a composition": (negated(Composite, "inverse"), log_det(Composite)),
    "sign, numerical inverse": (negated(Planar, "inverse"), log_det(Planar)),
    "averaged over dimensions": (
        instead_of(elementwise, "sum_but_first", lambda x: np.mean(x, axis=tuple(range(1, x.ndim)))),
        log_det(Affine),
    ),
    "averaged over dimensions, D = 2": (
        instead_of(elementwise, "sum_but_first", lambda x: np.mean(x, axis=tuple(range(1, x.ndim)))),
        log_det(Exp, dims=2),
    ),
    "summed over the batch": (
        instead_of(elementwise, "sum_but_first", lambda x: np.sum(x, axis=0)),
        log_det(Softplus),
    ),
    "the batch reversed": (
        instead_of(Reverse, "forward", lambda self, x, context=None: (x[::-1], np.zeros(len(x), x.dtype))),
        partial(transform_tests.test_rows_do_not_meet, SAMPLES_OF_TRANSFORMS[Reverse, ""], 3),
    ),
}

# -- elementwise -------------------------------------------------------------------------------------------------------


def finite_far_out(f: Any) -> Check:
    """z, log f′ and the gradient are finite at ± 1000."""

    def check() -> None:
        x = Tensor(elementwise_tests.FAR, requires_grad=True)
        _, logabsdet = f(x)
        np.sum(logabsdet).backward()
        assert np.isfinite(logabsdet.data).all() and np.isfinite(np.asarray(x.grad)).all()

    return check


def finite_way_back(f: Any, z: float) -> Check:
    def check() -> None:
        x, logabsdet = f.inverse(np.array([[z]]))
        assert np.isfinite(x).all() and np.isfinite(logabsdet).all()

    return check


def both_sigmoid(self: Any, x: Any, context: Any = None) -> Any:
    return self.transform.forward(x, context)


def naive_sigmoid(self: Any, x: Any, context: Any = None) -> Any:
    p = sigmoid(x)
    return (p - self.margin) / self.width, np.sum(np.log(p) + np.log(1 - p) - np.log(self.width), axis=1)


def naive_tanh(self: Any, x: Any, context: Any = None) -> Any:
    z = np.tanh(x)
    return z, np.sum(np.log(1 - z * z), axis=1)


def no_margin(self: Any, x: Any, context: Any = None) -> Any:
    z, logabsdet = SIGMOID_FORWARD(self, x)
    return z, logabsdet + x.shape[1] * np.log(self.width)


SIGMOID_FORWARD = Sigmoid.forward

ELEMENTWISE: dict[str, tuple[Plant, Check]] = {
    "the logit runs the sigmoid both ways": (
        instead_of(Logit, "forward", both_sigmoid),
        elementwise_tests.test_logit_is_the_inverse_of_the_sigmoid,
    ),
    "the margin not in the log-det": (instead_of(Sigmoid, "forward", no_margin), log_det(Sigmoid, "with a margin")),
    "log p + log(1 − p)": (instead_of(Sigmoid, "forward", naive_sigmoid), finite_far_out(Sigmoid())),
    "log(1 − tanh²)": (instead_of(Tanh, "forward", naive_tanh), finite_far_out(Tanh())),
    "log(e^z − 1)": (
        instead_of(
            Softplus, "inverse", lambda self, z, context=None: (np.log(np.expm1(z)), -np.sum(log1mexp(z), axis=1))
        ),
        finite_way_back(Softplus(), 1e3),
    ),
    "softplus with the slope of the exponential": (
        instead_of(Softplus, "forward", lambda self, x, context=None: (softplus(x), np.sum(x, axis=1))),
        log_det(Softplus),
    ),
    "the kink counts above 0": (
        instead_of(elementwise, "negatives", lambda x: np.sum((values(x) > 0).astype(x.dtype), axis=1)),
        log_det(LeakyReLU),
    ),
    "artanh without ½": (
        instead_of(
            Tanh,
            "inverse",
            lambda self, z, context=None: (
                np.log1p(z) - np.log1p(-z),
                -squashing.sum_but_first(np.log1p(z) + np.log1p(-z)),
            ),
        ),
        round_trip(Tanh),
    ),
}

# -- linear ------------------------------------------------------------------------------------------------------------

MOVED, SOLVE_RIGHT = linear_tests.linear_maps, linear.solve_right


def of_matrix(name: str) -> Check:
    return partial(linear_tests.test_the_determinant_and_the_inverse_of_the_matrix, name)


def solve_transposed(self: Any, z: Any, context: Any = None) -> Any:
    return np.linalg.solve(self.W, z.T).T, linear.for_each_row(-np.linalg.slogdet(self.W)[1], z)


def without_permutation(self: Any, z: Any, context: Any = None) -> Any:
    x = SOLVE_RIGHT(SOLVE_RIGHT(z, linear.upper(self.factors, self.signs), lower=False), self.lower(), lower=True)
    return x, linear.for_each_row(-np.trace(self.factors), z)


def product_of_diagonal(self: Any, x: Any, context: Any = None) -> Any:
    return x @ linear.upper(self.entries), linear.for_each_row(np.sum(np.exp(np.diagonal(self.entries))), x)


def whole_diagonal(self: Any, h: Any, transpose: bool) -> Any:
    """S with the whole diagonal of VᵀV: the 2 of a reflection forgotten."""
    products = self.V.T @ self.V
    y = householder.solve_triangular(np.triu(products), (h @ self.V).T, lower=False, transpose=transpose).T
    return h - y @ self.V.T, np.zeros(len(h), h.dtype)


LINEAR: dict[str, tuple[Plant, Check]] = {
    "Wᵀ solved for": (instead_of(FullLinear, "inverse", solve_transposed), of_matrix("full")),
    "the sign of det kept": (
        instead_of(linear, "for_each_row", lambda logabsdet, x: np.broadcast_to(np.exp(logabsdet), (len(x),))),
        of_matrix("full"),
    ),
    "P forgotten on the way back": (instead_of(LULinear, "inverse", without_permutation), of_matrix("LU")),
    "the signs of U lost": (
        instead_of(linear, "upper", lambda e, signs=1.0: np.triu(e, 1) + np.diag(np.exp(np.diagonal(e)))),
        partial(linear_tests.test_they_start_as_rotations, LULinear, 5),
    ),
    "diagonal for its logarithm": (instead_of(Triangular, "forward", product_of_diagonal), of_matrix("triangular")),
    "sign, triangular inverse": (negated(Triangular, "inverse"), log_det(Triangular)),
    "sign, LU forward": (negated(LULinear, "forward"), log_det(LULinear)),
    "a permutation as its own inverse": (
        instead_of(Permutation, "inverse", Permutation.forward),
        round_trip(Permutation),
    ),
    "the 2 of a reflection forgotten": (
        instead_of(Orthogonal, "turned", whole_diagonal),
        linear_tests.test_reflections_one_by_one,
    ),
    "reflections undone in the same order": (
        instead_of(Orthogonal, "inverse", Orthogonal.forward),
        round_trip(Orthogonal),
    ),
    "H · W forgotten": (
        instead_of(invertible_conv, "sum_but_first", lambda x: np.mean(x, axis=(1, 2))),
        linear_tests.test_a_convolution_counts_every_pixel,
    ),
    "W forgotten": (
        instead_of(invertible_conv, "sum_but_first", lambda x: np.mean(np.sum(x, axis=1), axis=1)),
        log_det(InvertibleConv, "P L U"),
    ),
    "a singular map not noticed": (
        instead_of(linear, "require_invertible", lambda W: None),
        lambda: refused(lambda: linear_tests.full(linear_tests.SINGULAR)(np.ones((1, 3)))),
    ),
}


def refused(call: Any) -> None:
    """The call raises a ValueError, ArithmeticError or RuntimeError."""
    try:
        call()
    except (ValueError, ArithmeticError, RuntimeError):
        return
    raise AssertionError("it was not refused")


# -- normalisation -----------------------------------------------------------------------------------------------------

MOMENTS, BATCHNORM_FORWARD = normalisation.moments, BatchNorm.forward


def biased(x: Any) -> Any:
    """No n / (n − 1): as if n were infinite."""
    mean, variance, _ = MOMENTS(x)
    return mean, variance, 1e300


def detached(x: Any) -> Any:
    mean, variance, n = MOMENTS(x)
    return values(mean), values(variance), n


def std_for_variance(x: Any) -> Any:
    mean, variance, n = MOMENTS(x)
    return mean, np.sqrt(variance), n


def squared_variance(x: Any) -> Any:
    mean, variance, n = MOMENTS(x)
    return mean, variance**2, n


def as_in_training(self: Any, x: Any, context: Any = None) -> Any:
    """Evaluation by the batch too."""
    training, self.training = self.training, True
    result = BATCHNORM_FORWARD(self, x, context)
    self.training = training
    return result


def started_on_the_data(f: Any, x: Any, context: Any = None) -> Any:
    """All started on x itself."""
    for t in f.modules().values():
        if isinstance(t, normalisation.Started):
            t.start(x)
    return values(f(x)[0])


def statistics_outside_the_state(self: Any, dims: int, *args: Any, **options: Any) -> None:
    BATCHNORM_INIT(self, dims, *args, **options)
    for name in ("mean", "variance"):
        vars(self)[name] = Hidden(vars(self)[name])


class Hidden:
    """A buffer that the Module does not know."""

    def __init__(self, t: Tensor) -> None:
        self.data, self.shape = np.array(t.data), t.shape

    def assign(self, array: Any) -> None:
        self.data = np.array(array)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(i.data if isinstance(i, Hidden) else i for i in inputs), **options)

    def __add__(self, other: Any) -> Any:
        return self.data + other


BATCHNORM_INIT = BatchNorm.__init__

NORMALISATION: dict[str, tuple[Plant, Check]] = {
    "ActNorm started with the variance": (
        instead_of(normalisation, "moments", squared_variance),
        normalisation_tests.test_actnorm_starts_as_the_gaussian_that_fits,
    ),
    "statistics over examples only": (
        instead_of(normalisation, "moments", lambda x: (np.mean(x, axis=0)[0, 0], np.var(x, axis=0)[0, 0], len(x))),
        normalisation_tests.test_actnorm_of_images_has_one_scale_for_each_channel,
    ),
    "all started on the data itself": (
        instead_of(normalisation_tests, "start", started_on_the_data),
        normalisation_tests.test_start_goes_through_a_composition,
    ),
    "running variance of n": (
        instead_of(normalisation, "moments", biased),
        normalisation_tests.test_the_running_statistics,
    ),
    "standard deviation for variance": (
        instead_of(normalisation, "moments", std_for_variance),
        normalisation_tests.test_training_uses_the_batch_and_evaluation_does_not,
    ),
    "statistics detached": (
        instead_of(normalisation, "moments", detached),
        normalisation_tests.test_gradients_flow_through_the_statistics,
    ),
    "evaluation by the batch": (
        instead_of(BatchNorm, "forward", as_in_training),
        normalisation_tests.test_training_uses_the_batch_and_evaluation_does_not,
    ),
    "evaluation by the batch: not undone": (instead_of(BatchNorm, "forward", as_in_training), round_trip(BatchNorm)),
    "running statistics not saved": (
        instead_of(BatchNorm, "__init__", statistics_outside_the_state),
        normalisation_tests.test_saved_and_loaded,
    ),
    "sign, batch norm": (negated(BatchNorm, "forward"), log_det(BatchNorm)),
    "one pixel counted": (
        instead_of(elementwise, "sum_but_first", lambda x: np.sum(x[:, 0, 0], axis=-1)),
        log_det(ActNorm, "of images"),
    ),
}

# -- planar, radial, Sylvester -----------------------------------------------------------------------------------------


def direction(wrong: Any) -> Plant:
    """Another û, as a function of w, u and t = wᵀu; the determinant is made of what wᵀû then is."""

    def of(self: Any) -> Any:
        w, u = self.w, self.u
        constrained = wrong(w, u, w @ u)
        return constrained, 1 + w @ constrained

    return instead_of(Planar, "direction", of)


constraint = partial(residual_tests.test_the_constraint_of_the_planar_flow, 1.0)
positive = partial(residual_tests.test_the_determinant_is_positive, "planar", 5.0)


def radial_log_det(wrong: Any) -> Plant:
    return instead_of(Radial, "log_det", lambda self, r, alpha, s: wrong(len(self.centre), r, alpha, s))


def first_to_last(self: Any, z: Any, context: Any = None) -> Any:
    """Each step undone as if the others were not there."""
    Q, R, R_in = self.matrices()
    along = z @ Q
    v = [
        sylvester.root_of_step(along[:, i], R[i, i], R_in[i, i], self.b[i] + 0 * along[:, i])
        for i in range(len(self.b))
    ]
    a = np.stack(v, axis=1) @ R_in.T + self.b
    return z - np.tanh(a) @ R.T @ Q.T, -sylvester.log_det(a, R, R_in)


RESIDUAL: dict[str, tuple[Plant, Check]] = {
    "planar without its constraint": (direction(lambda w, u, t: u), positive),
    "planar: û of the length of w, not its square": (
        direction(lambda w, u, t: u + (softplus(t) - 1 - t) * w / np.sqrt(w @ w)),
        constraint,
    ),
    "planar: wᵀû above 0, not −1": (direction(lambda w, u, t: u + (softplus(t) - t) * w / (w @ w)), constraint),
    "planar: along u in place of w": (direction(lambda w, u, t: u + (softplus(t) - 1 - t) * u / t), constraint),
    "planar: tanh′ = 1": (instead_of(planar, "slope", lambda a, product: product + 0 * a), log_det(Planar)),
    "planar: tanh² for 1 − tanh²": (
        instead_of(planar, "slope", lambda a, product: 1 + (product - 1) * np.tanh(a) ** 2),
        log_det(Planar),
    ),
    "radial: D directions across": (
        radial_log_det(lambda D, r, alpha, s: D * (np.log(r + s) - np.log(alpha + r))),
        log_det(Radial),
    ),
    "radial: the slope along without h′": (
        radial_log_det(lambda D, r, alpha, s: (D - 1) * np.log((r + s) / (alpha + r)) + np.log((r + s) / (alpha + r))),
        log_det(Radial, dims=1),
    ),
    "radial: α left out of the slope along": (
        radial_log_det(
            lambda D, r, alpha, s: (D - 1) * np.log((r + s) / (alpha + r)) + np.log(1 + (s - alpha) / (alpha + r) ** 2)
        ),
        residual_tests.test_the_radial_flow_by_hand,
    ),
    "Sylvester: one diagonal only": (
        instead_of(
            sylvester,
            "log_det",
            lambda a, R, R_in: np.sum(np.log1p((1 - np.tanh(a) ** 2) * np.diagonal(R)), axis=1),
        ),
        log_det(Sylvester),
    ),
    "Sylvester: steps undone one by one": (instead_of(Sylvester, "inverse", first_to_last), round_trip(Sylvester)),
}

# -- roots -------------------------------------------------------------------------------------------------------------

SEARCH = root.search


def detached_root(f: Any, x: Any, y: Any) -> Any:
    return Tensor(x, requires_grad=True) if isinstance(y, Tensor) else x


def wrong_sign(f: Any, x: Any, y: Any) -> Any:
    value, slope = f(x)
    residual = value - y
    return x + (residual - values(residual)) / slope


def unchecked(f: Any, y: Any, low: Any, high: Any, rounding: float = 0.0) -> Any:
    """Some x of the search, whatever its residual."""
    try:
        return SEARCH(f, y, low, high, rounding)
    except ArithmeticError:
        return 0.5 * low + 0.5 * high


def did_not_converge() -> None:
    refused(lambda: root.solve_increasing(lambda x: (np.sign(x) + x, 1 + 0 * x), np.array([0.5])))


def gradient_by_the_parameter() -> None:
    a = Tensor(np.array([2.0]), requires_grad=True)
    x = root.solve_increasing(lambda x: (a * x, a + 0 * x), Tensor(np.array([3.0]), requires_grad=True))
    np.sum(x).backward()
    assert a.grad is not None


ROOTS: dict[str, tuple[Plant, Check]] = {
    "the root cut off from its parameters": (instead_of(root, "implicit", detached_root), gradient_by_the_parameter),
    "the residual not looked at": (instead_of(root, "search", unchecked), did_not_converge),
    "the gradient of the other sign": (
        instead_of(root, "implicit", wrong_sign),
        root_tests.test_the_derivative_by_y_and_by_a_parameter,
    ),
}

# -- the continuous flow -----------------------------------------------------------------------------------------------

INTEGRATE, RATE = ContinuousFlow.integrate, ContinuousFlow.rate


def rate(wrong: Any) -> Plant:
    """Another rate, as a function of t, and of v and the trace as they are."""

    def of(self: Any, x: Any, t: float, context: Any) -> Any:
        return wrong(self, x, t, context)

    return instead_of(ContinuousFlow, "rate", of)


def one_dimension(self: Any, x: Any, t: float, context: Any) -> Any:
    v, trace = RATE(self, x, t, context)
    return v, trace / x.shape[1]


def euler(self: Any, x: Any, context: Any, start: float, end: float) -> Any:
    total, h = np.zeros(len(x)), (end - start) / self.steps
    for i in range(self.steps):
        v, trace = self.rate(x, start + i * h, context)
        x, total = x + h * v, total + h * trace
    return x, total


def on_arrays(self: Any, x: Any, context: Any, start: float, end: float) -> Any:
    """From plain data no graph: the parameters get no gradient of the log-determinant."""
    z, logabsdet = INTEGRATE(self, values(x), context, start, end)
    return z, Tensor(values(logabsdet), requires_grad=True)


def quadratic_form_of_ones(self: Any, x: Any, t: float, context: Any) -> Any:
    """εᵀJε with ε = 1: the sum of all of J, and no estimate of its trace."""
    saved, self.probes = self.probes, np.ones((1, x.shape[1]))
    result = RATE(self, x, t, context)
    self.probes = saved
    return result


def gradient_of_the_trace() -> None:
    velocity = continuous_tests.LinearVelocity()
    np.sum(ContinuousFlow(velocity, steps=2)(continuous_tests.X)[1]).backward()
    assert velocity.A.grad is not None


def backwards_in_time(self: Any, z: Any, context: Any = None) -> Any:
    """The velocity reversed, but t from 0 to 1 again."""
    negative = instead_of(ContinuousFlow, "rate", lambda self, x, t, context: RATE(self, x, 1 - t, context))
    with pytest.MonkeyPatch.context() as patch:
        negative(patch)
        return INTEGRATE(self, z, context, 1.0, 0.0)


CONTINUOUS: dict[str, tuple[Plant, Check]] = {
    "time runs forward on the way back": (
        instead_of(ContinuousFlow, "inverse", backwards_in_time),
        round_trip(ContinuousFlow),
    ),
    "sign, inverse": (negated(ContinuousFlow, "inverse"), log_det(ContinuousFlow)),
    "trace averaged over dimensions": (rate(one_dimension), continuous_tests.test_a_linear_velocity),
    "the sum of J for its trace": (rate(quadratic_form_of_ones), log_det(ContinuousFlow)),
    "Euler's steps": (
        instead_of(ContinuousFlow, "integrate", euler),
        continuous_tests.test_the_error_falls_as_the_fourth_power_of_the_step,
    ),
    "no graph from plain data": (instead_of(ContinuousFlow, "integrate", on_arrays), gradient_of_the_trace),
}

PLANTS = {**FLOW, **ELEMENTWISE, **LINEAR, **NORMALISATION, **RESIDUAL, **ROOTS}
PLANTS.update({f"continuous: {name}": plant for name, plant in CONTINUOUS.items()})


def test_no_plant_hides_another() -> None:
    parts = (FLOW, ELEMENTWISE, LINEAR, NORMALISATION, RESIDUAL, ROOTS, CONTINUOUS)
    assert len(PLANTS) == sum(map(len, parts)) >= 60


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
