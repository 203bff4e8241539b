"""The embedder: item records in, embeddings out. Its own app and process; lists keep flowing without it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack

import faust
from aiokafka import AIOKafkaProducer, ConsumerRecord
from faust.types import TP
from mode import Service

from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.embedding.encoder import Encoder, build, join_identities
from stream_rec.embedding.item_embedding import ItemEmbedding, MalformedEmbedding
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.errors import StateVersionError
from stream_rec.events.partition import Place, partition_of
from stream_rec.runtime import process
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect
from stream_rec.runtime.clients import new_app, raw_topic
from stream_rec.runtime.instance import held_directory
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.mirror import mirror
from stream_rec.runtime.readiness import Readiness
from stream_rec.runtime.topic_follower import TopicFollower
from stream_rec.stages.reject import reject
from stream_rec.stages.reporter import ReporterService
from stream_rec.stages.required_topics import require_topics
from stream_rec.stages.status import EmbedderStatus
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.reporter import is_watched, open_probes

log = logging.getLogger(__name__)

BATCH_ITEMS = 512
BATCH_WAIT_S = 0.02
MOST_SHARED = 64
"""Of lists of identities, each kept once."""


class Known(dict[str, tuple[tuple[str, ...], bytes]]):
    """Identities of the encoders and content hash of each item's embedding, as read from ``item-embeddings``.

    An encoder that failed for the text is "", so that it is tried again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._identities: dict[tuple[str, ...], tuple[str, ...]] = {}

    def put(self, item_id: str, embedding: ItemEmbedding) -> None:
        """Keep what is needed of an embedding: 130 bytes, as all items share the identities."""
        if len(self._identities) > MOST_SHARED:
            self._identities.clear()
        identities = embedding.identities
        self[item_id] = self._identities.setdefault(identities, identities), embedding.content_hash

    def find_outdated(self, identities: tuple[str, ...], n_partitions: int) -> set[int]:
        """Return the partitions of ``items`` that hold an item with an embedding of other encoders than these."""
        partitions: set[int] = set()
        for item_id, (made_by, _) in self.items():
            if made_by != identities:
                partitions.add(partition_of(item_id.encode(), n_partitions))
                if len(partitions) == n_partitions:
                    break
        return partitions

    def take(self, record: ConsumerRecord) -> None:
        """Take one record."""
        item_id = (record.key or b"").decode(errors="replace")
        try:
            embedding = item_embedding.decode(record.value) if record.value is not None else None
        except (MalformedEmbedding, StateVersionError):
            embedding = None  # to be made anew
        if embedding is None:
            self.pop(item_id, None)
        else:
            self.put(item_id, embedding)


class EmbeddingStage:
    """What one embedder does with the items of its partitions."""

    def __init__(
        self,
        app: faust.App,
        producer: AIOKafkaProducer,
        encoders: Sequence[Encoder],
        known: Known,
        settings: Settings,
        counts: Counts,
    ) -> None:
        self._encoders = encoders
        self._known = known
        self._settings = settings
        self._counts = counts

        @app.agent(raw_topic(app, settings.kafka.topic("items")), name="embedding-stage")
        async def embedding_stage(stream: faust.StreamT[bytes]) -> None:
            async for batch in exactly_once_effect(stream, producer, max_records=BATCH_ITEMS, wait_s=BATCH_WAIT_S):
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: encode what is new, in a thread, so that the group's business goes on; commit."""
        began = time.monotonic()
        n_partitions = self._settings.kafka.partitions
        records = [ItemRecord(m.key, m.value, Place(m.partition, n_partitions)) for m in batch.messages]
        result = await asyncio.get_running_loop().run_in_executor(
            None, embed, records, self._known, self._encoders, self._settings.limits
        )
        kafka = self._settings.kafka
        topic = kafka.topic("item-embeddings")
        sends = [
            Send(topic, item_id.encode(), item_embedding.encode(embedding)) for item_id, embedding in result.embeddings
        ]
        sends += [Send(topic, item_id.encode(), None) for item_id in result.tombstones]
        sends += [
            reject(batch.messages[index], rejection, kafka, self._counts) for index, rejection in result.rejections
        ]
        await batch.commit(sends=sends)
        self._counts.embedded_items += len(result.embeddings)
        for item_id, embedding in result.embeddings:
            self._known.put(item_id, embedding)
        for item_id in result.tombstones:
            self._known.pop(item_id, None)
        log.info(
            "embedded items=%d tokens=%d known=%d deleted=%d without_text=%d rejected=%d took_ms=%d encoder=%s",
            len(result.embeddings),
            result.n_tokens,
            result.n_skipped,
            result.n_deleted,
            len(result.without_text),
            len(result.rejections),
            (time.monotonic() - began) * 1000,
            join_identities(self._encoders),
        )


def group_of(encoders: Sequence[Encoder]) -> str:
    """Return the consumer group of encoders: others are another group, which reads all items again."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", "+".join(encoder.name for encoder in encoders))[:64]
    return f"embedder-{readable}-{hashlib.blake2b(join_identities(encoders).encode(), digest_size=4).hexdigest()}"


def run(settings: Settings) -> None:
    """Run one embedder until it is told to stop; ends with ``SystemExit``.

    Raises:
        StreamRecError: something that it needs is missing, taken or different; nothing was started.
    """
    lease, readiness, counts = Lease(settings.worker.session_timeout_s), Readiness(), Counts()
    status = EmbedderStatus(lease, readiness, counts, settings)
    with ExitStack() as stack:
        probes = stack.enter_context(open_probes(status, settings.telemetry))
        topic_ids = require_topics(settings)
        directory = stack.enter_context(held_directory(settings.embedder.data_dir, settings.embedder.instance_id))
        readiness.say("loads its encoders")
        encoders = build(settings.embedder)
        for encoder in encoders:
            log.info("encoder=%s dimensions=%d device=%s", encoder.identity, encoder.dimensions, encoder.device)
        readiness.say("takes over its partitions")
        known = Known()
        identities = tuple(encoder.identity for encoder in encoders)

        def begins_anew(assigned: set[TP]) -> set[TP]:
            """Encoders that embedded before, then others, then these again: their group has read the items."""
            outdated = known.find_outdated(identities, settings.kafka.partitions)
            again = {tp for tp in assigned if tp.partition in outdated}
            if again:
                log.info("outdated_embeddings partitions=%s", sorted(tp.partition for tp in again))
            return again

        app = new_app(
            group_of(encoders),
            settings.kafka,
            instance_id=settings.embedder.instance_id,
            lease=lease,
            session_timeout_s=settings.worker.session_timeout_s,
            commit_interval_s=settings.worker.commit_interval_s,
            begins_anew=begins_anew,
        )

        def services(producer: AIOKafkaProducer) -> list[Service]:
            EmbeddingStage(app, producer, encoders, known, settings, counts)
            topics = [settings.kafka.topic("item-embeddings")]
            reporter = [ReporterService(status, probes, settings)] if is_watched(settings.telemetry) else []
            return [*reporter, TopicFollower(settings.kafka, topics, known.take, mirror(directory, topic_ids, topics))]

        status.watch(app)
        status.watch_items(encoders, known)
        process.run(
            app,
            lease,
            settings.kafka,
            directory,
            services,
            ready_timeout_s=settings.worker.ready_timeout_s,
            readiness=readiness,
        )
