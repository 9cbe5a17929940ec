"""The payoff: a model trained on the learner's functions; a wrong one is used on demand only, and nothing is hidden."""

import contextlib
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from scratchgen.__main__ import main
from scratchgen.autodiff import Tensor, jacobian
from scratchgen.cli.exercises import DEMOS
from scratchgen.exercises.kit import Failure, Student, exercises
from scratchgen.exercises.kit import desk as kit_desk
from scratchgen.exercises.kit.desk import Desk
from scratchgen.exercises.kit.exercise import ERROR, Verdict
from scratchgen.exercises.kit.folder import Folder, Refused
from scratchgen.exercises.kit.load import ROOT, Checked
from scratchgen.exercises.kit.reading import Unreadable, define
from scratchgen.exercises.payoff import child, desk
from scratchgen.exercises.payoff.pieces import Optimizer, Pieces, guarded, trainable, weights
from scratchgen.exercises.payoff.stage import Stage
from scratchgen.optim import Adam

EVERY = exercises()
TINY = 0.001
# A wrong answer in each: the exercise, and its mistake.
WRONG = {
    "vae": (17, "averaging KL over the latent dimensions"),
    "made": (18, "≤ into the outputs too, so that each output sees its own input"),
    "flow": (22, "leaving out the log-determinants"),
    "diffusion": (28, "β_t for the posterior variance"),
}
# Less to evaluate and draw than there is in earnest.
SMALL = {
    "vae": {"K": 2},
    "made": {"SAMPLES": 10},
    "flow": {"UNSEEN": 100, "SAMPLES": 100, "GRID": 10},
    "diffusion": {"SAMPLES": 20},
}


def payoff(name):
    return importlib.import_module(f"scratchgen.exercises.payoff.{name}")


def check_here(exercise, path, seconds):
    """What `check_file` does, without a process."""
    try:
        return Checked(exercise.verdict(Student(define(path))), "")
    except Unreadable as error:
        return Checked(Verdict(ERROR, str(error)))


def run_here(task):
    """What `run_child` does, without a process, and in hardly any time."""
    problem = child.show({**task, "effort": TINY})
    if problem:
        print(problem)
    return 1 if problem else 0


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, constants in SMALL.items():
        for constant, value in constants.items():
            monkeypatch.setattr(payoff(name), constant, value)


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take longer than all the rest together: axes that take any call, and an empty file."""

    def figure(stage, title, rows, columns):
        axes = np.empty((rows, columns), object)
        axes.flat = [Mock() for _ in axes.flat]
        return Mock(), axes

    monkeypatch.setattr(Stage, "figure", figure)
    monkeypatch.setattr(Stage, "save", lambda stage, figure: (stage.out / f"{stage.name}.png").touch())


def numbers(out):
    """What was printed in training, without the seconds."""
    return re.findall(r"^\[.*?s\] (.*)", out, re.MULTILINE)


@pytest.fixture
def at_hand(monkeypatch, tmp_path):
    """A function that makes the learner's folder with some exercises solved, some with a mistake, and runs the demo."""
    monkeypatch.setattr(kit_desk, "check_file", check_here)
    monkeypatch.setattr(desk, "run_child", run_here)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(name, solved, mistakes=None, **options):
        needed = {n: EVERY[n] for n in payoff(name).FUNCTIONS}
        mine = Desk(Folder.create(tmp_path / "my exercises é"), needed, restore=True)
        for n in solved:
            mine.folder.file(EVERY[n]).write_text(EVERY[n].solution, encoding="utf-8")
        for n, source in (mistakes or {}).items():
            mine.folder.file(EVERY[n]).write_text(source, encoding="utf-8")
        given = {"out": None, "seed": 0, "quick": True, "anyway": False, "seconds": 20.0, **options}
        return desk.demo(mine, name, **given), mine.folder.path / f"{name}.png"

    return run


def with_mistake(name):
    """The number of an exercise, and its solution with a mistake in it."""
    from scratchgen.exercises.kit.source import changed

    number, mistake = WRONG[name]
    return number, changed(EVERY[number].text, EVERY[number].wrong[mistake])


@pytest.mark.parametrize("name", DEMOS)
def test_it_is_trained_on_the_learners_functions_and_draws_them(name, at_hand, capsys):
    needed = payoff(name).FUNCTIONS
    code, picture = at_hand(name, needed)
    out = capsys.readouterr().out
    assert code == 0 and picture.read_bytes()[:4] == b"\x89PNG"
    assert out.count("  yours\n") == len(needed) and "solution" not in out
    assert f"{name}.png" in out


@pytest.mark.parametrize("name", DEMOS)
def test_each_function_that_it_needs_is_called(name, tmp_path, monkeypatch, undrawn):
    """What is not called would be "yours" for nothing; and nothing but what is named is needed."""
    called = set()

    def noted(function):
        inner = guarded(function)

        def run(*arguments):
            called.add(function.__name__)
            return inner(*arguments)

        return run

    monkeypatch.setattr("scratchgen.exercises.payoff.pieces.guarded", noted)
    needed = [EVERY[n] for n in payoff(name).FUNCTIONS]
    payoff(name).run(Pieces(needed, {}), Stage(name, tmp_path, effort=TINY))
    assert called == {f for functions in payoff(name).FUNCTIONS.values() for f in functions}


@pytest.mark.parametrize("name", DEMOS)
def test_where_one_is_missing_the_solution_stands_in_and_it_is_said(name, at_hand, undrawn, capsys):
    first, *others = payoff(name).FUNCTIONS
    code, picture = at_hand(name, others)
    out = capsys.readouterr().out
    assert code == 0 and picture.exists()
    assert out.count("  yours\n") == len(others)
    assert out.count("the solution, since yours is not written yet") == 1
    assert f" {first}  {EVERY[first].functions[0]}" in out


@pytest.mark.parametrize("name", DEMOS)
def test_a_wrong_one_is_used_only_anyway_and_its_mistake_is_named(name, at_hand, undrawn, capsys):
    number, source = with_mistake(name)
    others = [n for n in payoff(name).FUNCTIONS if n != number]
    assert at_hand(name, others, {number: source})[0] == 0
    refused = capsys.readouterr().out
    assert f"the solution, since the check fails ({WRONG[name][1]}" in refused and "With --anyway" in refused
    assert at_hand(name, others, {number: source}, anyway=True)[0] == 0
    used = capsys.readouterr().out
    assert f"yours, although the check fails ({WRONG[name][1]}" in used
    assert "What the checks say:" in used and f"This is exactly what you get by {WRONG[name][1]}" in used
    at_hand(name, [*others, number])
    right = numbers(capsys.readouterr().out)
    assert numbers(refused) == right != numbers(used)


@pytest.mark.parametrize("name", DEMOS)
def test_the_same_seed_gives_the_same_numbers(name, tmp_path, undrawn, capsys):
    needed, said = [EVERY[n] for n in payoff(name).FUNCTIONS], []
    for seed in (0, 0, 1):
        payoff(name).run(Pieces(needed, {}), Stage(name, tmp_path, seed, TINY))
        said.append(numbers(capsys.readouterr().out))
    assert said[0] == said[1] != said[2]


def test_without_a_function_of_ones_own_it_says_what_to_solve_first(at_hand, undrawn):
    with pytest.raises(Refused, match="solve one of the exercises 6, 7, 8, 10, 11, 12, 15, 17 first"):
        at_hand("vae", [])
    number, source = with_mistake("vae")
    with pytest.raises(Refused, match="exercises check 17` tells how far you are; --anyway uses what fails"):
        at_hand("vae", [], {number: source})
    assert at_hand("vae", [], {number: source}, anyway=True)[0] == 0


def test_what_cannot_be_read_is_never_used(at_hand, undrawn, capsys):
    assert at_hand("vae", [6], {11: "def kl_gaussians(:"}, anyway=True)[0] == 0
    assert "the solution, since yours cannot be run" in capsys.readouterr().out


def test_an_error_in_training_tells_the_learners_own_line(at_hand, undrawn, capsys):
    """Such as one that only data of this size bring about; with --anyway, any."""
    source = EVERY[11].solution.replace(
        "    variance_ratio", "    assert len(mean_q) < 9, 'too many'\n    variance_ratio"
    )
    code, picture = at_hand("vae", [6], {11: source})
    out = capsys.readouterr().out
    assert code == 1 and not picture.exists()
    assert "kl_gaussians raised AssertionError: too many" in out and "in kl_gaussians" in out
    assert "assert len(mean_q) < 9" in out
    code, _ = at_hand("vae", [6], {11: EVERY[11].solution.replace("return ", "return str(0) * 0 * ")}, anyway=True)
    assert code == 1 and "in kl_gaussians" in capsys.readouterr().out
    code, _ = at_hand("vae", [6], {11: EVERY[11].solution.replace("return ", "return 'x' or ")}, anyway=True)
    assert code == 1 and "With kl_gaussians, whose check fails, this cannot go on" in capsys.readouterr().out


def test_a_picture_that_cannot_be_written_is_refused(at_hand, undrawn, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be made a folder"):
        at_hand("made", [6], out=tmp_path / "file")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(Refused, match="name another folder by --out"):
        at_hand("made", [6], out=tmp_path / "out")


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    figure = Mock()
    figure.savefig.side_effect = PermissionError(13, "Permission denied")
    with pytest.raises(Failure, match=r"vae\.png cannot be written: Permission denied"):
        Stage("vae", tmp_path).save(figure)


def test_samples_that_are_no_numbers_are_drawn_and_told_all_the_same(at_hand, undrawn, capsys):
    source = EVERY[28].solution.replace("return mean + ", "return np.nan * mean + ")
    assert source != EVERY[28].solution
    assert at_hand("diffusion", [6], {28: source}, anyway=True)[0] == 0
    assert "distance of DDPM, 100 steps from data: nan" in capsys.readouterr().out


def test_a_training_that_diverges_ends_with_the_step(tmp_path):
    stage = Stage("nothing", tmp_path)
    with pytest.raises(Failure, match="After step 3 of the training the loss is nan"):
        stage.train(9, lambda i: 1.0 if i < 2 else np.nan, "loss")
    with pytest.raises(Failure, match="After step 1"):
        stage.train(9, lambda i: np.ones(3), "loss")


def test_the_optimizer_does_what_that_of_the_library_does():
    mine, other = (Tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    ours, library = Optimizer(Pieces([EVERY[6]], {}), [[(mine,)]], lr=0.1), Adam([other], lr=0.1)
    for p, optimizer in ((mine, ours), (other, library)):
        for i in range(5):
            optimizer.zero_grad()
            (p**4 + i * p).sum().backward()
            optimizer.step()
    np.testing.assert_allclose(mine.data, other.data, rtol=1e-12)


def test_the_command_with_processes_of_its_own(tmp_path, capfd):
    """One exercise solved, in a folder with a space, and a file in it that is not NumPy; `--out` elsewhere."""
    mine = tmp_path / "my exercises"
    assert main(["exercises", "init", str(mine)]) == 0
    (mine / "numpy.py").write_text("raise ImportError('not NumPy')")
    (mine / "ex11_kl_gaussians.py").write_text("print('read')\n" + EVERY[11].solution, encoding="utf-8")
    arguments = ["exercises", "demo", "vae", "--with", str(mine), "--out", str(tmp_path / "out"), "--quick"]
    assert main(arguments) == 0, capfd.readouterr()
    out = capfd.readouterr().out
    assert "kl_gaussians                       yours" in out and (tmp_path / "out" / "vae.png").exists()
    assert not list(mine.glob("__pycache__"))


def test_demo_with_is_another_name_of_it(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(desk, "demo", lambda desk, *options: asked.append((desk.folder.path, *options)) or 0)
    monkeypatch.setattr("scratchgen.cli.demo.ROOT", tmp_path)  # as in an installed package, without the repository
    main(["exercises", "init", str(tmp_path / "mine")])
    more = ["--with", str(tmp_path / "mine"), "--seed", "7", "--out", "here", "--anyway"]
    assert main(["demo", "flow", *more]) == main(["exercises", "demo", "flow", *more]) == 0
    assert asked[0] == asked[1] == (tmp_path / "mine", "flow", Path("here"), 7, False, True, 20)
    assert main(["demo", "flow", "--quick", "--with", str(tmp_path / "mine")]) == 0
    assert asked[2] == (tmp_path / "mine", "flow", None, 0, True, False, 20)
    capsys.readouterr()
    for wrong in (["page09_vae", *more], ["vae", "made", *more], more, ["vae", "--jobs", "2", *more]):
        assert main(["demo", *wrong]) == 2
        assert "one of the demos vae, made, flow, diffusion" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["exercises", "demo", "vae", "--seed", "-1"])
    assert "-1 is not a whole number of at least 0" in capsys.readouterr().err
    assert main(["demo", "vae", "--anyway"]) == 2
    assert "name the folder of your exercises by --with" in capsys.readouterr().err


def test_a_file_that_replaces_numpy_is_not_trained_on(tmp_path):
    file = tmp_path / "ex11_kl_gaussians.py"
    file.write_text("import numpy as np\nnp.exp = abs\n" + EVERY[11].solution, encoding="utf-8")
    task = {
        "payoff": "vae", "exercises": [EVERY[11].id], "files": {EVERY[11].id: str(file)}, "folder": str(tmp_path),
        "out": str(tmp_path), "seed": 0, "effort": TINY, "notes": [], "unchecked": [],
    }  # fmt: skip
    exp = np.exp
    try:
        assert "replace numpy.exp" in child.show(task)
    finally:
        np.exp = exp


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
def test_ctrl_c_ends_an_endless_training(tmp_path):
    """What Ctrl-C in a terminal sends goes to the child too; it ends at once, even if the learner catches all."""
    file = tmp_path / "ex12_reparameterise.py"
    tried = "    try:\n        print('in', flush=True)\n        while True: pass\n"
    file.write_text(f"while True:\n{tried}    except BaseException: pass\n", encoding="utf-8")
    task = {
        "payoff": "vae", "exercises": [EVERY[12].id], "files": {EVERY[12].id: str(file)}, "folder": str(tmp_path),
        "out": str(tmp_path), "seed": 0, "effort": TINY, "notes": [], "unchecked": [],
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", child.__name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        assert process.stdout.readline() == b"in\n"
        process.send_signal(2)
        assert process.wait(20) == -2
        process.stdout.close()


ARRAYS = {  # right, and of arrays only
    "forward": "z = np.zeros(x.shape); h = x.shape[1] // 2; s, t = network(x[:, :h]); z[:, :h] = x[:, :h]; "
    "z[:, h:] = x[:, h:] * np.exp(s) + t; return z, np.sum(s, axis=1)",
    "flow_log_density": "total = np.zeros(len(x))\n    for f in layers:\n        x, logdet = f(x); total += logdet\n"
    "    return total - np.log(2 * np.pi) * x.shape[1] / 2 - 0.5 * np.einsum('bd,bd->b', x, x)",
}


@pytest.mark.parametrize(("number", "name"), [(21, "forward"), (22, "flow_log_density")])
def test_a_right_function_of_arrays_evaluates_and_the_solution_trains(number, name, at_hand, undrawn, capsys):
    function = {"forward": "def forward(x, network):", "flow_log_density": "def flow_log_density(x, layers):"}[name]
    source = EVERY[number].solution + f"\n\n{function}\n    {ARRAYS[name]}\n"
    needed = payoff("flow").FUNCTIONS
    assert at_hand("flow", [n for n in needed if n != number], {number: source})[0] == 0
    out = capsys.readouterr().out
    assert f"{name}: yours is for arrays only" in out and out.count("  yours\n") == len(needed)
    at_hand("flow", needed)
    right = capsys.readouterr().out
    assert numbers(out) == numbers(right) and "arrays only" not in right


def test_each_way_to_fail_on_tensors_is_told(capsys):
    pieces = Pieces([EVERY[10]], {})
    pieces._own.add("bernoulli_log_prob")
    for trial in (lambda f, p: f(np.eye(2), p.data * np.ones((2, 2))), lambda f, p: f(p), lambda f, p: None):
        assert trainable(pieces, "bernoulli_log_prob", trial) is not pieces.bernoulli_log_prob
        assert "arrays only" in capsys.readouterr().out


# -- what the payoffs compute themselves, against exact values -------------------------------------------------------


def solutions(name):
    return Pieces([EVERY[n] for n in payoff(name).FUNCTIONS], {})


def test_the_bounds_of_the_vae_where_they_are_known():
    """Two draws of each image, by SciPy's densities; and log p(x) itself where z tells nothing and q is the prior."""
    from scipy.stats import bernoulli, norm

    rng = np.random.default_rng(0)
    x, eps = rng.integers(2, size=(3, 64)).astype(float), rng.standard_normal((2, 3, 2))
    mean, logvar, W = rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), rng.standard_normal((2, 64))
    fit, kl, bound = payoff("vae").bounds(
        solutions("vae"), lambda x: Tensor(np.hstack([mean, logvar])), lambda z: Tensor(z @ W), x, eps
    )
    std = np.exp(0.5 * logvar)
    z = mean + std * eps
    log_likelihood = bernoulli.logpmf(x, 1 / (1 + np.exp(-z @ W))).sum(axis=2)
    np.testing.assert_allclose(fit, log_likelihood.mean(), rtol=1e-10)
    np.testing.assert_allclose(kl, (0.5 * (std**2 + mean**2 - 1 - logvar)).sum(axis=1).mean(), rtol=1e-10)
    log_ratio = (norm.logpdf(z) - norm.logpdf(z, mean, std)).sum(axis=2)
    exact = np.logaddexp(*(log_likelihood + log_ratio)) - np.log(2)
    np.testing.assert_allclose(bound, exact.mean(), rtol=1e-10)

    fit, kl, bound = payoff("vae").bounds(
        solutions("vae"), lambda x: Tensor(np.zeros((3, 4))), lambda z: Tensor(np.zeros((len(z), 64))), x,
        rng.standard_normal((5, 3, 2)),
    )  # fmt: skip
    np.testing.assert_allclose([fit, kl, bound], [-64 * np.log(2), 0, -64 * np.log(2)], atol=1e-10)


def test_independent_pixels_by_hand():
    x, unseen = np.zeros((3, 64)), np.zeros((2, 64))
    x[0, 0] = unseen[:, 0] = 1  # P = 1.5 / 4; of the others 1 − 0.5 / 4
    exact = np.log(1.5 / 4) + 63 * np.log(3.5 / 4)
    np.testing.assert_allclose(payoff("vae").independent_pixels(solutions("vae"), x, unseen), exact, rtol=1e-12)


def test_the_plane_is_decoded_from_top_left_to_bottom_right():
    seen = []
    payoff("vae").decoded_plane(lambda z: seen.append(z) or Tensor(np.zeros((len(z), 64))), side=3)
    assert seen[0][0, 0] < -0.9 and seen[0][0, 1] > 0.9 and seen[0][2, 0] > 0.9 > -0.9 > seen[0][-1, 1]


def test_the_flow_goes_back_where_it_came_from_and_knows_its_determinant():
    """Equation (2) of `flow`: the round trip, and log |det| by the Jacobian of autodiff."""
    flow, pieces, rng = payoff("flow"), solutions("flow"), np.random.default_rng(0)
    model = flow.Flow([weights(pieces.init_mlp([1, 8, 2], rng)) for _ in range(3)], pieces.mlp)
    v = rng.random((4, 2))
    h, total = v, 0.0
    for layer in model.layers(pieces.forward, numbers=True):
        h, logdet = layer(h)
        total = total + logdet
    np.testing.assert_allclose(model.inverted(h, pieces.inverse), v, atol=1e-12)

    def z_of(row):
        z = row.reshape(1, 2)
        for layer in model.layers(pieces.forward):
            z, _ = layer(z)
        return z.reshape(2)

    exact = [np.linalg.slogdet(np.asarray(jacobian(z_of)(row)))[1] for row in v]
    np.testing.assert_allclose(total, exact, rtol=1e-10)
    x, y, density = flow.on_a_grid(lambda v: np.log(4 * v[:, 0] * v[:, 1] ** 0), 50)  # 4 x: not 1, to see the mean
    np.testing.assert_allclose([density.mean(), density[3, 40]], [2, 4 * x[40]], rtol=1e-10)
    assert len(y) == 50


def test_a_leak_is_counted_pair_by_pair():
    """Of W with ones, only what is on or below the diagonal is a leak: input i to output j ≤ i."""
    leak, x = payoff("made").leak, np.zeros((5, 64))
    W = np.triu(np.ones((64, 64)), 1)
    assert leak(lambda x: Tensor(x @ W), x) == 0
    W[7, 7] = W[9, 2] = 1
    assert leak(lambda x: Tensor(x @ W), x) == 2


def test_the_points_are_dots_of_the_screen():
    flow = payoff("flow")
    corners = np.array([[-1, -1], [0, 0], [1, 1]]) * flow.SIDE / 2
    assert flow.pixels(corners).tolist() == [[0, 0], [512, 512], [1023, 1023]]


def test_the_network_is_told_the_class_and_the_step():
    features, x = payoff("diffusion").features, np.zeros((3, 2))
    told = features(x, 7, np.array([0, 1, 2]))
    assert told[:, -2:].tolist() == [[1, 0], [0, 1], [0, 0]] and told.shape == (3, 24)
    steps = [features(x[:1], t, np.array([2]))[0] for t in range(101)]
    assert len(np.unique(np.round(steps, 6), axis=0)) == 101  # no two steps look the same
    assert np.array_equal(features(x, np.array([3, 4, 5]), np.array([2, 2, 2])), steps[3:6])


@pytest.mark.slow
class TestInFull:
    """All solved, in processes of their own, with all steps: the figures are those that the models are worth."""

    @pytest.fixture(autouse=True)
    def solved(self, tmp_path, capfd):
        mine = Folder.create(tmp_path / "all solved")
        Desk(mine, EVERY, restore=True)
        for exercise in EVERY.values():
            mine.file(exercise).write_text(exercise.solution, encoding="utf-8")
        self.path, self.read = mine.path, lambda: capfd.readouterr().out

    def figures(self, name, pattern):
        assert main(["exercises", "demo", name, "--with", str(self.path)]) == 0
        out = self.read()
        assert (self.path / f"{name}.png").stat().st_size > 20_000
        found = re.search(pattern, out, re.DOTALL)
        assert found, out
        return [float(x) for x in found.groups()]

    def test_vae(self):
        elbo, tighter, alone = self.figures(
            "vae", r"the ELBO is (\S+) nats.*bound of 100 draws is (\S+),.*independent pixels is (\S+)"
        )
        assert alone + 2 < elbo < tighter < -18

    def test_made(self):
        nll, alone, leaks = self.figures(
            "made", r"unseen digits is (\S+) nats; .* it is (\S+)\n.*not know of them: (\d+)"
        )
        assert nll < alone - 6 and leaks == 0

    def test_flow(self):
        gap, error, integral = self.figures("flow", r"in nats: (\S+) ± (\S+);.*over the screen is (\S+):")
        assert 0 < gap < 0.08 and error < 0.01
        assert abs(integral - 1) < 0.01

    def test_diffusion(self):
        data, ddpm, ddim = self.figures(
            "diffusion", r"data from data: (\S+),.*DDPM.*data: (\S+)\n.*DDIM.*data: (\S+)\n"
        )
        assert data < 0.08 and ddpm < 0.12 and ddim < 0.2
