"""What the leaderboard measures and of whom: seconds, seeds, who is compared with whom, and how its table tells it."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

from demos import leaderboard
from demos.board import contest, images, points, table
from demos.board.contest import BOUND, ESTIMATE, EXACT, Entry, Fitted, Nats, Row
from scratchgen.data import TwoMoons, digits
from scratchgen.diffusion import terms
from scratchgen.distributions.distribution import values
from scratchgen.metrics import MMDTest, SlicedDistance, TwoSampleAccuracy, sliced_wasserstein
from scratchgen.nn import MLP
from scratchgen.optim import Average
from tests.demos.recorder import Recorder


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(contest, "PERMUTATIONS", 9)
    monkeypatch.setattr(points, "N", 500)


def board(seed=(0, 0), entries=()):
    return points.board("tiny", TwoMoons(std=0.2), seed, tested=50, drawn=40)._replace(entries=list(entries))


def rows(made, seed=(0, 0)):
    return list(contest.rows_of(made, 1.0, seed, lambda text: None))


def row(model="a", data="toy", gap=0.25, **more):
    """A row whose figures are all different."""
    nats = None if gap is None else Nats(1.5 + gap, 0.031, gap, 0.032)
    given = {"measure": EXACT, "nats": nats, "mmd": MMDTest(0.0414, 0.052), "sliced": SlicedDistance(0.063, 0.074),
             "told": TwoSampleAccuracy(0.585, 0.096), "parameters": 1234, "train_seconds": 5.25,
             "sample_seconds": 0.125, "samples": np.zeros((4, 2))}  # fmt: skip
    return Row(data, model, **{**given, **more})


# -- what is measured ----------------------------------------------------------------------------------------------


def test_seconds_are_those_of_training_and_of_a_thousand_samples(monkeypatch):
    """By a clock that training moves by 3 and sampling by 2."""
    now = [100.0]
    monkeypatch.setattr(contest, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def train(data, share, rng):
        now[0] += 3.0

        def sample(n, rng):
            now[0] += 2.0
            return data.sample(n, rng)

        def log_prob(z, rng):
            now[0] += 50.0
            return np.zeros(len(z))

        return Fitted(log_prob, sample, 7)

    *_, found = rows(board(entries=[Entry("timed", EXACT, train)]))
    assert (found.train_seconds, found.sample_seconds, found.parameters) == (3.0, 2.0 * 1000 / 40, 7)


def test_samples_are_compared_with_the_reference_and_the_truth_with_it_too():
    made = board()
    copy = Entry("copy", EXACT, lambda data, share, rng: Fitted(
        lambda z, rng: np.full(len(z), -9.0), lambda n, rng: made.reference[:n], 0))  # fmt: skip
    truth, found = rows(made._replace(entries=[copy]))
    assert found.sliced.value == 0.0 < truth.sliced.value
    rng = np.random.default_rng((0, 0, 0, contest.COMPARING))
    contest.mmd_test(made.others, made.reference, rng, contest.PERMUTATIONS)
    assert truth.sliced == sliced_wasserstein(made.others, made.reference, rng)


def test_reference_and_others_are_different_data():
    made = board()
    assert not np.isin(made.others, made.reference).any()
    made = images.board((0, 0), most=50)
    parts = {name: digits(name).images.reshape(-1, 64) for name in ("train", "validation", "test")}
    np.testing.assert_array_equal(made.data.train, parts["train"])
    np.testing.assert_array_equal(made.data.validation, parts["validation"])
    np.testing.assert_array_equal(made.reference, parts["test"][:50])
    train = {each.tobytes() for each in made.data.train}
    assert all(each.astype(made.data.train.dtype).tobytes() in train for each in made.others)


def test_every_entry_board_and_seed_has_random_numbers_of_its_own():
    first = []

    def train(data, share, rng):
        first.append(rng.random())
        return Fitted(lambda z, rng: np.full(len(z), -9.0), data.sample, 0)

    entries = [Entry(name, EXACT, train) for name in "ab"]
    for seed in ((0, 0), (0, 1), (1, 0)):
        rows(board(seed, entries), seed)
    seeds = []
    leaderboard.play(Recorder(), 5, [lambda seed: seeds.append(seed) or board(seed)] * 2, 1.0)
    assert len(set(first)) == 6 and seeds == [(5, 0), (5, 1)]


def test_kinds():
    """The chain rule, the change of variables and sums are exact; an ODE is an estimate; noise in bins is a bound."""
    exact = ["mixture", "pPCA", "MADE", "transformer", "RealNVP", "spline flow", "MAF"]
    kinds = {EXACT: exact, BOUND: ["VAE", "IWAE", "DDPM"], ESTIMATE: ["score ODE", "flow matching"]}
    assert {kind: [e.name for e in points.ENTRIES if e.measure == kind] for kind in kinds} == kinds
    bounds = ["pPCA", "VAE", "IWAE", "RealNVP", "spline flow", "MAF", "DDPM"]
    kinds |= {EXACT: ["mixture", "MADE", "transformer"], BOUND: bounds}
    assert {kind: [e.name for e in images.ENTRIES if e.measure == kind] for kind in kinds} == kinds


# -- how -----------------------------------------------------------------------------------------------------------


def test_the_mean_of_draws_of_a_bound():
    mean = contest.mean_of(3, lambda x, rng: x + rng.normal(size=len(x)))
    expected = 5 + np.random.default_rng(0).normal(size=(3, 4)).mean(axis=0)
    np.testing.assert_allclose(mean(np.full(4, 5.0), np.random.default_rng(0)), expected, rtol=1e-15)


def test_the_mean_over_noise_in_the_bins():
    fitted = images.dequantised(Fitted(lambda v, rng: -np.square(v.astype(np.float64)).sum(axis=1), None, 0), draws=2)
    x, rng = np.full((5, 64), 3), np.random.default_rng(1)
    v = np.stack([images.with_noise(x, rng) for _ in range(2)]).astype(np.float64)
    expected = -np.square(v).sum(axis=2).mean(axis=0) + 64 * np.log(2 / 17)
    np.testing.assert_allclose(fitted.log_prob(x, np.random.default_rng(1)), expected, rtol=1e-12)


def test_what_is_measured_of_the_bounds(monkeypatch):
    """Of models that are not trained: all terms of the ELBO and of the bound of the DDPM, with their signs."""
    monkeypatch.setattr(points, "trained", lambda *args, **more: None)
    data, z = board().data, np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    fitted, rng = points.vae(data, 1.0, np.random.default_rng(0)), np.random.default_rng(2)
    vae = fitted.sample.__self__
    draws = [vae.elbo(z, rng) for _ in range(20)]
    expected = np.mean([values(each.reconstruction) - values(each.kl) for each in draws], axis=0)
    np.testing.assert_allclose(fitted.log_prob(z, np.random.default_rng(2)), expected, rtol=1e-5, atol=1e-5)
    fitted = points.ddpm(data, 1.0, np.random.default_rng(0))
    found = terms(fitted.sample.__self__, z, np.random.default_rng(2)).total
    np.testing.assert_allclose(-fitted.log_prob(z, np.random.default_rng(2)), found, rtol=1e-6)
    assert found.mean() > 1  # nats above those of a good model


def test_training_ends_with_the_averaged_weights_at_a_rate_of_0(monkeypatch):
    model, given = MLP([1, 1], np.random.default_rng(0)), {}
    weights = model.parameters()

    def fit(model, x, **more):
        given.update(more)
        more["average"].update()
        for tensor in weights.values():
            tensor.assign(tensor.data + 1)
        return SimpleNamespace(interrupted=given.get("stop", False))

    before = model.state()
    monkeypatch.setattr(contest, "fit", fit)
    contest.trained(model, np.zeros((4, 1)), np.random.default_rng(0), steps=100, lr=1e-2, batch=2)
    assert isinstance(given["average"], Average)
    for name, array in model.state().items():
        np.testing.assert_allclose(array, before[name], atol=1e-6)  # the average has seen no others
    assert given["schedule"](10) == pytest.approx(1e-2, rel=0.05) and given["schedule"](100) < 1e-5
    given["stop"] = True
    with pytest.raises(KeyboardInterrupt):
        contest.trained(model, np.zeros((4, 1)), np.random.default_rng(0), steps=100, lr=1e-2, batch=2)
    assert contest.size(MLP([3, 5, 2], np.random.default_rng(0))) == 3 * 5 + 5 + 5 * 2 + 2


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_a_log_p_that_is_no_number_is_an_alarm_and_spares_the_others(strange, tmp_path):
    def train(data, share, rng, value=strange):
        return Fitted(lambda z, rng: np.where(np.arange(len(z)) == 3, value, -9.0), data.sample, 0)

    def zero(data, share, rng):
        return train(data, share, rng, -np.inf)

    stage = Recorder()
    stage.out = tmp_path
    made = board(entries=[Entry("broken", EXACT, train), Entry("zero", EXACT, zero)])
    found, about = leaderboard.play(stage, 0, [lambda seed: made], 1.0)
    with pytest.raises(contest.BetterThanTheTruth, match=r"^broken on tiny: gap nan"):
        leaderboard.publish(stage, found, about)
    text = (tmp_path / "leaderboard.txt").read_text(encoding="utf-8")
    assert "broken ALARM" in text and "zero ALARM" not in text and set(stage.figures) >= {"leaderboard"}
    stage.close()


# -- how it is told ------------------------------------------------------------------------------------------------


def test_every_figure_is_in_its_column():
    (found,) = csv.DictReader(io.StringIO(table.as_csv([row()])))
    assert found == {
        "model": "a", "data": "toy", "log p is": "exact", "nats": "1.750", "± nats": "0.031", "gap": "0.250",
        "± gap": "0.032", "MMD²": "0.0414", "p": "0.052", "sliced W": "0.063", "± W": "0.074", "told apart": "0.585",
        "± told": "0.096", "parameters": "1234", "training s": "5.25", "1,000 samples s": "0.125",
    }  # fmt: skip
    shown = table.shown(row(measure=BOUND))
    assert shown[1:3] == ("≤ 1.750 ± 0.031", "0.250 ± 0.032") and shown[-2:] == ("5.25", "0.125")


def test_the_picture_is_of_the_gaps():
    figure = table.draw_nats([row(contest.TRUTH, gap=0.0), row("a", gap=0.25), row("b", gap=0.5)], {})
    places = [container.lines[0].get_xdata()[0] for container in figure.axes[0].containers]
    assert places == [0.25, 0.5]


def test_the_summary_names_the_best():
    stage = Recorder()
    near = {"sliced": SlicedDistance(0.01, 0.001), "mmd": MMDTest(0.0, 0.6)}
    far = {"mmd": MMDTest(1.0, 0.002), "nats": Nats(2.5, 0.001, 1.0, 0.001)}
    leaderboard.summary(stage, "toy", "about", [row(contest.TRUTH, gap=0.0), row("a", **far), row("b", **near)])
    assert stage.results == [
        "toy: about",
        "toy: least gap to the entropy 0.250 ± 0.032, b",
        "toy: samples nearest to data by sliced W 0.010 ± 0.001 (b), data themselves 0.063 ± 0.074; MMD sees no "
        "difference (p > 0.01) for b",
    ]
