"""The transformer as a model of images: half of one is given, and the rest drawn given that half."""

from itertools import product

import numpy as np
import pytest

from scratchgen.autoregressive import Transformer
from scratchgen.data import digits
from scratchgen.optim import Adam
from scratchgen.training import fit
from tests.autoregressive.test_transformer import model

N = 20_000


@pytest.mark.parametrize("masked", [False, True])
def test_a_completion_has_the_probabilities_given_the_upper_half(masked: bool) -> None:
    """Of 2 × 3 pixels with 3 levels: p(below | above) = p(above, below) / Σ p(above, ·), by enumeration."""
    net, above = model(dims=6).eval(), np.array([2, 0, 1])
    whole = np.array([[*above, *below] for below in product(range(3), repeat=3)])
    joint = np.exp(net.log_prob(whole).data)
    if masked:
        given, known = np.array([[2, 0, 1], [0, 0, 0]]).ravel(), np.array([[True] * 3, [False] * 3]).ravel()
        x = net.sample(N, 3, given=given, known=known)
    else:
        x = net.sample(N, 3, given=above)
    np.testing.assert_array_equal(x[:, :3], np.tile(above, (N, 1)))
    p, counts = joint / joint.sum(), np.bincount(x[:, 3:] @ [9, 3, 1], minlength=27)
    assert np.all(np.abs(counts - N * p) < 5.96 * np.sqrt(N * p * (1 - p)))
    assert np.sum(np.abs(counts / N - p)) < 0.05 < np.sum(np.abs(p - 1 / 27))  # and uniform they are not


def test_two_digits_learned_by_heart_are_completed_from_their_upper_halves() -> None:
    """One of two images costs log 2 nats, and no model can have less; what is below follows from what is above."""
    images = digits("train").images[:2].reshape(2, 64).astype(np.int64)
    net = Transformer(17, 64, 16, 2, 1, rng=0)
    optimizer = Adam(net.parameters(), lr=0.02)
    fit(net, images, optimizer=optimizer, batch_size=2, steps=150, rng=1, progress=False)
    assert np.log(2) < net.loss(images).item() < np.log(2) + 0.1
    np.testing.assert_array_equal(net.sample(2, 0, given=images[:, :32]), images)
