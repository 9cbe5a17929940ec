"""Models small enough to write p(x | z) and p(z) down by hand, for which p(x) is known or an easy integral."""

import numpy as np

from scratchgen.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

LOG_WEIGHTS = np.log([0.5, 0.3, 0.2])
MEANS = np.array([[0.0, 1.0], [2.0, -1.0], [-1.5, 0.5]])
LOGVARS = np.array([[0.0, -1.0], [0.3, 0.2], [-0.7, 0.4]])


class Mixture:
    """z in {0, 1, 2}, x in the plane: N(x; m_z, e^{v_z})."""

    def prior(self, like):
        return Categorical(LOG_WEIGHTS)

    def decode(self, z):
        return Independent(Normal(MEANS[z], LOGVARS[z]), 1)


class Sigmoid:
    """A sigmoid belief net: z in {0, 1}³ with biases A, x in {0, 1}⁴ with logits z @ W + B."""

    A = np.array([0.5, -1.0, 0.2])
    W = np.array([[1.0, -2.0, 0.5, 0.0], [0.3, 0.7, -1.1, 2.0], [-0.6, 0.1, 1.4, -0.9]])
    B = np.array([0.1, 0.4, -0.3, -0.8])

    def __init__(self, dtype=np.float64):
        self.dtype = np.dtype(dtype)

    def prior(self, like):
        return Independent(Bernoulli(self.A.astype(like.dtype)), 1)

    def decode(self, z):
        return Independent(Bernoulli(z @ self.W.astype(self.dtype) + self.B.astype(self.dtype)), 1)


class Square:
    """z ~ N(0, I), x = |z|² + ε with ε ~ N(0, e^v): of x > 0 the posterior of a 1-D z has two modes, near ±√x."""

    def __init__(self, latent=1, logvar=-1.0):
        self.latent, self.logvar = latent, logvar

    def prior(self, like):
        return Independent(Normal(np.zeros(self.latent), 0.0), 1)

    def decode(self, z):
        return Independent(Normal(np.sum(z * z, axis=-1, keepdims=True), self.logvar), 1)


class Shifted:
    """z ~ p(z) in one or two dimensions, x = z + ε with ε ~ N(0, e^v): p(x) is p(z), blurred."""

    def __init__(self, prior, logvar):
        self.p, self.logvar = prior, logvar

    def prior(self, like):
        return self.p

    def decode(self, z):
        return Independent(Normal(z, self.logvar), 1)


class TwoBumps(Distribution):
    """½ N(−2, ¼) + ½ N(1, 1), of vectors of length 1: a prior that is not normal."""

    batch_shape, event_shape, dtype = (), (1,), np.dtype(np.float64)
    means, variances = np.array([-2.0, 1.0]), np.array([0.25, 1.0])

    @property
    def mean(self):
        return np.array([np.mean(self.means)])

    @property
    def variance(self):
        return np.array([np.mean(self.variances + self.means**2) - np.mean(self.means) ** 2])

    def log_prob(self, x):
        return np.log(np.exp(-((x - self.means) ** 2) / (2 * self.variances)) / np.sqrt(self.variances) @ [1, 1]) - (
            np.log(2 * np.sqrt(2 * np.pi))
        )

    def sample(self, n, rng):
        raise NotImplementedError

    def entropy(self):
        raise NotImplementedError


class Power:
    """A "density" z^degree that is a polynomial: no model, but what Gauss–Hermite nodes are exact for."""

    def __init__(self, degree):
        self.degree = degree

    def prior(self, like):
        return Independent(Normal(np.zeros(1), 0.0), 1)

    def decode(self, z):
        return LogPower(z[:, 0], self.degree)


class Nowhere(Power):
    """p(x | z) = 0 for every z."""

    def decode(self, z):
        return LogPower(0 * z[:, 0], 1)


class LogPower:
    event_shape = (1,)

    def __init__(self, z, degree):
        self.z, self.degree = z, degree

    def log_prob(self, x):
        with np.errstate(divide="ignore"):
            return np.broadcast_to(self.degree * np.log(np.abs(self.z)), x.shape[:2])


class Watched:
    """A model that notes how many (x, z) it is asked for at once, and whether a graph is recorded."""

    def __init__(self, model):
        self.model, self.pairs, self.graphs = model, [], []

    @property
    def dtype(self):
        return self.model.dtype

    def prior(self, like):
        return self.model.prior(like)

    def decode(self, z):
        p = self.model.decode(z)
        watched = type("Watching", (), {"batch_shape": p.batch_shape, "event_shape": p.event_shape})()
        watched.log_prob = lambda x: self.note(p.log_prob(x))
        return watched

    def note(self, log_p):
        self.pairs.append(log_p.size)
        self.graphs.append(getattr(log_p, "requires_grad", False))
        return log_p
