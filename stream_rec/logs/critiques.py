"""Critiques: what users asked for after seeing an item, where a log has that as a word in ``source_type``.

Systems with buttons such as "cheaper" or "more like this, but quieter" log which button led on from an item. As a
search that is a query about the item.

Source:
    Burke, Hammond, Young. The FindMe approach to assisted browsing. IEEE Expert 12(4), 1997.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from stream_rec.events.interaction import Interaction
from stream_rec.events.search import Search

Critiques = Mapping[str, str] | Collection[str]
"""Words of ``source_type``: each with its query, or those whose query is the word itself, in which ``_`` is a space."""
ASKED = "-asked"
"""End of the id of a search that was an event's ``source_type``."""
DIGITS = 16
"""Of a digest, in such an id that had to be cut."""


def name_queries(critiques: Critiques) -> dict[str, str]:
    """Return the query of each word.

    Example:
        >>> name_queries(["nicer", "more_creative"])
        {'nicer': 'nicer', 'more_creative': 'more creative'}
    """
    if isinstance(critiques, Mapping):
        return dict(critiques)
    return {word: word.replace("_", " ") for word in critiques}


def make_search(event: Interaction, query: str, id_bytes: int) -> Search:
    """Return the search that came of an event: by the same user, about its item, at the same time.

    Args:
        id_bytes: Most bytes of an id.
    """
    return Search(_name_search(event.event_id, id_bytes), event.user_id, query, event.timestamp_ms, event.item_id)


def _name_search(event_id: str, id_bytes: int) -> str:
    """Return the id; one that would be too long is cut, and has a digest of the whole, so that no two are the same.

    Example:
        >>> _name_search("e1", 256)
        'e1-asked'
    """
    name = event_id + ASKED
    if len(name.encode()) <= id_bytes:
        return name
    tail = f"-{hashlib.blake2b(event_id.encode(), digest_size=DIGITS // 2).hexdigest()}{ASKED}"
    head = event_id.encode()[: max(0, id_bytes - len(tail))].decode(errors="ignore")
    return (head + tail)[:id_bytes]
