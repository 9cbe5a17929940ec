"""Errors planted in the optimisers and the training loop: for each there is a test that fails.

A plant is a piece of the source and what it has been, in one package or another, or could be by a slip of the hand. The
two packages are copied with the plant in them, the named test is run on the copy, and it must fail. The same tests are
run on a copy without a plant, and must pass: so it is the plant that fails them.
"""

import importlib
import inspect
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from scratchgen.optim import SGD, Adam, AdamW
from tests import optim_by_hand, test_optim, test_training, tiny_model
from tests.test_training import ctrl_c_raises  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
USERS = (optim_by_hand, test_optim, test_training, tiny_model)
NUMBER = itertools.count()

by = optim_by_hand
o, t = test_optim, test_training


def not_finite(row: int, clip: float | None = None) -> Callable[..., None]:
    options, message = t.BROKEN[row]
    test = t.test_a_loss_or_gradient_that_is_not_finite_stops_with_the_last_good_state
    return partial(test, options=options, message=message, clip=clip)


def bad_gradient(row: int, make: Any = Adam) -> Callable[..., None]:
    return partial(
        o.test_a_bad_gradient_is_refused_before_anything_is_changed,
        make=make,
        **dict(zip(("name", "change", "error", "message"), o.REFUSED[row])),
    )


def state(make: Any) -> Callable[..., None]:
    return partial(o.test_the_state_continues_bit_for_bit_through_a_file, make=make, dtype=np.float32)


def resumed(*stops: int) -> Callable[..., None]:
    return partial(t.test_it_goes_on_bit_for_bit_from_any_step, stops=list(stops))


def bad_data(row: int) -> Callable[..., None]:
    data, error, message = t.BAD_DATA[row]
    return partial(t.test_bad_data_is_refused_before_the_training, data=data, error=error, message=message)


def error_in_the_loss(at: int, training: bool, saved: int) -> Callable[..., None]:
    test = t.test_an_error_in_the_loss_loses_no_work
    return partial(test, at=at, training=training, saved=saved, averaged=True)


ADAM, OPTIMIZER, CLIP, AVERAGE = "optim/adam.py", "optim/optimizer.py", "optim/clipping.py", "optim/averaging.py"
LOOP, RUN, BATCHES, GRADIENTS = (f"training/{name}.py" for name in ("loop", "run", "minibatches", "gradients"))

PLANTS: list[tuple[str, str, str, str, Callable[..., None]]] = [
    # -- optimisers: what is wrong, file, right, wrong, the test that fails
    (
        "Adam without powers in the bias correction (ML-From-Scratch#35)",
        ADAM,
        "(1 - beta1**self.steps)",
        "(1 - beta1)",
        o.test_second_step_of_adam_by_hand,
    ),
    ("the same in v", ADAM, "(1 - beta2**self.steps)", "(1 - beta2)", o.test_ten_steps_of_adam_by_hand),
    ("no bias correction", ADAM, "(1 - beta2**self.steps)", "1", o.test_adam_with_a_constant_gradient_moves_by_lr),
    ("steps counted from 2", OPTIMIZER, "self.steps = 0", "self.steps = 1", o.test_ten_steps_of_adam_by_hand),
    (
        "epsilon inside the root",
        ADAM,
        "np.sqrt(v, out=scratch)  # (4)\n        np.add(scratch, self.eps / k, out=scratch)",
        "np.add(v, (self.eps / k) ** 2, out=scratch)\n        np.sqrt(scratch, out=scratch)",
        o.test_epsilon_is_outside_of_the_root,
    ),
    ("epsilon scaled by the bias correction", ADAM, "self.eps / k", "self.eps", o.test_ten_steps_of_adam_by_hand),
    ("no root", ADAM, "np.sqrt(v, out=scratch)", "np.copyto(scratch, v)", o.test_ten_steps_of_adam_by_hand),
    ("|g| for g²", ADAM, "np.square(g, out=scratch)", "np.abs(g, out=scratch)", o.test_ten_steps_of_adam_by_hand),
    ("the wrong sign", ADAM, "np.subtract(p, scratch", "np.add(p, scratch", o.test_ten_steps_of_adam_by_hand),
    (
        "β₁ for β₂",
        ADAM,
        "np.multiply(v, beta2, out=v)",
        "np.multiply(v, beta1, out=v)",
        o.test_ten_steps_of_adam_by_hand,
    ),
    (
        "the gradient for its average",
        ADAM,
        "np.divide(m, scratch",
        "np.divide(g, scratch",
        o.test_ten_steps_of_adam_by_hand,
    ),
    (
        "weight decay through the gradient, not decoupled",
        ADAM,
        "        for name in self._decaying:\n"
        "            values = self._views[name][0]\n"
        "            np.multiply(values, 1 - self.lr * self.weight_decay, out=values)\n",
        "        for name in self._decaying:\n"
        "            gradients[name] = gradients[name] + self.weight_decay * self._views[name][0].reshape(-1)\n",
        o.test_ten_steps_of_adamw_by_hand,
    ),
    (
        "weight decay not scaled by lr",
        ADAM,
        "1 - self.lr * self.weight_decay",
        "1 - self.weight_decay",
        o.test_adamw_without_gradient_decays_geometrically,
    ),
    ("biases decay too", ADAM, "if p.ndim >= 2 or not matrices_only", "", o.test_only_matrices_decay_if_so_wanted),
    (
        "momentum dampened by 1 − μ",
        "optim/sgd.py",
        "np.add(v, g, out=v)",
        "np.add(v, (1 - self.momentum) * g, out=v)",
        o.test_ten_steps_of_sgd_by_hand,
    ),
    (
        "lr inside of the momentum's sum",
        "optim/sgd.py",
        "np.multiply(v, self.lr, out=scratch)",
        "np.multiply(v, self.lr * (1 - self.momentum), out=scratch)",
        o.test_sgd_with_a_constant_gradient,
    ),
    (
        "float32 becomes float64",
        AVERAGE,
        "np.zeros_like(p.data)",
        "np.zeros(p.shape)",
        partial(t.test_the_dtype_stays, dtype=np.float32),
    ),
    (
        "the gradient is used up",
        ADAM,
        "np.square(g, out=scratch)",
        "np.square(g, out=g); np.copyto(scratch, g)",
        partial(o.test_a_step_changes_the_parameters_in_place_and_leaves_the_gradients, make=Adam, block=3),
    ),
    (
        "a block takes the wrong part of a gradient",
        OPTIMIZER,
        "slice(max(lo, start) - start, min(hi, stop) - start)",
        "slice(0, min(hi, stop) - max(lo, start))",
        partial(o.test_blocks_give_the_same_bits_as_one_parameter_at_a_time, make=Adam, block=5),
    ),
    (
        "gradients in Fortran order are read in memory order",
        "optim/parameters.py",
        "flat = g.reshape(-1)",
        'flat = g.reshape(-1, order="A")',
        o.test_gradients_in_any_memory_layout,
    ),
    (
        "a graph keeps old weights for its backward pass",
        OPTIMIZER,
        "            parameter.touch()\n",
        "            pass\n",
        o.test_a_graph_that_needs_the_old_weights_refuses_after_the_step,
    ),
    (
        "a parameter without a gradient is skipped",
        "optim/parameters.py",
        "    if missing:\n",
        "    for n in missing:\n        parameters[n].grad = np.zeros(parameters[n].shape)\n    if False:\n",
        bad_gradient(0),
    ),
    (
        "NaN passes into the weights",
        "optim/parameters.py",
        "if not np.isfinite(np.dot(flat, flat)) and",
        "if np.dot(flat, flat) == np.inf and",
        bad_gradient(1, SGD),
    ),
    (
        "a large gradient is taken for inf",
        "optim/parameters.py",
        "and (found := non_finite(g))",
        "and (found := non_finite(g) or 'inf')",
        o.test_a_large_gradient_is_no_nan,
    ),
    ("one is not loaded", OPTIMIZER, "views[i][...] = arrays", "views[1][...] = arrays", state(AdamW)),
    ("the number of steps is not loaded", OPTIMIZER, 'int(arrays["steps"])', "self.steps", state(Adam)),
    ("lr is not loaded", OPTIMIZER, 'float(arrays["lr"])', "self.lr", state(SGD)),
    (
        "a copy of an optimiser steps through buffers that the weights have left",
        OPTIMIZER,
        "        self._make_buffers()\n        self.load_state(state)\n",
        "",
        partial(o.test_a_copy_of_parameters_and_optimiser_trains_as_the_first_would, make=Adam, copied=o.COPIES[0]),
    ),
    (
        "AdamW's bound is not checked",
        ADAM,
        "if not value * self.weight_decay < 1:",
        "if False:",
        o.test_a_learning_rate_too_large_for_the_weight_decay_is_refused_whenever_it_is_set,
    ),
    (
        "a step while the average is applied is lost without a word",
        AVERAGE,
        "        if changed:\n",
        "        if False:\n",
        o.test_a_change_of_the_weights_while_the_average_is_applied_is_no_silent_loss,
    ),
    ("the state is no copy", OPTIMIZER, "views[i].copy()", "views[i]", o.test_the_state_is_a_copy),
    (
        "each gradient is clipped by itself",
        CLIP,
        "            tensor.grad = np.asarray(tensor.grad * (most / norm))",
        "            own = euclidean_norm(tensor.grad.ravel()) or 1.0\n"
        "            tensor.grad = np.asarray(tensor.grad * min(1.0, most / own))",
        partial(o.test_clipping_keeps_the_direction_of_the_whole_gradient, dtype=np.float64),
    ),
    (
        "short gradients are stretched",
        CLIP,
        "if norm > most:",
        "if norm > 0:",
        partial(o.test_clipping_keeps_the_direction_of_the_whole_gradient, dtype=np.float64),
    ),
    (
        "the norm overflows",
        CLIP,
        "if 1e-30 < squares < 1e38:",
        "if squares >= 0:",
        partial(o.test_a_norm_whose_square_is_out_of_range, size=1e37),
    ),
    (
        "the average starts from zero",
        AVERAGE,
        "(1 - self.decay) / (1 - self.decay**self.steps)",
        "1 - self.decay",
        o.test_the_average_of_constant_weights_is_those_from_the_first_step_on,
    ),
    (
        "decay for 1 − decay",
        AVERAGE,
        "w = (1 - self.decay) / ",
        "w = self.decay / ",
        partial(o.test_the_average_is_the_weighted_mean, decay=0.99),
    ),
    (
        "an error leaves the average in the model",
        AVERAGE,
        "        finally:\n",
        "        except ZeroDivisionError:\n            raise\n        else:\n",
        o.test_the_weights_come_back_after_an_error_and_the_optimiser_goes_on_with_them,
    ),
    (
        "the saved weights are a view of those that change",
        AVERAGE,
        "parameter.data.copy() for",
        "parameter.data for",
        o.test_the_weights_come_back_after_an_error_and_the_optimiser_goes_on_with_them,
    ),
    (
        "the warm-up starts with lr = 0",
        "optim/schedules.py",
        "min(1.0, (step + 1) / warm_up)",
        "min(1.0, step / warm_up)",
        o.test_the_warm_up_and_constant_by_hand,
    ),
    (
        "the cosine counts the warm-up in",
        "optim/schedules.py",
        "(step - warm_up) / (steps - warm_up)",
        "step / steps",
        o.test_a_cosine_by_hand,
    ),
    # -- the training loop
    (
        "no new order in the second epoch",
        BATCHES,
        "            self.order = self.rng.permutation(len(self.order))\n",
        "            if self.order[0] == 0:\n                self.order = self.rng.permutation(len(self.order))\n",
        t.test_an_epoch_deals_out_each_row_once_in_a_new_order_and_keeps_rows_together,
    ),
    (
        "images and labels are shuffled apart",
        BATCHES,
        "tuple(array[rows] for array in self.arrays)",
        "(self.arrays[0][rows], *(array[rows[::-1]] for array in self.arrays[1:]))",
        t.test_an_epoch_deals_out_each_row_once_in_a_new_order_and_keeps_rows_together,
    ),
    (
        "the last, smaller batch is dropped",
        BATCHES,
        "if self.position >= len(self.order):",
        "if self.position + self.size > len(self.order):",
        t.test_an_epoch_deals_out_each_row_once_in_a_new_order_and_keeps_rows_together,
    ),
    (
        "rows are drawn with replacement",
        BATCHES,
        "self.rng.permutation(len(self.order))",
        "self.rng.integers(len(self.order), size=len(self.order))",
        t.test_an_epoch_deals_out_each_row_once_in_a_new_order_and_keeps_rows_together,
    ),
    (
        "gradients pile up",
        GRADIENTS,
        "        tensor.grad = None\n",
        "        pass\n",
        t.test_gradients_do_not_pile_up_nor_are_old_ones_used,
    ),
    (
        "clipping after the step",
        RUN,
        "            if clip is not None:\n"
        "                clip_by_norm(self.optimizer.parameters, clip)\n"
        "            self.optimizer.step()\n",
        "            self.optimizer.step()\n"
        "            if clip is not None:\n"
        "                clip_by_norm(self.optimizer.parameters, clip)\n",
        t.test_the_gradient_is_clipped,
    ),
    (
        "validation in training mode",
        RUN,
        "    model.eval()\n",
        "",
        t.test_it_trains_in_training_mode_and_leaves_the_model_in_evaluation_mode,
    ),
    (
        "training in evaluation mode after the first evaluation",
        RUN,
        "        model.train()\n",
        "        pass\n",
        t.test_it_trains_in_training_mode_and_leaves_the_model_in_evaluation_mode,
    ),
    (
        "validation records a graph",
        RUN,
        "        with no_grad():\n",
        "        with nullcontext():\n",
        t.test_the_validation_loss_is_the_mean_over_its_rows,
    ),
    (
        "the mean of batch means, though the last batch is smaller",
        RUN,
        ".item() * len(batch[0])\n",
        ".item() * len(arrays[0]) / -(-len(arrays[0]) // batch_size)\n",
        t.test_the_validation_loss_is_the_mean_over_its_rows,
    ),
    (
        "validation draws from the training's rng",
        RUN,
        "self.batches.size, self.validation_seed)",
        "self.batches.size, self.batches.rng.integers(2**63))",
        t.test_an_evaluation_does_not_disturb_the_training,
    ),
    (
        "new noise at each evaluation",
        RUN,
        "self.batches.size, self.validation_seed)",
        "self.batches.size, self.validation_seed + self.step)",
        t.test_every_evaluation_has_the_same_noise_and_each_batch_its_own,
    ),
    (
        "the same noise for each batch",
        RUN,
        "checked_loss(model.loss(*batch, rng))",
        "checked_loss(model.loss(*batch, np.random.default_rng(seed)))",
        t.test_every_evaluation_has_the_same_noise_and_each_batch_its_own,
    ),
    (
        "the loss of the last step for that of the interval",
        RUN,
        "self.recent[0] + loss, self.recent[1] + 1",
        "loss, 1",
        t.test_the_history_has_the_mean_loss_of_each_interval_and_a_shorter_last_one,
    ),
    (
        "the best weights are not restored",
        LOOP,
        "        if run.best:\n            model.load_state(run.best)\n",
        "",
        t.test_early_stopping_returns_the_best_weights,
    ),
    (
        "the latest weights pass for the best",
        RUN,
        "if self.keep_best and self.history.best_step == self.step:",
        "if self.keep_best:",
        t.test_early_stopping_returns_the_best_weights,
    ),
    (
        "patience counts all worse evaluations, not those in a row",
        "training/history.py",
        "len(self.validation) - 1 - self.validation.index(min(self.validation)) if",
        "sum(b >= a for a, b in zip(self.validation, self.validation[1:])) if",
        t.test_one_better_evaluation_resets_the_patience,
    ),
    (
        "early stopping one evaluation too late",
        LOOP,
        "evaluations_since_best >= patience",
        "evaluations_since_best > patience",
        t.test_early_stopping_returns_the_best_weights,
    ),
    (
        "the average is evaluated nowhere",
        RUN,
        "nullcontext() if self.average is None else self.average.applied()",
        "nullcontext()",
        t.test_the_average_is_evaluated_and_is_what_the_best_weights_are,
    ),
    (
        "the average is not updated",
        RUN,
        "            self.average.update()\n",
        "            self.average.steps += 1\n",
        t.test_the_average_is_evaluated_and_is_what_the_best_weights_are,
    ),
    (
        "resuming restarts the rng",
        RUN,
        'self._set_randomness((meta["rng"],',
        "self._set_randomness((self.batches.rng.bit_generator.state,",
        resumed(5),
    ),
    ("resuming restarts the epoch", RUN, 'meta["position"]))', "self.batches.position))", resumed(5)),
    ("resuming forgets the order", RUN, 'arrays["order"], meta', "self.batches.order, meta", resumed(5)),
    (
        "resuming forgets the optimiser",
        RUN,
        '        self.optimizer.load_state(part("optimizer", arrays))\n',
        "",
        resumed(5),
    ),
    (
        "resuming forgets the average",
        RUN,
        '            self.average.load_state(part("average", arrays))\n',
        "            pass\n",
        resumed(5),
    ),
    ("resuming forgets the best weights", RUN, 'self.best = part("best", arrays)', "self.best = {}", resumed(13)),
    (
        "resuming forgets the losses of the interval",
        RUN,
        'meta["validation_seed"], meta["recent"]',
        'meta["validation_seed"], [0.0, 0]',
        resumed(5),
    ),
    (
        "resuming draws a new validation seed",
        RUN,
        'meta["step"], meta["validation_seed"]',
        'meta["step"], self.validation_seed + 1',
        resumed(5),
    ),
    (
        "the schedule starts anew",
        LOOP,
        "optimizer.lr = schedule(run.step)",
        "optimizer.lr = schedule(run.step - bar.start)",
        resumed(5),
    ),
    (
        "an evaluation at the end of the first part stays in the history",
        LOOP,
        "            if checkpoint is not None and run.recent[1]:  # otherwise it is saved already\n",
        "            if run.step == steps and run.recent[1]:\n"
        "                run.evaluate()\n"
        "            if checkpoint is not None:\n",
        resumed(5),
    ),
    (
        "Ctrl-C breaks off the step",
        "training/interrupt.py",
        "        asked = True\n",
        "        raise KeyboardInterrupt\n",
        t.test_ctrl_c_finishes_the_step_saves_and_returns,
    ),
    (
        "the second Ctrl-C is ignored too",
        "training/interrupt.py",
        "        asked = True\n        signal.signal(signal.SIGINT, signal.default_int_handler)\n",
        "        asked = True\n",
        t.test_a_second_ctrl_c_raises_at_once,
    ),
    (
        "Ctrl-C does not save",
        LOOP,
        "if checkpoint is not None and run.recent[1]:",
        "if checkpoint is not None and run.recent[1] and not interrupted():",
        t.test_ctrl_c_finishes_the_step_saves_and_returns,
    ),
    (
        "a NaN loss is stepped on",
        GRADIENTS,
        "if not math.isfinite(loss.item()):",
        "if False:",
        not_finite(0),
    ),
    (
        "a failed step has used up random numbers",
        RUN,
        "                self._set_randomness(before)\n",
        "",
        not_finite(2),
    ),
    (
        "nothing is saved when a step fails",
        LOOP,
        "if checkpoint is not None and run.whole and not isinstance(error, CheckpointError):",
        "if False:",
        not_finite(3, clip=1.0),
    ),
    (
        "only a NaN is worth saving before",
        LOOP,
        "and run.whole and not isinstance(error, CheckpointError):",
        "and isinstance(error, FloatingPointError):",
        error_in_the_loss(5, True, 5),
    ),
    (
        "half a step is saved",
        LOOP,
        "and run.whole and",
        "and",
        partial(t.test_half_a_step_is_not_saved, broken="touch"),
    ),
    (
        "half an evaluation is saved",
        RUN,
        "            self.whole = False\n            if self.validation",
        "            if self.validation",
        t.test_half_an_evaluation_is_not_saved,
    ),
    (
        "random numbers are given back for a NaN alone",
        RUN,
        "        except BaseException:\n",
        "        except FloatingPointError:\n",
        error_in_the_loss(5, True, 5),
    ),
    (
        "an evaluation that was broken off is left out",
        LOOP,
        "            if run.step % every == 0 and run.recent[1]:  # an error had broken this evaluation off\n",
        "            if False:\n",
        error_in_the_loss(5, False, 8),
    ),
    (
        "resuming keeps the validation seed of the new rng",
        RUN,
        'meta["step"], meta["validation_seed"], meta',
        'meta["step"], self.validation_seed, meta',
        t.test_the_noise_of_the_evaluations_comes_from_the_file,
    ),
    (
        "a mask is dropped",
        BATCHES,
        "if isinstance(array, np.ma.MaskedArray):",
        "if False:",
        bad_data(-2),
    ),
    (
        "NaN never is the best, nor an error",
        RUN,
        "if not math.isfinite(value):",
        "if False:",
        t.test_a_validation_loss_that_is_not_finite_stops,
    ),
    ("NaN in the data", BATCHES, "if found := non_finite(array):", "if found := '':", bad_data(0)),
    (
        "float64 data for a float32 model",
        BATCHES,
        "if array.dtype not in dtypes:",
        "if array.dtype.kind != 'f':",
        bad_data(2),
    ),
    ("uint8 images", BATCHES, "(np.int32, np.int64)", "(np.int32, np.int64, np.uint8)", bad_data(4)),
]


SLIPS = (NameError, SyntaxError, ImportError, AttributeError, KeyError)  # of the plant itself: they do not count


@pytest.fixture
def grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """`grow(file, right, wrong)`: the tests' modules use a copy of scratchgen.optim and .training with the plant."""
    names: list[str] = []

    def plant(file: str = "", right: str = "", wrong: str = "") -> str:
        name = f"planted{next(NUMBER)}"
        names.append(name)
        monkeypatch.syspath_prepend(str(tmp_path))
        for package in ("optim", "training"):
            shutil.copytree(ROOT / "scratchgen" / package, tmp_path / name / package)
        (tmp_path / name / "__init__.py").touch()
        for path in (tmp_path / name).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if path == tmp_path / name / file:
                assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
                source = source.replace(right, wrong)
            for package in ("optim", "training"):
                source = source.replace(f"scratchgen.{package}", f"{name}.{package}")
            path.write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        for user in USERS:
            for global_name, value in list(vars(user).items()):
                copy = of_the_copy(value, name)
                if copy is not None:
                    monkeypatch.setattr(user, global_name, copy)
        return name

    yield plant
    for module in list(sys.modules):
        if module.split(".")[0] in names:
            del sys.modules[module]


def of_the_copy(value: Any, name: str) -> Any:
    """What stands in the copy for a module, class or function of scratchgen.optim or .training; None for others."""
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    if not home.startswith(("scratchgen.optim", "scratchgen.training")):
        return None
    module = importlib.import_module(home.replace("scratchgen", name, 1))
    return module if isinstance(value, ModuleType) else getattr(module, value.__name__, None)


def run(test: Callable[..., None], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with its fixtures; an optimiser among its arguments is taken from the copy."""
    arguments = dict(getattr(test, "keywords", {}))
    if "make" in arguments:
        arguments["make"] = of_the_copy(arguments["make"], name)
    function = test.func if isinstance(test, partial) else test
    fixtures = {"tmp_path": tmp_path / "files", "monkeypatch": monkeypatch}
    fixtures["tmp_path"].mkdir(exist_ok=True)
    wanted = inspect.signature(function).parameters.keys() & fixtures.keys()
    function(**arguments, **{fixture: fixtures[fixture] for fixture in wanted})


@pytest.mark.parametrize("plant", PLANTS, ids=[plant[0] for plant in PLANTS])
def test_the_error_is_caught(plant, grow, tmp_path, monkeypatch):
    _, file, right, wrong, test = plant
    name = grow(file, right, wrong)
    try:
        run(test, name, tmp_path, monkeypatch)
    except SLIPS:
        raise
    except (Exception, KeyboardInterrupt, pytest.fail.Exception):
        return
    pytest.fail("the test passes with the error in it")


def name_of(test: Callable[..., None]) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in getattr(test, "keywords", {}).items())
    return f"{getattr(test, 'func', test).__name__}({arguments})"


TESTS = {name_of(plant[-1]): plant[-1] for plant in PLANTS}


@pytest.mark.parametrize("test", TESTS.values(), ids=range(len(TESTS)))
def test_without_the_plant_the_same_test_passes(test, grow, tmp_path, monkeypatch):
    name = grow()
    assert (
        test_optim.Adam.__module__ == f"{name}.optim.adam" and test_training.fit.__module__ == f"{name}.training.loop"
    )
    run(test, name, tmp_path, monkeypatch)
