"""A user stage whose lists are kept fresh, without a broker."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec
from faust.types import TP

from stream_rec.catalog import world as worlds
from stream_rec.config import Settings
from stream_rec.events.slate import Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages.published import WORLD_HEADER, PublishedPartition
from stream_rec.stages.upkeep import Upkeep
from tests.stages.stage import SETTINGS, Stage, message

USERS = 5
PLACE = TP("recommendations", 0)


class Sent(NamedTuple):
    slate: Slate
    world: worlds.World
    acknowledged: asyncio.Future


class Producer:
    """A broker that acknowledges at once, or when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.surfaces: list[tuple[str, Surfaces | None, asyncio.Future]] = []
        """User and what was sent."""
        self.is_slow = False

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes, headers: list[tuple[str, bytes]], partition: int
    ) -> asyncio.Future:
        future = asyncio.get_running_loop().create_future()
        if not self.is_slow:
            future.set_result(None)
        if topic == "surfaces":
            made = None if value is None else msgspec.json.decode(value, type=Surfaces)
            self.surfaces.append((key.decode(), made, future))
            return future
        slate = msgspec.json.decode(value, type=Slate)
        assert (topic, key, partition) == ("recommendations", slate.user_id.encode(), 0)
        self.sent.append(Sent(slate, worlds.decode(dict(headers)[WORLD_HEADER]), future))
        return future


class Users:
    """The table of the stage's users."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self._stage.table.get(key)


class Kept:
    """A stage whose lists are kept fresh."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self.stage = stage
        self.producer = Producer()
        app = new_app("app", settings.kafka, instance_id="w1", lease=Lease(15.0))
        self.app = app
        self.upkeep = Upkeep(
            app, self.producer, Users(stage), stage.published, stage.recommender, stage.pushed, settings
        )
        self.partition: PublishedPartition = stage.lists_of()

    async def begin(self, *, is_loaded: bool = True) -> None:
        """Let every user have a list of all items."""
        if is_loaded:
            for partition in self.stage.published.partitions.values():
                partition.loaded()
        await self.upkeep.own({0})
        for number in range(20):
            await self.stage.handle(message(number))
        await self.upkeep.step()
        self.producer.sent.clear()
        self.producer.surfaces.clear()

    def list_of(self, user: str) -> list[str]:
        slate = self.partition.made(self.partition.shown.find(user.encode()))
        return [item.item_id for item in slate.items]

    def lists(self) -> list[list[str]]:
        return [[item.item_id for item in sent.slate.items] for sent in self.producer.sent]


def with_share(share: float, settings: Settings = SETTINGS) -> Settings:
    return msgspec.structs.replace(
        settings, worker=msgspec.structs.replace(settings.worker, refresh_share=share, watched_users=100)
    )


class Record(NamedTuple):
    """What is read of the topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    topic: str = "recommendations"
    partition: int = 0
    offset: int = 0
