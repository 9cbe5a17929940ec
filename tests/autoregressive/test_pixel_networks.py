"""The networks of the two models of pixels against their equations, place by place, with dropout and without."""

import numpy as np

from tests.autoregressive.test_pixels import KINDS, LEVELS, logits, small

ROW_AND_ABOVE = [(i, j) for i in (-1, 0) for j in (-1, 0, 1)]


def convolved(x, layer, offsets):
    """b + Σ_o x[i + o] @ W[o], with zeros outside."""
    y = np.tile(layer.b.data, (*x.shape[:-1], 1))
    for o, W in zip(offsets, layer.W.data, strict=True):
        for place in np.ndindex(*x.shape[1:-1]):
            source = tuple(np.add(place, o))
            if all(0 <= s < n for s, n in zip(source, x.shape[1:-1])):
                y[(slice(None), *place)] += x[(slice(None), *source)] @ W
    return y


def gated(y):
    a, g = np.split(y, 2, axis=-1)
    return np.tanh(a) / (1 + np.exp(-g))


def affine(x, layer):
    return x @ layer.W.data + layer.b.data


def silu(h):
    return h / (1 + np.exp(-h))


def standardised(h):
    return (h - h.mean(axis=-1, keepdims=True)) / np.sqrt(h.var(axis=-1, keepdims=True) + 1e-5)


def sequence(model, code, drop):
    """Equations (1) to (3) of causal_conv.py: 3 places before, then 2 places 1, 4, 8 and 8 apart."""
    h = convolved(code, model.first, [(-3,), (-2,), (-1,)]) + model.position.data
    for block, dilation in zip(model.blocks, (1, 4, 8, 8), strict=True):
        y = convolved(standardised(h), block.past, [(-dilation,), (0,)])
        h = h + affine(drop(gated(y)), block.out)
    return affine(drop(silu(h)), model.out)


def plane(model, code, drop):
    """Equations (1) to (3) of pixelcnn.py, where both stacks look one row or column away."""
    code = code.reshape(len(code), 4, 5, -1)
    v = convolved(code, model.above, [(-1, -1), (-1, 0), (-1, 1)]) + model.position.data
    h = v + convolved(code, model.left, [(0, -1)])
    for layer in model.layers:
        above = convolved(v, layer.above, ROW_AND_ABOVE)
        row = convolved(h, layer.left, [(0, -1), (0, 0)])
        h = h + affine(drop(gated(row + affine(above, layer.told))), layer.out)
        v = v + drop(gated(above))
    return affine(drop(silu(h)), model.out).reshape(len(code), 20, LEVELS)


BY_HAND = {"sequence": sequence, "plane": plane}


@KINDS
def test_the_equations(kind):
    model, code = small(kind).eval(), np.random.default_rng(1).normal(size=(2, 20, 2 * LEVELS - 1))
    np.testing.assert_allclose(logits(model, code).data, BY_HAND[kind](model, code, lambda y: y), rtol=0, atol=1e-12)


@KINDS
def test_the_equations_with_dropout(kind):
    """Each layer leaves out features of its own: 0.3 of them, the rest divided by 0.7, draw after draw."""
    model, code = small(kind), np.random.default_rng(1).normal(size=(2, 20, 2 * LEVELS - 1))
    rng = np.random.default_rng(5)
    expected = BY_HAND[kind](model, code, lambda y: y * (rng.random(y.shape) >= 0.3) / 0.7)
    np.testing.assert_allclose(logits(model, code, 5).data, expected, rtol=0, atol=1e-12)


@KINDS
def test_in_evaluation_nothing_is_left_out_and_in_training_each_rng_leaves_out_other_features(kind):
    model, x = small(kind), np.random.default_rng(1).integers(0, LEVELS, (3, 20))
    assert model.loss(x, 0).item() != model.loss(x, 1).item()
    model.eval()
    assert model.loss(x).item() == model.loss(x, 0).item() == model.loss(x, 1).item()
