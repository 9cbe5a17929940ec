"""Every bad input gets an error, at the boundary, that says what came, what was expected and what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal, closed_form, kl_divergence
from tests.distributions import truth

ZEROS = np.zeros(3)
SINGLE = np.zeros(3, np.float32)
MASKED = np.ma.masked_values([0.0, -999.0, 1.0], -999.0)
IMAGES = np.array([[0, 255, 128]], np.uint8)


def with_nan(*shape: int) -> np.ndarray:
    x = np.zeros(shape)
    x[(-1,) * len(shape)] = np.nan
    return x


def normal(n: int = 3) -> Normal:
    return Normal(np.zeros(n), np.zeros(n))


Call = Callable[[], Any]
PARAMETERS: dict[str, tuple[Call, type[Exception], str]] = {
    "NaN mean": (lambda: Normal(with_nan(2, 3), 0.0), ValueError, r"mean has nan at \(1, 2\); 1 of 6 values"),
    "infinite mean": (lambda: Normal(np.inf, 0.0), ValueError, r"mean has inf at \(\)"),
    "NaN logvar": (lambda: Normal(0.0, with_nan(4)), ValueError, r"logvar has nan at \(3,\)"),
    "variance 0": (lambda: Normal(ZEROS, np.full(3, -np.inf)), ValueError, r"logvar has -inf at \(0,\); 3 of 3"),
    "NaN logits of coins": (lambda: Bernoulli(with_nan(3)), ValueError, r"logits has nan at \(2,\)"),
    "infinite logits of coins": (lambda: Bernoulli(np.array([0.0, -np.inf])), ValueError, r"logits has -inf at \(1,\)"),
    "NaN logits of dice": (lambda: Categorical(with_nan(2, 3)), ValueError, r"logits has nan at \(1, 2\)"),
    "infinite logits of dice": (lambda: Categorical(np.array([0.0, np.inf])), ValueError, r"logits has inf at \(1,\)"),
    "no categories": (lambda: Categorical(np.zeros((2, 0))), ValueError, r"\(2, 0\).*at least one category"),
    "no axis of categories": (lambda: Categorical(0.5), ValueError, r"logits has shape \(\); it must be \(…, K\)"),
    "integers": (lambda: Normal(np.zeros(3, int), 0.0), TypeError, "mean is int64; it must be float32 or float64"),
    "list of integers": (lambda: Bernoulli([0, 1]), TypeError, "logits is int64.*astype"),
    "half precision": (lambda: Categorical(np.zeros(3, np.float16)), TypeError, "logits is float16"),
    "complex": (lambda: Bernoulli(np.zeros(3, complex)), TypeError, "logits is complex128"),
    "objects": (lambda: Normal(None, 0.0), TypeError, "mean is object"),
    "text": (lambda: Normal("0", 0.0), TypeError, "mean is <U1"),
    "mixed dtypes": (lambda: Normal(SINGLE, ZEROS), TypeError, "mean is float32, logvar is float64"),
    "mixed Tensors": (lambda: Normal(Tensor(ZEROS), Tensor(SINGLE)), TypeError, "mean is float64, logvar is float32"),
    "masked mean": (lambda: Normal(MASKED, 0.0), TypeError, "mean is a masked array.*mask would be lost.*leave"),
    "masked logits of coins": (lambda: Bernoulli(MASKED), TypeError, "logits is a masked array"),
    "masked logits of dice": (lambda: Categorical(MASKED), TypeError, "logits is a masked array"),
    "shapes": (lambda: Normal(ZEROS, np.zeros(4)), ValueError, r"not broadcast: mean is \(3,\), logvar is \(4,\)"),
    "no event axes": (lambda: Independent(normal(), 0), ValueError, "event_dims is 0; it must be at least 1"),
    "event axes that are a bool": (lambda: Independent(normal(), True), TypeError, "event_dims is True"),
    "components that are numbers": (lambda: Independent(ZEROS, 1), TypeError, "base is a ndarray; it must be a Distr"),
    "too many event axes": (lambda: Independent(normal(), 2), ValueError, "event_dims is 2"),
    "event axes that are no number": (lambda: Independent(normal(), 1.0), TypeError, "event_dims is 1.0"),
    "a pair registered twice": (lambda: closed_form(Normal, Normal)(print), ValueError, "Normal ‖ Normal.* already"),
}
ROWS = np.array([[0.0, 0.0], [-np.inf, -np.inf]])
DATA: dict[str, tuple[Call, type[Exception], str]] = {
    "images into a density": (
        lambda: Normal(SINGLE, 0.0).log_prob(IMAGES),
        TypeError,
        r"uint8.*scale to \[0, 1\] first",
    ),
    "images into coins": (lambda: Bernoulli(SINGLE).log_prob(IMAGES), ValueError, r"x has 255.0 at \(0, 1\).*scale"),
    "integers into a density": (
        lambda: normal().log_prob(np.arange(3)),
        TypeError,
        r"int64; it must be floats.*x.astype\(np.float64\)",
    ),
    "masked density": (lambda: normal().log_prob(MASKED), TypeError, "x is a masked array"),
    "masked coins": (lambda: Bernoulli(ZEROS).log_prob(MASKED), TypeError, "x is a masked array"),
    "masked dice": (lambda: Categorical(ROWS[:1]).log_prob(np.ma.array([0], mask=[1])), TypeError, "x is a masked"),
    "above 1": (lambda: Bernoulli(ZEROS).log_prob([0.0, 1.5, 0.0]), ValueError, r"x has 1.5 at \(1,\).*\[0, 1\]"),
    "below 0": (lambda: Bernoulli(ZEROS).log_prob([0.0, 0.0, -0.1]), ValueError, r"x has -0.1 at \(2,\).*\[0, 1\]"),
    "NaN coin": (lambda: Bernoulli(ZEROS).log_prob(with_nan(2, 3)), ValueError, r"x has nan at \(1, 2\)"),
    "NaN in a density": (
        lambda: normal().log_prob(with_nan(2, 3)),
        ValueError,
        r"x has nan at \(1, 2\); 1 of 6 values",
    ),
    "inf in a density": (lambda: normal(1).log_prob([np.inf]), ValueError, r"x has inf at \(0,\)"),
    "category K": (lambda: Categorical(ZEROS).log_prob(np.array([0, 3])), ValueError, r"has 3 at \(1,\).* from 0 to 2"),
    "category −1": (lambda: Categorical(ZEROS).log_prob(-1), ValueError, r"has -1 at \(\)"),
    "category 1.0": (lambda: Categorical(ZEROS).log_prob(1.0), TypeError, "float64.*integers from 0 to 2"),
    "all logits −inf": (lambda: Categorical(ROWS).log_prob(np.array([0, 0])), ValueError, r"-inf in the row at \(1,\)"),
    "all logits −inf, drawn": (lambda: Categorical(ROWS).sample(2, 0), ValueError, r"-inf in the row at \(1,\)"),
    "float64 data": (lambda: Normal(SINGLE, 0.0).log_prob(ZEROS), TypeError, "x is float64.*parameters are float32"),
    "float64 coins": (lambda: Bernoulli(SINGLE).log_prob(ZEROS), TypeError, "x is float64.*parameters are float32"),
    "float32 Tensor": (lambda: normal().log_prob(Tensor(SINGLE)), TypeError, "x is float32.*parameters are float64"),
    "(n, 1) for (n,)": (lambda: normal().log_prob(np.zeros((3, 1))), ValueError, r"\(3, 1\).*mean x\[:, 0\]\?"),
    "(n,) for (n, 1)": (
        lambda: Normal(np.zeros((3, 1)), 0.0).log_prob(ZEROS),
        ValueError,
        r"\(3,\).*\(3, 1\).*mean x\[:, None\]\?",
    ),
    "(n, d) for (n, d, 1)": (
        lambda: Bernoulli(np.zeros((3, 2, 1))).log_prob(np.zeros((3, 2))),
        ValueError,
        r"mean x\[:, :, None\]\?",
    ),
    "(n, d, 1) for (n, d)": (
        lambda: Bernoulli(np.zeros((3, 2))).log_prob(np.zeros((3, 2, 1))),
        ValueError,
        r"mean x\[:, :, 0\]\?",
    ),
    "other coins": (lambda: Bernoulli(ZEROS).log_prob(np.zeros((3, 2))), ValueError, r"must be \(3,\)[^;]*$"),
    "other dice": (lambda: Categorical(np.zeros((4, 2))).log_prob(np.zeros(2, int)), ValueError, r"\(4,\)"),
    "longer vectors": (
        lambda: Independent(normal(), 1).log_prob(np.zeros((5, 4))),
        ValueError,
        r"x has shape \(5, 4\); its last axes must be \(3,\)",
    ),
}
SAMPLING: dict[str, tuple[Call, type[Exception], str]] = {
    "no rng": (lambda: normal().rsample(3), TypeError, "needs rng, or the noise"),
    "noise of another shape": (
        lambda: normal().rsample(2, noise=ZEROS),
        ValueError,
        r"noise has shape \(3,\); with n=2 it must be \(2, 3\)",
    ),
    "masked noise": (lambda: normal().rsample((), noise=MASKED), TypeError, "noise is a masked array"),
    "NaN from a network into coins": (
        lambda: Bernoulli(Tensor(with_nan(2, 3))).sample(4, 0),
        ValueError,
        r"logits has nan at \(1, 2\)",
    ),
    "NaN from a network into dice": (
        lambda: Categorical(Tensor(with_nan(2, 3))).sample(4, 0),
        ValueError,
        r"logits has nan at \(1, 2\)",
    ),
    "inf from a network into vectors of dice": (
        lambda: Independent(Categorical(Tensor([[0.0, np.inf]])), 1).sample(4, 0),
        ValueError,
        r"logits has inf at \(0, 1\)",
    ),
    "noise that is NaN": (
        lambda: normal().rsample((), noise=with_nan(3)),
        ValueError,
        r"noise has nan at \(2,\); 1 of",
    ),
    "noise of another dtype": (lambda: normal().rsample((), noise=SINGLE), TypeError, "noise is float32"),
    "no gradient through coins": (lambda: Bernoulli(ZEROS).rsample(3, 0), NotImplementedError, "Bernoulli has no"),
    "no gradient through dice": (lambda: Categorical(ZEROS).rsample(3, 0), NotImplementedError, "Categorical has no"),
    "no gradient through vectors of coins": (
        lambda: Independent(Bernoulli(ZEROS), 1).rsample(3, 0),
        NotImplementedError,
        "Bernoulli has no repar",
    ),
}
PAIRS: dict[str, tuple[Call, type[Exception], str]] = {
    "no closed form": (
        lambda: kl_divergence(normal(), Bernoulli(ZEROS)),
        NotImplementedError,
        r"KL\(Normal ‖ Bernoulli\); divergence\(q, p, rng\) estimates it",
    ),
    "numbers for p": (lambda: kl_divergence(normal(), ZEROS), TypeError, "p is a ndarray; it must be a Distribution"),
    "numbers for q": (lambda: kl_divergence(ZEROS, normal()), TypeError, "q is a ndarray; it must be a Distribution"),
    "events": (
        lambda: kl_divergence(Independent(normal(3), 1), Independent(normal(4), 1)),
        ValueError,
        r"q has events of shape \(3,\), p of \(4,\)",
    ),
    "batches": (
        lambda: kl_divergence(normal(3), normal(4)),
        ValueError,
        r"q has the batch shape \(3,\) and p \(4,\); they do not broadcast",
    ),
    "(n,) beside (n, 1)": (
        lambda: kl_divergence(Bernoulli(ZEROS), Bernoulli(np.zeros((3, 1)))),
        ValueError,
        r"\(3,\) and p \(3, 1\), which would give \(3, 3\)",
    ),
    "(n, 1) beside (n,)": (
        lambda: kl_divergence(Normal(np.zeros((3, 1)), 0.0), normal()),
        ValueError,
        r"give \(3, 3\)",
    ),
    "dtypes": (lambda: kl_divergence(Bernoulli(SINGLE), Bernoulli(ZEROS)), TypeError, "q is float32 and p float64"),
    "numbers of categories": (
        lambda: kl_divergence(Categorical(ZEROS), Categorical(np.zeros(1))),
        ValueError,
        "q has 3 categories and p 1",
    ),
    "all logits −inf": (lambda: kl_divergence(Categorical(ROWS), Categorical(ROWS)), ValueError, r"row at \(1,\)"),
}
ALL = {**PARAMETERS, **DATA, **SAMPLING, **{f"KL: {name}": row for name, row in PAIRS.items()}}


@pytest.mark.parametrize(("call", "error", "message"), ALL.values(), ids=ALL)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("kind", truth.KINDS)
@pytest.mark.parametrize(
    ("n", "rng", "error", "message"),
    [
        (-1, 0, ValueError, "n is -1; the number of draws must be 0 or more"),
        ((2, -3), 0, ValueError, r"n is \(2, -3\)"),
        (2.0, 0, TypeError, "n is 2.0; the number of draws is an int"),
        (True, 0, TypeError, "n is True"),
        (None, 0, TypeError, "n is None"),
        (5, np.random, TypeError, "the module np.random, whose state is global; pass a Generator"),
        (5, None, TypeError, "rng is None"),
        (5, -1, ValueError, "a seed must be 0 or more"),
    ],
)
def test_bad_sampling(kind: str, n: Any, rng: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        truth.make(kind, 1).sample(n, rng)


def test_a_subclass_is_not_taken_for_its_parent() -> None:
    class Doubled(Normal):
        """Another density than its parent's."""

    with pytest.raises(NotImplementedError, match="Doubled"):
        kl_divergence(Doubled(0.0, 0.0), normal())


def test_the_values_of_tensors_are_not_looked_at() -> None:
    """They belong to training and to ``detect_anomaly``: a look would cost a pass over every output of a network."""
    assert np.isnan(Normal(Tensor(with_nan(3)), 0.0).log_prob(ZEROS).data).any()
