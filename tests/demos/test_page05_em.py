"""Page 5: generalised EM, its staircases and what they are compared with."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from demos import page05_em as page05
from scratchgen.latent import fit_ppca
from scratchgen.latent.em import Record
from scratchgen.latent.mixture_em import fit_mixture
from scratchgen.latent.ppca import best_log_likelihood
from tests.demos.test_page06 import Recorder

X = page05.ppca_data(np.random.default_rng(0))
LINE = page05.mixture_data(np.random.default_rng(0))


def log_p(records):
    return np.array([record.log_p for record in records])


def test_the_spectrum_of_the_data_is_exact():
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(X.T, ddof=0))[::-1], page05.VARIANCES, rtol=1e-12)


def test_the_optimum_is_as_good_when_it_is_turned():
    turned = page05.turned_optimum(X)
    assert turned.log_prob(X).data.mean() == pytest.approx(best_log_likelihood(X, page05.LATENT), abs=1e-12)
    P = turned.precision().data
    assert abs(P[0, 1]) > 0.1 * P[0, 0]  # but its posterior has dependent dimensions
    assert abs(fit_ppca(X, page05.LATENT).precision().data[0, 1]) < 1e-12


def test_a_mean_field_q_falls_from_the_top_and_comes_back():
    records = page05.full_steps(page05.ppca_bound(page05.turned_optimum(X), page05.q_table(False), X), 40)
    top = best_log_likelihood(X, page05.LATENT)
    assert page05.largest_fall(records, "elbo") < 1e-12
    assert page05.largest_fall(records, "log_p") == pytest.approx(0.0057, abs=1e-4)  # the same for every seed
    assert log_p(records).min() < top - 0.009 and top - 0.001 < records[-1].log_p <= top


def test_a_q_that_has_to_be_certain_falls_from_the_top_and_stays_below():
    fit = fit_mixture(LINE, page05.COMPONENTS, rng=0)
    records = page05.mixture_steps(LINE, fit.model, hard=True, rounds=6)
    assert page05.largest_fall(records, "elbo") < 1e-12
    assert records[-1].log_p < fit.log_likelihoods[-1] - 0.0005
    assert records[-1].gap > 0.01


def test_a_q_of_any_probabilities_climbs_to_the_top():
    records = page05.mixture_steps(LINE, page05.alike(LINE), hard=False, rounds=12)
    assert page05.largest_fall(records, "log_p") < 1e-12 and page05.largest_fall(records, "elbo") < 1e-12
    assert records[-1].log_p == pytest.approx(fit_mixture(LINE, 2, rng=0).log_likelihoods[-1], abs=5e-4)


def test_alternating_and_joint_steps_are_as_many():
    def bound():
        return page05.ppca_bound(page05.turned_optimum(X), page05.q_table(False), X)

    alternating, joint = page05.partial_steps(bound(), 2), page05.joint_steps(bound(), 2)
    assert len(alternating) == len(joint) == 5
    for records in (alternating, joint):
        assert records[-1].elbo > records[0].elbo + 0.1


def test_a_sampled_bound_is_climbed_and_the_exact_one_recorded():
    records = page05.joint_steps(
        page05.ppca_bound(page05.turned_optimum(X), page05.q_table(False), X), 1, np.random.default_rng(0)
    )
    exact = page05.ppca_bound(page05.turned_optimum(X), page05.q_table(False), X).measure("start")
    assert records[0].elbo == exact.elbo and records[-1].elbo > records[0].elbo


def test_the_largest_fall():
    records = [Record("phi", log_p, elbo) for log_p, elbo in [(-1.0, -3.0), (-1.5, -2.0), (-1.25, -1.5)]]
    assert page05.largest_fall(records, "log_p") == 0.5 and page05.largest_fall(records, "elbo") == 0.0


def test_the_staircase_shows_each_half_step_in_its_place():
    steps = [("start", -9.0, -19.0), ("phi", -9.0, -9.0), ("theta", -7.0, -8.0), ("phi", -7.0, -7.0)]
    records = [Record(*step) for step in steps]
    ax = page05.staircase(Figure().add_subplot(), records, first=1, top=-6.5, title="t", label="top")
    shown = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert shown["log p(x)"] == [[1, -9], [2, -7], [3, -7]] and shown["ELBO"] == [[1, -9], [2, -8], [3, -7]]
    assert shown["after a φ step"] == [[1, -9], [3, -7]] and shown["after a θ step"] == [[2, -8]]
    assert [point[1] for point in shown["top -6.5000"]] == [-6.5, -6.5]


@pytest.mark.slow
def test_the_figures_that_are_printed():
    recorder = Recorder()
    page05.run(recorder, seed=0)
    for figure in recorder.figures.values():
        plt.close(figure)
    for line in recorder.results[:4]:
        elbo_fall, likelihood_fall, end, top = map(float, re.findall(r"-?\d+\.\d{4}", line))
        certain, mean_field = "certain" in line, "mean-field" in line
        assert elbo_fall == 0 and (likelihood_fall > 0) == (certain or mean_field)
        assert end == pytest.approx(top, abs=0.005 if certain else 0.0011)
    for line in recorder.results[4:]:
        elbo, optimum = map(float, re.findall(r"-?\d+\.\d{4}", line))
        assert optimum - elbo == pytest.approx(0, abs=0.06 if "one draw" in line else 0.0011)
