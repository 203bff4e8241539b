"""Upkeep without a broker: what is sent in place of which list, and that none is overwritten by an older one."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from stream_rec.catalog import world as worlds
from stream_rec.catalog.world import UNKNOWN
from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages import published as published_lists
from stream_rec.stages import upkeep as upkeeping
from stream_rec.stages.published import WORLD_HEADER, PublishedList, PublishedPartition
from stream_rec.stages.upkeep import Upkeep
from tests.stages.stage import SETTINGS, Stage, message

USERS = 5


class Sent(NamedTuple):
    slate: Slate
    world: worlds.World
    acknowledged: asyncio.Future


class Producer:
    """A broker that acknowledges at once, or when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.is_slow = False

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]], partition: int
    ) -> asyncio.Future:
        slate = msgspec.json.decode(value, type=Slate)
        assert (topic, key, partition) == ("recommendations", slate.user_id.encode(), 0)
        future = asyncio.get_running_loop().create_future()
        if not self.is_slow:
            future.set_result(None)
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
        self.upkeep = Upkeep(app, self.producer, Users(stage), stage.published, stage.recommender, settings)
        self.partition: PublishedPartition = stage.published.partitions[0]

    async def begin(self, *, is_loaded: bool = True) -> None:
        """Let every user have a list of all items."""
        if is_loaded:
            self.partition.loaded()
        await self.upkeep.own({0})
        for number in range(20):
            await self.stage.handle(message(number))
        await self.upkeep.step()
        self.producer.sent.clear()

    def list_of(self, user: str) -> list[str]:
        slate = self.partition.slate(self.partition.shown.find(user.encode()))
        return [item.item_id for item in slate.items]

    def lists(self) -> list[list[str]]:
        return [[item.item_id for item in sent.slate.items] for sent in self.producer.sent]


def with_share(share: float) -> Settings:
    return msgspec.structs.replace(
        SETTINGS, worker=msgspec.structs.replace(SETTINGS.worker, refresh_share=share, watched_users=100)
    )


@pytest.fixture
def keep(run, monkeypatch):
    """Run a scenario with lists that are kept fresh, all in one step; without a budget for those of another world."""
    monkeypatch.setattr(upkeeping, "WITHIN_S", 0.0)

    def run_kept(scenario, *, share: float = 0.0) -> None:
        async def with_kept(stage: Stage) -> None:
            await scenario(Kept(stage, with_share(share)))

        run(with_kept)

    return run_kept


def test_what_is_gone_leaves_every_list(keep):
    """Each list that showed it is sent once without it, and known to be so; the others are not sent."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        before = {f"u{n}": kept.list_of(f"u{n}") for n in range(USERS)}
        kept.stage.recommender.catalog.delete_item("i1")
        assert await kept.upkeep.step()
        showing = [user for user, item_ids in before.items() if "i1" in item_ids]
        assert sorted(sent.slate.user_id for sent in kept.producer.sent) == showing
        assert len(showing) > 1
        for sent in kept.producer.sent:
            wanted = [item_id for item_id in before[sent.slate.user_id] if item_id != "i1"]
            assert [item.item_id for item in sent.slate.items] == wanted == kept.list_of(sent.slate.user_id)
            assert sent.world == UNKNOWN
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == len(showing)

    keep(scenario)


def test_lists_are_sent_evenly(keep, monkeypatch):
    """As many as are due; when time is over, all that are left."""
    monkeypatch.setattr(upkeeping, "LONGEST_S", 1e9)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        slate = kept.partition.slate(kept.partition.shown.find(b"u1"))
        for number in range(100):
            of_user = msgspec.structs.replace(slate, user_id=f"q{number}", items=slate.items[:1])
            kept.partition.put(
                PublishedList.of(of_user.user_id.encode(), of_user, UNKNOWN, kept.stage.recommender.catalog)
            )
        monkeypatch.setattr(upkeeping, "WITHIN_S", 10.0)
        now = [1000.0]
        monkeypatch.setattr(upkeeping.time, "monotonic", lambda: now[0])
        await kept.upkeep.step()
        kept.stage.recommender.catalog.delete_item(slate.items[0].item_id)
        sent = []
        for second in range(1, 11):
            now[0] = 1000.0 + second
            await kept.upkeep.step()
            sent.append(len(kept.producer.sent))
        assert len({one.slate.user_id for one in kept.producer.sent}) == sent[-1] >= 100
        assert sent[4] == pytest.approx(sent[-1] / 2, rel=0.15)
        assert kept.partition.shown.n_stale == 0

    keep(scenario)


def test_an_item_that_is_back_before_its_turn_stays(keep):
    """Nothing is sent for nothing."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        await kept.stage.published.begin([f"u{n}".encode() for n in range(USERS)])
        kept.stage.recommender.catalog.delete_item("i1")
        await kept.upkeep.step()
        kept.stage.recommender.catalog.put_item(Item("i1"))
        kept.stage.published.end()
        assert not await kept.upkeep.step()
        assert kept.producer.sent == []
        assert kept.partition.shown.n_stale == 0

    keep(scenario)


def test_who_is_in_hand_is_left_alone_until_the_new_list_is_known(keep):
    """A list that was made before the item went, and acknowledged after, is sent again without it."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        stage, catalog = kept.stage, kept.stage.recommender.catalog
        commit = None

        class Late:
            """Of a batch's lists: while they are on their way an item goes, and a step comes between."""

            @staticmethod
            async def commit(batch, **what) -> None:
                await commit(batch, **what)
                catalog.delete_item("i1")
                await kept.upkeep.step()
                assert "u1" not in {sent.slate.user_id for sent in kept.producer.sent}

        from tests.stages import stage as stages

        commit, stages.Batch.commit = stages.Batch.commit, Late.commit
        try:
            batch = await stage.handle(message(21, "u1"))
        finally:
            stages.Batch.commit = commit
        assert "i1" in [item.item_id for item in batch.lists[0].items]
        await kept.upkeep.step()
        mended = [sent.slate for sent in kept.producer.sent if sent.slate.user_id == "u1"]
        assert [slate.seen for slate in mended] == [{"views": 21}]
        assert "i1" not in [item.item_id for item in mended[0].items]

    keep(scenario)


def test_a_list_acknowledged_late_is_not_taken_for_the_newest(keep):
    """Upkeep's list was sent first, the stage's is newer, upkeep hears of its own last."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(kept.upkeep.step())
        while not kept.producer.sent:
            await asyncio.sleep(0)
        batch = await kept.stage.handle(message(30, "u1"))
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await step
        number = kept.partition.shown.find(b"u1")
        assert kept.partition.slate(number) == batch.lists[0]

    keep(scenario)


def test_a_user_who_is_forgotten_meanwhile_stays_forgotten(keep):
    """Neither the list on its way nor one still to be read from the topic brings the user back."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        record = Record(b"u1", msgspec.json.encode(kept.partition.slate(kept.partition.shown.find(b"u1"))))
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(kept.upkeep.step())
        while not kept.producer.sent:
            await asyncio.sleep(0)
        kept.stage.published.forget(0, b"u1")
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await step
        kept.partition.read(record)
        assert kept.partition.shown.find(b"u1") is None

    keep(scenario)


def test_while_partitions_move_nothing_is_sent(keep):
    """And they move only when all that was sent is acknowledged."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(_stepped(kept))
        while not kept.producer.sent:
            await asyncio.sleep(0)
        revoked = asyncio.create_task(kept.app.on_partitions_revoked.send(set()))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not revoked.done()
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await revoked
        await step
        n_sent = len(kept.producer.sent)
        kept.stage.recommender.catalog.delete_item("i2")
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == n_sent
        kept.producer.is_slow = False
        await kept.upkeep.own({0})
        assert await kept.upkeep.step()

    keep(scenario)


async def _stepped(kept: Kept) -> None:
    async with kept.upkeep._stepping:
        await kept.upkeep.step()


def test_lists_of_another_world_are_made_anew_within_the_budget(keep, monkeypatch):
    """A list that lost an item is filled up again; one that would be the same is not sent; then there is rest."""
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)
    monkeypatch.setattr(upkeeping, "SLICE_S", 10.0)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.upkeep._refresh_at = 0.0
        catalog = kept.stage.recommender.catalog
        kept.upkeep._share = 0.0
        catalog.delete_item("i1")
        await kept.upkeep.step()
        catalog.put_item(Item("i1"))
        kept.producer.sent.clear()
        assert not await kept.upkeep.step()
        kept.upkeep._share = 1.0
        assert await kept.upkeep.step()
        assert {sent.slate.user_id for sent in kept.producer.sent} >= {"u0", "u1"}
        for sent in kept.producer.sent:
            assert sent.world == catalog.world()
            assert [item.item_id for item in sent.slate.items] == kept.list_of(sent.slate.user_id)
            assert sent.slate.as_of.offset in sent.slate.seen.values()
        assert all("i1" in kept.list_of(sent.slate.user_id) for sent in kept.producer.sent)
        n_sent = len(kept.producer.sent)
        kept.upkeep._refresh_at = 0.0
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == n_sent

    keep(scenario, share=1.0)


def test_the_budget_is_kept(keep, monkeypatch):
    """After a step there is a rest of so many times its length as the share says."""
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        used = iter([5.0, 5.002])
        monkeypatch.setattr(upkeeping.time, "thread_time", lambda: next(used))
        monkeypatch.setattr(upkeeping.time, "monotonic", lambda: 1000.0)
        kept.upkeep._refresh_at = kept.upkeep._chosen_at = 0.0
        await kept.upkeep.step()
        assert kept.upkeep._refresh_at == pytest.approx(1000.0 + 0.002 / 0.05)

    keep(scenario, share=0.05)


class Record(NamedTuple):
    """What is read of the topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    topic: str = "recommendations"
    partition: int = 0
    offset: int = 0


def test_what_is_read_from_the_topic_gives_way_to_what_is_live(keep):
    """The last record of a user counts, a tombstone deletes, what is no list is left out; live lists stand."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        of_ann = [
            msgspec.structs.replace(kept.partition.slate(kept.partition.shown.find(b"u1")), user_id="ann", items=items)
            for items in ([], kept.partition.slate(kept.partition.shown.find(b"u1")).items[:2])
        ]
        before = kept.list_of("u1")
        for slate in of_ann:
            kept.partition.read(Record(b"ann", msgspec.json.encode(slate)))
            kept.partition.read(Record(b"bob", msgspec.json.encode(slate)))
        kept.partition.read(Record(b"u1", msgspec.json.encode(of_ann[0])))
        kept.partition.read(Record(b"u1", None))
        kept.partition.read(Record(DEFAULT_LIST.encode(), msgspec.json.encode(of_ann[1])))
        kept.partition.read(Record(b"bob", None))
        for key, value in ((b"x", b"{"), (b"x", b'{"items":[1]}'), (None, b"{}")):
            kept.partition.read(Record(key, value))
        assert kept.list_of("ann") == before[:2]
        assert kept.list_of("u1") == before
        assert [kept.partition.shown.find(key) for key in (b"bob", b"x", DEFAULT_LIST.encode())] == [None] * 3
        assert kept.partition.n_unkept == 2

    keep(scenario)


def test_a_list_from_the_topic_is_not_replaced_before_all_was_read(keep):
    """A newer one may stand further on. Then it is checked against the catalog of now."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        slate = kept.partition.slate(kept.partition.shown.find(b"u1"))
        gone = slate.items[0].item_id
        kept.stage.recommender.catalog.delete_item(gone)
        kept.partition.read(Record(b"ann", msgspec.json.encode(msgspec.structs.replace(slate, user_id="ann"))))
        await kept.upkeep.step()
        assert "ann" not in {sent.slate.user_id for sent in kept.producer.sent}
        kept.partition.loaded()
        await kept.upkeep.step()
        assert [sent.slate.user_id for sent in kept.producer.sent].count("ann") == 1
        assert gone not in kept.list_of("ann")

    keep(scenario)


def test_a_list_that_is_too_large_is_not_kept(keep, monkeypatch):
    """It is counted, and what was kept of the user before goes: it is not the newest any more."""
    monkeypatch.setattr(published_lists, "ITEM_BYTES", 10)

    async def scenario(kept: Kept) -> None:
        kept.stage.published.own(set())
        kept.stage.published.own({0})
        kept.partition = kept.stage.published.partitions[0]
        await kept.begin()
        assert len(kept.partition.shown) == 0
        assert kept.partition.n_unkept > 0

    keep(scenario)


class Reader:
    """A topic with one partition, of whose records each fetch gives one, or nothing."""

    def __init__(self, records: list[Record], end: int) -> None:
        self._waiting = records
        self._end = end
        self._position = 0
        self.fails = 0
        """How many times the broker does not say where the end is."""

    def assign(self, sources: list[TopicPartition]) -> None:
        self._source = sources[0]

    async def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.fails:
            self.fails -= 1
            raise KafkaConnectionError
        return {source: self._end for source in sources}

    async def seek_to_beginning(self, *_: TopicPartition) -> None:
        self._position = 0

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Record]]:
        if self._position >= len(self._waiting):
            return {}
        self._position += 1
        return {self._source: [self._waiting[self._position - 1]]}

    async def position(self, source: TopicPartition) -> int:
        return self._position

    def pause(self, source: TopicPartition) -> None:
        pass


@pytest.mark.parametrize("end", [1, 2])
def test_lists_are_read_to_the_end(keep, monkeypatch, end: int):
    """Also where the last record is not there any more, but not while the broker does not answer."""
    monkeypatch.setattr(upkeeping, "QUIET_S", 0.0)

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        slate = msgspec.structs.replace(kept.partition.slate(kept.partition.shown.find(b"u1")), user_id="ann")
        reader = kept.upkeep._reader = Reader([Record(b"ann", msgspec.json.encode(slate))], end)
        reader.fails = 1
        with pytest.raises(KafkaConnectionError):
            await kept.upkeep._load({0: kept.partition})
        assert not kept.partition.is_loaded
        await kept.upkeep._load({0: kept.partition})
        assert kept.partition.is_loaded
        assert kept.partition.shown.find(b"ann") is not None

    keep(scenario)


def test_a_partition_that_is_given_up_while_it_is_read_is_left(keep):
    """Nothing more of it is taken."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        kept.upkeep._reader = Reader([Record(b"ann", b"{}")] * 3, 3)
        kept.stage.published.own(set())
        await kept.upkeep._load({0: kept.partition})
        assert kept.partition.n_unkept == 0

    keep(scenario)
