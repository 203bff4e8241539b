"""The contract of encoders: each check finds the encoder that breaks it."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.testing.encoders import EncoderContract


class Long(HashingEncoder):
    """Vectors of length 2."""

    def encode_passages(self, texts):
        return 2 * super().encode_passages(texts)


class Crowded(HashingEncoder):
    """A vector depends on how many texts come with it."""

    def encode_passages(self, texts):
        return np.roll(super().encode_passages(texts), len(texts), axis=1)


class Sorted(HashingEncoder):
    """Gives rows by length of text."""

    def encode_passages(self, texts):
        return super().encode_passages(sorted(texts, key=len))


class Constant(HashingEncoder):
    """One point for all."""

    def encode_passages(self, texts):
        return np.tile(super().encode_passages([""]), (len(texts), 1))


class Flat(HashingEncoder):
    """No rows where there are no texts, and no columns either."""

    def encode_passages(self, texts):
        return super().encode_passages(texts) if texts else np.zeros(0, np.float32)


class Greedy(HashingEncoder):
    """Reads a text to its end."""

    def encode_passages(self, texts):
        rows = super().encode_passages(texts)
        for row, text in zip(rows, texts):
            row[:] = np.roll(row, len(text))
        return rows


class Forgetful(HashingEncoder):
    """Encodes the first 32 texts of a call."""

    def encode_passages(self, texts):
        rows = super().encode_passages(texts)
        rows[32:] = rows[:1]
        return rows


class Tidy(HashingEncoder):
    """Strips the caller's texts of their last."""

    def encode_passages(self, texts):
        rows = super().encode_passages(texts)
        texts[-1:] = []
        return rows


class Nameless(HashingEncoder):
    """Another name each time it is made."""

    def __init__(self, **options):
        super().__init__(**options)
        self.identity = "mine"


class Uncounted(HashingEncoder):
    """Counts no tokens."""

    def encode_passages(self, texts):
        rows = super().encode_passages(texts)
        self.tokens_encoded = 0
        return rows


BROKEN = [
    (Long, "test_rows_are_float32_of_unit_length", "must have unit length"),
    (Crowded, "test_the_same_text_gives_the_same_vector_in_any_company", "alone as in a batch"),
    (Sorted, "test_order_is_kept", "in the order of the texts"),
    (Constant, "test_different_texts_have_different_vectors", "must have different vectors"),
    (Flat, "test_no_texts_give_no_rows", "no texts must give an array of shape"),
    (Greedy, "test_a_very_long_text_is_cut", "must be cut at a limit"),
    (Forgetful, "test_every_text_has_its_row_in_a_large_batch", "row 33 of a large batch"),
    (Tidy, "test_texts_are_not_changed", "must not change the list"),
    (Nameless, "test_the_identity_is_name_and_revision", "must be name@revision"),
    (Uncounted, "test_tokens_are_counted", "at least four tokens"),
]


@pytest.mark.parametrize(("kind", "check", "words"), BROKEN)
def test_each_check_finds_the_encoder_that_breaks_it(kind: type[HashingEncoder], check: str, words: str):
    """And says what was expected."""

    class Broken(EncoderContract):
        def make(self):
            return kind(dimensions=64)

    with pytest.raises(AssertionError, match=words):
        getattr(Broken(), check)()


def test_every_check_is_seen_to_fail():
    """The list above leaves none out."""
    assert {name for name in dir(EncoderContract) if name.startswith("test_")} == {check for _, check, _ in BROKEN}


def test_an_encoder_is_made_once_a_class():
    """A model takes seconds to load; at the end of the class it is let go."""
    made = []

    class Counted(EncoderContract):
        def make(self):
            made.append(HashingEncoder())
            return made[-1]

    assert Counted().encoder is Counted().encoder is made[0]
    Counted.teardown_class()
    assert Counted().encoder is made[1]
