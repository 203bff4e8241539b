"""Source `repeat`: the latest and the most frequent of the user's own items."""

from __future__ import annotations

from stream_rec.retrieval.repeat import HALF_LIFE_MS, LATEST, MOST_FREQUENT, find_repeats
from stream_rec.user.bounds import UserConfig
from stream_rec.user.history import read_history
from stream_rec.user.state import COLD
from tests.user.histories import arrivals, folded, happened

LARGE = UserConfig(recent_events=1024, weekly_counts=1024)


def own(events, n_items: int = 300):
    state = folded(arrivals(events), LARGE)
    return read_history(state, {f"i{n}": n for n in range(n_items)}.get, recent_items=30)


def test_a_short_history_is_proposed_whole():
    """Every item that the catalog knows, once."""
    events = [happened(at, item) for at, item in enumerate(["i3", "?", "i1", "i3"])]

    assert find_repeats(own(events), 10).tolist() == [1, 3]
    assert find_repeats(read_history(COLD, {}.get, recent_items=30), 10).tolist() == []


def test_of_a_long_history_the_latest_and_the_most_frequent():
    """i0 to i199 one after the other; i0 to i59 were had twice at first, and the first 20 of them three times."""
    often = [happened(n, f"i{n}", event_id=f"a{n}") for n in range(60)]
    oftener = [happened(n + 100, f"i{n}", event_id=f"b{n}") for n in range(20)]
    once = [happened(n + 1000, f"i{n}", event_id=f"c{n}") for n in range(200)]
    rows = find_repeats(own([*often, *oftener, *once]), 1200).tolist()

    assert len(set(rows)) == len(rows) == LATEST + MOST_FREQUENT
    assert set(range(200 - LATEST, 200)) <= set(rows)
    assert set(range(20)) <= set(rows)
    assert set(rows) - set(range(200 - LATEST, 200)) <= set(range(60))


def test_frequency_fades():
    """Half of it in 30 days: 3 of three half-lives ago are less than 1 of now."""
    old = [happened(n, f"i{n}", event_id=f"{k}-{n}") for n in range(40) for k in range(3)]
    now_ms = 3 * HALF_LIFE_MS
    new = [happened(now_ms - 500 + n, f"i{n + 100}") for n in range(100)]
    soon = [happened(1000 + n, f"i{n + 100}") for n in range(100)]

    assert min(find_repeats(own([*old, *new]), now_ms).tolist()) >= 100
    assert set(range(40)) <= set(find_repeats(own([*old, *soon]), 2000).tolist())
