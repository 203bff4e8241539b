"""Batches by token budget."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.embedding.batching import n_padded, token_batches

LENGTHS = st.lists(st.integers(0, 300), max_size=200)


def test_texts_of_like_length_go_together():
    """Lengths 9, 2, 8, 2 under a budget of 18: the two long ones, then the two short ones."""
    batches = token_batches([9, 2, 8, 2], 18)

    assert [list(batch) for batch in batches] == [[0, 2], [1, 3]]
    assert n_padded([9, 2, 8, 2], batches) == 22


def test_a_text_over_the_budget_goes_alone():
    """It cannot be cut here, and must not be lost."""
    assert [list(batch) for batch in token_batches([5, 100, 5], 10)] == [[1], [0, 2]]


def test_no_texts_make_no_batches():
    """There is no empty batch."""
    assert token_batches([], 10) == []


@given(LENGTHS, st.integers(1, 1000))
def test_every_text_comes_exactly_once(lengths, budget):
    """Batching neither loses nor repeats a text."""
    batches = token_batches(lengths, budget)

    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 1000))
def test_the_budget_is_kept(lengths, budget):
    """The longest text of a batch times its size is within the budget, but for a text that is over it alone."""
    for batch in token_batches(lengths, budget):
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


@given(LENGTHS, st.integers(1, 1000))
def test_no_batch_could_have_taken_the_next_text(lengths, budget):
    """Batches are as full as the budget allows."""
    batches = token_batches(np.array(lengths, dtype=np.int64), budget)

    for batch in batches[:-1]:
        assert max(1, *(lengths[i] for i in batch)) * (len(batch) + 1) > budget
