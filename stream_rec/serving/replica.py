"""A replica: catalog, head and users' states, followed as a worker follows them, and ranked with, by one thread.

It is a thread of its own with an event loop of its own, because a recommender has one owner: what it ranks from changes
only between two rankings, without a lock. Lists that are only read out do not wait for it, and while it reads all that
there is, at its start, the service answers what needs no ranking.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from aiokafka import ConsumerRecord
from mode import Service
from prometheus_client import Histogram

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.events.partition import partition_of
from stream_rec.ranking.merge import SharedHead
from stream_rec.recommender import Recommender
from stream_rec.retrieval.ruled import WEEK
from stream_rec.runtime.mirror import mirror
from stream_rec.runtime.table_replica import TableReplica
from stream_rec.runtime.topic_follower import TopicFollower
from stream_rec.serving.on_the_spot import NotReady
from stream_rec.serving.ranker import NOBODY, Ranker
from stream_rec.serving.wanted import Wanted
from stream_rec.stages import warm_up
from stream_rec.stages.catalog_feed import catalog_feed
from stream_rec.stages.factor_exchange import HeardShifts, is_shift
from stream_rec.stages.head_exchange import HeardHeads
from stream_rec.stages.worker import open_query_encoder
from stream_rec.user import state as user_state
from stream_rec.user.state import UserState

log = logging.getLogger(__name__)

T = TypeVar("T")

TABLE = "user-state"
FOLLOWED = ("items", "item-embeddings", "item-knowledge", "head-weights", "rules")
"""Topics that are read, besides the changelog of users' states."""
PAUSE_S = 1.0
"""Between the end of one try and the next."""
MOST_WAITING = 64
"""Rankings that wait at once, some 0.2 s: one more is refused, for it would be answered too late."""
WARM_UP_S, WARM_STEP_S = 3.0, 0.01
"""How long text neighbours are searched for before it is ready, and then between two looks at what workers learned."""
CLOSE_S = 10.0
_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
RANKING_S = Histogram("stream_rec_ranking_seconds", "Time that a ranking took", ["what"], buckets=_BUCKETS)
WAITING_S = Histogram("stream_rec_ranking_wait_seconds", "Time that a ranking waited for others", buckets=_BUCKETS)


class Replica:
    """What is ranked from, and the thread that does it."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        """Say what from; ``start`` begins to read.

        Args:
            directory: This process's own.
        """
        self._settings = settings
        self._directory = directory
        self._topic_ids: Mapping[str, str] = {}
        self._ranker: Ranker | None = None
        self._say: Callable[[], str] = lambda: "ranking on the spot begins"
        self._n_waiting = 0
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._living: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="replica", daemon=True)

    def start(self, topic_ids: Mapping[str, str]) -> None:
        """Begin to read.

        Args:
            topic_ids: By topic, the id that the cluster gave it; those that a mirror on the disk belongs to.
        """
        self._topic_ids = topic_ids
        if not self._is_closed:
            self._thread.start()

    @property
    def reads(self) -> list[str]:
        """Topics that are read, without prefix."""
        return [*FOLLOWED, changelog_of(self._settings)]

    def find_why_not_ready(self) -> str:
        """Return in words why nothing can be ranked, and how far it is; "" when it can."""
        return "" if self._ranker is not None else self._say()

    async def ask(self, what: str, work: Callable[[Ranker], T]) -> T:
        """Return what ``work`` makes of the ranker; called in any event loop.

        Args:
            what: Its kind, for metrics.

        Raises:
            NotReady: not all is read, or too many wait.
        """
        if not self._thread.is_alive():
            raise NotReady(self._say())
        if self._n_waiting >= MOST_WAITING:
            raise NotReady(f"{self._n_waiting} rankings wait already")
        done: Future[T] = Future()
        self._n_waiting += 1
        try:
            self._loop.call_soon_threadsafe(self._work, what, work, done, time.perf_counter())
            return await asyncio.wrap_future(done)
        finally:
            self._n_waiting -= 1

    def close(self) -> None:
        """Stop reading, and write what is to be kept for the next start."""
        self._is_closed = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(lambda: self._living and self._living.cancel())
            self._thread.join(CLOSE_S)

    def _work(self, what: str, work: Callable[[Ranker], T], done: Future[T], asked_s: float) -> None:
        if not done.set_running_or_notify_cancel():  # who asked is gone
            return
        began = time.perf_counter()
        WAITING_S.observe(began - asked_s)
        try:
            if self._ranker is None:
                raise NotReady(self._say())
            done.set_result(work(self._ranker))
        except BaseException as error:
            done.set_exception(error)
        RANKING_S.labels(what).observe(time.perf_counter() - began)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._living = self._loop.create_task(self._live())
        try:
            self._loop.run_until_complete(self._living)
        except asyncio.CancelledError:
            log.info("replica_closed")

    async def _live(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception as error:
                log.warning("replica_begins_anew why=%s: %s", type(error).__name__, str(error)[:300])
                said = f"ranking on the spot begins anew: {error}"
                self._say = lambda said=said: said  # type: ignore[misc]  # mypy infers no default arguments
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        """Read all there is, be ready, and follow until something fails."""
        settings = self._settings
        self._say = lambda: "ranking on the spot begins: compiling, half a minute at a first start"
        await asyncio.sleep(0)
        warm_up.compile_kernels()
        catalog = Catalog(settings.catalog.modalities)
        head = SharedHead.cold(settings.head, settings.ranking.seed)
        feed = self._feed(catalog, head)
        users = TableReplica(TABLE, settings.worker.app_id, self._directory, settings.kafka)
        async with AsyncExitStack() as stack:
            for service, say in ((feed, lambda: _say_catalog(feed)), (users, lambda: _say_users(users))):
                self._say = say
                stack.push_async_callback(service.stop)
                await service.start()
            head.merge()
            encode_query = open_query_encoder(settings)
            recommender = Recommender(catalog, head, settings.ranking, settings.head, encode_query, settings.ratings)
            ranker = Ranker(recommender, partial(_state_of, users), settings.ranking, settings.user.context_keys)
            ranker.recommend(NOBODY, Wanted(1), generated_at_ms=0)  # what is worked out once only, is by now
            neighbours = find_neighbours(catalog)
            n_warm = _advance(neighbours, WARM_UP_S)
            log.info("replica_ready items=%d warm=%d choices=%d", catalog.n_listed, n_warm, head.head.n_choices)
            self._ranker = ranker
            stack.callback(self._close_ranker)
            while True:
                await asyncio.sleep(settings.worker.head_interval_s)
                head.merge()
                _advance(neighbours, WARM_STEP_S)
                _raise_if_crashed(feed, users)

    def _close_ranker(self) -> None:
        self._ranker = None
        self._say = lambda: "ranking on the spot has ended"

    def _feed(self, catalog: Catalog, head: SharedHead) -> TopicFollower:
        heads, shifts = HeardHeads(head, None), HeardShifts(catalog, self._settings.limits, None)

        def take_learned(record: ConsumerRecord) -> None:
            (shifts if is_shift(record) else heads).take(record)

        return catalog_feed(catalog, take_learned, self._settings, partial(mirror, self._directory, self._topic_ids))


def find_neighbours(catalog: Catalog) -> Iterator[None]:
    """Find items' text neighbours, one item a step, the most popular first; else the first list to need them waits.

    Of 100,000 items each takes 10 ms, of 4,000 half of one.
    """
    for row in np.argsort(-catalog.knowledge.levels[: len(catalog), WEEK], kind="stable"):
        for similar in catalog.spaces.similar():
            similar.of(int(row))
        yield


def _advance(steps: Iterator[None], seconds: float) -> int:
    """Take steps until the time is over or all are taken; return how many those were."""
    ends, n_steps = time.monotonic() + seconds, 0
    while time.monotonic() < ends and next(steps, _ALL_TAKEN) is not _ALL_TAKEN:
        n_steps += 1
    return n_steps


_ALL_TAKEN = object()


def changelog_of(settings: Settings) -> str:
    """Return the topic of users' states, without prefix."""
    return f"{settings.worker.app_id}-{TABLE}-changelog"


def _state_of(users: TableReplica, user_id: str) -> UserState:
    """Return a user's state.

    Raises:
        StateVersionError: a newer program wrote it: update this one.
    """
    key = user_id.encode()
    stored = users.read(partition_of(key, users.n_partitions), key)
    return user_state.COLD if stored is None else user_state.decode(stored)


def _say_catalog(feed: TopicFollower) -> str:
    left = "" if feed.n_open is None else f": {feed.n_open} offsets to go, {feed.n_records} records read"
    return f"ranking on the spot begins: reading the catalog{left}"


def _say_users(users: TableReplica) -> str:
    return f"ranking on the spot begins: reading users' states: {users.n_open} offsets to go"


def _raise_if_crashed(*services: Service) -> None:
    for service in services:
        if service.crashed:
            raise service.crash_reason or RuntimeError(f"{service.label} has ended")
