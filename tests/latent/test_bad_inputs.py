"""Bad inputs of the latent-variable models: each gets an error that says what came, what was expected, what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.latent import (
    VAE,
    Autoencoder,
    BernoulliLikelihood,
    CategoricalLikelihood,
    ConvDecoder,
    ConvEncoder,
    GaussianLikelihood,
)
from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from scratchgen.nn import MLP
from tests.latent.test_vae import mlp_vae

BITS = BernoulliLikelihood(6)
MODEL = mlp_vae(BITS)
X = np.ones((3, 6), np.float32)
LEVELS = mlp_vae(CategoricalLikelihood(6, levels=5))
FIVES = np.full((3, 6), 5, np.uint8)
CODES = Autoencoder(MLP([6, 2], rng=0), MLP([2, 6], rng=1), BITS)
NARROW = VAE(MLP([6, 3], rng=0), MLP([2, 6], rng=0), BITS, latent=2)
WIDE = VAE(MLP([6, 4], rng=0), MLP([2, 7], rng=0), BITS, latent=2)


def images(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


Call = Callable[[], Any]
MAKING: dict[str, tuple[Call, type[Exception], str]] = {
    "no dimension of z": (lambda: VAE(MODEL.encoder, MODEL.decoder, BITS, latent=0), ValueError, "latent is 0"),
    "likelihood by name": (
        lambda: VAE(MODEL.encoder, MODEL.decoder, "categorical", latent=2),
        TypeError,
        "likelihood is 'categorical'; it must be one of latent.likelihoods",
    ),
    "two and no int": (lambda: VAE(MODEL.encoder, MODEL.decoder, BITS, latent=2.0), TypeError, "latent is 2.0; .* int"),
    "negative beta": (lambda: mlp_vae(BITS, beta=-1.0), ValueError, "beta is -1.0"),
    "NaN beta": (lambda: mlp_vae(BITS, beta=float("nan")), ValueError, "beta is nan"),
    "infinite beta": (lambda: mlp_vae(BITS, beta=np.inf), ValueError, "beta is inf; it must be 0 or more, and finite"),
    "beta that is no number": (lambda: mlp_vae(BITS, beta="1"), TypeError, "beta is '1'; it must be a number"),
    "NaN bound": (lambda: GaussianLikelihood(3, least=np.nan), ValueError, "least is nan; it must be finite"),
    "no bound": (lambda: GaussianLikelihood(3, least=None), TypeError, "least is None; it must be a number"),
    "size of images": (lambda: ConvEncoder(10, 2, rng=0), ValueError, "size is 10.*multiple of 4"),
    "size that is no int": (lambda: ConvDecoder(8.0, 2, rng=0), TypeError, "size is 8.0"),
    "a code of no numbers": (lambda: ConvEncoder(8, 0, rng=0), ValueError, "latent is 0"),
    "an image of two and no int": (lambda: ConvDecoder(8, 2.0, rng=0), TypeError, "latent is 2.0"),
    "a bool": (lambda: BernoulliLikelihood(True), TypeError, r"event_shape\[0\] is True"),
    "one level": (lambda: CategoricalLikelihood(6, levels=1), ValueError, "levels is 1; it must be at least 2"),
    "levels that are no int": (lambda: CategoricalLikelihood(6, levels=2.5), TypeError, "levels is 2.5"),
    "no components": (lambda: BernoulliLikelihood(0), ValueError, r"event_shape\[0\] is 0; it must be at least 1"),
    "negative components": (lambda: GaussianLikelihood((2, -6)), ValueError, r"event_shape\[1\] is -6"),
    "no axes": (lambda: BernoulliLikelihood(()), ValueError, r"event_shape is \(\)"),
    "components that are no int": (lambda: BernoulliLikelihood(6.0), TypeError, r"event_shape\[0\] is 6.0"),
}
USING: dict[str, tuple[Call, type[Exception], str]] = {
    "z of another width": (lambda: MODEL.decode(images(4, 3)), ValueError, r"\(4, 3\); the decoder wants \(B, 2\)"),
    "z with three axes": (
        lambda: MODEL.decode(images(4, 2, 2)),
        ValueError,
        r"\(4, 2, 2\); the decoder wants \(B, 2\)",
    ),
    "z that is a list": (lambda: MODEL.decode([[0.0, 0.0]]), TypeError, "z is a list; pass an array: .*np.float32"),
    "no samples": (lambda: MODEL.log_prob(X, rng=0, samples=0), ValueError, "samples is 0"),
    "half a sample": (lambda: MODEL.log_prob(X, rng=0, samples=0.5), TypeError, "samples is 0.5"),
    "draws that are no int": (lambda: MODEL.sample(2.0, rng=0), TypeError, "n is 2.0"),
    "negative draws": (lambda: MODEL.sample(-2, rng=0), ValueError, "n is -2; it must be at least 0"),
    "no rng": (lambda: MODEL.elbo(X), TypeError, "needs rng, or the noise"),
    "the module np.random": (lambda: MODEL.elbo(X, rng=np.random), TypeError, "np.random"),
    "x of another width": (lambda: MODEL.elbo(X[:, :5], rng=0), ValueError, "5"),
    "float64": (lambda: MODEL.elbo(X.astype(np.float64), rng=0), TypeError, "float64.*float32"),
    "above 1": (lambda: MODEL.elbo(2 * X, rng=0), ValueError, r"x has 2.0 at \(0, 0\)"),
    "uint8 into coins": (
        lambda: MODEL.elbo((255 * X).astype(np.uint8), rng=0),
        TypeError,
        r"scale to \[0, 1\]",
    ),
    "an encoder too narrow": (
        lambda: NARROW.elbo(X, rng=0),
        ValueError,
        r"the encoder gives shape \(3, 3\); with latent=2 it must be \(B, 4\)",
    ),
    "a decoder too wide": (lambda: WIDE.elbo(X, rng=0), ValueError, "gives 7 numbers for one x.* wants 6"),
    "an empty batch": (lambda: MODEL.loss(X[:0], rng=0), ValueError, "x has 0 rows; a mean over the batch needs"),
    "an empty batch for codes": (lambda: CODES.loss(X[:0]), ValueError, "x has 0 rows"),
    "an empty batch, by dimension": (lambda: kl_per_dimension(MODEL, X[:0]), ValueError, "x has 0 rows"),
    "one row, of no variance": (lambda: active_units(MODEL, X[:1]), ValueError, "x has 1 rows; a variance .* least 2"),
    "units of a point": (lambda: active_units(CODES, X), TypeError, "model is of class Autoencoder; only a VAE"),
    "KL of a point": (lambda: kl_per_dimension(CODES, X), TypeError, "model is of class Autoencoder; only a VAE"),
    "units of NaN": (
        lambda: active_units(MODEL, X * np.nan),
        ValueError,
        r"the mean of q\(z \| x\) has nan at \(0, 0\)",
    ),
    "a threshold of NaN": (lambda: active_units(MODEL, X, np.nan), ValueError, "threshold is nan"),
    "a negative threshold": (lambda: active_units(MODEL, X, -1.0), ValueError, "threshold is -1.0; .* 0 or more"),
    "channels first": (
        lambda: GaussianLikelihood((4, 4, 1))(images(5, 2, 4, 4)),
        ValueError,
        r"gives shape \(5, 2, 4, 4\), with the channels not last; .* wants \(B, 32\), or the axes of x",
    ),
    "oblong images": (
        lambda: ConvEncoder(8, 2, rng=0, channels=2)(images(5, 16, 4, 1)),
        ValueError,
        r"x has shape \(5, 16, 4, 1\); the encoder wants \(B, 8, 8, 1\)",
    ),
    "images without a channel": (
        lambda: ConvEncoder(8, 2, rng=0, channels=2)(Tensor(images(5, 8, 8))),
        ValueError,
        r"wants \(B, 8, 8, 1\)",
    ),
}
# What sees only the encoder must refuse them too: there is no log_prob behind it.
SEEN: dict[str, Callable[[Any], Any]] = {
    "encode": LEVELS.encode,
    "reconstruct": LEVELS.reconstruct,
    "kl_per_dimension": lambda x: kl_per_dimension(LEVELS, x),
    "active_units": lambda x: active_units(LEVELS, x),
    "elbo": lambda x: LEVELS.elbo(x, rng=0),
}
ALL = {**MAKING, **USING}


@pytest.mark.parametrize(("call", "error", "message"), ALL.values(), ids=ALL)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("call", SEEN.values(), ids=SEEN)
def test_levels_are_integers_in_their_range(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="x is float32; it must be integers from 0 to 4"):
        call(X)
    with pytest.raises(ValueError, match=r"x has 5 at \(0, 0\); 18 of 18 values: it must be integers from 0 to 4"):
        call(FIVES)
    with pytest.raises(TypeError, match="x is a masked array"):
        call(np.ma.masked_equal(FIVES, 5))
    with pytest.raises(ValueError, match=r"x has -1 at \(2, 5\); 1 of 18 values"):
        x = np.zeros((3, 6), int)
        x[-1, -1] = -1
        call(x)


def test_the_integers_of_numpy_are_ints() -> None:
    (size,) = BernoulliLikelihood(np.int64(6)).event_shape
    assert size == 6 and type(size) is int
    assert CategoricalLikelihood((np.int32(2), 3), levels=np.int64(5)).outputs == 30
    assert VAE(MODEL.encoder, MODEL.decoder, BITS, latent=np.int64(2)).sample(np.int64(3), rng=0).shape == (3, 6)


def test_an_empty_batch_can_be_encoded_and_drawn() -> None:
    assert MODEL.encode(X[:0]).batch_shape == (0,)
    assert MODEL.sample(0, rng=0).shape == (0, 6)
    assert ConvDecoder(8, 2, rng=0, channels=2)(images(0, 2)).shape == (0, 8, 8, 1)
