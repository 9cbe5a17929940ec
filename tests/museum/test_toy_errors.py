"""Errors planted in the data of known truth: for each there is a test in tests/data that fails.

A wrong truth is worse than none: every model is held against it. As in ``test_data_errors``, a plant is a piece of the
source and what a slip of the hand could have made of it.
"""

from functools import partial

import numpy as np
import pytest

from tests.data import test_bars, test_toys
from tests.museum.test_data_errors import Check, planted

SPIRAL = test_toys.SPIRALS["another shape"]
polynomials = test_toys.test_gauss_legendre_is_exact_for_polynomials_of_degree_31
density = partial(test_toys.test_the_density_is_the_mixture_along_the_curve, settings=SPIRAL)
total = partial(test_toys.test_the_density_integrates_to_1, settings=SPIRAL)
entropy = partial(test_toys.test_the_entropy_is_the_integral_of_minus_p_log_p, settings=SPIRAL)
surprise = partial(test_toys.test_samples_have_the_entropy_of_the_density, settings=SPIRAL)
places = partial(test_toys.test_samples_fall_where_the_density_says, settings=SPIRAL)
parts = test_toys.test_the_parts_of_a_sample
curve = test_toys.test_the_curve_by_hand
IMAGE = test_bars.module.Bars.render(np.array([[3.3, 0.7]]))[0] + 0.1 * np.cos(np.arange(64.0)).reshape(8, 8)
bars_density = partial(test_bars.test_the_density_is_the_integral_over_the_factors, image=IMAGE)
guess = partial(test_bars.test_the_best_guess_is_the_mean_of_the_factors_given_x, image=IMAGE)
bars_sample = test_bars.test_a_sample_is_its_bars_and_noise
images = test_bars.test_images_by_hand

PLANTS: dict[str, tuple[str, str, str, Check]] = {
    # Quadrature.
    "weights of the interval [−1, 1]": ("quadrature", "(half * weights)", "(half**0 * weights)", polynomials),
    "panels twice as wide": ("quadrature", "np.diff(edges)[:, None] / 2", "np.diff(edges)[:, None]", polynomials),
    "weights forgotten": (
        "quadrature",
        "log_f(x[start : start + rows]) + log_w",
        "log_f(x[start : start + rows])",
        density,
    ),
    "the mean of logarithms": (
        "quadrature",
        "top[:, 0] + np.log(np.exp(block - top).sum(axis=1))",
        "(weights * (block - log_w)).sum(axis=1)",
        density,
    ),
    "the largest term is not put back": ("quadrature", "top[:, 0] + np.log", "np.log", density),
    "one largest term for all rows": (
        "quadrature",
        "block.max(axis=1, keepdims=True)",
        "block.max(keepdims=True) + 0 * block[:, :1]",
        test_toys.test_log_integral_is_that_of_each_row_in_blocks_of_any_size,
    ),
    # The spiral.
    "entropy with the wrong sign": ("toys", "float(entr(", "-float(entr(", entropy),
    "entropy in bits": (
        "toys",
        "self.log_prob(points))).sum() * area",
        "self.log_prob(points))).sum() * area / np.log(2)",
        entropy,
    ),
    "area of a cell forgotten": (
        "toys",
        "reshape(-1, 2), step * step",
        "reshape(-1, 2), step",
        total,
    ),
    "the square is cut off": ("toys", "self.size + 8 * thickest", "self.size", total),
    "a grid too coarse": ("toys", "thinnest / 3", "thinnest * 3", entropy),
    "density of u forgotten": ("toys", "weights * 2 * self.nodes", "weights", density),
    "density of u without its 2": ("toys", "weights * 2 * self.nodes", "weights * self.nodes", total),
    "too few nodes": ("toys", "speed / (4 * thinnest)", "speed / (40 * thinnest)", density),
    "normalised as in one dimension": (
        "toys",
        "-np.log(2 * np.pi * variance)",
        "-0.5 * np.log(2 * np.pi * variance)",
        total,
    ),
    "normalised by the standard deviation": (
        "toys",
        "-np.log(2 * np.pi * variance)",
        "-np.log(2 * np.pi * variance**0.5)",
        total,
    ),
    "standard deviation for variance": ("toys", "self.noise(self.nodes) ** 2", "self.noise(self.nodes)", density),
    "½ forgotten": ("toys", "squares / (2 * variance)", "squares / variance", total),
    "u drawn evenly": (
        "toys",
        "np.sqrt(generator(rng).random(shape_of(n)))",
        "generator(rng).random(shape_of(n))",
        parts,
    ),
    "u drawn evenly: the samples' entropy": (
        "toys",
        "np.sqrt(generator(rng).random(shape_of(n)))",
        "generator(rng).random(shape_of(n))",
        surprise,
    ),
    "samples with the noise of the start": ("toys", "self.noise(u)[..., None] * rng", "self.std * rng", parts),
    "samples by the variance": (
        "toys",
        "self.noise(u)[..., None] * rng",
        "self.noise(u)[..., None] ** 2 * rng",
        surprise,
    ),
    "one noise for both coordinates": (
        "toys",
        "rng.standard_normal((*u.shape, 2))",
        "rng.standard_normal((*u.shape, 1))",
        surprise,
    ),
    "samples on their side": ("toys", "return self.curve(u) + self", "return self.curve(u)[..., ::-1] + self", places),
    "a curve of one turn and half a size": ("toys", "self.size * u[..., None]", "self.size / 2 * u[..., None]", curve),
    "turns in half circles": ("toys", "angle = 2 * np.pi", "angle = np.pi", curve),
    "noise shrinks where it should grow": ("toys", "(self.end_std - self.std)", "(self.std - self.end_std)", parts),
    # Bars.
    "bars lie": (
        "bars",
        "np.repeat(row[:, None, :], SIDE, axis=1)",
        "np.repeat(row[:, :, None], SIDE, axis=2)",
        images,
    ),
    "factors swapped in the picture": (
        "bars",
        "position, brightness = factors[:, :1], factors[:, 1:]",
        "brightness, position = factors[:, :1], factors[:, 1:]",
        images,
    ),
    "a bar twice as wide": ("bars", "np.exp(-0.5 * (np", "np.exp(-0.125 * (np", images),
    "factors swapped in the sample": (
        "bars",
        "self.std * rng.standard_normal(images.shape), factors)",
        "self.std * rng.standard_normal(images.shape), factors[:, ::-1])",
        bars_sample,
    ),
    "noise by the variance": (
        "bars",
        "self.std * rng.standard_normal(images.shape)",
        "self.std**2 * rng.standard_normal(images.shape)",
        bars_sample,
    ),
    "density of the factors forgotten": ("bars", "w / (high - low)", "w", bars_density),
    "a normal in one dimension": (
        "bars",
        "SIDE * SIDE * (math.log(2 * math.pi)",
        "(math.log(2 * math.pi)",
        bars_density,
    ),
    "one row counted for eight": ("bars", "SIDE * (self.rows**2)", "(self.rows**2)", bars_density),
    "the mean of the rows for their sum": ("bars", "x.sum(axis=1) @", "x.mean(axis=1) @", bars_density),
    "rows summed for columns": ("bars", "x.sum(axis=1) @", "x.sum(axis=2) @", bars_density),
    "best guesses swapped": ("bars", "for factor in self.nodes.T]", "for factor in self.nodes.T[::-1]]", guess),
    "the mean of the joint for that given x": (
        "bars",
        "np.stack(logs, axis=-1) - log_p[:, None]",
        "np.stack(logs, axis=-1) - log_p.max() + log_p[:, None]",
        guess,
    ),
}


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(module: str, right: str, wrong: str, check: Check) -> None:
    with planted(module, right, wrong), np.errstate(all="ignore"), pytest.raises(AssertionError):
        check()
