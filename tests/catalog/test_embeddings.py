"""Vectors by encoder: two encoders are never mixed, and one takes over from the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.embeddings import Embeddings
from stream_rec.errors import DimensionMismatch
from tests.catalog.stock import NEW, OLD, space_vector


def filled(n: int, encoder: str = OLD) -> Embeddings:
    embeddings = Embeddings()
    for row in range(n):
        embeddings.put(row, space_vector([1, row], encoder))
    return embeddings


def test_the_first_encoder_is_in_use_at_once():
    """There is nothing else that could be."""
    embeddings = Embeddings()

    assert embeddings.put(3, space_vector([3, 4]))
    assert embeddings.active.encoder == OLD
    assert embeddings.find(3).tolist() == pytest.approx([0.6, 0.8], abs=1e-3)
    assert [embeddings.find(row) is not None for row in (2, 3, 4, 5000)] == [False, True, False, False]


def test_a_new_encoder_takes_over_when_it_holds_as_many_items():
    """Until then the old vectors serve; with the last item of a catalog embedded again it is done."""
    embeddings = filled(3)

    assert [embeddings.put(row, space_vector([row, 1, 1], NEW)) for row in range(3)] == [False, False, True]
    assert embeddings.active.encoder == NEW
    assert embeddings.active.vectors.shape[1] == 3
    assert embeddings.incoming is None


def test_an_encoder_that_comes_back_finds_what_it_left():
    """Reading a topic in which two encoders alternate must not lose the vectors of the one that wins in the end."""
    embeddings = Embeddings()
    for row, encoder in enumerate([OLD, NEW, NEW, OLD, OLD, OLD]):
        embeddings.put(row, space_vector([1, row], encoder))

    assert embeddings.active.encoder == OLD
    assert [embeddings.find(row) is not None for row in range(6)] == [True, False, False, True, True, True]


def test_a_new_vector_of_the_encoder_in_use_replaces_both():
    """The newest record of an item is the one that counts: what the other encoder made of it is gone."""
    embeddings = filled(3)
    embeddings.put(0, space_vector([1, 1, 1], NEW))
    embeddings.put(1, space_vector([1, 1, 1], NEW))
    embeddings.put(0, space_vector([5, 0]))

    assert embeddings.incoming.n_items == 1
    assert embeddings.active.vectors[0].tolist() == [1, 0]


def test_another_length_under_one_name_is_refused():
    """The encoder has changed without saying so; nothing of the vector is taken."""
    embeddings = filled(2)

    for refuse in (embeddings.require_length, lambda vector: embeddings.put(1, vector)):
        with pytest.raises(DimensionMismatch, match=r"'old@1' has 3 numbers, its others have 2"):
            refuse(space_vector([1, 2, 3]))
    embeddings.require_length(space_vector([1, 2, 3], NEW))
    assert embeddings.active.n_items == 2


def test_a_deleted_vector_is_gone_from_both_spaces():
    """And deleting what is not there does nothing."""
    embeddings = filled(2)
    embeddings.put(0, space_vector([1, 1, 1], NEW))
    for row in (0, 0, 7, 5000):
        embeddings.delete(row)

    assert embeddings.find(0) is None
    assert (embeddings.active.n_items, embeddings.incoming.n_items) == (1, 0)


def test_a_new_encoder_takes_over_when_the_old_one_has_lost_as_many_items():
    """As where it fails for the text that is embedded last; what was not there is no loss."""
    embeddings = filled(3)
    for row in range(2):
        embeddings.put(row, space_vector([row, 1, 1], NEW))
    assert not embeddings.delete(7)
    assert embeddings.active.encoder == OLD

    assert embeddings.delete(2)
    assert (embeddings.active.encoder, embeddings.active.n_items, embeddings.incoming) == (NEW, 2, None)
    assert not any(embeddings.delete(row) for row in range(3))


@settings(max_examples=80, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.sampled_from([OLD, NEW, None])), max_size=40))
def test_counts_and_vectors_follow_any_sequence(steps):
    """What a space holds is some item's vector of its own encoder, never a deleted one; its count is exact."""
    embeddings = Embeddings()
    last: dict[tuple[int, str], float] = {}
    for number, (row, encoder) in enumerate(steps):
        if encoder is None:
            embeddings.delete(row)
            last = {key: vector for key, vector in last.items() if key[0] != row}
        else:
            embeddings.put(row, space_vector([1, number], encoder))
            last[row, encoder] = space_vector([1, number]).vector.astype(np.float16)
        for space in filter(None, (embeddings.active, embeddings.incoming)):
            rows = np.flatnonzero(space.is_present)
            assert space.n_items == len(rows)
            assert all(space.vectors[at].tolist() == last[at, space.encoder].tolist() for at in rows)
    newest = {row for row, encoder in last}
    assert newest == {
        row for row in range(8) for s in (embeddings.active, embeddings.incoming) if s and s.is_present[row : row + 1]
    }
