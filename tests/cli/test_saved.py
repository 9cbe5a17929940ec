"""Files of models: resumed bit for bit, never lost, and refused when they are not what they should be."""

import argparse
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen import checkpoint
from scratchgen import training as training_package
from scratchgen.cli import data, saved
from scratchgen.data import EightGaussians
from scratchgen.training import loop
from scratchgen.training.run import part
from tests.cli.tiny import FILES, command, points, training

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def trained(tmp_path: Path, capsys: Capture) -> Path:
    assert command(capsys, *training("vae", points(tmp_path), tmp_path / "vae.ckpt")).code == 0
    return tmp_path / "vae.ckpt"


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come during a step."""

    @contextlib.contextmanager
    def deferred() -> Iterator[Any]:
        asked = iter([False] * steps)
        yield lambda: next(asked, True)

    monkeypatch.setattr(loop, "deferred_interrupt", deferred)


@pytest.mark.parametrize(("model", "kind"), [("vae", "points"), ("realnvp", "levels"), ("transformer", "text")])
def test_a_training_that_was_stopped_resumes_to_the_same_bits(
    model: str, kind: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, whole, stopped = FILES[kind](tmp_path), tmp_path / "whole.ckpt", tmp_path / "stopped.ckpt"
    more = ["--steps", 8, "--seed", 5]
    assert command(capsys, *training(model, data, whole, *more)).code == 0
    arguments = training(model, data, stopped, *more)
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        run = command(capsys, *arguments, "--force")
    assert run.code == 130
    assert run.err.startswith(f"saved in {stopped}; to go on: python -m scratchgen train {model}")
    assert run.err.endswith("--resume\n") and "--force" not in run.err
    assert checkpoint.load(stopped)[1]["step"] == 3
    assert command(capsys, "sample", stopped, "-n", 1).code == 0  # what there is can be used
    assert command(capsys, *arguments, "--resume").code == 0
    assert whole.read_bytes() == stopped.read_bytes()


def test_a_file_is_not_replaced_unless_that_is_wanted(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    before, again = trained.read_bytes(), training("vae", tmp_path / "points.npy", trained, "--seed", 1)
    run = command(capsys, *again)
    assert run.code == 2 and "exists already: --resume goes on from it, --force replaces it" in run.err
    assert trained.read_bytes() == before
    bad = command(capsys, *training("vae", "no_such.npy", trained, "--force"))
    assert bad.code == 2 and trained.read_bytes() == before  # nothing is lost to a mistake in the command
    assert command(capsys, *again, "--force").code == 0
    assert trained.read_bytes() != before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seed", 1], "another training: seed, 0, not 1"),
        (["--steps", 9], "another training: steps, 3, not 9"),
        (["--hidden", 6], "another settings: hidden, 5, not 6"),
        (["--no-standardise"], "another form: shift"),
    ],
)
def test_a_resume_repeats_the_command(
    more: list[Any], message: str, trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = command(capsys, *training("vae", tmp_path / "points.npy", trained, "--resume", *more))
    assert run.code == 2 and message in run.err and "repeat the command" in run.err


def test_a_resume_of_other_data_or_another_model_is_refused(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    other = command(capsys, *training("iwae", tmp_path / "points.npy", trained, "--resume"))
    assert other.code == 2 and "another model, vae, not iwae" in other.err
    np.save(tmp_path / "points.npy", np.load(tmp_path / "points.npy")[::-1])
    changed = command(capsys, *training("vae", tmp_path / "points.npy", trained, "--resume"))
    assert changed.code == 2 and "was trained with another" in changed.err


def altered(path: Path, **changes: Any) -> Path:
    """The same file with another note."""
    arrays, meta = checkpoint.load(path)
    note = {**meta["note"], **changes}
    checkpoint.save(path.with_name("altered.ckpt"), arrays, {**meta, "note": note})
    return path.with_name("altered.ckpt")


FORM: dict[str, Any] = {
    "kind": "points",
    "shape": [2],
    "levels": 0,
    "characters": "",
    "binarised": False,
    "shift": [0.0, 0.0],
    "scale": [1.0, 1.0],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2, "scratchgen": "9.0"}, "written by scratchgen 9.0, in format 2"),
        ({"format": "1"}, "its model is unknown"),
        ({"model": "gan"}, "do not make a model of this version"),
        ({"model": ["vae"]}, "do not make a model of this version"),
        ({"settings": {"latent": 1}}, "settings ['latent'], expected ['hidden', 'latent']"),
        ({"settings": {"latent": 1, "hidden": 6}}, "do not make a model"),
        ({"settings": {"latent": -1, "hidden": 5}}, "setting latent is -1"),
        ({"settings": {"latent": "1", "hidden": 5}}, "setting latent is '1'"),
        ({"settings": {"latent": 1, "hidden": 10**12}}, "do not make a model"),
        ({"form": {**FORM, "scale": [1.0, 0.0]}}, "form of the data"),
        ({"form": {**FORM, "shape": [3]}}, "form of the data"),
        ({"form": {**FORM, "kind": "sound"}}, "form of the data"),
        ({"form": None}, "form of the data"),
        *(
            ({"data": data}, "where the data are from")
            for data in (
                None,
                "points.npy",
                {},
                {"name": 5, "rows": {}, "sha256": ""},
                {"name": "rings", "rows": {"train": "9"}, "sha256": ""},
                {"name": "rings", "rows": {}, "sha256": "", "drawn": "many"},
            )
        ),
        ({"training": None}, "how it was trained"),
        ({"training": {}}, "how it was trained"),
        ({"training": {"seed": 0, "steps": 3, "batch_size": 0}}, "how it was trained"),
        ({"scratchgen": 1}, "how it was trained"),
    ],
)
def test_a_file_of_another_making_is_refused(
    changes: dict[str, Any], message: str, trained: Path, capsys: Capture
) -> None:
    for what in ("sample", "info", "evaluate"):
        run = command(capsys, what, altered(trained, **changes))
        assert run.code == 2 and message in run.err and "Traceback" not in run.err


def test_binarised_data_are_known_again(tmp_path: Path, capsys: Capture) -> None:
    path, out = FILES["levels"](tmp_path), tmp_path / "bits.ckpt"
    assert command(capsys, *training("made", path, out, "--binarise")).code == 0
    run = command(capsys, "evaluate", out)
    assert run.code == 0 and "the test part" in run.out
    assert command(capsys, "sample", out, "-n", 9, "--out", tmp_path / "a.npy").code == 0
    assert set(np.unique(np.load(tmp_path / "a.npy"))) == {0, 1}


def test_many_levels_are_logistic_densities(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "bytes.npy", np.random.default_rng(0).integers(0, 256, (60, 4, 4)))
    assert command(capsys, *training("made", tmp_path / "bytes.npy", tmp_path / "bytes.ckpt")).code == 0
    assert "(20, 240)" in command(capsys, "info", tmp_path / "bytes.ckpt").out  # 16 pixels, 5 densities of 3 numbers


def test_the_best_weights_are_the_models(trained: Path) -> None:
    """Those with the best validation loss, not the last ones, which are there to be resumed."""
    arrays, meta = checkpoint.load(trained)
    last = {name: x + 1 if name.startswith("model.") else x for name, x in arrays.items()}
    checkpoint.save(trained, last, meta)
    state = saved.load(str(trained)).model.state()
    assert state.keys() == part("best", arrays).keys()
    assert all(np.array_equal(x, arrays[f"best.{name}"]) for name, x in state.items())


def test_what_is_no_checkpoint_is_refused(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    content = trained.read_bytes()
    files = {
        "cut.ckpt": (content[:-1], "damaged"),
        "flipped.ckpt": (content[:200] + bytes([content[200] ^ 1]) + content[201:], "damaged"),
        "empty.ckpt": (b"", "magic"),
        "model.pt": (b"PK\3\4", "a zip file"),
        "model.pkl": (b"\x80\x04", "a pickle"),
        "points.npy": ((tmp_path / "points.npy").read_bytes(), "an npy file"),
    }
    for name, (bytes_of, message) in files.items():
        (tmp_path / name).write_bytes(bytes_of)
        run = command(capsys, "info", tmp_path / name)
        assert run.code == 2 and message in run.err, name
    checkpoint.save(tmp_path / "other.ckpt", {"W": np.zeros(3)}, {"step": 1})
    assert "its model is unknown" in command(capsys, "sample", tmp_path / "other.ckpt").err
    assert "no such file" in command(capsys, "info", tmp_path / "none.ckpt").err
    assert "folder" in command(capsys, "info", tmp_path).err


def test_the_draws_of_a_toy_are_known_again_and_measured_on_its_own_scale(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "rings.ckpt"
    assert command(capsys, *training("vae", "eight_gaussians", out, "--rows", 300)).code == 0
    run = command(capsys, "evaluate", out)
    toy = EightGaussians()
    x = data.dealt_out(toy.sample(300, data.SEED))["test"]
    assert "the test part" in run.out and "30 examples" in run.out
    assert f"  {-toy.log_prob(x).mean():.2f}" in run.out and f"whose entropy is {toy.entropy():.4f}" in run.out


def test_what_is_looked_at_while_training_is_the_validation_part(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training and for the figure at its end, which is printed as that of validation."""
    seen = {}

    def fit(*args: Any, **more: Any) -> Any:
        seen.update(more)
        return real(*args, **more)

    real = training_package.fit
    monkeypatch.setattr(training_package, "fit", fit)
    run = command(capsys, *training("vae", points(tmp_path), tmp_path / "a.ckpt"))
    epochs = ["--epochs", 2, "--batch-size", 70, "--quiet"]
    train = command(capsys, "train", "ddpm", "--data", tmp_path / "points.npy", "--out", tmp_path / "b.ckpt", *epochs)
    options = argparse.Namespace(
        data=str(tmp_path / "points.npy"), rows=0, kind=None, levels=None, shape=None, key=None, binarise=False
    )
    np.testing.assert_array_equal(seen["validation"], data.load(options).part("validation"))
    assert seen["steps"] == 6 and train.code == 0  # 160 rows are 3 batches
    figure = re.search(r"^validation (.*)", run.out, re.MULTILINE)
    evaluated = command(capsys, "evaluate", tmp_path / "a.ckpt", "--split", "validation")
    assert figure and figure[1] in evaluated.out


def test_the_data_of_a_model_are_known_again(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "points.npy"
    default, named = command(capsys, "evaluate", trained), command(capsys, "evaluate", trained, "--data", path)
    assert default.out == named.out and "the test part" in default.out and "20 examples" in default.out
    x = np.load(path)
    np.save(path, x[::-1])  # as many, of the same kind
    assert "has changed since" in command(capsys, "evaluate", trained).out
    np.save(path, x)
    train = command(capsys, "evaluate", trained, "--split", "train")
    assert "160 examples" in train.out and "the model was trained on these rows" in train.out
    np.save(tmp_path / "new.npy", np.load(path)[:5])
    new = command(capsys, "evaluate", trained, "--data", tmp_path / "new.npy")
    assert "all of it" in new.out and "5 examples" in new.out
    np.save(path, np.load(path)[:150])
    changed = command(capsys, "evaluate", trained)
    assert "has changed since" in changed.out and "all of it" in changed.out and "150 examples" in changed.out
    np.save(tmp_path / "wide.npy", np.zeros((30, 3)))
    wide = command(capsys, "evaluate", trained, "--data", tmp_path / "wide.npy")
    assert wide.code == 2 and "the model was trained on points of 2 real numbers" in wide.err
