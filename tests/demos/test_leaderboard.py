"""The leaderboard: what its entries add to the package's models, its alarm, and its table in three forms."""

import csv
import re
from functools import partial

import numpy as np
import pytest
from scipy.special import ndtr

from demos import leaderboard
from demos.board import contest, images, points, table
from demos.board.contest import BOUND, EXACT, Board, Entry, Fitted
from scratchgen.data import EightGaussians, Gaussians, TwoMoons
from scratchgen.metrics import MMDTest, SlicedDistance, TwoSampleAccuracy
from tests.demos.recorder import Recorder


@pytest.fixture
def stage(tmp_path):
    recorder = Recorder()
    recorder.out = tmp_path
    yield recorder
    recorder.close()


def perfect(data, share, rng, too_much=0.0):
    """The toy itself as a model; ``too_much`` is added to its log p."""

    def log_prob(z, rng):
        return data.toy.log_prob(data.back(z)) + 2 * np.log(data.std) + too_much

    return Fitted(log_prob, data.sample, 0)


def noisy(data, share, rng, too_much=0.0):
    """A log p with errors of a nat around the true one."""
    exact = perfect(data, share, rng, too_much).log_prob
    return Fitted(lambda z, rng: exact(z, rng) + rng.normal(size=len(z)), data.sample, 0)


@pytest.fixture(autouse=True)
def few(monkeypatch, request):
    if "slow" not in request.keywords:
        monkeypatch.setattr(contest, "PERMUTATIONS", 49)
        monkeypatch.setattr(points, "N", 2000)


def tiny(entries, toy=None, drawn=40):
    """A maker of a board with few points."""

    def make(seed):
        return points.board("tiny", toy or TwoMoons(std=0.2), seed, tested=200, drawn=drawn)._replace(entries=entries)

    return make


QUICK = [Entry("pPCA", EXACT, points.ppca), Entry("MADE", EXACT, points.made)]


# -- what entries add ----------------------------------------------------------------------------------------------


def test_what_cells_cost_a_normal_distribution():
    """The probability of a cell is a product of two differences of Φ: KL(p ‖ p flat in cells) without a sum of p."""
    made = points.board("normal", Gaussians([[0.0, 0.0]], std=0.7), (0, 0), tested=10, drawn=40)
    data, reach = made.data, points.reach_of(made.data)
    edges = np.linspace(-reach, reach, points.LEVELS + 1)[:, None] * data.std + data.mean  # of the toy, (cells + 1, 2)
    flat = 0.0
    for column in edges.T:
        mass = np.diff(ndtr(column / 0.7))
        mass = mass[mass > 0]
        flat += -np.sum(mass * np.log(mass)) + np.log(edges[1, 0] - edges[0, 0])
    assert points.least_gap(data) == pytest.approx(flat - np.log(2 * np.pi * np.e * 0.49), abs=1e-8)
    assert 1e-3 < points.least_gap(data) < 0.02


def test_a_transformer_of_cells_is_a_density(monkeypatch):
    """It integrates to 1, is 0 outside, and its samples fall into the cells that they were drawn as."""
    monkeypatch.setattr(points, "LEVELS", 8)
    model = points.Cells(2.0, np.random.default_rng(0))
    axis = np.linspace(-2, 2, 33)[:-1] + 1 / 16  # four places in each cell
    z = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    p = np.exp(points.exact(model).log_prob(z, None))
    assert np.sum(p) / 64 == pytest.approx(1, abs=1e-5) and np.ptp(p) > 0.01
    assert model.log_prob(np.array([[2.5, 0.0]]))[0] == -np.inf
    drawn = model.symbols.sample(20, 3)
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(model.cells(model.sample(20, rng)), drawn)


def test_noise_in_the_bins_turns_a_density_into_a_probability():
    """Equation (1) is log P(x) where the density is flat in each bin; levels and noise fit together."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(17), 64)  # each pixel by itself
    x = rng.integers(0, 17, (50, 64))

    def log_density(v, rng):
        return np.log(P[np.arange(64), images.levels_of(v)] * 17 / 2).sum(axis=1)

    fitted = images.dequantised(Fitted(log_density, lambda n, rng: images.with_noise(x[:n], rng), 0), draws=3)
    expected = np.log(P[np.arange(64), x]).sum(axis=1)
    np.testing.assert_allclose(fitted.log_prob(x, rng), expected, rtol=1e-12)
    np.testing.assert_array_equal(fitted.sample(20, rng), x[:20])
    v = images.with_noise(np.tile([[0, 16]], (1000, 1)), rng)
    assert -1 <= v.min() < -0.99 and 0.99 < v.max() <= 1


def test_the_mixture_of_dice_finds_two_patterns():
    """Two images, with a little noise on one pixel, half and half: log P is near log ½ less that of the pixel."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 17, (2, 64))
    x = np.repeat(patterns, 300, axis=0)
    x[:, 0] = rng.integers(0, 4, 600)
    fitted = images.mixture(images.Split(x, x), 0.2, rng)
    expected = -np.log(2) - np.log(4)
    assert fitted.log_prob(x, rng).mean() == pytest.approx(expected, abs=2.0)  # independent pixels: −40
    assert fitted.parameters == images.DICE - 1 + images.DICE * 64 * 16
    drawn = fitted.sample(200, rng)
    apart = np.abs(drawn[:, None, 1:] - patterns[:, 1:]).astype(bool).sum(axis=-1).min(axis=1)
    assert np.median(apart) <= 5


# -- the entropies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("toy", [TwoMoons(std=0.1), EightGaussians()])
def test_the_entropy_by_another_integral(toy):
    """By Gauss–Legendre nodes on panels, with densities from the formula of a mixture written out here."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    edges = np.linspace(-toy.radius, toy.radius, 61)
    half = np.diff(edges)[:, None] / 2
    axis, w = (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
    if isinstance(toy, TwoMoons):
        s, weight = np.polynomial.legendre.leggauss(100)
        upper = np.stack([np.cos(np.pi * (1 + s) / 2), np.sin(np.pi * (1 + s) / 2)], axis=1)
        centres, std, weight = np.concatenate([upper, [1.0, 0.5] - upper]), 0.1, np.tile(weight / 4, 2)
    else:
        t = 2 * np.pi * np.arange(8) / 8
        centres, std, weight = 5 * np.stack([np.cos(t), np.sin(t)], axis=1), np.sqrt(0.1), np.full(8, 1 / 8)
    first, second = (np.exp(-0.5 * ((axis[:, None] - c) / std) ** 2) for c in centres.T)  # (nodes, centres)
    p = (weight * first) @ second.T / (2 * np.pi * std**2)
    area = np.outer(w, w)
    assert np.sum(area * p) == pytest.approx(1, abs=1e-9)
    log_p = np.log(np.maximum(p, 1e-300))
    assert toy.entropy() == pytest.approx(-np.sum(area * p * log_p), abs=1e-7)


# -- the alarm -----------------------------------------------------------------------------------------------------


def test_a_log_p_too_large_by_a_constant_is_an_alarm_that_fails_the_run(stage):
    """0.003 nats are enough for a model that is otherwise the truth; the table is written all the same."""
    entries = [Entry("honest", EXACT, perfect), Entry("braggart", BOUND, partial(perfect, too_much=0.003))]
    with pytest.raises(contest.BetterThanTheTruth, match=r"^braggart on tiny: gap -0\.003 ± 0\.000 nats: below 0"):
        leaderboard.publish(stage, *leaderboard.play(stage, 0, [tiny(entries)], 1.0))
    text = (stage.out / "leaderboard.txt").read_text(encoding="utf-8")
    assert "braggart ALARM" in text and "honest ALARM" not in text
    assert (stage.out / "leaderboard.csv").exists() and set(stage.figures) == {"leaderboard", "leaderboard_samples"}


def test_chance_is_no_alarm_and_more_than_chance_is(stage):
    """With errors of a nat, 200 draws: the error of a gap is 0.07, and five of them are 0.35."""
    entries = [
        Entry("lucky", EXACT, partial(noisy, too_much=0.1)),
        Entry("too lucky", EXACT, partial(noisy, too_much=1.0)),
    ]
    _, row, other = leaderboard.play(stage, 0, [tiny(entries)], 1.0)[0]
    assert -0.3 < row.nats.gap < 0.1 and not row.is_alarm
    assert row.nats.gap_error == pytest.approx(1 / np.sqrt(200), rel=0.2)
    with pytest.raises(contest.BetterThanTheTruth):
        leaderboard.require_no_alarm([row, other])
    leaderboard.require_no_alarm([row])


def test_nan_is_an_alarm_and_no_likelihood_is_none():
    nats = contest.Nats(np.nan, np.nan, np.nan, np.nan)
    row = contest.Row("a", "b", EXACT, nats, MMDTest(0.0, 1.0), SlicedDistance(0.0, 0.0), TwoSampleAccuracy(0.5, 0.0),
                      0, 0.0, 0.0, np.zeros((1, 2)))  # fmt: skip
    assert row.is_alarm
    assert not row._replace(nats=None).is_alarm and not row._replace(nats=contest.Nats(100.0, 1.0)).is_alarm


# -- the table -----------------------------------------------------------------------------------------------------


def test_the_truth_is_the_first_row_and_perfect(stage):
    truth, row = leaderboard.play(stage, 0, [tiny([Entry("honest", EXACT, perfect)], drawn=300)], 1.0)[0]
    assert truth.model == contest.TRUTH and truth.nats == (TwoMoons(std=0.2).entropy(), 0.0, 0.0, 0.0)
    assert row.nats.value == pytest.approx(truth.nats.value, abs=1e-5)
    for each in (truth, row):  # data against data: nothing to see
        assert each.mmd.p > 0.02 and abs(each.told.value - 0.5) < 5.96 * each.told.error
        assert each.sliced.value < 0.3


def test_text_and_csv_have_the_same_figures_in_120_columns(stage, capsys):
    rows, about = leaderboard.play(stage, 0, [tiny(QUICK)], 0.01)
    leaderboard.publish(stage, rows, about)
    text = (stage.out / "leaderboard.txt").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 120
    with (stage.out / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["model"] for line in lines] == ["truth", "pPCA", "MADE"] and len(rows) == 3
    for line in lines:
        (printed,) = re.findall(rf"^{line['model']} .*$", text, re.MULTILINE)
        columns = "nats", "± nats", "gap", "± gap", "MMD²", "p", "sliced W", "± W", "told apart", "± told"
        figures = [line[c] for c in (*columns, "parameters", *table.SECONDS) if line[c]]
        assert re.findall(r"-?\d[\d.]*(?:e-?\d+)?", printed[18:]) == figures
    assert float(lines[1]["nats"]) == pytest.approx(rows[1].nats.value, abs=5e-4)


def test_equal_seeds_give_equal_bits_whoever_else_takes_part(stage):
    """All columns but the seconds; and for a model alone as among others before or after it in the list."""

    def figures(entries, seed):
        rows, _ = leaderboard.play(stage, seed, [tiny(entries)], 0.004)
        return [{k: v for k, v in table.cells(row).items() if k not in table.SECONDS} for row in rows]

    first = figures(QUICK, 0)
    assert first == figures(QUICK, 0) and first != figures(QUICK, 1)
    assert first[:2] == figures(QUICK[:1], 0)


def test_no_two_uses_share_their_random_numbers():
    """NumPy fills short seeds up with zeros: (0, 0) and (0, 0, 0) are one."""
    seeds = [(0, b, i, use) for b in range(3) for i in range(13) for use in (0, contest.COMPARING, contest.DATA)]
    first = {np.random.default_rng(seed).random() for seed in seeds}
    assert len(first) == len(seeds)
    assert np.random.default_rng((0, 0)).random() == np.random.default_rng((0, 0, 0)).random()


def test_a_row_of_digits_has_no_gap(stage):
    """Independent dice, exactly: its nats are those of counting; and the picture has a panel for it."""

    def counted(data, share, rng):
        counts = 1 + np.stack([(data.train == level).sum(axis=0) for level in range(17)])
        log_p = np.log(counts / counts.sum(axis=0))
        return Fitted(lambda x, rng: log_p[x, np.arange(64)].sum(axis=1), lambda n, rng: data.train[:n], 0)

    def make(seed):
        return images.board(seed, most=447)._replace(entries=[Entry("counted", EXACT, counted)])

    rows, about = leaderboard.play(stage, 0, [make], 1.0)
    leaderboard.publish(stage, rows, about)
    row = rows[1]
    assert row.nats.value == pytest.approx(leaderboard.independent_pixels(), abs=1e-9)
    assert row.nats.gap is None and not row.is_alarm and 0.2 < row.nats.error < 2
    assert any("fewest nats 106.47" in text for text in stage.results)


def test_names_and_kinds():
    """Both lists have the same families in the same order; log p is exact for the same, but for digits with noise."""
    assert [entry.name for entry in points.ENTRIES] == [entry.name for entry in images.ENTRIES]
    assert isinstance(tiny(QUICK)((0, 0)), Board)
    kinds = {entry.name: entry.measure for entry in points.ENTRIES}
    assert [name for name, kind in kinds.items() if kind == BOUND] == ["VAE", "IWAE", "DDPM"]


@pytest.mark.slow
def test_every_entry_runs_and_none_is_better_than_the_truth(stage):
    makers = [partial(points.board, "moons", TwoMoons(std=0.1), tested=200, drawn=40), partial(images.board, most=40)]
    rows, _ = leaderboard.play(stage, 3, makers, 0.01)
    assert len(rows) == 26 and not any(row.is_alarm for row in rows)


GAPS = {  # nats above the entropy, at most; at full length
    "mixture": 0.05, "pPCA": 3.0, "VAE": 1.5, "IWAE": 0.3, "MADE": 0.05, "transformer": 0.1, "RealNVP": 0.5,
    "spline flow": 0.1, "MAF": 0.7, "DDPM": 0.4, "score ODE": 0.9, "flow matching": 0.3,
}  # fmt: skip


@pytest.mark.slow
def test_the_full_board(stage):
    """No alarm, gaps and nats within bounds, and a truth that nothing tells from itself."""
    rows, _ = leaderboard.play(stage, 0, leaderboard.boards(False), 1.0)
    assert len(rows) == 39 and not any(row.is_alarm for row in rows)
    for row in rows:
        if row.nats and row.nats.gap is not None and row.model != contest.TRUTH:
            assert row.nats.gap < GAPS[row.model], row.model
        elif row.nats and row.model not in ("pPCA", contest.TRUTH):
            assert 70 < row.nats.value < leaderboard.independent_pixels(), row.model
