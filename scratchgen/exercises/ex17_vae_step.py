"""Exercise 17: one step of training a VAE.

All that came before, in one loop body: encode, draw z, decode, the ELBO, its gradient, and a step up. Here x are black
and white images of D pixels, and there are two networks:

    encoder(x)    (B, D) → (B, 2L): the mean of q(z|x) in the first L columns, its logvar in the last L
    decoder(z)    (B, L) → (B, D): the logits of p(x|z), one for each pixel

The bound of each image is a sum over pixels minus a sum over latent dimensions, with z = mean + e^(logvar/2) eps:

    Σ_d log Bernoulli(x_d; logits_d) − ½ Σ_l (e^logvar_l + mean_l² − 1 − logvar_l)              (1)

Write a step: the average of (1) over the batch, its gradients, and one step of the optimizer, which *minimises*. It
finds the gradients where `loss.backward()` leaves them, and `backward` adds to those that are there already.

    x, eps       (B, D) of 0 and 1, and (B, L) of noise
    optimizer    has the parameters of both networks, and the methods zero_grad and step, without arguments
    returns      a float: the average of (1) before the step

You may use `bernoulli_log_prob(logits, x)`, where the logits come first, unlike in exercise 10, and
`gaussian_kl(mean, logvar)`, both of scratchgen.autodiff: they give one number for each pixel, and for each latent
dimension. NumPy's functions work on Tensors.

In the lecture: pages 7 and 8, the variational autoencoder. Afterwards, look at scratchgen/latent/vae.py, and at
scratchgen/training/loop.py.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, bernoulli_log_prob, gaussian_kl
from scratchgen.exercises.kit import Student, Wrong, call, change, equal, require
from scratchgen.nn import MLP
from scratchgen.optim import SGD, Adam


def vae_step(
    encoder: Callable[[np.ndarray], Tensor],
    decoder: Callable[[Tensor], Tensor],
    x: np.ndarray,
    eps: np.ndarray,
    optimizer: Any,
) -> float:
    """Go one step up the gradient of the ELBO; returns what the ELBO was, in nats per image.

    >>> from scratchgen import nn, optim
    >>> encoder, decoder = nn.MLP([2, 2], rng=0, dtype=np.float64), nn.MLP([1, 2], rng=1, dtype=np.float64)
    >>> optimizer = optim.Adam({**encoder.parameters(), **{f"d.{k}": p for k, p in decoder.parameters().items()}}, 0.1)
    >>> x, eps = np.array([[1.0, 0.0]]), np.array([[0.5]])
    >>> before, after = (vae_step(encoder, decoder, x, eps, optimizer) for _ in range(2))
    >>> after > before
    True
    """
    # solution
    h, L = encoder(x), eps.shape[1]
    mean, logvar = h[:, :L], h[:, L:]
    z = mean + np.exp(0.5 * logvar) * eps
    log_likelihood = np.sum(bernoulli_log_prob(decoder(z), x), axis=1)
    kl = np.sum(gaussian_kl(mean, logvar), axis=1)
    elbo = np.mean(log_likelihood - kl)
    optimizer.zero_grad()
    (-elbo).backward()
    optimizer.step()
    return float(elbo.data)
    # end of solution


# end of the learner's part

HINTS = (
    """Follow the data: x → encoder → mean and logvar → z → decoder → logits → one number. Then three lines that every
    training loop has: clear the old gradients, backward, step.""",
    """mean, logvar = h[:, :L], h[:, L:]; z as in exercise 12; bernoulli_log_prob summed over axis 1 minus gaussian_kl
    summed over axis 1 is (1), and its np.mean is the ELBO. The loss is −ELBO.""",
    """optimizer.zero_grad(); (-elbo).backward(); optimizer.step(); return float(elbo.data).""",
)

EXPLANATION = """
That is a VAE. Two ways to fail both let the loss fall. With z cut loose from the graph the encoder learns from KL
alone, and makes every q(z|x) the prior; the decoder ends as the average image. On the images of the check, two kinds of
four pixels, that is an ELBO of −4 log 2 = −2.77. The other way is to average KL where the likelihood is summed: with
three latent dimensions the "bound" came to −0.42 there in 2,000 steps, although no model of two equally frequent images
has a mean log p(x) above −log 2 = −0.69. In the check, KL after 300 steps must be more than a tenth of a nat: z carries
something.
"""


def networks(D: int, L: int, rng: np.random.Generator) -> tuple[MLP, MLP]:
    """An encoder and a decoder, in double precision."""
    seeds = [int(s) for s in rng.integers(2**31, size=2)]
    encoder = MLP([D, 5, 2 * L], rng=seeds[0], dtype=np.float64)
    return encoder, MLP([L, 5, D], rng=seeds[1], dtype=np.float64)


def parameters_of(encoder: MLP, decoder: MLP) -> dict[str, Tensor]:
    """Of both."""
    return {f"{name}.{k}": p for name, net in (("e", encoder), ("d", decoder)) for k, p in net.parameters().items()}


def values(parameters: dict[str, Tensor]) -> np.ndarray:
    """All parameters in one vector."""
    return np.concatenate([p.data.ravel() for p in parameters.values()])


def elbo_of(encoder: MLP, decoder: MLP, x: np.ndarray, eps: np.ndarray) -> tuple[Tensor, Tensor]:
    """(1) averaged over the batch, written out, and its KL alone."""
    L = eps.shape[1]
    h = encoder(x)
    mean, logvar = h[:, :L], h[:, L:]
    logits = decoder(mean + np.exp(logvar / 2) * eps)
    kl = np.sum(np.exp(logvar) + mean**2 - 1 - logvar) * (0.5 / len(x))
    return np.sum(x * logits - np.logaddexp(0.0, logits)) * (1 / len(x)) - kl, kl


def check(student: Student) -> None:
    """Two steps of plain gradient descent, to rounding; then 300 of Adam: the ELBO rises, and z is used."""
    lr = 0.3
    for B, D, L in ((3, 4, 3), (5, 2, 1), (2, 5, 2)):
        rng = np.random.default_rng(17 + D)
        encoder, decoder = networks(D, L, rng)
        parameters = parameters_of(encoder, decoder)
        optimizer = SGD(parameters, lr)
        for step in ("first", "second"):
            x, eps = rng.integers(0, 2, (B, D)).astype(float), rng.normal(size=(B, L))
            copies = deepcopy((encoder, decoder))
            for copy in copies:
                copy.zero_grad()
            exact, _ = elbo_of(*copies, x, eps)
            exact.backward()
            goal = np.concatenate([np.ravel(p.data + lr * p.grad) for p in parameters_of(*copies).values()])
            case = f"{B} images of {D} pixels, {L} latent, the {step} step"
            given = {"encoder": encoder, "decoder": decoder, "x": x, "eps": eps, "optimizer": optimizer}
            got = call(student.vae_step, given, case)
            equal(got, float(exact.data), f"{case}: the ELBO before it", name="vae_step")
            equal(values(parameters), goal, f"{case}: all parameters after it, those of the encoder first")

    rng = np.random.default_rng(17)
    encoder, decoder = networks(4, 1, rng)
    x = np.repeat([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]], 8, axis=0)  # two kinds of images: one bit to carry
    adam = Adam(parameters_of(encoder, decoder), 0.02)
    case = "300 steps on two kinds of images"
    for _ in range(300):
        given = {
            "encoder": encoder,
            "decoder": decoder,
            "x": x,
            "eps": rng.normal(size=(16, 1)),
            "optimizer": adam,
        }
        call(student.vae_step, given, case)
    bound, kl = (float(t.data) for t in elbo_of(encoder, decoder, x, rng.normal(size=(16, 1))))
    require(kl > 0.1, "The latent variable is not used: KL is nearly 0.", case, got=kl, expected="more than 0.1 nats")
    require(bound > -2.0, "The ELBO has not risen far enough.", case, got=bound, expected="more than −2 nats")


WRONG: Wrong = {
    "cutting z loose from the graph, so that the encoder learns from KL alone": change(
        "decoder(z)", "decoder(Tensor(z.data))"
    ),
    "decoding the noise instead of z, so that the posterior collapses": change(
        "decoder(z)", "decoder(Tensor(eps) + 0 * z)"
    ),
    "decoding the mean instead of z": change("decoder(z)", "decoder(mean)"),
    "never clearing the gradients": change("optimizer.zero_grad()\n", "elbo = elbo * 1\n"),
    "clearing the gradients between backward and step, or stepping before backward": change(
        "optimizer.zero_grad()\n    (-elbo).backward()", "(-elbo).backward()\n    optimizer.zero_grad()"
    ),
    "stepping down the ELBO": change("(-elbo)", "elbo"),
    "making no step": change("optimizer.step()\n", "elbo = elbo * 1\n"),
    "adding KL": change("log_likelihood - kl", "log_likelihood + kl"),
    "leaving out KL": change("log_likelihood - kl", "log_likelihood - 0 * kl"),
    "putting a beta of ½ in front of KL": change("log_likelihood - kl", "log_likelihood - 0.5 * kl"),
    "averaging KL over the latent dimensions": change("np.sum(gaussian_kl", "np.mean(gaussian_kl"),
    "averaging over the pixels": change("np.sum(bernoulli", "np.mean(bernoulli"),
    "summing over the batch": change("np.mean(log", "np.sum(log"),
    "taking the mean from the last columns, and logvar from the first": change(
        "h[:, :L], h[:, L:]", "h[:, L:], h[:, :L]"
    ),
    "taking e^logvar for the standard deviation": change("0.5 * logvar", "logvar"),
    "returning the loss, −ELBO": change("float(elbo.data)", "float(-elbo.data)"),
}
