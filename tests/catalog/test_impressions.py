"""Counts of what was shown and chosen from there, by row, and what they say of slots and items."""

from __future__ import annotations

import time

import numpy as np
import pytest

from stream_rec.catalog.impressions import MOST, Impressions
from stream_rec.knowledge.examination import PRIOR
from stream_rec.knowledge.slots import N_SLOTS

STEEP = np.array([1.0, 0.6, 0.4, 0.3, 0.25, 0.2, 0.12, 0.06])
REST = [0] * (N_SLOTS - 1)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_nothing_is_known_of_what_was_never_shown():
    """Neither of a row that others have counts behind, nor of one beyond all of them."""
    impressions = Impressions()
    assert impressions.count_shown(rows(0, 5000)).tolist() == [0, 0]
    assert impressions.examination.tolist() == PRIOR.tolist()
    impressions.put(7, [4, *REST], [1, *REST])

    assert impressions.count_shown(rows(0, 7, 5000)).tolist() == [0, 4, 0]
    assert impressions.appeal(rows(0, 5000)).tolist() == [0, 0]
    assert np.isfinite(impressions.appeal(rows(7))).all()


def test_counts_are_replaced_and_not_added():
    """An item's state says all of it each time."""
    impressions = Impressions()
    for shown, chosen in (([5, *REST], [1, *REST]), ([9, *REST], [2, *REST]), ([9, *REST], [])):
        impressions.put(3, shown, chosen)
    impressions.put(1, [0, 7, *REST[1:]], [])

    assert impressions.n_shown == 16
    assert impressions.count_shown(rows(3, 1)).tolist() == [9, 7]
    impressions.put(3, [], [])
    assert impressions.n_shown == 7


def test_corrections_that_overtake_what_they_correct_do_no_harm():
    """More chosen than shown, or less than nothing: for a while."""
    impressions = Impressions()
    impressions.put(0, [1, *REST], [5, *REST])
    impressions.put(1, [3, *REST], [-2, *REST])
    impressions.put(2, [50, *REST], [5, *REST])

    assert np.isfinite(impressions.appeal(rows(0, 1, 2, 9))).all()
    assert (impressions.examination > 0).all()


def test_where_the_first_slot_is_looked_at_least_no_slot_is_above_one():
    """A banner stands there that nobody clicks: next to others that say how much more they are looked at."""
    impressions = Impressions()
    for row in range(200):
        impressions.put(row, [500] * N_SLOTS, [1, *[20] * (N_SLOTS - 1)])
    found = impressions.examination

    assert found.max() == 1
    assert found[0] < 0.2 < 0.8 < found[1:].min()


def test_a_large_catalog_is_estimated_from_a_part_of_it():
    """A list waits for it: it takes no longer than for some thousands, and comes to the same."""
    rng = np.random.default_rng(3)
    n = 60_000
    shown = rng.poisson(20, (n, N_SLOTS))
    chosen = rng.binomial(shown, np.minimum(1, STEEP * rng.lognormal(0, 0.5, (n, 1)) * 0.05))
    impressions = Impressions()
    for row in range(n):
        impressions.put(row, shown[row].tolist(), chosen[row].tolist())
    began_s = time.process_time()
    found = impressions.examination

    assert time.process_time() - began_s < 1.0
    assert np.abs(np.log(found / STEEP)).max() < 0.1


def test_slots_and_items_are_told_apart():
    """Appealing items stand on top: by slot alone the first would look far better than it is."""
    rng = np.random.default_rng(0)
    n = 2000
    appeal = rng.lognormal(0, 0.7, n) * 0.08
    impressions = Impressions()
    order = np.argsort(-appeal * rng.lognormal(0, 0.5, n))
    slot_of = np.empty(n, dtype=int)
    slot_of[order] = np.arange(n) * N_SLOTS // n
    clicks, shows = np.zeros(N_SLOTS), np.zeros(N_SLOTS)
    for row in range(n):
        shown = rng.multinomial(200, 0.08 + 0.36 * (np.abs(np.arange(N_SLOTS) - slot_of[row]) == 0))
        chosen = rng.binomial(shown, np.minimum(1, STEEP * appeal[row]))
        clicks, shows = clicks + chosen, shows + shown
        impressions.put(row, shown.tolist(), chosen.tolist())
    naive = clicks / shows / (clicks / shows)[0]
    found = impressions.examination

    assert np.abs(np.log(found / STEEP)).max() < 0.2 < np.abs(np.log(naive / STEEP)).max()
    assert np.corrcoef(impressions.appeal(np.arange(n)), np.log(appeal))[0, 1] > 0.8


def test_slots_are_estimated_again_as_more_comes_and_not_for_each_record():
    """A tenth more; until then it is the same array, for a list must not wait for it."""
    impressions = Impressions()
    impressions.put(0, [1000, 1000, *REST[1:]], [100, 50, *REST[1:]])
    first = impressions.examination
    impressions.put(1, [50, 50, *REST[1:]], [50, 0, *REST[1:]])
    assert impressions.examination is first
    impressions.put(2, [5000, 5000, *REST[1:]], [500, 500, *REST[1:]])

    assert impressions.examination is not first
    assert impressions.examination[1] > first[1]


def test_appeal_is_that_of_the_present_counts():
    """Whoever asked before, and for what: of a row that changed since, of others after a new estimate."""
    rng = np.random.default_rng(1)
    asked, others = Impressions(), Impressions()
    for _ in range(200):
        row, shown = int(rng.integers(30)), rng.poisson(9, N_SLOTS)
        chosen = rng.binomial(shown, 0.2)
        for impressions in (asked, others):
            impressions.put(row, shown.tolist(), chosen.tolist())
        asked.appeal(rng.integers(0, 40, 9))
        assert asked.examination.tolist() == others.examination.tolist()  # both are estimated at the same moments

    assert asked.appeal(np.arange(40)).tolist() == others.appeal(np.arange(40)).tolist()
    assert len(set(asked.appeal(np.arange(30)).tolist())) > 20


@pytest.mark.parametrize("n", [2**53, MOST + 1])
def test_more_than_an_array_holds_counts_as_much_as_it_does(n):
    """And is not counted again with each record."""
    impressions = Impressions()
    for _ in range(3):
        impressions.put(0, [n, *REST], [-n, *REST])

    assert impressions.n_shown == MOST
