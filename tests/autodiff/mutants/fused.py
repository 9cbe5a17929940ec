"""Wrong rules for the fused operations: the errors that a derivation by hand invites."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.activations import sigmoid, twice_u
from scratchgen.autodiff.categorical import one_hot, softmax, sum_along
from scratchgen.autodiff.densities import Common
from scratchgen.autodiff.layers import as_rows, row_mean
from scratchgen.autodiff.operations import Rule
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, on_raw_inputs, on_raw_y, raw


def ignoring_options(right: Rule) -> Rule:
    """The right rule for the options' defaults."""
    return lambda g, y, x, *args, **options: right(g, y, x)


def ndtr(x: Any) -> Any:
    from scipy import special

    return special.ndtr(x)


def density(x: Any) -> Any:
    """The standard normal density."""
    return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi).item()


ACTIVATIONS = [
    Mutant("relu", 0, "wrong branch", instead(lambda g, y, x: g * (x < 0))),
    Mutant("relu", 0, "missing g", instead(lambda g, y, x: g * 0 + (y > 0))),
    Mutant("relu", 0, "wrong", instead(lambda g, y, x: g * y)),
    Mutant("leaky_relu", 0, "wrong branch", instead(lambda g, y, x, slope=0.01: g * (x > 0))),
    Mutant("leaky_relu", 0, "wrong", ignoring_options),
    Mutant("sigmoid", 0, "missing term", instead(lambda g, y, x: g * y)),
    Mutant("sigmoid", 0, "wrong", instead(lambda g, y, x: g * y * (1 - y * y))),  # that of tanh
    Mutant("sigmoid", 0, "raw data", on_raw_inputs),
    Mutant("softplus", 0, "wrong", instead(lambda g, y, x: g * np.tanh(x))),
    Mutant("softplus", 0, "sign", instead(lambda g, y, x: g * sigmoid(-x))),
    Mutant("softplus", 0, "raw data", on_raw_inputs),
    Mutant("log_sigmoid", 0, "sign", instead(lambda g, y, x: g * sigmoid(x))),
    Mutant("log_sigmoid", 0, "epsilon", instead(lambda g, y, x: g * (1 - sigmoid(x) + 1e-7))),
    Mutant("log_sigmoid", 0, "raw data", on_raw_inputs),
    Mutant("silu", 0, "missing term", instead(lambda g, y, x, kept=None: g * sigmoid(x))),
    Mutant("silu", 0, "wrong", instead(lambda g, y, x, kept=None: g * (sigmoid(x) + x * (1 - sigmoid(x))))),  # x for y
    Mutant(
        "silu",
        0,
        "raw data",  # what was kept, taken as a constant by the second derivative too
        lambda right: lambda g, y, x, kept=None: right(g, y, x, kept=sigmoid(raw(x)) if kept is None else kept),
    ),
    Mutant("silu", 0, "wrong", lambda right: lambda g, y, x, kept=None: right(g, y, x, kept=y)),  # y for σ
    Mutant("silu", 0, "raw data", on_raw_y),
    Mutant("gelu", 0, "missing term", instead(lambda g, y, x: g * ndtr(x))),
    Mutant("gelu", 0, "factor", instead(lambda g, y, x: g * (ndtr(x) + 0.5 * x * density(x)))),
    Mutant("gelu", 0, "wrong", instead(lambda g, y, x: g * (ndtr(x) + density(x)))),
    Mutant("gelu", 0, "raw data", on_raw_inputs),
    Mutant(
        "gelu_tanh",
        0,
        "missing term",  # the derivative of the cubic
        instead(
            lambda g, y, x, kept=None: g * (sigmoid(twice_u(x)) + 1.5957691216057308 * y * (1 - sigmoid(twice_u(x))))
        ),
    ),
    Mutant(
        "gelu_tanh",
        0,
        "off by little",
        instead(lambda g, y, x, kept=None: g * (ndtr(x) + x * density(x))),  # that of gelu
    ),
    Mutant("gelu_tanh", 0, "raw data", on_raw_y),
]

CATEGORICAL = [
    Mutant("softmax", 0, "diagonal only", instead(lambda g, y, x, axis=-1: g * y * (1 - y))),
    Mutant("softmax", 0, "missing term", instead(lambda g, y, x, axis=-1: g * y)),
    Mutant("softmax", 0, "wrong", instead(lambda g, y, x, axis=-1: y * (g - sum_along(g, axis)))),
    Mutant("softmax", 0, "wrong index", ignoring_options),
    Mutant("softmax", 0, "raw data", on_raw_y),
    Mutant("log_softmax", 0, "diagonal only", instead(lambda g, y, x, axis=-1: g * (1 - np.exp(y)))),
    Mutant("log_softmax", 0, "missing term", instead(lambda g, y, x, axis=-1: g)),
    Mutant("log_softmax", 0, "wrong count", instead(lambda g, y, x, axis=-1: g - sum_along(g, axis) / x.shape[axis])),
    Mutant("log_softmax", 0, "wrong index", ignoring_options),
    Mutant("log_softmax", 0, "raw data", on_raw_y),
    Mutant("categorical_log_prob", 0, "missing term", instead(lambda g, y, x, k: g[..., None] * one_hot(k, x))),
    Mutant(
        "categorical_log_prob",
        0,
        "missing g",
        instead(lambda g, y, x, k: one_hot(k, x) - softmax(x) + 0 * g[..., None]),
    ),
    Mutant(
        "categorical_log_prob",
        0,
        "wrong index",
        instead(lambda g, y, x, k: g[..., None] * (np.roll(one_hot(k, x), 1, axis=-1) - softmax(x))),
    ),
    Mutant(
        "categorical_log_prob",
        0,
        "diagonal only",
        instead(lambda g, y, x, k: g[..., None] * one_hot(k, x) * (1 - softmax(x))),
    ),
    Mutant("categorical_log_prob", 0, "raw data", on_raw_inputs),
]


def unscaled(c: Common) -> Common:
    """The common part of a Gaussian's rules, with z not divided by the standard deviation again."""
    return c._replace(inverse_std=1.0)


def kl_rule(wrong: Any) -> Any:
    """A wrong rule of gaussian_kl from the common part."""
    return instead(lambda c, y, mean, logvar, mean_p=0.0, logvar_p=0.0: wrong(c))


def normal_rule(wrong: Any) -> Any:
    """A wrong rule of gaussian_log_prob from the common part."""
    return instead(lambda c, y, x, mean, logvar: wrong(c))


def on_raw_common(right: Rule) -> Rule:
    """The right rule, with what ``prepare`` computed taken as constants."""
    return lambda c, *args, **options: right(Common(c.g, *map(raw, c[1:])), *args, **options)


DENSITIES = [
    Mutant("bernoulli_log_prob", 0, "sign", instead(lambda g, y, logits, x: g * (sigmoid(logits) - x))),
    Mutant("bernoulli_log_prob", 0, "wrong", instead(lambda g, y, logits, x: g * (x - np.tanh(logits)))),
    Mutant(
        "bernoulli_log_prob",
        0,
        "epsilon",  # log(σ + ε), the usual clipped form
        instead(lambda g, y, logits, x: g * (x - sigmoid(logits)) * (1 - 1e-7 / (sigmoid(logits) + 1e-7))),
    ),
    Mutant("bernoulli_log_prob", 0, "raw data", on_raw_inputs),
    Mutant("bernoulli_log_prob", 1, "wrong", instead(lambda g, y, logits, x: g * sigmoid(logits))),
    Mutant("bernoulli_log_prob", 1, "missing term", instead(lambda g, y, logits, x: 0 * g)),
    Mutant("gaussian_log_prob", 0, "sign", normal_rule(lambda c: c.g * c.z * c.inverse_std)),
    Mutant("gaussian_log_prob", 0, "missing term", lambda right: lambda c, *args: right(unscaled(c), *args)),
    Mutant("gaussian_log_prob", 1, "missing term", lambda right: lambda c, *args: right(unscaled(c), *args)),
    Mutant("gaussian_log_prob", 1, "raw data", on_raw_common),
    Mutant("gaussian_log_prob", 2, "factor", normal_rule(lambda c: c.g * (c.z * c.z - 1))),  # of the log-std
    Mutant("gaussian_log_prob", 2, "missing term", normal_rule(lambda c: 0.5 * c.g * c.z * c.z)),
    Mutant("gaussian_log_prob", 2, "raw data", on_raw_common),
    Mutant(
        "gaussian_log_prob",
        "prepare",
        "wrong",  # the log-variance taken for the log-std
        lambda right: lambda g, y, x, mean, logvar: right(g, y, x, mean, 2.0 * logvar),
    ),
    Mutant(
        "gaussian_kl", 0, "missing term", lambda right: lambda c, *args, **options: right(unscaled(c), *args, **options)
    ),
    Mutant("gaussian_kl", 0, "factor", kl_rule(lambda c: 2 * c.g * c.z * c.inverse_std)),
    Mutant("gaussian_kl", 1, "factor", kl_rule(lambda c: c.g * c.expm1_d)),
    Mutant("gaussian_kl", 1, "missing term", kl_rule(lambda c: 0.5 * c.g * (c.expm1_d + 1))),
    Mutant("gaussian_kl", 1, "raw data", on_raw_common),
    Mutant("gaussian_kl", 2, "sign", kl_rule(lambda c: c.g * c.z * c.inverse_std)),
    Mutant("gaussian_kl", 2, "raw data", on_raw_common),
    Mutant("gaussian_kl", 3, "missing term", kl_rule(lambda c: -0.5 * c.g * c.expm1_d)),
    Mutant("gaussian_kl", 3, "sign", kl_rule(lambda c: 0.5 * c.g * (c.z * c.z - c.expm1_d))),
    Mutant(
        "gaussian_kl",
        "prepare",
        "swapped operands",  # KL(p ‖ q)
        lambda right: lambda g, y, m, v, m_p=0.0, v_p=0.0: right(g, y, m_p, v_p, m, v),
    ),
    Mutant("mse", 0, "sign", instead(lambda residual, y, prediction, target: -residual)),
    Mutant("mse", 1, "sign", instead(lambda residual, y, prediction, target: residual)),
    Mutant("mse", "prepare", "factor", lambda right: lambda g, *args: right(g, *args) / 2),
    Mutant(
        "mse", "prepare", "wrong count", lambda right: lambda g, y, a, b: right(g, y, a, b) * len(a) / max(a.size, 1)
    ),
    Mutant("mse", "prepare", "missing g", lambda right: lambda g, *args: right(0 * g + 1, *args)),
    Mutant("mse", "prepare", "raw data", lambda right: lambda g, y, a, b: right(g, y, raw(a), raw(b))),
]


def linear_rule(wrong: Any) -> Any:
    """A wrong rule of linear from the cotangent of the pre-activation, as rows."""
    return instead(lambda h, y, x, W, b=None, *, activation=None, kept=None: wrong(h, x, W))


def norm_rule(wrong: Any) -> Any:
    """A wrong rule of layer_norm from g, x̂ and r."""
    return instead(lambda common, y, x, gain, bias, eps=1e-5, kept=None: wrong(common[0], *common[2:], gain))


LAYERS = [
    Mutant("linear", 0, "raw data", on_raw_inputs),
    Mutant(
        "linear",
        0,
        "last element zeroed",
        linear_rule(lambda h, x, W: (h @ (W * (np.arange(len(W)) < len(W) - 1)[:, None]).T).reshape(x.shape)),
    ),
    Mutant(
        "linear",
        1,
        "wrong count",
        lambda right: lambda h, y, x, *args, **options: right(h, y, x, *args, **options) / max(len(x), 1),
    ),
    Mutant("linear", 1, "raw data", on_raw_inputs),
    Mutant(
        "linear",
        2,
        "wrong unbroadcast",
        linear_rule(lambda h, x, W: np.mean(h, axis=0) if len(h) else np.sum(h, axis=0)),
    ),
    Mutant("linear", 2, "missing g", linear_rule(lambda h, x, W: np.sum(0 * h + 1, axis=0))),
    Mutant("linear", "prepare", "missing term", instead(lambda g, y, *args, **options: as_rows(g))),  # φ'
    Mutant(
        "linear",
        "prepare",
        "wrong",  # the slope of tanh at its output, and that of relu for the tanh
        instead(lambda g, y, *args, activation=None, kept=None: as_rows(g if activation is None else g * (y > 0))),
    ),
    Mutant("linear", "prepare", "raw data", on_raw_y),
    Mutant("linear", "prepare", "raw data", on_raw_inputs),  # of which the slope of silu is computed again
    Mutant("layer_norm", 0, "detached", norm_rule(lambda g, x_hat, r, gain: r * (g * gain))),
    Mutant("layer_norm", 0, "detached", norm_rule(lambda g, x_hat, r, gain: r * (g * gain - row_mean(g * gain)))),
    Mutant(
        "layer_norm",
        0,
        "missing term",  # gain, inside the means
        norm_rule(lambda g, x_hat, r, gain: gain * r * (g - row_mean(g) - x_hat * row_mean(g * x_hat))),
    ),
    Mutant(
        "layer_norm",
        0,
        "wrong count",  # n − 1
        norm_rule(
            lambda g, x_hat, r, gain: (
                r
                * (
                    g * gain
                    - row_mean(g * gain)
                    - x_hat * sum_along(g * gain * x_hat, -1) / max(x_hat.shape[-1] - 1, 1)
                )
            )
        ),
    ),
    Mutant("layer_norm", 1, "missing term", norm_rule(lambda g, x_hat, r, gain: np.sum(as_rows(g), axis=0))),
    Mutant(
        "layer_norm",
        1,
        "wrong unbroadcast",
        norm_rule(lambda g, x_hat, r, gain: as_rows(g * x_hat)[0] if len(as_rows(g)) else 0 * gain),
    ),
    Mutant("layer_norm", 2, "wrong", norm_rule(lambda g, x_hat, r, gain: np.sum(as_rows(g * gain), axis=0))),
    Mutant(
        "layer_norm",
        2,
        "wrong unbroadcast",
        norm_rule(lambda g, x_hat, r, gain: as_rows(g)[0] if len(as_rows(g)) else 0 * gain),
    ),
    Mutant(
        "layer_norm",
        "prepare",
        "epsilon",
        lambda right: lambda g, y, x, gain, bias, eps=1e-5, kept=None: right(g, y, x, gain, bias),
    ),
    Mutant(
        "layer_norm",
        "prepare",
        "wrong",  # 1/r kept for r
        lambda right: (
            lambda g, y, x, gain, bias, eps=1e-5, kept=None: right(
                g, y, x, gain, bias, eps, kept=None if kept is None else (kept[0], 1 / kept[1])
            )
        ),
    ),
    Mutant("layer_norm", "prepare", "raw data", on_raw_inputs),
]

MUTANTS = [*ACTIVATIONS, *CATEGORICAL, *DENSITIES, *LAYERS]
