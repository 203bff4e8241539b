"""Reading whole topics: when the past counts as read."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from stream_rec.config import KafkaSettings
from stream_rec.wiring import tail
from stream_rec.wiring.tail import Tail

ITEMS = TopicPartition("items", 0)


class Consumer:
    """The edge: each poll leads a step on and brings no record, as what a transaction has aborted."""

    def __init__(self, positions: list[int]) -> None:
        self._positions = positions
        self.n_polls = 0

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[min(self.n_polls, len(self._positions) - 1)]

    def highwater(self, tp: TopicPartition) -> int:
        return self._positions[-1]

    async def getmany(self, **_: int) -> dict:
        self.n_polls += 1
        return {}


async def caught_up(positions: list[int], end: int) -> int:
    """Return how many polls it took."""
    following = Tail(KafkaSettings(), ["items"], lambda record: None)
    following._consumer = Consumer(positions)
    await asyncio.wait_for(following._catch_up({ITEMS: end}), 10.0)
    return following._consumer.n_polls


def test_what_was_aborted_is_read_past():
    """Many polls without a record are no end as long as they lead on."""
    assert asyncio.run(caught_up(list(range(0, 1000, 100)), end=900)) == 9


def test_an_end_that_is_never_reached_is_given_up():
    """Compaction may have taken the last records, and a client may stand before them."""
    assert asyncio.run(caught_up([0, 100], end=900)) == 1 + tail.QUIET_POLLS + 1
