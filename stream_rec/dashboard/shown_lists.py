"""The lists of the users whose list changed last, each with the one before it, and which items are in them."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.events.slate import DEFAULT_LIST, Slate


class Shown(NamedTuple):
    """In which of the kept lists an item is."""

    n_lists: int
    user_ids: list[str]
    """A sample: those whose list changed last."""


class Lists(Protocol):
    """What the dashboard needs of lists."""

    def find(self, user_id: str) -> Slate | None:
        """Return a user's newest list, None where it is not kept."""

    def find_before(self, user_id: str) -> Slate | None:
        """Return the list that the user had before the newest event, None where it is not kept."""

    def find_users(self, prefix: str, n: int) -> list[str]:
        """Return ids of users that begin so, those whose list changed last first."""

    def count_shown(self, item_id: str, n_users: int) -> Shown:
        """Return in which lists an item is."""

    def __len__(self) -> int: ...


class _Kept(NamedTuple):
    now: bytes
    before: bytes | None


class KeptLists:
    """The topic ``recommendations``, of so many users. One thread takes records, any may ask."""

    def __init__(self, most: int) -> None:
        """Begin without any.

        Args:
            most: Users whose lists are kept; of more, those whose list did not change for longest leave.
        """
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        """The last that changed last."""
        self._n_lists: Counter[str] = Counter()
        """By item, of users' own lists."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept) - (DEFAULT_LIST in self._kept)

    def begin(self) -> None:
        """Forget all: it is read again, and who was forgotten meanwhile may be named by nothing any more."""
        with self._lock:
            self._kept.clear()
            self._n_lists.clear()

    def take(self, record: ConsumerRecord, _is_new: bool) -> None:
        """Take one record; what is no list is left out. One without a value forgets the user, the list before too."""
        try:
            user_id = (record.key or b"").decode()
            made = None if record.value is None else _DECODER.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        with self._lock:
            had = self._kept.pop(user_id, None)
            self._count(user_id, had, -1)
            if made is None:
                return
            self._kept[user_id] = _Kept(record.value, _find_before(had, made))
            self._count(user_id, self._kept[user_id], 1)
            while len(self._kept) > self._most + (DEFAULT_LIST in self._kept):
                leaving = next(each for each in self._kept if each != DEFAULT_LIST)
                self._count(leaving, self._kept.pop(leaving), -1)

    def find(self, user_id: str) -> Slate | None:
        """Return a user's newest list, None where it is not kept."""
        with self._lock:
            kept = self._kept.get(user_id)
        return None if kept is None else _DECODER.decode(kept.now)

    def find_before(self, user_id: str) -> Slate | None:
        """Return the list that the user had before the newest event, None where it is not kept."""
        with self._lock:
            kept = self._kept.get(user_id)
        return None if kept is None or kept.before is None else _DECODER.decode(kept.before)

    def find_users(self, prefix: str, n: int) -> list[str]:
        """Return ids of users that begin so, those whose list changed last first."""
        found = []
        with self._lock:
            for user_id in reversed(self._kept):
                if user_id != DEFAULT_LIST and user_id.startswith(prefix):
                    found.append(user_id)
                    if len(found) == n:
                        break
        return found

    def count_shown(self, item_id: str, n_users: int) -> Shown:
        """Return in which lists an item is; the sample is looked for among the newest thousand."""
        with self._lock:
            n_lists = self._n_lists[item_id]
            newest = list(reversed(self._kept.items()))[:SAMPLED] if n_lists else []
        users: list[str] = []
        for user_id, kept in newest:
            if user_id != DEFAULT_LIST and item_id in _item_ids(kept.now):
                users.append(user_id)
                if len(users) == n_users:
                    break
        return Shown(n_lists, users)

    def _count(self, user_id: str, kept: _Kept | None, n: int) -> None:
        if kept is None or user_id == DEFAULT_LIST:
            return
        for item_id in _item_ids(kept.now):
            self._n_lists[item_id] += n
            if not self._n_lists[item_id]:
                del self._n_lists[item_id]


SAMPLED = 1_000
_DECODER = msgspec.json.Decoder(Slate)


class _Slot(msgspec.Struct):
    item_id: str


class _Slots(msgspec.Struct):
    items: list[_Slot]


_SLOTS = msgspec.json.Decoder(_Slots)


def _item_ids(value: bytes) -> Sequence[str]:
    """Return the items of a list in a fifth of the time that all of it takes."""
    return [slot.item_id for slot in _SLOTS.decode(value).items]


def _find_before(had: _Kept | None, made: Slate) -> bytes | None:
    """Return the list of before the event that a new one is made on: a list is often made anew on the same event."""
    if had is None:
        return None
    return had.before if _DECODER.decode(had.now).as_of == made.as_of else had.now
