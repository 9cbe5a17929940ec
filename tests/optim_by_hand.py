"""The formulas of the papers for one number, as a reference, and the checks that every optimiser has to pass.

The museum runs the same checks on optimisers with planted errors, each of which has to fail.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor

GRADIENTS = [0.5, -1.25, 2.0, 0.0, 1e-3, -0.75, 3.0, -1e-8, 0.3, 10.0]  # of any sign and size, ten steps
START = 0.7
LR = 0.03

Make = Callable[..., Any]  # an optimiser's class, or a function with the same arguments


def sgd(p: float, lr: float, momentum: float) -> list[float]:
    """PyTorch's form: v ← μ v + g, p ← p − lr v."""
    v, path = 0.0, []
    for g in GRADIENTS:
        v = momentum * v + g
        p = p - lr * v
        path.append(p)
    return path


def adam(p: float, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float = 0.0) -> list[float]:
    """Kingma & Ba 2015, algorithm 1, with the averages written out as sums; Loshchilov & Hutter 2019, algorithm 2."""
    path = []
    for t in range(1, len(GRADIENTS) + 1):
        m = (1 - beta1) * math.fsum(beta1 ** (t - i) * GRADIENTS[i - 1] for i in range(1, t + 1))
        v = (1 - beta2) * math.fsum(beta2 ** (t - i) * GRADIENTS[i - 1] ** 2 for i in range(1, t + 1))
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        p = p - lr * (m_hat / (math.sqrt(v_hat) + eps) + weight_decay * p)
        path.append(p)
    return path


def run(make: Make, gradients: list[Any], start: Any = START, dtype: Any = np.float64, **options: Any) -> np.ndarray:
    """The values of a parameter after each step with the given gradients."""
    parameter = Tensor(np.asarray(start, dtype), requires_grad=True)
    optimizer = make([parameter], **options)
    path = []
    for g in gradients:
        parameter.grad = np.full(parameter.shape, g, dtype)
        optimizer.step()
        path.append(parameter.data.copy())
    return np.array(path)


def check_sgd(make: Make) -> None:
    for momentum in (0.0, 0.9):
        path = run(make, GRADIENTS, lr=LR, momentum=momentum)
        np.testing.assert_allclose(path, sgd(START, LR, momentum), rtol=1e-13)


def check_adam(make: Make) -> None:
    for beta1, beta2, eps in [(0.9, 0.999, 1e-8), (0.5, 0.9, 1e-3), (0.0, 0.999, 1e-8), (0.9, 0.0, 1e-6)]:
        path = run(make, GRADIENTS, lr=LR, betas=(beta1, beta2), eps=eps)
        np.testing.assert_allclose(path, adam(START, LR, beta1, beta2, eps), rtol=1e-12)


def check_adamw(make: Make) -> None:
    for weight_decay in (0.0, 0.5):
        path = run(make, GRADIENTS, lr=LR, betas=(0.9, 0.99), eps=1e-8, weight_decay=weight_decay)
        np.testing.assert_allclose(path, adam(START, LR, 0.9, 0.99, 1e-8, weight_decay), rtol=1e-12)


def check_second_step_of_adam(make: Make) -> None:
    """By hand, β₁ = ½, β₂ = ¾, gradients 1 and 3, ε = ¼:

    m = ½·½·1 + ½·3 = 7/4,  m̂ = (7/4) / (1 − ¼) = 7/3;  v = ¾·¼·1 + ¼·9 = 39/16,  v̂ = (39/16) / (1 − 9/16) = 39/7.
    """
    first, second = run(make, [1.0, 3.0], lr=0.1, betas=(0.5, 0.75), eps=0.25)
    np.testing.assert_allclose(first, START - 0.1 / 1.25, rtol=1e-14)
    np.testing.assert_allclose(second, first - 0.1 * (7 / 3) / (math.sqrt(39 / 7) + 0.25), rtol=1e-14)


def check_constant_gradient_of_adam(make: Make) -> None:
    """With a constant gradient g, m̂ = g and v̂ = g² at every step, so p_t = p_0 − t lr g / (|g| + ε)."""
    for g in (2.0, -1e-3, 1e-8):
        path = run(make, [g] * 1000, lr=LR, eps=1e-8)
        t = np.arange(1, 1001)
        np.testing.assert_allclose(path, START - t * LR * g / (abs(g) + 1e-8), rtol=0, atol=1e-11)


def check_keeps_float32(make: Make) -> None:
    """float32 in, float32 out, in parameters and state; and near to what float64 gives."""
    parameter = Tensor(np.array([START, -START], np.float32), requires_grad=True)
    optimizer = make([parameter], lr=LR)
    parameter.grad = np.array([1.0, -2.0], np.float32)
    optimizer.step()
    assert parameter.dtype == np.float32
    for name, array in optimizer.state().items():
        assert array.dtype == np.float32 or name in ("steps", "lr"), name
    single = run(make, GRADIENTS, dtype=np.float32, lr=LR)
    np.testing.assert_allclose(single, run(make, GRADIENTS, lr=LR), rtol=3e-6)
