"""Errors planted in the command line, and in flow matching of levels: for each there is a test that fails.

A plant is a piece of a module's source and what a slip of the hand could have made of it. The check beside it is run on
the right source elsewhere, where it passes, and here on the changed one, where it has to fail.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scratchgen.cli import data, evaluate, figures, files, interpretation, sample, samples, saved, train
from scratchgen.diffusion import level_matching
from tests.cli import test_commands, test_data, test_every_model, test_saved
from tests.cli.tiny import command, points, training
from tests.diffusion import test_level_matching

Check = Callable[[Path, Any], None]


@contextmanager
def planted(module: ModuleType, right: str, wrong: str) -> Iterator[None]:
    """Inside, the module's source has `wrong` in the place of `right`."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    names = dict(vars(module))
    try:
        exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), vars(module))
        yield
    finally:
        vars(module).clear()
        vars(module).update(names)


def from_end_to_end(model: str, kind: str) -> Check:
    return lambda folder, capsys: test_every_model.test_from_training_to_evaluation(model, kind, folder, capsys)


def with_a_model(test: Callable[..., None]) -> Check:
    def check(folder: Path, capsys: Any) -> None:
        assert command(capsys, *training("vae", points(folder), folder / "vae.ckpt")).code == 0
        test(folder / "vae.ckpt", folder, capsys)

    return check


def of_levels(test: Callable[[], None]) -> Check:
    def check(folder: Path, capsys: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(test_level_matching, "LevelMatching", level_matching.LevelMatching)
            test()

    return check


def loaded(test: Callable[..., None], *arguments: Any) -> Check:
    return lambda folder, capsys: test(*arguments, folder)


def toy(folder: Path, capsys: Any) -> None:
    test_data.test_a_toy_is_drawn_split_and_standardised_by_its_training_part()


def other_seed(folder: Path, capsys: Any) -> None:
    assert command(capsys, *training("vae", points(folder), folder / "vae.ckpt")).code == 0
    message = "another training: seed, 0, not 1"
    test_saved.test_a_resume_repeats_the_command(["--seed", 1], message, folder / "vae.ckpt", folder, capsys)


def newer(folder: Path, capsys: Any) -> None:
    assert command(capsys, *training("vae", points(folder), folder / "vae.ckpt")).code == 0
    changes = {"format": 2, "scratchgen": "9.0"}
    test_saved.test_a_file_of_another_making_is_refused(changes, "in format 2", folder / "vae.ckpt", capsys)


def resumed(folder: Path, capsys: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_saved.test_a_training_that_was_stopped_resumes_to_the_same_bits("vae", "points", folder, capsys, patch)


def on_the_scale(folder: Path, capsys: Any) -> None:
    made = {"maf": folder / "maf.ckpt", "made": folder / "made.ckpt"}
    for model, kind in (("maf", "points"), ("made", "levels")):
        assert command(capsys, *training(model, test_commands.FILES[kind](folder), made[model])).code == 0
    test_commands.test_samples_in_every_form(made, folder, capsys)


MAF, MADE = from_end_to_end("maf", "points"), from_end_to_end("made", "levels")
best_weights = with_a_model(lambda path, folder, capsys: test_saved.test_the_best_weights_are_the_models(path))
known_again = with_a_model(test_saved.test_the_data_of_a_model_are_known_again)
not_replaced = with_a_model(test_saved.test_a_file_is_not_replaced_unless_that_is_wanted)
PLANTS: list[tuple[ModuleType, str, str, Check]] = [
    (figures, "found.values + data.form.log_volume", "found.values", MAF),
    (figures, "found.values + data.form.log_volume", "found.values - data.form.log_volume", MAF),
    (figures, "values.std(ddof=1) / math.sqrt(n)", "values.std(ddof=1)", MAF),
    (figures, "values.std(ddof=1) / math.sqrt(n)", "values.std(ddof=1) / n", MAF),
    (figures, "mean / (max(1, data.form.dims) * math.log(2))", "mean / max(1, data.form.dims)", MADE),
    (figures, "mean / (max(1, data.form.dims) * math.log(2))", "mean / math.log(2)", MADE),
    (figures, "np.random.default_rng(seed)", "np.random.default_rng(0)", from_end_to_end("vae", "points")),
    (interpretation, "std = train.std(axis=0)", "std = train.var(axis=0)", toy),
    (
        interpretation,
        "std = train.std(axis=0)",
        "std = train.std(keepdims=True).repeat(train.shape[1], axis=1)[0]",
        toy,
    ),
    (interpretation, "tuple(train.mean(axis=0).tolist())", "tuple((0 * train.mean(axis=0)).tolist())", toy),
    (data, 'split["train"], getattr', 'split["all"], getattr', toy),
    (data, '"train": order[2 * tenth :]', '"train": order[tenth:]', toy),
    (
        data,
        "order, tenth = np.random.default_rng(SEED).permutation(len(rows))",
        "order, tenth = np.arange(len(rows))",
        toy,
    ),
    (saved, 'part("best", arrays) or part("model", arrays)', 'part("model", arrays)', best_weights),
    (saved, 'note["format"] > FORMAT', 'note["format"] > 99', newer),
    (train, "resume=options.resume,", "resume=False,", resumed),
    (train, "if options.resume:\n        check_resume", "if False:\n        check_resume", other_seed),
    (train, "if exists and not (options.resume or options.force):", "if False:", not_replaced),
    (evaluate, 'known = data.sha256 == before["sha256"]', "known = True", known_again),
    (evaluate, 'return "test" if len', 'return "train" if len', known_again),
    (sample, "form.to_data(drawn)", "drawn", on_the_scale),
    (samples, 'fmt="%d" if form.kind == "levels" else "%.17g"', 'fmt="%.3g"', on_the_scale),
    (
        files,
        "np.load(file, allow_pickle=False)\n            if not",
        "np.load(file, allow_pickle=True)\n            if not",
        loaded(test_data.test_a_pickle_is_not_run),
    ),
    (files, "rows = lines[is_header:]", "rows = lines[1:]", loaded(test_data.test_a_csv_file_of_any_kind, ",", "")),
    (
        level_matching,
        "* math.log(2 / self.levels)",
        "* math.log(1 / self.levels)",
        of_levels(test_level_matching.test_the_bound_is_that_of_the_density_and_the_volume_of_a_bin),
    ),
    (
        level_matching,
        "math.prod(self.event_shape) * math",
        "math",
        of_levels(test_level_matching.test_the_bound_is_that_of_the_density_and_the_volume_of_a_bin),
    ),
    (
        level_matching,
        "+ u) * (2 / self.levels) - 1",
        "+ u) * (2 / (self.levels - 1)) - 1",
        of_levels(test_level_matching.test_levels_are_spread_over_their_bins),
    ),
    (
        level_matching,
        "+ u) * (2 / self.levels) - 1",
        "+ u - 0.5) * (2 / self.levels) - 1",
        of_levels(test_level_matching.test_levels_are_spread_over_their_bins),
    ),
    (
        level_matching,
        "np.floor((y + 1)",
        "np.rint((y + 1)",
        of_levels(test_level_matching.test_draws_are_the_bins_of_draws_of_y),
    ),
]


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS)
def test_the_plant_is_caught(
    module: ModuleType, right: str, wrong: str, check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with planted(module, right, wrong), pytest.raises(Exception) as caught:
        check(tmp_path, capsys)
    assert not isinstance(caught.value, (NameError, SyntaxError))
