"""All that goes through a pipeline, as tests see it: positions of events, lists by what they have seen, rejections."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.catalog import world as worlds
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.world import World
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.embedding.text import canonical_text, content_hash
from stream_rec.events.item import Item
from stream_rec.events.partition import Place
from stream_rec.events.rejected import Rejected
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.stages.catalog_feed import take_embedding, take_item, take_rule
from stream_rec.stages.published import WORLD_HEADER

MOST_EVENTS = 200_000
"""Whose positions are kept, those of before go."""
MOST_USERS = 20_000
MOST_LISTS = 256
"""Of one user."""
MOST_REJECTIONS = 1_000


class Position(NamedTuple):
    """Where an event stands."""

    topic: str
    """Without prefix."""
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Made(NamedTuple):
    """A list, and the world that it was made in."""

    slate: Slate
    world: World


class Watch:
    """Follows a pipeline's topics from their beginning, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        """Connect; raises what ``TopicReader`` raises."""
        self._settings = settings
        kafka = settings.kafka
        names = ("recommendations", "rejected", "items", "rules", "item-embeddings", *SOURCE_OF_TOPIC)
        self._name_of = {kafka.topic(name): name for name in names}
        self._reader = TopicReader(kafka, *names)
        self._changed = threading.Condition()
        self._is_over = False
        self._failure: BaseException | None = None
        self._catalog = Catalog(settings.catalog.modalities)
        self._reached: dict[tuple[str, int], int] = {}
        self._hashes: dict[str, bytes] = {}
        self._lists: OrderedDict[str, deque[Made]] = OrderedDict()
        self._positions: OrderedDict[tuple[str, str], Position] = OrderedDict()
        self._rejections: deque[Rejected] = deque(maxlen=MOST_REJECTIONS)
        self._thread = threading.Thread(target=self._follow, name="stream-rec-watch", daemon=True)
        self._thread.start()

    def wait_for(self, fact: Callable[[], object], timeout_s: float) -> bool:
        """Return whether a fact about what was read became true in time; it is asked when something has come."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not fact():
                if self._failure is not None:
                    raise RuntimeError("the pipeline's topics cannot be read any more") from self._failure
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
        return True

    def position(self, user_id: str, event_id: str) -> Position | None:
        """Return where a user's event stands, the first time that it came; None where it has not come."""
        with self._changed:
            return self._positions.get((user_id, event_id))

    def made_for(self, user_id: str) -> list[Made]:
        """Return a user's lists, the oldest first."""
        with self._changed:
            return list(self._lists.get(user_id, ()))

    def answer_to(self, user_id: str, position: Position) -> Made | None:
        """Return the first of a user's lists that has seen the event at a position."""
        return next(
            (made for made in self.made_for(user_id) if made.slate.seen.get(position.topic, -1) >= position.offset),
            None,
        )

    def rejections(self) -> list[Rejected]:
        """Return what was rejected, the newest last."""
        with self._changed:
            return list(self._rejections)

    def has_read(self, topic: str, partition: int, offset: int) -> bool:
        """Return whether a record of a topic, named without prefix, has been taken in."""
        return self._reached.get((topic, partition), -1) >= offset

    def has_embedded(self, item: Item) -> bool:
        """Return whether the newest embedding of an item is that of its text."""
        text = canonical_text(item)
        return self._hashes.get(item.item_id) == (content_hash(text) if text else None)

    def world(self) -> World:
        """Return the world in which lists are made that know all of the catalog there is."""
        with self._changed:
            return self._catalog.world()

    def close(self) -> None:
        """Stop reading."""
        self._is_over = True
        self._thread.join()
        self._reader.close()

    def _follow(self) -> None:
        try:
            while not self._is_over:
                records = self._reader.poll(0.1)
                if records:
                    with self._changed:
                        for record in records:
                            self._take(self._name_of[record.topic], record)
                        self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _take(self, topic: str, record: ConsumerRecord) -> None:
        limits, place = self._settings.limits, Place(record.partition, self._settings.kafka.partitions)
        if topic == "recommendations":
            self._take_list(record)
        elif topic == "rejected":
            if record.value is not None:
                self._rejections.append(_REJECTED.decode(record.value))
        elif topic == "items":
            take_item(self._catalog, record, limits, place)
        elif topic == "rules":
            take_rule(self._catalog, record, limits, place)
        elif topic == "item-embeddings":
            take_embedding(self._catalog, record, limits)
            self._take_hash(record)
        else:
            self._take_event(topic, record)
        self._reached[topic, record.partition] = record.offset

    def _take_list(self, record: ConsumerRecord) -> None:
        if record.value is None:
            return
        slate = _SLATE.decode(record.value)
        header = next((value for name, value in record.headers if name == WORLD_HEADER), None)
        kept = self._lists.setdefault(slate.user_id, deque(maxlen=MOST_LISTS))
        kept.append(Made(slate, worlds.UNKNOWN if header is None else worlds.decode(header)))
        self._lists.move_to_end(slate.user_id)
        if len(self._lists) > MOST_USERS:
            self._lists.popitem(last=False)

    def _take_hash(self, record: ConsumerRecord) -> None:
        item_id = (record.key or b"").decode(errors="replace")
        if record.value is None:
            self._hashes.pop(item_id, None)
        else:
            self._hashes[item_id] = item_embedding.decode(record.value).content_hash

    def _take_event(self, topic: str, record: ConsumerRecord) -> None:
        try:
            event_id = _EVENT.decode(record.value or b"{}").event_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # the pipeline rejects it
        position = Position(topic, record.partition, record.offset)
        user_id = (record.key or b"").decode(errors="replace")
        self._positions.setdefault((user_id, event_id or str(position)), position)
        if len(self._positions) > MOST_EVENTS:
            self._positions.popitem(last=False)


class _Event(Struct):
    event_id: str = ""


_SLATE = msgspec.json.Decoder(Slate)
_REJECTED = msgspec.json.Decoder(Rejected)
_EVENT = msgspec.json.Decoder(_Event)
