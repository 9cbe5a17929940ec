"""Every model of the command line, from training to evaluation, beside the model rebuilt by hand from the file."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scratchgen import autoregressive, checkpoint, diffusion, flows, latent
from scratchgen.autodiff import no_grad
from scratchgen.cli.diffusion_models import STEPS
from scratchgen.cli.form import Form
from scratchgen.cli.models import FAMILIES
from scratchgen.distributions import Independent, Normal
from scratchgen.distributions.distribution import values
from scratchgen.nn import MLP
from scratchgen.training.run import part
from tests.cli.tiny import FILES, FITTED_AT_ONCE, SMALL, command, training

D, SIDE, LEVELS, CONTEXT = 2, 4, 3, 6
PIXELS = SIDE * SIDE
NORMAL = {dims: Independent(Normal(np.zeros(dims, "f4"), np.zeros(dims, "f4")), 1) for dims in (D, PIXELS)}


def vae(likelihood: Any, dims: int) -> tuple[Any, ...]:
    return MLP([dims, 5, 5, 2], 0, "tanh"), MLP([1, 5, 5, likelihood.outputs], 0, "tanh"), likelihood, 1


def dequantised(stack: Any) -> flows.Dequantised:
    density = flows.Flow(flows.Composite([flows.Logit(margin=1e-3), *stack.transforms]), NORMAL[PIXELS])
    noise = flows.FlowPosterior(MLP([PIXELS, 128, 128, 2 * PIXELS], 0), flows.Logit(), latent=PIXELS)
    return flows.Dequantised(density, LEVELS, noise)


def level_flow_bound(model: Any, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """log p of (x + u)/L, spread over [−1, 1], and the volume of a bin there; with random directions."""
    probes = flows.random_signs((4, PIXELS), rng)
    y = 2 * (x.astype("f4") + rng.random(x.shape, "f4")) / LEVELS - 1
    return values(model.flow(STEPS, probes).log_prob(y)) + PIXELS * math.log(2 / LEVELS)


def exact(model: Any, x: np.ndarray, rng: Any) -> Any:
    return model.log_prob(x)


def weighted(model: Any, x: np.ndarray, rng: Any) -> Any:
    return model.log_prob(x, rng, 100)


def terms(model: Any, x: np.ndarray, rng: Any) -> Any:
    return -diffusion.terms(model, x.reshape(len(x), *model.event_shape), rng).total


affine, spline = flows.AffineMap(), flows.SplineMap(bins=3, bound=4.0)
BY_HAND: dict[tuple[str, str], tuple[Callable[[], Any], Callable[..., Any], str]] = {
    ("mixture", "points"): (
        lambda: latent.GaussianMixture(np.zeros(1), np.zeros((1, D)), np.zeros((1, D, D))),
        lambda model, x, rng: model.log_prob(x.astype("f8")),
        "exact",
    ),
    ("ppca", "points"): (
        lambda: latent.LinearGaussian(np.zeros((D, 1)), np.zeros(D), np.zeros(())),
        lambda model, x, rng: model.log_prob(x.astype("f8")),
        "exact",
    ),
    ("vae", "points"): (lambda: latent.VAE(*vae(latent.GaussianLikelihood(D), D)), weighted, "upper bound"),
    ("vae", "levels"): (
        lambda: latent.VAE(*vae(latent.CategoricalLikelihood(PIXELS, LEVELS), PIXELS)),
        weighted,
        "upper bound",
    ),
    ("iwae", "points"): (
        lambda: latent.IWAE(*vae(latent.GaussianLikelihood(D), D), samples=3),
        weighted,
        "upper bound",
    ),
    ("made", "points"): (
        lambda: autoregressive.MADE(D, autoregressive.GaussianMixtureOutput(20), [20, 20], 0, activation="tanh"),
        exact,
        "exact",
    ),
    ("made", "levels"): (
        lambda: autoregressive.MADE(PIXELS, autoregressive.CategoricalOutput(LEVELS), [20], 0, activation="tanh"),
        exact,
        "exact",
    ),
    ("pixelcnn", "levels"): (
        lambda: autoregressive.PixelCNN((SIDE, SIDE), LEVELS, 0, width=3, layers=2),
        exact,
        "exact",
    ),
    ("transformer", "levels"): (
        lambda: autoregressive.Transformer(LEVELS, PIXELS, 4, 1, 1, 0),
        exact,
        "exact",
    ),
    ("realnvp", "points"): (
        lambda: flows.Flow(flows.coupling_stack(D, 2, affine, [4, 4], 0), NORMAL[D]),
        exact,
        "exact",
    ),
    ("realnvp", "levels"): (
        lambda: dequantised(flows.coupling_stack(PIXELS, 2, affine, [4, 4], 0)),
        lambda model, x, rng: model.log_prob(x, rng, 50),
        "upper bound",
    ),
    ("spline-flow", "points"): (
        lambda: flows.Flow(flows.coupling_stack(D, 2, spline, [4, 4], 0), NORMAL[D]),
        exact,
        "exact",
    ),
    ("maf", "points"): (
        lambda: flows.Flow(flows.autoregressive_stack(D, 2, affine, [20, 20], 0), NORMAL[D]),
        exact,
        "exact",
    ),
    ("ddpm", "points"): (
        lambda: diffusion.DDPM(
            diffusion.ResidualNet(D, 0, width=2, outputs=2 * D),
            diffusion.even_log_snr(3, 8.0),
            (D,),
            "v",
            "bound",
            "learned",
        ),
        terms,
        "upper bound",
    ),
    ("ddpm", "levels"): (
        lambda: diffusion.LevelDDPM(
            diffusion.UNet(1, 0, channels=2, outputs=LEVELS), diffusion.even_log_snr(3, 3.0), (SIDE, SIDE, 1), LEVELS
        ),
        terms,
        "upper bound",
    ),
    ("flow-matching", "points"): (
        lambda: diffusion.FlowMatching(diffusion.ResidualNet(D, 0, width=4, blocks=1), (D,)),
        lambda model, x, rng: model.flow(STEPS).log_prob(x),
        "an estimate",
    ),
    ("flow-matching", "levels"): (
        lambda: diffusion.FlowMatching(diffusion.ResidualNet(PIXELS, 0, width=4, blocks=1), (PIXELS,)),
        level_flow_bound,
        "an estimate",
    ),
}


def test_every_model_is_tested_with_every_kind_of_data_that_it_has_a_code_for() -> None:
    assert {model for model, _ in BY_HAND} == set(FAMILIES) == set(SMALL)


def figure(out: str) -> tuple[float, float]:
    """The mean and the standard error that a command printed."""
    found = re.search(r"(-?[\d.]+) ± ([\d.]+) nats per", out)
    assert found, out
    return float(found[1]), float(found[2])


@pytest.mark.parametrize(("model", "kind"), BY_HAND)
def test_from_training_to_evaluation(model: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = FILES[kind](tmp_path), tmp_path / "a model.ckpt"
    trained = command(capsys, *training(model, data, out))
    assert (trained.code, trained.err) == (0, "")
    assert f"evaluate '{out}'" in trained.out and "validation" in trained.out

    make, log_prob, certainty = BY_HAND[model, kind]
    arrays, _ = checkpoint.load(out)
    by_hand = make()
    by_hand.load_state(part("best", arrays) or part("model", arrays))
    by_hand.eval()
    x = np.load(data)
    order, tenth = np.random.default_rng(0).permutation(len(x)), len(x) // 10
    test, train = x[order[:tenth]].reshape(tenth, -1), x[order[2 * tenth :]]
    volume = 0.0
    if kind == "points":
        test = ((test - train.mean(axis=0)) / train.std(axis=0)).astype("f4")
        volume = np.log(train.std(axis=0)).sum()
    with no_grad():
        nats = volume - values(log_prob(by_hand, test, np.random.default_rng(7))).astype("f8")

    evaluated = command(capsys, "evaluate", out, "--seed", 7)
    assert (evaluated.code, evaluated.err) == (0, "")
    mean, error = figure(evaluated.out)
    assert mean == pytest.approx(nats.mean(), abs=2e-4 + 1e-6 * abs(nats.mean()))
    assert error == pytest.approx(nats.std(ddof=1) / math.sqrt(tenth), abs=2e-4)
    assert certainty in evaluated.out and "the test part" in evaluated.out
    if kind == "levels":
        bits = re.search(r"([\d.]+) bits per dimension", evaluated.out)
        assert bits and float(bits[1]) == pytest.approx(mean / (PIXELS * math.log(2)), abs=1e-4)

    drawn = [tmp_path / f"{name}.npy" for name in "abc"]
    for file, seed in zip(drawn, (5, 5, 6)):
        assert command(capsys, "sample", out, "-n", 9, "--seed", seed, "--out", file).code == 0
    a, b, c = map(np.load, drawn)
    assert a.shape == (9, *x.shape[1:]) and np.isfinite(a).all()
    assert a.tobytes() == b.tobytes() != c.tobytes()
    told = command(capsys, "info", out)
    assert told.code == 0 and f"\ndata        {data}: " in told.out and "parameters" in told.out


@pytest.mark.parametrize("model", ["vae", "realnvp"])
def test_the_same_seed_trains_to_the_same_bits(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, files = FILES["points"](tmp_path), [tmp_path / f"{name}.ckpt" for name in "abc"]
    for file, seed in zip(files, (3, 3, 4)):
        assert command(capsys, *training(model, data, file, "--seed", seed)).code == 0
    a, c = (checkpoint.load(file) for file in files[::2])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert any(a[0][name].tobytes() != c[0][name].tobytes() for name in a[0])


def test_a_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = FILES["text"](tmp_path), tmp_path / "text.ckpt"
    trained = command(capsys, *training("transformer", data, out, "--context", CONTEXT))
    assert (trained.code, trained.err) == (0, "") and "nats per character" in trained.out
    content = data.read_text()
    characters = sorted(set(content))
    by_hand = autoregressive.Transformer(len(characters), CONTEXT, 4, 1, 1, 0)
    by_hand.load_state(part("best", checkpoint.load(out)[0]))
    by_hand.eval()
    held_out = content[content[: int(len(content) * 0.9) + 1].rfind("\n") + 1 :]
    tokens = np.array([characters.index(c) for c in held_out])
    pieces = [autoregressive.stream_nats(by_hand, piece) for piece in np.array_split(tokens, min(20, len(tokens) // 6))]
    evaluated = command(capsys, "evaluate", out)
    mean, error = figure(evaluated.out)
    assert mean == pytest.approx(np.mean(pieces), abs=1e-4)
    assert error == pytest.approx(np.std(pieces, ddof=1) / math.sqrt(len(pieces)), abs=1e-4)
    bits = re.search(r"([\d.]+) bits per character", evaluated.out)
    assert bits and float(bits[1]) == pytest.approx(np.mean(pieces) / math.log(2), abs=1e-4)

    written = command(capsys, "sample", out, "-n", 2, "--length", 30, "--prompt", "the ", "--top-k", 3)
    first, second = written.out.removesuffix("\n").split("\n----\n")
    assert first.startswith("the ") and len(first) == len(second) == 30
    assert command(capsys, "sample", out, "-n", 2, "--out", tmp_path / "a.txt").code == 0
    greedy = [command(capsys, "sample", out, "-n", 1, "--top-k", 1, "--seed", seed).out for seed in (0, 1)]
    assert greedy[0] == greedy[1]


def test_fitted_models_are_the_best_of_their_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed figure of pPCA on its training part is the closed form of its largest likelihood."""
    from scratchgen.latent.ppca import best_log_likelihood

    data, out = FILES["points"](tmp_path), tmp_path / "ppca.ckpt"
    assert command(capsys, *training("ppca", data, out, "--no-standardise")).code == 0
    train = np.load(data)[np.random.default_rng(0).permutation(200)[40:]]
    mean, _ = figure(command(capsys, "evaluate", out, "--split", "train").out)
    assert mean == pytest.approx(-best_log_likelihood(train, 1), abs=1e-4)
    assert set(FITTED_AT_ONCE) == {name for name, family in FAMILIES.items() if family.by_em}


def test_of_three_starts_the_best_on_what_is_held_out_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second here, though the third has more likelihood on its training data."""
    x, held_out, rng = np.zeros((9, 1)), np.full((3, 1), 2.0), np.random.default_rng(0)
    means = iter([9.0, 2.0, 0.0])

    def fit_mixture(x: np.ndarray, K: int, rng: Any, **more: Any) -> Any:
        return SimpleNamespace(model=latent.GaussianMixture([1.0], [[next(means)]], [[0.0]]))

    monkeypatch.setattr(latent, "fit_mixture", fit_mixture)
    model: Any = FAMILIES["mixture"].fitted(Form("points", (1,)), {"components": 1}, x, held_out, rng)
    assert values(model.log_prob(held_out)).mean() == pytest.approx(-0.5 * np.log(2 * np.pi))
