"""The standard deviations (2) to (5) of `nn.initialisations`, and what they are for, equation (1).

Statistical tests: at a false-alarm rate of 1e-6 each, |z| < 4.9.
"""

from collections.abc import Callable

import numpy as np
import pytest

from scratchgen.nn.initialisations import (
    fans,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    normal,
    orthogonal,
    uniform,
    uniform_fan_in,
)

Z = 4.9
LINEAR, KERNEL = (300, 200), (3, 5, 40, 60)  # fans (300, 200) and (600, 900)

STD = [
    (glorot_uniform, LINEAR, (2 / 500) ** 0.5),
    (glorot_normal, LINEAR, (2 / 500) ** 0.5),
    (glorot_uniform, KERNEL, (2 / 1500) ** 0.5),
    (glorot_normal, KERNEL, (2 / 1500) ** 0.5),
    (he_uniform, LINEAR, (2 / 300) ** 0.5),
    (he_normal, LINEAR, (2 / 300) ** 0.5),
    (he_uniform, KERNEL, (2 / 600) ** 0.5),
    (he_normal, KERNEL, (2 / 600) ** 0.5),
    (uniform_fan_in, LINEAR, (1 / 900) ** 0.5),
    (uniform_fan_in, KERNEL, (1 / 1800) ** 0.5),
]
IDS = [f"{initialise.__name__} {len(shape)}-d" for initialise, shape, _ in STD]


def test_fans() -> None:
    assert fans(LINEAR) == (300, 200)
    assert fans(KERNEL) == (600, 900)
    with pytest.raises(ValueError, match=r"shape is \(3,\); weights are"):
        fans((3,))


def standard_error(W: np.ndarray) -> float:
    """Of the mean square, as an estimate of the variance: √((E w⁴ − (E w²)²) / n)."""
    w = W.astype(np.float64).ravel()
    return float(np.std(w * w) / w.size**0.5)


@pytest.mark.parametrize(("initialise", "shape", "std"), STD, ids=IDS)
def test_standard_deviation(initialise: Callable[..., np.ndarray], shape: tuple[int, ...], std: float) -> None:
    """With this many draws, Z standard errors of the variance are at most 3.7 % of it: a wrong fan or gain shows."""
    W = initialise(shape, 1).astype(np.float64)
    assert Z * standard_error(W) < 0.037 * std**2
    assert abs(np.mean(W**2) - std**2) < Z * standard_error(W)
    assert abs(W.mean()) < Z * std / W.size**0.5


@pytest.mark.parametrize(
    ("initialise", "bound"),
    [(glorot_uniform, (6 / 500) ** 0.5), (he_uniform, (6 / 300) ** 0.5), (uniform_fan_in, 300**-0.5)],
)
def test_uniform_bounds(initialise: Callable[..., np.ndarray], bound: float) -> None:
    W = initialise(LINEAR, 2, dtype=np.float64)
    assert bound * (1 - 1e-3) < np.abs(W).max() <= bound
    assert -bound <= W.min() < -bound * (1 - 1e-3)


@pytest.mark.parametrize(("initialise", "shape", "std"), [*STD, (orthogonal, LINEAR, 1.0)], ids=[*IDS, "orthogonal"])
def test_gain_scales_and_seed_and_dtype_are_kept(
    initialise: Callable[..., np.ndarray], shape: tuple[int, ...], std: float
) -> None:
    one = initialise(shape, np.random.default_rng(3), gain=1.0, dtype=np.float64)
    assert np.array_equal(initialise(shape, 3, gain=4.0, dtype=np.float64), 4 * one)
    single = initialise(shape, 3, gain=1.0)
    assert single.dtype == np.float32
    assert np.array_equal(single, one.astype(np.float32))
    assert not np.array_equal(single, initialise(shape, 4, gain=1.0))


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5), (2, 3, 2, 5), (1, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    """Equation (5): the shorter side is orthonormal."""
    W = orthogonal(shape, 0, gain=3.0, dtype=np.float64).reshape(-1, shape[-1])
    product = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
    assert np.allclose(product, 9 * np.eye(min(W.shape)), atol=1e-13)


def test_orthogonal_is_uniform() -> None:
    """For uniformly distributed Q, E[trace Q] = 0 and Var(trace Q) = 1; without the signs of R the mean is not 0."""
    rng = np.random.default_rng(0)
    traces = [np.trace(orthogonal((4, 4), rng, dtype=np.float64)) for _ in range(2000)]
    assert abs(np.mean(traces)) < Z / 2000**0.5


def test_he_keeps_the_mean_square_through_relu_layers() -> None:
    """What (3) is for: with relu, E[x²] is the same after ten layers; a gain of 1 would leave 1/1024 of it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 500))
    for _ in range(10):
        x = np.maximum(x @ he_normal((500, 500), rng, dtype=np.float64), 0)
    assert 0.25 < np.mean(x**2) / 0.5 < 4  # E[relu(z)²] = ½ for z ~ N(0, 1)


def test_the_plain_distributions() -> None:
    assert np.all(uniform((2, 3), 0.0, 0) == 0)
    assert normal((100, 100), 0.02, 0).dtype == np.float32
    assert abs(normal((100, 100), 0.02, 0, np.float64).std() / 0.02 - 1) < Z / 20000**0.5
