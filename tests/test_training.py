"""The training loop: what a step sees, what an evaluation disturbs, how it ends, and that it resumes bit for bit."""

import math
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from scratchgen import checkpoint
from scratchgen.autodiff import Tensor, detect_anomaly
from scratchgen.checkpoint import CheckpointError
from scratchgen.nn import Module
from scratchgen.optim import SGD, Adam, Average, constant, cosine
from scratchgen.training import History, TrainingError, fit
from scratchgen.training.progress import Progress
from tests.tiny_model import ROWS, X_VALIDATION, Y_VALIDATION, Line, X, Y, train

ROOT = Path(__file__).resolve().parents[1]
VALIDATION = (X_VALIDATION, Y_VALIDATION)


def run(model=None, data=(X, Y), optimizer=None, **options):
    """fit with defaults: SGD, ten rows in batches of 3, so that an epoch is 4 steps."""
    model = Line() if model is None else model
    optimizer = SGD(model.parameters(), lr=0.05) if optimizer is None else optimizer
    history = fit(model, data, optimizer=optimizer, **{"batch_size": 3, "rng": 0, "progress": False, **options})
    return model, history


def assert_same_bits(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name


# -- steps -----------------------------------------------------------------------------------------------------------


def test_an_epoch_deals_out_each_row_once_in_a_new_order_and_keeps_rows_together():
    model, _ = run(epochs=3)
    assert [len(x) for x, _ in model.calls] == [3, 3, 3, 1] * 3
    orders = []
    for epoch in range(3):
        rows = []
        for x, y in model.calls[4 * epoch : 4 * epoch + 4]:
            for one_x, one_y in zip(x, y):
                (row,) = np.flatnonzero((one_x == X).all(axis=1))
                assert one_y == Y[row]
                rows.append(int(row))
        assert sorted(rows) == list(range(ROWS))
        orders.append(rows)
    assert orders[0] != orders[1] != orders[2] != orders[0] and list(range(ROWS)) not in orders


def test_a_step_is_the_one_of_a_loop_by_hand():
    """Whole batches, so that the order within them matters little: the gradient of the mean over all rows."""
    model, _ = run(steps=20, batch_size=ROWS)
    w, b = np.zeros(3), 0.0
    for _ in range(20):
        residual = X @ w + b - Y
        w, b = w - 0.05 * 2 * X.T @ residual / ROWS, b - 0.05 * 2 * residual.mean()
    np.testing.assert_allclose(model.w.data, w, rtol=1e-5)
    np.testing.assert_allclose(model.b.data, b, rtol=1e-5)


def test_it_finds_the_least_squares_solution():
    model, history = run(epochs=500)
    np.testing.assert_allclose(model.w.data, [1.0, -2.0, 0.5], atol=1e-4)
    np.testing.assert_allclose(model.b.data, 0.3, atol=1e-4)
    assert history.loss[-1] < 1e-6 and history.steps == list(range(4, 2001, 4))


def test_one_array_goes_into_the_loss_alone():
    class Mean(Module):
        def __init__(self):
            self.mean = Tensor(np.zeros(3, np.float32), requires_grad=True)

        def loss(self, x, rng):
            assert x.shape[1:] == (3,)
            return np.sum(np.square(x - self.mean)) / len(x)

    model, _ = run(Mean(), data=X, steps=300, batch_size=ROWS)
    np.testing.assert_allclose(model.mean.data, X.mean(axis=0), atol=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_gives_others():
    (first, _), (second, _), (other, _) = (run(Line(noise=1.0), steps=9, rng=seed) for seed in (3, 3, 4))
    assert_same_bits(first.state(), second.state())
    assert not np.array_equal(first.w.data, other.w.data)


def test_the_loss_draws_from_the_rng_that_is_given():
    rng = np.random.default_rng(0)
    model, _ = run(Line(noise=1.0), steps=9, rng=rng)
    by_seed, _ = run(Line(noise=1.0), steps=9, rng=0)
    assert_same_bits(model.state(), by_seed.state())
    assert rng.bit_generator.state != np.random.default_rng(0).bit_generator.state
    assert len(set(model.losses)) == 9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(dtype):
    model = Line(dtype=dtype)
    average = Average(model.parameters(), 0.5)
    optimizer = Adam(model.parameters())
    run(
        model, (X.astype(dtype), Y.astype(dtype)), optimizer, steps=5, clip=0.1, schedule=constant(0.1), average=average
    )
    arrays = {**model.state(), **{name: a for name, a in optimizer.state().items() if name not in ("steps", "lr")}}
    arrays |= {name: a for name, a in average.state().items() if name != "steps"}
    assert {array.dtype for array in arrays.values()} == {np.dtype(dtype)}


def test_schedule_and_callback_are_asked_before_each_step():
    model = Line()
    optimizer = SGD(model.parameters(), lr=1.0)
    seen = []
    schedule = cosine(0.1, steps=6, warm_up=2)
    run(
        model,
        optimizer=optimizer,
        steps=6,
        schedule=schedule,
        on_step=lambda step: seen.append((step, len(model.calls))),
    )
    assert seen == [(step, step) for step in range(6)]
    assert optimizer.lr == schedule(5)


def test_the_gradient_is_clipped():
    model, _ = run(steps=1, batch_size=ROWS, clip=1e-3)
    moved = math.hypot(*model.w.data, model.b.item())
    assert moved == pytest.approx(0.05 * 1e-3, rel=1e-5)


def test_gradients_do_not_pile_up_nor_are_old_ones_used():
    model = Line()
    for p in model.parameters().values():
        p.grad = np.full(p.shape, 1e6, np.float32)
    run(model, steps=20)
    fresh, _ = run(steps=20)
    assert_same_bits(model.state(), fresh.state())


def test_integers_pass_as_class_numbers():
    class Counts(Module):
        def __init__(self):
            self.logits = Tensor(np.zeros(4, np.float32), requires_grad=True)

        def loss(self, labels, rng):
            return np.log(np.sum(np.exp(self.logits))) - np.mean(self.logits[labels])

    for dtype in (np.int32, np.int64):
        model, _ = run(
            Counts(), np.array([0, 0, 0, 1, 1, 2, 2, 3], dtype), batch_size=8, steps=2000, evaluate_every=500
        )
        np.testing.assert_allclose(
            np.exp(model.logits.data) / np.exp(model.logits.data).sum(), [3 / 8, 1 / 4, 1 / 4, 1 / 8], atol=1e-3
        )


# -- evaluations -----------------------------------------------------------------------------------------------------


def test_the_history_has_the_mean_loss_of_each_interval_and_a_shorter_last_one():
    model, history = run(Line(noise=0.5), steps=11, evaluate_every=4)
    assert history.steps == [4, 8, 11]
    means = [np.mean(model.losses[a:b]) for a, b in ((0, 4), (4, 8), (8, 11))]
    np.testing.assert_allclose(history.loss, means, rtol=1e-12)
    assert history.validation == [] and history.best_step is None
    assert not history.interrupted and not history.stopped_early


def test_the_validation_loss_is_the_mean_over_its_rows():
    model, history = run(Line(), steps=4, validation=VALIDATION)  # 7 rows in batches of 3, 3, 1
    exact = np.mean((X_VALIDATION @ model.w.data + model.b.data - Y_VALIDATION) ** 2)
    np.testing.assert_allclose(history.validation, [exact], rtol=1e-6)
    assert len(model.evaluations) == 3


def test_an_evaluation_does_not_disturb_the_training():
    plain, _ = run(Line(noise=1.0), steps=20)
    for every in (1, 7):
        evaluated, _ = run(Line(noise=1.0), steps=20, validation=VALIDATION, evaluate_every=every)
        assert_same_bits(plain.state(), evaluated.state())
        assert evaluated.losses == plain.losses


def test_every_evaluation_has_the_same_noise_and_each_batch_its_own():
    model = Line(noise=1.0)
    run(model, optimizer=SGD(model.parameters(), lr=1e-30), steps=12, validation=VALIDATION, batch_size=7)
    assert len(model.evaluations) == 6 and len(set(model.evaluations)) == 1
    same_rows = (np.repeat(X[:1], 6, axis=0), np.repeat(Y[:1], 6, axis=0))
    run(model, steps=1, validation=same_rows)
    assert model.evaluations[-1] != model.evaluations[-2]


def test_it_trains_in_training_mode_and_leaves_the_model_in_evaluation_mode():
    model, _ = run(Line().eval(), steps=8, validation=VALIDATION)
    assert len(model.losses) == 8 and len(model.evaluations) == 6
    assert not model.training


class Scripted(Module):
    """Each step adds −lr to w; the validation loss after step k is the k-th of a list."""

    def __init__(self, script):
        self.w = Tensor(np.zeros(1), requires_grad=True)
        self.script = script

    def loss(self, x, rng):
        if self.training:
            return self.w.sum()
        return Tensor(self.script[round(-self.w.item())])


def scripted(script, **options):
    """Evaluated after each step; w tells how many steps the weights have."""
    model = Scripted([math.nan, *script])
    optimizer = SGD(model.parameters(), lr=1.0)
    options = {"steps": len(script), "validation": np.zeros((1, 1)), "evaluate_every": 1, **options}
    _, history = run(model, np.zeros((1, 1)), optimizer, batch_size=1, **options)
    return round(-model.w.item()), history


def test_early_stopping_returns_the_best_weights():
    script = [5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 3.25, 1.0, 1.0]
    weights, history = scripted(script, patience=3)
    assert history.validation == script[:7] and history.stopped_early
    assert weights == history.best_step == 4  # the first of equals


def test_a_patience_of_one_stops_at_the_first_worse_evaluation():
    weights, history = scripted([5.0, 4.0, 4.5, 3.0], patience=1)
    assert history.steps == [1, 2, 3] and weights == 2


def test_one_better_evaluation_resets_the_patience():
    weights, history = scripted([5.0, 6.0, 4.0, 6.0, 3.0, 6.0, 6.0, 0.0], patience=2)
    assert history.steps == [1, 2, 3, 4, 5, 6, 7] and weights == 5


def test_the_best_weights_return_though_the_training_ran_to_its_end():
    weights, history = scripted([5.0, 2.0, 3.0], patience=5)
    assert (weights, history.best_step, history.stopped_early) == (2, 2, False)


def test_without_patience_the_last_weights_stay():
    weights, history = scripted([5.0, 2.0, 3.0])
    assert (weights, history.best_step) == (3, 2)


def test_the_last_weights_can_be_the_best_in_a_shorter_last_interval():
    weights, history = scripted([5.0, 4.0, 3.0, 2.0, 1.0], patience=5, evaluate_every=2)
    assert history.steps == [2, 4, 5] and weights == 5


def test_the_average_is_evaluated_and_is_what_the_best_weights_are():
    model = Line()
    average = Average(model.parameters(), 0.9)
    path = []
    _, history = run(
        model, steps=8, validation=VALIDATION, average=average, on_step=lambda _: path.append(model.w.data.copy())
    )
    path.append(model.w.data.copy())
    weights = 0.9 ** np.arange(7, -1, -1.0)
    with average.applied():
        np.testing.assert_allclose(model.w.data, weights / weights.sum() @ path[1:], rtol=1e-5)
        exact = np.mean((X_VALIDATION @ model.w.data + model.b.data - Y_VALIDATION) ** 2)
        averaged = model.state()
    np.testing.assert_allclose(history.validation[-1], exact, rtol=1e-6)
    assert average.steps == 8
    patient = Line()
    run(patient, steps=8, validation=VALIDATION, average=Average(patient.parameters(), 0.9), patience=9)
    assert_same_bits(patient.state(), averaged)
    plain, _ = run(steps=8)
    assert_same_bits(plain.state(), model.state())  # the training itself goes on with its own weights


# -- resuming --------------------------------------------------------------------------------------------------------


def assert_same_file(a, b):
    """The same arrays, bit for bit, and the same step, random state and position in the epoch."""
    (arrays_a, meta_a), (arrays_b, meta_b) = checkpoint.load(a), checkpoint.load(b)
    assert meta_a == meta_b
    assert_same_bits(arrays_a, arrays_b)


def test_a_new_process_goes_on_bit_for_bit(tmp_path):
    """14 steps = 6 steps, mid-epoch, + save + new process + 8 steps."""
    straight = train(14, tmp_path / "straight.ckpt", resume=False)
    for arguments in (["6"], ["14", "resume"]):
        command = [sys.executable, "-m", "tests.tiny_model", str(tmp_path / "resumed.ckpt"), *arguments]
        subprocess.run(command, cwd=ROOT, check=True)
    assert_same_file(tmp_path / "straight.ckpt", tmp_path / "resumed.ckpt")
    arrays, meta = checkpoint.load(tmp_path / "resumed.ckpt")
    assert meta["step"] == 14 and arrays["history.steps"].tolist() == [3, 6, 9, 12]
    assert arrays["model.w"].shape == (3,) and len(straight.calls) == 14


@pytest.mark.parametrize("stops", [[1], [2], [3], [4], [5], [8], [11], [12], [13], range(1, 14)])
def test_it_goes_on_bit_for_bit_from_any_step(stops, tmp_path):
    straight = train(14, tmp_path / "straight.ckpt", resume=False)
    resume = False
    for steps in [*stops, 14]:
        model = train(steps, tmp_path / "resumed.ckpt", resume)
        resume = True
    assert_same_file(tmp_path / "straight.ckpt", tmp_path / "resumed.ckpt")
    assert_same_bits(straight.state(), model.state())


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_any_bit_generator_is_restored(kind, tmp_path):
    def rng():
        return np.random.Generator(getattr(np.random, kind)(7))

    straight, history = run(Line(noise=1.0), steps=9, rng=rng(), evaluate_every=2)
    run(Line(noise=1.0), steps=5, rng=rng(), evaluate_every=2, checkpoint=tmp_path / "run.ckpt")
    again = {"evaluate_every": 2, "checkpoint": tmp_path / "run.ckpt", "resume": True}
    resumed, resumed_history = run(Line(noise=1.0), steps=9, rng=rng(), **again)
    assert_same_bits(straight.state(), resumed.state())
    assert history == resumed_history


def test_the_noise_of_the_evaluations_comes_from_the_file(tmp_path):
    options = {"validation": VALIDATION, "evaluate_every": 2}
    _, straight = run(Line(noise=1.0), steps=9, **options)
    run(Line(noise=1.0), steps=5, checkpoint=tmp_path / "run.ckpt", **options)
    _, resumed = run(Line(noise=1.0), steps=9, rng=123, checkpoint=tmp_path / "run.ckpt", resume=True, **options)
    assert resumed == straight


def test_a_note_is_in_every_checkpoint_and_changes_nothing(tmp_path):
    note = {"model": "line", "sizes": [1, 2]}
    for name, given in (("without", {}), ("with", {"note": note})):
        run(Line(noise=1.0), steps=5, checkpoint=tmp_path / name, **given)
        run(Line(noise=1.0), steps=9, checkpoint=tmp_path / name, resume=True, **given)
    without, with_note = (checkpoint.load(tmp_path / name) for name in ("without", "with"))
    assert_same_bits(without[0], with_note[0])
    assert with_note[1].pop("note") == note and without[1].pop("note") == {}
    assert with_note[1] == without[1]


def test_a_finished_training_resumes_to_the_same_result(tmp_path):
    model = train(7, tmp_path / "run.ckpt", resume=False)
    again = train(7, tmp_path / "run.ckpt", resume=True)
    assert_same_bits(model.state(), again.state())
    assert again.calls == []
    with pytest.raises(ValueError, match=r"run.ckpt is at step 7 already, beyond the 5 wanted"):
        train(5, tmp_path / "run.ckpt", resume=True)


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    options = {"patience": 2, "checkpoint": tmp_path / "run.ckpt"}
    script = [3.0, 2.0, 4.0, 4.0, 4.0, 1.0]
    assert scripted(script, **options)[0] == 2
    weights, history = scripted(script, resume=True, **options)
    assert weights == 2 and history.stopped_early and history.steps == [1, 2, 3, 4]


def test_a_resume_with_other_arguments_is_refused_before_anything_changes(tmp_path):
    path = tmp_path / "run.ckpt"
    run(steps=5, checkpoint=path)
    content = path.read_bytes()
    average = Line()
    for options, field in [
        ({"batch_size": 4, "evaluate_every": 4}, "batch_size"),
        ({"data": (X[:9], Y[:9]), "evaluate_every": 4}, "rows of data"),
        ({"evaluate_every": 3}, "evaluate_every"),
        ({"validation": VALIDATION}, "rows of validation"),
        ({"model": average, "average": Average(average.parameters())}, "average"),
        ({"rng": np.random.Generator(np.random.MT19937(0))}, "kind of rng"),
    ]:
        model = options.pop("model", Line())
        before = model.state()
        with pytest.raises(CheckpointError, match="Resume with the arguments of the first run") as caught:
            run(model, steps=9, checkpoint=path, resume=True, **options)
        assert caught.value.field == field
        assert_same_bits(model.state(), before)
    model = Line()
    with pytest.raises(ValueError, match=r"nothing was loaded:\n  m\.w is missing\n  m\.b is missing"):
        run(model, optimizer=Adam(model.parameters()), steps=9, checkpoint=path, resume=True)
    model = Line()
    model.buffer = Tensor(np.ones(2, np.float32))
    with pytest.raises(ValueError, match="nothing was loaded:\n  buffer is missing"):
        run(model, steps=9, checkpoint=path, resume=True)
    with pytest.raises(ValueError, match=r"w is float32 .*, the optimiser wants float64"):
        run(Line(dtype=np.float64), data=(X.astype("f8"), Y.astype("f8")), steps=9, checkpoint=path, resume=True)
    assert path.read_bytes() == content


def test_a_resume_with_another_average_is_refused_before_anything_changes(tmp_path):
    path, model = tmp_path / "run.ckpt", Line()
    run(model, steps=5, checkpoint=path, average=Average(model.parameters()))
    model = Line()
    optimizer = SGD(model.parameters(), lr=0.5)
    with pytest.raises(ValueError, match=r"nothing was loaded:\n  average\.b is unknown to the average"):
        average = Average({"w": model.w})
        run(model, optimizer=optimizer, steps=9, checkpoint=path, resume=True, average=average)
    assert_same_bits(model.state(), Line().state())
    assert optimizer.steps == 0 and optimizer.lr == 0.5


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.ckpt"
    checkpoint.save(path, Line().state())
    with pytest.raises(CheckpointError, match=r"expected what training\.fit saves"):
        run(steps=3, checkpoint=path, resume=True)
    with pytest.raises(CheckpointError, match=r"missing\.ckpt: file"):
        run(steps=3, checkpoint=tmp_path / "missing.ckpt", resume=True)


def test_an_old_checkpoint_is_not_overwritten_by_a_new_training(tmp_path):
    path = tmp_path / "run.ckpt"
    run(steps=3, checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"a file that exists, expected a new one\. Pass resume=True"):
        run(steps=3, checkpoint=path)
    assert path.read_bytes() == content


def test_a_checkpoint_that_cannot_be_written_is_found_out_before_the_first_step(tmp_path):
    model = Line()
    with pytest.raises(CheckpointError, match="no folder"):
        run(model, steps=3, checkpoint=tmp_path / "no" / "run.ckpt")
    assert model.calls == []


# -- Ctrl-C ----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def ctrl_c_raises():
    """As in a terminal; a shell starts jobs in the background with Ctrl-C ignored."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)


def press_ctrl_c(at, times=1):
    def on_step(step):
        if step == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return on_step


def test_ctrl_c_finishes_the_step_saves_and_returns(tmp_path):
    path = tmp_path / "run.ckpt"
    model, history = run(Line(noise=1.0), steps=9, on_step=press_ctrl_c(at=4), checkpoint=path)
    assert history.interrupted and len(model.calls) == 5 and history.steps == [4]
    assert checkpoint.load(path)[1]["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed, history = run(Line(noise=1.0), steps=9, checkpoint=path, resume=True)
    straight, straight_history = run(Line(noise=1.0), steps=9)
    assert_same_bits(resumed.state(), straight.state())
    assert history == straight_history


def test_a_second_ctrl_c_raises_at_once(tmp_path):
    path = tmp_path / "run.ckpt"
    model = Line()
    with pytest.raises(KeyboardInterrupt):
        run(model, steps=9, on_step=press_ctrl_c(at=5, times=2), checkpoint=path)
    assert len(model.calls) == 5
    assert checkpoint.load(path)[1]["step"] == 5  # saved all the same
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Raising(Line):
    """Its loss raises: when training in step ``at``, or in the ``at``-th call in evaluation mode."""

    def __init__(self, at, training):
        super().__init__(noise=1.0)
        self.at, self.in_training = at, training

    def loss(self, x, y, rng):
        loss = super().loss(x, y, rng)  # which has drawn from the rng
        if self.training == self.in_training and len(self.losses if self.training else self.evaluations) > self.at:
            raise ZeroDivisionError
        return loss


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize(("at", "training", "saved"), [(5, True, 5), (8, True, 8), (5, False, 8)])
def test_an_error_in_the_loss_loses_no_work(at, training, saved, averaged, tmp_path):
    """Step 8 begins an epoch, and in step 5 and at the second evaluation (3 batches each) something is under way."""
    path = tmp_path / "run.ckpt"

    def go(model, **options):
        average = Average(model.parameters(), 0.5) if averaged else None
        optimizer = Adam(model.parameters(), lr=0.1)
        return run(model, optimizer=optimizer, steps=14, validation=VALIDATION, patience=9, average=average, **options)

    with pytest.raises(ZeroDivisionError):
        go(Raising(at, training), checkpoint=path)
    assert checkpoint.load(path)[1]["step"] == saved
    resumed, history = go(Line(noise=1.0), checkpoint=path, resume=True)
    straight, straight_history = go(Line(noise=1.0), checkpoint=tmp_path / "straight.ckpt")
    assert_same_bits(resumed.state(), straight.state())
    assert history == straight_history
    assert_same_file(path, tmp_path / "straight.ckpt")


@pytest.mark.parametrize("broken", ["_update", "touch"])
def test_half_a_step_is_not_saved(broken, monkeypatch, tmp_path):
    path, model = tmp_path / "run.ckpt", Line()
    optimizer = Adam(model.parameters())

    def interrupt(*_):
        raise KeyboardInterrupt

    def on_step(step):
        if step == 6:
            monkeypatch.setattr(optimizer if broken == "_update" else Tensor, broken, interrupt)

    with pytest.raises(KeyboardInterrupt):
        run(model, optimizer=optimizer, steps=9, checkpoint=path, on_step=on_step)
    assert checkpoint.load(path)[1]["step"] == 4  # of the last evaluation


def test_half_an_evaluation_is_not_saved(tmp_path):
    path = tmp_path / "run.ckpt"

    class Interrupted(Line):
        pressed = False

        def state(self):
            if len(self.losses) == 8 and not self.pressed:  # the best weights are to be kept
                self.pressed = True
                raise KeyboardInterrupt
            return super().state()

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), steps=9, checkpoint=path, validation=VALIDATION, patience=9)
    arrays, meta = checkpoint.load(path)
    assert meta["step"] == 4 and arrays["history.steps"].tolist() == [4]


def test_a_checkpoint_that_cannot_be_written_any_more_is_not_tried_again(monkeypatch, tmp_path):
    tries = []

    def fail(path, arrays, meta):
        tries.append(meta["step"])
        raise CheckpointError(path, "file", "a full disk", "space", "")

    def on_step(step):
        monkeypatch.setattr(checkpoint, "save", fail)

    with pytest.raises(CheckpointError):
        run(steps=9, checkpoint=tmp_path / "run.ckpt", on_step=on_step)
    assert tries == [4]


def test_ctrl_c_with_patience_returns_the_best_weights():
    weights, history = scripted([5.0, 2.0, 3.0, 4.0, 1.0], patience=9, on_step=press_ctrl_c(at=3))
    assert (weights, history.best_step, history.interrupted) == (2, 2, True)


def test_a_handler_of_the_program_stays_in_place():
    seen = []
    old = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        model, history = run(steps=4, on_step=press_ctrl_c(at=1))
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [1] and len(model.calls) == 4 and not history.interrupted


def test_it_trains_in_a_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(run(steps=5)[0]))
    thread.start()
    thread.join()
    assert_same_bits(done[0].state(), run(steps=5)[0].state())


# -- what is not finite ----------------------------------------------------------------------------------------------


class Breaking(Line):
    """In step ``at`` the loss is multiplied by ``factor``, or only the gradient of ``hit``."""

    def __init__(self, at, factor=1.0, hit=None, noise=1.0):
        super().__init__(noise)
        self.at, self.factor, self.hit = at, factor, hit

    def loss(self, x, y, rng):
        loss = super().loss(x, y, rng)
        if not self.training or len(self.losses) != self.at + 1:
            return loss
        if self.hit is not None:  # 0 · w, whose gradient is not 0
            loss = loss + np.sum(vanishing(getattr(self, self.hit), self.factor))
        return loss if self.hit else loss * self.factor


def vanishing(t, slope):
    from scratchgen.autodiff import custom_rule

    return custom_rule(lambda g, y, x: g * slope)(lambda x: x * 0)(t)


BROKEN = [
    ({"factor": math.nan}, "step 5: the loss is nan, and not finite are the gradients of w, b"),
    ({"factor": math.inf}, "step 5: the loss is inf, and not finite are the gradients of w, b"),
    ({"factor": math.nan, "hit": "w"}, r"step 5: the gradient of w has NaN at \(0,\); 3 of 3 values"),
    ({"factor": -math.inf, "hit": "b"}, r"step 5: the gradient of b has -inf at \(\); 1 of 1 values"),
]


@pytest.mark.parametrize(("options", "message"), BROKEN)
@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_loss_or_gradient_that_is_not_finite_stops_with_the_last_good_state(options, message, clip, tmp_path):
    path = tmp_path / "run.ckpt"
    model = Breaking(5, **options)
    rng = np.random.default_rng(3)
    average = Average(model.parameters())
    with pytest.raises(TrainingError, match=message) as caught:
        run(model, optimizer=Adam(model.parameters()), steps=20, rng=rng, checkpoint=path, average=average, clip=clip)
    assert (caught.value.step, caught.value.history.steps, average.steps) == (5, [4], 5)

    good_rng, good = np.random.default_rng(3), Line(noise=1.0)
    average = Average(good.parameters())
    options = {"rng": good_rng, "average": average, "clip": clip}
    run(good, optimizer=Adam(good.parameters()), steps=5, checkpoint=tmp_path / "good.ckpt", **options)
    assert_same_bits(model.state(), good.state())
    assert rng.bit_generator.state == good_rng.bit_generator.state
    assert_same_file(path, tmp_path / "good.ckpt")
    assert not model.training


def test_a_validation_loss_that_is_not_finite_stops():
    with pytest.raises(TrainingError, match="step 3: the validation loss is nan") as caught:
        scripted([3.0, 2.0, math.nan, 1.0])
    assert caught.value.history.validation == [3.0, 2.0]


def test_anomaly_detection_names_the_operation():
    class Overflow(Module):
        def __init__(self):
            self.w = Tensor(np.ones(1), requires_grad=True)

        def loss(self, x, rng):
            return np.sum(np.exp(self.w * 1e3))

    with np.errstate(over="ignore"), detect_anomaly():
        with pytest.raises(TrainingError, match="step 0: the forward pass of exp gave inf"):
            run(Overflow(), np.zeros((3, 1)), steps=3)


def test_a_training_error_survives_pickling():
    error = pickle.loads(pickle.dumps(TrainingError(3, "the loss is nan", History([1], [2.0]))))
    assert (error.step, error.history.loss) == (3, [2.0]) and "step 3: the loss is nan." in str(error)


# -- what is refused -------------------------------------------------------------------------------------------------


def holes(*indices, value=np.nan):
    x = X.copy()
    for index in indices:
        x[index] = value
    return x


BAD_DATA = [
    ((holes((3, 1), (7, 2)), Y), ValueError, r"data\[0\] has NaN at \(3, 1\); 2 of 30 values"),
    (holes((0, 2), value=np.inf), ValueError, r"data has inf at \(0, 2\); 1 of 30 values"),
    ((X, Y.astype(np.float64)), TypeError, r"data\[1\] is float64; parameter w is float32: use .astype\(np.float32\)"),
    (X.astype(np.float16), TypeError, "data is float16; parameter w is float32"),
    (np.zeros((4, 8, 8), np.uint8), TypeError, r"data is uint8; scale images to \[0, 1\] first, by scratchgen.data"),
    (X > 0, TypeError, r"data is bool; .astype\(np.float32\), or np.int64"),
    (np.zeros((3, 2), np.int16), TypeError, r"data is int16; .astype\(np.float32\), or np.int64"),
    (X.astype(complex), TypeError, "data is complex128; expected float32"),
    (np.array(["a", "b"]), TypeError, "data is <U1; expected float32"),
    (np.array([None, 3.0]), TypeError, "data is object; expected float32"),
    ([[1.0, 2.0], [3.0]], ValueError, "inhomogeneous"),
    (np.zeros((0, 3), np.float32), ValueError, r"data has shape \(0, 3\); it must have at least one row"),
    (np.zeros((5, 0), np.float32), ValueError, r"data has shape \(5, 0\)"),
    (np.float32(3.0), ValueError, r"data has shape \(\); it must have at least one row"),
    ((X, Y[:9]), ValueError, r"data\[1\] has 9 rows, data\[0\] 10"),
    ((), ValueError, "data is an empty tuple"),
    (Tensor(X), TypeError, "data is a Tensor; pass its array, t.data"),
    ((X, Tensor(Y)), TypeError, "data is a Tensor"),
    (np.ma.masked_less(X, 0), TypeError, "data is a masked array; its mask would be lost"),
    ((X, np.ma.array(Y)), TypeError, "data is a masked array"),
]


@pytest.mark.parametrize(("data", "error", "message"), BAD_DATA)
def test_bad_data_is_refused_before_the_training(data, error, message, tmp_path):
    model = Line()
    with pytest.raises(error, match=message):
        run(model, data, steps=3, checkpoint=tmp_path / "run.ckpt")
    assert model.calls == [] and os.listdir(tmp_path) == []
    with pytest.raises(error, match=re.sub(r"(?<!\.)\bdata\b", "validation", message)):
        run(model, validation=data, steps=3, checkpoint=tmp_path / "run.ckpt")
    assert model.calls == [] and os.listdir(tmp_path) == []


other = Line()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "steps is None and epochs None; give one of the two"),
        ({"steps": 3, "epochs": 1}, ValueError, "steps is 3 and epochs 1; give one of the two"),
        ({"steps": 0}, ValueError, "steps is 0; it must be an integer of at least 1"),
        ({"epochs": 0.5}, ValueError, "epochs is 0.5; it must be an integer"),
        ({"steps": math.nan}, ValueError, "steps is nan; it must be an integer"),
        ({"steps": math.inf}, ValueError, "steps is inf; it must be an integer"),
        ({"epochs": True}, ValueError, "epochs is True; it must be an integer"),
        ({"steps": 3, "batch_size": 0}, ValueError, "batch_size is 0; it must be an integer of at least 1"),
        ({"steps": 3, "batch_size": 5.0}, ValueError, "batch_size is 5.0; it must be an integer"),
        ({"steps": 3, "batch_size": True}, ValueError, "batch_size is True; it must be an integer"),
        ({"steps": 3, "batch_size": 11}, ValueError, "batch_size is 11; there are only 10 rows"),
        ({"steps": 3, "rng": np.random}, TypeError, "the module np.random"),
        ({"steps": 3, "evaluate_every": 0}, ValueError, "evaluate_every is 0"),
        ({"steps": 3, "evaluate_every": 2.5}, ValueError, "evaluate_every is 2.5; it must be an integer"),
        ({"steps": 3, "patience": 2}, ValueError, "patience needs validation data"),
        ({"steps": 3, "patience": 0, "validation": VALIDATION}, ValueError, "patience is 0"),
        ({"steps": 3, "patience": 1.5, "validation": VALIDATION}, ValueError, "patience is 1.5; it must be an integer"),
        ({"steps": 3, "optimizer": Adam}, TypeError, r"optimizer is .*Adam.*make one from the parameters"),
        ({"steps": 3, "clip": 0.0}, ValueError, "clip is 0.0"),
        ({"steps": 3, "clip": math.nan}, ValueError, "clip is nan"),
        ({"steps": 3, "schedule": lambda step: math.inf}, ValueError, "schedule gives inf for step 2, the last"),
        ({"steps": 3, "schedule": cosine(0.1, 2)}, ValueError, "schedule gives 0.0 for step 2, the last"),
        ({"steps": 3, "resume": True}, ValueError, "resume needs checkpoint"),
        ({"steps": 3, "validation": X}, ValueError, "validation has 1 arrays, data 2"),
        (
            {"steps": 3, "optimizer": SGD(other.parameters(), 0.1)},
            ValueError,
            "optimizer has a parameter w that is not",
        ),
        ({"steps": 3, "average": Average(other.parameters())}, ValueError, "average has a parameter w that is not"),
    ],
)
def test_settings_that_are_refused_before_the_training(options, error, message):
    model = Line()
    with pytest.raises(error, match=message):
        run(model, **options)
    assert model.calls == []


def test_parameters_that_are_not_finite_are_refused():
    model = Line()
    model.w.assign([0.0, math.nan, 0.0])
    with pytest.raises(ValueError, match=r"parameter w has NaN at \(1,\); 1 of 3 values"):
        run(model, steps=3)


def test_an_optimiser_made_before_astype_is_refused():
    model = Line()
    optimizer = SGD(model.parameters(), lr=0.1)
    model.astype(np.float64)
    with pytest.raises(RuntimeError, match=r"parameter w has left the buffer.*after astype"):
        run(model, (X.astype("f8"), Y.astype("f8")), optimizer, steps=1)


def test_a_loss_that_is_no_scalar_tensor_is_refused():
    model = Line()
    for wrong, error, message in [
        (lambda *_: 3.0, TypeError, r"model.loss returned a float, expected a Tensor of shape \(\)"),
        (lambda *_: model.w * 2, ValueError, r"shape \(3,\), expected one number: sum over dimensions, average"),
    ]:
        model.__dict__["loss"] = wrong
        with pytest.raises(error, match=message):
            run(model, steps=1)


def test_a_parameter_that_the_loss_does_not_reach_is_named():
    model = Line()
    model.unused = Tensor(np.ones(2, np.float32), requires_grad=True)
    with pytest.raises(ValueError, match="no gradient for unused"):
        run(model, steps=1)
    frozen = {name: p for name, p in model.parameters().items() if name != "unused"}
    run(model, optimizer=SGD(frozen, lr=0.1), steps=3)
    np.testing.assert_array_equal(model.unused.data, np.ones(2))


# -- progress --------------------------------------------------------------------------------------------------------


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_a_line_every_tenth_where_stderr_is_no_terminal(capsys):
    run(steps=50, progress=True, validation=VALIDATION, evaluate_every=25)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and [line.split()[1] for line in lines] == [f"{step}/50" for step in range(5, 51, 5)]
    assert "nats" in lines[0] and "validation" not in lines[0] and "validation" in lines[5] and "left" in lines[0]


def test_fewer_than_ten_steps_make_a_line_each(capsys):
    run(steps=3, progress=True)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_one_line_that_is_written_over_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    run(steps=2000, batch_size=ROWS, progress=True, evaluate_every=500)
    assert terminal.text.count("\n") == 1 and terminal.text.endswith("\n")
    shown = terminal.text.rstrip("\n").split("\r")[1:]
    assert shown[-1].startswith("step 2000/2000  loss ") and len(shown) < 500  # not every step
    assert all(len(line.removesuffix("\x1b[K")) < 60 for line in shown)


def test_the_loss_shown_is_the_mean_since_the_last_evaluation(capsys):
    model, _ = run(steps=20, progress=True, evaluate_every=5)
    shown = [line.split("loss ")[1].split()[0] for line in capsys.readouterr().err.splitlines()]
    expected = [model.losses[5 * (step // 5) : step] or model.losses[step - 5 : step] for step in range(2, 21, 2)]
    assert shown == [f"{np.mean(losses):.4g}" for losses in expected]


def test_rate_and_time_left_count_from_where_this_run_began():
    line = Progress(steps=100, start=40, wanted=False).line(60, 1.0, None, seconds=10.0)
    assert "2.0 steps/s  0:00:20 left" in line


def test_the_unit_stands_after_each_loss_and_may_be_none(capsys):
    line = Progress(9, 0, wanted=False, unit="bits").line(1, 2.0, 3.0, seconds=1.0)
    assert "loss 2 bits  validation 3 bits  " in line
    assert "loss 2  validation 3  " in Progress(9, 0, wanted=False, unit="").line(1, 2.0, 3.0, seconds=1.0)
    run(steps=2, progress=True, unit="bits")
    assert " bits  " in capsys.readouterr().err


def test_silence_and_the_reasons_for_an_early_end(capsys, monkeypatch):
    run(steps=3)
    assert capsys.readouterr() == ("", "")
    run(steps=30, progress=True, on_step=press_ctrl_c(at=1))
    assert capsys.readouterr().err.splitlines()[-1] == "stopped by Ctrl-C"
    scripted([3.0, 1.0, 2.0, 2.0, 2.0], patience=2, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "stopped early: the best validation loss was that of step 2"
    monkeypatch.setattr(sys, "stderr", None)
    run(steps=3, progress=True)
