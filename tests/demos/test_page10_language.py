"""Page 10: the language model is measured as the n-grams are, and its text drawn as it says."""

import numpy as np
import pytest

from demos import page10_language as page10
from demos.texts import corpus
from scratchgen.autoregressive import NGram, Transformer
from scratchgen.autoregressive.truncation import truncated
from scratchgen.distributions import Categorical
from tests.demos.recorder import Recorder

LINES = ["to be or not to be", "that is the question", "whether it is nobler", "in the mind to suffer"]
KNOWN = r"transformer, \S+ parameters, (\d+) steps: (\S+) nats a character of new text, (\S+) of .* n-gram (\S+), un"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Lines in random order: what is new in the validation part is their order alone."""
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    rows = np.random.default_rng(0).integers(0, len(LINES), 200)
    path.write_text("".join(LINES[i] + "\n" for i in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def stage(file):
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "STEPS", 84)
        patch.setattr(page10, "BATCH", 8)
        patch.setattr(page10, "MEASURED", 300)
        patch.setattr(page10, "WRITTEN", 40)
        page10.run(recorder, 0, file)
    yield recorder
    recorder.close()


def test_the_figures_are_those_of_the_text(stage, file):
    text = corpus(stage, file)
    ladder = stage.numbers(", ".join([r"(\d\S*) \(n = \d\)"] * 6))[0]
    truth = [NGram(text.train, len(text.vocabulary), n).nats(text.validation[:300]) for n in page10.LADDER]
    np.testing.assert_allclose(ladder, truth, rtol=0, atol=5e-5)
    ((steps, fresh, known, best),) = stage.numbers(KNOWN)
    assert steps == 84 and best == min(ladder)
    curves = stage.figures["page10_language"].axes[0].lines
    assert curves[0].get_ydata()[-1] == pytest.approx(fresh, abs=5e-5)
    assert curves[1].get_ydata()[-1] == pytest.approx(known, abs=5e-5)
    limits = [line.get_ydata()[0] for line in curves[2:]]
    np.testing.assert_allclose(limits, [truth[n - 1] for n in sorted({2, 3, 1 + int(np.argmin(truth))})])


def test_it_learns_and_what_is_said_of_the_n_grams_is_so(stage):
    """No model of lines in random order can cost less than log 4 nats a line, of about 20 characters."""
    steps, nats = stage.figures["page10_language"].axes[0].lines[0].get_data()
    ((_, _, _, best),) = stage.numbers(KNOWN)
    assert np.log(4) / 22 < nats[-1] < 1.5 < 2.5 < nats[0]
    below = stage.numbers(r"below the best n-gram from step (\d+) on")
    assert below == ([(steps[nats < best][0],)] if np.any(nats < best) else [])


def test_text_is_written_by_each_way(stage):
    written = {line.split(": ")[0]: line.split(": ")[1] for line in stage.results[-len(page10.WAYS) :]}
    assert set(written) == set(page10.WAYS)
    assert all(0 < len(text) <= 40 and set(text) <= set(" ".join(LINES)) for text in written.values())


@pytest.mark.parametrize("way", page10.WAYS)
def test_the_next_character_is_that_of_the_full_pass(way):
    model = Transformer(7, 6, 8, 2, 1, rng=0, dtype=np.float64).eval()
    prompt = np.array([3, 1, 4, 1, 5])
    logits = model.conditionals(np.append(prompt, 0)[None]).logits.data[0, -1]
    p = Categorical(truncated(logits, **page10.WAYS[way])).probabilities
    np.testing.assert_allclose(page10.next_character(model, prompt, page10.WAYS[way]), p, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_on_the_documentation_it_costs_less_than_the_best_n_gram():
    recorder = Recorder()
    page10.run(recorder, 0)
    recorder.close()
    ((_, fresh, known, best),) = recorder.numbers(KNOWN)
    assert 1.2 < fresh < 1.4 < best < 1.5 and 1 < known < fresh
