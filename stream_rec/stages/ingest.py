"""The ingest process: from topics that a shop has already to those of the pipeline.

It repartitions besides: whatever key a record has, and however many partitions its topic, what is made of it is keyed
by its user and stands where the user's state is. What a crash lets it send again counts once: each event has the id
that its app gave it, or one of where its record stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import faust
from aiokafka import AIOKafkaProducer
from faust.types import Message
from mode import Service

from stream_rec.config import Settings
from stream_rec.errors import RegistryRefused, RegistryUnavailable, SettingsError
from stream_rec.events.validate import Rejection
from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import Decoder, read_content
from stream_rec.ingest.mapping import Mapped, Mapper
from stream_rec.ingest.schemas import open_decoder
from stream_rec.runtime import process
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect, headers_of
from stream_rec.runtime.clients import new_app, raw_topic
from stream_rec.runtime.instance import held_directory
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.readiness import Readiness
from stream_rec.stages.reject import reject
from stream_rec.stages.reporter import ReporterService
from stream_rec.stages.required_topics import require_topics
from stream_rec.stages.status import IngestStatus
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.reporter import is_watched, open_probes
from stream_rec.telemetry.traces import TRACEPARENT
from stream_rec.topics.admin import require_foreign

log = logging.getLogger(__name__)

BATCH_WAIT_S = 0.005
REGISTRY_PAUSE_S = 1.0
LOG_APPEND_TIME = 1
SUMMARY_INTERVAL_S = 10.0
NONE_ADOPTED = (
    "[ingest.topics] names no topic: `stream-rec topics adopt` proposes some; see docs/guides/existing-topics.md"
)


class Reading(NamedTuple):
    """How the records of one topic are read."""

    decoder: Decoder
    mapper: Mapper


class IngestStage:
    """What one ingest process does with the records of its partitions."""

    def __init__(
        self,
        app: faust.App,
        producer: AIOKafkaProducer,
        readings: Mapping[str, Reading],
        settings: Settings,
        counts: Counts,
    ) -> None:
        self._readings = readings
        self._settings = settings
        self._counts = counts
        self._summary: Counter[str] = Counter()
        self._since = time.monotonic()

        @app.agent(raw_topic(app, *readings), name="ingest-stage")
        async def ingest_stage(stream: faust.StreamT[bytes]) -> None:
            most = settings.ingest.batch_records
            async for batch in exactly_once_effect(stream, producer, max_records=most, wait_s=BATCH_WAIT_S):
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: read it in a thread, for a registry may be asked; send what it is; commit.

        Raises:
            RegistryRefused: the schema registry lets nobody in: nothing of the batch is kept.
        """
        mapped = await self._read_patiently(batch.messages)
        kafka = self._settings.kafka
        sends: list[Send] = []
        for message, each in zip(batch.messages, mapped):
            headers = _trace_headers(message)
            for made in each.made:
                sends.append(Send(kafka.topic(made.topic), made.key, made.value, headers=headers))
                self._counts.ingested[made.topic] += 1
            if each.rejection is not None:
                sends.append(reject(message, each.rejection, kafka, self._counts))
            elif not each.made:
                self._counts.ignored += 1
        await batch.commit(sends=sends)
        self._sum_up(batch.messages, mapped)

    async def _read_patiently(self, messages: Sequence[Message]) -> list[Mapped]:
        """Return what records are, once their schemas can be had."""
        is_said = False
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(None, self._read, messages)
            except RegistryRefused:
                raise
            except RegistryUnavailable as error:
                if not is_said:
                    log.warning("waits_for_registry why=%s", error)
                    is_said = True
            await asyncio.sleep(REGISTRY_PAUSE_S)

    def _read(self, messages: Sequence[Message]) -> list[Mapped]:
        now_ms = time.time_ns() // 1_000_000
        return [self._read_one(message, now_ms) for message in messages]

    def _read_one(self, message: Message, now_ms: int) -> Mapped:
        reading = self._readings[message.topic]
        timestamp_ms = round(message.timestamp * 1000)
        record = ForeignRecord(
            message.topic,
            message.partition,
            message.offset,
            timestamp_ms,
            message.key,
            message.value,
            {name: value for name, value in headers_of(message) if value is not None},
        )
        content = read_content(record, reading.decoder, self._settings.limits)
        if isinstance(content, Rejection):
            return Mapped(rejection=content)
        came_ms = timestamp_ms if message.timestamp_type == LOG_APPEND_TIME else now_ms
        return reading.mapper.map(record, content, came_ms)

    def _sum_up(self, messages: Sequence[Message], mapped: Sequence[Mapped]) -> None:
        """Log now and then what was done."""
        self._summary.update(
            records=len(messages),
            made=sum(len(each.made) for each in mapped),
            rejected=sum(each.rejection is not None for each in mapped),
            ignored=sum(not each.made and each.rejection is None for each in mapped),
        )
        if time.monotonic() - self._since > SUMMARY_INTERVAL_S:
            log.info("ingested %s", " ".join(f"{name}={n}" for name, n in self._summary.items()))
            self._summary.clear()
            self._since = time.monotonic()


def open_readings(settings: Settings) -> dict[str, Reading]:
    """Return how each adopted topic is read, by its name on the brokers.

    Raises:
        SettingsError: none is adopted, or one is of ours.
    """
    adopted = settings.ingest.adopted
    if not adopted:
        raise SettingsError(NONE_ADOPTED)
    return {
        name: Reading(open_decoder(topic, settings.registry), Mapper(topic, settings.limits))
        for name, topic in adopted.items()
    }


def run(settings: Settings) -> None:
    """Run one ingest process until it is told to stop; ends with ``SystemExit``.

    Raises:
        StreamRecError: something that it needs is missing, taken or different; nothing was started.
    """
    lease, readiness, counts = Lease(settings.worker.session_timeout_s), Readiness(), Counts()
    status = IngestStatus(lease, readiness, counts, settings)
    readings = open_readings(settings)
    with ExitStack() as stack:
        probes = stack.enter_context(open_probes(status, settings.telemetry))
        require_topics(settings)
        require_foreign(settings, list(readings))
        directory = stack.enter_context(held_directory(settings.ingest.data_dir, settings.ingest.instance_id))
        readiness.say("takes over its partitions")
        app = new_app(
            settings.ingest.group,
            settings.kafka,
            instance_id=settings.ingest.instance_id,
            lease=lease,
            session_timeout_s=settings.worker.session_timeout_s,
            commit_interval_s=settings.worker.commit_interval_s,
        )

        def services(producer: AIOKafkaProducer) -> list[Service]:
            IngestStage(app, producer, readings, settings, counts)
            return [ReporterService(status, probes, settings)] if is_watched(settings.telemetry) else []

        status.watch(app)
        process.run(
            app,
            lease,
            settings.kafka,
            directory,
            services,
            ready_timeout_s=settings.worker.ready_timeout_s,
            readiness=readiness,
        )


def _trace_headers(message: Message) -> list[tuple[str, bytes]] | None:
    """Return what of a record's headers goes on: the trace that it is a part of."""
    found = [(name, value) for name, value in headers_of(message) if name == TRACEPARENT and value is not None]
    return found or None
