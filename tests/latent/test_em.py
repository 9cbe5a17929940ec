"""Generalised EM on probabilistic PCA, whose likelihood, posterior and optimum are known. Equations of ``em``."""

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Categorical, Independent, Normal, kl_divergence
from scratchgen.latent import (
    GaussianPosterior,
    LinearGaussian,
    PerExample,
    enumerated,
    gauss_hermite,
    quadrature,
    reparameterised,
)
from scratchgen.latent.em import Bound, Record, alternate, ascend_jointly, gradient_steps
from scratchgen.latent.ppca import best_log_likelihood, fit_ppca
from scratchgen.latent.theta_steps import fit_linear_gaussian
from scratchgen.nn import Linear
from scratchgen.optim import SGD, Adam
from tests.latent import toy_models as toy

N, DIM, LATENT = 40, 4, 2
RNG = np.random.default_rng(3)


def data(variances):
    """N rows whose covariance has exactly these eigenvalues: how fast EM climbs depends on them."""
    x = RNG.normal(size=(N, len(variances)))
    axes, _, others = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.sqrt(N * np.array(variances)) * axes @ others + RNG.normal(size=len(variances))


X = data([9.0, 3.0, 1.0, 1.0])
START = RNG.normal(size=(DIM, 1)) + 0.5 * RNG.normal(size=(DIM, LATENT))  # columns that are far from orthogonal


def start():
    return LinearGaussian(START, np.zeros(DIM), np.array(0.0))


def turned(angle=np.pi / 4):
    """A model at the top of the likelihood, whose axes are turned so that the posterior is far from independent."""
    best = fit_ppca(X, LATENT)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return LinearGaussian(best.W.data @ rotation, best.b.data, best.logvar.data)


def table(full):
    return GaussianPosterior(PerExample(N, LATENT * (1 + LATENT if full else 2)), LATENT, full)


class Setting:
    """A model, a q, their bound, and the half steps to the optimum; each notes what KL(q ‖ posterior) is after it."""

    def __init__(self, model, q):
        self.model, self.q, self.divergences = model, q, []
        self.bound = Bound(model, q, X, lambda q: quadrature(q, order=2))
        self.note()

    def note(self):
        with no_grad():
            self.divergences.append(np.mean(kl_divergence(self.q(X), self.model.posterior(X)).data))

    def phi_step(self):
        with no_grad():
            self.q.move_to(self.model.posterior(X))
        self.note()

    def theta_step(self):
        with no_grad():
            fit_linear_gaussian(self.model, X, self.q(X))
        self.note()

    def alternate(self, rounds):
        return alternate(self.bound, self.phi_step, self.theta_step, rounds)


def column(records, name, step=None):
    return np.array([getattr(record, name) for record in records if step in (None, record.step)])


def rises(values):
    return np.all(np.diff(values) > -1e-12)


def snapshot(module):
    return {name: t.data.copy() for name, t in module.parameters().items()}


def unchanged(module, before):
    return all(np.array_equal(before[name], t.data) for name, t in module.parameters().items())


# -- what is recorded --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
def test_the_gap_is_the_divergence_from_the_posterior_after_each_half_step(full):
    """(2)"""
    setting = Setting(start(), table(full))
    records = setting.alternate(rounds=4)
    assert [record.step for record in records] == ["start", *["phi", "theta"] * 4]
    np.testing.assert_allclose(column(records, "gap"), setting.divergences, rtol=0, atol=1e-11)
    assert records[0].gap > 0.1 and records[2].gap > 0.001  # it opens again in the θ step


def test_a_record_is_of_likelihood_and_bound():
    record = Record("phi", log_p=-3.0, elbo=-3.5)
    assert record.gap == 0.5
    setting = Setting(start(), table(full=False))
    got = setting.bound.measure("start")
    assert got.log_p == pytest.approx(start().log_prob(X).data.mean(), rel=1e-14)
    assert got.elbo == pytest.approx(setting.bound().item(), rel=1e-14)


# -- EM ----------------------------------------------------------------------------------------------------------------


def test_with_an_exact_phi_step_the_likelihood_never_falls():
    """(5), and that the bound touches the likelihood after each φ step."""
    records = Setting(start(), table(full=True)).alternate(rounds=30)
    assert rises(column(records, "log_p")) and rises(column(records, "elbo"))
    np.testing.assert_allclose(column(records, "gap", "phi"), 0, atol=1e-12)
    assert records[0].log_p + 1 < best_log_likelihood(X, LATENT) < records[-1].log_p + 0.01


def test_with_a_restricted_q_only_the_bound_never_falls():
    """From the top of the likelihood, with axes that a mean-field q cannot follow, the θ step has to go down."""
    records = Setting(turned(), table(full=False)).alternate(rounds=30)
    assert rises(column(records, "elbo"))
    log_p = column(records, "log_p")
    assert log_p[0] == pytest.approx(best_log_likelihood(X, LATENT), abs=1e-12)
    assert log_p[2] < log_p[0] - 0.01
    assert np.all(log_p < log_p[0] + 1e-12)


def test_a_mean_field_phi_step_leaves_the_known_gap():
    """½ (Σ log P_ii − log det P) for the P of the model at hand."""
    setting = Setting(start(), table(full=False))
    for _ in range(3):
        P = np.eye(LATENT) + setting.model.W.data.T @ setting.model.W.data / np.exp(setting.model.logvar.data)
        expected = 0.5 * (np.sum(np.log(np.diag(P))) - np.linalg.slogdet(P)[1])
        setting.phi_step()
        assert expected > 0.01 and setting.bound.measure("phi").gap == pytest.approx(expected, abs=1e-11)
        setting.theta_step()


@pytest.mark.parametrize("full", [True, False])
def test_each_half_step_moves_its_own_half(full):
    setting = Setting(start(), table(full))
    theta, phi = snapshot(setting.model), snapshot(setting.q)
    setting.phi_step()
    assert unchanged(setting.model, theta) and not unchanged(setting.q, phi)
    phi = snapshot(setting.q)
    setting.theta_step()
    assert unchanged(setting.q, phi) and not unchanged(setting.model, theta)


# -- partial steps and joint ascent ------------------------------------------------------------------------------------


def partial_steps(setting, steps=3, lr=0.02, optimizer=SGD):
    phi, theta = optimizer(setting.q.parameters(), lr * N), optimizer(setting.model.parameters(), lr)
    return gradient_steps(setting.bound, phi, steps), gradient_steps(setting.bound, theta, steps)


@pytest.mark.parametrize("full", [True, False])
def test_partial_steps_raise_the_bound(full):
    setting = Setting(start(), table(full))
    records = alternate(setting.bound, *partial_steps(setting), rounds=20)
    assert rises(column(records, "elbo")) and records[-1].elbo > records[0].elbo + 0.5
    assert np.all(column(records, "gap", "phi")[1:] > 1e-6)  # a partial φ step does not close it


def test_partial_steps_move_their_own_half():
    setting = Setting(start(), table(full=False))
    phi_step, theta_step = partial_steps(setting)
    theta, phi = snapshot(setting.model), snapshot(setting.q)
    phi_step()
    assert unchanged(setting.model, theta) and not unchanged(setting.q, phi)
    phi = snapshot(setting.q)
    theta_step()
    assert unchanged(setting.q, phi) and not unchanged(setting.model, theta)


def test_a_partial_step_is_gradient_ascent_on_its_own_gradients():
    """Two steps θ ← θ + lr ∇_θ ELBO, whatever gradients a φ step has left behind."""
    setting, other = Setting(start(), table(full=False)), Setting(start(), table(full=False))
    _, theta_step = partial_steps(setting, steps=2, lr=0.01)
    setting.bound().backward()  # left behind
    theta_step()
    for _ in range(2):
        for t in other.model.parameters().values():
            t.grad = None
        other.bound().backward()
        for t in other.model.parameters().values():
            t.assign(t.data + 0.01 * t.grad)
    for name, t in setting.model.parameters().items():
        np.testing.assert_allclose(t.data, other.model.parameters()[name].data, rtol=0, atol=1e-14, err_msg=name)


def test_a_sampled_bound_has_the_exact_one_as_its_mean():
    """(1) with one η for all x, averaged over the nodes of η with their weights."""
    setting, (nodes, weights) = Setting(start(), table(full=False)), gauss_hermite(LATENT, order=2)

    def sampled(node):
        return Bound(setting.model, setting.q, X, lambda q: reparameterised(q, 1, noise=np.tile(node, (1, N, 1))))

    average = sum(weight * sampled(node)().item() for node, weight in zip(nodes, weights))
    assert average == pytest.approx(setting.bound().item(), abs=1e-12)


@pytest.mark.parametrize("full", [True, False])
def test_float32_stays_float32(full):
    x = X.astype(np.float32)
    model, q = start().astype(np.float32), table(full).astype(np.float32)
    bound = Bound(model, q, x, lambda q: quadrature(q, order=2))
    with no_grad():
        q.move_to(model.posterior(x))
        fit_linear_gaussian(model, x, q(x))
    gradient_steps(bound, Adam(model.parameters(), lr=0.01), 2)()
    assert bound().dtype == np.float32
    assert {t.dtype for module in (model, q) for t in module.parameters().values()} == {np.dtype(np.float32)}


# -- the same optimum --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
def test_full_steps_reach_the_closed_form_optimum(full):
    """A mean-field q too: where the columns of W are orthogonal, the posterior's dimensions are independent."""
    records = Setting(start(), table(full)).alternate(rounds=100)
    best = best_log_likelihood(X, LATENT)
    assert records[-1].log_p == pytest.approx(best, abs=1e-7)
    assert records[-1].gap == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("amortised", [True, False])
def test_joint_ascent_reaches_it_too(amortised):
    """Amortised: the posterior's mean is linear in x and its covariance one for all, so a linear encoder has room."""
    model = start()
    q = GaussianPosterior(Linear(DIM, 2 * LATENT, rng=0, dtype=np.float64), LATENT) if amortised else table(False)
    setting = Setting(model, q)
    optimizer = Adam([*model.parameters().values(), *q.parameters().values()], lr=0.05)
    records = ascend_jointly(setting.bound, gradient_steps(setting.bound, optimizer, 100), rounds=6)
    assert [record.step for record in records] == ["start", *["joint"] * 6]
    assert records[-1].log_p == pytest.approx(best_log_likelihood(X, LATENT), abs=1e-3)
    assert records[-1].gap < 1e-3


# -- a discrete z ------------------------------------------------------------------------------------------------------


class Mixture(toy.Mixture):
    """The mixture with fixed parameters, and its exact likelihood."""

    def log_joint(self, x):
        components = [Independent(Normal(m, v), 1) for m, v in zip(toy.MEANS, toy.LOGVARS)]
        return np.stack([p.log_prob(x) for p in components], axis=1) + toy.LOG_WEIGHTS

    def log_prob(self, x):
        return np.log(np.exp(self.log_joint(x)).sum(axis=1))


def test_the_phi_step_of_a_discrete_z():
    """(2) with q a table of logits: the exact posterior closes the gap; gradient steps come near it."""
    model, logits = Mixture(), PerExample(N, 3)
    x = X[:, :2]
    bound = Bound(model, lambda x: Categorical(logits(x)), x, enumerated)
    step = gradient_steps(bound, Adam(logits.parameters(), lr=0.1), 100)
    first, *_, last = ascend_jointly(bound, step, rounds=3)
    assert first.gap > 1 and last.gap < 0.01 and first.log_p == last.log_p
    logits.values.assign(model.log_joint(x))
    assert bound.measure("phi").gap == pytest.approx(0, abs=1e-12)


# -- bad inputs --------------------------------------------------------------------------------------------------------

SETTING = Setting(start(), table(full=False))
BAD = {
    "rounds": (lambda: SETTING.alternate(-1), ValueError, "rounds is -1; it must be at least 0"),
    "joint rounds": (lambda: ascend_jointly(SETTING.bound, print, 1.5), TypeError, "rounds is 1.5; it must be an int"),
    "steps": (lambda: partial_steps(SETTING, steps=0), ValueError, "steps is 0; it must be at least 1"),
    "no data": (lambda: Bound(SETTING.model, SETTING.q, X[:0], enumerated), ValueError, "x has 0 rows; a mean"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
