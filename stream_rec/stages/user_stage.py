"""The user stage: events in; facts, signals and lists out, and a head that has learned from them."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import faust
from aiokafka import AIOKafkaProducer
from faust.types import TP, Message

from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.source import SOURCE_OF_TOPIC, Source, UserEvent
from stream_rec.events.validate import Rejection
from stream_rec.recommender import Recommender
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect, headers_of
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.clients import raw_topic
from stream_rec.runtime.consumer import consumer_of
from stream_rec.runtime.table import Table
from stream_rec.stages.erasure import Erasure, Markers
from stream_rec.stages.live_judge import LiveJudge
from stream_rec.stages.published import LISTS, Published, PublishedList
from stream_rec.stages.reject import reject
from stream_rec.stages.signal_routing import signal_messages
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.traces import TRACEPARENT, Trace, Traces
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.impressions import put_features
from stream_rec.user.seen import Chunk

log = logging.getLogger(__name__)

SUMMARY_INTERVAL_S = 10.0


class UserStage:
    """What one worker does with the events of its users."""

    def __init__(
        self,
        app: faust.App,
        producer: AIOKafkaProducer,
        table: Table,
        erasure: Erasure,
        published: Published,
        recommender: Recommender,
        pushed: PushedSurfaces,
        settings: Settings,
        counts: Counts,
        judge: LiveJudge,
        traces: Traces | None = None,
    ) -> None:
        kafka = settings.kafka
        self._app = app
        self._erasure = erasure
        self._published = published
        self._recommender = recommender
        self._pushed = pushed
        self._settings = settings
        self._counts = counts
        self._judge = judge
        self._traces = traces
        self._source_of = {kafka.topic(topic): source for topic, source in SOURCE_OF_TOPIC.items()}
        self._sent_up_to: dict[TP, int] = {}
        self._summary = Summary(lambda: consumer_of(app).open_records())

        @app.agent(raw_topic(app, *self._source_of, erasure.topic), name="user-stage")
        async def user_stage(stream: faust.StreamT[bytes]) -> None:
            worker = settings.worker
            async for batch in exactly_once_effect(
                stream, producer, table=table, max_records=worker.batch_events, wait_s=worker.batch_wait_s
            ):
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: the events of before an erasure request, the requests, the events of new generations."""
        await self._published.begin(message.key for message in batch.messages)
        requests, rejections = await self._erasure.requests(batch)
        markers = {(request.partition, request.key): request.marker for request in requests}
        early: list[Message] = []
        late: list[Message] = []
        for message in batch.messages:
            if (source := self._source_of.get(message.topic)) is not None:
                marker = markers.get((message.partition, message.key or b""))
                (late if marker is not None and not marker.has(source, message.offset) else early).append(message)
        await self._take(batch, early, rejections)
        for request in requests:
            if await self._erasure.carry_out(batch, request):
                self._published.forget(request.partition, request.key)
        if late:
            await self._take(batch, late, [])
        self._published.end()
        self._counts.took(self._summary.took(batch.messages))
        self._counts.forgotten += len(requests)
        self._summary.count(forgotten=len(requests))
        for message in batch.messages:
            self._sent_up_to[TP(message.topic, message.partition)] = message.offset

    async def _take(self, batch: Batch, messages: list[Message], sends: list[Send]) -> None:
        """Take events: validate, and for each user teach the head, fold and recommend; commit, and ``sends`` too."""
        arrivals: dict[tuple[int, bytes], list[Arrival]] = defaultdict(list)
        traced: dict[bytes, list[Trace]] = {}
        sends = list(sends)
        markers = Markers(batch, {message.partition for message in messages})
        for message in messages:
            source = self._source_of[message.topic]
            trace = self._begin_trace(source, message)
            event = self._validated(source, message)
            if trace is not None:
                trace.step("validate")
            if isinstance(event, Rejection):
                if trace is not None:
                    trace.end(rejected=event.reason)
                sends.append(reject(message, event, self._settings.kafka, self._counts))
            elif not markers.has(source, message):
                arrival = Arrival(event, source, message.partition, message.offset, _received_ms(message))
                arrivals[message.partition, event.user_id.encode()].append(arrival)
                if trace is not None:
                    traced.setdefault(event.user_id.encode(), []).append(trace)
        recommender = self._recommender
        n_choices = recommender.head.n_choices
        rejected = len(sends)
        every = math.ceil(len(messages) / self._settings.worker.learn_events)
        world = recommender.catalog.world()
        states, taught = markers.over(self._erasure.committed, self._erasure.requests_committed), []
        lists: list[tuple[int, PublishedList]] = []
        beside: list[tuple[int, PublishedList]] = []
        n_duplicates = 0
        for number, ((partition, key), arrived) in enumerate(arrivals.items()):
            traces = traced.get(key, ())
            for trace in traces:
                trace.resume()
            stored = batch.read(partition, key)
            before = user_state.decode(stored) if stored is not None else user_state.COLD
            archive = partial(_chunk, batch, partition, key)
            settings, acknowledged = self._settings, self._acknowledged(partition)
            after = advance(before, arrived, settings.user, acknowledged, archive, settings.ratings)
            if after.state == user_state.COLD:  # a profile was taken back that nobody had, as after an erasure
                continue
            for trace in traces:
                trace.step("advance")
            last = arrived[-1]
            user_id = last.event.user_id
            is_turn = number % every == 0  # by place in the batch: over time each user's turn comes
            user = after.state
            if after.showing is not None and is_turn:  # before anybody learns what was chosen of it
                features = recommender.read_features(user_id, after.showing)
                user = put_features(user, {after.showing.impression.event_id: features})
            if after.training_events and is_turn:
                chosen, contexts = after.training_events, after.choosing_contexts
                now_ms = chosen[0].event.timestamp_ms
                ranked = recommender.rank(user_id, after.choosing, now_ms=now_ms, contexts=contexts)
                self._judge.judge(ranked, chosen, recommender.catalog)
                if recommender.learn_from(ranked, chosen):
                    self._counts.drifted(time.time_ns() // 1_000_000)
                    log.info("decayed_head choices=%d", recommender.head.n_choices)
            states += [State(partition, seen.key_of(key, n), seen.encode(chunk)) for n, chunk in after.chunks.items()]
            if is_turn:
                for outcome in after.outcomes:
                    recommender.learn_outcome(outcome)
            if after.training_events and is_turn:
                for trace in traces:
                    trace.step("learn")
            if after.is_changed:  # behind its chunks: see seen.py
                states.append(State(partition, key, user_state.encode(user)))
            n_duplicates += after.n_duplicates
            taught += after.signals
            now_ms = time.time_ns() // 1_000_000
            as_of = last.as_of(user)
            made = recommender.recommend(user_id, user, as_of, generated_at_ms=now_ms)
            lists.append((partition, PublishedList.of(key, made, world, recommender.catalog)))
            if self._pushed:
                surfaces = self._pushed.make(user_id, user, as_of, generated_at_ms=now_ms)
                of_surfaces = PublishedList.of(key, surfaces, self._pushed.world(world), recommender.catalog)
                beside.append((partition, of_surfaces))
            for trace in traces:
                trace.step("recommend")
        learned = recommender.head.n_choices - n_choices
        counts = self._counts
        counts.lists += len(lists)
        counts.surfaces += len(beside)
        counts.duplicates += n_duplicates
        counts.learned += learned
        self._summary.count(
            events=len(messages),
            lists=len(lists),
            surfaces=len(beside),
            rejected=rejected,
            duplicates=n_duplicates,
            learned=learned,
        )
        sends += signal_messages(taught, self._settings.kafka)
        sends += [self._published.send(each) for _, each in [*lists, *beside]]
        if traced:
            lists_topic = self._settings.kafka.topic(LISTS.topic)
            sends = [_with_trace(send, traced) if send.topic == lists_topic else send for send in sends]
        of_all = [trace for of_user in traced.values() for trace in of_user]
        for trace in of_all:
            trace.resume()
        await batch.commit(states=states, sends=sends)
        for trace in of_all:
            trace.step("commit")
            trace.end()
        for partition, published in [*lists, *beside]:
            self._published.took(partition, published)

    def _begin_trace(self, source: Source, message: Message) -> Trace | None:
        if self._traces is None:
            return None
        return self._traces.begin(
            headers_of(message),
            1000 * message.timestamp,
            topic=source.topic,
            partition=message.partition,
            offset=message.offset,
        )

    def _validated(self, source: Source, message: Message) -> UserEvent | Rejection:
        return validate.event(
            source,
            message.key,
            message.value,
            received_ms=_received_ms(message),
            limits=self._settings.limits,
            place=Place(message.partition, self._settings.kafka.partitions),
        )

    def _acknowledged(self, partition: int) -> dict[int, int]:
        """Return, by ``Source``, the offset up to which all signals of a partition are acknowledged."""
        sources = {int(source): TP(topic, partition) for topic, source in self._source_of.items()}
        committed_up_to = consumer_of(self._app).committed_up_to
        return {source: max(self._sent_up_to.get(tp, -1), committed_up_to(tp)) for source, tp in sources.items()}


def _with_trace(send: Send, traced: Mapping[bytes, Sequence[Trace]]) -> Send:
    """Return the record of a list, with the trace of the newest event that it was made on."""
    if not (traces := traced.get(send.key or b"")):
        return send
    return send._replace(headers=[*(send.headers or ()), (TRACEPARENT, traces[-1].traceparent)])


def _received_ms(message: Message) -> int:
    return round(message.timestamp * 1000)


def _chunk(batch: Batch, partition: int, key: bytes, number: int) -> Chunk | None:
    """Return a chunk of a user's archive, None where there is none."""
    stored = batch.read(partition, seen.key_of(key, number))
    return None if stored is None else seen.decode(stored)


class Summary:
    """Counts of an interval and how far behind it was, logged when it is over.

    ``age_p50_ms`` and ``age_max_ms``: from the broker's time of an event until all that it caused was acknowledged, its
    list among it, by the clocks of the two. ``open_records``: what is not finished yet, as far as the last fetches say.
    """

    def __init__(self, open_records: Callable[[], int]) -> None:
        self._open_records = open_records
        self._began = time.monotonic()
        self._counts: dict[str, int] = defaultdict(int)
        self._ages_ms: list[float] = []

    def took(self, messages: Iterable[Message]) -> list[float]:
        """Note that all that these records caused is acknowledged; return how long it took, in ms of each."""
        now_s = time.time()
        ages_ms = [max(0.0, 1000 * (now_s - message.timestamp)) for message in messages]
        self._ages_ms += ages_ms
        return ages_ms

    def count(self, **counts: int) -> None:
        """Add to the counts, and log them if the interval is over."""
        for name, count in counts.items():
            self._counts[name] += count
        elapsed = time.monotonic() - self._began
        if elapsed >= SUMMARY_INTERVAL_S:
            fields = " ".join(f"{name}={count}" for name, count in self._counts.items())
            log.info(
                "served %s interval_s=%.1f age_p50_ms=%.0f age_max_ms=%.0f open_records=%d",
                fields,
                elapsed,
                statistics.median(self._ages_ms or [0.0]),
                max(self._ages_ms, default=0.0),
                self._open_records(),
            )
            self._counts.clear()
            self._ages_ms.clear()
            self._began = time.monotonic()
