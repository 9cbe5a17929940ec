"""The benchmark's peers compute the same training steps. Correctness at toy sizes; nothing is timed here."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.bench import __main__ as command
from tests.bench import by_hand, peers, race, report, sharding, startup, transformer_by_hand, workloads


def losses(workload: str, peer: str, steps: int = 12) -> list[float]:
    module = workloads.load(workload)
    step = peers.make(peer)(module, module.problem(np.random.default_rng(3), tiny=True))
    return [float(step(i)) for i in range(steps)]


@pytest.mark.parametrize("workload", workloads.NAMES)
def test_hand_written_numpy_and_scratchgen_train_alike(workload: str) -> None:
    compared = {peer: losses(workload, peer) for peer in ("numpy", "scratchgen")}
    race.largest_difference(compared)
    values = compared["numpy"]
    assert values[8] < values[0]  # step 8 sees the batch of step 0 again


@pytest.mark.parametrize("workload", workloads.NAMES)
def test_hand_written_gradient_is_the_derivative_of_the_loss(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam forgives a gradient of the wrong size, so the losses alone do not show one: ∂loss/∂w by differences of
    `array_loss` in float64 along random directions against the gradient that the hand-written step gives to Adam."""
    module = workloads.load(workload)
    problem = module.problem(np.random.default_rng(4), tiny=True)
    seen = []
    monkeypatch.setattr(
        by_hand.FlatAdam, "step", lambda self: seen.append(np.concatenate([g.ravel() for g in self.gradients]))
    )
    module.numpy_step(problem.weights, problem.batches)(0)

    weights = {name: array.astype(float) for name, array in problem.weights.items()}
    batch = {name: a.astype(float) if a.dtype == np.float32 else a for name, a in problem.batches[0].items()}
    rng = np.random.default_rng(5)
    for _ in range(5):
        direction = {name: rng.standard_normal(array.shape) for name, array in weights.items()}
        h = 1e-5
        up, down = (
            module.array_loss(np, {name: weights[name] + sign * h * direction[name] for name in weights}, batch)
            for sign in (1, -1)
        )
        # W1, b1, W2, ... end to end is also the order of the buffers whose bias is the last row of its matrix
        flat = np.concatenate([array.ravel() for array in direction.values()])
        assert flat @ seen[0] == pytest.approx((up - down) / (2 * h), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("workload", workloads.NAMES)
@pytest.mark.parametrize("peer", [peer for peer in peers.NAMES if peer not in ("numpy", "scratchgen")])
def test_other_libraries_train_alike(workload: str, peer: str) -> None:
    """Where they are installed."""
    pytest.importorskip(peer)
    race.largest_difference({name: losses(workload, name) for name in ("numpy", peer)})


def test_the_weights_of_torchs_transformer() -> None:
    """Linear layers (out, in), queries, keys and values in one; embeddings as they are."""
    workload = workloads.load("transformer")
    weights = workload.problem(np.random.default_rng(0), tiny=True).weights
    turned, x = workload.torch_weights(weights), np.random.default_rng(1).standard_normal((3, 8))
    assert turned["embedding.W"] is weights["embedding.W"] and turned["places.W"] is weights["places.W"]
    np.testing.assert_array_equal(turned["blocks.1.expand.W"], weights["blocks.1.expand.W"].T)
    qkv = x @ turned["blocks.1.attention.qkv.W"].T + turned["blocks.1.attention.qkv.b"]
    for found, part in zip(np.split(qkv, 3, axis=-1), ("query", "key", "value")):
        expected = x @ weights[f"blocks.1.attention.{part}.W"] + weights[f"blocks.1.attention.{part}.b"]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert sum(a.size for a in turned.values()) == sum(a.size for a in weights.values())


def test_the_hand_written_attention_sees_no_future() -> None:
    attention = transformer_by_hand.Attention((1, 5, 2, 3))
    q, k, v = np.random.default_rng(1).standard_normal((3, 1, 5, 6), np.float32)
    before = attention.forward(q, k, v)
    for t in range(5):
        moved = [np.where(np.arange(5)[:, None] >= t, a + 1, a) for a in (q, k, v)]
        after = attention.forward(*moved)
        assert np.array_equal(after[:t], before[:t]) and not np.any(after[t:] == before[t:])


def test_strips_of_a_staircase_put_together_are_the_mask() -> None:
    made, maf = workloads.load("made"), workloads.load("maf")
    for mask in (*made.masks(13, 8), *maf.masks(13, 14, False), *maf.masks(13, 14, True)):
        whole = np.zeros(mask.shape)
        for rows, columns, part in made.staircase(mask):
            whole[rows, columns] = part
        np.testing.assert_array_equal(whole, mask)


@pytest.mark.parametrize("workload", ["realnvp2d", "maf"])
def test_the_losses_of_flows_are_the_change_of_variables(workload: str) -> None:
    """Of one x in float64, with networks of zeros but for the last biases: each layer is h ← (h - b) e^-a, so that x
    is normal, with a mean and standard deviation known for each of its coordinates."""
    module = workloads.load(workload)
    problem = module.problem(np.random.default_rng(6), tiny=True)
    x = problem.batches[0]["x"][:1].astype(float)
    weights = {
        name: np.zeros(array.shape) if name[-2:] != "b3" else array.astype(float)
        for name, array in problem.weights.items()
    }
    mean, log_std = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for layer in range(module.LAYERS):
        b, alpha = weights[f"{layer}.b3"].reshape(-1, 2).T
        mapped = np.array([1 - layer % 2]) if workload == "realnvp2d" else np.arange(x.shape[1])
        mean[mapped] += b * np.exp(log_std[mapped])
        log_std[mapped] += 3 * np.tanh(alpha / 3)
    nll = np.sum(0.5 * ((x[0] - mean) / np.exp(log_std)) ** 2 + log_std + 0.5 * np.log(2 * np.pi))
    assert module.array_loss(np, weights, {"x": x}) == pytest.approx(nll, rel=1e-12)


def test_the_loss_of_bits_and_its_derivative_by_hand() -> None:
    """softplus(l) - x l and sigmoid(l) - x, computed in float64, and near 0 and far from it."""
    logits = np.array([[-80.0, -1.5, 0.0, 2.0], [0.3, 1e-4, -20.0, 80.0]])
    x = np.array([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    dl = np.empty((2, 4), np.float32)
    loss = by_hand.BernoulliLoss((2, 4), 2)(logits.astype(np.float32), ((0.5 - x) / 2).astype(np.float32), dl)
    assert loss == pytest.approx(np.sum(np.logaddexp(0, logits) - x * logits) / 2, rel=1e-6)
    np.testing.assert_allclose(dl, (1 / (1 + np.exp(-logits)) - x) / 2, rtol=1e-6, atol=1e-7)


def test_flat_adam_is_the_textbook_formula() -> None:
    """Kingma and Ba 2015, algorithm 1, in float64; two arrays, more elements than a block."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal((3, 2)), rng.standard_normal(by_hand.BLOCK)]
    adam = by_hand.FlatAdam(start, lr=0.01)
    p = [a.copy() for a in start]
    m, v = [[np.zeros_like(a) for a in start] for _ in range(2)]
    for t in range(1, 6):
        for k in range(2):
            g = rng.standard_normal(p[k].shape)
            adam.gradients[k][...] = g
            m[k] = 0.9 * m[k] + 0.1 * g
            v[k] = 0.999 * v[k] + 0.001 * g**2
            p[k] -= 0.01 * (m[k] / (1 - 0.9**t)) / (np.sqrt(v[k] / (1 - 0.999**t)) + 1e-8)
        adam.step()
    for ours, textbook in zip(adam.values, p):
        np.testing.assert_allclose(ours, textbook, rtol=1e-12, atol=1e-14)


def test_losses_that_differ_stop_the_run() -> None:
    agree = {"numpy": [2.0, 1.0], "torch": [2.0, 1.000004]}
    assert race.largest_difference(agree) == pytest.approx(4e-6, rel=1e-3)
    with pytest.raises(AssertionError, match=r"step 1 .* numpy 1, torch 1.00001"):
        race.largest_difference({"numpy": [2.0, 1.0], "torch": [2.0, 1.00001]})
    with pytest.raises(AssertionError, match="step 0"):
        race.largest_difference({"numpy": [1.0], "torch": [float("nan")]})
    with pytest.raises(ValueError):
        race.largest_difference({"numpy": [1.0], "torch": [1.0, 1.0]})


def test_the_command_races_processes_and_prints_the_tables(capfd: pytest.CaptureFixture[str]) -> None:
    command.main(
        ["--tiny", "--quick", "--rounds", "1", "--only", "scalar", "--peers", "numpy,scratchgen", "--threads", "1"]
    )
    printed = capfd.readouterr().out
    assert "losses agree" in printed
    for peer in ("numpy", "scratchgen"):
        assert any(line.startswith(f"{peer} ") and line.count("(") == 2 for line in printed.splitlines())


def test_a_process_goes_on_where_it_stopped() -> None:
    with race.Worker("scalar", "numpy", race.Settings(seed=3, threads=1, tiny=True)) as worker:
        answers = worker.ask("losses 3") + worker.ask("losses 4")
        assert worker.ask("time 2") > 0
    assert answers == losses("scalar", "numpy", steps=7)


def test_startup_measures_every_figure_once_a_run() -> None:
    results = startup.measure(["numpy"], runs=1, settings=race.Settings(threads=1, tiny=True))
    imported, first_step = results["import"]["numpy"][0], results["first step"]["numpy"][0]
    assert imported > 0 and first_step > 0  # two processes: on a busy machine either may take longer
    if sys.platform != "win32":
        assert 10 < results["peak"]["numpy"][0] < 10_000  # MB, so that a slip of 1024 shows


def test_sharding_measures_a_step_in_each_way_and_counts_its_bytes() -> None:
    """A second shard takes the model once more, and brings back one more gradient."""
    (problem,) = sharding.problems(tiny=True, seed=0)
    model, weights = len(pickle.dumps(problem.model)), 4 * problem.model.count_parameters()
    for one, two, least in zip(*(sharding.bytes_of_a_step(problem, shards) for shards in (1, 2)), (model, weights)):
        assert one > least and least < two - one < least + 1_000  # and what says which arrays they are
    pools = {"1 worker": ThreadPoolExecutor(1), "2 workers": ThreadPoolExecutor(2)}
    cells = sharding.row(problem, pools, rounds=2, seed=0)
    assert len(cells) == len(sharding.HEADER) and cells[:3] == ["VAE of 4 pixels", "168", "6"]


def test_a_peer_that_dies_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with race.Worker("scalar", "no_such_peer", race.Settings(tiny=True)) as worker:
        with pytest.raises(RuntimeError, match="no_such_peer"):
            worker.ask("losses 1")
    assert "KeyError" in capfd.readouterr().err


def test_report() -> None:
    assert report.quartiles([3.0, 1.0, 2.0, 5.0, 4.0]) == (2.0, 3.0, 4.0)
    assert report.spread([0.5]) == "0.50 (0.50–0.50)"
    assert report.ratios({"a": [2.0, 6.0], "b": [1.0, 2.0]}, "a", "b") == [2.0, 3.0]
    assert report.ratios({"a": [2.0]}, "a", "torch") == []
    assert report.table(["", "x"], [["a", "1.0"], ["bc", "10.0"]]) == "       x\na    1.0\nbc  10.0"
