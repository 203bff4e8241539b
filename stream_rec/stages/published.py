"""The lists that this worker's users have now: who is shown what in memory, the lists themselves on the disk.

``recommendations`` is their log, and ``surfaces`` that of the surfaces pushed with them. When a partition is taken over
its lists are read from there, in small steps and beside live events; what is published meanwhile is newer and stands.
The user stage says which users it has in hand: from ``begin`` until their new lists are acknowledged nobody else sends
one, and no list is overwritten by an older one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from aiokafka import ConsumerRecord
from faust.types import TP
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog import world as worlds
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.world import UNKNOWN, World
from stream_rec.config import Settings
from stream_rec.events.slate import DEFAULT_LIST, AsOf, Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.runtime.batch import Send
from stream_rec.stages.cell_file import CellFile
from stream_rec.surface_settings import HOME
from stream_rec.upkeep.edit import remove_from_surfaces, remove_items
from stream_rec.upkeep.shown import UNHEARD_OF, Shown

log = logging.getLogger(__name__)

WORLD_HEADER = "world"
"""Of a record: the world that its list was made in, see ``catalog/world.py``."""
MOST_ITEMS = 200
"""Of a record, whatever is read: as many as ``ranking.n`` may say; all pushed surfaces together have fewer."""
ITEM_BYTES = 2048
"""Of one item of a list, as JSON, with ids of 256 bytes each. A list that has more than that is not kept."""


class _Item(Struct):
    item_id: str


class _AsOf(Struct):
    timestamp_ms: int


class _Items(Struct):
    items: list[_Item]


class _Outline(_Items):
    """What is read of a list that nobody has asked for yet."""

    as_of: _AsOf | None


class _SurfacesOutline(Struct):
    """What is read of surfaces, likewise."""

    surfaces: list[_Items]
    as_of: _AsOf | None


class _RemoveItems(Protocol):
    def __call__(self, published: bytes, is_kept: Sequence[bool], *, generated_at_ms: int) -> bytes: ...


class Form(NamedTuple):
    """What is published for a user on one topic: how it is read, and how items are taken out of its bytes."""

    topic: str
    """Without prefix."""
    decoder: msgspec.json.Decoder[Slate] | msgspec.json.Decoder[Surfaces]
    outline: msgspec.json.Decoder[_Outline] | msgspec.json.Decoder[_SurfacesOutline]
    remove_items: _RemoveItems


LISTS = Form("recommendations", msgspec.json.Decoder(Slate), msgspec.json.Decoder(_Outline), remove_items)
SURFACES = Form(
    "surfaces", msgspec.json.Decoder(Surfaces), msgspec.json.Decoder(_SurfacesOutline), remove_from_surfaces
)
FORMS = (LISTS, SURFACES)


def shown_in(made: Slate | Surfaces) -> list[tuple[str, list[str]]]:
    """Return the ids of the items of each list, by its name."""
    if isinstance(made, Slate):
        return [(HOME, [item.item_id for item in made.items])]
    return [(each.surface, [item.item_id for item in each.items]) for each in made.surfaces]


class PublishedList(Struct, frozen=True):
    """A list, or a user's pushed surfaces, as it is on its topic."""

    form: Form
    key: bytes
    value: bytes | None
    """None where there is none any more."""
    rows: NDArray[np.int32]
    """(k,) int32 rows of its items in the catalog, ``UNHEARD_OF`` for an item without."""
    active_ms: int
    """When its user was last active."""
    world: World

    @staticmethod
    def of(key: bytes, made: Slate | Surfaces, world: World, catalog: Catalog) -> PublishedList:
        """Return what is to be published; surfaces of which none is declared are deleted."""
        form = LISTS if isinstance(made, Slate) else SURFACES
        rows = _rows((item_id for _, item_ids in shown_in(made) for item_id in item_ids), catalog)
        value = msgspec.json.encode(made) if isinstance(made, Slate) or made.surfaces else None
        return PublishedList(form, key, value, rows, _active_ms(made.as_of), world)

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Those of its record."""
        return [(WORLD_HEADER, worlds.encode(self.world))]


class PublishedPartition:
    """What is published for the users of one partition, in one form."""

    def __init__(self, form: Form, directory: Path, catalog: Catalog, most_users: int, n: int) -> None:
        """Begin empty.

        Args:
            n: Items that a list should have; surfaces have as many as there are of their kind, so that none is short.
        """
        self.form = form
        self.shown = Shown(most_users, n if form is LISTS else 0)
        self.is_loaded = False
        """Whether all that was in the topic is here."""
        self.n_unkept = 0
        """Lists that could not be kept: not to be read, or too large."""
        self._catalog = catalog
        self._cells = CellFile(directory, ITEM_BYTES * (n if form is LISTS else MOST_ITEMS))
        self._forgotten: set[bytes] = set()
        """Users who were forgotten before the reading of the topic had come to an end."""

    def made(self, number: int) -> Slate | Surfaces | None:
        """Return what the user who has a number has; None, and take it out, where it cannot be read after all."""
        try:
            return self.form.decoder.decode(self._cells.get(number))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._ignore(number, error)
            return None

    def cut(self, number: int, *, generated_at_ms: int) -> PublishedList | None:
        """Return a list without what is gone by now; None where that is nothing, or it cannot be read after all."""
        rows = self.shown.rows(number).copy()
        is_kept = self._catalog.may_be_shown(rows)
        key = self.shown.key(number)
        if is_kept.all():
            return None
        try:
            value = self.form.remove_items(self._cells.get(number), is_kept.tolist(), generated_at_ms=generated_at_ms)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._ignore(number, error)
            return None
        return PublishedList(self.form, key, value, rows[is_kept], self.shown.active_ms(number), UNKNOWN)

    def put(self, published: PublishedList, *, is_live: bool = True) -> None:
        """Take a list that the broker has acknowledged; note if it shows what may not be shown by now.

        Args:
            is_live: Whether that was just now.
        """
        key, value, rows = published.key, published.value, published.rows
        if value is None:
            self._remove(key)
            return
        if len(value) > self._cells.cell_bytes or len(rows) > MOST_ITEMS:
            self._remove(key)
            self.n_unkept += 1
            return
        number, left = self.shown.put(key, rows, world=published.world, active_ms=published.active_ms, is_live=is_live)
        self._cells.blank(left)
        self._cells.put(number, value)
        if not self._catalog.may_be_shown(rows).all():
            self.shown.mark_one(number)

    def forget(self, key: bytes) -> None:
        """Take a user's list away, from the disk too."""
        self._remove(key)
        if not self.is_loaded:
            self._forgotten.add(key)

    def read(self, record: ConsumerRecord) -> None:
        """Take the next record of the topic, which may have been overwritten since."""
        key = record.key
        if key is None or key == DEFAULT_LIST.encode() or key in self._forgotten:
            return
        number = self.shown.find(key)
        if number is not None and self.shown.is_live(number):
            return
        if record.value is None:
            self._remove(key)
            return
        try:
            outline = self.form.outline.decode(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            at = f"{record.topic}[{record.partition}]@{record.offset}"
            log.warning("ignored_list at=%s why=%s", at, str(error)[:200])
            self.n_unkept += 1
            return
        world = next((worlds.decode(value or b"") for name, value in record.headers if name == WORLD_HEADER), UNKNOWN)
        lists = [outline] if isinstance(outline, _Outline) else outline.surfaces
        rows = _rows((item.item_id for each in lists for item in each.items), self._catalog)
        self.put(PublishedList(self.form, key, record.value, rows, _active_ms(outline.as_of), world), is_live=False)

    def loaded(self) -> None:
        """Note that all that was in the topic is here."""
        self.is_loaded = True
        self._forgotten.clear()

    def mark(self, gone: NDArray[np.int64], numbers: slice) -> None:
        """Note which lists show one of these rows of the catalog.

        Args:
            numbers: Of those lists that are looked at.
        """
        is_gone = np.zeros(len(self._catalog), dtype=bool)
        is_gone[gone] = True
        self.shown.mark(is_gone, numbers)

    def close(self) -> None:
        """Give up all of it."""
        self._cells.close()

    def _ignore(self, number: int, error: Exception) -> None:
        key = self.shown.key(number)
        log.warning("ignored_list user=%r why=%s", key, str(error)[:200])
        self._remove(key)
        self.n_unkept += 1

    def _remove(self, key: bytes) -> None:
        number = self.shown.remove(key)
        if number is not None:
            self._cells.blank([number])


class Published:
    """The lists of the users of all partitions that this process owns."""

    def __init__(self, directory: Path, catalog: Catalog, settings: Settings) -> None:
        self.partitions: dict[TP, PublishedPartition] = {}
        self.sending = asyncio.Lock()
        """Its holder hands lists to the producer, of users whom the user stage has not in hand."""
        self._directory = directory
        self._catalog = catalog
        self._kafka = settings.kafka
        self._n = settings.ranking.n
        self._most_users = -(-settings.worker.watched_users // settings.kafka.partitions)
        self._in_hand: frozenset[bytes] = frozenset()

    def own(self, numbers: set[int]) -> None:
        """Take these partitions over, give all others up."""
        wanted = {TP(self._kafka.topic(form.topic), number): form for form in FORMS for number in numbers}
        for tp in self.partitions.keys() - wanted.keys():
            self.partitions.pop(tp).close()
        for tp, form in wanted.items():
            if tp not in self.partitions:
                self.partitions[tp] = PublishedPartition(
                    form, self._directory, self._catalog, self._most_users, self._n
                )

    async def begin(self, keys: Iterable[bytes | None]) -> None:
        """Take these users in hand: new lists of theirs are about to be made."""
        in_hand = frozenset(key for key in keys if key is not None)
        async with self.sending:
            self._in_hand = in_hand

    def end(self) -> None:
        """Let go of the users in hand."""
        self._in_hand = frozenset()

    def is_in_hand(self, key: bytes) -> bool:
        """Return whether a new list of this user is on its way."""
        return key in self._in_hand

    def send(self, published: PublishedList) -> Send:
        """Return the record of a list."""
        return Send(self._kafka.topic(published.form.topic), published.key, published.value, headers=published.headers)

    def took(self, partition: int, published: PublishedList) -> None:
        """Take a list that the broker has acknowledged."""
        if (owned := self.partitions.get(TP(self._kafka.topic(published.form.topic), partition))) is not None:
            owned.put(published)

    def forget(self, partition: int, key: bytes) -> None:
        """Take away what a user has."""
        for tp, owned in self.partitions.items():
            if tp.partition == partition:
                owned.forget(key)

    def close(self) -> None:
        """Give up all of it."""
        self.own(set())


def _rows(item_ids: Iterable[str], catalog: Catalog) -> NDArray[np.int32]:
    """Return the rows of items in the catalog, (k,) int32."""
    found = [UNHEARD_OF if (row := catalog.find(item_id)) is None else row for item_id in item_ids]
    return np.array(found, dtype=np.int32)


def _active_ms(as_of: AsOf | _AsOf | None) -> int:
    return 0 if as_of is None else as_of.timestamp_ms
