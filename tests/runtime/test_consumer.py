"""Faust's consumer, made lossless: what may be committed."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

from faust.types import TP

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease

SOURCE = TP("views", 0)


async def new_consumer():
    return new_app("app", KafkaSettings(bootstrap="one:9092"), instance_id="w1", lease=Lease(15.0)).consumer


def consumer():
    return asyncio.new_event_loop().run_until_complete(new_consumer())


def message(offset: int, tp: TP = SOURCE, *, timestamp: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(tp=tp, offset=offset, timestamp=timestamp)


def test_what_faust_acked_by_itself_is_not_committed():
    """The first batch failed, and Faust acked what came after it in the background: nothing may be committed."""
    lossless = consumer()
    lossless._acked[SOURCE] += [11, 12, 13]
    lossless._acked_index[SOURCE] |= {11, 12, 13}

    assert lossless._filter_committable_offsets([SOURCE]) == {}


def test_a_record_in_flight_is_not_committed():
    """10 is committed and in flight, 11 to 13 were acked: Faust alone would commit 14 and lose 10."""
    lossless = consumer()
    lossless._committed_offset[SOURCE] = 10
    lossless._acked[SOURCE] += [11, 12, 13]

    assert lossless._filter_committable_offsets([SOURCE]) == {}


def test_what_is_finished_is_committed():
    """The position after the last finished record of each partition, whatever was acked."""
    lossless = consumer()
    lossless._committed_offset[SOURCE] = 10
    lossless._acked[SOURCE] += [10, 11, 12]
    lossless.finish([message(10), message(11), message(4, TP("clicks", 1))])

    assert lossless._filter_committable_offsets([SOURCE, TP("clicks", 1)]) == {SOURCE: 12, TP("clicks", 1): 5}


def test_records_taken_again_take_nothing_back():
    """After a rebalance finished records come again: the position does not go back with them."""
    lossless = consumer()
    lossless.finish([message(10), message(11)])
    lossless.finish([message(3)])

    assert lossless._new_offset(SOURCE) == 12


def test_open_is_what_came_and_is_not_finished(monkeypatch):
    """Finished here or committed, whichever is later: a partition may have been elsewhere meanwhile."""
    lossless = consumer()
    ends = {SOURCE: 20, TP("views", 1): 9, TP("clicks", 0): 5, TP("clicks", 1): None, TP("views", 2): 30}
    monkeypatch.setattr(lossless, "assignment", lambda: set(ends))
    monkeypatch.setattr(lossless, "highwater", ends.get)
    lossless._committed_offset.update({SOURCE: 3, TP("views", 1): 7, TP("clicks", 0): 8, TP("views", 2): 28})
    lossless.finish([message(10), message(4, TP("views", 2))])

    assert lossless.open_records() == (20 - 11) + (9 - 7) + 0 + (30 - 28)
    assert lossless.open_by_topic() == {SOURCE.topic: 13, "clicks": 0}
    assert lossless.n_finished == {SOURCE.topic: 2}


def test_what_is_still_to_come_came_no_earlier_than_this(monkeypatch):
    """Where nothing is open, now; else when the last finished record came. Before the first fetch nobody can say."""
    lossless = consumer()
    other = TP("clicks", 0)
    ends = {SOURCE: 20, other: None}
    monkeypatch.setattr(lossless, "highwater", ends.get)
    monkeypatch.setattr(time, "time", lambda: 900.0)
    assert (lossless.reached_ms(SOURCE), lossless.reached_ms(other)) == (None, None)
    lossless.finish([message(10, timestamp=300.0), message(9, timestamp=299.0)])
    assert lossless.reached_ms(SOURCE) == 300_000
    lossless.finish([message(19, timestamp=400.0), message(12, timestamp=310.0)])
    assert lossless.reached_ms(SOURCE) == 900_000
    ends |= {SOURCE: 21, other: 0}
    assert (lossless.reached_ms(SOURCE), lossless.reached_ms(other)) == (400_000, 900_000)


def test_a_commit_is_not_asked_of_a_thread_that_has_ended():
    """A refused commit ends the consumer's thread. The app commits once more at its end, and would wait for ever."""

    async def committed() -> bool:
        thread = (await new_consumer())._new_consumer_thread()
        thread._crashed.set()
        return await asyncio.wait_for(thread.commit({SOURCE: 5}), 5.0)

    assert asyncio.run(committed()) is False


def test_what_is_no_record_is_committed_with_what_is_finished():
    """Markers of transactions, and what was aborted: once all that was handed over is finished, and no sooner."""
    lossless = consumer()
    lossless._handed[SOURCE], lossless._positions[SOURCE] = 12, 15
    lossless.finish([message(10)])
    assert lossless._new_offset(SOURCE) == 11
    lossless.finish([message(11)])
    assert lossless._new_offset(SOURCE) == 15

    nothing_came = TP("views", 1)
    lossless._positions[nothing_came] = 3
    assert lossless._new_offset(nothing_came) == 3
    assert lossless._new_offset(TP("views", 2)) is None


def test_a_consumer_that_has_not_connected_has_no_partitions():
    """Services beside the app ask before it has where a machine is starved; Faust raises, and that ended the worker."""
    assert consumer().assignment() == set()
