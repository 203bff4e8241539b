"""A user stage without a broker: records in, what it would send and keep out."""

from __future__ import annotations

from pathlib import Path

import msgspec
from faust.types import TP

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings, WorkerSettings
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC, Source
from stream_rec.events.surfaces import Surfaces
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as knowledge
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.merge import SharedHead
from stream_rec.recommend.learn import read_features
from stream_rec.recommender import Recommender
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages.erasure import Erasure
from stream_rec.stages.live_judge import LiveJudge
from stream_rec.stages.published import Published, PublishedPartition
from stream_rec.stages.user_stage import UserStage
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.telemetry.counts import Counts
from stream_rec.user.state import COLD

SETTINGS = Settings(
    kafka=msgspec.structs.replace(Settings().kafka, bootstrap="one:9092", partitions=1),
    worker=WorkerSettings(learn_events=10),
)
ITEMS = [f"i{n}" for n in range(8)]


class Message(msgspec.Struct):
    """What the stage sees of a record."""

    key: bytes
    value: bytes | None
    offset: int
    topic: str = "views"
    partition: int = 0
    timestamp: float = 2_000_000_000.0
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def tp(self) -> TP:
        return TP(self.topic, self.partition)


class Batch:
    """A batch whose table is a dictionary, and which keeps what it is told to send."""

    def __init__(self, messages: list[Message], table: dict[bytes, bytes]) -> None:
        self.messages = messages
        self._table = table
        self.lists: list[Slate] = []
        self.surfaces: list[Surfaces] = []
        self.signals: list[signals.Signal] = []
        self.kept: list[tuple[bytes, bytes | None]] = []
        """What was written to the table, in this order."""
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.headers: dict[tuple[str, bytes | None], list[tuple[str, bytes]]] = {}
        """By topic and key, of what was sent last."""
        self.purged: list[int] = []

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self._table.get(key)

    def scan(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes]]:
        return [(key, value) for key, value in self._table.items() if key.startswith(prefix)]

    def purge(self, partition: int) -> None:
        self.purged.append(partition)

    async def commit(self, *, states=(), sends=()) -> None:
        for state in states:
            self.kept.append((state.key, state.value))
            if state.value is None:
                self._table.pop(state.key, None)
            else:
                self._table[state.key] = state.value
        for send in sends:
            self.sent.append((send.topic, send.key, send.value))
            self.headers[send.topic, send.key] = list(send.headers or ())
            if send.topic == "recommendations" and send.value is not None:
                self.lists.append(msgspec.json.decode(send.value, type=Slate))
            if send.topic == "surfaces" and send.value is not None:
                self.surfaces.append(msgspec.json.decode(send.value, type=Surfaces))
            if send.topic == "item-signals":
                self.signals += signals.decode(send.value)


class Stage:
    """A user stage whose signals are applied to its catalog at once, as the item stage does a little later."""

    def __init__(self, directory: Path, settings: Settings = SETTINGS) -> None:
        head = SharedHead.cold(settings.head, settings.ranking.seed)
        pushed = settings.surfaces.pushed
        catalog = Catalog()
        self.recommender = Recommender(catalog, head, settings.ranking, settings.head)
        self.pushed = PushedSurfaces(self.recommender, pushed, settings.ranking)
        self.table: dict[bytes, bytes] = {}
        self._items: dict[str, knowledge.ItemState] = {}
        app = new_app("app", settings.kafka, instance_id="w1", lease=Lease(15.0))
        self.begins: dict[Kind | Source, int] = {}
        """By source, where a new generation begins for who wants to be forgotten."""
        self.committed = app.consumer._committed_offset
        app.consumer.open_records = lambda: 0  # on a slow machine the summary comes due, and nothing is connected

        async def offsets_after(partition: int, timestamp_ms: int) -> dict[str, int]:
            return {topic: self.begins.get(source, 0) for topic, source in SOURCE_OF_TOPIC.items()}

        self.published = Published(directory, self.recommender.catalog, settings)
        self.published.own({0})
        self.counts = Counts()
        judge = LiveJudge(self.counts, 100)
        erasure = Erasure(app, offsets_after, settings, self.counts)
        beside = self.published, self.recommender, self.pushed
        self.stage = UserStage(app, None, None, erasure, *beside, settings, self.counts, judge)
        for item_id in ITEMS:
            self.recommender.catalog.put_item(Item(item_id))

    async def handle(self, *messages: Message) -> Batch:
        batch = Batch(list(messages), self.table)
        await self.stage.handle(batch)
        for signal in batch.signals:
            known = self._items.get(signal.item_id, knowledge.UNSEEN)
            self._items[signal.item_id] = knowledge.apply(known, [signal], SETTINGS.knowledge)
            self.recommender.catalog.put_knowledge(signal.item_id, self._items[signal.item_id])
        return batch

    def features_of(self, user_id: str, *item_ids: str) -> bytes:
        """Return what is known of items as something to show a user of whom nothing is known, at 50 s."""
        ranked = self.recommender.rank(user_id, COLD, now_ms=50_000)
        return read_features(ranked, item_ids, self.recommender.catalog)

    def lists_of(self, topic: str = "recommendations") -> PublishedPartition:
        """Return what is kept of the lists on a topic."""
        return self.published.partitions[TP(topic, 0)]

    @property
    def head(self) -> MixtureHead:
        return self.recommender.head


def event(number: int, user: str | None = None) -> Interaction:
    return Interaction(f"e{number}", user or f"u{number % 5}", ITEMS[number * number % 7], 1000 * number)


def message(number: int, user: str | None = None, *, offset: int | None = None) -> Message:
    one = event(number, user)
    return Message(one.user_id.encode(), msgspec.json.encode(one), number if offset is None else offset)


def search(number: int, user: str, query: str, item_id: str | None = None) -> Message:
    asked = Search(f"s{number}", user, query, 1000 * number, item_id)
    return Message(user.encode(), msgspec.json.encode(asked), number, topic="searches")


def profile(number: int, user: str, *interests: str) -> Message:
    declared = Profile(user, 1000 * number, list(interests))
    return Message(user.encode(), msgspec.json.encode(declared), number, topic="profiles")


def impression(number: int, user: str, *item_ids: str) -> Message:
    items = [ShownItem(item_id, position) for position, item_id in enumerate(item_ids, 1)]
    shown = Impression(f"i{number}", user, "", items, 1000 * number)
    return Message(user.encode(), msgspec.json.encode(shown), number, topic="impressions")
