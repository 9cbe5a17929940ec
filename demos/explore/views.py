"""What there is to see of a model at a point of its latent space: plain functions of arrays, without any window.

    p(x_j = l | z) = softmax(decoder(z)_j)_l                        a table for each pixel j, levels l = 0 … 16    (1)
    mean_j = Σ_l l p(x_j = l | z)                                                                                  (2)
    x_j = the number of levels l with p(x_j ≤ l | z) ≤ u_j,         u_j uniform: a draw of x                       (3)

    x = f_1⁻¹( … f_L⁻¹(z)),    log p(x) = log N(z; 0, I) − log |det ∂x/∂z|                                         (4)
    z_t = (1 − t) z_a + t z_b                                       a straight line of noises                      (5)
    T z,    z ~ N(0, I)                                             noise of temperature T                         (6)

The u of (3) and the z of (6) are drawn once, and kept while a slider moves: then all that changes is what the slider
does. ``nets.js`` computes (1) to (4) again.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from demos.explore.models import LEVELS, SIDE, TOY
from demos.page11_grid import after_each_layer
from scratchgen.autodiff import no_grad, softmax

REACH = 3.0  # the plane of codes is shown from −REACH to REACH, in standard deviations of the prior


class Seen(NamedTuple):
    """What the decoder says of one image."""

    levels: np.ndarray  # (64, 17): the probability of each level, for each pixel (1)
    mean: np.ndarray  # (8, 8), from 0 to 16 (2)
    draw: np.ndarray  # (8, 8) integers (3)


class Place(NamedTuple):
    """Where a flow takes a point of noise."""

    x: np.ndarray  # (2,)
    log_prob: float  # of the model (4), in nats


def level_probabilities(vae: Any, z: np.ndarray) -> np.ndarray:
    """(1) for codes (n, 2): (n, 64, 17)."""
    with no_grad():
        logits = np.asarray(vae.decoder(z).data).reshape(len(z), -1, LEVELS)
        return np.asarray(softmax(logits, axis=-1))


def means(vae: Any, z: np.ndarray) -> np.ndarray:
    """(2) for codes (n, 2): images (n, 8, 8)."""
    return (level_probabilities(vae, z) @ np.arange(LEVELS)).reshape(-1, SIDE, SIDE)


def drawn(levels: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(3): an integer for each table of (…, 17), from the uniform numbers u, (…).

    >>> drawn(np.array([[0.25, 0.75], [0.25, 0.75]]), np.array([0.2, 0.3]))
    array([0, 1])
    """
    below = np.cumsum(levels, axis=-1)[..., :-1]  # the last is 1 but for rounding, and u may not pass it
    return np.sum(below <= u[..., None], axis=-1)


def seen(vae: Any, z: np.ndarray, u: np.ndarray) -> Seen:
    """All of (1) to (3) at one code (2,), for uniform numbers (64,)."""
    levels = level_probabilities(vae, z[None])[0]
    return Seen(levels, (levels @ np.arange(LEVELS)).reshape(SIDE, SIDE), drawn(levels, u).reshape(SIDE, SIDE))


def traversal(vae: Any, z: np.ndarray, axis: int, n: int = 13) -> np.ndarray:
    """Mean images along one axis through z, from −REACH to REACH: (n, 8, 8)."""
    codes = np.repeat(z[None], n, axis=0)
    codes[:, axis] = np.linspace(-REACH, REACH, n)
    return means(vae, codes)


def manifold(vae: Any, n: int = 15) -> np.ndarray:
    """Mean images of n × n codes, each within a margin, as one picture (10 n, 10 n): z₁ to the right, z₂ upwards."""
    axis = REACH * ((np.arange(n) + 0.5) * 2 / n - 1)  # the middles of the tiles
    first, second = np.meshgrid(axis, axis[::-1])
    tiles = np.pad(means(vae, np.stack([first.ravel(), second.ravel()], axis=1)), [(0, 0), (1, 1), (1, 1)])
    tall = SIDE + 2
    return tiles.reshape(n, n, tall, tall).swapaxes(1, 2).reshape(n * tall, n * tall)


def codes(vae: Any, x: np.ndarray) -> np.ndarray:
    """The means of q(z|x), (n, 2)."""
    with no_grad():
        return np.asarray(vae.encode(x).mean.data)


def neighbours(z: np.ndarray, points: np.ndarray, labels: np.ndarray, k: int = 15) -> tuple[int, int]:
    """The commonest label among the k points that are nearest to z, and how many of them have it.

    >>> neighbours(np.zeros(2), np.array([[0.0, 1.0], [1.0, 0.0], [9.0, 9.0]]), np.array([4, 4, 7]), k=2)
    (4, 2)
    """
    nearest = np.argsort(np.sum((points - z) ** 2, axis=1), kind="stable")[:k]
    counts = np.bincount(labels[nearest])
    return int(counts.argmax()), int(counts.max())


def place(flow: Any, z: np.ndarray) -> Place:
    """(4) for one point of noise, (2,)."""
    places, totals = after_each_layer(flow.transform, z[None])
    log_base = -0.5 * np.sum(z**2) - np.log(2 * np.pi)
    return Place(places[-1, 0], float(log_base - totals[-1, 0]))


def layers(flow: Any, z: np.ndarray) -> np.ndarray:
    """z (n, 2) and what becomes of it after each layer on the way to data: (L + 1, n, 2)."""
    return after_each_layer(flow.transform, z)[0]


def line(a: np.ndarray, b: np.ndarray, t: Any) -> np.ndarray:
    """(5), for one t or an array of them.

    >>> line(np.array([0.0, 2.0]), np.array([4.0, 2.0]), 0.25)
    array([1., 2.])
    """
    t = np.asarray(t)[..., None]
    return (1 - t) * a + t * b


@cache
def true_density() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The density that the flow is to learn, on a grid: the axes (161,) and (101,), and p(x) (101, 161)."""
    first, second = np.linspace(-1.5, 2.5, 161), np.linspace(-1.0, 1.5, 101)
    places = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    return first, second, np.exp(TOY.log_prob(places)).reshape(len(second), len(first))
