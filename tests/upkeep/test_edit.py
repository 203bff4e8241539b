"""A list without what may no longer be shown."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.recommend import slate
from stream_rec.upkeep.edit import remove_items

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


def test_what_is_no_list_is_refused():
    """It was read from the topic, where anything may stand."""
    for data in (b"", b"{}", b"[]", b"{"):
        with pytest.raises(msgspec.MsgspecError):
            remove_items(data, [], generated_at_ms=1)
