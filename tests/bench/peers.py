"""A training step with each library. `make(peer)(workload, problem)` returns `step(i)`, which trains on batch i mod n.

A step returns the loss as its library holds it; `float(loss)` waits for the computation where that runs ahead.
The libraries without an optimiser of their own (autograd, mygrad) are lent the fast hand-written Adam.
"""

import functools
import importlib.util
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .by_hand import FlatAdam
from .workloads import Arrays, Problem

Step = Callable[[int], Any]

NAMES = ("torch", "numpy", "scratchgen", "jax", "mygrad", "autograd")


def present(peer: str) -> bool:
    """Whether the library is installed, without importing it."""
    return importlib.util.find_spec(peer) is not None


def make(peer: str) -> Callable[[ModuleType, Problem], Step]:
    return globals()[f"{peer}_peer"]


def numpy_peer(workload: ModuleType, problem: Problem) -> Step:
    return workload.numpy_step(problem.weights, problem.batches)


def scratchgen_peer(workload: ModuleType, problem: Problem) -> Step:
    from scratchgen.autodiff import Tensor
    from scratchgen.optim import Adam

    if hasattr(workload, "scratchgen_model"):
        weights, loss_of = workload.scratchgen_model(problem.weights)
    else:
        weights = {name: Tensor(array, requires_grad=True) for name, array in problem.weights.items()}
        loss_of = functools.partial(workload.scratchgen_loss, weights)
    optimiser = Adam(weights, lr=workload.LEARNING_RATE)

    def step(i: int) -> Any:
        optimiser.zero_grad()
        loss = loss_of(problem.batches[i % len(problem.batches)])
        loss.backward()
        optimiser.step()
        return loss.data

    return step


def transposed(weights: Arrays) -> Arrays:
    """Torch's linear layer holds (out, in)."""
    return {name: array.T for name, array in weights.items()}


def torch_peer(workload: ModuleType, problem: Problem) -> Step:
    import torch

    turned = getattr(workload, "torch_weights", transposed)(problem.weights)
    weights = {name: torch.tensor(array.copy(), requires_grad=True) for name, array in turned.items()}
    batches = [{name: torch.tensor(array) for name, array in batch.items()} for batch in problem.batches]
    optimiser = torch.optim.Adam(weights.values(), lr=workload.LEARNING_RATE, fused=True)

    def step(i: int) -> Any:
        optimiser.zero_grad()
        loss = workload.torch_loss(weights, batches[i % len(batches)])
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def jax_peer(workload: ModuleType, problem: Problem) -> Step:
    import jax
    from jax import numpy as jnp

    lr, beta1, beta2, eps = workload.LEARNING_RATE, 0.9, 0.999, 1e-8

    def train(state: tuple, batch: dict[str, Any]) -> tuple:
        p, m, v, t = state
        loss, g = jax.value_and_grad(lambda p: workload.array_loss(jnp, p, batch))(p)
        t = t + 1
        m = {k: beta1 * m[k] + (1 - beta1) * g[k] for k in g}
        v = {k: beta2 * v[k] + (1 - beta2) * g[k] ** 2 for k in g}
        # 1 - βᵗ loses half its float32 digits at small t
        m_hat, v_hat = -1 / jnp.expm1(t * math.log(beta1)), -1 / jnp.expm1(t * math.log(beta2))
        p = {k: p[k] - lr * m_hat * m[k] / (jnp.sqrt(v_hat * v[k]) + eps) for k in g}
        return (p, m, v, t), loss

    compiled = jax.jit(train, donate_argnums=0)
    weights = {name: jnp.array(array) for name, array in problem.weights.items()}
    m, v = ({name: jnp.zeros_like(array) for name, array in weights.items()} for _ in range(2))
    state = (weights, m, v, jnp.float32(0))
    batches = [{name: jnp.array(array) for name, array in batch.items()} for batch in problem.batches]

    def step(i: int) -> Any:
        nonlocal state
        state, loss = compiled(state, batches[i % len(batches)])
        return loss

    return step


def autograd_peer(workload: ModuleType, problem: Problem) -> Step:
    import autograd
    import autograd.numpy as anp

    adam = FlatAdam(list(problem.weights.values()), workload.LEARNING_RATE)
    weights = dict(zip(problem.weights, adam.values))
    value_and_grad = autograd.value_and_grad(lambda p, batch: workload.array_loss(anp, p, batch))

    def step(i: int) -> Any:
        loss, gradients = value_and_grad(weights, problem.batches[i % len(problem.batches)])
        for place, name in zip(adam.gradients, weights):
            np.copyto(place, gradients[name])
        adam.step()
        return loss

    return step


def mygrad_peer(workload: ModuleType, problem: Problem) -> Step:
    import mygrad

    mygrad.turn_memory_guarding_off()  # as its manual advises for speed
    adam = FlatAdam(list(problem.weights.values()), workload.LEARNING_RATE)
    weights = {name: mygrad.tensor(view, copy=False) for name, view in zip(problem.weights, adam.values)}

    def step(i: int) -> Any:
        loss = workload.array_loss(mygrad, weights, problem.batches[i % len(problem.batches)])
        loss.backward()
        for place, tensor in zip(adam.gradients, weights.values()):
            np.copyto(place, tensor.grad)
        adam.step()
        return loss.data

    return step
