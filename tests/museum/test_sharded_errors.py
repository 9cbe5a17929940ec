"""Errors planted in training by shards: for each there is a test that fails, as in ``test_training_errors``."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests import shard_models, test_sharded, tiny_model
from tests.museum import test_training_errors as errors
from tests.museum.test_training_errors import grow as grow  # a fixture

SHARDED, WORKER, LOOP, RUN = (f"training/{name}.py" for name in ("sharded", "worker", "loop", "run"))
EXECUTORS = {kind: shard_models.Inline() for kind in test_sharded.KINDS}  # the functions of the copy cannot be pickled
EXECUTORS["threads"] = ThreadPoolExecutor(2)

t = test_sharded


def inline(test: Callable[..., None], **arguments: Any) -> Callable[..., None]:
    return partial(test, executors=EXECUTORS, **arguments)


gradient = inline(t.test_loss_and_gradient_of_shards_are_those_of_the_batch, kind="inline", shards=3)
more_shards = inline(t.test_loss_and_gradient_of_shards_are_those_of_the_batch, kind="inline", shards=9)
training = inline(t.test_a_training_in_shards_is_that_of_one_process, kind="threads")
anomaly = inline(t.test_anomaly_detection_reaches_the_workers, kind="threads")
not_finite = inline(t.test_a_loss_that_is_not_finite_is_the_error_that_it_always_is, kind="inline")
one_shard = inline(t.test_one_shard_gives_the_bits_of_no_executor, kind="inline")
other_shards = inline(t.test_a_resume_with_another_number_of_shards_is_refused_but_one_is_as_none)
error_shown = inline(t.test_an_error_in_the_loss_is_shown_with_its_shard_and_its_line, kind="inline")
coupled = partial(t.test_a_model_that_couples_rows_says_so_and_is_refused, name="free bits")
shut_down = partial(
    t.test_it_is_refused_before_the_training,
    **dict(zip(("model", "executor", "options", "error", "message"), t.REFUSED[5][1:])),
)


def fault(name: str) -> Callable[..., None]:
    return inline(t.test_other_faults_of_a_worker_leave_the_pool_usable, fault=name, kind="inline")


PLANTS: list[tuple[str, str, str, str, Callable[..., None]]] = [
    (
        "the mean of the shards' means, though one is smaller",
        SHARDED,
        "len(part[0]) / rows",
        "1 / len(parts)",
        gradient,
    ),
    ("the sum for the mean", SHARDED, "len(part[0]) / rows", "1.0", gradient),
    ("the loss is not weighted", SHARDED, "loss += weight * own_loss", "loss += own_loss / len(parts)", gradient),
    ("the last shard alone", SHARDED, "else total[name] + weight * g", "else weight * g", gradient),
    (
        "x and its noise are cut at different rows",
        SHARDED,
        "np.array_split(array, ",
        "np.array_split(array[-array.shape[1] :].tolist() + array[: -array.shape[1]].tolist(), ",
        gradient,
    ),
    (
        "a shard without rows",
        SHARDED,
        "min(self.shards, rows)",
        "self.shards",
        more_shards,
    ),
    (
        "a parameter that no shard uses has the gradient 0",
        SHARDED,
        "tensor.grad = None if total[name] is None else ",
        "tensor.grad = np.zeros(tensor.shape) if total[name] is None else ",
        t.test_a_parameter_that_some_shards_do_not_use,
    ),
    (
        "the weights of the first step for ever",
        SHARDED,
        "sent, watched = pickle.dumps(model), ",
        "sent, watched = vars(self).setdefault('first', pickle.dumps(model)), ",
        training,
    ),
    (
        "all shards have the same noise",
        SHARDED,
        "spawn_key=(step, s)",
        "spawn_key=(step, 0)",
        t.test_each_shard_draws_from_the_generator_that_is_promised,
    ),
    (
        "all steps have the same noise",
        RUN,
        "self.validation_seed, self.step)",
        "self.validation_seed, 0)",
        t.test_each_step_has_its_own_noise,
    ),
    (
        "the same noise for each seed of the run",
        RUN,
        "self.validation_seed, self.step)",
        "0, self.step)",
        t.test_each_step_has_its_own_noise,
    ),
    (
        "the seed of the shards moves the order of the rows",
        RUN,
        "self.validation_seed, self.step)",
        "int(self.batches.rng.integers(9)), self.step)",
        training,
    ),
    ("the generator does not come back", SHARDED, "rng.bit_generator.state = state", "pass", one_shard),
    (
        "a thread draws from the generator of the run",
        SHARDED,
        "copy.deepcopy(rng)",
        "rng",
        t.test_the_generator_of_the_run_is_not_shared_with_a_thread,
    ),
    (
        "the shards are not in the checkpoint",
        RUN,
        "self.sharded is None else self.sharded.shards",
        "True else 1",
        other_shards,
    ),
    ("the workers do not look for anomalies", SHARDED, "looking_for_anomalies.get()", "False", anomaly),
    (
        "a NaN counts as an error of the worker",
        WORKER,
        "    except FloatingPointError:\n        raise\n",
        "",
        not_finite,
    ),
    ("Ctrl-C in a worker", WORKER, "(Exception, KeyboardInterrupt)", "Exception", fault("interrupted")),
    ("a changed buffer is lost", WORKER, "before.get(name) != after.get(name)", "False", fault("counts")),
    ("an error does not say its step", LOOP, "isinstance(error, ShardFailed)", "False", error_shown),
    ("the shards count from 0", SHARDED, "{s + 1} of", "{s} of", t.test_the_number_of_the_shard_is_right),
    (
        "the others work on after an error",
        SHARDED,
        "future.cancel()",
        "pass",
        t.test_after_an_error_what_has_not_begun_is_cancelled,
    ),
    (
        "rows that are coupled are torn apart",
        SHARDED,
        "self.shards > 1 and",
        "False and",
        coupled,
    ),
    (
        "one shard is refused too",
        SHARDED,
        "self.shards > 1 and",
        "",
        coupled,
    ),
    (
        "a pool that is shut down is found out late",
        SHARDED,
        "check_worker(executor, pickled(model))",
        "pass",
        shut_down,
    ),
]


@pytest.fixture(autouse=True)
def sharded_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "USERS", (shard_models, test_sharded, tiny_model))


@pytest.mark.parametrize("plant", PLANTS, ids=[plant[0] for plant in PLANTS])
def test_the_error_is_caught(plant, grow, tmp_path, monkeypatch):
    errors.test_the_error_is_caught(plant, grow, tmp_path, monkeypatch)


TESTS = {errors.name_of(plant[-1]): plant[-1] for plant in PLANTS}


def test_without_a_plant_the_same_tests_pass(grow, tmp_path, monkeypatch):
    name = grow()
    assert t.Sharded.__module__ == f"{name}.training.sharded" and t.fit.__module__ == f"{name}.training.loop"
    for i, test in enumerate(TESTS.values()):
        folder = tmp_path / str(i)
        folder.mkdir()
        errors.run(test, name, folder, monkeypatch)
