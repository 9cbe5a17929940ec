"""Errors planted in dequantisation and in flows as parts of a VAE, as in ``test_distribution_errors``.

Noise on half the bin (intro_dgm's RealNVP) and a wrong number of levels (glow-pytorch#17, uvadlc_notebooks#57) are
among them: both report fewer nats than the entropy of the data. A plant is a piece of a method, and what stands in its
place.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.flows import Dequantised, FlowPosterior, Transformed, dequantisation
from scratchgen.latent import VAE
from tests.flows import test_dequantisation as of_integers
from tests.flows import test_posterior as of_vaes
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught


def rewritten(owner: Any, name: str, right: str, wrong: str) -> Plant:
    """The method, or the function of a module, with ``wrong`` in the place of ``right``."""
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    module = owner if inspect.ismodule(owner) else sys.modules[owner.__module__]
    namespace = dict(vars(module))
    exec(compile(source.replace(right, wrong), f"planted {name}", "exec"), namespace)
    return instead_of(owner, name, namespace[name])


def levels(check: Callable[..., None]) -> list[Check]:
    """The check for 2, 17 and 256 levels."""
    return [partial(check, levels=count) for count in (2, 17, 256)]


never_beats = levels(of_integers.test_the_bound_never_beats_the_entropy)
tight = levels(of_integers.test_the_bound_is_tight_for_a_wall_of_cubes)
whole_bin = levels(of_integers.test_noise_is_uniform_on_the_whole_bin)
total = levels(of_integers.test_probabilities_sum_to_1)
variational = levels(of_integers.test_variational_noise_makes_the_bound_tight)
draws = levels(of_integers.test_many_draws_approach_the_probability)
bits = levels(of_integers.test_bits_per_dimension)
gap = [partial(of_vaes.test_an_affine_flow_closes_the_gap, prior=prior, by_context=True) for prior in (False, True)]
no_context = [partial(of_vaes.test_an_affine_flow_closes_the_gap, prior=False, by_context=False)]

NOISE = "u = generator(rng).random(x.shape, dtype)"
PLANTS: dict[str, tuple[Plant, list[Check]]] = {
    # Dequantisation.
    "noise on half the bin": (rewritten(Dequantised, "within_bin", NOISE, f"{NOISE} / 2"), never_beats),
    "noise on half the bin: its distribution": (rewritten(Dequantised, "within_bin", NOISE, f"{NOISE} / 2"), whole_bin),
    "noise around the level, half of it below": (
        rewritten(Dequantised, "within_bin", NOISE, f"{NOISE} - 0.5"),
        whole_bin,
    ),
    "normal noise": (
        rewritten(Dequantised, "within_bin", NOISE, "u = generator(rng).standard_normal(x.shape, dtype)"),
        whole_bin,
    ),
    "one u for all dimensions": (
        rewritten(Dequantised, "within_bin", NOISE, "u = generator(rng).random((len(x), 1), dtype) + 0 * x"),
        whole_bin,
    ),
    "no noise": (rewritten(Dequantised, "within_bin", NOISE, "u = np.zeros(x.shape, dtype)"), never_beats),
    "one level too few": (rewritten(Dequantised, "bound", "math.log(self.levels)", "math.log(self.levels - 1)"), total),
    "256 levels, whatever the data": (
        rewritten(Dequantised, "bound", "math.log(self.levels)", "math.log(256)"),
        total[:2],
    ),
    "the largest level for their number": (
        rewritten(Dequantised, "bound", "+ u) / self.levels", "+ u) / (self.levels - 1)"),
        whole_bin,
    ),
    "the volume of a bin forgotten": (
        rewritten(Dequantised, "bound", " - math.prod(p.event_shape) * math.log(self.levels)", ""),
        tight,
    ),
    "the volume of a bin with the wrong sign": (
        rewritten(Dequantised, "bound", " - math.prod(p.event_shape)", " + math.prod(p.event_shape)"),
        tight,
    ),
    "the volume of one dimension": (
        rewritten(Dequantised, "bound", "math.prod(p.event_shape) * math.log(self.levels)", "math.log(self.levels)"),
        tight,
    ),
    "log q forgotten": (rewritten(Dequantised, "bound", " - log_q", ""), variational),
    "log q with the wrong sign": (rewritten(Dequantised, "bound", " - log_q", " + log_q"), variational),
    "noise that is not told the level": (
        rewritten(Dequantised, "within_bin", "(x - middle)", "(0 * x - middle)"),
        variational,
    ),
    "levels on another scale": (
        rewritten(Dequantised, "within_bin", "(x - middle) / middle", "x / (2 * middle)"),
        variational,
    ),
    "the mean of logarithms": (
        rewritten(Dequantised, "log_prob", "values(logsumexp(log_w, axis=0)) - ", "np.mean(log_w, axis=0) - 0 * "),
        draws,
    ),
    "log K forgotten": (
        rewritten(
            Dequantised, "log_prob", "values(logsumexp(log_w, axis=0)) - ", "values(logsumexp(log_w, axis=0)) - 0 * "
        ),
        draws,
    ),
    "the same u in all draws": (
        rewritten(Dequantised, "log_prob", "rng = generator(rng)", "rng = int(generator(rng).integers(99))"),
        draws,
    ),
    "a loss that is summed": (
        rewritten(Dequantised, "loss", "np.mean", "np.sum"),
        [of_integers.test_the_loss_is_minus_the_mean_of_the_bound],
    ),
    "a loss with the wrong sign": (
        rewritten(Dequantised, "loss", "-np.mean", "np.mean"),
        [of_integers.test_the_loss_is_minus_the_mean_of_the_bound],
    ),
    "samples rounded to the nearest level": (
        rewritten(Dequantised, "sample", "np.floor", "np.round"),
        [of_integers.test_samples_are_bins],
    ),
    "samples that are one level short": (
        rewritten(Dequantised, "sample", "np.floor(self.levels * v)", "np.floor((self.levels - 1) * v)"),
        [of_integers.test_samples_are_bins],
    ),
    "nats for bits": (rewritten(dequantisation, "bits_per_dim", "(dims * math.log(2))", "dims"), bits),
    "bits of x, not of a dimension": (
        rewritten(dequantisation, "bits_per_dim", "(dims * math.log(2))", "math.log(2)"),
        bits,
    ),
    "eight bits, whatever the levels": (rewritten(dequantisation, "bits_per_dim", "math.log2(levels)", "8"), bits[:2]),
    "the scale of the data forgotten": (rewritten(dequantisation, "bits_per_dim", " + math.log2(levels)", ""), bits),
    # Flows as parts of a VAE.
    "the base for the flow": (
        rewritten(FlowPosterior, "forward", "return Transformed(base, ", "return base or ("),
        gap,
    ),
    "the context forgotten": (rewritten(FlowPosterior, "forward", "numbers[:, 2 * d :] if self.context else", ""), gap),
    "mean and log-variance swapped": (
        rewritten(
            FlowPosterior, "forward", "numbers[:, :d], numbers[:, d : 2 * d]", "numbers[:, d : 2 * d], numbers[:, :d]"
        ),
        no_context,
    ),
    "log q of the base": (
        rewritten(Transformed, "rsample_and_log_prob", "self.base.log_prob(z) - logabsdet", "self.base.log_prob(z)"),
        gap,
    ),
    "log q with the determinant of the other direction": (
        rewritten(Transformed, "rsample_and_log_prob", "self.base.log_prob(z) - ", "self.base.log_prob(z) + "),
        gap,
    ),
    "a divergence without the learned prior": (
        rewritten(
            VAE, "elbo", "log_q - self.prior(z).log_prob(z)", "log_q + np.sum(z * z, axis=1) / 2 + np.log(2 * np.pi)"
        ),
        gap[1:],
    ),
    "a pass from data to noise in each step": (
        rewritten(VAE, "elbo", "log_q - self.prior(z)", "q.log_prob(z) - self.prior(z)"),
        [of_vaes.test_log_q_comes_with_the_sample],
    ),
}


@pytest.mark.parametrize(("plant", "checks"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, checks: list[Check]) -> None:
    with np.errstate(all="ignore"):
        for check in checks:
            is_caught(plant, check)
