"""Errors planted in the table, the fully visible sigmoid belief net and NADE: for each a test of theirs fails.

A plant is a piece of a function, and what a slip of the hand could have made of it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive import masks
from scratchgen.autoregressive.bits import BitModel
from scratchgen.autoregressive.fvsbn import FVSBN
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.autoregressive.nade import NADE
from scratchgen.autoregressive.table import ProbabilityTable
from tests.autoregressive import test_simple, test_table, test_total_probability
from tests.museum.test_engine_errors import slip

TURNED = (3, 0, 4, 1, 2)  # its inverse is another
by_hand = test_simple.test_each_logit_by_hand
jacobian = test_simple.test_each_bit_depends_on_exactly_all_before
future = test_simple.test_the_future_changes_no_bit
uniforms = test_simple.test_each_draw_follows_its_uniform_numbers
frequencies = test_simple.test_draws_are_as_frequent_as_log_prob_says


def total(kind: str, order: Any) -> None:
    model = (NADE if kind == "NADE" else FVSBN, "another order")
    test_total_probability.test_the_total_probability_is_1_and_stays_so(*test_total_probability.MODELS[model])


def steps() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_simple.test_nade_draws_with_the_activations_of_training(TURNED, patch)


MASKED = "np.where(self.mask, self.W, 0.0)"
BITS: dict[str, tuple[Any, str, str, Callable[..., None]]] = {
    "no mask": (FVSBN.network, MASKED, "self.W", jacobian),
    "its own input": (FVSBN.network, "self.mask", "(self.mask | np.eye(5, dtype=bool))", jacobian),
    "its own input: no distribution": (
        FVSBN.network,
        "self.mask",
        "(self.mask | np.eye(self.dims, dtype=bool))",
        total,
    ),
    "the mask transposed": (FVSBN.network, "self.mask", "self.mask.T", jacobian),
    "the mask of the natural order": (FVSBN.network, "self.mask", "~np.tri(5, dtype=bool)", jacobian),
    "the bit before only": (FVSBN.network, "self.mask", "(np.eye(5, k=1) > 0)", jacobian),
    "inverse of the order": (
        masks.degrees,
        "np.argsort(permutation(order, len(order)))",
        "permutation(order, len(order))",
        jacobian,
    ),
    "FVSBN without bias": (FVSBN.network, " + self.b", "", by_hand),
    "FVSBN, mean for sum": (FVSBN.network, MASKED, f"{MASKED} / len(self.b)", by_hand),
    "FVSBN, W transposed": (FVSBN.network, "self.W, 0.0", "self.W.T, 0.0", by_hand),
    "probabilities for logits": (
        BitModel.conditionals,
        "(self.network(x))",
        "(1 / (1 + np.exp(-self.network(x))))",
        by_hand,
    ),
    "log p averaged over the bits": (Autoregressive.log_prob, "np.sum", "np.mean", by_hand),
    "a bit too few in a draw": (FVSBN.conditional, "[j])]", "[j]) - 1]", uniforms),
    "a draw with its own bit": (FVSBN.conditional, "[j])]", "[j]) + 1]", future),
    "a draw without bias": (FVSBN.conditional, " + self.b.data[j]", "", uniforms),
    "the bits of lower number": (
        FVSBN.conditional,
        "self.order[: int(np.argsort(self.order)[j])]",
        "np.arange(j)",
        uniforms,
    ),
    "the uniform numbers of another bit": (Autoregressive.sample, "u[:, j]", "u[:, done - 1]", uniforms),
    "drawn in the natural order": (
        Autoregressive.sample,
        "self.order[first:]",
        "np.arange(self.dims)[first:]",
        uniforms,
    ),
    "running sum with its own bit": (
        NADE.network,
        "np.concatenate([start, rows], axis=1), axis=1)",
        "np.concatenate([start, x[:, order, None] * self.W[order]], axis=1), axis=1)[:, 1:]",
        jacobian,
    ),
    "running sum one bit late": (
        NADE.network,
        "np.concatenate([start, rows], axis=1), axis=1)",
        "np.concatenate([start, 0 * start, rows[:, :-1]], axis=1), axis=1)",
        jacobian,
    ),
    "running sum with its own bit: no distribution": (
        NADE.network,
        "np.concatenate([start, rows], axis=1), axis=1)",
        "np.concatenate([start, x[:, order, None] * self.W[order]], axis=1), axis=1)[:, 1:]",
        total,
    ),
    "sum over all bits": (
        NADE.network,
        "a = np.cumsum(np.concatenate([start, rows], axis=1), axis=1)",
        "a = start + np.sum(rows, axis=1, keepdims=True) * np.ones((1, 5, 1))",
        jacobian,
    ),
    "sum along the hidden units": (NADE.network, "axis=1), axis=1)", "axis=1), axis=2)", by_hand),
    "c counted once for each bit": (NADE.network, "axis=1)  # (1)", "axis=1) + start  # (1)", by_hand),
    "NADE without b": (NADE.network, " + self.b", "", by_hand),
    "NADE without c": (NADE.network, "np.broadcast_to(self.c", "np.broadcast_to(0 * self.c", by_hand),
    "NADE, mean for sum": (NADE.network, "np.sum(sigmoid", "np.mean(sigmoid", by_hand),
    "NADE, tanh for σ": (NADE.network, "sigmoid(a)", "np.tanh(a)", by_hand),
    "V not in the order": (NADE.network, "self.V[order]", "self.V", by_hand),
    "W not in the order": (NADE.network, "self.W[order[:-1]]", "self.W[:-1]", by_hand),
    "not put back": (NADE.network, "[:, np.argsort(order)]", "", by_hand),
    "put back by the order": (NADE.network, "[:, np.argsort(order)]", "[:, order]", by_hand),
}
ALL: list[Callable[[], None]] = [steps, lambda: uniforms("NADE", TURNED), lambda: frequencies("NADE")]
STEPS: dict[str, tuple[Any, str, str, list[Callable[[], None]]]] = {
    "a step with its own bit": (NADE.in_turn, "told : rank[j]]", "told : rank[j] + 1]", ALL[:1]),  # 0 while drawing
    "the given bits not told": (NADE.in_turn, "self.order[told : rank[j]]", "self.order[told : rank[j]][-1:]", ALL[:2]),
    "the bits of lower number told": (NADE.in_turn, "self.order[told : rank[j]]", "range(told, rank[j])", ALL),
    "all told again": (NADE.in_turn, "told = rank[j]", "told = 0", ALL),
    "a bit told twice": (NADE.in_turn, "told = rank[j]", "told = max(rank[j] - 1, 0)", ALL),
    "another row": (NADE.in_turn, "W[i]", "W[j]", ALL),
    "a draw without b": (NADE.in_turn, " + b[j]", "", ALL),
    "a draw without c": (NADE.in_turn, " + self.c.data", " + 0 * self.c.data", ALL),
    "the activation forgotten": (NADE.in_turn, "a = a +", "a = self.c.data +", ALL),
}

conditionals = partial(test_table.test_conditionals_are_shares_of_what_agrees_so_far, (1, 2, 0))
own = partial(test_table.test_the_log_probability_is_that_of_the_table_in_every_order, 3, 3)
entropies = test_table.test_the_entropies_differ_from_order_to_order_but_not_their_sum
fit = test_table.test_the_fit_has_the_shares_of_the_data_and_no_gradient
impossible = test_table.test_what_is_impossible_is_not_drawn_and_after_it_all_is_alike
fitted, table_of = (vars(ProbabilityTable)[name].__func__ for name in ("fit", "of"))
TABLE: dict[str, tuple[Any, str, str, Callable[..., None]]] = {
    "the future not summed over": (
        ProbabilityTable.prefixes,
        "logsumexp(log_p[-1], axis=-1)",
        "log_p[-1][..., 0]",
        conditionals,
    ),
    "the past summed over": (ProbabilityTable.prefixes, "axis=-1)", "axis=0)", conditionals),
    "logs added": (
        ProbabilityTable.prefixes,
        "logsumexp(log_p[-1], axis=-1)",
        "np.sum(log_p[-1], axis=-1)",
        conditionals,
    ),
    "axes not in the order": (ProbabilityTable.prefixes, "tuple(self.order.tolist())", "None", conditionals),
    "axes in the inverse order": (
        ProbabilityTable.prefixes,
        "self.order.tolist()",
        "np.argsort(self.order).tolist()",
        conditionals,
    ),
    "x not in the order": (ProbabilityTable.conditionals, "x[:, self.order]", "x", conditionals),
    "not put back": (ProbabilityTable.conditionals, "[:, np.argsort(self.order)]", "", conditionals),
    "put back by the order": (
        ProbabilityTable.conditionals,
        "[:, np.argsort(self.order)]",
        "[:, self.order]",
        conditionals,
    ),
    "the most recent symbols only": (
        ProbabilityTable.conditionals,
        "along[:, :t]",
        "along[:, self.dims - t :]",
        conditionals,
    ),
    "normalised along one axis": (ProbabilityTable.log_table, "axis=tuple(range(self.dims))", "axis=-1", own),
    "entropies in bits": (ProbabilityTable.entropies, "np.diff(totals)", "(np.diff(totals) / np.log(2))", entropies),
    "entropies in the order": (ProbabilityTable.entropies, "[np.argsort(self.order)]", "", entropies),
    "entropies of all so far": (ProbabilityTable.entropies, "np.diff(totals)", "np.array(totals[1:])", entropies),
    "0 log 0": (ProbabilityTable.entropies, "np.where(log_p > -np.inf, log_p, 0.0)", "log_p", impossible),
    "one symbol after the impossible": (
        ProbabilityTable.conditionals,
        "np.zeros_like(values(stacked))",
        "np.log([0.9, 0.1])",
        impossible,
    ),
    "one added to the counts": (
        fitted,
        "counts.reshape(shape) / len(x)",
        "(counts.reshape(shape) + 1) / (len(x) + counts.size)",
        fit,
    ),
    "each x counted once": (
        fitted,
        "counts.reshape(shape) / len(x)",
        "(counts.reshape(shape) > 0) / np.sum(counts > 0)",
        fit,
    ),
    "the axes of the counts reversed": (fitted, "tuple(x.T)", "tuple(x.T[::-1])", fit),
    "probabilities for logits": (table_of, "np.log(p)", "p", fit),
}


def is_caught(function: Any, right: str, wrong: str, check: Callable[[], None]) -> None:
    """The check passes as things are, and its assertion fails with the error planted."""
    check()
    with (
        slip(function, right, wrong),
        np.errstate(all="ignore"),
        pytest.raises((AssertionError, pytest.fail.Exception)),
    ):
        check()


@pytest.mark.parametrize(("function", "right", "wrong", "check"), BITS.values(), ids=BITS)
def test_an_error_in_the_nets_of_bits_is_caught(function: Any, right: str, wrong: str, check: Any) -> None:
    kind = "NADE" if function.__qualname__.startswith("NADE") else "FVSBN"
    more = (1e30,) if check is future else ()
    is_caught(function, right, wrong, lambda: check(kind, TURNED, *more))


@pytest.mark.parametrize(("function", "right", "wrong", "checks"), STEPS.values(), ids=STEPS)
def test_an_error_in_the_steps_of_nade_is_caught(function: Any, right: str, wrong: str, checks: Any) -> None:
    for check in checks:
        is_caught(function, right, wrong, check)


@pytest.mark.parametrize(("function", "right", "wrong", "check"), TABLE.values(), ids=TABLE)
def test_an_error_in_the_table_is_caught(function: Any, right: str, wrong: str, check: Any) -> None:
    is_caught(function, right, wrong, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(
            NADE.network,
            "np.sum(sigmoid(a) * self.V[order], axis=-1)",
            "np.sum(self.V[order] * sigmoid(a), axis=2)",
            lambda: by_hand("NADE", TURNED),
        )
