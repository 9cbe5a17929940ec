"""The two models as JSON, for ``nets.js``: weights rounded to as few digits as do, and what is shown beside them.

    W → round(10^d W)          whole numbers, in units of 10^−d: without a point and zeros they take less room      (1)

d is the least for which no probability of a level, and no coordinate of a flow's output, is off by more than
``TOLERANCE`` at any of the points that are tried: less than a picture shows. The JSON of a model:

    vae     {"digits": d, "side": 8, "levels": 17, "decoder": [layer, …]}
    flow    {"digits": d, "actnorm": {"loc", "log_scale"}, "couplings": [{"passes": 0 or 1, "most", "net": [layer, …]}]}
    layer   {"W": n_in rows of n_out numbers, "b": n_out numbers}

f_1, the normalisation, is next to the data, then come the couplings f_2, …, f_L in this order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.explore import views
from demos.explore.models import LEVELS, SIDE
from scratchgen.flows import Flow
from scratchgen.latent import VAE

TOLERANCE = 0.005
MOST_DIGITS = 9


class Export(NamedTuple):
    """A model as JSON can hold it, and how near it is to the model."""

    content: dict[str, Any]
    digits: int
    error: float  # the largest, of a probability or a coordinate
    size: int  # bytes of the JSON


def whole(name: str, array: np.ndarray, digits: int) -> list[Any]:
    """The whole numbers of (1).

    Raises:
        ValueError: for NaN or inf, which JSON cannot hold, with how many and where.

    >>> whole("b", np.array([0.1234, -2.0]), digits=2)
    [12, -200]
    """
    strange = np.argwhere(~np.isfinite(array))
    if len(strange):
        at = tuple(int(i) for i in strange[0])
        raise ValueError(
            f"{name} has {array[at]} at {at}; {len(strange)} of {array.size} values are not finite: "
            "a page cannot show this model, train it again with a smaller lr"
        )
    return np.rint(array * 10.0**digits).astype(np.int64).tolist()


def layers(name: str, mlp: Any, digits: int) -> list[dict[str, Any]]:
    """An MLP of tanh layers, of which the last is without tanh."""
    return [
        {part: whole(f"{name}.{i}.{part}", getattr(layer, part).data, digits) for part in ("W", "b")}
        for i, layer in enumerate(mlp.layers)
    ]


def vae_content(vae: VAE, digits: int) -> dict[str, Any]:
    """The decoder of a VAE."""
    return {"digits": digits, "side": SIDE, "levels": LEVELS, "decoder": layers("decoder", vae.decoder, digits)}


def flow_content(flow: Flow, digits: int) -> dict[str, Any]:
    """A normalisation and couplings of the plane, from data to noise."""
    first, *couplings = flow.transform.transforms  # type: ignore[attr-defined]
    return {
        "digits": digits,
        "actnorm": {part: whole(part, getattr(first, part).data, digits) for part in ("loc", "log_scale")},
        "couplings": [
            {
                "passes": int(np.flatnonzero(coupling.mask)[0]),
                "most": coupling.scalar_map.most,
                "net": layers(f"coupling {i}", coupling.net, digits),
            }
            for i, coupling in enumerate(couplings)
        ],
    }


def rounded(model: Any, digits: int) -> dict[str, np.ndarray]:
    """The state of the model, with the numbers that (1) leaves."""
    return {name: np.rint(array * 10.0**digits) / 10.0**digits for name, array in model.state().items()}


def exported(model: Any, content: Callable[[Any, int], dict[str, Any]], shown: Callable[[Any], np.ndarray]) -> Export:
    """The model with as few digits as do; it keeps its weights.

    Args:
        model: in float64.
        content: one of the functions above.
        shown: from the model to the numbers of which none may be off by more than ``TOLERANCE``.

    Raises:
        ValueError: for weights that are not finite, or so large that nine digits do not do.
    """
    content(model, 0)  # refuses weights that are not finite
    state, exact = model.state(), shown(model)
    for digits in range(1, MOST_DIGITS + 1):
        model.load_state(rounded(model, digits))
        error = float(np.abs(shown(model) - exact).max())
        model.load_state(state)
        if error <= TOLERANCE:
            found = content(model, digits)
            return Export(found, digits, error, len(compact(found)))
    raise ValueError(f"with {MOST_DIGITS} digits of each weight the error is still {error:.2g}, above {TOLERANCE}")


def exported_vae(vae: VAE) -> Export:
    """The decoder; the error is that of a probability, on a grid of codes within four standard deviations."""
    axis = np.linspace(-4, 4, 41)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return exported(vae, vae_content, lambda model: views.level_probabilities(model, grid))


def exported_flow(flow: Flow) -> Export:
    """The flow; the error is that of a coordinate, after any layer, for noise within four standard deviations."""
    axis = np.linspace(-4, 4, 41)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    grid = grid[np.sum(grid**2, axis=1) <= 16]
    return exported(flow, flow_content, lambda model: views.layers(model, grid))


def points_content(points: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Points of the plane to a hundredth, and their labels."""
    return {"points": np.round(points, 2).tolist(), "labels": labels.tolist()}


def true_contour(level: float) -> list[list[list[float]]]:
    """The lines on which the true density of the toy is ``level``, each as points of the plane."""
    from matplotlib.figure import Figure

    lines = Figure().add_subplot().contour(*views.true_density(), levels=[level]).allsegs[0]
    return [np.round(line, 2).tolist() for line in lines]


def compact(content: Any) -> str:
    """JSON without spaces; refuses NaN and inf, which are no JSON.

    >>> compact({"W": [[1, -2]]})
    '{"W":[[1,-2]]}'
    """
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
