"""Published lists are kept fresh: what is gone leaves them within seconds, and those of another world are made anew.

One step after the other, each of some milliseconds, so that live events are served between them:

1. Which items have ceased to be listed since the last look? Note whose lists show one.
2. Send these lists without it. That is a tenth of the work of making them anew; they are short then, which is outdated.
3. Else, as far as the budget reaches, make outdated lists anew, those of the newest active users first.

Surfaces that are pushed are kept so as lists are; what is said here of a list goes for a user's record of them.

A list is only sent in place of the newest one that its user has: the lists of a batch of events are sent, and known
here, before the next step (``Published.begin``), and partitions move only when all that was sent is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import faust
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from stream_rec.catalog.world import World
from stream_rec.config import Settings
from stream_rec.events.slate import AsOf, Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.recommender import Recommender
from stream_rec.runtime.clients import new_reader
from stream_rec.runtime.clock import named_clock
from stream_rec.runtime.table import Table
from stream_rec.stages.published import LISTS, SURFACES, Published, PublishedList, PublishedPartition, shown_in
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.user import state as user_state
from stream_rec.user.state import UserState

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""Between two looks when there is nothing to do."""
WITHIN_S = 4.0
"""After so long the last list is sent without what is gone: evenly, so that live events and who reads lists keep up."""
PACE_S = 0.01
"""Between two steps."""
LONGEST_S = 0.02
"""Of one step, however late it is."""
SLICE_S = 0.004
"""Of lists made anew in one step."""
MARK_AT_ONCE = 20_000
"""Lists that are looked at for what is gone, in some milliseconds."""
READ_AT_ONCE = 100
"""Records of the topic taken at once, in some milliseconds; then as long a rest."""
POLL_MS = 200
QUIET_S = 10.0
"""After so long without a record, from a broker that answers, a partition counts as read: its last record may have been
a tombstone that compaction has taken."""
REFRESH_AT_ONCE = 256
"""Outdated lists that are chosen at once."""
CHOOSE_S = 1.0
"""Between two searches for outdated lists."""
SUMMARY_S = 10.0


class Remake(Protocol):
    """What makes a list anew."""

    def __call__(
        self, user_id: str, user: UserState, as_of: AsOf, *, generated_at_ms: int | None = None
    ) -> Slate | Surfaces: ...


class Replacing(NamedTuple):
    """A list that takes the place of a user's newest one."""

    of: TP
    """Its topic, and the partition's number."""
    partition: PublishedPartition
    number: int
    version: int
    published: PublishedList


class Upkeep(Service):
    """What one worker does to keep the lists of its users fresh."""

    _reader: AIOKafkaConsumer = None
    """None until it starts: it may be stopped before."""

    def __init__(
        self,
        app: faust.App,
        producer: AIOKafkaProducer,
        users: Table,
        published: Published,
        recommender: Recommender,
        pushed: PushedSurfaces,
        settings: Settings,
    ) -> None:
        super().__init__()
        self._app = app
        self._producer = producer
        self._users = users
        self._published = published
        self._pushed = pushed
        self._remake: dict[str, Remake] = {LISTS.topic: recommender.remake, SURFACES.topic: pushed.make}
        self._catalog = recommender.catalog
        self._settings = settings
        self._share = settings.worker.refresh_share
        self._is_resting = True
        """While partitions move."""
        self._stepping = asyncio.Lock()
        self._was_listed = np.zeros(0, dtype=bool)
        self._outdated: deque[tuple[TP, PublishedPartition, int, int]] = deque()
        self._n_outdated = 0
        self._chosen_at = self._waiting_since = self._stepped_at = self._refresh_at = 0.0
        self._n_republished = self._n_refreshed = 0

        @app.on_partitions_revoked.connect(weak=False)
        async def rest(*_: object, **__: object) -> None:
            self._is_resting = True
            async with self._stepping:  # until what was sent is acknowledged: the next owner reads it
                pass

    async def own(self, numbers: set[int]) -> None:
        """Keep the lists of these partitions fresh, and no others."""
        async with self._stepping:
            self._published.own(numbers)
            self._is_resting = False

    async def on_start(self) -> None:
        """Connect."""
        self._reader = new_reader(self._settings.kafka)
        await self._reader.start()

    async def on_stop(self) -> None:
        """Let go of everything."""
        self._is_resting = True
        async with self._stepping:
            self._published.close()
        if self._reader is not None:
            await self._reader.stop()

    @Service.task
    async def _keep(self) -> None:
        while not self.should_stop:
            async with self._stepping:
                has_worked = await self.step()
            await asyncio.sleep(PACE_S if has_worked else LOOK_S)

    @Service.task
    async def _read(self) -> None:
        while not self.should_stop:
            if not self._is_resting and not all(p.is_loaded for p in self._published.partitions.values()):
                try:
                    await self._load({n: p for n, p in self._published.partitions.items() if not p.is_loaded})
                except KafkaError as error:
                    log.warning("reads_lists_again why=%r", error)
            await asyncio.sleep(LOOK_S)

    @Service.task
    async def _summarize(self) -> None:
        while not self.should_stop:
            await self.sleep(SUMMARY_S)
            self.summarize()

    async def step(self) -> bool:
        """Do a little of what is to do; return whether there may be more.

        Raises:
            KafkaError: the broker did not take something: the process must end.
            ClockOff: it did not because of the time: likewise.
        """
        await self._look()
        async with self._published.sending:
            if self._is_resting or self._app.rebalancing or self._app.should_stop:
                return False
            replacing = self._without_the_gone()
            n_republished = len(replacing)
            if not replacing:
                replacing = self._made_anew()
            futures = [
                await self._producer.send(
                    each.of.topic, one.value, key=one.key, headers=one.headers, partition=each.of.partition
                )
                for each in replacing
                for one in [each.published]
            ]
        with named_clock():
            await asyncio.gather(*futures)
        for _, partition, number, version, published in replacing:
            if partition.shown.version(number) == version:  # else the user has a newer list, or is forgotten
                partition.put(published)
        self._n_republished += n_republished
        self._n_refreshed += len(replacing) - n_republished
        return bool(replacing)

    def summarize(self) -> None:
        """Log what was done since the last time, if anything was or is to do."""
        partitions = self._published.partitions.values()
        waiting = sum(partition.shown.n_stale for partition in partitions)
        if self._n_republished or self._n_refreshed or waiting or self._n_outdated:
            log.info(
                "kept_fresh republished=%d refreshed=%d waiting=%d outdated=%d watched=%d unwatched=%d",
                self._n_republished,
                self._n_refreshed,
                waiting,
                self._n_outdated,
                sum(len(partition.shown) for partition in partitions),
                sum(partition.shown.n_left + partition.n_unkept for partition in partitions),
            )
        self._n_republished = self._n_refreshed = 0

    async def _look(self) -> None:
        """Note whose lists show what has ceased to be listed since the last look."""
        is_listed = self._catalog.is_listed.copy()
        was_listed, self._was_listed = self._was_listed, is_listed
        gone = np.flatnonzero(was_listed & ~is_listed[: len(was_listed)])
        if not len(gone):
            return
        for partition in list(self._published.partitions.values()):
            for begin in range(0, partition.shown.n_numbers, MARK_AT_ONCE):
                partition.mark(gone, slice(begin, begin + MARK_AT_ONCE))
                await asyncio.sleep(0)

    def _without_the_gone(self) -> list[Replacing]:
        """Return lists without what is gone: as many as are due, so that the last of them goes after ``WITHIN_S``."""
        now = time.monotonic()
        waiting = [
            (of, partition, partition.shown.find_stale(live_only=not partition.is_loaded))
            for of, partition in self._published.partitions.items()
        ]
        n_waiting = sum(len(numbers) for _, _, numbers in waiting)
        if not n_waiting:
            self._waiting_since = self._stepped_at = now
            return []
        left_s = max(self._waiting_since + WITHIN_S - now, PACE_S)
        n_due = math.ceil(n_waiting * min(1.0, max(now - self._stepped_at, PACE_S) / left_s))
        self._stepped_at = now
        made: list[Replacing] = []
        for of, partition, numbers in waiting:
            for number in numbers.tolist():
                if len(made) >= n_due or time.monotonic() - now > LONGEST_S:
                    return made
                if self._published.is_in_hand(partition.shown.key(number)):
                    continue
                cut = partition.cut(number, generated_at_ms=_now_ms())
                partition.shown.unmark(number)
                if cut is not None:
                    made.append(Replacing(of, partition, number, partition.shown.version(number), cut))
        return made

    def _made_anew(self) -> list[Replacing]:
        """Return lists made anew, as many as one step and the budget have time for."""
        if not self._share or (now := time.monotonic()) < self._refresh_at:
            return []
        began, until = time.thread_time(), now + SLICE_S
        world = self._catalog.world()
        worlds = {LISTS.topic: world, SURFACES.topic: self._pushed.world(world)}
        self._choose_outdated(worlds)
        made = []
        while self._outdated and time.monotonic() < until:
            if (one := self._refreshed(*self._outdated.popleft(), worlds)) is not None:
                made.append(one)
        self._refresh_at = time.monotonic() + (time.thread_time() - began) / self._share
        return made

    def _choose_outdated(self, worlds: Mapping[str, World]) -> None:
        if self._outdated or time.monotonic() - self._chosen_at < CHOOSE_S:
            return
        chosen, self._n_outdated = [], 0
        for of, partition in self._published.partitions.items():
            if partition.is_loaded:
                numbers, n_outdated = partition.shown.find_outdated(worlds[partition.form.topic], REFRESH_AT_ONCE)
                self._n_outdated += n_outdated
                chosen += [(of, partition, number, partition.shown.version(number)) for number in map(int, numbers)]
        self._outdated.extend(chosen)
        self._chosen_at = time.monotonic()

    def _refreshed(
        self, of: TP, partition: PublishedPartition, number: int, version: int, worlds: Mapping[str, World]
    ) -> Replacing | None:
        """Return a list made anew; None where it has become unnecessary, or would be the same."""
        key, world = partition.shown.key(number), worlds[partition.form.topic]
        is_current = self._published.partitions.get(of) is partition and partition.shown.version(number) == version
        if not is_current or self._published.is_in_hand(key):
            return None
        before, stored = partition.made(number), self._users.read(of.partition, key)
        if before is None:
            return None
        if partition.form is SURFACES and not self._pushed:  # they are no longer declared
            gone = PublishedList(SURFACES, key, None, partition.shown.rows(number)[:0], 0, world)
            return Replacing(of, partition, number, version, gone)
        if stored is None or before.as_of is None:
            partition.shown.set_world(number, world)  # nothing is known that another could be made from
            return None
        user, remake = user_state.decode(stored), self._remake[partition.form.topic]
        made = remake(before.user_id, user, before.as_of, generated_at_ms=_now_ms())
        self._n_outdated -= 1
        has_seen_less = any(made.seen.get(topic, -1) < offset for topic, offset in before.seen.items())
        if has_seen_less or shown_in(made) == shown_in(before):
            partition.shown.set_world(number, world)
            return None
        return Replacing(of, partition, number, version, PublishedList.of(key, made, world, self._catalog))

    async def _load(self, partitions: dict[TP, PublishedPartition]) -> None:
        """Read what is in some partitions of the topics, from the beginning.

        Raises:
            KafkaError: the broker is away.
        """
        began, n_records = time.monotonic(), 0
        sources = {TopicPartition(*of): partition for of, partition in partitions.items()}
        self._reader.assign(list(sources))
        ends = await self._reader.end_offsets(list(sources))
        await self._reader.seek_to_beginning(*sources)
        heard_at = time.monotonic()
        while sources and not self.should_stop:
            fetched = await self._reader.getmany(timeout_ms=POLL_MS, max_records=READ_AT_ONCE)
            busy_since = time.monotonic()
            for source, records in fetched.items():
                if source in sources and self._published.partitions.get(TP(*source)) is sources[source]:
                    for record in records:
                        sources[source].read(record)
                n_records += len(records)
                heard_at = busy_since
            if is_quiet := busy_since - heard_at > QUIET_S:
                await self._reader.end_offsets(list(sources))  # raises where the broker does not answer
            for source in list(sources):
                is_read = is_quiet or await self._reader.position(source) >= ends[source]
                if is_read or self._published.partitions.get(TP(*source)) is not sources[source]:
                    sources.pop(source).loaded()
                    self._reader.pause(source)
            await asyncio.sleep(time.monotonic() - busy_since)
        log.info(
            "read_lists partitions=%s records=%d took_ms=%d",
            ",".join(map(str, sorted({of.partition for of in partitions}))),
            n_records,
            (time.monotonic() - began) * 1000,
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
