"""conv2d, conv_transpose2d and kernel_gradient: equations (1) to (4) of `nn.convolution`, and what they refuse.

Equation (1) is spelled out in loops here; besides, SciPy's correlation and the adjoint identities judge.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.signal import correlate2d

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.gradcheck import gradcheck
from scratchgen.nn import conv2d, conv_transpose2d
from scratchgen.nn.convolution import kernel_gradient, places


class Case(NamedTuple):
    """Sizes of everything in (1)."""

    image: tuple[int, int]
    kernel: tuple[int, int]
    stride: int
    padding: int

    @property
    def places(self) -> tuple[int, ...]:
        """Height and width of y, by counting where a patch fits."""
        fits = [
            [
                start
                for start in range(-self.padding, n + self.padding - k + 1)
                if (start + self.padding) % self.stride == 0
            ]
            for n, k in zip(self.image, self.kernel)
        ]
        return tuple(map(len, fits))


CASES = [
    case
    for image, kernel, stride, padding in product(
        [(7, 5), (6, 6), (5, 8), (1, 4)], [(1, 1), (2, 3), (3, 3), (4, 2), (4, 4)], [1, 2, 3], [0, 1, 2]
    )
    if min((case := Case(image, kernel, stride, padding)).places) > 0
]
BATCH, C, D = 2, 3, 4


def arrays(case: Case, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random x, W and y."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(BATCH, *case.image, C)),
        rng.normal(size=(*case.kernel, C, D)),
        rng.normal(size=(BATCH, *case.places, D)),
    )


def by_loops(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """∂T/∂y, ∂T/∂x and ∂T/∂W: the sum (1), term by term."""
    x, W, y = arrays(case)
    (height, width), s, p = case.image, case.stride, case.padding
    over_y, over_x, over_W = np.zeros_like(y), np.zeros_like(x), np.zeros_like(W)
    for i, j, u, v in product(*map(range, (*case.places, *case.kernel))):
        row, column = s * i + u - p, s * j + v - p
        if 0 <= row < height and 0 <= column < width:
            for n in range(BATCH):
                for c, d in product(range(C), range(D)):
                    over_y[n, i, j, d] += x[n, row, column, c] * W[u, v, c, d]
                    over_x[n, row, column, c] += W[u, v, c, d] * y[n, i, j, d]
                    over_W[u, v, c, d] += x[n, row, column, c] * y[n, i, j, d]
    return over_y, over_x, over_W


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_three_functions_are_the_sum_term_by_term(case: Case) -> None:
    x, W, y = arrays(case)
    over_y, over_x, over_W = by_loops(case)
    options = (case.stride, case.padding)
    assert places(case.image, case.kernel, *options) == case.places
    assert np.allclose(conv2d(x, W, None, *options), over_y, rtol=1e-12, atol=1e-13)
    assert np.allclose(conv_transpose2d(y, W, None, *options, case.image), over_x, rtol=1e-12, atol=1e-13)
    assert np.allclose(kernel_gradient(x, y, case.kernel, *options), over_W, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", [case for case in CASES if case.kernel != (1, 1)][::7], ids=str)
def test_conv2d_is_scipys_correlation(case: Case) -> None:
    x, W, _ = arrays(case)
    margin = [(0, 0), (case.padding, case.padding), (case.padding, case.padding), (0, 0)]
    padded = np.pad(x, margin)
    got = conv2d(x, W, None, case.stride, case.padding)
    for n, d in product(range(BATCH), range(D)):
        full = sum(correlate2d(padded[n, :, :, c], W[:, :, c, d], mode="valid") for c in range(C))
        assert np.allclose(got[n, :, :, d], full[:: case.stride, :: case.stride], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES[::5], ids=str)
def test_each_is_the_adjoint_of_the_others(case: Case) -> None:
    """⟨conv2d(x, W), y⟩ = ⟨x, conv_transpose2d(y, W)⟩ = ⟨kernel_gradient(x, y), W⟩."""
    x, W, y = arrays(case, seed=1)
    options = (case.stride, case.padding)
    T = np.sum(conv2d(x, W, None, *options) * y)
    assert np.sum(x * conv_transpose2d(y, W, None, *options, case.image)) == pytest.approx(T, rel=1e-12)
    assert np.sum(kernel_gradient(x, y, case.kernel, *options) * W) == pytest.approx(T, rel=1e-12)


def test_the_bias_is_added_everywhere_per_channel() -> None:
    x, W, _ = arrays(Case((5, 4), (3, 2), 2, 1))
    b = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.allclose(conv2d(x, W, b, 2, 1), conv2d(x, W, None, 2, 1) + b)
    assert np.allclose(
        conv_transpose2d(x, W.swapaxes(2, 3), b, 2, 1), conv_transpose2d(x, W.swapaxes(2, 3), None, 2, 1) + b
    )


def test_the_default_size_is_the_smallest() -> None:
    """conv2d takes 7 and 8 to 3 (kernel 3, stride 2); back, 3 gives 7, or 8 if asked for, the last without a patch."""
    y, W = np.ones((1, 3, 3, 1)), np.ones((3, 3, 1, 1))
    assert conv_transpose2d(y, W, stride=2).shape == (1, 7, 7, 1)
    larger = conv_transpose2d(y, W, stride=2, size=(7, 8))
    assert larger.shape == (1, 7, 8, 1)
    assert np.array_equal(larger[:, :, :7], conv_transpose2d(y, W, stride=2))
    assert not larger[:, :, 7].any()


def test_a_kernel_of_one_is_a_linear_layer() -> None:
    x, W, _ = arrays(Case((5, 4), (1, 1), 1, 0))
    assert np.allclose(conv2d(x, W), x @ W[0, 0], rtol=1e-14)
    assert np.allclose(conv_transpose2d(x, W.swapaxes(2, 3)), x @ W[0, 0], rtol=1e-14)


def test_an_empty_batch_stays_empty() -> None:
    assert conv2d(np.ones((0, 5, 5, 1)), np.ones((3, 3, 1, 4)), padding=1).shape == (0, 5, 5, 4)
    assert conv_transpose2d(np.ones((0, 5, 5, 1)), np.ones((3, 3, 4, 1)), stride=2).shape == (0, 11, 11, 4)
    assert not kernel_gradient(np.ones((0, 5, 5, 1)), np.ones((0, 3, 3, 4)), (3, 3)).any()


# -- derivatives -----------------------------------------------------------------------------------------------------

SMALL = [Case((3, 2), (2, 1), 1, 0), Case((4, 3), (2, 3), 2, 1), Case((5, 3), (3, 2), 3, 2), Case((4, 4), (3, 3), 2, 0)]


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_gradients_of_both_orders(case: Case) -> None:
    """First and second derivatives against the complex step."""
    rng, s, p = np.random.default_rng(0), case.stride, case.padding
    x, W = rng.normal(size=(2, *case.image, 2)), rng.normal(size=(*case.kernel, 2, 3))
    y, b, c = rng.normal(size=(2, *case.places, 3)), rng.normal(size=3), rng.normal(size=2)
    for report in (
        gradcheck(lambda x, W, b: conv2d(x, W, b, s, p), x, W, b, oracle="complex"),
        gradcheck(lambda y, W, c: conv_transpose2d(y, W, c, s, p, case.image), y, W, c, oracle="complex"),
        gradcheck(lambda x, y: kernel_gradient(x, y, case.kernel, s, p), x, y, oracle="complex"),
    ):
        assert report.error < 1e-12
        assert report.float32 is not None


def test_a_gradient_of_third_order() -> None:
    """T is trilinear: its mixed third derivative along dx, dW, dy is T(dx, dW, dy) itself."""
    from scratchgen.autodiff import grad

    x, W, y = arrays(Case((5, 4), (3, 2), 2, 1))
    dx, dW, dy = arrays(Case((5, 4), (3, 2), 2, 1), seed=1)

    def over_x(x: Any, W: Any, y: Any) -> Any:
        return np.sum(grad(lambda x: np.sum(conv2d(x, W, None, 2, 1) * y))(x) * dx)

    def over_x_W(x: Any, W: Any, y: Any) -> Any:
        return np.sum(grad(lambda W: over_x(x, W, y))(W) * dW)

    third = np.sum(grad(lambda y: over_x_W(x, W, y))(y) * dy)
    assert third == pytest.approx(np.sum(conv2d(dx, dW, None, 2, 1) * dy), rel=1e-12)


# -- bad inputs ------------------------------------------------------------------------------------------------------

IMAGES, W, V = np.ones((5, 8, 7, 3)), np.ones((3, 3, 3, 2)), np.ones((3, 3, 2, 3))


@pytest.mark.parametrize(
    ("call", "gist"),
    [
        (lambda: conv2d(IMAGES[..., :2], W), r"x has shape \(5, 8, 7, 2\), expected \(batch, height, width, 3\)$"),
        (
            lambda: conv_transpose2d(IMAGES[..., :2], V),
            r"x has shape \(5, 8, 7, 2\), expected \(batch, height, width, 3\)$",
        ),
        (lambda: conv2d(np.moveaxis(IMAGES, -1, 1), W), r"x has shape \(5, 3, 8, 7\).*: np\.moveaxis\(x, 1, -1\)"),
        (lambda: conv2d(IMAGES[..., 0], W[:, :, :1]), r"x has shape \(5, 8, 7\), .*, 1\): x\[\.\.\., None\] adds"),
        (lambda: conv2d(IMAGES[0], W), r"x has shape \(8, 7, 3\), expected \(batch, height, width, 3\)$"),
        (lambda: conv2d(IMAGES, W[0]), r"W has shape \(3, 3, 2\); W must have 4 axes"),
        (lambda: conv2d(IMAGES, W, np.ones(3)), r"W has shape \(3, 3, 3, 2\), b \(3,\); .* b \(out,\)"),
        (lambda: conv_transpose2d(IMAGES, V, np.ones(3)), r"W has shape \(3, 3, 2, 3\), b \(3,\)"),
        (lambda: conv2d(IMAGES, W, stride=0), "stride is 0, padding 0"),
        (lambda: conv_transpose2d(IMAGES, V, padding=-1), "stride is 1, padding -1"),
        (lambda: conv2d(IMAGES[:, :2], W), r"the images are 2 × 7 with padding 0, smaller than the \(3, 3\) kernel"),
        (
            lambda: conv_transpose2d(IMAGES, V, stride=2, size=(19, 15)),
            r"size is \(19, 15\), .* kernel, stride 2 and padding 0 does not take to \(8, 7\); .* is \(17, 15\)",
        ),
        (
            lambda: kernel_gradient(IMAGES, np.ones((5, 6, 6, 2)), (3, 3)),
            r"y has shape \(5, 6, 6, 2\), expected \(5, 6, 5, 'out'\)",
        ),
        (lambda: conv_transpose2d(IMAGES[:, :1], V, padding=2), r"the smallest size that it does is \(-1, 5\)"),
    ],
)
def test_shapes_that_do_not_fit(call: Any, gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        call()


def test_mixed_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        conv2d(IMAGES, Tensor(W.astype(np.float32)))
