"""The greedy loop: what the knob means."""

import numpy as np
import pytest

from stream_rec.reranking.greedy import greedy, standardized


class Fixed:
    """A term that always gives the same gains."""

    def __init__(self, *gains: float) -> None:
        self.fixed = np.array(gains)
        self.chosen: list[int] = []

    def gains(self) -> np.ndarray:
        """Return them."""
        return self.fixed

    def choose(self, place: int) -> None:
        """Remember the choice."""
        self.chosen.append(place)


def test_relevance_is_counted_in_standard_deviations_below_the_best():
    """Of 1, 2, 3 the mean is 2 and the standard deviation √(2/3)."""
    assert standardized(np.array([1.0, 3.0, 2.0])) == pytest.approx([-2 / np.sqrt(2 / 3), 0.0, -1 / np.sqrt(2 / 3)])


def test_equal_relevance_says_nothing():
    """No rounding error is blown up to a standard deviation."""
    assert standardized(np.full(3, 0.1)).tolist() == [0.0, 0.0, 0.0]
    assert standardized(np.zeros(0)).tolist() == []


def test_knob_weighs_relevance_against_terms():
    """The second item lacks 2 standard deviations and has 1 nat more: it wins where 2 (1 - x) < x, from 2/3 on."""
    relevance, term = np.array([1.0, -1.0]), Fixed(0.0, 1.0)

    assert greedy(relevance, [term], 2, 0.66).tolist() == [0, 1]
    assert greedy(relevance, [term], 2, 0.67).tolist() == [1, 0]


def test_terms_add_up():
    """Neither of two terms decides alone what both decide together."""
    relevance, terms = np.array([1.0, -1.0]), [Fixed(0.0, 0.6), Fixed(0.0, 0.6)]

    assert greedy(relevance, terms[:1], 1, 0.67).tolist() == [0]
    assert greedy(relevance, terms, 1, 0.67).tolist() == [1]


def test_every_term_hears_of_every_choice_before_the_last():
    """They are told in order."""
    terms = [Fixed(0.0, 0.0, 0.0), Fixed(0.0, 0.0, 0.0)]

    greedy(np.array([1.0, 3.0, 2.0]), terms, 3, 0.5)

    assert [term.chosen for term in terms] == [[1, 2], [1, 2]]


def test_knob_at_zero_is_the_ranking_with_ties_by_place():
    """Terms are not even asked."""
    assert greedy(np.array([1.0, 2.0, 1.0, 2.0]), [Fixed(9.0, 0.0, 0.0, 0.0)], 3, 0.0).tolist() == [1, 3, 0]


def test_knob_at_one_breaks_ties_by_relevance():
    """What the terms find equal is still ranked."""
    assert greedy(np.array([1.0, 2.0, 3.0]), [Fixed(1.0, 0.0, 0.0)], 3, 1.0).tolist() == [0, 2, 1]


def test_arguments_are_left_as_they_were():
    """Relevance is the caller's."""
    relevance = np.array([1.0, 2.0])

    greedy(relevance, [Fixed(0.0, 0.0)], 2, 0.5)

    assert relevance.tolist() == [1.0, 2.0]
