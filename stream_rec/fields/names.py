"""The names of a log's fields, and names that are nearly right: never guessed, only named, with what may be meant."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from msgspec import Struct

from stream_rec.events.item import Item
from stream_rec.events.source import EVENT_SOURCES, Source

NAMED_FIELDS = 12
"""Fields of a line that an error names."""
LOOKED_AT = 64
"""Fields of a line among which those are looked for that may be meant."""
Needs = tuple[tuple[str, ...], ...]
"""Groups of names, of each of which one is needed."""
EVENT_NEEDS: Needs = (("event_type",), ("user_id",), ("item_id",), ("timestamp", "timestamp_ms"))
SEARCH_NEEDS: Needs = (("event_type",), ("user_id",), ("query",), ("timestamp", "timestamp_ms"))
IMPRESSION_NEEDS: Needs = (("event_type",), ("user_id",), ("items",), ("timestamp", "timestamp_ms"))
ITEM_NEEDS: Needs = (("item_id",),)
SEARCH, IMPRESSION = Source.SEARCH.label, Source.IMPRESSION.label
LABELS = tuple(source.label for source in EVENT_SOURCES)
"""What ``event_type`` may be."""


class EventFields(Struct):
    """What is read of an event."""

    event_type: str
    user_id: str
    item_id: str | None = None
    query: Any = None
    """A text where the event is a search; others may have a field of this name that is something else."""
    items: Any = None
    """What was shown, where the event is an impression; as ``query``, and so are the next two."""
    list_id: Any = None
    surface: Any = None
    event_id: str | None = None
    timestamp: float | int | str | None = None
    timestamp_ms: int | None = None
    value: float | None = None
    context: dict[str, Any] = {}
    source_type: Any = None
    """What led on from the event in the system that it comes from; of use where it is a text that somebody names."""


def find_needs(names: Collection[str], label: object = None) -> Needs:
    """Return what an event with these fields needs, or a table with these columns: not all of them need an item.

    Args:
        label: Its ``event_type``, where there is one.

    Example:
        >>> find_needs(["query", "user_id"]) == find_needs(["item_id"], "search") == SEARCH_NEEDS
        True
    """
    if label is None and "item_id" not in names:
        label = SEARCH if "query" in names else IMPRESSION if "items" in names else None
    return _NEEDS.get(label, EVENT_NEEDS) if isinstance(label, str) else EVENT_NEEDS


def needs_no_item(label: str) -> bool:
    """Return whether an ``event_type`` is one without ``item_id``, or none that may mean such a one.

    Example:
        >>> needs_no_item("search"), needs_no_item("searched"), needs_no_item("view"), needs_no_item("mute")
        (True, True, False, False)
    """
    return (label if label in LABELS else find_near_label(label)) in _NEEDS


def name_missing(names: Sequence[str], needs: Iterable[tuple[str, ...]]) -> str:
    """Return the fields that are needed and not among ``names``, with those that may be meant; "" if none is missing.

    Args:
        needs: Groups of names, of each of which one is needed.

    Example:
        >>> name_missing(["user", "item_id"], [("user_id",), ("item_id",)])
        'missing: user_id (did you mean user?); found: user, item_id'
    """
    wanted = [group for group in needs if not any(name in names for name in group)]
    if not wanted:
        return ""
    spoken = []
    for group in wanted:
        close = [name for name in names[:LOOKED_AT] if any(is_near(name, field) for field in group)]
        hint = f" (did you mean {' or '.join(map(shorten, close))}?)" if close else ""
        spoken.append(" or ".join(group) + hint)
    found = ", ".join(map(shorten, names[:NAMED_FIELDS])) or "nothing"
    more = ", ..." if len(names) > NAMED_FIELDS else ""
    return f"missing: {', '.join(spoken)}; found: {found}{more}"


@lru_cache(maxsize=4096)  # a log has the same few names in each line
def is_near(name: str, field: str) -> bool:
    """Return whether ``name`` is another field's name but may mean ``field``: ``userId``, ``user``, ``usr_id``.

    Example:
        >>> is_near("customerId", "user_id"), is_near("item_id", "user_id")
        (True, False)
    """
    if name in _KNOWN:
        return False
    bare, bare_field = _bare(name), _bare(field)
    return bare == bare_field or bare in _ALSO.get(field, ()) or bool(get_close_matches(bare, [bare_field], cutoff=0.8))


def explain_unknown_label(label: str) -> str:
    """Return which words are known, and which of them may be meant."""
    near = find_near_label(label)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"event_type {show(label)}; expected one of: {', '.join(LABELS)}{hint}"


def find_near_label(label: str) -> str | None:
    """Return the ``event_type`` that may be meant by a word that is none.

    Example:
        >>> find_near_label("Bought"), find_near_label("search_query"), find_near_label("mute")
        ('purchase', 'search', None)
    """
    bare = _bare(label)
    if bare in _LABEL_ALSO:
        return _LABEL_ALSO[bare]
    close = get_close_matches(bare, LABELS, n=1)
    return close[0] if close else None


def show(value: Any) -> str:
    """Return a value as it stands in the file, shortened."""
    try:
        return shorten(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "nested too deep"


def shorten(text: str) -> str:
    """Return a text of at most 64 characters."""
    return text if len(text) <= 64 else f"{text[:60]}..."


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_NEEDS: dict[str | None, Needs] = {SEARCH: SEARCH_NEEDS, IMPRESSION: IMPRESSION_NEEDS}
"""By ``event_type``, of those that need no item."""
_KNOWN = {*EventFields.__struct_fields__, *Item.__struct_fields__}
"""Names of fields: each means itself."""
_ALSO = {
    "user_id": {"user", "uid", "customer", "customerid", "visitor", "visitorid", "member", "memberid", "account",
                "accountid", "client", "clientid", "buyer", "reviewerid"},
    "item_id": {"id", "item", "product", "productid", "sku", "asin", "article", "articleid", "movie", "movieid", "book",
                "bookid", "content", "contentid", "stockcode", "isbn"},
    "event_type": {"event", "type", "action", "kind", "interaction", "behavior", "behaviour"},
    "timestamp": {"ts", "time", "date", "datetime", "createdat", "at", "when", "unixtime", "eventtime", "eventdate"},
    "timestamp_ms": {"tsms", "timems", "millis", "milliseconds"},
    "query": {"q", "search", "searchquery", "querytext", "querystring", "searchtext", "searchterm", "searchterms",
              "searchstring", "searchphrase", "phrase", "keyword", "keywords", "term", "terms", "text"},
    "items": {"itemids", "shown", "shownitems", "slate", "impressions", "products", "productids"},
}  # fmt: skip
"""Names that other logs have, as ``_bare`` gives them."""
_LABEL_ALSO = {
    **dict.fromkeys(("buy", "bought", "order", "ordered", "sale", "transaction", "checkout"), "purchase"),
    **dict.fromkeys(("pageview", "visit", "detail", "see"), "view"),
    **dict.fromkeys(("shown", "exposure", "exposed", "displayed"), "impression"),
    **dict.fromkeys(("query", "searchquery", "sitesearch", "searchsubmitted", "find", "lookup"), "search"),
}
