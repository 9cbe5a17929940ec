"""Page 2: gradient ascent ends at the closed form, and a product of probabilities is 0 where its logarithm says so."""

import numpy as np
import pytest
from scipy.stats import norm

from demos import page02_likelihood as page02
from tests.demos.recorder import Recorder

X = np.random.default_rng(3).normal(0.7, 1.3, 25)


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page02.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_the_log_likelihood_is_that_of_scipy():
    assert page02.log_likelihood(X, 0.2, -0.4) == pytest.approx(norm.logpdf(X, 0.2, np.exp(-0.4)).mean(), rel=1e-13)


def test_the_closed_form_is_the_fit_of_scipy():
    mean, log_std, value = page02.optimum(X)
    fit = norm.fit(X)
    np.testing.assert_allclose([mean, np.exp(log_std), value], [*fit, norm.logpdf(X, *fit).mean()], rtol=1e-13)


def test_gradient_ascent_climbs_to_the_closed_form():
    path = page02.ascend(X, steps=400)
    np.testing.assert_allclose(path[0, :2], page02.START)
    assert np.all(np.diff(path[:, 2]) > -1e-14)
    np.testing.assert_allclose(path[-1], page02.optimum(X), atol=1e-12)


def test_each_step_is_the_rate_times_the_gradient():
    """∂/∂m = (x̄ − m)/σ², ∂/∂log σ = mean (x − m)²/σ² − 1."""
    (m, s, _), (next_m, next_s, _) = page02.ascend(X, rate=0.1, steps=1)
    assert next_m - m == pytest.approx(0.1 * (X.mean() - m) / np.exp(2 * s), rel=1e-12)
    assert next_s - s == pytest.approx(0.1 * (np.mean((X - m) ** 2) / np.exp(2 * s) - 1), rel=1e-12)


def test_what_is_printed_agrees_with_the_truth(stage):
    printed = stage.numbers(r": (\S+) after 80 steps of gradient ascent, closed form (\S+)")
    assert len(printed) == 3
    for reached, exact in printed:
        assert reached == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize(("dtype", "powers"), [(np.float32, 149), (np.float64, 1074)])
def test_powers_underflow_where_they_must(dtype, powers):
    """2^−149 and 2^−1074 are the smallest numbers, and half of that is rounded to 0: in integers, 3ⁿ 2^{p+1} < 8ⁿ."""
    products, first, exact = page02.underflow(np.full(1200, np.log(3 / 8)), dtype)
    assert exact == next(n for n in range(1, 1200) if 3**n * 2 ** (powers + 1) < 8**n)
    assert abs(first - exact) <= 1
    assert products.dtype == dtype and products[first - 2] > 0 == products[first - 1]


def test_the_sum_of_logs_is_minus_n_times_the_entropy(stage):
    ((total, expected, error),) = stage.numbers(r"sum of logs at n = 2000: (\S+), expected .* = (\S+) ± (\S+)")
    assert expected == pytest.approx(-2000 * norm(0, 0.8).entropy(), abs=0.1)
    assert error == pytest.approx(np.sqrt(2000 * 0.5), abs=0.1)
    assert abs(total - expected) < 5.96 * error


def test_products_become_0_where_the_sum_of_logs_says(stage):
    printed = stage.numbers(r"0 from n = (\d+) on; by the sum of logs it is too small from n = (\d+) on")
    assert len(printed) == 2
    for first, exact in printed:
        assert abs(first - exact) <= 1


def test_the_truth_is_drawn(stage):
    dashed = [line for line in stage.figures["page02_surface"].axes[0].lines if line.get_linestyle() == "--"]
    ((mean,), (log_std,), (value,)) = stage.numbers(r"after 80 steps of gradient ascent, closed form (\S+)")
    assert dashed[0].get_xdata()[0] == pytest.approx(mean, abs=1e-6)
    assert dashed[1].get_ydata()[0] == pytest.approx(log_std, abs=1e-6)
    (limit,) = (line for line in stage.figures["page02_surface"].axes[1].lines if line.get_linestyle() == "--")
    assert limit.get_ydata()[0] == pytest.approx(value, abs=1e-6)
    (expected,) = (line for line in stage.figures["page02_product"].axes[0].lines if "expected" in line.get_label())
    slope = np.diff(expected.get_ydata())[0]
    assert slope == pytest.approx(-norm(0, 0.8).entropy() / np.log(10), rel=1e-12)
