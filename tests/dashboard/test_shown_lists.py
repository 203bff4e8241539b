"""Lists that are kept: bounded, with the one of before the newest event, and nothing of who was forgotten."""

from __future__ import annotations

import msgspec

from stream_rec.dashboard.shown_lists import KeptLists
from stream_rec.events.slate import DEFAULT_LIST, Slate
from tests.dashboard.shop_page import record, slate_of


def put(lists: KeptLists, slate: Slate) -> None:
    lists.take(record("recommendations", slate.user_id, msgspec.json.encode(slate)), True)


def test_the_list_before_is_that_of_before_the_newest_event():
    """A list that was made anew on the same event, as fresh ones are, does not take its part."""
    lists = KeptLists(10)
    put(lists, slate_of("ann", ["a"], "e1"))
    assert lists.find_before("ann") is None
    put(lists, slate_of("ann", ["b"], "e2"))
    put(lists, slate_of("ann", ["c"], "e2"))

    assert [item.item_id for item in lists.find("ann").items] == ["c"]
    assert [item.item_id for item in lists.find_before("ann").items] == ["a"]


def test_so_many_are_kept():
    """Whose list did not change for longest leaves, and is counted no more; the default list stays."""
    lists = KeptLists(2)
    for user_id in (DEFAULT_LIST, "ann", "bob", "cem"):
        put(lists, slate_of(user_id, ["a", f"of-{user_id}"]))

    assert len(lists) == 2 and lists.find("ann") is None and lists.find(DEFAULT_LIST) is not None
    assert lists.find_users("", 5) == ["cem", "bob"]
    assert lists.count_shown("a", 5) == (2, ["cem", "bob"])
    assert lists.count_shown("of-ann", 5) == (0, [])
    assert lists.count_shown(f"of-{DEFAULT_LIST}", 5) == (0, [])


def test_of_who_was_forgotten_nothing_is_kept():
    """Neither the list nor the one before, and no item is said to be shown to them."""
    lists = KeptLists(10)
    put(lists, slate_of("ann", ["a"], "e1"))
    put(lists, slate_of("ann", ["b"], "e2"))
    lists.take(record("recommendations", "ann", None), True)

    assert lists.find("ann") is None and lists.find_before("ann") is None and len(lists) == 0
    assert lists.find_users("a", 5) == []
    assert lists.count_shown("a", 5) == lists.count_shown("b", 5) == (0, [])


def test_when_all_is_read_again_nothing_is_kept_of_before():
    """Who was forgotten meanwhile may be named by no record any more."""
    lists = KeptLists(10)
    put(lists, slate_of("ann", ["a"]))
    lists.begin()

    assert lists.find("ann") is None and len(lists) == 0 and lists.count_shown("a", 5) == (0, [])


def test_what_is_no_list_is_left_out():
    """The one before stays."""
    lists = KeptLists(10)
    put(lists, slate_of("ann", ["a"]))
    for value in (b"{", b"[1]", b"\xff"):
        lists.take(record("recommendations", "ann", value), True)

    assert [item.item_id for item in lists.find("ann").items] == ["a"]
