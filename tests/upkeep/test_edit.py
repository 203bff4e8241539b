"""A list without what may no longer be shown."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.recommend.slates import slate
from stream_rec.surface_lists import record_of
from stream_rec.upkeep.edit import remove_from_surfaces, remove_items

REASON = Reason("similar", "x", None, "click")
AS_OF = AsOf("views", 1, 17, "e17", 1000)


def listed(*item_ids: str) -> Slate:
    items = [
        SlateItem(item_id, 1.0 / (3 + n), 0.1, {"trending": 1e-7 / 3, "similar": -1e22}, REASON)
        for n, item_id in enumerate(item_ids)
    ]
    return slate("ann", items, policy="p", generated_at_ms=1, as_of=AS_OF, seen={"views": 17})


@pytest.mark.parametrize("is_kept", [[True, False, True], [False, True, True], [False, False, False]])
def test_it_is_the_list_that_would_have_been_made_of_the_others(is_kept: list[bool]):
    """To the byte, its id too: order, scores, propensities, what it was made on and has seen stay."""
    before = listed("a", 'quotes " and \\ 😀', "c")
    left = [item for item, stays in zip(before.items, is_kept) if stays]
    wanted = slate("ann", left, policy="p", generated_at_ms=2, as_of=AS_OF, seen={"views": 17})
    after = remove_items(msgspec.json.encode(before), is_kept, generated_at_ms=2)
    assert after == msgspec.json.encode(wanted)
    assert wanted.list_id != before.list_id


@pytest.mark.parametrize("is_kept", [[True, False, True], [False, True, True], [False, False, False]])
def test_surfaces_are_those_that_would_have_been_made_of_the_others(is_kept: list[bool]):
    """To the byte, the id of each list too; one that has nothing left stays, and is empty."""
    items = listed("a", 'quotes " and \\ 😀', "c").items
    about = {"policy": "p", "as_of": AS_OF, "seen": {"views": 17}}
    before = record_of("ann", [("one", items[:2]), ("none", []), ("two", items[2:])], generated_at_ms=1, **about)
    left = [[item for item, stays in zip(items, is_kept) if stays and item in part] for part in (items[:2], items[2:])]
    wanted = record_of("ann", [("one", left[0]), ("none", []), ("two", left[1])], generated_at_ms=2, **about)

    assert remove_from_surfaces(msgspec.json.encode(before), is_kept, generated_at_ms=2) == msgspec.json.encode(wanted)
    assert wanted.surfaces[0].list_id != before.surfaces[0].list_id


@pytest.mark.parametrize("remove", [remove_items, remove_from_surfaces])
def test_what_is_no_list_is_refused(remove):
    """It was read from the topic, where anything may stand."""
    for data in (b"", b"{}", b"[]", b"{"):
        with pytest.raises(msgspec.MsgspecError):
            remove(data, [], generated_at_ms=1)
