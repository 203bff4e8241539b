"""Source `neighbours`: STAN's score, on three users."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.visits import visitor_of
from stream_rec.retrieval.neighbours import DECAY, DISTANCE, NEIGHBOURS, VISIT_HALF_LIFE_MS, Meeting, add_neighbours
from stream_rec.retrieval.scratch import AFTER, NEXT, STAN, Scratch
from tests.catalog.stock import stocked, taught
from tests.retrieval.columns import column, rows_of, scratch_for

NOW_MS = 10 * VISIT_HALF_LIFE_MS
ONE_PLACE = np.exp(-1 / DISTANCE)


def visited(**visits: dict[str, int]) -> Catalog:
    """Return a catalog by item: who came, and when."""
    catalog = stocked(*visits)
    for item_id, users in visits.items():
        catalog.put_knowledge(item_id, taught(*users.values(), users=users))
    return catalog


def found(catalog: Catalog, *recent: str, user_id: str = "me") -> Scratch:
    scratch = scratch_for(catalog)
    neighbour_index = catalog.knowledge.neighbour_index
    own_slot = neighbour_index.slot(visitor_of(user_id))
    add_neighbours(scratch, Meeting(), rows_of(catalog, *recent), neighbour_index, own_slot, NOW_MS)
    return scratch


def test_what_users_alike_came_to_counts_by_likeness_age_and_distance():
    """My last items are a, and before it b; v came to a and then c, w to d and then b.

    Two came to a, so v is alike by 1 / sqrt(3), half of it as that was a half-life ago; w by 0.8 / sqrt(3).
    """
    catalog = visited(
        a={"me": NOW_MS, "v": NOW_MS - VISIT_HALF_LIFE_MS},
        b={"me": NOW_MS - 1, "w": NOW_MS},
        c={"v": NOW_MS},
        d={"w": NOW_MS - VISIT_HALF_LIFE_MS},
    )
    scratch = found(catalog, "a", "b")
    v, w = 0.5 / np.sqrt(3), DECAY / np.sqrt(3)

    assert column(scratch, catalog, STAN) == pytest.approx({"a": v, "c": v * ONE_PLACE, "b": w, "d": w * ONE_PLACE})
    assert column(scratch, catalog, AFTER) == pytest.approx({"c": v * ONE_PLACE})


def test_a_user_alike_in_two_items_is_met_at_the_newer_one():
    """v had b, a, c: similarities add up, and distances are from a, my last item."""
    catalog = visited(a={"v": NOW_MS}, b={"v": NOW_MS - 5}, c={"v": NOW_MS + 5})
    scratch = found(catalog, "a", "b")
    alike = (1 + DECAY) / np.sqrt(2)

    assert column(scratch, catalog, STAN) == pytest.approx(
        {"a": alike, "b": alike * ONE_PLACE, "c": alike * ONE_PLACE}, rel=1e-5
    )
    assert column(scratch, catalog, AFTER) == pytest.approx({"c": alike * ONE_PLACE}, rel=1e-5)


def test_what_came_next_is_what_users_came_to_at_the_very_next_moment():
    """After a, my last item: v came to b and then c, w to c and d at once; z had a last, me is nobody's neighbour.

    Who came to a again counts from the last time; who came to c together with a does not come to it after that.
    """
    catalog = visited(
        a={"me": NOW_MS, "v": NOW_MS, "w": NOW_MS, "x": NOW_MS + 7, "z": NOW_MS + 9},
        b={"v": NOW_MS + 1, "me": NOW_MS + 1, "x": NOW_MS + 6},
        c={"v": NOW_MS + 2, "w": NOW_MS + 5, "x": NOW_MS + 7, "z": NOW_MS},
        d={"w": NOW_MS + 5, "x": NOW_MS + 8},
    )
    came_next = column(found(catalog, "a", "b"), catalog, NEXT)

    assert {item_id: score for item_id, score in came_next.items() if score} == pytest.approx(
        {"b": 1.0, "c": 0.5, "d": 1.5}
    )


def test_nobody_is_his_own_neighbour():
    """Their own history would speak for itself alone; to others they are a neighbour like any."""
    catalog = visited(a={"me": NOW_MS}, b={"me": NOW_MS - 5})

    assert found(catalog, "a").n_touched == 0
    assert column(found(catalog, "a", user_id="you"), catalog, STAN).keys() == {"a", "b"}


def test_the_nearest_count():
    """100 users share both items with me, 28 share one: z, to which only those came, is not found."""
    near = {f"near{n}": NOW_MS for n in range(NEIGHBOURS)}
    far = {f"far{n}": NOW_MS for n in range(28)}
    catalog = visited(a=near, b=near | far, y={"near7": NOW_MS + 1}, z=far)
    scratch = found(catalog, "a", "b")

    assert column(scratch, catalog, STAN).keys() == {"a", "b", "y"}


def test_a_shared_visit_that_is_not_kept_counts_nothing():
    """v came to 64 items since: what stands next to a in their sequence is not known any more."""
    later = {f"i{n}": {"v": NOW_MS + n} for n in range(64)}
    catalog = visited(a={"v": NOW_MS - 5}, **later)

    assert found(catalog, "a").n_touched == 0


def test_a_visit_later_than_now_counts_as_now():
    """Events come late and out of order."""
    catalog = visited(a={"v": NOW_MS + 10**9})

    assert column(found(catalog, "a"), catalog, STAN) == pytest.approx({"a": 1 / np.sqrt(2)})


def test_the_workspace_is_clean_again():
    """Asking twice with the same workspace gives the same, also after the index has grown."""
    catalog = visited(a={"v": NOW_MS, "w": NOW_MS}, b={"v": NOW_MS - 5})
    meeting, columns = Meeting(), []
    for n in (0, 2000):
        for k in range(n):
            catalog.put_knowledge(f"new{k}", taught(NOW_MS, users={f"x{k}": NOW_MS}))
        scratch = scratch_for(catalog)
        add_neighbours(scratch, meeting, rows_of(catalog, "a"), catalog.knowledge.neighbour_index, -1, NOW_MS)
        columns.append(column(scratch, catalog, STAN))
        assert not meeting.similarity.any()

    assert columns[0] == columns[1]
    assert columns[0].keys() == {"a", "b"}
