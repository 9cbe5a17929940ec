"""The linear probe: the objective by hand, its optimum by its own equation, and the errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, ndtr, softmax

from scratchgen.latent.probe import LinearProbe

RNG = np.random.default_rng(0)
Y = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0, 0, 1, 2])
H = RNG.normal(size=(12, 4)) + 0.8 * np.eye(4)[Y]
PENALTY = 0.05


def fitted(h: np.ndarray = H, y: np.ndarray = Y, penalty: float = PENALTY) -> LinearProbe:
    return LinearProbe(h.shape[1], classes=3, penalty=penalty).fit(h, y)


def test_the_loss_by_hand() -> None:
    """Equation (2): a mean over the examples, and half the penalty times the sum of all squares of W, but not of b."""
    probe = LinearProbe(4, classes=3, penalty=0.3)
    assert probe.loss(H, Y).item() == pytest.approx(np.log(3), rel=1e-14)
    W, b = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    probe.W.assign(W)
    probe.b.assign(b)
    likelihood = np.mean([log_softmax(h @ W + b)[y] for h, y in zip(H, Y)])
    assert probe.loss(H, Y).item() == pytest.approx(0.15 * (W**2).sum() - likelihood, rel=1e-13)


def test_the_optimum_satisfies_its_equation() -> None:
    """Equation (3), and its counterpart for b: the mean probabilities are the frequencies of the classes."""
    probe = fitted()
    p = softmax(H @ probe.W.data + probe.b.data, axis=1)
    excess = p - np.eye(3)[Y]
    np.testing.assert_allclose(H.T @ excess / len(H) + PENALTY * probe.W.data, 0, atol=1e-6)
    np.testing.assert_allclose(excess.mean(axis=0), 0, atol=1e-6)
    assert np.abs(probe.W.data).max() > 0.3


def test_the_optimum_of_one_feature_in_closed_form() -> None:
    """For h = ±1 with classes 0 and 1, W = (−w, w), where log(1 + e^{−2w}) + penalty · w² is least."""
    w = brentq(lambda w: PENALTY * w - expit(-2 * w), 0, 10, xtol=1e-14)
    probe = LinearProbe(1, classes=2, penalty=PENALTY).fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
    np.testing.assert_allclose(probe.W.data, [[-w, w]], atol=1e-6)


def test_the_optimum_depends_neither_on_the_start_nor_on_copies_of_the_data() -> None:
    probe = fitted()
    other = LinearProbe(4, classes=3, penalty=PENALTY)
    other.W.assign(RNG.normal(size=(4, 3)))
    other.fit(np.concatenate([H, H]), np.concatenate([Y, Y]))
    np.testing.assert_allclose(other.W.data, probe.W.data, atol=1e-5)


def test_the_accuracy_on_two_normal_classes_is_that_of_the_best_rule() -> None:
    """N(±a, I) are told apart best by a plane, with accuracy Φ(|a|); |z| < 5.96 is a false alarm of 2.5e-9."""
    rng, a, n = np.random.default_rng(1), np.array([0.6, -0.5, 0.0]), 20_000
    y = rng.integers(0, 2, 2 * n)
    h = rng.normal(size=(2 * n, 3)) + np.where(y[:, None] == 1, a, -a)
    probe = LinearProbe(3, classes=2, penalty=1e-4).fit(h[:n], y[:n])
    best = ndtr(np.linalg.norm(a))
    error = np.sqrt(best * (1 - best) / n)
    assert error < 0.004
    assert abs(probe.accuracy(h[n:], y[n:]) - best) < 5.96 * error


def test_predictions_are_the_most_probable_classes() -> None:
    probe = fitted()
    np.testing.assert_array_equal(probe.predict(H), np.argmax(H @ probe.W.data + probe.b.data, axis=1))
    right = int((probe.predict(H) == Y).sum())
    assert probe.accuracy(H, Y) == right / 12 and right > 8


PROBE = fitted()
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no features": (lambda: LinearProbe(0, 2, 0.1), ValueError, "features is 0; it must be at least 1"),
    "one class": (lambda: LinearProbe(3, 1, 0.1), ValueError, "classes is 1; it must be at least 2"),
    "no penalty": (lambda: LinearProbe(3, 2, 0.0), ValueError, "penalty is 0.0; .* no optimum"),
    "NaN penalty": (lambda: LinearProbe(3, 2, float("nan")), ValueError, "penalty is nan"),
    "other features": (lambda: PROBE(H[:, :3]), ValueError, r"h has shape \(12, 3\); the probe wants \(n, 4\)"),
    "one row": (lambda: PROBE(H[0]), ValueError, r"h has shape \(4,\)"),
    "NaN": (lambda: PROBE(np.full((1, 4), np.nan)), ValueError, r"h has nan at \(0, 0\)"),
    "masked": (lambda: PROBE(np.ma.masked_less(H, 0)), TypeError, "h is a masked array"),
    "a column of labels": (lambda: PROBE.fit(H, Y[:, None]), ValueError, r"y has shape \(12, 1\) for 12 rows"),
    "a label short": (lambda: PROBE.accuracy(H, Y[1:]), ValueError, r"y has shape \(11,\) for 12 rows"),
    "a class too many": (lambda: PROBE.fit(H, Y + 1), ValueError, r"labels has 3 at \(2,\); with 3 logits"),
    "labels that are no integers": (lambda: PROBE.accuracy(H, Y.astype(str)), TypeError, "y is <U21; .* from 0 to 2"),
    "labels of other classes": (lambda: PROBE.accuracy(H, Y + 1), ValueError, r"y has 3 at \(2,\).* from 0 to 2"),
    "masked labels": (lambda: PROBE.accuracy(H, np.ma.masked_equal(Y, 1)), TypeError, "y is a masked array"),
    "a penalty that is no number": (lambda: LinearProbe(3, 2, "1"), TypeError, "penalty is '1'"),
    "a class without examples": (lambda: fitted(y=np.minimum(Y, 1)), ValueError, r"no examples of the classes \[2\]"),
    "no examples": (lambda: PROBE.fit(H[:0], Y[:0]), ValueError, "0 rows; a mean over the examples"),
    "nothing to count": (lambda: PROBE.accuracy(H[:0], Y[:0]), ValueError, "0 rows; a fraction of"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_inputs(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_features_of_a_size_that_defeats_the_search_are_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"did not converge: a derivative of its loss is .*; scale h"):
        fitted(np.array([1e9, 1e-3, 1.0, 1e6]) * H, penalty=1e-9)


def test_a_failed_search_leaves_the_probe_as_it_was() -> None:
    probe = fitted()
    before = {name: t.data.copy() for name, t in probe.parameters().items()}
    assert probe.W.grad is None and probe.b.grad is None  # nothing for an optimiser to trip over
    with pytest.raises(RuntimeError, match="did not converge"):
        probe.fit(np.array([1e9, 1e-3, 1.0, 1e6]) * H, Y)
    for name, t in probe.parameters().items():
        np.testing.assert_array_equal(t.data, before[name])
        assert t.grad is None
