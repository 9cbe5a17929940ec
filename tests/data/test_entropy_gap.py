"""The gap to the entropy: its value and error against closed forms, and the alarm."""

import warnings
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.data import EntropyGap, Gaussians, NegativeGap, TwoMoons, entropy_gap

TOY = Gaussians([[0.0, 0.0]], std=1.0)


def test_the_gap_is_a_divergence_with_the_error_of_a_mean() -> None:
    """KL between normal distributions: N(0, I) from N(m, I) is ½ |m|², and d = ½ |m|² − m·x has variance |m|²."""
    moved = Gaussians([[0.6, 0.8]], std=1.0)
    gap = entropy_gap.gap_to_entropy(moved.log_prob, TOY, n=25_000, rng=0, dtype=np.float64)
    assert gap.error == pytest.approx(1 / np.sqrt(25_000), rel=0.02)
    assert abs(gap.value - 0.5) < 5.96 * gap.error
    assert str(EntropyGap(0.03149, 0.002)) == "0.031 ± 0.002 nats"


def test_the_error_of_two_draws_by_hand() -> None:
    """√(Σ (d − mean)² / (n − 1) / n) is half their difference for n = 2; here d is the first coordinate."""
    gap = entropy_gap.gap_to_entropy(lambda x: TOY.log_prob(x) - x[:, 0], TOY, n=2, rng=0, dtype=np.float64)
    d = TOY.sample(2, 0)[:, 0]
    assert gap.value == pytest.approx(d.mean(), rel=1e-12)
    assert gap.error == pytest.approx(abs(d[0] - d[1]) / 2, rel=1e-12)


def test_the_gap_is_paired_and_of_fresh_draws() -> None:
    """For the truth less a constant: that constant, without any noise; each x is drawn once, in parts."""
    seen = []

    def lower(x: np.ndarray) -> Tensor:
        seen.append(x)
        return Tensor((TOY.log_prob(x) - 0.25).astype(np.float32))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entropy_gap, "BATCH", 40)
        gap = entropy_gap.gap_to_entropy(lower, TOY, n=100, rng=np.random.default_rng(1))
    assert gap.value == pytest.approx(0.25, abs=1e-6) and gap.error < 1e-6
    assert [len(x) for x in seen] == [40, 40, 20] and all(x.dtype == np.float32 for x in seen)
    np.testing.assert_array_equal(np.concatenate(seen[:1]), TOY.sample(40, rng=1).astype(np.float32))
    assert len(np.unique(np.concatenate(seen)[:, 0])) == 100


def test_the_truth_raises_no_alarm() -> None:
    """Nor does float32, nor a model that happens to be lucky within its error."""
    toy = TwoMoons(0.1)
    noise = np.random.default_rng(0).standard_normal(1000)
    noise += 3 / np.sqrt(1000) - noise.mean()  # three errors too good
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert abs(entropy_gap.gap_to_entropy(toy.log_prob, toy, n=1000, rng=0).value) < 1e-6
        entropy_gap.gap_to_entropy(lambda x: toy.log_prob(x).astype(np.float32), toy, n=1000, rng=0)
        assert entropy_gap.gap_to_entropy(lambda x: TOY.log_prob(x) + noise, TOY, n=1000, rng=0).value < 0


@pytest.mark.parametrize("better", [1e-3, 0.1])
def test_better_than_the_truth_is_an_alarm(better: float) -> None:
    """A log p that does not integrate to 1; and data that are not those of the toy."""
    with pytest.warns(NegativeGap, match="below 0 beyond noise"):
        gap = entropy_gap.gap_to_entropy(lambda x: TOY.log_prob(x) + better, TOY, n=1000, rng=0, dtype=np.float64)
    assert gap.value == pytest.approx(-better, abs=1e-9)


def test_a_model_that_excludes_data_has_an_infinite_gap() -> None:
    def excludes(x: np.ndarray) -> Any:
        return np.where(x[:, 0] > 0, TOY.log_prob(x), -np.inf)

    assert entropy_gap.gap_to_entropy(excludes, TOY, n=100, rng=0) == (np.inf, np.inf)


@pytest.mark.parametrize(
    ("log_prob", "n", "message"),
    [
        (lambda x: TOY.log_prob(x)[:, None], 10, r"shape \(10, 1\) for 10 points"),
        (lambda x: TOY.log_prob(x).mean(), 10, r"shape \(\) for 10 points"),
        (lambda x: np.full(len(x), np.nan), 10, r"log_prob has nan at \(0,\)"),
        (lambda x: np.full(len(x), np.inf), 10, r"log_prob has inf at \(0,\)"),
        (TOY.log_prob, 1, "n is 1; it must be at least 2"),
    ],
)
def test_what_is_refused(log_prob: Any, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        entropy_gap.gap_to_entropy(log_prob, TOY, n=n, rng=0)
