"""Weights that ``state()`` gives work in PyTorch: the same networks there, under the same names, give the same numbers.

What differs is how weights lie in memory, and what they are called; ``to_torch``, in the README, is all there is to it.
The numbers agree to the rounding of float64, the gradients too. Skipped where PyTorch is not installed.
"""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scratchgen import latent, nn, optim
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import Transformer

torch = pytest.importorskip("torch")
F = torch.nn.functional

EXACT = {"rtol": 1e-10, "atol": 1e-12}
ROOT = Path(__file__).resolve().parents[2]


def readme_function(name):
    """What the README defines under this name, in the block of Python that imports torch."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "import torch" in block]
    found = {}
    exec(compile(code, "README.md", "exec"), found)
    return found[name]


to_torch = readme_function("to_torch")


def loaded(model, network):
    """``network``, with the weights of the model: refuses a name that is missing, or one too many."""
    network.double().load_state_dict(to_torch(model.state()))
    return network


def channels_first(images):
    return images.transpose(0, 3, 1, 2)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# -- the networks, written as one would there --------------------------------------------------------------------------


class TorchMLP(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(n, m) for n, m in pairwise(sizes))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class TorchAttention(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.query, self.key, self.value, self.out = (torch.nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def forward(self, x):
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )  # (B, heads, T, d)
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class TorchBlock(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = TorchAttention(width, heads)
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width) for _ in range(2))
        self.expand, self.contract = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norms[0](x))
        return x + self.contract(F.gelu(self.expand(self.norms[1](x)), approximate="tanh"))


class TorchTransformer(torch.nn.Module):
    def __init__(self, levels, dims, width, heads, layers):
        super().__init__()
        self.embedding, self.places = torch.nn.Embedding(levels + 1, width), torch.nn.Embedding(dims, width)
        self.blocks = torch.nn.ModuleList(TorchBlock(width, heads) for _ in range(layers))
        self.norm, self.head = torch.nn.LayerNorm(width), torch.nn.Linear(width, levels)
        self.levels = levels

    def forward(self, x):
        start = torch.full((len(x), 1), self.levels)
        inputs = torch.cat([start, x], dim=1)[:, :-1]
        h = self.embedding(inputs) + self.places(torch.arange(inputs.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class TorchVAE(torch.nn.Module):
    """The VAE of the README: 17 grey levels, a z of two dimensions."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = TorchMLP([64, 128, 4]), TorchMLP([2, 128, 64 * 17])

    def elbo(self, x, noise):
        mean, logvar = self.encoder(x.double() / 8 - 1).chunk(2, dim=1)
        logits = self.decoder(mean + torch.exp(0.5 * logvar) * noise).unflatten(1, (64, 17))
        reconstruction = -F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="none").unflatten(0, (-1, 64))
        kl = 0.5 * (mean**2 + logvar.exp() - logvar - 1)
        return reconstruction.sum(dim=1) - kl.sum(dim=1)


def readme_vae():
    """That of scratchgen, in float64."""
    likelihood = latent.CategoricalLikelihood(64, levels=17)
    encoder, decoder = nn.MLP([64, 128, 4], rng=0), nn.MLP([2, 128, likelihood.outputs], rng=1)
    return latent.VAE(encoder, decoder, likelihood, latent=2).astype(np.float64)


# -- the tests ---------------------------------------------------------------------------------------------------------


def agree(model, network, x, there=None):
    """Outputs, and the gradients of one random weighted sum of them, which tells all weights and directions apart."""
    y, expected = model(x), network(torch.tensor(x if there is None else there))
    if there is not None:
        expected = expected.permute(0, 2, 3, 1)
    np.testing.assert_allclose(y.data, expected.detach(), **EXACT)
    weights = draw(*y.shape, seed=1)
    np.sum(y * weights).backward()
    (expected * torch.tensor(weights)).sum().backward()
    gradients = to_torch({name: t.grad for name, t in model.parameters().items()})
    for name, p in network.named_parameters():
        np.testing.assert_allclose(gradients[name], p.grad, **EXACT, err_msg=name)


def test_an_mlp():
    model = nn.MLP([3, 7, 5, 2], rng=0, dtype=np.float64)
    agree(model, loaded(model, TorchMLP([3, 7, 5, 2])), draw(4, 3))


@pytest.mark.parametrize(
    ("layer", "theirs"), [(nn.Conv2d, torch.nn.Conv2d), (nn.ConvTranspose2d, torch.nn.ConvTranspose2d)]
)
def test_convolutions(layer, theirs):
    """Channels are last here, and second there."""
    model = layer(2, 3, (4, 3), rng=0, stride=2, padding=1, dtype=np.float64)
    x = draw(5, 6, 8, 2)
    agree(model, loaded(model, theirs(2, 3, (4, 3), stride=2, padding=1)), x, channels_first(x))


def test_layer_norm():
    model = nn.LayerNorm(6, dtype=np.float64)
    model.gain, model.bias = draw(6, seed=2), draw(6, seed=3)
    agree(model, loaded(model, torch.nn.LayerNorm(6)), draw(4, 5, 6))


def test_attention():
    model = nn.CausalSelfAttention(12, heads=3, rng=0, dtype=np.float64)
    agree(model, loaded(model, TorchAttention(12, heads=3)), draw(2, 5, 12))


def test_a_transformer_block():
    model = nn.TransformerBlock(12, heads=3, rng=0, dtype=np.float64)
    agree(model, loaded(model, TorchBlock(12, heads=3)), draw(2, 5, 12))


def test_a_transformer():
    """log p(x) of whole sequences."""
    sizes = {"levels": 5, "dims": 7, "width": 12, "heads": 3, "layers": 2}
    model = Transformer(**sizes, rng=0, std=0.5, dtype=np.float64)
    network = loaded(model, TorchTransformer(**sizes))
    x = np.random.default_rng(0).integers(0, 5, (4, 7))
    with torch.no_grad():
        expected = -F.cross_entropy(network(torch.tensor(x)).flatten(0, 1), torch.tensor(x).flatten(), reduction="none")
    with no_grad():
        np.testing.assert_allclose(model.log_prob(x).data, expected.unflatten(0, (4, 7)).sum(dim=1), **EXACT)


def test_the_vae_of_the_readme_and_three_steps_of_adam():
    """The ELBO with the same noise, and all weights after training both for three steps."""
    model = readme_vae()
    network = loaded(model, TorchVAE())
    ours, theirs = optim.Adam(model.parameters(), lr=0.01), torch.optim.Adam(network.parameters(), lr=0.01)
    x = np.random.default_rng(0).integers(0, 17, (6, 64))
    for step in range(3):
        noise = draw(6, 2, seed=step)
        elbo, expected = model.elbo(x, noise=noise).total, network.elbo(torch.tensor(x), torch.tensor(noise))
        np.testing.assert_allclose(elbo.data, expected.detach(), **EXACT)
        ours.zero_grad()
        theirs.zero_grad()
        (-np.mean(elbo)).backward()
        (-expected.mean()).backward()
        ours.step()
        theirs.step()
    trained = to_torch(model.state())
    for name, p in network.named_parameters():
        np.testing.assert_allclose(trained[name], p.detach(), rtol=1e-6, atol=1e-8, err_msg=name)


def test_weights_that_lie_the_wrong_way_round_are_noticed():
    """A square W that is not transposed loads, and gives other numbers."""
    model = nn.MLP([3, 3], rng=0, dtype=np.float64)
    network = loaded(model, TorchMLP([3, 3]))
    with torch.no_grad():
        network.layers[0].weight.copy_(network.layers[0].weight.T.clone())
    with pytest.raises(AssertionError):
        agree(model, network, draw(4, 3))
