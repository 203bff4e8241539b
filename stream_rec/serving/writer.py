"""What the service writes: records that the broker has acknowledged when a call returns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

from stream_rec.errors import BrokerUnavailable
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings


class Record(NamedTuple):
    """A record for one of our topics, named without prefix."""

    topic: str
    key: bytes
    value: bytes | None


class Writer:
    """A producer of the service's own event loop."""

    def __init__(self, kafka: KafkaSettings, ack_timeout_s: float) -> None:
        """Say where to; ``start`` connects."""
        self._kafka = kafka
        self._timeout_s = ack_timeout_s
        self._producer: aiokafka.AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: no broker answered.
        """
        producer = aiokafka.AIOKafkaProducer(
            **self._kafka.client_options(), acks="all", enable_idempotence=True, linger_ms=0
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise BrokerUnavailable(f"{self._kafka.bootstrap} does not answer: {error}") from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what is left, and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def write(self, records: Sequence[Record]) -> None:
        """Return when the broker has all records. Those of one key arrive in their order.

        Raises:
            BrokerUnavailable: it did not say so in time; some may be there all the same.
        """
        assert self._producer is not None
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
                await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(
                f"the broker has not acknowledged {len(records)} records within {self._timeout_s:g} s "
                f"({type(error).__name__}): send them again, with the same ids"
            ) from error
