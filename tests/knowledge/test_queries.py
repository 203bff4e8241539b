"""Queries: a number of their words, and what answered them, summed in any order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.knowledge.fading import HALF_LIFE_MS, Fading, add, level
from stream_rec.knowledge.queries import numbers_of

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    "same",
    ["Red Pot", "pot red", "  RED,   pot!", "red_pot", "pot red red", "réd pôt", "re\u0301d pot", "re\u00add pot"],
)
def test_the_same_words_are_the_same_query(same):
    """In any order, however often, whatever their case, accents, punctuation and soft hyphens."""
    assert numbers_of(same, None) == numbers_of("red pot", None)
    assert numbers_of(same, "z") == numbers_of("red pot", "z")


@pytest.mark.parametrize("other", ["red", "redpot", "red pots", "red pot blue", "rot pot"])
def test_other_words_are_another_query(other):
    """One more or less, and what is written together."""
    assert numbers_of(other, None) != numbers_of("red pot", None)


def test_what_is_asked_about_an_item_has_a_number_more():
    """The most special last; that of another item, and of a word that is like the item, is another."""
    words, of_z = numbers_of("red", "z")

    assert [words] == numbers_of("red", None)
    assert len({words, of_z, *numbers_of("red", "y"), *numbers_of("red z", None), *numbers_of("red z", "z")}) == 5


@pytest.mark.parametrize("text", ["", "   ", "?!", "_", "\u200b", "🙂"])
def test_a_query_without_words_has_no_number(text):
    """Not even with an item: nothing was said of it."""
    assert numbers_of(text, None) == numbers_of(text, "z") == []


def test_numbers_are_fixed():
    """They stand in stored states: seven bytes of BLAKE2b of the sorted words, and of them with the item."""
    assert numbers_of("Pot red", "z") == [67708062787477398, 51410041280140876]


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40), item_id=st.none() | st.text(min_size=1, max_size=9))
def test_numbers_fit_into_states(text, item_id):
    """Whatever the text: no number, or as many as there must be, of seven bytes."""
    numbers = numbers_of(text, item_id)

    assert len(numbers) in (0, 1 + (item_id is not None))
    assert all(0 <= number < 2**56 for number in numbers)


changes = st.lists(
    st.tuples(
        st.integers(0, 400 * DAY_MS) | st.sampled_from([0, DAY_MS, 400 * DAY_MS]),
        st.sampled_from([8, 2, 1, -8, -6, -2, -1]),
    ),
    max_size=12,
)


def added(parts) -> Fading | None:
    answers = None
    for at_ms, change in parts:
        answers = add(answers, at_ms, change)
    return answers


@settings(max_examples=400, deadline=None)
@given(parts=changes, data=st.data())
def test_any_order_adds_up_to_the_same(parts, data):
    """The integer exactly, the fading sum nearly, also where it passes through 0; None only where nothing is left."""
    answers = added(data.draw(st.permutations(parts)))
    weight, total, last_ms = answers or (0, 0.0, 400 * DAY_MS)

    assert weight == sum(change for _, change in parts)
    expected = sum(change * 0.5 ** ((400 * DAY_MS - at_ms) / (180 * DAY_MS)) for at_ms, change in parts)
    assert total * 0.5 ** ((400 * DAY_MS - last_ms) / (180 * DAY_MS)) == pytest.approx(expected, abs=1e-7)
    assert answers is None or last_ms in {at_ms for at_ms, _ in parts}
    assert answers is not None or expected == pytest.approx(0, abs=1e-7)


@settings(max_examples=200, deadline=None)
@given(parts=changes, data=st.data())
def test_what_is_taken_back_was_never_there(parts, data):
    """In whatever order corrections and what they correct come."""
    back = [(at_ms, -change) for at_ms, change in parts]

    assert added(data.draw(st.permutations([*parts, *back]))) is None


def test_a_correction_that_overtakes_leaves_the_sum_as_it_would_be():
    """8 of long ago; -8 overtakes the 8 of today that it corrects: for a moment the integer is 0, the sum is not."""
    old, now = 0, 180 * DAY_MS
    between = added([(old, 8), (now, -8)])

    assert between == (0, pytest.approx(-4.0), now)
    assert add(between, now, 8) == (8, pytest.approx(4.0), now)


@settings(max_examples=200, deadline=None)
@given(parts=changes, later_ms=st.integers(0, 10**12))
def test_a_level_does_not_depend_on_as_of_when_the_sum_is(parts, later_ms):
    """So items that were answered at different times compare."""
    answers = added(parts)
    if answers is not None and answers[1] > 1e-6:
        weight, total, last_ms = answers
        faded = weight, total * 0.5 ** (later_ms / HALF_LIFE_MS), last_ms + later_ms
        assert level(faded) == pytest.approx(level(answers), abs=1e-6)


@pytest.mark.parametrize(
    ("total", "last_ms", "expected"), [(8.0, 0, 3.0), (1.0, HALF_LIFE_MS, 1.0), (4.0, 2 * HALF_LIFE_MS, 4.0)]
)
def test_a_level_is_log2_carried_back_to_time_0(total, last_ms, expected):
    """By one for each half-life."""
    assert level((5, total, last_ms)) == expected


@pytest.mark.parametrize("total", [0.0, -1.0, -1e300])
def test_what_is_no_sum_has_the_least_level(total):
    """Below everything."""
    assert level((5, total, 10**12)) == -math.inf


def test_what_is_far_apart_is_finite():
    """From 1970 to the end of event times: old weights fade to nothing, in both orders."""
    for parts in ([(0, 8), (2**53, 2)], [(2**53, 2), (0, 8)]):
        assert added(parts) == (10, 2.0, 2**53)
