"""Models small enough to write p(x | z) and p(z) down by hand: one with a discrete z, one with a bimodal posterior."""

import numpy as np

from scratchgen.distributions import Categorical, Independent, Normal

LOG_WEIGHTS = np.log([0.5, 0.3, 0.2])
MEANS = np.array([[0.0, 1.0], [2.0, -1.0], [-1.5, 0.5]])
LOGVARS = np.array([[0.0, -1.0], [0.3, 0.2], [-0.7, 0.4]])


class Mixture:
    """z in {0, 1, 2}, x in the plane: N(x; m_z, e^{v_z})."""

    def prior(self, like):
        return Categorical(LOG_WEIGHTS)

    def decode(self, z):
        return Independent(Normal(MEANS[z], LOGVARS[z]), 1)


class Square:
    """z ~ N(0, I), x = |z|² + ε with ε ~ N(0, e^v): of x > 0 the posterior of a 1-D z has two modes, near ±√x."""

    def __init__(self, latent=1, logvar=-1.0):
        self.latent, self.logvar = latent, logvar

    def prior(self, like):
        return Independent(Normal(np.zeros(self.latent), 0.0), 1)

    def decode(self, z):
        return Independent(Normal(np.sum(z * z, axis=-1, keepdims=True), self.logvar), 1)
