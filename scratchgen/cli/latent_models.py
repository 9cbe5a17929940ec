"""The latent-variable models of the command line (lecture pp. 3–9). Settings for images are those of ``demos``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from scratchgen.cli.family import Family, Nats, Option, Recipe, Settings, in_batches
from scratchgen.cli.form import Form

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.nn import Module

SAMPLES = 100  # of z for each x, in evaluation
STARTS = 3  # of EM
START = -3.0  # of the log-variance that a decoder gives to points


class Mixture(Family):
    """A mixture of normal distributions, by EM."""

    name = "mixture"
    summary = "mixture of normal distributions, by EM (p. 3)"
    options: ClassVar[Mapping[str, Option]] = {"components": Option("how many", 1, {"points": 8})}
    recipes: ClassVar[Mapping[str, Recipe]] = {"points": Recipe(1, 1, 0.0)}
    by_em = True

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """With all parameters 0."""
        import numpy as np

        from scratchgen.latent import GaussianMixture

        K, D = settings["components"], form.dims
        return GaussianMixture(*(np.zeros(shape, np.float64) for shape in ((K,), (K, D), (K, D, D))))

    def fitted(self, form: Form, settings: Settings, x: np.ndarray, held_out: np.ndarray, rng: Any) -> Module:
        """The best of three starts on what is held out: on x itself, components that collapsed look best."""
        import warnings

        from scratchgen.latent import fit_mixture

        x, held_out, starts = x.astype("f8"), held_out.astype("f8"), []
        for k in range(STARTS):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model = fit_mixture(x, settings["components"], rng, steps=200, tolerance=1e-6).model
            starts.append((model.loss(held_out).item(), k, model, caught))
        _, _, best, caught = min(starts)
        for warning in caught:
            warnings.warn(warning.message, stacklevel=2)
        chosen: Module = best
        return chosen

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact."""
        return Nats(in_batches(lambda rows: model.log_prob(rows.astype("f8")), x), "exact", "a sum over the components")


class PPCA(Family):
    """Probabilistic PCA, in closed form."""

    name = "ppca"
    summary = "probabilistic PCA, in closed form (p. 3)"
    options: ClassVar[Mapping[str, Option]] = {
        "latent": Option("the dimension of z, below that of x", 1, {"points": 1})
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {"points": Recipe(1, 1, 0.0)}
    by_em = True

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """With all parameters 0."""
        import numpy as np

        from scratchgen.latent import LinearGaussian

        D = form.dims
        return LinearGaussian(np.zeros((D, settings["latent"])), np.zeros(D), np.zeros(()))

    def fitted(self, form: Form, settings: Settings, x: np.ndarray, held_out: np.ndarray, rng: Any) -> Module:
        """The maximum of the likelihood."""
        from scratchgen.latent import fit_ppca

        return fit_ppca(x.astype("f8"), settings["latent"])

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """Exact."""
        return Nats(in_batches(lambda rows: model.log_prob(rows.astype("f8")), x), "exact", "in closed form")


class VAE(Family):
    """The variational autoencoder, with multilayer perceptrons."""

    name = "vae"
    summary = "variational autoencoder (pp. 6-9)"
    options: ClassVar[Mapping[str, Option]] = {
        "latent": Option("the dimension of z", 1, {"points": 2, "levels": 16}),
        "hidden": Option("the width of the two hidden layers", 1, {"points": 64, "levels": 256}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(4000, 200, 3e-3, average=0.99),
        "levels": Recipe(1000, 100, 2e-3, decay=1.0, average=0.99),
    }

    def parts(self, form: Form, settings: Settings, rng: Any) -> tuple[Any, Any, Any, int]:
        """Encoder, decoder, likelihood and the dimension of z.

        The variance of points starts at e^−3. A decoder that starts with all the variance there is has no use for z,
        and the posterior collapses: on the two moons that costs almost 0.4 nats, and the gap between them.
        """
        import numpy as np

        from scratchgen.latent import CategoricalLikelihood, GaussianLikelihood
        from scratchgen.nn import MLP

        D, M, H = form.dims, settings["latent"], settings["hidden"]
        likelihood = CategoricalLikelihood(D, form.levels) if form.levels else GaussianLikelihood(D)
        encoder = MLP([D, H, H, 2 * M], rng, "tanh")
        decoder = MLP([M, H, H, likelihood.outputs], rng, "tanh")
        if not form.levels:
            last: Any = decoder.layers[-1]
            last.b.assign(np.tile([0, START], D).astype(np.float32))
        return encoder, decoder, likelihood, M

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """With a categorical likelihood for levels, else a normal one whose variance depends on z."""
        from scratchgen import latent

        return latent.VAE(*self.parts(form, settings, rng))

    def nats(self, model: Any, form: Form, x: np.ndarray, rng: Any) -> Nats:
        """By importance weighting."""
        values = in_batches(lambda rows: model.log_prob(rows, rng, SAMPLES), x)
        return Nats(values, "upper bound", f"importance weighting, {SAMPLES} samples of z for each x")


class IWAE(VAE):
    """The same, trained with K samples of z."""

    name = "iwae"
    summary = "importance-weighted autoencoder, K samples of z (p. 9)"
    options: ClassVar[Mapping[str, Option]] = {
        **VAE.options,
        "samples": Option("K, of z in training", 1, {"points": 10, "levels": 10}),
    }
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "points": Recipe(3000, 100, 3e-3, average=0.99),
        "levels": Recipe(600, 100, 2e-3, decay=1.0, average=0.99),
    }

    def build(self, form: Form, settings: Settings, rng: Any) -> Module:
        """With the doubly reparameterised gradient."""
        from scratchgen import latent

        encoder, decoder, likelihood, M = self.parts(form, settings, rng)
        return latent.IWAE(encoder, decoder, likelihood, M, settings["samples"], dreg=True)
