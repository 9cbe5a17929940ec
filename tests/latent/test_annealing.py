"""Beta by a schedule: which beta each step has, and that a resumed training has the same."""

import numpy as np
import pytest

from scratchgen.latent import BernoulliLikelihood, annealed, cyclical
from scratchgen.optim import Adam, linear_warm_up
from scratchgen.training import fit
from tests.latent import linear_gaussian as truth
from tests.latent.test_vae import mlp_vae

X = np.random.default_rng(0).integers(0, 2, (10, 6)).astype(np.float32)
HELD_OUT = np.random.default_rng(1).integers(0, 2, (4, 6)).astype(np.float32)


def train(model, schedule, steps, **options):
    """Ten rows in batches of 4: evaluations every third step."""
    return fit(
        model,
        X,
        optimizer=Adam(model.parameters(), lr=0.01),
        batch_size=4,
        steps=steps,
        validation=HELD_OUT,
        evaluate_every=3,
        rng=0,
        progress=False,
        on_step=annealed(model, schedule),
        **options,
    )


def test_the_loss_has_the_beta_of_its_step():
    """Equation (1), with the beta of the schedule."""
    model, seen = mlp_vae(BernoulliLikelihood(6)), []
    right = type(model).loss
    model.loss = lambda x, rng: seen.append(float(model.beta.data)) or right(model, x, rng)
    fit(
        model,
        X,
        optimizer=Adam(model.parameters(), lr=0.01),
        batch_size=4,
        steps=6,
        rng=0,
        progress=False,
        on_step=annealed(model, linear_warm_up(2.0, warm_up=4)),
    )
    assert seen == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_the_weight_is_that_of_the_divergence():
    model = truth.model(0.5, 0.5)
    annealed(model, lambda step: 4.0)
    terms = truth.model(0.5, 0.5).elbo(truth.X, rng=3)
    expected = np.mean(4.0 * terms.kl.data - terms.reconstruction.data)
    assert model.loss(truth.X, rng=3).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_resumed_training_is_the_same_bit_for_bit(stop, tmp_path):
    """Weights, beta, and the losses of evaluations, some of which come after a stop and before another step."""
    schedule, whole, halves = linear_warm_up(1.0, warm_up=8), mlp_vae(BernoulliLikelihood(6)), []
    history = train(whole, schedule, steps=8)
    for steps in (stop, 8):
        halves.append(mlp_vae(BernoulliLikelihood(6)))  # as in a new process
        again = train(halves[-1], schedule, steps, checkpoint=tmp_path / "run.ckpt", resume=steps == 8)
    a, b = whole.state(), halves[-1].state()
    assert list(a) == list(b) and "beta" in a and a["beta"] == 1.0
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert (history.steps, history.loss, history.validation) == (again.steps, again.loss, again.validation)


def test_an_evaluation_made_up_for_has_the_beta_it_would_have_had(tmp_path):
    """Resumed to as many steps as there were, fit takes none, and only evaluates: by the beta that was saved."""
    path, schedule = tmp_path / "run.ckpt", linear_warm_up(1.0, warm_up=8)
    first = train(mlp_vae(BernoulliLikelihood(6)), schedule, steps=4, checkpoint=path)
    again = train(mlp_vae(BernoulliLikelihood(6)), schedule, steps=4, checkpoint=path, resume=True)
    assert again.steps == first.steps == [3, 4]
    assert again.validation == first.validation


def test_it_is_no_parameter_and_keeps_the_dtype():
    model = mlp_vae(BernoulliLikelihood(6))
    parameters = list(model.parameters())
    annealed(model, lambda step: 0.5)
    assert list(model.parameters()) == parameters
    assert model.loss(X, rng=0).dtype == model.beta.dtype == np.float32


def test_a_cycle():
    """beta min(1, τ/R)"""
    beta = cyclical(2.0, period=10, rising=0.4)
    np.testing.assert_allclose([beta(step) for step in range(12)], [0, 0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 0, 0.5])
