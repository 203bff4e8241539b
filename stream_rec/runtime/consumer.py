"""A Faust consumer that delivers no record across a rebalance and commits none that is not finished.

Faust 0.15.3 loses events when partitions move. At the end of a recovery it resumes the source partitions first, then
seeks to the committed offsets, then clears the agents' queues. What its drain fetches between is thrown away with the
queues, and the drain goes on with the rest of that fetch. Faust takes the hole for one that compaction left, counts it
as acked, and drops those records when they come again (``Consumer._add_gap``, "DROPPED MESSAGE ROFF"). Besides, it does
not seek at all where nothing is committed yet. Seen on two workers under load: a few events of 4,000 at each move.

So here: what was fetched before the flow stopped is never delivered; sources are resumed only when the drain rests;
and a seek always seeks.

Faust's drain also hands over all it fetched before it fetches again, and waits where a queue is full: behind a backlog
of events no signal came through. And it makes four tasks for each record. So here a fetch asks only for the partitions
of stages with room for all that it may bring, and hands it over at once.

Besides, Faust commits past what is in flight. When an agent fails or is cancelled, its stream goes on in the
background with automatic acks, and the check for gaps below the acked offsets is off by one, or absent where nothing
is committed yet: 10 committed, 10 in flight, 11 to 13 acked: 14 is committed, and 10 is lost. Seen when the very first
batch failed. So here what is committed is not what Faust thinks is acked, but what the batch recipe says is finished.

Only what transactions have committed is read. Their markers, and what was aborted, are no records: nothing of them is
ever finished. So once all that was handed over is finished, what is committed is how far the consumer has read; else a
partition would count as unread for ever that a transaction has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

import aiokafka
import faust
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, Message
from mode.types import ServiceT

from stream_rec.runtime.lease import Lease
from stream_rec.runtime.sessions import stay_logged_in
from stream_rec.runtime.stage_buffer import FETCHED_RECORDS, StageBuffer

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch: what else is asked of it waits behind. Faust has 1.5 s."""
FETCH_S = 0.2
"""How long one fetch may wait for records; a rebalance waits for the last one."""


class LeasingThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread: what it hears of the group renews the lease, and partitions move together."""

    lease: Lease
    n_answers = 0
    """How often a broker has said who the coordinator is, or that there is none yet: it is there, and slow perhaps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.positions: dict[TP, int] = {}
        """Of the partitions asked for in the last fetch: where the next one begins."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Without Faust's tables it would deal out views, clicks and purchases one by one, like cards.
        self._assignor = self.app.assignor
        consumer._partition_assignment_strategy = [self._assignor]
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._max_poll_records = FETCHED_RECORDS
        consumer._isolation_level = "read_committed"
        stay_logged_in(consumer._client)
        return consumer

    async def on_start(self) -> None:
        """Connect."""
        await super().on_start()
        consumer = self._ensure_consumer()
        self.lease.watch(consumer._coordinator)
        self._count_answers(consumer._client)

    def _count_answers(self, client: AIOKafkaClient) -> None:
        """Count in ``n_answers``, from now on, what the client is told when it asks for the coordinator."""
        look_up = client.coordinator_lookup

        async def counting(*args: Any, **kwargs: Any) -> int:
            try:
                found: int = await look_up(*args, **kwargs)
            except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError):
                self.n_answers += 1
                raise
            self.n_answers += 1
            return found

        client.coordinator_lookup = counting

    def _stopped_set(self) -> None:
        """Note that it stops, also where it has crashed and closed its loop: mode would raise."""
        if self.thread_loop.is_closed():
            self._stopped.set()
        else:
            super()._stopped_set()

    async def _fetch_records(
        self, consumer: aiokafka.AIOKafkaConsumer, active_partitions: set[TP], *args: Any, **kwargs: Any
    ) -> Any:
        records = await super()._fetch_records(consumer, active_partitions, *args, **kwargs)
        states = {tp: self._state_of(tp) for tp in active_partitions}
        self.positions = {tp: state.position for tp, state in states.items() if state and state.has_valid_position}
        return records

    def highwater(self, tp: TP) -> int | None:  # type: ignore[override]  # Faust has None, too, and does not say so
        """Return where that ends what can be read now: a transaction that is open, and what comes after, cannot."""
        state = self._state_of(tp)
        end: int | None = state.lso if state else None
        return end

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Complain if nothing is done; not where an open transaction is waited for."""
        state = self._state_of(tp)
        if state is None or not state.has_valid_position or state.lso is None or state.position < state.lso:
            super().verify_event_path(now, tp)

    def _state_of(self, tp: TP) -> Any:
        """Return what the consumer knows of a partition, None where it is not assigned."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        partition = driver.ensure_aiokafka_TP(tp)
        return assignment.state_value(partition) if assignment and partition in assignment.tps else None

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, but not in a thread that a refused commit has ended: the end of the app would wait for ever."""
        return not self.crashed and await super().commit(offsets)


class NoTables(TableManager):
    """Faust's manager of no tables, without the second that it waits for them to be defined."""

    async def on_start(self) -> None:
        """Begin."""
        await self._update_channels()
        await self.recovery.start()


BeginsAnew: TypeAlias = Callable[[set[TP]], set[TP]]
"""From a process's partitions to those that are read from their beginning, whatever is committed of them."""


class LosslessConsumer(driver.Consumer):
    """Faust's consumer with an epoch, which ends with all it fetched when the flow stops, and our own positions."""

    lease: Lease
    begins_anew: BeginsAnew
    _thread: LeasingThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._epoch = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._finished: dict[TP, int] = {}
        """By source partition, the offset after the last record whose effects are all acknowledged."""
        self._handed: dict[TP, int] = {}
        """Since the last seek, the offset after the last record that was handed over."""
        self._positions: dict[TP, int] = {}
        """Since the last seek, up to where everything was handed over, or is no record."""
        self._finished_ms: dict[TP, float] = {}
        """By source partition, when the last of those records came, by the broker's clock."""
        self._buffers: dict[str, StageBuffer] = {}
        """By topic."""
        self.n_finished: dict[str, int] = {}
        """By topic, how many records are finished since the process began."""
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> LeasingThread:
        thread = LeasingThread(self, loop=self.loop, beacon=self.beacon)
        thread.lease = self.lease
        return thread

    def assignment(self) -> set[TP]:
        """Return the partitions of this process: none as long as its thread has not connected.

        Services beside the app ask earlier where a machine is starved; Faust raises, and that ended the worker.
        """
        try:
            return super().assignment()
        except ConsumerNotStarted:
            return set()

    def finish(self, messages: Iterable[Message]) -> None:
        """Note that all effects of these records are acknowledged: now they may be committed."""
        for message in messages:
            topic = message.tp.topic
            self.n_finished[topic] = self.n_finished.get(topic, 0) + 1
            if message.offset + 1 > self._finished.get(message.tp, 0):
                self._finished[message.tp] = message.offset + 1
                self._finished_ms[message.tp] = 1000 * message.timestamp

    def committed_up_to(self, tp: TP) -> int:
        """Return the offset up to which nothing is read again, even after a crash; -1 where nothing is committed."""
        return (self._committed_offset.get(tp) or 0) - 1

    def open_records(self) -> int:
        """Return how many records of this process's partitions are not finished, as far as the last fetches say."""
        return sum(self.open_by_topic().values())

    def open_by_topic(self) -> dict[str, int]:
        """Return the same by topic."""
        n_open: dict[str, int] = {}
        for tp in self.assignment():
            n_open[tp.topic] = n_open.get(tp.topic, 0) + self._n_open(tp, self.highwater(tp) or 0)
        return n_open

    def reached_ms(self, tp: TP) -> float | None:
        """Return a moment before which no record came that is not finished: now, where the last fetch left none open.

        None where it is not known yet: nothing was fetched, or nothing finished of what is open.
        """
        if (end := self.highwater(tp)) is None:
            return None
        return 1000 * time.time() if not self._n_open(tp, end) else self._finished_ms.get(tp)

    def _n_open(self, tp: TP, end: int) -> int:
        return max(0, end - max(self._done(tp), self._committed_offset.get(tp) or 0))

    def _done(self, tp: TP) -> int:
        """Return the offset before which everything is finished, or is no record."""
        finished = self._finished.get(tp, 0)
        return max(finished, self._positions.get(tp, 0)) if finished >= self._handed.get(tp, 0) else finished

    def _new_offset(self, tp: TP) -> int | None:
        """Return what may be committed of a partition; Faust's own count of acks is dropped."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._done(tp) or None

    def stop_flow(self) -> None:
        """Stop delivering, for good what was fetched until now."""
        self._epoch += 1
        super().stop_flow()

    def fill(self, buffer: StageBuffer) -> StageBuffer:
        """From now on, put what comes of a stage's topics into its buffer."""
        self._buffers.update(dict.fromkeys(buffer.topics, buffer))
        buffer.on_room = self._room.set
        self._room.set()
        return buffer

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Hand over one fetch after another until the end."""
        stopped: tuple[type[BaseException], ...] = (asyncio.CancelledError, *self.consumer_stopped_errors)
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait_first(self.can_resume_flow.wait(), timeout=FETCH_S)
                elif not self.app.flow_control.is_active():
                    await self.wait_first(self.app.flow_control.acquire(), timeout=FETCH_S)
                else:
                    await self._drain_one_fetch()
                    await asyncio.sleep(0)
        except stopped:
            if not self.app.should_stop:
                raise

    async def _drain_one_fetch(self) -> None:
        """Fetch what there is room for, and hand it over unless the flow stopped meanwhile."""
        active = self._get_active_partitions()
        wanted = {tp for tp in active if (buffer := self._buffers.get(tp.topic)) is not None and buffer.has_room}
        if not wanted:
            self._room.clear()
            await self.wait_first(self._room.wait(), timeout=FETCH_S)
            return
        epoch = self._epoch
        self._at_rest.clear()
        try:
            for tp, record in self.scheduler.iterate(await self._getmany(wanted, FETCH_S)):
                if self._epoch != epoch:
                    break  # positions go back to what is committed: it comes again
                await self.callback(self._to_message(tp, record))
                self._read_offset[tp] = record.offset
                self._handed[tp] = record.offset + 1
            else:
                for tp, position in self._thread.positions.items():
                    self._positions[tp] = position
                    self._acked[tp]  # makes Faust ask what may be committed of it
        finally:
            self._at_rest.set()

    async def rest(self) -> None:
        """Stop the flow, and return when nothing is being fetched or delivered; ``resume_flow`` ends the rest."""
        self.stop_flow()
        await self._at_rest.wait()

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; to the beginning where none is committed, or they do not count."""
        await self.rest()
        self._handed.clear()
        self._positions.clear()
        await super().perform_seek()
        started = {tp for tp, offset in self._committed_offset.items() if offset}
        assigned = self.assignment()
        if fresh := (assigned - started) | self.begins_anew(assigned):
            await self._thread.seek_to_beginning(*(driver.ensure_aiokafka_TP(tp) for tp in fresh))
            for tp in fresh:
                self._read_offset[tp] = None


def consumer_of(app: AppT) -> LosslessConsumer:
    """Return the consumer of an app that ``install_consumer`` was called for."""
    return cast(LosslessConsumer, app.consumer)


def install_consumer(app: faust.App, lease: Lease, begins_anew: BeginsAnew) -> None:
    """Give ``app``, which has not started, a consumer that loses nothing when partitions move and renews ``lease``.

    Args:
        begins_anew: Asked whenever partitions were assigned. What is committed of a partition is never taken back: a
            process that ends before it has read so far again must ask for it again.
    """
    members = {"lease": lease, "begins_anew": staticmethod(begins_anew)}
    consumer_type = type("LeasingConsumer", (LosslessConsumer,), members)
    app.transport.Consumer = consumer_type  # type: ignore[misc]  # Faust's own way to another consumer

    @app.on_rebalance_complete.connect(weak=False)
    async def let_the_drain_rest(*_: Any, **__: Any) -> None:
        await consumer_of(app).rest()
