"""How much more often users come to items in one context than to all items."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog import contexts as contexts_module
from stream_rec.catalog.contexts import SMOOTHING, Contexts
from stream_rec.knowledge import fading
from stream_rec.knowledge.contexts import key_of, numbers_of
from stream_rec.knowledge.fading import Fading

DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS
KEY = "country"


def number(country: str) -> int:
    return numbers_of({KEY: country}, KEY)[0]


def came(countries: str, at_ms: int = NOW_MS) -> dict[int, Fading]:
    """Return what an item holds after an event from each of the countries."""
    sums: dict[int, Fading] = {}
    for country in countries:
        for each in (number(country), key_of(number(country))):
            fading.add_to(sums, each, at_ms, 1)
    return sums


@given(
    changes=st.lists(st.tuples(st.integers(0, 4), st.text("abc", max_size=12)), max_size=20),
    crowded=st.sampled_from([contexts_module.CROWDED, 10**9]),
    kept=st.sampled_from([1, 2, contexts_module.KEPT]),
)
def test_only_what_is_there_now_counts(changes: list[tuple[int, str]], crowded: int, kept: int):
    """Whatever was there before: lift and the most popular are as if all were counted anew, in arrays or not."""
    contexts, last = Contexts(), dict[int, str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts_module, "CROWDED", crowded)
        patch.setattr(contexts_module, "KEPT", kept)
        for row, countries in changes:
            contexts.put(row, came(last.get(row, "")), came(countries))
            last[row] = countries
        for country in "abc":
            counts = {row: countries.count(country) for row, countries in last.items() if country in countries}
            found = contexts.find_popular(number(country), np.ones(5, bool), 9).tolist()
            assert [counts[row] for row in found] == sorted(counts.values(), reverse=True)[:kept]
    rows = np.arange(6)
    everything = "".join(last.values())
    for country in "abc":
        assert contexts.is_known(number(country)) == (country in everything)
        if country in everything:
            share = everything.count(country) / len(everything)
            expected = [
                math.log((last.get(row, "").count(country) + SMOOTHING) / (len(last.get(row, "")) * share + SMOOTHING))
                for row in rows.tolist()
            ]
            assert contexts.lift(number(country), rows, NOW_MS).tolist() == pytest.approx(expected, abs=1e-9)


def test_little_speaks_for_little():
    """One event from a country that few come from is no sign yet; the same share of many is; old events fade."""
    contexts = Contexts()
    contexts.put(0, {}, came("a" * 500))
    contexts.put(1, {}, came("b"))
    contexts.put(2, {}, came("b" * 40))
    contexts.put(3, {}, came("b" * 40, NOW_MS - 10 * fading.HALF_LIFE_MS))
    of_many_others, of_one, of_many, of_old = contexts.lift(number("b"), np.arange(4), NOW_MS).tolist()

    assert of_many_others < 0 < of_old < of_one < 0.5 < 1.5 < of_many


def test_the_most_popular_of_a_context_are_found():
    """Those that are listed, the best first; of two alike the first row."""
    contexts = Contexts()
    for row, countries in enumerate(("ab", "b" * 9, "b" * 5, "a" * 99, "ba")):
        contexts.put(row, {}, came(countries))
    is_listed = np.array([True, False, True, True, True])

    assert contexts.find_popular(number("b"), is_listed, 2).tolist() == [2, 0]
    assert contexts.find_popular(number("b"), is_listed, 9).tolist() == [2, 0, 4]
    assert contexts.find_popular(number("z"), is_listed, 9).tolist() == []
