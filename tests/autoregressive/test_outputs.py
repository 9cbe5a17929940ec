"""What the numbers of a network mean: each distribution against its formula, and how x enters the network."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from scratchgen.autoregressive import (
    BinaryOutput,
    CategoricalOutput,
    GaussianMixtureOutput,
    GaussianOutput,
    LogisticMixtureOutput,
    Output,
)

RNG = np.random.default_rng(0)
GRID = np.linspace(-3, 3, 13)
SPREAD = np.array([-1.0, 0.0, 1.0])


def softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, z)


def std(raw: np.ndarray) -> np.ndarray:
    """Of a log-variance bounded below by −6."""
    return np.exp(0.5 * (-6 + softplus(raw + 6)))


def binary(n: np.ndarray, x: np.ndarray) -> Any:
    return np.where(x == 1, 1 / (1 + np.exp(-n[0])), 1 / (1 + np.exp(n[0])))


def categorical(n: np.ndarray, x: np.ndarray) -> Any:
    return (np.exp(n) / np.exp(n).sum())[x]


def gaussian(n: np.ndarray, x: np.ndarray) -> Any:
    return stats.norm.pdf(x, n[0], std(n[1]))


def gaussian_mixture(n: np.ndarray, x: np.ndarray) -> Any:
    """Weights, then means off −1, 0 and 1, then log-variances."""
    weights = np.exp(n[:3]) / np.exp(n[:3]).sum()
    return sum(w * stats.norm.pdf(x, m, s) for w, m, s in zip(weights, n[3:6] + SPREAD, std(n[6:])))


def logistic_mixture(n: np.ndarray, x: np.ndarray) -> Any:
    """Of 9 levels, the middle ones: in [−1, 1] a level is ¼ wide, and a scale 1/3 at first."""
    weights = np.exp(n[:3]) / np.exp(n[:3]).sum()
    middle, ends = 2 * x / 8 - 1, (np.where(x == 0, -np.inf, -0.125), np.where(x == 8, np.inf, 0.125))
    return sum(
        w * np.subtract(*(stats.logistic.cdf(middle + end, m, np.exp(s) / 3) for end in ends[::-1]))
        for w, m, s in zip(weights, n[3:6] + SPREAD, n[6:])
    )


CASES: dict[str, tuple[Output, Any, np.ndarray]] = {
    "binary": (BinaryOutput(), binary, np.arange(2)),
    "categorical": (CategoricalOutput(4), categorical, np.arange(4)),
    "Gaussian": (GaussianOutput(), gaussian, GRID),
    "mixture of Gaussians": (GaussianMixtureOutput(3), gaussian_mixture, GRID),
    "mixture of logistics": (LogisticMixtureOutput(3, 9), logistic_mixture, np.arange(9)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_have_their_meaning(name: str) -> None:
    output, formula, x = CASES[name]
    numbers = RNG.normal(size=(3, 2, output.numbers))
    p = output(numbers)
    assert p.batch_shape == (3, 2)
    for b in range(3):
        for j in range(2):
            expected = formula(numbers[b, j], x)
            found = [np.exp(p.log_prob(np.full((3, 2), value))[b, j]) for value in x]
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-15)


def test_one_component_begins_in_the_middle() -> None:
    """A mixture of one Gaussian is that Gaussian, and one of one logistic, at first, the same in each direction."""
    numbers = RNG.normal(size=(3, 2, 3))
    one, plain = GaussianMixtureOutput(1)(numbers), GaussianOutput()(numbers[..., 1:])
    x = RNG.normal(size=(3, 2))
    np.testing.assert_allclose(one.log_prob(x), plain.log_prob(x), rtol=1e-13)
    p = LogisticMixtureOutput(1, 9)(np.zeros((1, 9, 3)))
    log_p = p.log_prob(np.arange(9)[None])[0]
    np.testing.assert_allclose(log_p, log_p[::-1], rtol=1e-12)
    assert np.argmax(log_p[1:-1]) == 3  # the outer levels have the tails too


@pytest.mark.parametrize(
    ("output", "x", "expected"),
    [
        (BinaryOutput(), [[0, 1]], [[0.0, 1.0]]),
        (CategoricalOutput(3), [[0, 2]], [[0, 0, 1, 1]]),
        (GaussianOutput(), [[0.5, -2.0]], [[0.5, -2.0]]),
        (GaussianMixtureOutput(2), [[0.5, -2.0]], [[0.5, -2.0]]),
        (LogisticMixtureOutput(2, 9), [[0, 2, 8]], [[-1.0, -0.5, 1.0]]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Output) else "",
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_how_x_enters_the_network(output: Output, x: Any, expected: Any, dtype: Any) -> None:
    x = np.array(x, dtype if isinstance(x[0][0], float) else np.uint8)
    features = output.encode(x, dtype)
    np.testing.assert_array_equal(features, expected)
    assert features.dtype == dtype and features.shape == (1, x.shape[1] * output.features)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays(name: str) -> None:
    output, _, x = CASES[name]
    p = output(RNG.normal(size=(3, 1, output.numbers)).astype(np.float32))
    values = np.full((3, 1), x[0]) if output.symbols else np.full((3, 1), x[0], np.float32)
    assert p.dtype == np.float32 and p.log_prob(values).dtype == np.float32
