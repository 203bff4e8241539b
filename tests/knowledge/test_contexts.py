"""Numbers of what events say of where and how they came about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.knowledge.contexts import LONGEST_VALUE, MOST_KEYS, key_of, numbers_of, said

KEYS = "country,device,hour"


@pytest.mark.parametrize(
    "value",
    ["", "  ", "x" * (LONGEST_VALUE + 1), None, 1.5, ["GB"], {"code": "GB"}, 2**63, -(2**63), 10**4000],
    ids=lambda value: f"{type(value).__name__}-{len(repr(value)) if not isinstance(value, int) else 'large'}",
)
def test_what_is_no_context_says_nothing(value: object):
    """Blank or long texts, fractions, lists, objects, null, and numbers that nothing has so many values of."""
    assert numbers_of({"country": value}, KEYS) == ()


def test_each_key_has_its_place():
    """By the order of the settings, whatever order an event has; behind the last that was said is nothing."""
    country, nothing, hour = numbers_of({"hour": 7, "country": "GB", "order": "o-1"}, KEYS)

    assert nothing == 0
    assert numbers_of({"country": "GB"}, KEYS) == (country,)
    assert numbers_of({"country": "GB", "hour": 7}, "hour,country") == (hour, country)
    assert said((country, 0, hour)) == [country, hour]
    assert numbers_of({"country": "GB"}, "") == numbers_of({}, KEYS) == ()


def test_numbers_and_truth_are_as_their_texts():
    """Apps in other languages send one or the other; true is not 1."""
    assert numbers_of({"hour": 7}, "hour") == numbers_of({"hour": "7"}, "hour")
    assert numbers_of({"app": True}, "app") == numbers_of({"app": "true"}, "app") != numbers_of({"app": 1}, "app")


@given(context=st.dictionaries(st.sampled_from("abcdefgh"), st.text(max_size=70) | st.integers() | st.booleans()))
def test_a_number_says_of_which_key_it_is(context: dict[str, object]):
    """At most eight, each below 2 ** 56; two keys with the same value have different numbers."""
    numbers = numbers_of(context, "a,b,c,d,e,f,g,h")
    assert len(numbers) <= MOST_KEYS and all(0 <= number < 2**56 for number in numbers)
    for key, number in zip("abcdefgh", numbers):
        assert (number > 0) == bool(numbers_of({key: context.get(key)}, key))
        if number:
            assert key_of(number) == key_of(numbers_of({key: "another"}, key)[0]) != number
    assert len(set(said(numbers))) == sum(map(bool, numbers))
