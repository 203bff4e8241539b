"""Erasure requests, carried out: the user's state, lists and traces with items go, a receipt comes.

In this order, each step acknowledged before the next, so that after a crash the request is carried out again as it was:
what takes the user out of items' recent visits, and the tombstones of list, surfaces and profile; the tombstone of the
state, with the marker of ``user/forgotten.py`` in its place; those of the archive of what came from the user; the
receipt. Markers that have done their work are dropped with some later batch.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

import faust
import msgspec
from faust.types import TP, Message

from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.receipt import Receipt
from stream_rec.events.source import SOURCE_OF_TOPIC, TOPIC_OF_SOURCE, Source
from stream_rec.events.validate import Rejection
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.visits import visitor_of
from stream_rec.runtime.batch import Batch, Send
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.consumer import consumer_of
from stream_rec.stages.reject import reject
from stream_rec.stages.signal_routing import signal_messages
from stream_rec.telemetry.counts import Counts
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from stream_rec.user.forgotten import Forgotten


class ErasureRequest(NamedTuple):
    """One user who wants to be forgotten."""

    partition: int
    key: bytes
    request_id: str
    marker: Forgotten


class Markers:
    """The markers of some partitions, as of one batch."""

    def __init__(self, batch: Batch, partitions: Iterable[int]) -> None:
        self._markers = {
            (partition, key): forgotten.decode(value)
            for partition in partitions
            for key, value in batch.scan(partition, forgotten.PREFIX)
        }

    def has(self, source: int, message: Message) -> bool:
        """Return whether an event belongs to a generation that was forgotten."""
        if not self._markers:
            return False
        marker = self._markers.get((message.partition, forgotten.key_of(message.key or b"")))
        return marker is not None and marker.has(source, message.offset)

    def over(self, read: Callable[[int], Mapping[int, int]], requests_read: Callable[[int], int]) -> list[State]:
        """Return the deletion of the markers that have done their work.

        Args:
            read: By partition, as of ``Forgotten.is_over``.
            requests_read: By partition, the offset up to which no request will be read again.
        """
        return [
            State(partition, key, None)
            for (partition, key), marker in self._markers.items()
            if marker.offset <= requests_read(partition) and marker.is_over(read(partition))
        ]


class Erasure:
    """What the user stage does about requests."""

    def __init__(
        self,
        app: faust.App,
        offsets_after: Callable[[int, int], Awaitable[Mapping[str, int]]],
        settings: Settings,
        counts: Counts,
    ) -> None:
        """Describe where things stand.

        Args:
            offsets_after: From a partition and a time to the first offset of each topic of events after it.
        """
        self._app = app
        self._offsets_after = offsets_after
        self._settings = settings
        self._counts = counts
        self.topic = settings.kafka.topic("forget")

    async def requests(self, batch: Batch) -> tuple[list[ErasureRequest], list[Send]]:
        """Return the requests in a batch, and the rejections of what should have been one."""
        requests: list[ErasureRequest] = []
        rejections: list[Send] = []
        for message in batch.messages:
            if message.topic != self.topic:
                continue
            place = Place(message.partition, self._settings.kafka.partitions)
            request = validate.forget(message.key, message.value, limits=self._settings.limits, place=place)
            if isinstance(request, Rejection):
                rejections.append(reject(message, request, self._settings.kafka, self._counts))
                continue
            begins = await self._offsets_after(message.partition, round(message.timestamp * 1000))
            marker = Forgotten(
                forgotten.VERSION, message.offset, {int(SOURCE_OF_TOPIC[topic]): at for topic, at in begins.items()}
            )
            requests.append(
                ErasureRequest(
                    message.partition,
                    request.user_id.encode(),
                    request.request_id or f"{message.partition}/{message.offset}",
                    marker,
                )
            )
        return requests, rejections

    def committed(self, partition: int) -> dict[int, int]:
        """Return, by ``Source``, the offset up to which nothing is read again, even after a crash."""
        return {int(source): self._committed(topic, partition) for source, topic in TOPIC_OF_SOURCE.items()}

    def requests_committed(self, partition: int) -> int:
        """Return the offset up to which no request is read again."""
        return self._committed("forget", partition)

    def _committed(self, topic: str, partition: int) -> int:
        return consumer_of(self._app).committed_up_to(TP(self._settings.kafka.topic(topic), partition))

    async def carry_out(self, batch: Batch, request: ErasureRequest) -> bool:
        """Forget one user, and say so; return False where that was done before a crash already."""
        partition, key = request.partition, request.key
        stored, marked = batch.read(partition, key), batch.read(partition, forgotten.key_of(key))
        is_done = marked is not None and forgotten.decode(marked).offset >= request.marker.offset
        state = user_state.decode(stored) if stored is not None and not is_done else user_state.COLD
        item_ids = sorted(forgotten.items_of(state))
        if not is_done:
            kafka = self._settings.kafka
            erasing = [
                Signal(
                    item_id=item_id,
                    kind=Source.VIEW,
                    partition=partition,
                    offset=request.marker.offset,
                    visitor=visitor_of(key.decode()),
                    erases=True,
                )
                for item_id in item_ids
            ]
            topics = ("recommendations", "surfaces", Source.PROFILE.topic)
            tombstones = [Send(kafka.topic(topic), key, None) for topic in topics]
            await batch.commit(sends=[*signal_messages(erasing, kafka), *tombstones])
            marker = State(partition, forgotten.key_of(key), forgotten.encode(request.marker))
            await batch.commit(states=[State(partition, key, None), marker])
        # What a state that is still there has archived is of a new generation; a crash may have left what is behind it.
        alive = user_state.decode(stored) if stored is not None and is_done else user_state.COLD
        chunks = [chunk_key for chunk_key, _ in batch.scan(partition, seen.prefix_of(key))]
        first = seen.n_chunks(alive.n_archived)
        await batch.commit(states=[State(partition, k, None) for k in chunks if seen.number_of(k) >= first])
        batch.purge(partition)  # again too, when it is carried out again: there was a crash
        receipt = Receipt(
            request.request_id,
            time.time_ns() // 1_000_000,
            n_events=sum(state.counts),
            n_items=len(item_ids),
        )
        topic = self._settings.kafka.topic("receipts")
        await batch.commit(sends=[Send(topic, request.request_id.encode(), msgspec.json.encode(receipt))])
        return not is_done
