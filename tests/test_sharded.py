"""Batches in shards: the gradient is that of one process, the noise as promised, and a lost worker costs nothing."""

import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scratchgen import checkpoint
from scratchgen.autodiff import detect_anomaly
from scratchgen.autoregressive import MADE, BinaryOutput
from scratchgen.checkpoint import CheckpointError
from scratchgen.diffusion import FlowMatching, ResidualNet
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Affine, BatchNorm, Composite, Flow
from scratchgen.latent import VAE, BernoulliLikelihood, FreeBitsVAE, GaussianMixture
from scratchgen.nn import MLP
from scratchgen.optim import SGD, Adam
from scratchgen.training import TrainingError, WorkerError, fit, ignore_interrupts
from scratchgen.training.gradients import loss_and_gradients
from scratchgen.training.sharded import Sharded
from tests.shard_models import Homebound, Inline, Mean, Switching, given_noise
from tests.tiny_model import Line, train

ROOT = Path(__file__).resolve().parents[1]
METHODS = [method for method in ("fork", "spawn") if method in multiprocessing.get_all_start_methods()]
KINDS = ["inline", "threads", *METHODS]
ROWS = np.stack([np.arange(7.0), np.arange(7.0) ** 2], axis=1)  # row r has r in its first column
DATA = np.random.default_rng(0)
X, NOISE = DATA.integers(0, 2, (7, 5)).astype(float), DATA.standard_normal((7, 2))


def processes(method, workers=2):
    return ProcessPoolExecutor(workers, multiprocessing.get_context(method), ignore_interrupts)


@pytest.fixture(scope="module")
def executors():
    """One of each kind, and started: a process pool forks before there are threads."""
    found = {method: processes(method) for method in METHODS}
    for pool in found.values():
        pool.submit(os.getpid).result()
    found |= {"inline": Inline(), "threads": ThreadPoolExecutor(2)}
    yield found
    for executor in found.values():
        executor.shutdown()


def assert_same_bits(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name


def gradients(model, batch, compute=loss_and_gradients):
    """The loss, and the gradients by name."""
    tensors = model.parameters()
    loss = compute(model, tensors, batch, np.random.default_rng(3))
    return loss, {name: None if t.grad is None else np.array(t.grad) for name, t in tensors.items()}


def fit_mean(model, executor, steps=6, **options):
    options = {"batch_size": 7, "rng": 0, "progress": False, "shards": 2, **options}
    optimizer = SGD(model.parameters(), lr=0.1)
    return fit(model, ROWS, optimizer=optimizer, steps=steps, executor=executor, **options)


# -- (1): the gradient ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shards", [1, 2, 3, 7, 9])
def test_loss_and_gradient_of_shards_are_those_of_the_batch(kind, shards, executors):
    """7 rows: 4 + 3, 3 + 2 + 2, and one each, so that shards are not alike (1)."""
    model = given_noise()
    loss, whole = gradients(model, (X, NOISE))
    sharded_loss, summed = gradients(model, (X, NOISE), Sharded(executors[kind], shards, model))
    assert sharded_loss == pytest.approx(loss, rel=1e-13)
    assert list(summed) == list(whole)
    for name, g in whole.items():
        assert np.abs(g).max() > 1e-3
        np.testing.assert_allclose(summed[name], g, rtol=1e-11, atol=1e-14, err_msg=name)
    if shards == 1:
        assert sharded_loss == loss
        assert_same_bits(summed, whole)


@pytest.mark.parametrize("kind", ["threads", METHODS[-1]])
def test_a_training_in_shards_is_that_of_one_process(kind, executors):
    """Over 3 epochs of 5 and 2 rows, by Adam, with noise as data."""
    trained = []
    for executor in (None, executors[kind]):
        model = given_noise()
        options = {} if executor is None else {"executor": executor, "shards": 3}
        optimizer = Adam(model.parameters(), lr=0.01)
        fit(model, (X, NOISE), optimizer=optimizer, batch_size=5, rng=4, epochs=3, progress=False, **options)
        trained.append(model.state())
    for name, alone in trained[0].items():
        np.testing.assert_allclose(trained[1][name], alone, rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_parameter_that_some_shards_do_not_use():
    """a is used by rows 1 … 6 alone, b by row 0, c by none: no gradient is no zero, and is refused as ever."""
    model = Switching()
    _, whole = gradients(model, (ROWS,))
    _, summed = gradients(model, (ROWS,), Sharded(Inline(), 7, model))
    assert whole["c"] is None and summed["c"] is None
    for name in ("a", "b"):
        np.testing.assert_allclose(summed[name], whole[name], rtol=1e-13)
    with pytest.raises(ValueError, match="no gradient for c: the loss does not depend on them"):
        fit_mean(model, Inline())


def test_float32_stays_float32(executors):
    model, batch = Line(), (np.ones((5, 3), np.float32), np.ones(5, np.float32))
    _, summed = gradients(model, batch, Sharded(executors["threads"], 2, model))
    assert {g.dtype for g in summed.values()} == {np.dtype(np.float32)}
    assert [g.shape for g in summed.values()] == [(3,), ()]


def test_a_batch_of_fewer_rows_has_a_shard_a_row_and_a_pool_one_for_each_worker():
    executor, model = Inline(), Mean()
    sharded = Sharded(executor, 3, model)
    executor.tasks.clear()
    gradients(model, (ROWS[:2],), sharded)
    gradients(model, (ROWS,), sharded)
    assert [len(rows) for _, (rows,), *_ in executor.tasks] == [1, 1, 3, 2, 2]
    assert np.array_equal(np.concatenate([rows for _, (rows,), *_ in executor.tasks[2:]]), ROWS)
    with ThreadPoolExecutor(3) as pool:
        assert Sharded(pool, None, model).shards == 3


# -- the noise -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_shard_gives_the_bits_of_no_executor(kind, executors, tmp_path):
    """With noise in the loss, Adam, a schedule, clipping, an average, validation: the whole checkpoint."""
    train(9, tmp_path / "alone.ckpt", resume=False)
    train(9, tmp_path / "one.ckpt", resume=False, executor=executors[kind], shards=1)
    assert_same_file(tmp_path / "alone.ckpt", tmp_path / "one.ckpt")


def assert_same_file(a, b):
    (arrays_a, meta_a), (arrays_b, meta_b) = checkpoint.load(a), checkpoint.load(b)
    assert meta_a == meta_b
    assert_same_bits(arrays_a, arrays_b)


def test_the_bits_depend_on_the_shards_and_not_on_the_executor(executors, tmp_path):
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(5) as five:
        for name, executor in {**executors, "one": one, "five": five}.items():
            train(7, tmp_path / name, resume=False, executor=executor, shards=3)
            assert_same_file(tmp_path / "fork" if "fork" in executors else tmp_path / "spawn", tmp_path / name)
        three = train(7, tmp_path / "again", resume=False, executor=five, shards=3)
        two = train(7, tmp_path / "two", resume=False, executor=five, shards=2)
    assert not np.array_equal(three.w.data, two.w.data)


def test_each_shard_draws_from_the_generator_that_is_promised():
    """(2): the gradient of (x − w − noise)² by hand, and the generator of the run stays as it is."""
    model, rng = Mean(noise=1.0), np.random.default_rng(5)
    loss = Sharded(Inline(), 2, model)(model, model.parameters(), (ROWS,), rng, seed=11, step=8)
    generators = [np.random.default_rng(np.random.SeedSequence(11, spawn_key=(8, s))) for s in (0, 1)]
    noise = np.concatenate([own.standard_normal((rows, 2)) for own, rows in zip(generators, (4, 3))])
    np.testing.assert_allclose(loss, np.mean(np.sum((ROWS - noise) ** 2, axis=1)), rtol=1e-13)
    np.testing.assert_allclose(model.w.grad, -2 * np.mean(ROWS - noise, axis=0), rtol=1e-12)
    assert rng.bit_generator.state == np.random.default_rng(5).bit_generator.state


def test_each_step_has_its_own_noise():
    """All rows in each step, and weights that stay: the losses differ by their noise alone; a seed gives others."""
    losses = []
    for seed in (0, 1):
        model = Mean(noise=1.0)
        optimizer = SGD(model.parameters(), lr=1e-30)
        options = {"evaluate_every": 1, "progress": False, "executor": Inline(), "shards": 2}
        losses += fit(model, np.zeros((7, 2)), optimizer=optimizer, batch_size=7, rng=seed, steps=4, **options).loss
    assert len(set(losses)) == 8


@pytest.mark.parametrize("stops", [[4], [2, 3, 6]])
def test_it_resumes_bit_for_bit(stops, executors, tmp_path):
    with_three = {"executor": executors["threads"], "shards": 3}
    train(9, tmp_path / "straight.ckpt", resume=False, **with_three)
    for i, steps in enumerate([*stops, 9]):
        train(steps, tmp_path / "resumed.ckpt", resume=i > 0, **with_three)
    assert_same_file(tmp_path / "straight.ckpt", tmp_path / "resumed.ckpt")


def test_a_resume_with_another_number_of_shards_is_refused_but_one_is_as_none(executors, tmp_path):
    pool = executors["threads"]
    train(5, tmp_path / "two.ckpt", resume=False, executor=pool, shards=2)
    with pytest.raises(CheckpointError, match="shards: got 2 in the saved run, expected 1"):
        train(9, tmp_path / "two.ckpt", resume=True)
    train(5, tmp_path / "one.ckpt", resume=False, executor=pool, shards=1)
    train(9, tmp_path / "one.ckpt", resume=True)
    train(9, tmp_path / "alone.ckpt", resume=False)
    assert_same_file(tmp_path / "alone.ckpt", tmp_path / "one.ckpt")


def test_what_a_callback_changes_in_the_model_reaches_the_workers(executors):
    """The noise of step 3 and later is switched on."""
    models = []
    for executor in (None, executors[METHODS[-1]]):
        model = Mean()
        models.append(model)
        fit_mean(
            model, executor, on_step=lambda step: setattr(models[-1], "noise", float(step >= 3)), shards=executor and 1
        )
    assert_same_bits(models[0].state(), models[1].state())
    plain = Mean()
    fit_mean(plain, None, shards=None)
    assert not np.array_equal(plain.w.data, models[1].w.data)


def test_the_workers_have_copies_of_the_model():
    model = Mean()
    sharded = Sharded(Inline(), 2, model)
    before = model.w.number
    gradients(model, (ROWS,), sharded)
    assert model.w.number == before and model.count.item() == 0


# -- what goes wrong in a worker -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS[:1])
def test_a_killed_worker_costs_nothing(method, tmp_path):
    """In step 4 it is killed: the weights, and the checkpoint, are those of 4 steps, and go on with a new pool."""
    path, model, rng = tmp_path / "run.ckpt", Mean(noise=1.0), np.random.default_rng(0)

    def on_step(step):
        model.fault = "killed" if step == 4 else ""

    with processes(method) as pool:
        with pytest.raises(
            WorkerError, match=r"step 4: shard . of 2 was lost by the executor: BrokenProcessPool: .*[^.]\. The weights"
        ) as e:
            fit_mean(model, pool, steps=9, checkpoint=path, evaluate_every=3, on_step=on_step, rng=rng)
        assert "The weights are those from before this step. With a checkpoint, resume=True goes on" in str(e.value)
        assert e.value.step == 4 and e.value.history.steps == [3] and not model.training
        with pytest.raises(ValueError, match=r"executor runs nothing, BrokenProcessPool: .* Make a new one"):
            fit_mean(Mean(), pool)
    good = Mean(noise=1.0)
    good_rng = np.random.default_rng(0)
    fit_mean(good, Inline(), steps=4, checkpoint=tmp_path / "good.ckpt", evaluate_every=3, rng=good_rng)
    assert_same_bits(model.state(), good.state())
    assert rng.bit_generator.state == good_rng.bit_generator.state
    assert_same_file(path, tmp_path / "good.ckpt")

    resumed, straight = Mean(noise=1.0), Mean(noise=1.0)
    with processes(method) as pool:
        fit_mean(resumed, pool, steps=9, checkpoint=path, evaluate_every=3, resume=True)
    fit_mean(straight, Inline(), steps=9)
    assert_same_bits(resumed.state(), straight.state())


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_in_the_loss_is_shown_with_its_shard_and_its_line(kind, executors, tmp_path):
    """Row 5 is in the second shard, wherever the shuffle puts it: whichever it is, its number and text are told."""
    path, model = tmp_path / "run.ckpt", Mean("raises", row=5.0)
    with pytest.raises(WorkerError, match=r"step 0: shard [12] of 2 raised ValueError: no such row\. The weights") as e:
        fit_mean(model, executors[kind], checkpoint=path)
    shown = "".join(traceback.format_exception(e.value))
    assert 'raise ValueError("no such row")' in shown  # the line in the worker
    assert checkpoint.load(path)[1]["step"] == 0
    model.fault = ""
    fit_mean(model, executors[kind], checkpoint=path, resume=True)  # the pool is as good as before
    straight = Mean()
    fit_mean(straight, executors[kind])
    assert_same_bits(model.state(), straight.state())


def test_the_number_of_the_shard_is_right():
    for row, shard in ((0, 1), (2, 1), (3, 2), (5, 3)):  # 3 + 2 + 2 rows
        model = Mean("raises", row=row)
        with pytest.raises(Exception, match=f"^shard {shard} of 3 raised ValueError: no such row$"):
            gradients(model, (ROWS,), Sharded(Inline(), 3, model))


FAULTS = {
    "raises what cannot be unpickled": "shard 1 of 2 raised Unreadable: 1 and 2",
    "interrupted": r"shard 1 of 2 raised KeyboardInterrupt\. The weights",
    "counts": "shard 1 of 2 raised RuntimeError: the loss has changed count, in a copy .* without executor",
}


@pytest.mark.parametrize("kind", ["inline", *METHODS])
@pytest.mark.parametrize("fault", FAULTS)
def test_other_faults_of_a_worker_leave_the_pool_usable(fault, kind, executors):
    with pytest.raises(WorkerError, match="step 0: " + FAULTS[fault]):
        fit_mean(Mean(fault), executors[kind])
    fit_mean(Mean(), executors[kind])


@pytest.mark.parametrize("kind", ["inline", METHODS[-1]])
def test_a_loss_that_is_not_finite_is_the_error_that_it_always_is(kind, executors):
    model = Mean("nan", row=5.0)
    message = r"step 0: shard [12] of 2: the loss is nan, and not finite are the gradients of w\. .* Try a lower lr"
    with pytest.raises(TrainingError, match=message) as e:
        fit_mean(model, executors[kind])
    assert type(e.value) is TrainingError
    assert_same_bits(model.state(), Mean().state())


@pytest.mark.parametrize("kind", ["threads", METHODS[-1]])
def test_anomaly_detection_reaches_the_workers(kind, executors):
    with detect_anomaly(), pytest.raises(TrainingError, match="step 0: shard 1 of 2: the forward pass of exp gave inf"):
        fit_mean(Mean("overflows"), executors[kind])
    fit_mean(Mean("overflows"), executors[kind])


def test_after_an_error_what_has_not_begun_is_cancelled():
    """One thread, which works at the first shard, an error, while three others wait."""
    executor, model = Inline(), Mean("raises", row=0.0)
    sharded = Sharded(executor, 4, model)
    executor.futures.clear()
    cancelled = []

    def submit(fn, *args):
        future = Inline().submit(fn, *args)
        future.cancel = lambda: cancelled.append(future)
        return future

    executor.submit = submit
    with pytest.raises(Exception, match="shard 1 of 4 raised"):
        gradients(model, (ROWS,), sharded)
    assert len(cancelled) == 4


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups")
def test_ctrl_c_in_a_terminal_finishes_the_step_though_all_processes_get_it(tmp_path):
    command = [sys.executable, "-m", "tests.shard_models", str(tmp_path / "run.ckpt")]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout.readline() == "started\n"
    os.killpg(child.pid, signal.SIGINT)
    assert (child.communicate(timeout=60)[0], child.returncode) == ("interrupted\n", 0)
    assert checkpoint.load(tmp_path / "run.ckpt")[1]["step"] >= 5


# -- what is refused -----------------------------------------------------------------------------------------------


def unpicklable_attribute():
    model = Mean()
    model.activation = lambda x: x
    return model


def unpicklable_class():
    class Local(Mean):
        pass

    return Local()


def homebound():
    model = Mean()
    model.part = Homebound()
    return model


def shut_down():
    executor = ThreadPoolExecutor(2)
    executor.shutdown()
    return executor


BITS = BernoulliLikelihood(5)
REFUSED = [
    (
        "no executor",
        Mean,
        lambda: "processes",
        {},
        TypeError,
        "executor is 'processes'; give a concurrent.futures.Exec",
    ),
    (
        "no shards",
        Mean,
        Inline,
        {"shards": None},
        ValueError,
        "a Inline does not tell how many workers it has: give sh",
    ),
    ("shards = 0", Mean, Inline, {"shards": 0}, ValueError, "shards is 0; it must be an integer of at least 1"),
    ("half a shard", Mean, Inline, {"shards": 1.5}, ValueError, r"shards is 1\.5"),
    ("nobody", Mean, lambda: None, {}, ValueError, "shards is 2, but there is no executor for them"),
    (
        "shut down",
        Mean,
        shut_down,
        {},
        ValueError,
        "executor runs nothing, RuntimeError: cannot schedule new .* Make a",
    ),
    (
        "lambda",
        unpicklable_attribute,
        Inline,
        {},
        TypeError,
        "cannot be pickled, .* because of activation: .* no lambdas",
    ),
    (
        "local class",
        unpicklable_class,
        Inline,
        {},
        TypeError,
        "because of its class: .*Local.* nothing that is defined in",
    ),
]


@pytest.mark.parametrize(("model", "executor", "options", "error", "message"), [r[1:] for r in REFUSED])
def test_it_is_refused_before_the_training(model, executor, options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        fit_mean(model(), executor(), checkpoint=tmp_path / "run.ckpt", **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_does_not_arrive_is_refused_and_its_pool_lives(method, executors):
    with pytest.raises(
        ValueError, match=r"a worker cannot unpickle the model: AttributeError: .* Define its class in a"
    ):
        fit_mean(homebound(), executors[method])
    fit_mean(Mean(), executors[method])


# -- which models couple the rows of a batch -----------------------------------------------------------------------


def networks():
    return MLP([5, 6, 4], rng=0, dtype=np.float64), MLP([2, 6, 5], rng=1, dtype=np.float64)


def normal(dims):
    return Independent(Normal(np.zeros(dims), np.zeros(dims)), 1)


def matching(pairing):
    return FlowMatching(ResidualNet(5, rng=0, dtype=np.float64), (5,), pairing)


COUPLED = {
    "free bits": (  # z[1] has 0.076 nats in three rows and 0.083 in four: below and above, and 0.07997 in all
        lambda: FreeBitsVAE(*networks(), BITS, 2, free=0.08),
        r"the model \(FreeBitsVAE\)",
    ),
    "batch normalisation": (
        lambda: Flow(Composite([Affine(5, np.float64), BatchNorm(5, dtype=np.float64)]), normal(5)),
        r"transform\.transforms\.1 \(BatchNorm\)",
    ),
    "optimal pairing": (lambda: matching("optimal"), r"the model \(FlowMatching\)"),
}
MEANS_OVER_ROWS = {
    "VAE": lambda: VAE(*networks(), BITS, 2),
    "MADE": lambda: MADE(5, BinaryOutput(), [8], rng=0, dtype=np.float64),
    "mixture": lambda: GaussianMixture(np.ones(2) / 2, np.eye(2, 5), np.ones((2, 5))),
    "flow": lambda: Flow(Affine(5, np.float64), normal(5)),
}


def no_noise():
    """A generator of nothing but zeros: the state 0 of the Mersenne twister stays 0."""
    twister = np.random.MT19937(0)
    state = twister.state
    state["state"] = {"key": np.zeros(624, np.uint32), "pos": 624}
    twister.state = state
    return np.random.Generator(twister)


def difference_of_shards(model):
    """(n_1 L_1 + n_2 L_2) / n − L, without noise."""
    first, second, whole = (model.loss(x, no_noise()).item() for x in (X[:3], X[3:], X))
    return (3 * first + 4 * second) / 7 - whole


@pytest.mark.parametrize("name", COUPLED)
def test_a_model_that_couples_rows_says_so_and_is_refused(name):
    make, named = COUPLED[name]
    with pytest.raises(ValueError, match=named + ": what a row contributes to the loss depends on the other rows"):
        Sharded(Inline(), 2, make())
    Sharded(Inline(), 1, make())
    if name != "optimal pairing":  # without noise there are no pairs to choose from
        assert abs(difference_of_shards(make())) > 1e-3


@pytest.mark.parametrize("name", MEANS_OVER_ROWS)
def test_the_loss_of_other_models_is_a_mean_over_rows(name):
    model = MEANS_OVER_ROWS[name]()
    assert no_noise().standard_normal() == 0 and no_noise().random() == 0
    assert abs(difference_of_shards(model)) < 1e-13
    Sharded(Inline(), 2, model)
    assert not matching("independent").couples_rows


def test_batch_normalisation_is_refused_in_one_shard_when_it_changes_its_averages():
    model = Flow(BatchNorm(2, dtype=np.float64), normal(2))
    with pytest.raises(WorkerError, match=r"the loss has changed transform\.mean, transform\.variance"):
        fit_mean(model, Inline(), shards=1)


def test_the_generator_of_the_run_is_not_shared_with_a_thread():
    executor, model, rng = Inline(), Mean(noise=1.0), np.random.default_rng(0)
    sharded = Sharded(executor, 1, model)
    executor.tasks.clear()
    sharded(model, model.parameters(), (ROWS,), rng)
    assert executor.tasks[0][2] is not rng
