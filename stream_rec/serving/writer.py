"""What the service writes: records that the broker has acknowledged when a call returns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

from stream_rec.errors import BrokerUnavailable, TopicMismatch
from stream_rec.events.over_http import Position
from stream_rec.events.partition import partition_of
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.sessions import AiokafkaTokens, stay_logged_in

WRITTEN = (*SOURCE_OF_TOPIC, "forget", "items", "rules")
"""Topics that the service writes to."""


class Record(NamedTuple):
    """A record for one of our topics, named without prefix."""

    topic: str
    key: bytes
    value: bytes | None


class Writer:
    """A producer of the service's own event loop."""

    def __init__(
        self, kafka: KafkaSettings, ack_timeout_s: float, *, record_bytes: int, topics: Sequence[str] = WRITTEN
    ) -> None:
        """Say where to; ``start`` connects. ``record_bytes``: of the largest value that is written."""
        self._topics = topics
        self._kafka = kafka
        self._record_bytes = record_bytes
        self._timeout_s = ack_timeout_s
        self._producer: aiokafka.AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: no broker answered.
            TopicMismatch: a topic has another number of partitions than the settings say: records would go astray.
        """
        # Not idempotent: that would try a batch again for ever, and write it long after its request was answered 503.
        # A record that is written twice does no harm: events have ids, and of an item, a rule or a profile the newest
        # counts.
        producer = aiokafka.AIOKafkaProducer(
            **self._kafka.client_options(AiokafkaTokens),
            acks="all",
            enable_idempotence=False,
            linger_ms=0,
            request_timeout_ms=int(self._timeout_s * 1000),
            max_request_size=max(1 << 20, 2 * self._record_bytes),
        )
        stay_logged_in(producer.client)
        try:
            await producer.start()
            for name in self._topics:
                n_partitions = len(await producer.partitions_for(self._kafka.topic(name)))
                if n_partitions != self._kafka.partitions:
                    raise TopicMismatch(
                        f"{self._kafka.topic(name)} has {n_partitions} partitions, kafka.partitions says "
                        f"{self._kafka.partitions}: see `stream-rec topics check`"
                    )
        except BaseException as error:
            await producer.stop()
            if isinstance(error, KafkaError):
                raise BrokerUnavailable(f"{self._kafka.bootstrap} does not answer: {error}") from error
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Send what is left, as far as the broker takes it in time, and disconnect."""
        if self._producer is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    await self._producer.stop()

    async def write(self, records: Sequence[Record]) -> list[Position]:
        """Return where all records stand, once the broker has them. Those of one key arrive in their order.

        Raises:
            BrokerUnavailable: it did not say so in time, and some may be there all the same; or none was reached yet.
        """
        if self._producer is None:
            raise BrokerUnavailable("no broker has been reached yet: send it again")
        try:
            async with asyncio.timeout(self._timeout_s):
                sent = [
                    await self._producer.send(
                        self._kafka.topic(topic),
                        key=key,
                        value=value,
                        partition=partition_of(key, self._kafka.partitions),
                    )
                    for topic, key, value in records
                ]
                written = await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                raise BrokerUnavailable(f"the broker refuses that: {type(error).__name__}: {error}") from error
            raise BrokerUnavailable(
                f"the broker has not acknowledged {len(records)} records within {self._timeout_s:g} s "
                f"({type(error).__name__}): send them again, with the same ids"
            ) from error
        return [Position(topic, there.partition, there.offset) for (topic, _, _), there in zip(records, written)]
