"""Errors planted in the Markov source and in the text: for each there is a test in tests/data that fails.

As in ``test_data_errors``, a plant is a piece of the source and what a slip of the hand could have made of it.
"""

from functools import partial

import numpy as np
import pytest

from tests.data import test_markov, test_text
from tests.museum.test_data_errors import Check, planted

stationary = partial(test_markov.test_the_stationary_distribution_is_one, 3, 2)
by_hand = test_markov.test_the_entropy_rate_by_hand
rate = partial(test_markov.test_the_entropy_rate_is_that_of_one_more_symbol, 3, 2)
entropy = partial(test_markov.test_the_entropy_is_the_sum_over_all_sequences, 3, 2)
log_prob = partial(test_markov.test_log_prob_is_the_chain_rule_by_hand, 3, 2)
uniforms = test_markov.test_samples_follow_the_uniforms
cycle = test_markov.test_a_cycle_costs_nothing_and_skips_what_cannot_occur
cover = test_text.test_windows_side_by_side_have_each_target_once
drawn = test_text.test_windows_drawn_start_anywhere_with_the_next_token_as_target
there_and_back = test_text.test_decode_undoes_encode
fixed = test_text.test_the_split_is_fixed_and_covers_the_text_once
disjoint = test_text.test_no_paragraph_of_the_documentation_is_in_both_parts

PLANTS: dict[str, tuple[str, str, str, Check]] = {
    "transition transposed": ("markov", "np.eye(states) - step.T + 1.0", "np.eye(states) - step + 1.0", by_hand),
    "the new symbol comes in as the oldest": ("markov", "s * V % states + c", "s // V + c * (states // V)", stationary),
    "entropy in bits": (
        "markov",
        "* entr(self.transition).sum(axis=-1)",
        "* entr(self.transition).sum(axis=-1) / np.log(2)",
        by_hand,
    ),
    "all states alike in the entropy rate": (
        "markov",
        "(self.stationary * entr(self.transition)",
        "(1 / self.stationary.size * entr(self.transition)",
        rate,
    ),
    "the start costs the entropy rate too": (
        "markov",
        "float(entr(self.marginal(known)).sum())",
        "known * self.entropy_rate",
        entropy,
    ),
    "the first symbols for nothing": (
        "markov",
        "total += np.log(self.tables[t]",
        "total += 0 * np.log(self.tables[t]",
        log_prob,
    ),
    "the last symbol dropped": ("markov", "-1, 0))]).sum(axis=1)", "-1, 0))])[:, :-1].sum(axis=1)", log_prob),
    "the newer symbol first": (
        "markov",
        "self.transition[tuple(np.moveaxis(windows, -1, 0))]",
        "self.transition[tuple(np.moveaxis(windows[..., [1, 0, 2]], -1, 0))]",
        log_prob,
    ),
    "mean for sum over the symbols": ("markov", "-1, 0))]).sum(axis=1)", "-1, 0))]).mean(axis=1)", log_prob),
    "the joint for the conditional": (
        "markov",
        "given = joint.sum(axis=-1, keepdims=True)",
        "given = np.ones_like(joint[..., :1])",
        log_prob,
    ),
    "impossible starts give NaN": (
        "markov",
        "np.divide(joint, given, out=np.full_like(joint, 1 / self.symbols), where=given > 0)",
        "joint / given",
        cycle,
    ),
    "a sample with the older symbols exchanged": (
        "markov",
        "tuple(x[:, t - seen : t].T)",
        "tuple(x[:, t - seen : t].T[::-1])",
        uniforms,
    ),
    "a sample one symbol late": ("markov", "cumulative <= u", "cumulative < 1 - u", uniforms),
    "the target not shifted": ("text", "tokens[at + 1]", "tokens[at]", drawn),
    "no window at the end": ("text", "integers(len(tokens) - length,", "integers(len(tokens) - length - 1,", drawn),
    "targets are inputs": (
        "text",
        "inputs, targets = tokens[:-1], tokens[1:]",
        "inputs, targets = tokens[:-1], tokens[:-1]",
        cover,
    ),
    "the last window left out": ("text", "for part in (whole, rest)", "for part in (whole,)", cover),
    "windows overlap": ("text", "rest = Windows(inputs[None, full:]", "rest = Windows(inputs[None, full - 1 :]", cover),
    "parts overlap": ("text", "Text(text[:cut], text[cut:]", "Text(text[:cut], text[cut - 500 :]", fixed),
    "repeated paragraphs stay": ("text", "dict.fromkeys(paragraphs)", "list(paragraphs)", disjoint),
    "numbers in the order of a set": (
        "vocabulary",
        "sorted(set(require_text(text)))",
        "set(require_text(text))",
        there_and_back,
    ),
    "decode off by one": ("vocabulary", "self.characters[i] for", "self.characters[i - 1] for", there_and_back),
}


@pytest.mark.parametrize("module, right, wrong, check", PLANTS.values(), ids=PLANTS)
def test_is_caught(module, right, wrong, check):
    """The check passes on the source as it is, and fails with the error planted."""
    check()
    with planted(module, right, wrong), np.errstate(all="ignore"), pytest.raises(AssertionError):
        check()
