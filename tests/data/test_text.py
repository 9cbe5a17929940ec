"""Text: the vocabulary there and back, the fixed split, and windows that miss no target and count none twice."""

import hashlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.data import text as module
from scratchgen.data import vocabulary as characters
from scratchgen.data.dataset import DataError


@given(st.text(min_size=1))
def test_decode_undoes_encode(text):
    vocabulary = characters.Vocabulary(text)
    tokens = vocabulary.encode(text)
    assert vocabulary.decode(tokens) == text
    assert set(tokens.tolist()) == set(range(len(vocabulary)))
    assert list(vocabulary.characters) == sorted(set(text))


def test_the_split_is_fixed_and_covers_the_text_once():
    docs, again = module.documentation(), module.documentation()
    assert docs == again
    assert docs.size == len(docs.train) + len(docs.validation)
    assert docs.sha256 == hashlib.sha256((docs.train + docs.validation).encode()).hexdigest()
    assert 0.08 < len(docs.validation) / docs.size < 0.22
    assert docs.train.endswith("\n")


def test_no_paragraph_of_the_documentation_is_in_both_parts():
    docs = module.documentation()
    # The paragraph that the cut goes through may leave a line on either side.
    shared = set(docs.train.split("\n\n")[:-1]) & set(docs.validation.split("\n\n")[1:])
    assert {paragraph for paragraph in shared if paragraph.strip()} == set()


@given(st.integers(2, 60), st.integers(1, 20))
def test_windows_side_by_side_have_each_target_once(size, length):
    tokens = np.random.default_rng(size).integers(0, 5, size)
    parts = module.cover(tokens, length)
    for k, expected in enumerate((tokens[:-1], tokens[1:])):  # inputs, targets
        assert [token for part in parts for token in part[k].ravel()] == expected.tolist()
    assert all(part.inputs.shape[1] <= length for part in parts)


def test_windows_drawn_start_anywhere_with_the_next_token_as_target():
    inputs, targets = module.draw_windows(np.arange(10), length=4, n=2000, rng=0)
    assert inputs.shape == targets.shape == (2000, 4)
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(4))
    assert set(inputs[:, 0].tolist()) == set(range(6))


def test_a_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "book.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "Grüße\r\n".encode() * 50)
    parts = module.text_file(path)
    assert parts.train + parts.validation == "Grüße\n" * 50


def written(tmp_path, content):
    path = tmp_path / "book.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "book.txt: length: got 0 characters, expected at least 100"),
        (b"word " * 3, "length: got 15 characters"),
        (b"x" * 200 + b"\xfc", "encoding: got byte 0xfc at position 200, expected UTF-8"),
    ],
)
def test_bad_files(tmp_path, content, message):
    with pytest.raises(DataError, match=re.escape(message)):
        module.text_file(written(tmp_path, content))


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        module.text_file(tmp_path / "none.txt")
    with pytest.raises(DataError, match="a folder, expected a text file"):
        module.text_file(tmp_path)


AB = characters.Vocabulary("ab")
BAD = {
    "no text": (lambda: characters.Vocabulary(""), ValueError, "text is empty"),
    "bytes": (lambda: characters.Vocabulary(b"ab"), TypeError, "text is of type bytes; it must be a str: text.decode"),
    "unknown": (lambda: AB.encode("abéc"), ValueError, "text has 'é' (U+00E9) at position 2, which is not among the 2"),
    "token 2": (lambda: AB.decode([0, 2]), ValueError, "tokens has 2 at (1,)"),
    "token −1": (lambda: AB.decode([-1]), ValueError, "tokens has -1 at (0,)"),
    "floats": (lambda: AB.decode([0.0]), TypeError, "tokens is float64"),
    "two axes": (lambda: AB.decode([[0]]), ValueError, "tokens has shape (1, 1); it must be (L,)"),
    "length 0": (lambda: module.cover(np.arange(5), 0), ValueError, "length is 0"),
    "length 2.5": (lambda: module.draw_windows(np.arange(9), 2.5, 1, 0), TypeError, "length is 2.5; it must be an int"),
    "length True": (lambda: module.cover(np.arange(9), True), TypeError, "length is True; it must be an int"),
    "n 1.5": (lambda: module.draw_windows(np.arange(9), 2, 1.5, 0), TypeError, "n is 1.5; it must be an int"),
    "one token": (lambda: module.cover(np.arange(1), 3), ValueError, "1 tokens"),
    "n 0": (lambda: module.draw_windows(np.arange(5), 2, 0, 0), ValueError, "n is 0"),
    "too long": (lambda: module.draw_windows(np.arange(5), 5, 1, 0), ValueError, "5 tokens; a window of 5"),
    "short text": (lambda: module.split("ab"), ValueError, "text has 2 characters"),
}


@pytest.mark.parametrize("call, error, message", BAD.values(), ids=BAD)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
