"""The commands train, sample and demo: what they refuse, and what they leave."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen.__main__ import main
from scratchgen.cli import demo
from scratchgen.cli.errors import Failed
from scratchgen.cli.models import FAMILIES
from tests.cli.tiny import FILES, command, points, training

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("transformer", "two_moons", "it takes grey levels, integers from 0 or characters. For these data: mixture"),
        ("pixelcnn", "two_moons", "it takes images of grey levels"),
        ("mixture", "digits", "mixture does not suit digits, images of 8 × 8 pixels, 17 grey levels"),
        ("vae", "documentation", "For these data: transformer"),
        ("realnvp", "one", "maf takes one"),
        ("ppca", "one", "latent is 1; it must be less than the 1 columns"),
    ],
)
def test_a_model_that_does_not_suit_the_data_names_those_that_do(
    model: str, data: str, message: str, tmp_path: Path, capsys: Capture
) -> None:
    name = points(tmp_path, columns=1) if data == "one" else data
    run = command(capsys, *training(model, name, tmp_path / "a.ckpt"))
    assert run.code == 2 and message in run.err and not (tmp_path / "a.ckpt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "MODEL"),
        (["train", "gan", "--data", "digits"], "invalid choice: 'gan'"),
        (["train", "vae", "--out", "a.ckpt"], "--data"),
        (["trian"], "did you mean train?"),
        ([], "train a model on data"),
        (
            ["train", "vae", "--data", "digits", "--out", "a.ckpt", "--steps", "0"],
            "0 is not a whole number of at least 1",
        ),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--steps", "2", "--epochs", "1"], "not allowed with"),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--steps", "ten"], "ten is not a whole number"),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--lr", "-1"], "-1 is not a finite number above 0"),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--lr", "nan"], "nan is not a finite number above 0"),
        (
            ["train", "vae", "--data", "digits", "--out", "a.ckpt", "--latent", "0"],
            "0 is not a whole number of at least 1",
        ),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--latent", "two"], "two is not a whole number"),
        (
            ["train", "vae", "--data", "digits", "--out", "a.ckpt", "--dropout", "1"],
            "scratchgen train vae: error: unrecognized arguments: --dropout",
        ),
        (
            ["train", "vae", "--data", "digits", "--out", "a.ckpt", "--seed", "-1"],
            "-1 is not a whole number of at least 0",
        ),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--batch-size", "5000"], "only 1000 rows"),
        (["train", "vae", "--data", "digits", "--out", "no/such/a.ckpt"], "there is no folder no/such"),
        (["train", "vae", "--data", "digits", "--out", "."], "is a folder"),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--resume"], "no file a.ckpt to go on from"),
        (["train", "vae", "--data", "digits", "--out", "a.ckpt", "--resume", "--force"], "choose one"),
        (["train", "made", "--data", "digits", "--out", "a.ckpt", "--components", "3"], "--components is no setting"),
        (["train", "made", "--data", "digits", "--out", "a.ckpt", "--dropout", "1.5"], "made: "),
        (["train", "made", "--data", "digits", "--out", "a.ckpt", "--hidden", "1"], "made: "),
        (["train", "transformer", "--data", "digits", "--out", "a.ckpt", "--heads", "3"], "transformer: "),
        (["train", "transformer", "--data", "documentation", "--out", "a.ckpt", "--context", "10**6"], "--context"),
        (
            ["train", "vae", "--data", "rings", "--out", "a.ckpt", "--rows", "19"],
            "19 is not a whole number of at least 20",
        ),
        (["train", "mixture", "--data", "rings", "--steps", "9"], "unrecognized arguments: --steps 9"),
        (["sample"], "checkpoint"),
        (["evaluate", "a.ckpt", "--split", "dev"], "invalid choice: 'dev'"),
    ],
)
def test_a_mistake_is_told(
    arguments: list[str], message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = command(capsys, *arguments)
    assert run.code == 2 and message in run.err and "Traceback" not in run.err, run.err
    assert os.listdir(tmp_path) == []


def test_a_training_that_diverges_fails_and_keeps_what_there_was(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scratchgen.latent import VAE

    loss = VAE.loss
    monkeypatch.setattr(VAE, "loss", lambda self, x, rng: loss(self, x, rng) * np.float32("inf"))
    run = command(capsys, *training("vae", points(tmp_path), tmp_path / "a.ckpt"))
    assert run.code == Failed.code == 1 and "step 0: the loss is" in run.err and "Try a lower lr" in run.err
    assert (tmp_path / "a.ckpt").exists()


def test_force_removes_files_only(tmp_path: Path, capsys: Capture) -> None:
    """A pipe and a read-only file stay, as a device would; behind a link the file is replaced, and not the link."""
    os.mkfifo(tmp_path / "pipe")
    for model in ("maf", "ppca"):
        run = command(capsys, *training(model, points(tmp_path), tmp_path / "pipe", "--force"))
        assert run.code == 2 and "is a device or a pipe; name a file" in run.err
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o444)
    run = command(capsys, *training("maf", points(tmp_path), tmp_path / "old", "--force"))
    assert run.code == 2 and "is read-only" in run.err and (tmp_path / "old").read_text() == "old"
    (tmp_path / "old").chmod(0o644)
    (tmp_path / "link").symlink_to("old")
    assert command(capsys, *training("maf", points(tmp_path), tmp_path / "link", "--force")).code == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "old").stat().st_size > 1000


def test_help_has_examples_and_every_model_its_settings(capsys: Capture) -> None:
    for name in ("train", "sample", "evaluate", "info", "demo"):
        run = command(capsys, name, "--help")
        assert run.code == 0 and f"examples:\n  python -m scratchgen {name} " in run.out
    for name, family in FAMILIES.items():
        run = command(capsys, "train", name, "--help")
        assert run.code == 0 and all("--" + option.replace("_", "-") in run.out for option in family.options)


def test_wide_images_cost_neither_the_memory_nor_the_day(tmp_path: Path, capsys: Capture) -> None:
    """MADE as wide as 28 × 28 pixels, few of which are looked at for validation."""
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).integers(0, 2, (2100, 28, 28)))
    arguments = ["--data", tmp_path / "wide.npy", "--out", tmp_path / "wide.ckpt", "--steps", 1, "--quiet"]
    run = command(capsys, "train", "made", *arguments)
    assert run.code == 0 and "hidden 784" in run.out and "; 191 examples" in run.out


def test_debug_works_after_the_model_too(tmp_path: Path, capsys: Capture) -> None:
    from scratchgen.cli.errors import BadInput

    with pytest.raises(BadInput):
        command(capsys, *training("vae", "none.npy", tmp_path / "a.ckpt", "--debug"))


# -- sample ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, made = tmp_path_factory.mktemp("models"), {}
    for model, kind in (("maf", "points"), ("made", "levels"), ("transformer", "text")):
        made[model] = folder / f"{model}.ckpt"
        assert main([str(argument) for argument in training(model, FILES[kind](folder), made[model])]) == 0
    return made


def test_samples_in_every_form(models: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    shown = command(capsys, "sample", models["maf"], "-n", 4)
    x = np.array([[float(value) for value in line.split(",")] for line in shown.out.splitlines()])
    for suffix in ("npy", "npz", "csv", "png"):
        assert command(capsys, "sample", models["maf"], "-n", 4, "--out", tmp_path / f"a.{suffix}").code == 0
    read = [
        np.load(tmp_path / "a.npy"),
        np.load(tmp_path / "a.npz")["x"],
        np.loadtxt(tmp_path / "a.csv", delimiter=","),
    ]
    assert all(np.array_equal(x, again) for again in read)
    assert 60 < x[:, 0].mean() < 140 and 90 < x[:, 1].mean() < 110  # on the scale of the data
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    pictures = command(capsys, "sample", models["made"], "-n", 2)
    assert len(pictures.out.split("\n\n")) == 2 and set(pictures.out) <= set(" =@%#*+-:.\n")
    assert command(capsys, "sample", models["made"], "-n", 3, "--out", tmp_path / "b.png").code == 0


def test_a_temperature_of_a_flow_scales_its_noise(models: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    spreads = {}
    for temperature in (0.01, 1.0):
        out = tmp_path / f"{temperature}.npy"
        options = ("-n", 50, "--out", out, "--temperature", temperature)
        assert command(capsys, "sample", models["maf"], *options).code == 0
        spreads[temperature] = np.load(out).std(axis=0)
    assert (spreads[0.01] < 0.1 * spreads[1.0]).all()


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("maf", ["--out", "a.txt"], "ends in .npy or .npz or .csv or .png"),
        ("transformer", ["--out", "a.npy"], "ends in .txt"),
        ("maf", ["--out", "no/a.npy"], "no such folder"),
        ("maf", ["--out", "old.npy"], "old.npy exists already"),
        ("maf", ["--top-k", "2"], "--top-k: maf has none; it is for transformer"),
        ("made", ["--temperature", "2"], "--temperature: made has none; it is for transformer, realnvp"),
        ("maf", ["--temperature", "0"], "0 is not a finite number above 0"),
        ("maf", ["--prompt", "a"], "--prompt is for models of text"),
        ("transformer", ["--prompt", "ß"], "--prompt: text has 'ß' (U+00DF) at position 0"),
        ("transformer", ["--top-k", "1000"], "top_k is 1000"),
        ("transformer", ["--top-p", "2"], "top_p is 2"),
        ("transformer", ["--prompt", "the rain", "--length", "3"], "prompt has shape (8,)"),
        ("maf", ["-n", "0"], "0 is not a whole number of at least 1"),
    ],
)
def test_what_sample_refuses(
    model: str,
    more: list[str],
    message: str,
    models: dict[str, Path],
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.npy").write_bytes(b"old")
    run = command(capsys, "sample", models[model], *more)
    assert run.code == 2 and message in run.err and (tmp_path / "old.npy").read_bytes() == b"old"


# -- demo --------------------------------------------------------------------------------------------------------------


def test_demo_runs_the_demos_of_the_clone(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def run(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        called.extend([shlex.join(arguments[1:]), cwd])
        return subprocess.CompletedProcess(arguments, 1)

    monkeypatch.setattr(demo.subprocess, "run", run)
    assert command(capsys, "demo", "page09", "--only", "page11_grid", "--quick", "--seed", "3", "--jobs", "1").code == 1
    assert called == ["-m demos page09 page11_grid --quick --jobs 1 --seed 3", ROOT]


def test_demo_lists_the_demos() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "scratchgen", "demo", "page09", "--list"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0 and "page09_vae" in run.stdout and "page10" not in run.stdout


def test_demo_without_the_clone_says_where_they_are(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    run = command(capsys, "demo")
    assert run.code == 2 and "clone the repository" in run.err
