"""The lists of a partition that was taken over are read from their topic, and give way to what is live."""

from __future__ import annotations

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.stages import published as published_lists
from stream_rec.stages import upkeep as upkeeping
from tests.stages.kept import PLACE, Kept, Record


def test_what_is_read_from_the_topic_gives_way_to_what_is_live(keep):
    """The last record of a user counts, a tombstone deletes, what is no list is left out; live lists stand."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        of_ann = [
            msgspec.structs.replace(kept.partition.made(kept.partition.shown.find(b"u1")), user_id="ann", items=items)
            for items in ([], kept.partition.made(kept.partition.shown.find(b"u1")).items[:2])
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
        slate = kept.partition.made(kept.partition.shown.find(b"u1"))
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
        kept.partition = kept.stage.lists_of()
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
        slate = msgspec.structs.replace(kept.partition.made(kept.partition.shown.find(b"u1")), user_id="ann")
        reader = kept.upkeep._reader = Reader([Record(b"ann", msgspec.json.encode(slate))], end)
        reader.fails = 1
        with pytest.raises(KafkaConnectionError):
            await kept.upkeep._load({PLACE: kept.partition})
        assert not kept.partition.is_loaded
        await kept.upkeep._load({PLACE: kept.partition})
        assert kept.partition.is_loaded
        assert kept.partition.shown.find(b"ann") is not None

    keep(scenario)


def test_a_partition_that_is_given_up_while_it_is_read_is_left(keep):
    """Nothing more of it is taken."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        kept.upkeep._reader = Reader([Record(b"ann", b"{}")] * 3, 3)
        kept.stage.published.own(set())
        await kept.upkeep._load({PLACE: kept.partition})
        assert kept.partition.n_unkept == 0

    keep(scenario)
