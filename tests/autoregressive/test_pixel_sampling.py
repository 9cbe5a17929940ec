"""Draws of the two models of pixels: as often as log p(x) says, and blind to what is not drawn yet."""

import numpy as np
import pytest
from scipy.stats import chi2

from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import CausalConvNet, PixelCNN, inverse
from scratchgen.autoregressive.pixels import level_code
from scratchgen.distributions import Categorical
from tests.autoregressive.test_pixels import KINDS, LEVELS, small

DRAWS = 20_000
IMAGES = np.stack(np.meshgrid(*[np.arange(2)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)  # all 2 × 3 ones of 2 levels
PLACES = 2 ** np.arange(6)[::-1]  # x @ PLACES is the number of x in that list


def louder(model, factor):
    """Its weights times a factor, and no dropout: so that each pixel depends much on those before."""
    for parameter in model.parameters().values():
        parameter.assign(factor * parameter.data)
    return model.eval()


def decided(kind):
    """A model of 2 × 3 pixels of 2 levels."""
    if kind == "sequence":
        model = CausalConvNet(6, 2, 3, width=4, first=2, kernel=2, dilations=(1, 2), dtype=np.float64)
    else:
        model = PixelCNN((2, 3), 2, 3, width=4, layers=2, first=1, dtype=np.float64)
    return louder(model, 1.5)


def p_of_all(model):
    with no_grad():
        return np.exp(model.log_prob(IMAGES).data)


def as_often_as(counts, p):
    """Pearson's χ² with a false alarm of one in a thousand million; every count is expected to be at least 5."""
    expected = counts.sum() * p
    assert expected.min() >= 5
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), len(p) - 1) > 1e-9


@KINDS
def test_images_come_as_often_as_log_prob_says(kind):
    model = decided(kind)
    as_often_as(np.bincount(model.sample(DRAWS, 0) @ PLACES, minlength=64), p_of_all(model))


@KINDS
def test_that_test_tells_other_orders_and_independent_pixels_apart(kind):
    """χ² grows by n Σ (q − p)²/p if images come by q instead: by 100 of its standard deviations, √(2 · 63), or more."""
    p = p_of_all(decided(kind))
    transposed = p[IMAGES.reshape(-1, 3, 2).swapaxes(1, 2).reshape(-1, 6) @ PLACES]
    ones = p @ IMAGES  # the probability that each pixel is 1
    independent = np.prod(np.where(IMAGES, ones, 1 - ones), axis=-1)
    for q in (transposed, independent):
        assert q.sum() == pytest.approx(1, rel=1e-12)
        assert DRAWS * np.sum((q - p) ** 2 / p) > 100 * np.sqrt(2 * 63)


@KINDS
@pytest.mark.parametrize("given", [[0, 1], [1, 1, 0]])
def test_completions_come_as_often_as_log_prob_says(kind, given):
    """p(rest | given) = p(given, rest) / Σ_rest p(given, rest)."""
    model, k = decided(kind), len(given)
    p = p_of_all(model)[np.all(IMAGES[:, :k] == given, axis=1)]
    n = DRAWS // 4
    x = model.sample(n, 0, given=np.array(given))
    np.testing.assert_array_equal(x[:, :k], np.tile(given, (n, 1)))
    as_often_as(np.bincount(x[:, k:] @ PLACES[k:], minlength=len(p)), p / p.sum())


@KINDS
def test_a_draw_is_blind_to_pixels_not_drawn_yet(kind, monkeypatch):
    """With NaN in place of the code of pixel j and of all after it, each x[j] is drawn the same."""
    model, u = louder(small(kind), 3), np.random.default_rng(3).random((50, 20))
    expected = model.sample(50, uniforms=u)

    def poisoned(x, j, context=None):
        code = level_code(x, LEVELS, np.float64)
        code[:, j:] = np.nan
        return Categorical(model.network(code).data[:, j])

    monkeypatch.setattr(model, "conditional", poisoned)
    np.testing.assert_array_equal(model.sample(50, uniforms=u), expected)


@KINDS
def test_one_conditional_is_that_of_the_whole_pass_whatever_comes_later(kind):
    """To the bit, for the conditional that ``sample`` asks for."""
    model, rng = louder(small(kind), 3), np.random.default_rng(3)
    x = rng.integers(0, LEVELS, (5, 20))
    logits = model.conditionals(x).logits.data
    for j in range(20):
        other = x.copy()
        other[:, j:] = rng.integers(0, LEVELS, (5, 20 - j))
        np.testing.assert_array_equal(model.conditional(other, j).logits, logits[:, j])


@KINDS
def test_pixel_by_pixel_by_hand(kind):
    """x[j] is drawn by u[j] from what one more pass over the pixels so far says, in raster order."""
    model, u = louder(small(kind), 3), np.random.default_rng(4).random((50, 20))
    x = np.full((50, 20), LEVELS - 1)  # what stands in the places to come does not matter
    for j in range(20):
        x[:, j] = inverse(Categorical(model.network(level_code(x, LEVELS, np.float64)).data[:, j]), u[:, j])
    np.testing.assert_array_equal(model.sample(50, uniforms=u), x)


@KINDS
def test_sampling_with_dropout_on_is_refused(kind):
    with pytest.raises(ValueError, match=r"switch it off by model\.eval\(\)"):
        small(kind).sample(2, 0)
