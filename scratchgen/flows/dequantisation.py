"""Grey levels and a density: from integers to numbers that a flow can have a density of, and back to probabilities.

x is D integers from 0 to L − 1. A density that is fitted to integers grows without bound, on spikes. So each x gets
the whole *bin* [x, x + 1)^D, and its probability is what the density of v, in the unit cube, has there:

    P(x) = ∫_{[0,1)^D} p((x + u) / L) L^{−D} du,      v = (x + u) / L                           (1)

L^{−D} is the volume of a bin as v measures it. (1) sums to 1 over all x if p has all its mass in the cube, and to less
than 1 if not. The integral is out of reach; as an expectation over noise u ~ q(u | x) it has a bound, by Jensen:

    log P(x) ≥ E_q[log p((x + u) / L) − D log L − log q(u | x)]                                 (2)
    log P(x) ≥ E[log (1/K) Σ_k w_k],    w_k = p((x + u_k) / L) L^{−D} / q(u_k | x)              (3)

    uniform        q = 1: the density would have to be flat within each bin, a wall of cubes, for (2) to be tight
    variational    q(u | x) is a flow given x, trained with p: the bound is tight at q ∝ p within the bin

This is a VAE whose latent variable is x + u, whose decoder is ⌊·⌋, and whose bound is the ELBO: v knows x, so there is
no reconstruction term. (3) grows with K, to log P(x).

*Bits per dimension* are for an average over D what nats are for x, in units of log 2:

    b = −log P(x) / (D log 2)                                                                   (4)
    b = (−log p(v) + D log L) / (D log 2)      from a density of v = (x + u) / L                 (5)

A uniform P = L^{−D} costs log₂ L bits, 8 for 256 levels. With noise on less than the bin, or another L than that of
the data, (2) is no bound: it can promise fewer nats than the entropy of x. No true bound does, on average.

Source: Theis et al., A note on the evaluation of generative models, arXiv:1511.01844, section 3.1, for (2) with q = 1;
Ho et al., Flow++, arXiv:1902.00275, section 3.1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp, no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import require, require_noise, unmasked
from scratchgen.distributions.distribution import require_distribution, values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class Dequantised(Module):
    """A model of integers, made of a density in the unit cube (1).

    Args:
        density: a Module that gives p(v) when it is called: a ``Flow`` whose first transform is ``Logit(margin)``, for
            example. What it puts outside the cube is lost to all x.
        levels: L, how many levels there *can* be, 17 for the digits: not how many happen to occur.
        noise: a Module from the levels as numbers from −1 to 1, (B, D), to q(u | x), B distributions of events of the
            shape of x within (0, 1): a ``FlowPosterior`` whose transform begins with ``Logit()``, or a ``Flow`` whose
            context they are. Uniform noise by default.

    Raises:
        TypeError: for levels that is no int; for a density or noise that is no Module.
        ValueError: for levels below 2.

    >>> from scratchgen.distributions import Independent, Uniform
    >>> class Flat(Module):
    ...     def forward(self):
    ...         return Independent(Uniform(np.zeros(3), np.ones(3)), 1)
    >>> model = Dequantised(Flat(), levels=17)
    >>> model.bound(np.array([[0, 16, 7]]), rng=0).round(4)                          # −3 log 17
    array([-8.4996])
    """

    def __init__(self, density: Module, levels: int, noise: Module | None = None) -> None:
        require_int("levels", levels, least=2)
        for name, given in (("density", density), ("noise", noise or density)):
            if not isinstance(given, Module):
                raise TypeError(f"{name} is a {type(given).__name__}; it must be a Module, such as a Flow")
        self.density, self.levels, self.noise = density, levels, noise

    def bound(self, x: Any, rng: Rng | None = None, noise: Any = None) -> Any:
        """The bound (2) on log P(x) with one u for each x, (B,), in nats.

        Args:
            x: integers (B, *event_shape).
            rng: draws u.
            noise: instead of it, u itself, of the shape of x; with variational noise what ``rsample`` of q takes.

        Raises:
            TypeError: for x that are no integers; without rng and noise.
            ValueError: for x of another shape, or outside 0 to levels − 1; for noise that leaves the bin.
        """
        p = self.p()
        x = self.checked(x, p)
        u, log_q = self.within_bin(x, p.dtype, rng, noise)
        v = (x.astype(p.dtype) + u) / self.levels
        return p.log_prob(v) - math.prod(p.event_shape) * math.log(self.levels) - log_q

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """Minus the bound (2), averaged over the batch: in nats per example.

        Raises:
            TypeError, ValueError: as ``bound``; for an empty batch.
        """
        if len(x) == 0:
            raise ValueError("x has 0 rows; a mean over the batch needs at least 1")
        return -np.mean(self.bound(x, rng))

    def log_prob(self, x: Any, rng: Rng, samples: int = 100) -> np.ndarray:
        """The bound (3) on log P(x), (B,), in nats, from K = ``samples`` draws of u for each x; no gradient.

        Raises:
            TypeError, ValueError: as ``bound``; for samples that is no int, or less than 1.
        """
        require_int("samples", samples)
        rng = generator(rng)
        with no_grad():
            log_w = np.stack([values(self.bound(x, rng)) for _ in range(samples)])  # (K, B)
        return values(logsumexp(log_w, axis=0)) - np.asarray(math.log(samples), log_w.dtype)

    def sample(self, n: int, rng: Rng) -> np.ndarray:
        """n draws of x, (n, *event_shape) int64: the bins in which draws of v lie, or the nearest."""
        with no_grad():
            v = values(self.p().sample(n, rng))
        return np.floor(self.levels * v).clip(0, self.levels - 1).astype(np.int64)

    def p(self) -> Distribution:
        """p(v)."""
        p = self.density()
        require_distribution("what density gives", p)
        return p

    def within_bin(self, x: np.ndarray, dtype: Any, rng: Rng | None, noise: Any) -> tuple[Any, Any]:
        """u, of the shape of x, and log q(u | x), (B,)."""
        if self.noise is not None:
            middle = (self.levels - 1) / 2
            q = self.noise(((x - middle) / middle).reshape(len(x), -1).astype(dtype))
            u, log_q = q.rsample_and_log_prob((), rng, noise)
            # Beyond the bin (2) is no bound, and a model that learned to go there would seem to beat the entropy.
            require("u", values(u), in_the_bin, "noise must stay in the bin: begin its flow with Logit()")
            return u, log_q
        if noise is not None:
            u = require_noise(noise, (), x.shape, dtype)
            require("noise", u, in_the_bin, "it is a place in the bin, from 0 to 1")
        elif rng is None:
            raise TypeError("bound needs rng, or the noise itself")
        else:
            u = generator(rng).random(x.shape, dtype)
        return u, np.zeros(len(x), dtype)  # log 1

    def checked(self, x: Any, p: Distribution) -> np.ndarray:
        """x, or the errors of ``bound``."""
        x = np.asarray(unmasked("x", x))
        if x.dtype.kind not in "iu":
            raise TypeError(f"x is {x.dtype}; levels are integers, and the noise is added here")
        if x.shape[1:] != p.event_shape or not x.ndim:
            raise ValueError(f"x has shape {x.shape}; the density wants (B, {', '.join(map(str, p.event_shape))})")
        require("x", x, lambda value: (value >= 0) & (value < self.levels), f"levels are 0 to {self.levels - 1}")
        return x


def in_the_bin(u: np.ndarray) -> np.ndarray:
    """Whether each u is from 0 to 1."""
    return (u >= 0) & (u <= 1)


def bits_per_dim(nats: Any, dims: int, levels: int = 1) -> Any:
    """Bits per dimension of an NLL in nats: (4), or (5) for that of data on the unit scale.

    Args:
        nats: −log P(x) of the integers, or a bound on it; with ``levels``, −log p(v) of (x + u) / levels.
        dims: D.
        levels: L, if nats are of a density of v; 1, by default, if they are of x itself, or of x + u.

    Raises:
        TypeError, ValueError: for dims or levels that is no int, or less than 1.

    >>> round(bits_per_dim(3 * math.log(256), dims=3), 12)          # a uniform distribution of three bytes
    8.0
    >>> bits_per_dim(0.0, dims=3, levels=256)                       # the same: log p(v) = 0
    8.0
    """
    require_int("dims", dims)
    require_int("levels", levels)
    return nats / (dims * math.log(2)) + math.log2(levels)
