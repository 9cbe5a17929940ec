"""The causal convolution net and PixelCNN: what each pixel depends on, total probability, and refusals."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.causal_conv import CausalConvNet
from scratchgen.autoregressive.pixelcnn import PixelCNN
from scratchgen.autoregressive.pixels import level_code

LEVELS = 3


def small(kind, seed=0, shape=(4, 5), levels=LEVELS):
    if kind == "sequence":
        return CausalConvNet(shape[0] * shape[1], levels, seed, 4, 3, 2, (1, 4, 8, 8), dtype=np.float64)
    return PixelCNN(shape, levels, seed, width=4, layers=3, first=1, reach=1, dtype=np.float64)


KINDS = pytest.mark.parametrize("kind", ["sequence", "plane"])
MODES = pytest.mark.parametrize("training", [True, False])


def logits(model, code, seed=5):
    """In training, with the dropout of that seed."""
    return model.network(code, seed)


@KINDS
@MODES
def test_the_future_may_be_nan(kind, training):
    """The logits of pixel j are the same to the bit with NaN in place of pixel j and all after it."""
    model = small(kind)._switch(training)
    code = np.random.default_rng(1).normal(size=(2, model.dims, 2 * LEVELS - 1))
    y = logits(model, code).data
    assert np.isfinite(y).all()
    for j in range(model.dims):
        poisoned = code.copy()
        poisoned[:, j:] = np.nan
        np.testing.assert_array_equal(logits(model, poisoned).data[:, j], y[:, j])


@KINDS
@MODES
def test_each_pixel_depends_on_exactly_all_before(kind, training):
    """No blind spot: over a few seeds, every allowed derivative is non-zero, and no other ever."""
    seen = 0
    for seed in range(8):
        model = small(kind, seed)._switch(training)
        code = Tensor(np.random.default_rng(seed).normal(size=(1, model.dims, 2 * LEVELS - 1)), requires_grad=True)
        rows = []
        for j in range(model.dims):
            code.grad = None
            logits(model, code, seed)[0, j, 0].backward()
            rows.append(np.abs(code.grad[0]).sum(axis=-1))
        seen = seen + (np.array(rows) != 0)
    np.testing.assert_array_equal(seen > 0, np.tri(model.dims, k=-1, dtype=bool))


@pytest.mark.parametrize("kind", ["sequence", "plane"])
def test_total_probability(kind):
    """Σ p(x) over all 3⁶ images of 2 × 3 pixels."""
    model = small(kind, shape=(2, 3)).eval()
    x = np.stack(np.meshgrid(*[np.arange(LEVELS)] * 6), axis=-1).reshape(-1, 6)
    assert abs(np.exp(model.log_prob(x).data).sum() - 1) < 1e-12


def test_the_code_of_levels():
    np.testing.assert_array_equal(level_code(np.arange(3), 3), [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 1]])


@KINDS
def test_the_loss_is_the_mean_over_images_of_the_sum_over_pixels(kind):
    model, x = small(kind).eval(), np.random.default_rng(2).integers(0, LEVELS, (4, 20))
    y = logits(model, level_code(x, LEVELS, np.float64)).data
    log_p = y - np.log(np.exp(y).sum(axis=-1, keepdims=True))
    expected = -np.take_along_axis(log_p, x[..., None], -1).sum() / 4
    assert model.loss(x).item() == pytest.approx(expected, rel=1e-13)


@KINDS
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, 4, 5), int), ValueError, r"x\.reshape\(-1, 20\)"),
        (np.zeros((2, 19), int), ValueError, r"expected \(batch, 20\)"),
        (np.zeros(20, int), ValueError, r"x\.reshape\(-1, 20\)"),
        (np.zeros((2, 20), bool), TypeError, "x is bool; grey levels are integers"),
        (np.zeros((2, 20)), TypeError, "grey levels are integers"),
        (np.full((2, 20), 3), ValueError, r"x has 3 at \(0, 0\); grey levels are 0 to 2"),
        (np.full((2, 20), -1), ValueError, r"x has -1 at \(0, 0\)"),
        (np.zeros((0, 20), int), ValueError, "x has 0 rows"),
        (np.ma.masked_equal(np.zeros((2, 20), int), 0), TypeError, "masked"),
    ],
)
def test_images_that_are_refused(kind, x, error, message):
    with pytest.raises(error, match=message):
        small(kind).eval().loss(x)


@KINDS
def test_a_context_and_training_without_rng_are_refused(kind):
    x = np.zeros((2, 20), int)
    with pytest.raises(ValueError, match="takes none"):
        small(kind).eval().conditionals(x, np.zeros((2, 1)))
    with pytest.raises(ValueError, match="Dropout draws in training"):
        small(kind).loss(x)


def test_sizes_that_are_none_are_refused():
    for size in (8, (8, 8, 1)):
        with pytest.raises(ValueError, match=r"give the height and the width of the images, such as \(8, 8\)"):
            PixelCNN(size, 17, 0)
    with pytest.raises(ValueError, match="dilations is 4; give one number for each layer"):
        CausalConvNet(64, 17, 0, dilations=4)
    with pytest.raises(ValueError, match="dilation is -1"):
        CausalConvNet(64, 17, 0, dilations=(100, -1))
    with pytest.raises(ValueError, match=r"rate is 1\.0"):
        PixelCNN((8, 8), 17, 0, dropout=1.0)


@KINDS
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_one_pixel_one_row_and_one_column_are_images_too(kind, shape):
    model, D = small(kind, shape=shape).eval(), np.prod(shape)
    x = np.stack(np.meshgrid(*[np.arange(LEVELS)] * D), axis=-1).reshape(-1, D)
    assert abs(np.exp(model.log_prob(x).data).sum() - 1) < 1e-13
    assert model.sample(2, 0).shape == (2, D)


@KINDS
def test_small_unsigned_integers_are_levels_too(kind):
    """As the bundled digits have them: in ``level_code`` no sum of them can overflow."""
    model, x = small(kind).eval(), np.random.default_rng(2).integers(0, LEVELS, (4, 20))
    np.testing.assert_array_equal(model.log_prob(x.astype(np.uint8)).data, model.log_prob(x).data)


def test_layers_that_do_not_reach_are_refused():
    with pytest.raises(ValueError, match="reach 18 pixels back, the last of 64 pixels has 63"):
        CausalConvNet(64, 17, 0, dilations=(1,))
    with pytest.raises(ValueError, match="reach 4 rows and columns, 7 are needed"):
        PixelCNN((8, 8), 17, 0, layers=1)
    # One short of what is just enough for the images of ``small``, either way up.
    with pytest.raises(ValueError, match="reach 18 pixels back, the last of 20 pixels has 19"):
        CausalConvNet(20, LEVELS, 0, first=2, kernel=3, dilations=(1, 2, 5))
    for size in ((4, 5), (5, 4)):
        with pytest.raises(ValueError, match="reach 3 rows and columns, 4 are needed"):
            PixelCNN(size, LEVELS, 0, layers=2, first=1)


@KINDS
def test_each_draw_follows_its_uniform_number_and_keeps_what_is_given(kind):
    """x[j] is the level whose interval of the distribution function, given those before, has u[j]."""
    model, rng = small(kind).eval(), np.random.default_rng(3)
    given, u = rng.integers(0, LEVELS, (5, 8)), rng.random((5, 20))
    x = model.sample(5, uniforms=u, given=given)
    np.testing.assert_array_equal(x[:, :8], given)
    ends = np.cumsum(model.conditionals(x).probabilities.data, axis=-1)
    np.testing.assert_array_equal(x[:, 8:], np.sum(ends <= u[..., None], axis=-1)[:, 8:])
