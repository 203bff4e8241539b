"""Where in the topics a moment lies, asked of a real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from stream_rec.client import EventProducer
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_reader
from stream_rec.runtime.offsets import OffsetsAfter
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import read

pytestmark = pytest.mark.kafka

TOPICS = ("views", "clicks", "purchases")


def asked(kafka: KafkaSettings, *questions: tuple[int, int]) -> list[dict[str, int]]:
    """Return the answers to some (partition, time)."""

    async def ask() -> list[dict[str, int]]:
        offsets_after = OffsetsAfter(kafka, TOPICS)
        await offsets_after.on_start()
        try:
            return [dict(await offsets_after(*question)) for question in questions]
        finally:
            await offsets_after.on_stop()

    return asyncio.run(ask())


def test_a_moment_lies_between_what_came_until_then_and_what_came_later(bootstrap: str):
    """In each topic by itself; where nothing came later, at the end; in an empty partition at 0. Always the same."""
    with RunningPipeline(bootstrap, workers=0, embedder=False) as running:
        kafka = running.settings.kafka
        mine = partition_of(b"ann", kafka.partitions)
        with running.producer() as producer:
            for number in range(4):
                producer.view("ann", f"i{number}")
                producer.flush()  # records of one batch have one time
                time.sleep(0.01)
            producer.click("ann", "i1")
            producer.flush()
        times = [record.timestamp for record in read(running, "views")]
        click_ms = read(running, "clicks")[0].timestamp
        assert len(set(times)) == 4 and click_ms > times[-1]

        before, second, last, after, elsewhere = asked(
            kafka,
            *((mine, at_ms) for at_ms in (times[0] - 1, times[1], times[3], click_ms + 60_000)),
            ((mine + 1) % kafka.partitions, 0),
        )

        assert before == {"views": 0, "clicks": 0, "purchases": 0}
        assert second == {"views": 2, "clicks": 0, "purchases": 0}
        assert last == {"views": 4, "clicks": 0, "purchases": 0}
        assert after == {"views": 4, "clicks": 1, "purchases": 0}
        assert elsewhere == dict.fromkeys(TOPICS, 0)
        assert asked(kafka, (mine, times[1])) == [second]


def test_while_events_come_none_of_later_is_left_out(bootstrap: str):
    """Nothing was later at the first look, and something at the next: the answer is still the first of later."""
    with RunningPipeline(bootstrap, workers=0, embedder=False) as running, running.producer() as producer:
        kafka = running.settings.kafka
        mine = partition_of(b"ann", kafka.partitions)
        producer.view("ann", "i0")
        producer.flush()
        (first,) = read(running, "views")

        async def scenario() -> dict[str, int]:
            offsets_after = OffsetsAfter(kafka, TOPICS)
            reader = offsets_after._reader = _Interrupted(new_reader(kafka), lambda: arrive(producer))
            await reader.start()
            try:
                return dict(await offsets_after(mine, first.timestamp))
            finally:
                await offsets_after.on_stop()

        assert asyncio.run(scenario()) == {"views": 1, "clicks": 0, "purchases": 0}


def arrive(producer: EventProducer) -> None:
    for number in range(3):
        producer.view("ann", f"i{number}")
    producer.flush()


class _Interrupted:
    """A reader between whose two questions, what is later and where the end is, events arrive, once."""

    def __init__(self, reader, interrupt: Callable[[], None]) -> None:
        self._reader = reader
        self._interrupt = interrupt
        self.start, self.stop, self.end_offsets = reader.start, reader.stop, reader.end_offsets

    async def offsets_for_times(self, times) -> dict:
        found = await self._reader.offsets_for_times(times)
        self._interrupt()
        self._interrupt = lambda: None
        return found
