"""What waits for a stage, and the consumer that fills it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from faust.types import TP

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import consumer as module
from stream_rec.runtime.clients import new_app, raw_topic
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.stage_buffer import CAPACITY, FETCHED_RECORDS, StageBuffer

EVENTS, SIGNALS = TP("views", 0), TP("item-signals", 0)


class Record(NamedTuple):
    """What a fetch brings."""

    offset: int


class Fetches:
    """A Faust consumer of two stages whose broker is played: ``answer`` says what each fetch brings."""

    def __init__(self) -> None:
        self.app = new_app("app", KafkaSettings(bootstrap="one:9092"), instance_id="w1", lease=Lease(15.0))
        self.app.flow_control.resume()
        self.consumer = self.app.consumer
        self.consumer.scheduler = SimpleNamespace(
            iterate=lambda fetched: [(tp, record) for tp, offsets in fetched.items() for record in map(Record, offsets)]
        )
        self.consumer._getmany = self._getmany
        self.consumer._get_active_partitions = lambda: {EVENTS, SIGNALS}
        self.consumer.callback = self._put
        self.consumer._to_message = lambda tp, record: SimpleNamespace(
            tp=tp, offset=record.offset, generation_id=self.app.consumer_generation_id
        )
        self.buffers = {tp: self._buffer(tp.topic) for tp in (EVENTS, SIGNALS)}
        self.asked: list[set[TP]] = []
        self.answer: Callable[[set[TP]], dict[TP, list[int]]] = lambda wanted: {}

    def _buffer(self, topic: str) -> StageBuffer:
        channel = raw_topic(self.app, topic)
        return self.consumer.fill(StageBuffer(SimpleNamespace(app=self.app, channel=channel)))

    async def _getmany(self, wanted: set[TP], timeout: float) -> dict[TP, list[int]]:
        self.asked.append(wanted)
        return self.answer(wanted)

    async def _put(self, message: SimpleNamespace) -> None:
        event = SimpleNamespace(message=message)
        self.buffers[message.tp]._queue.put_nowait(event)

    def waiting(self, tp: TP) -> list[int]:
        """Return the offsets that wait for a stage."""
        return [event.message.offset for event in self.buffers[tp]._queue._queue]

    def put(self, tp: TP, *offsets: int, generation: int | None = None) -> None:
        """Put records before a stage."""
        generation = self.app.consumer_generation_id if generation is None else generation
        for offset in offsets:
            message = SimpleNamespace(tp=tp, offset=offset, generation_id=generation)
            self.buffers[tp]._queue.put_nowait(SimpleNamespace(message=message))


@pytest.fixture
def played() -> Callable:
    def play(scenario):
        async def run():
            fetches = Fetches()
            tracked = []
            fetches.consumer.track_message = lambda message: tracked.append(message.offset)
            fetches.app.sensors.on_stream_event_in = lambda *_: None
            fetches.tracked = tracked
            return await asyncio.wait_for(scenario(fetches), 10.0)

        return asyncio.new_event_loop().run_until_complete(run())

    return play


def test_a_batch_is_what_waits(played):
    """All of it, in its order, without a pause; not more than asked for."""

    async def scenario(fetches: Fetches):
        fetches.put(EVENTS, *range(7))
        first = await fetches.buffers[EVENTS].take(5, wait_s=60.0)
        fetches.put(EVENTS, 7)
        second = await fetches.buffers[EVENTS].take(5, wait_s=60.0)
        return [[event.message.offset for event in events] for events in (first, second)], fetches.tracked

    assert played(scenario) == ([[0, 1, 2, 3, 4], [5, 6, 7]], [0, 1, 2, 3, 4, 5, 6, 7])


def test_a_lone_record_waits_for_company(played):
    """What comes meanwhile is of the same batch."""

    async def scenario(fetches: Fetches):
        fetches.put(EVENTS, 0)
        asyncio.get_running_loop().call_later(0.01, fetches.put, EVENTS, 1)
        events = await fetches.buffers[EVENTS].take(5, wait_s=0.1)
        return [event.message.offset for event in events]

    assert played(scenario) == [0, 1]


@pytest.mark.parametrize("moved", ["generation", "flow"])
def test_what_was_fetched_before_partitions_moved_is_left_out(played, moved: str):
    """And is not waited for: a rebalance waits for what is tracked until it is acked."""

    async def scenario(fetches: Fetches):
        fetches.put(EVENTS, 0, 1, generation=fetches.app.consumer_generation_id - (moved == "generation"))
        if moved == "flow":
            fetches.app.flow_control.suspend()
        return await fetches.buffers[EVENTS].take(5, wait_s=0.0), fetches.tracked

    assert played(scenario) == ([], [])


def test_only_stages_with_room_are_fetched_for(played):
    """A backlog of events does not keep signals away, and what one fetch brings fits."""

    async def scenario(fetches: Fetches):
        at = iter(range(10 * CAPACITY))
        fetches.answer = lambda wanted: {EVENTS: [next(at) for _ in range(FETCHED_RECORDS)]} if EVENTS in wanted else {}
        for _ in range(20):
            await fetches.consumer._drain_one_fetch()
        held = len(fetches.waiting(EVENTS))
        assert CAPACITY // 2 < held < 0.8 * CAPACITY  # where Faust's own brake begins
        assert fetches.asked[0] == {EVENTS, SIGNALS}
        assert fetches.asked[-1] == {SIGNALS}
        while fetches.waiting(EVENTS):
            await fetches.buffers[EVENTS].take(500, wait_s=0.0)
        await fetches.consumer._drain_one_fetch()
        assert fetches.asked[-1] == {EVENTS, SIGNALS}

    played(scenario)


def test_without_room_anywhere_nothing_is_fetched_until_something_is_taken(played, monkeypatch):
    """An empty wish would be understood as a wish for everything."""
    monkeypatch.setattr(module, "FETCH_S", 60.0)

    async def scenario(fetches: Fetches):
        for tp in (EVENTS, SIGNALS):
            fetches.put(tp, *range(CAPACITY // 2 + 1))
        fetching = asyncio.ensure_future(fetches.consumer._drain_messages(SimpleNamespace(should_stop=False)))
        await asyncio.sleep(0.05)
        assert fetches.asked == []
        await fetches.buffers[SIGNALS].take(10, wait_s=0.0)
        while not fetches.asked:
            await asyncio.sleep(0)
        fetching.cancel()
        assert fetches.asked[0] == {SIGNALS}

    played(scenario)


def test_what_a_fetch_brings_after_the_flow_stopped_is_not_delivered(played):
    """Positions go back to what is committed; and who stopped the flow waits until the drain rests."""

    async def scenario(fetches: Fetches):
        def stopped_meanwhile(wanted: set[TP]) -> dict[TP, list[int]]:
            fetches.consumer.stop_flow()
            return {EVENTS: [4, 5]}

        fetches.answer = stopped_meanwhile
        await fetches.consumer._drain_one_fetch()
        await fetches.consumer.rest()
        return fetches.waiting(EVENTS)

    assert played(scenario) == []


def test_a_flow_that_stops_in_the_middle_of_a_fetch_ends_it(played):
    """What was handed over until then is cleared with the queues; nothing comes after it."""

    async def scenario(fetches: Fetches):
        async def put_and_stop(message) -> None:
            await Fetches._put(fetches, message)
            fetches.consumer.stop_flow()

        fetches.consumer.callback = put_and_stop
        fetches.answer = lambda wanted: {EVENTS: [4, 5, 6]}
        await fetches.consumer._drain_one_fetch()
        return fetches.waiting(EVENTS), fetches.consumer._read_offset[EVENTS]

    assert played(scenario) == ([4], 4)


def test_a_topic_without_a_stage_yet_is_not_fetched(played):
    """A stage that is not up yet would lose what comes before."""

    async def scenario(fetches: Fetches):
        fetches.consumer._buffers.pop("views")
        await fetches.consumer._drain_one_fetch()
        return fetches.asked

    assert played(scenario) == [{SIGNALS}]
