"""A model of a few numbers for the tests of training, with noise in its loss, and a training that can be resumed.

python -m tests.tiny_model run.ckpt 7 resume        goes on with it to step 7, in this new process
"""

import sys
from pathlib import Path

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.nn import Module
from scratchgen.optim import Adam, Average, cosine
from scratchgen.training import fit

ROWS = 10
rng = np.random.default_rng(1)
X = rng.normal(size=(ROWS, 3)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 0.3)[:, 0]
X_VALIDATION, Y_VALIDATION = X[:7] + np.float32(0.1), Y[:7]


class Line(Module):
    """y = x·w + b + noise, fitted by least squares; it remembers how its loss was called."""

    def __init__(self, noise: float = 0.0, dtype: type = np.float32) -> None:
        self.w = Tensor(np.zeros(3, dtype), requires_grad=True)
        self.b = Tensor(np.zeros((), dtype), requires_grad=True)
        self.noise = noise
        self.calls: list[tuple[np.ndarray, ...]] = []  # the batches in training
        self.losses: list[float] = []
        self.evaluations: list[float] = []

    def loss(self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Tensor:
        noise = self.noise * rng.standard_normal(len(x), x.dtype)
        loss = np.mean(np.square(x @ self.w + self.b + noise - y))
        if self.training:
            self.calls.append((x, y))
            self.losses.append(loss.item())
        else:
            assert not loss.requires_grad  # evaluated within no_grad
            self.evaluations.append(loss.item())
        return loss


def train(steps: int, path: Path, resume: bool, **options: object) -> Line:
    """A training with everything that has a state; an epoch is 4 steps, an evaluation comes every 3."""
    model = Line(noise=0.5)
    fit(
        model,
        (X, Y),
        optimizer=Adam(model.parameters(), lr=0.05),
        batch_size=3,
        rng=np.random.default_rng(5),
        steps=steps,
        validation=(X_VALIDATION, Y_VALIDATION),
        evaluate_every=3,
        patience=50,
        schedule=cosine(0.05, steps=100),
        clip=1.0,
        average=Average(model.parameters(), 0.9),
        checkpoint=path,
        resume=resume,
        progress=False,
        **options,
    )
    return model


if __name__ == "__main__":
    train(int(sys.argv[2]), Path(sys.argv[1]), resume="resume" in sys.argv[3:])
