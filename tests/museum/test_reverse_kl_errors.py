"""Errors planted in reverse KL, as in ``test_dequantisation_errors``."""

import numpy as np
import pytest

from scratchgen.flows import ReverseKL, Transformed
from tests.flows import test_reverse_kl as module
from tests.museum.test_dequantisation_errors import rewritten
from tests.museum.test_distribution_errors import Check, Plant, is_caught

loss = module.test_the_loss_is_the_divergence_less_log_z
equal = module.test_where_q_is_p_all_weights_are_z
by_hand = module.test_evidence_by_hand
wider = module.test_the_effective_sample_size_of_a_wider_q

PLANTS: dict[str, tuple[Plant, Check]] = {
    "entropy of q forgotten": (rewritten(ReverseKL, "log_weights", "return log_p - log_q", "return log_p"), loss),
    "weights upside down": (rewritten(ReverseKL, "log_weights", "log_p - log_q", "log_q - log_p"), equal),
    "no gradient through the draws": (
        rewritten(ReverseKL, "log_weights", "self.log_density(x)", "self.log_density(x.data + 0 * x)"),
        loss,
    ),
    "log q without its determinant": (
        rewritten(Transformed, "rsample_and_log_prob", "self.base.log_prob(z) - logabsdet", "self.base.log_prob(z)"),
        loss,
    ),
    "a sum for the mean": (rewritten(ReverseKL, "loss", "np.mean", "np.sum"), equal),
    "a loss with the wrong sign": (rewritten(ReverseKL, "loss", "-np.mean", "np.mean"), equal),
    "a sum of weights for their mean": (rewritten(ReverseKL, "evidence", "log_sum - math.log(n)", "log_sum"), by_hand),
    "the mean of logarithms": (
        rewritten(ReverseKL, "evidence", "log_sum - math.log(n)", "float(log_w.mean())"),
        by_hand,
    ),
    "ESS without the square": (rewritten(ReverseKL, "evidence", "2 * log_sum - log", "log_sum - log"), wider),
    "ESS as the inverse": (
        rewritten(ReverseKL, "evidence", "2 * log_sum - log_squares", "log_squares - 2 * log_sum"),
        wider,
    ),
    "ESS as a share": (rewritten(ReverseKL, "evidence", "log_squares)", "log_squares) / n"), wider),
    "the error of one draw": (rewritten(ReverseKL, "evidence", " / (n - 1))", ")"), by_hand),
    "the error of p̃, not of its logarithm": (
        rewritten(ReverseKL, "evidence", "math.sqrt(max(", "math.exp(log_sum) * math.sqrt(max("),
        by_hand,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    with np.errstate(all="ignore"):
        is_caught(plant, check)
