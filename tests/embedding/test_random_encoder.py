"""The control: vectors by text alone, without meaning."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.embedding.random_encoder import RandomEncoder


def test_texts_that_share_words_are_no_more_similar_than_others():
    """Cosines of near twins have mean 0, and the deviation of chance."""
    rows = RandomEncoder().encode_passages([f"a blue teapot of one litre, number {n}" for n in range(400)])
    cosines = (rows @ rows.T)[np.triu_indices(400, 1)]

    assert abs(cosines.mean()) < 0.005
    assert abs(cosines.std() - 1 / 8) < 0.005


def test_the_seed_makes_another_space_with_a_name_of_its_own():
    """The same seed the same vectors, in every process."""
    first, again, other = RandomEncoder(), RandomEncoder(seed=0), RandomEncoder(seed=1)

    assert first.encode_passages(["tea"]).tolist() == again.encode_passages(["tea"]).tolist()
    assert first.encode_passages(["tea"])[0, 1:4].tolist() == pytest.approx([0.16467656, 0.02355829, 0.07812368])
    assert abs(float(first.encode_passages(["tea"])[0] @ other.encode_passages(["tea"])[0])) < 0.5
    assert (first.identity, other.identity) == ("random@1-64-0", "random@1-64-1")
