"""Proposals of one source, and the union of several."""

import numpy as np

from stream_rec.retrieval.candidates import Found, fuse


def part(**scores: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([int(row[1:]) for row in scores], dtype=np.int32), np.array(list(scores.values()))


def found(**scores: float) -> Found:
    rows, values = part(**scores)
    return Found(rows, values, np.full(len(rows), -1))


def test_scores_of_a_row_add_up_and_the_largest_is_its_evidence():
    """Row 7 is proposed by all three recent items; the second one counted most."""
    union = Found.union([part(r7=1.0, r3=2.0), part(r7=5.0), part(r7=3.0, r1=1.0)])

    assert union.rows.tolist() == [1, 3, 7]
    assert union.scores.tolist() == [1.0, 2.0, 9.0]
    assert union.evidence.tolist() == [2, 0, 1]


def test_recent_items_that_propose_nothing_keep_their_place():
    """The evidence is a place among the recent items, so an empty part must count."""
    union = Found.union([part(), part(), part(r4=1.0)])

    assert union.evidence.tolist() == [2]


def test_nothing_united_is_nothing():
    """No recent items, or none with a proposal."""
    for union in (Found.union([]), Found.union([part(), part()]), Found.nothing()):
        assert (len(union.rows), len(union.scores), len(union.evidence)) == (0, 0, 0)


def test_every_source_is_scaled_to_one():
    """Scores of two sources cannot be compared before; 0 says that a source did not propose the item."""
    candidates = fuse({"a": found(r5=10.0, r2=5.0), "b": found(r5=0.2), "c": Found.nothing()})

    assert candidates.sources == ("a", "b", "c")
    assert candidates.rows.tolist() == [2, 5]
    assert candidates.scores.tolist() == [[0.5, 0.0, 0.0], [1.0, 1.0, 0.0]]


def test_evidence_stays_with_its_source():
    """Two sources may have different reasons for one item; -1 where a source has none."""
    candidates = fuse({"a": Found.union([part(), part(r1=1.0)]), "b": found(r1=1.0, r2=1.0)})

    assert candidates.evidence.tolist() == [[1, -1], [-1, -1]]


def test_no_sources_are_no_candidates():
    """An empty union keeps its shape."""
    assert len(fuse({})) == 0
    assert fuse({"a": Found.nothing()}).scores.shape == (0, 1)


def test_keeping_moves_everything_together():
    """By a mask, or by places in their order."""
    candidates = fuse({"a": found(r1=1.0, r2=2.0, r3=4.0)})

    masked, reordered = candidates.keep(np.array([True, False, True])), candidates.keep(np.array([2, 0]))
    assert (masked.rows.tolist(), masked.scores.tolist()) == ([1, 3], [[0.25], [1.0]])
    assert (reordered.rows.tolist(), reordered.scores.tolist()) == ([3, 1], [[1.0], [0.25]])
    assert len(masked.evidence) == 2
