"""Errors planted in streams: for each a test in tests/autoregressive/test_streams.py fails.

A plant is a piece of the source and what a slip of the hand could have made of it.
"""

import inspect
from functools import partial

import pytest

from scratchgen.autoregressive import streams
from tests.autoregressive import test_streams
from tests.museum.test_distribution_errors import Check, Plant, is_caught

nats = partial(test_streams.test_the_nats_of_a_stream_symbol_by_symbol, 11, 2)
rest = partial(test_streams.test_the_nats_of_a_stream_symbol_by_symbol, 6, 1)
batches = test_streams.test_many_windows_are_taken_in_batches
generated = partial(test_streams.test_each_symbol_that_is_generated_is_the_inverse_of_its_conditional, 3, 2)


def planted(right: str, wrong: str) -> Plant:
    source = inspect.getsource(streams)
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    changed = dict(vars(streams))
    exec(compile(source.replace(right, wrong), str(streams.__file__), "exec"), changed)

    def plant(patch: pytest.MonkeyPatch) -> None:
        for name in ("stream_nats", "generate_stream"):
            patch.setattr(test_streams, name, changed[name])

    return plant


PLANTS: dict[str, tuple[str, str, Check]] = {
    "symbols that stay are counted again": ("[:, least:], dtype", "[:, :], dtype", nats),
    "one symbol of each window too few": ("[:, least:], dtype", "[:, least + 1 :], dtype", nats),
    "the mean over the symbols of a window": ("float(np.sum(values(", "float(np.mean(values(", nats),
    "the first window again": ("[step::step]", "[::step]", nats),
    "windows side by side": ("[step::step]", "[model.dims :: model.dims]", nats),
    "the last window left out": ("if len(rest) > least", "if False", rest),
    "the last window only if it is long": ("if len(rest) > least", "if len(rest) > least + 1", rest),
    "the last window of a wrong start": ("tokens[(1 + len(whole)) * step :]", "tokens[-model.dims :]", rest),
    "only one batch": ("for start in range(0, len(whole), BATCH)", "for start in [0][: len(whole)]", batches),
    "averaged over the windows": ("total / len(tokens)", "total / (1 + len(tokens) // step)", nats),
    "wrong sign": ("total -= log_p_of(model, whole", "total += log_p_of(model, whole", nats),
    "generated from nothing in each window": ("prompt=x[:, first:done], ", "prompt=x[:, :0], ", generated),
    "generated window by window, all of them full": ("-(-(done + 1 - model.dims) //", "-(-(done - 1) //", generated),
    "the same uniform numbers in each window": ("u[:, first:end]", "u[:, : end - first]", generated),
}


@pytest.mark.parametrize(("right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(right: str, wrong: str, check: Check) -> None:
    is_caught(planted(right, wrong), check)
