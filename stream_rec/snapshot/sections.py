"""What a snapshot consists of, and each kind of record without its bookkeeping: it fits any cluster then.

What a list or a state says of offsets means something on one cluster only. On another they begin anew, and what stands
there must not be taken for known: so no offset leaves a cluster. What is released is dropped (``user/signals.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import msgspec

from stream_rec.events import validate
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.knowledge import state as item_state
from stream_rec.recommend.slates import slate
from stream_rec.surface_lists import record_of
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.entries import AnyEntry, EntryT
from stream_rec.user.state import UserState

USERS, ITEM_STATES = "user-state", "item-state"
"""Sections that are tables of the worker; the others have the names of their topics."""
ITEMS, RULES, EMBEDDINGS = "items", "rules", "item-embeddings"
HEADS, LISTS, SURFACES = "head-weights", "recommendations", "surfaces"
KNOWLEDGE = "item-knowledge"
"""A topic that no section is needed for: it says what item states say."""
SECTIONS = (ITEMS, RULES, EMBEDDINGS, HEADS, ITEM_STATES, LISTS, SURFACES, USERS)
"""In the order in which they are written, and read."""
SINCE_FIRST = tuple(section for section in SECTIONS if section not in (RULES, SURFACES))
"""Those that files of every version have."""
BEFORE = 2**61
"""Offsets of recent events from another cluster begin here: where none of this one's will ever be."""

Portable = Callable[[bytes, bytes], bytes | None]
"""From key and value to the value that the file has; None where the record is of no use."""


def portable(section: str, limits: InputLimits) -> Portable:
    """Return what makes records of a section fit any cluster; it raises ``StateVersionError`` as decoding does."""
    return {
        ITEMS: lambda key, value: _good_item(key, value, limits),
        RULES: lambda key, value: _good_rule(key, value, limits),
        ITEM_STATES: lambda _, value: item_state.encode(item_state.strip_bookkeeping(item_state.decode(value))),
        LISTS: _list,
        SURFACES: _surfaces,
        USERS: _of_user,
    }.get(section, lambda _, value: value)


def require_readable(section: str, key: bytes, value: bytes) -> None:
    """Check a record of a file.

    Raises:
        StateVersionError: a newer program wrote it, or it is none.
    """
    if section == USERS and key.startswith(seen.PREFIX):
        seen.decode(value)
    elif section == USERS:
        user_state.decode(value)
    elif section == ITEM_STATES:
        item_state.decode(value)


def owner_of(section: str, key: bytes) -> bytes:
    """Return the key that decides the partition of a record of a file: what is kept beside a state goes with it."""
    return seen.user_key_of(key) if section == USERS and key.startswith(seen.PREFIX) else key


def is_kept(key: bytes) -> bool:
    """Return whether a record of a table belongs into a file: markers of forgotten users do not."""
    return not key.startswith(b"\0") or key.startswith(seen.PREFIX)


def _of_user(key: bytes, value: bytes) -> bytes:
    if key.startswith(seen.PREFIX):
        return seen.encode(seen.decode(value))
    return user_state.encode(detach(user_state.decode(value)))


def detach(state: UserState) -> UserState:
    """Return a released state as if all its events had come before the first of any topic.

    The recent events keep their order, but no new event will have an offset of theirs: one that is sent again after
    the move would else be taken for another that had its offset. One thing differs from a state that never moved: of
    two events of one kind in one millisecond, from before and from after the move, the latter counts as earlier.

    An impression that waits for what is chosen from it waits no longer: the head there may know other things of items.
    """
    offsets: dict[int, list[int]] = defaultdict(list)
    entries: list[AnyEntry] = [*state.recent_events, *state.recent_searches, *state.recent_impressions]
    for entry in sorted(entries, key=lambda entry: entry.offset):
        offsets[entry.source].append(entry.offset)
    index_of = {(source, offset): index for source, found in offsets.items() for index, offset in enumerate(found)}

    def move(entry: EntryT) -> EntryT:
        return msgspec.structs.replace(entry, offset=BEFORE + index_of[entry.source, entry.offset])

    return msgspec.structs.replace(
        state,
        version=user_state.VERSION,
        recent_events=list(map(move, state.recent_events)),
        recent_searches=list(map(move, state.recent_searches)),
        recent_impressions=[msgspec.structs.replace(move(each), features=b"") for each in state.recent_impressions],
        offsets={},
        pending=[],
        pending_searches=[],
        pending_impressions=[],
        released={},
    )


def _good_item(key: bytes, value: bytes, limits: InputLimits) -> bytes | None:
    """Return the item, if it is one: what was rejected would only be rejected again."""
    return None if isinstance(validate.item(key, value, limits=limits), Rejection) else value


def _good_rule(key: bytes, value: bytes, limits: InputLimits) -> bytes | None:
    return None if isinstance(validate.rule(key, value, limits=limits), Rejection) else value


def _list(key: bytes, value: bytes) -> bytes | None:
    """Return a user's list as one that has seen no event of these topics; the default list is soon made again."""
    if key == DEFAULT_LIST.encode():
        return None
    try:
        before = _SLATE.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # by a program of another time: the user's next event makes a new one
    after = slate(before.user_id, before.items, policy=before.policy, generated_at_ms=before.generated_at_ms)
    return msgspec.json.encode(after)


def _surfaces(key: bytes, value: bytes) -> bytes | None:
    """Return a user's pushed surfaces as ``_list`` does the list."""
    if key == DEFAULT_LIST.encode():
        return None
    try:
        before = _SURFACES.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    lists = [(each.surface, each.items) for each in before.surfaces]
    after = record_of(before.user_id, lists, policy=before.policy, generated_at_ms=before.generated_at_ms)
    return msgspec.json.encode(after)


_SLATE = msgspec.json.Decoder(Slate)
_SURFACES = msgspec.json.Decoder(Surfaces)
