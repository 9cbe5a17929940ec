"""Forward SDEs against the equations of their moments, and the two ways back against each other."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from scratchgen.autodiff import Tensor
from scratchgen.diffusion import SDE, VE, VP, GaussianMixtureData, SubVP

SDES = {
    "VP": VP(),
    "VP, gentle": VP(0.4, 3.0),
    "sub-VP": SubVP(0.2, 5.0),
    "VE": VE(0.1, 8.0),
    "VE, steep": VE(),
}
each_sde = pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
DATA = GaussianMixtureData(
    [0.3, 0.7], [[-1.0, 0.5], [2.0, 0.0]], [[[0.5, 0.2], [0.2, 0.4]], [[1.5, -0.6], [-0.6, 0.8]]]
)


@each_sde
def test_the_marginal_solves_the_equations_of_its_moments(sde: SDE):
    """(5), integrated to 1e-12: from x₀ = 1, the mean and the variance of x_t, by f and g of the SDE itself."""

    def change(t: float, moments: np.ndarray) -> list[float]:
        pull, g = sde(np.ones((1, 1)), t)  # f(x) = pull · x
        return [pull.item() * moments[0], 2 * pull.item() * moments[1] + g.item() ** 2]

    t = np.linspace(0, 1, 11)
    found = solve_ivp(change, (0, 1), [1.0, 0.0], "DOP853", t, rtol=1e-13, atol=1e-14).y
    a, s = sde.marginal(t)
    np.testing.assert_allclose(a, found[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(s**2, found[1], rtol=1e-10, atol=1e-12)


@each_sde
def test_small_steps_compose_to_the_marginal(sde: SDE):
    """Of N steps x + f h + g √h ε the moments are known; their error falls as h, and Richardson's as h²."""

    def composed(steps: int) -> np.ndarray:
        h, mean, variance = 1 / steps, 1.0, 0.0
        for i in range(steps):
            pull, g = sde(np.ones((1, 1)), i * h)
            mean, variance = mean * (1 + h * pull.item()), variance * (1 + h * pull.item()) ** 2 + h * g.item() ** 2
        return np.array([mean, variance])

    truth = np.array([x ** (k + 1) for k, x in enumerate(sde.marginal(1.0))])
    once, twice = composed(1000), composed(2000)
    np.testing.assert_allclose(once, truth, rtol=0.15)
    np.testing.assert_allclose(2 * twice - once, truth, rtol=2e-3)


@each_sde
def test_one_step_after_another_is_one_step(sde: SDE):
    """x_t given x_u given x₀: a(t) = a(u) a(t|u) and s²(t) = a(t|u)² s²(u) + s²(t|u), with s²(t|u) ≥ 0 for t > u."""
    a, s = sde.marginal(np.array([0.2, 0.9]))
    ratio = a[1] / a[0]
    between = s[1] ** 2 - ratio**2 * s[0] ** 2
    t = np.linspace(0.2, 0.9, 20001)
    a_t, g = sde.marginal(t)[0], sde.diffusion(t)
    by_quadrature = np.trapezoid((a[1] / a_t * g) ** 2, t)  # noise of time t, scaled by what happens after it
    assert between == pytest.approx(by_quadrature, rel=1e-6)


def test_the_three_families_by_hand():
    assert (VP().beta_min, VP().beta_max, VE().std_min, VE().std_max) == (0.1, 20.0, 0.01, 50.0)
    for beta_min, beta_max, t in ((0.1, 20.0, 0.37), (0.5, 2.0, 1.0)):
        B = beta_min * t + (beta_max - beta_min) * t**2 / 2
        np.testing.assert_allclose(VP(beta_min, beta_max).marginal(t), [np.exp(-B / 2), np.sqrt(1 - np.exp(-B))])
        np.testing.assert_allclose(SubVP(beta_min, beta_max).marginal(t), [np.exp(-B / 2), 1 - np.exp(-B)])
    np.testing.assert_allclose(VE(0.1, 10.0).marginal(0.5), [1.0, np.sqrt(0.01 * (100 - 1))])
    np.testing.assert_allclose(VE(0.1, 10.0).diffusion(0.5), 1.0 * np.sqrt(2 * np.log(100)))


@each_sde
def test_near_time_0_the_noise_keeps_its_digits(sde: SDE):
    """s² ≈ g(0)² t for VP and VE, and s ≈ β₀ t for sub-VP; computed as 1 − e^{−B} all digits would be lost."""
    t, s = 1e-13, sde.marginal(1e-13)[1]
    expected = sde.rate(0.0) * t if isinstance(sde, SubVP) else sde.diffusion(0.0) * np.sqrt(t)
    np.testing.assert_allclose(s, expected, rtol=1e-9)
    assert sde.marginal(0.0)[1] == 0


@each_sde
def test_the_reverse_sde_keeps_the_moments_of_normal_data(sde: SDE):
    """(2) and (3) with the score of N(m, c), backwards from p_1: the equations of their moments end in m and c."""
    m, c = 1.5, 0.3
    p = GaussianMixtureData([1.0], [[m]], c).diffused(sde)
    a, s = sde.marginal(1.0)
    for probability_flow in (False, True):
        reverse = sde.reverse(p.score, probability_flow)

        def change(t: float, moments: np.ndarray, reverse=reverse) -> list[float]:
            mean, variance = moments
            drift, g = reverse(np.array([[mean], [mean + 1]]), t)  # affine in x
            slope = (drift[1] - drift[0]).item()
            return [drift[0].item(), 2 * slope * variance - g.item() ** 2]  # dt < 0: noise adds |dt|

        y = solve_ivp(change, (1, 0), [a * m, a**2 * c + s**2], "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        np.testing.assert_allclose(y, [m, c], rtol=1e-7)


@each_sde
@pytest.mark.parametrize("probability_flow", [False, True])
def test_the_densities_of_a_mixture_solve_the_equation_of_the_way_back(sde: SDE, probability_flow: bool):
    """∂p/∂t = −∇·(drift p) − ½ g² Δp for (2), whose noise adds up while t falls; without the last term for (3)."""
    p, t, h = DATA.diffused(sde), 0.6, 1e-4
    reverse = sde.reverse(p.score, probability_flow)
    a, s = sde.marginal(t)
    x = a * DATA.means[1] + np.hypot(a, s) * np.array([[0.3, -0.4], [-1.0, 0.7], [1.2, 0.1]])
    width = np.hypot(a, s)  # of p_t, about

    def density(x: np.ndarray, t: float = t) -> np.ndarray:
        return np.exp(p.log_prob(x, t))

    _, g = reverse(x, t)
    divergence = laplacian = 0.0
    for e in width * h * np.eye(2):
        j = np.argmax(e)
        plus, minus = (reverse(x + d, t)[0][:, j] * density(x + d) for d in (e, -e))
        divergence = divergence + (plus - minus) / (2 * e[j])
        laplacian = laplacian + (p.score(x + e, t)[:, j] * density(x + e)) / (2 * e[j])
        laplacian = laplacian - (p.score(x - e, t)[:, j] * density(x - e)) / (2 * e[j])
    change = (density(x, t + h) - density(x, t - h)) / (2 * h)
    expected = -divergence - 0.5 * g**2 * laplacian
    assert np.abs(change).min() > 1e-3 * np.abs(change).max() > 0
    np.testing.assert_allclose(expected, change, rtol=0, atol=2e-5 * np.abs(change).max())


@each_sde
def test_a_time_for_each_row(sde: SDE):
    x, t = np.random.default_rng(0).standard_normal((4, 3, 2)), np.array([0.1, 0.4, 0.4, 1.0])
    f, g = sde(x, t)
    noise = np.random.default_rng(1).standard_normal(x.shape)
    moved = sde.perturb(x, t, noise=noise)
    for i in range(4):
        f_i, g_i = sde(x[i : i + 1], t[i])
        np.testing.assert_array_equal(f[i : i + 1], f_i)
        assert g[i].item() == g_i.item()
        np.testing.assert_array_equal(moved[i : i + 1], sde.perturb(x[i : i + 1], t[i], noise=noise[i : i + 1]))
    a, s = sde.marginal(0.4)
    np.testing.assert_allclose(moved[1], a * x[1] + s * noise[1], rtol=1e-15)


@each_sde
def test_float32_stays(sde: SDE):
    x, t = np.ones((2, 3), np.float32), np.array([0.1, 0.9])
    for time in (t, 0.5):
        drift, g = sde.reverse(lambda x, t: -x)(x, time)
        assert drift.dtype == g.dtype == sde.perturb(x, time, rng=0).dtype == np.float32
    assert sde.prior(3, np.float32).sample(2, 0).dtype == np.float32


def test_times_may_miss_the_ends_by_rounding():
    """As the sum of many steps does; they count as the ends."""
    for t, end in ((1 + 1e-12, 1.0), (-1e-12, 0.0)):
        assert VP().marginal(t) == VP().marginal(end)


def test_perturb_draws_its_noise_from_rng():
    x, sde = np.zeros((3, 2)), VP()
    noise = np.random.default_rng(5).standard_normal((3, 2))
    np.testing.assert_array_equal(sde.perturb(x, 0.5, rng=5), sde.perturb(x, 0.5, noise=noise))


@each_sde
def test_gradients_pass_through(sde: SDE):
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    drift, _ = sde.reverse(lambda x, t: -x, probability_flow=True)(x, 0.5)
    np.sum(drift + sde.perturb(x, 0.5, noise=np.zeros((2, 2)))).backward()
    by_hand = -0.5 * sde.rate(0.5) + 0.5 * sde.diffusion(0.5) ** 2 + sde.marginal(0.5)[0]
    np.testing.assert_allclose(x.grad, np.full((2, 2), by_hand), rtol=1e-12)


@each_sde
def test_the_prior_is_near_the_last_marginal(sde: SDE):
    s = float(sde.marginal(1.0)[1])
    prior = sde.prior((2, 3))
    assert prior.event_shape == (2, 3) and np.all(prior.mean == 0)
    if isinstance(sde, VE):
        np.testing.assert_allclose(prior.variance, s**2)
    else:
        np.testing.assert_array_equal(prior.variance, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: VP(0.0), ValueError, "beta_min is 0.0; it must be above 0 and finite"),
        (lambda: VP(2.0, 1.0), ValueError, "beta_max is 1.0; it must be above 2 and finite"),
        (lambda: SubVP("a"), TypeError, "beta_min is 'a'; it must be a number"),
        (lambda: VE(1.0, 1.0), ValueError, "std_max is 1.0; it must be above 1 and finite"),
        (lambda: VE(0.1, np.nan), ValueError, "std_max is nan; it must be above 0.1"),
        (lambda: VP().marginal(1.5), ValueError, "t is 1.5; the time of an SDE goes from 0, data, to 1, noise"),
        (lambda: VP().marginal(np.nan), ValueError, "t is nan; the time"),
        (lambda: VP().diffusion(np.array([0.5, -1.0])), ValueError, r"t\[1\] is -1; the time"),
        (lambda: VP().rate(np.zeros((2, 1))), ValueError, r"t has shape \(2, 1\); it must be a number, or \(B,\)"),
        (lambda: VP()(np.zeros((3, 2)), np.zeros(2)), ValueError, r"t has shape \(2,\) and x \(3, 2\); there must be"),
        (lambda: VP().perturb(np.zeros((3, 2)), 0.5), TypeError, "give rng, or the noise itself"),
        (
            lambda: VP().perturb(np.zeros((3, 2)), 0.5, noise=np.zeros(2)),
            ValueError,
            r"noise has shape \(2,\)",
        ),
        (
            lambda: VP().reverse(lambda x, t: x[:, 0])(np.zeros((3, 2)), 0.5),
            ValueError,
            r"the score has shape \(3,\) for x of shape \(3, 2\)",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
