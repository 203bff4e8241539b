"""A list without what may no longer be shown."""

from __future__ import annotations

from stream_rec.events.slate import AsOf, Reason, SlateItem
from stream_rec.recommend import slate
from stream_rec.upkeep.edit import without

AS_OF = AsOf("views", 1, 17, "e17", 1000)


def listed(*item_ids: str):
    items = [
        SlateItem(item_id, 1.0 / (1 + n), 0.5, {"trending": 1.0}, Reason("trending"))
        for n, item_id in enumerate(item_ids)
    ]
    return slate("ann", items, policy="p", generated_at_ms=1, as_of=AS_OF, seen={"views": 17})


def test_the_others_stay_as_they_were():
    """Order, scores, propensities, what it was made on and has seen; another list has another id."""
    before = listed("a", "b", "c")
    after = without(before, lambda item_id: item_id != "b", generated_at_ms=2)
    assert after.items == [before.items[0], before.items[2]]
    assert (after.user_id, after.as_of, after.seen, after.policy) == ("ann", AS_OF, {"views": 17}, "p")
    assert after.generated_at_ms == 2
    assert after.list_id != before.list_id
    assert after == slate("ann", after.items, policy="p", generated_at_ms=2, as_of=AS_OF, seen={"views": 17})


def test_a_list_that_may_stay_stays():
    """Nothing is sent for it."""
    assert without(listed("a", "b"), lambda _: True, generated_at_ms=2) is None
    assert without(listed(), lambda _: False, generated_at_ms=2) is None


def test_nothing_may_be_left():
    """An empty list says so."""
    assert without(listed("a"), lambda _: False, generated_at_ms=2).items == []
