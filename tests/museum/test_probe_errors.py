"""Errors planted in the linear probe: for each there is a test in tests/latent/test_probe.py that fails."""

from typing import Any

import numpy as np
import pytest

from scratchgen.distributions import Categorical
from scratchgen.latent import probe
from tests.latent import test_probe
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught


def loss(of_terms: Any) -> Plant:
    """Another objective from log p(y | h), (n,), the weights W, the bias b and the penalty."""

    def wrong(self: probe.LinearProbe, h: Any, y: Any, rng: Any = None) -> Any:
        return of_terms(Categorical(self(h)).log_prob(y), self.W, self.b, self.penalty)

    return instead_of(probe.LinearProbe, "loss", wrong)


def squares(w: Any) -> Any:
    return np.sum(np.square(w))


by_hand = test_probe.test_the_loss_by_hand
optimum = test_probe.test_the_optimum_satisfies_its_equation
closed_form = test_probe.test_the_optimum_of_one_feature_in_closed_form
PLANTS: dict[str, tuple[Plant, Check]] = {
    "a sum over the examples": (
        loss(lambda log_p, w, b, c: 0.5 * c * squares(w) - np.sum(log_p)),
        test_probe.test_the_optimum_depends_neither_on_the_start_nor_on_copies_of_the_data,
    ),
    "½ forgotten": (loss(lambda log_p, w, b, c: c * squares(w) - np.mean(log_p)), closed_form),
    "a mean of the squares": (loss(lambda log_p, w, b, c: 0.5 * c * np.mean(np.square(w)) - np.mean(log_p)), optimum),
    "the bias penalised": (
        loss(lambda log_p, w, b, c: 0.5 * c * (squares(w) + squares(b)) - np.mean(log_p)),
        by_hand,
    ),
    "no penalty": (loss(lambda log_p, w, b, c: 0 * squares(w) - np.mean(log_p)), by_hand),
    "|W| for its square": (loss(lambda log_p, w, b, c: 0.5 * c * np.sqrt(squares(w) + 1e-9) - np.mean(log_p)), optimum),
    "the bias left out": (
        instead_of(probe.LinearProbe, "forward", lambda self, h: h @ self.W + 0 * self.b),
        by_hand,
    ),
    "the least probable class": (
        instead_of(probe.LinearProbe, "predict", lambda self, h: np.argmin(self(h).data, axis=1)),
        test_probe.test_predictions_are_the_most_probable_classes,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
