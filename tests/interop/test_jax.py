"""Weights that ``state()`` gives work in JAX as they are: here and there, images are channels-last and y = x @ W + b.

A network there is a function of a dict of arrays: that of ``state()``. Outputs and gradients agree to the rounding of
float64. Skipped where JAX is not installed.
"""

import numpy as np
import pytest

from scratchgen import latent, nn
from scratchgen.autoregressive import Transformer

jax = pytest.importorskip("jax")
jnp, lax = jax.numpy, jax.lax

EXACT = {"rtol": 1e-10, "atol": 1e-12}
IMAGES = ("NHWC", "HWIO", "NHWC")


@pytest.fixture(autouse=True)
def _float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# -- the networks, functions of the state ------------------------------------------------------------------------------


def part(state, name):
    """The state of one Module in another."""
    return {key.removeprefix(name + "."): value for key, value in state.items() if key.startswith(name + ".")}


def linear(p, x):
    return x @ p["W"] + p["b"]


def mlp(p, x):
    layers = sum(name.endswith(".W") for name in p)
    for i in range(layers - 1):
        x = jax.nn.relu(linear(part(p, f"layers.{i}"), x))
    return linear(part(p, f"layers.{layers - 1}"), x)


def layer_norm(p, x):
    return p["gain"] * jax.nn.standardize(x, epsilon=1e-5) + p["bias"]


def attention(p, x, heads=3):
    """Written out: ``jax.nn.dot_product_attention`` takes its softmax in float32, whatever it is given."""
    q, k, v = (linear(part(p, name), x).reshape(*x.shape[:-1], heads, -1) for name in ("query", "key", "value"))
    scores = jnp.einsum("bthd,bshd->bhts", q, k) / jnp.sqrt(q.shape[-1])
    past = jnp.tri(x.shape[1], dtype=bool)
    weights = jax.nn.softmax(jnp.where(past, scores, -jnp.inf))  # (B, heads, T, T)
    return linear(part(p, "out"), jnp.einsum("bhts,bshd->bthd", weights, v).reshape(x.shape))


def block(p, x):
    x = x + attention(part(p, "attention"), layer_norm(part(p, "norms.0"), x))
    hidden = jax.nn.gelu(linear(part(p, "expand"), layer_norm(part(p, "norms.1"), x)), approximate=True)
    return x + linear(part(p, "contract"), hidden)


def transformer(p, x, levels=5, layers=2):
    """log p(x) of each sequence."""
    inputs = jnp.concatenate([jnp.full((len(x), 1), levels), x], axis=1)[:, :-1]
    h = p["embedding.W"][inputs] + p["places.W"][: x.shape[1]]
    for i in range(layers):
        h = block(part(p, f"blocks.{i}"), h)
    log_p = jax.nn.log_softmax(linear(part(p, "head"), layer_norm(part(p, "norm"), h)))
    return jnp.take_along_axis(log_p, x[..., None], axis=-1)[..., 0].sum(axis=1)


def conv(p, x):
    return lax.conv_general_dilated(x, p["W"], (2, 2), ((1, 1), (1, 1)), dimension_numbers=IMAGES) + p["b"]


def conv_transpose(p, x):
    """The adjoint of a convolution with this W; kernel − 1 − padding zeros around what is spread by the stride."""
    around = [(k - 2, k - 2) for k in p["W"].shape[:2]]
    y = lax.conv_transpose(x, p["W"], (2, 2), around, dimension_numbers=IMAGES, transpose_kernel=True)
    return y + p["b"]


def elbo(p, x, noise):
    """That of the VAE of the README: 17 grey levels, a z of two dimensions."""
    mean, logvar = jnp.split(mlp(part(p, "encoder"), x / 8 - 1), 2, axis=1)
    logits = mlp(part(p, "decoder"), mean + jnp.exp(0.5 * logvar) * noise).reshape(len(x), 64, 17)
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), x[..., None], axis=-1)[..., 0]
    return log_p.sum(axis=1) - 0.5 * (mean**2 + jnp.exp(logvar) - logvar - 1).sum(axis=1)


# -- the tests ---------------------------------------------------------------------------------------------------------


def agree(model, function, x, forward=None):
    """Outputs, and the gradients of one random weighted sum of them."""
    y = (forward or model)(x)
    np.testing.assert_allclose(y.data, function(model.state(), x), **EXACT)
    weights = draw(*y.shape, seed=1)
    np.sum(y * weights).backward()
    gradients = jax.grad(lambda p: jnp.sum(function(p, x) * weights))(model.state())
    for name, t in model.parameters().items():
        np.testing.assert_allclose(t.grad, gradients[name], **EXACT, err_msg=name)


def layer_norm_model():
    model = nn.LayerNorm(6, dtype=np.float64)
    model.gain, model.bias = draw(6, seed=2), draw(6, seed=3)
    return model


@pytest.mark.parametrize(
    ("model", "function", "shape"),
    [
        (nn.MLP([3, 7, 5, 2], rng=0, dtype=np.float64), mlp, (4, 3)),
        (nn.Conv2d(2, 3, (4, 3), rng=0, stride=2, padding=1, dtype=np.float64), conv, (5, 6, 8, 2)),
        (nn.ConvTranspose2d(2, 3, (4, 3), rng=0, stride=2, padding=1, dtype=np.float64), conv_transpose, (5, 6, 8, 2)),
        (layer_norm_model(), layer_norm, (4, 5, 6)),
        (nn.CausalSelfAttention(12, heads=3, rng=0, dtype=np.float64), attention, (2, 5, 12)),
        (nn.TransformerBlock(12, heads=3, rng=0, dtype=np.float64), block, (2, 5, 12)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_layer(model, function, shape):
    agree(model, function, draw(*shape))


def test_a_transformer():
    model = Transformer(levels=5, dims=7, width=12, heads=3, layers=2, rng=0, std=0.5, dtype=np.float64)
    agree(model, transformer, np.random.default_rng(0).integers(0, 5, (4, 7)), forward=model.log_prob)


def test_the_vae_of_the_readme():
    """The ELBO with the same noise, and its gradient in φ and θ."""
    likelihood = latent.CategoricalLikelihood(64, levels=17)
    encoder, decoder = nn.MLP([64, 128, 4], rng=0), nn.MLP([2, 128, likelihood.outputs], rng=1)
    model = latent.VAE(encoder, decoder, likelihood, latent=2).astype(np.float64)
    x, noise = np.random.default_rng(0).integers(0, 17, (6, 64)), draw(6, 2)
    agree(model, lambda p, x: elbo(p, x, noise), x, forward=lambda x: model.elbo(x, noise=noise).total)
