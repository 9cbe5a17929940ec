"""Networks of diffusion: they start as the identity or 0, know the time and the class, and refuse what does not fit."""

import numpy as np
import pytest

from scratchgen.diffusion import (
    Condition,
    LabelEmbedding,
    ResidualBlock,
    ResidualNet,
    UNet,
    UNetBlock,
    sinusoidal,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 8, 8, 1)).astype(np.float32)
VECTORS = RNG.normal(size=(3, 4)).astype(np.float32)
TIME = np.array([0.1, 0.5, 1.0], np.float32)
NETS = {
    "ResidualNet": (lambda **options: ResidualNet(4, 0, width=8, blocks=2, **options), VECTORS),
    "UNet": (lambda **options: UNet(1, 0, channels=4, **options), IMAGES),
}


def moved(net):
    """The network with weights that are not where they start, and no two layers alike."""
    rng = np.random.default_rng(1)
    for t in net.parameters().values():
        t.assign((t.data + 0.1 * rng.normal(size=t.shape)).astype(t.dtype))
    return net


@pytest.mark.parametrize("name", NETS)
def test_a_network_starts_as_zero_and_each_block_as_nothing(name):
    make, x = NETS[name]
    np.testing.assert_array_equal(make()(x, TIME).data, np.zeros_like(x))
    h, condition = RNG.normal(size=(3, 8)), RNG.normal(size=(3, 4))
    np.testing.assert_array_equal(ResidualBlock(8, 4, 0, np.float64)(h, condition).data, h)
    h = RNG.normal(size=(3, 4, 4, 8))
    np.testing.assert_array_equal(UNetBlock(8, 4, 0, np.float64)(h, condition).data, h)


@pytest.mark.parametrize("name", NETS)
def test_rows_do_not_see_each_other(name):
    make, x = NETS[name]
    net = moved(make())
    together = net(x, TIME).data
    for i in range(3):
        np.testing.assert_allclose(net(x[i : i + 1], TIME[i : i + 1]).data[0], together[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_time_and_class_matter(name):
    make, x = NETS[name]
    net = moved(make(classes=3))
    one = net(x, TIME, np.array([0, 1, 2])).data
    for other in (net(x, TIME[::-1].copy(), np.array([0, 1, 2])).data, net(x, TIME, np.array([1, 1, 1])).data):
        assert np.abs(other - one)[0].max() > 1e-4
    np.testing.assert_array_equal(net(x, TIME).data, net(x, TIME, np.array([-1, -1, -1])).data)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_outputs_and_gradients(name, dtype):
    make, x = NETS[name]
    net = moved(make(outputs=5, classes=2, dtype=dtype))
    y = net(x.astype(dtype), TIME.astype(dtype), np.array([0, 1, -1]))
    assert y.dtype == dtype and y.shape == (*x.shape[:-1], 5)
    np.sum(y * y).backward()
    assert all(p.grad is not None and p.grad.dtype == dtype and np.any(p.grad) for p in net.parameters().values())


def test_each_class_and_none_has_a_vector_of_its_own():
    layer = LabelEmbedding(3, 4, 0)
    assert len(np.unique(layer(np.array([-1, 0, 1, 2])).data, axis=0)) == 4


def test_every_pixel_sees_all_pixels():
    net = moved(UNet(1, 0, channels=4, dtype=np.float64))
    x, time = np.zeros((1, 8, 8, 1)), np.full(1, 0.5)
    before = net(x, time).data
    x[0, 0, 0] = 1.0
    assert np.all(net(x, time).data != before)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ResidualNet(0, 0), ValueError, "dims is 0"),
        (lambda: ResidualNet(4, 0, blocks=0), ValueError, "blocks is 0"),
        (lambda: ResidualNet(4, 0)(VECTORS[:, :2], TIME), ValueError, r"Linear wants \(batch, …, 4\)"),
        (lambda: ResidualNet(4, 0)(VECTORS.astype(float), TIME), TypeError, "x is float64 but W is float32"),
        (lambda: UNet(1, 0, channels=0), ValueError, "channels is 0"),
        (lambda: UNet(1, 0)(IMAGES[:, :7], TIME), ValueError, r"the network wants \(B, s, s, 1\), s an even number"),
        (lambda: UNet(1, 0)(VECTORS, TIME), ValueError, r"x has shape \(3, 4\)"),
        (
            lambda: ResidualNet(4, 0)(VECTORS, TIME, np.zeros(3, int)),
            ValueError,
            "labels were given to a network without",
        ),
        (lambda: Condition(4, 0, waves=3)(TIME), ValueError, "width is 3; it must be even"),
        (lambda: sinusoidal(TIME, 5), ValueError, "width is 5; it must be even"),
        (
            lambda: LabelEmbedding(3, 4, 0)(np.array([0, 3])),
            ValueError,
            "label 3 at 1; labels are 0 to 2, or −1 for none",
        ),
        (lambda: LabelEmbedding(3, 4, 0)(np.array([-2])), ValueError, "label -2 at 0"),
        (lambda: LabelEmbedding(3, 4, 0)(np.array([0.0])), TypeError, "labels is float64"),
        (lambda: LabelEmbedding(0, 4, 0), ValueError, "classes is 0"),
    ],
)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("labels", [None, np.array([2, -1, 0])], ids=["no class", "classes"])
def test_the_network_for_vectors_by_hand(labels):
    """Equations (1) to (3) as they are written; where there are labels, with a class for each row or none."""
    net = moved(ResidualNet(4, 0, width=8, blocks=2, classes=0 if labels is None else 3, dtype=np.float64))

    def silu(z):
        return z / (1 + np.exp(-z))

    def linear(layer, z):
        return z @ layer.W.data + (0.0 if layer.b is None else layer.b.data)

    x, time = VECTORS.astype(np.float64), TIME.astype(np.float64)
    condition = linear(net.condition.time, sinusoidal(time, 32))
    if labels is not None:
        condition = condition + net.condition.label.vectors(labels + 1).data
    h = linear(net.first, x)
    for block in net.blocks:
        inner = linear(block.inner, silu(h)) + linear(block.condition, silu(condition))
        h = h + linear(block.outer, silu(inner))
    np.testing.assert_allclose(net(x, time, labels).data, linear(net.last, silu(h)), rtol=1e-12)


def test_the_u_net_by_hand():
    """(1) and the drawing above it, by the layers; which norm is where, what goes beside, and the condition in all."""
    net = moved(UNet(1, 0, channels=4, classes=3, dtype=np.float64))
    x, time, labels = IMAGES.astype(np.float64), TIME.astype(np.float64), np.array([2, -1, 0])

    def silu(z):
        return z / (1 + np.exp(-z))

    def block(layers, h):
        inner = layers.inner(silu(layers.norms[0](h).data)).data + layers.condition(condition).data[:, None, None, :]
        return h + layers.outer(silu(layers.norms[1](inner).data)).data

    condition = silu(net.condition.time(sinusoidal(time, 32)).data + net.condition.label(labels).data)
    fine = block(net.fine, net.first(x).data)
    coarse = block(net.coarse[1], block(net.coarse[0], net.down(fine).data))
    merged = block(net.merged, np.concatenate([fine, net.up(coarse).data], axis=-1))
    expected = net.last(silu(net.norm(merged).data)).data
    np.testing.assert_allclose(net(x, time, labels).data, expected, rtol=1e-10, atol=1e-12)
