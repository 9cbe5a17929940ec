"""What generation does to the next symbol's distribution: temperature, the k likeliest, the likeliest of mass p.

    p_k ∝ exp(l_k / temperature),  p_k = 0 for symbols that are left out                       (1)

Temperature 1 with nothing left out is the model itself; anything else samples another distribution, of which
``log_prob`` knows nothing. Those left out get the logit −∞, not some low number.

Source: Holtzman et al., The curious case of neural text degeneration, arXiv:1904.09751, sections 3.1 to 3.3.
"""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import softmax


def check_truncation(levels: int, temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings out of range; raises ValueError with the range."""
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature is {temperature}; it must be above 0 and finite: for the likeliest, top_k=1")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer))):
        raise ValueError(f"top_k is {top_k!r}; it must be an integer from 1 to {levels}")
    if top_k is not None and not 1 <= top_k <= levels:
        raise ValueError(f"top_k is {top_k}; there are {levels} symbols, so it must be from 1 to {levels}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be above 0 and at most 1")


def truncated(
    logits: np.ndarray, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    """The logits (1), (…, K), with −∞ for the symbols left out.

    Args:
        logits: (…, K).
        temperature: divides them: below 1 the likelier symbols gain.
        top_k: keep the k likeliest; of equals, those that come first.
        top_p: keep as few of the likeliest as have a probability of at least p together, at this temperature.

    Raises:
        ValueError: for settings out of range.

    >>> truncated(np.log([0.5, 0.3, 0.2]), top_k=2).round(2)
    array([-0.69, -1.2 ,  -inf])
    >>> truncated(np.log([0.5, 0.3, 0.2]), top_p=0.5).round(2)
    array([-0.69,  -inf,  -inf])
    """
    levels = logits.shape[-1]
    check_truncation(levels, temperature, top_k, top_p)
    logits = logits / temperature
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1)  # 0 for the likeliest
    keep = rank < (levels if top_k is None else top_k)
    if top_p is not None:
        falling = -np.sort(-np.asarray(softmax(logits.astype(np.float64))), axis=-1)
        likelier = np.cumsum(falling, axis=-1) - falling  # the mass of those before, by rank
        keep &= np.take_along_axis(likelier, rank, axis=-1) < top_p
    return np.where(keep, logits, -np.inf).astype(logits.dtype)
