"""Page 8: the closed forms of mean and variance, by nodes, and what is printed beside them."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page08_kl as page08
from scratchgen.latent import LinearGaussian, gauss_hermite
from tests.demos.test_page06 import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page08.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_the_model_is_known():
    model, x = LinearGaussian(np.array([[page08.W]]), np.zeros(1), np.array(np.log(0.5))), np.array([[page08.X]])
    assert model.log_prob(x).data[0] == pytest.approx(page08.LOG_P, rel=1e-13)
    assert model.posterior(x).mean.data[0, 0] == pytest.approx(page08.POSTERIOR_MEAN, rel=1e-13)
    assert model.posterior(x).covariance.data[0, 0, 0] == pytest.approx(page08.POSTERIOR_VARIANCE, rel=1e-13)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", page08.FORMS)
def test_mean_and_variances_in_closed_form(name, t):
    """Everything is a polynomial of degree 4 in the noise at most: five nodes are exact."""
    form, (nodes, weights) = page08.FORMS[name], gauss_hermite(1, 5)
    found = page08.estimates(form, t, nodes[:, 0])
    assert weights @ found[0] == pytest.approx(page08.exact_elbo(t), rel=1e-13)
    for values, exact in zip(found, form.exact(t)):
        assert weights @ (values - weights @ values) ** 2 == pytest.approx(exact, rel=1e-11, abs=1e-13)


def test_the_mean_gradient_is_the_same_in_all_forms():
    nodes, weights = gauss_hermite(1, 5)
    for which in (1, 2):
        means = [weights @ page08.estimates(form, 0.3, nodes[:, 0])[which] for form in page08.FORMS.values()]
        np.testing.assert_allclose(means, means[0], rtol=1e-12)
        assert abs(means[0]) > 0.3


def test_at_the_posterior_every_sample_is_log_p():
    noise = np.random.default_rng(0).standard_normal(100)
    value, _, _ = page08.estimates(page08.FORMS["all sampled"], 1.0, noise)
    np.testing.assert_allclose(value, page08.LOG_P, rtol=0, atol=1e-12)
    value, to_mean, to_logvar = page08.estimates(page08.FORMS["all sampled, without the score"], 1.0, noise)
    np.testing.assert_allclose(value, page08.LOG_P, rtol=0, atol=1e-12)
    np.testing.assert_allclose([to_mean, to_logvar], 0, atol=1e-12)


def test_what_is_printed_beside_the_truth(stage):
    assert len(stage.results) == 6
    for line in stage.results:
        elbo, exact, variance, known, to_mean, known_to_mean = (float(n) for n in re.findall(r"-?\d+\.\d+", line))
        assert abs(elbo - exact) < 5.96 * np.sqrt(known / page08.ROWS) + 1e-4 and np.sqrt(known / page08.ROWS) < 0.03
        assert variance == pytest.approx(known, rel=0.1, abs=1e-4)
        assert to_mean == pytest.approx(known_to_mean, rel=0.1, abs=1e-4)


def test_the_order_that_the_caption_tells():
    """The gradient of the sampled form is the noisiest, that without the score the quietest, on all of the way."""
    t = np.linspace(0, 1, 101)
    closed, sampled, path = (form.exact(t) for form in page08.FORMS.values())
    for which in ("to_mean", "to_logvar"):
        assert np.all(getattr(sampled, which) > getattr(closed, which))
        assert np.all(getattr(path, which) <= getattr(closed, which) + 1e-12)
    assert np.all(sampled.value <= closed.value + 1e-12) and sampled.value[-1] == pytest.approx(0, abs=1e-15)


def test_the_dots_lie_on_the_dashed_lines(stage):
    for ax, which in zip(stage.figures["page08_kl"].axes[1:], range(3)):
        for line in ax.lines:
            if line.get_label() in page08.FORMS:
                x, y = line.get_data()
                exact = page08.FORMS[line.get_label()].exact(x)[which]
                np.testing.assert_allclose(y, exact, rtol=0.1, atol=1e-12)
