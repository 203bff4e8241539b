"""Item knowledge by row: turned round, and in order of popularity."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.knowledge import NEWCOMERS
from stream_rec.catalog.successors import SUCCESSORS
from stream_rec.catalog.trending import TOP
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.knowledge.state import UNSEEN
from tests.catalog.stock import stocked, taught

ROOT = Path(__file__).parents[2]
NOW_MS = 1_700_000_000_000


def successors(catalog: Catalog, item_id: str) -> dict[str, float]:
    rows, weights = catalog.knowledge.successors.of(catalog.find(item_id))
    assert weights.tolist() == sorted(weights.tolist(), reverse=True)
    return {catalog.item_ids[row]: weight for row, weight in zip(rows, weights)}


def trending(catalog: Catalog, half_life: int) -> list[str]:
    return [catalog.item_ids[row] for row in catalog.knowledge.trending(catalog.is_listed)[half_life]]


predecessors = st.dictionaries(st.sampled_from("abcdef"), st.integers(-5, 20), max_size=6)


def test_a_predecessor_that_is_gone_is_missed_even_where_another_came_with_nothing():
    """As many predecessors as before, one of them with weight 0: the one that left must still go."""
    catalog = Catalog()
    catalog.put_knowledge("a", taught(predecessors={"b": 1, "d": 1}))
    catalog.put_knowledge("a", taught(predecessors={"d": 1, "c": 0}))

    assert successors(catalog, "b") == {}


@settings(max_examples=100, deadline=None)
@given(updates=st.lists(st.tuples(st.sampled_from("abcdefgh"), predecessors), max_size=25), data=st.data())
def test_successors_are_the_predecessors_turned_round(updates, data):
    """After any sequence of updates; weights that are not above 0 count as none."""
    catalog = Catalog()
    now: dict[str, dict[str, int]] = {}
    for item_id, weights in updates:
        catalog.put_knowledge(item_id, taught(predecessors=weights))
        now[item_id] = weights
        asked = data.draw(st.sampled_from(catalog.item_ids))
        successors(catalog, asked)  # an answer given before must not outlive the update
    for earlier in catalog.item_ids:
        expected = {later: weights[earlier] for later, weights in now.items() if weights.get(earlier, 0) > 0}
        assert successors(catalog, earlier) == expected


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.dictionaries(st.sampled_from("bcdefg"), st.integers(-3, 3), max_size=3), max_size=12))
def test_successors_are_the_same_however_predecessors_are_ordered(changes):
    """As the item stage leaves them, newcomers last; and as they are read from bytes, by name."""
    by_arrival, by_name, now = Catalog(), Catalog(), {}
    for change in changes:
        now = now | {item_id: weight + now.get(item_id, 0) for item_id, weight in change.items()}
        now = {item_id: weight for item_id, weight in now.items() if weight}
        by_arrival.put_knowledge("a", taught(predecessors=now))
        by_name.put_knowledge("a", taught(predecessors=dict(sorted(now.items()))))
        for catalog in (by_arrival, by_name):
            for item_id in set(catalog.item_ids) - {"a"}:
                weight = max(0, now.get(item_id, 0))
                assert successors(catalog, item_id) == ({"a": weight} if weight else {})
                assert catalog.knowledge.successors.total[catalog.find(item_id)] == weight


def test_only_the_heaviest_successors_are_proposed():
    """120 items came after a; the 100 heaviest remain, in order."""
    catalog = Catalog()
    for n in range(120):
        catalog.put_knowledge(f"i{n}", taught(predecessors={"a": n + 1}))

    rows, weights = catalog.knowledge.successors.of(catalog.find("a"))
    assert weights.tolist() == list(range(120, 20, -1))
    assert len(rows) == SUCCESSORS


@settings(max_examples=60, deadline=None)
@given(
    times=st.dictionaries(
        st.sampled_from("abcdefgh"), st.lists(st.integers(0, 3 * 365 * 24), min_size=1, max_size=6), max_size=8
    )
)
def test_trending_is_the_order_of_decayed_sums(times):
    """As summed up directly, at one moment for all items, however long ago each was last seen."""
    catalog = stocked(*times)
    for item_id, hours in times.items():
        catalog.put_knowledge(item_id, taught(*(NOW_MS - hour * HOUR_MS for hour in hours)))
    for number, half_life_ms in enumerate(HALF_LIVES_MS):
        sums = {
            item_id: np.logaddexp2.reduce([-hour * HOUR_MS / half_life_ms for hour in hours])
            for item_id, hours in times.items()
        }
        found = trending(catalog, number)
        assert sorted(found) == sorted(times)
        assert [sums[i] for i in found] == pytest.approx(sorted(sums.values(), reverse=True), abs=1e-6)


def test_fast_and_slow_half_lives_disagree():
    """a was loved last month, b was looked at just now."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*range(NOW_MS - 720 * HOUR_MS, NOW_MS - 720 * HOUR_MS + 50)))
    catalog.put_knowledge("b", taught(NOW_MS))

    assert trending(catalog, 0) == ["b", "a"]
    assert trending(catalog, 6) == ["a", "b"]


def test_trending_is_bounded():
    """Of 70 items that were seen one after the other the last ones stay, in order."""
    catalog = stocked(*(f"i{n}" for n in range(70)))
    for n in range(70):
        catalog.put_knowledge(f"i{n}", taught(NOW_MS + n))

    assert trending(catalog, 0) == [f"i{n}" for n in range(69, 69 - TOP, -1)]
    assert catalog.knowledge.trending(catalog.is_listed).shape == (len(HALF_LIVES_MS), TOP)


def test_an_item_nobody_saw_is_not_trending():
    """Nor one that is only known as a predecessor, is not listed, or whose knowledge was taken back."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("?", taught(NOW_MS))
    catalog.put_knowledge("a", taught(NOW_MS, predecessors={"b": 3}))
    assert trending(catalog, 0) == ["a"]

    catalog.put_knowledge("a", UNSEEN)
    assert trending(catalog, 0) == []
    assert successors(catalog, "b") == {}


def test_the_newest_event_time_never_goes_back():
    """It is the clock that lists are made by."""
    catalog = Catalog()
    assert catalog.knowledge.newest_ms == 0
    catalog.put_knowledge("a", taught(50))
    catalog.put_knowledge("b", taught(20))
    catalog.put_knowledge("a", UNSEEN)

    assert catalog.knowledge.newest_ms == 50


def test_counts_are_kept_by_kind():
    """As the item stage counted them; what replaces what was known counts instead of it."""
    catalog = Catalog()
    catalog.put_knowledge("a", taught(1, 2, 3, repeats=2))
    catalog.put_knowledge("b", taught(1, 2, repeats=1))
    knowledge = catalog.knowledge

    assert knowledge.counts[catalog.find("a")].tolist() == [3, 0, 0]
    assert knowledge.repeats[catalog.find("a")] == 2
    assert (knowledge.n_events, knowledge.n_repeats, knowledge.n_events_of(catalog.find("b"))) == (5, 3, 2)
    catalog.put_knowledge("a", taught(1))
    assert (knowledge.n_events, knowledge.n_repeats) == (3, 1)
    assert (knowledge.first_ms[catalog.find("b")], knowledge.last_ms[catalog.find("b")]) == (1, 2)


def test_newcomers_stand_in_the_order_of_their_first_event():
    """Once each, however often they are seen; a few are kept."""
    catalog = Catalog()
    for item_id in "abab":
        catalog.put_knowledge(item_id, taught(NOW_MS))
    assert catalog.knowledge.newcomers == [0, 1]

    for n in range(5 * NEWCOMERS):
        catalog.put_knowledge(f"i{n}", taught(NOW_MS))
        assert len(catalog.knowledge.newcomers) <= 2 * NEWCOMERS
    assert catalog.knowledge.newcomers[-NEWCOMERS:] == list(range(2 + 4 * NEWCOMERS, 2 + 5 * NEWCOMERS))


@pytest.mark.slow
def test_rows_are_given_in_the_same_order_in_every_process():
    """Python's string hashes, and so the order of its sets, differ between processes; ties are broken by row."""
    code = (
        "from stream_rec.catalog.catalog import Catalog; from tests.catalog.stock import taught; c = Catalog();"
        "c.put_knowledge('a', taught(predecessors={f'p{n}': n + 1 for n in range(20)})); print(c.item_ids)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
