"""A flow of the two moons, as they are on a screen of 1024 × 1024 dots: exercises 6, 7, 21, 22 and 24.

A point is two integers x from 0 to 1023. Uniform noise u makes a continuous v of them, and a chain of invertible layers
maps v to z ~ N(0, I):

    v = (x + u) / 1024,    z = f_n(… f_1(v)),    log p(v) = log N(z; 0, I) + Σ_i log |det f_i|   (1)
    f_1(v) = (v − ½) · scale,    then couplings, with the two coordinates exchanged between them (2)
    log P(x) ≥ log p(v) − 2 log 1024                                                            (3)

The density of the moons is known, and so is their entropy: no model's mean of −log p(v) is below it. (A dot is an
eighteenth of the noise's standard deviation wide; what is lost by it is far less than the error of any figure here.)
Drawn are the density, and samples: v = f_1⁻¹(… f_n⁻¹(z)). Lecture, page 11.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.data import TwoMoons
from scratchgen.exercises.payoff.pieces import Optimizer, Pieces, trainable, weights
from scratchgen.exercises.payoff.stage import Stage, smooth
from scratchgen.plotting import curves

TITLE = "A flow of the two moons"
SECONDS = 15
FUNCTIONS = {
    6: ("adam_step",),
    7: ("init_mlp", "mlp"),
    21: ("forward", "inverse"),
    22: ("flow_log_density",),
    24: ("dequantise", "bits_per_dimension"),
}
LEVELS, COUPLINGS, HIDDEN = 1024, 6, 48
BATCH, STEPS = 256, 5000
UNSEEN, SAMPLES, GRID = 10_000, 2000, 200
MOONS = TwoMoons(std=0.1)
SIDE = 2 * MOONS.radius  # of the square that is the screen, centred at the origin


def pixels(points: np.ndarray) -> np.ndarray:
    """The dot of the screen that each point is in, (n, 2) integers."""
    return np.clip(np.floor((points / SIDE + 0.5) * LEVELS), 0, LEVELS - 1).astype(int)


class Flow:
    """The layers of (2), which are put together from the functions that are given.

    Args:
        networks: the layers of the network of each coupling.
        mlp: the network, exercise 7.
    """

    def __init__(self, networks: list[Any], mlp: Callable[..., Any]) -> None:
        self.networks, self.mlp, self.scale = networks, mlp, SIDE

    def network(self, k: int, numbers: bool = False) -> Callable[[Any], tuple[Any, Any]]:
        """That of coupling k: log-scale s, within ±2, and shift t, (B, 1) each; as arrays if they are to be numbers."""

        def s_and_t(h: Any) -> tuple[Any, Any]:
            out = self.mlp(self.networks[k], h)
            s, t = 2 * np.tanh(out[:, :1] / 2), out[:, 1:]
            return (s.data, t.data) if numbers else (s, t)

        return s_and_t

    def layers(self, forward: Callable[..., Any], numbers: bool = False) -> list[Callable[[Any], tuple[Any, Any]]]:
        """f_1, f_2, … from data to noise, with ``forward`` of exercise 21."""

        def centred(v: Any) -> tuple[Any, Any]:
            return (v - 0.5) * self.scale, np.full(len(v), 2 * np.log(self.scale))

        def coupling(k: int) -> Callable[[Any], tuple[Any, Any]]:
            return lambda h: forward(exchanged(h) if k else h, self.network(k, numbers))

        return [centred, *map(coupling, range(len(self.networks)))]

    def inverted(self, z: np.ndarray, inverse: Callable[..., Any]) -> np.ndarray:
        """v for z, with ``inverse`` of exercise 21: the layers backwards."""
        for k in reversed(range(len(self.networks))):
            z = inverse(z, self.network(k, numbers=True))
            z = exchanged(z) if k else z
        return np.asarray(z / self.scale + 0.5)


def exchanged(h: Any) -> Any:
    """The two coordinates, the second first; areas stay as they are."""
    return h[:, ::-1]


def run(pieces: Pieces, stage: Stage) -> None:
    """Train the model, say what it is worth, and draw it."""
    rng = np.random.default_rng(stage.seed)
    flow = Flow([weights(pieces.init_mlp([1, HIDDEN, HIDDEN, 2], rng)) for _ in range(COUPLINGS)], pieces.mlp)
    optimizer = Optimizer(pieces, flow.networks, lr=3e-3)
    forward = trainable(pieces, "forward", lambda f, p: f(np.ones((2, 2)) * p, lambda h: (h * p, h + p)))
    log_density = trainable(pieces, "flow_log_density", lambda f, p: f(p * np.ones((2, 2)), [lambda h: (h, h[:, 0])]))
    in_training, steps = flow.layers(forward), stage.steps(STEPS)

    def data(n: int) -> np.ndarray:
        return np.asarray(pieces.dequantise(pixels(MOONS.sample(n, rng)), LEVELS, rng.random((n, 2))))

    def step(i: int) -> float:
        optimizer.lr = 3e-3 * (1 - i / steps)
        loss = -np.mean(log_density(data(BATCH), in_training))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.data)

    losses = stage.train(STEPS, step, "NLL")

    layers, unseen = flow.layers(pieces.forward, numbers=True), data(UNSEEN)
    log_p = pieces.flow_log_density(unseen, layers)
    gap = MOONS.log_prob(SIDE * (unseen - 0.5)) + 2 * np.log(SIDE) - log_p  # log p − log p_model of the same points
    bits = float(np.mean(pieces.bits_per_dimension(log_p, LEVELS, 2)))
    entropy = MOONS.entropy() - 2 * np.log(SIDE)  # of v, which is measured in units of the screen
    truth = (2 * np.log(LEVELS) + entropy) / (2 * np.log(2))
    samples = flow.inverted(rng.standard_normal((SAMPLES, 2)), pieces.inverse)
    stage.say(f"on {UNSEEN:,} unseen points, {bits:.3f} bits per dimension; the entropy is {truth:.3f}")
    stage.say(
        f"the gap to the entropy, in nats: {np.mean(gap):.3f} ± {np.std(gap) / UNSEEN**0.5:.3f}; of a density it is ≥ 0"
    )
    x, y, density = on_a_grid(lambda v: pieces.flow_log_density(v, layers), GRID)
    stage.say(f"the integral of the density over the screen is {density.mean():.3f}: that of a density is 1")

    figure, ((left, right), (below, curve)) = stage.figure(TITLE, 2, 2)
    left.scatter(*unseen[:SAMPLES].T, s=3, linewidths=0)
    left.set_title("two moons")
    right.scatter(*samples.T, s=3, linewidths=0)
    right.set_title("drawn from the flow")
    below.pcolormesh(x, y, density, cmap="Blues", vmax=np.nanquantile(density, 0.995))
    below.set_title("the density of the flow")
    for ax in (left, right, below):
        ax.set(xlim=(0.2, 0.95), ylim=(0.2, 0.8), aspect="equal")
    curves({"NLL in training": smooth(losses)}, curve, {"entropy": entropy}, ylabel="nats")
    curve.set_title("the negative log-likelihood")
    stage.save(figure)


def on_a_grid(log_p: Callable[[np.ndarray], np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y (n,), and the density there, (n, n)."""
    axis = (np.arange(n) + 0.5) / n
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return axis, axis, np.exp(log_p(points)).reshape(n, n)
