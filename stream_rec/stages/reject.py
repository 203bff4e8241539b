"""Bad input on its way to the ``rejected`` topic."""

from __future__ import annotations

import logging

import msgspec
from faust.types import Message

from stream_rec.events.rejected import HEAD_BYTES, Origin, Rejected
from stream_rec.events.validate import Rejection
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.batch import Send
from stream_rec.telemetry.counts import Counts

log = logging.getLogger(__name__)


def reject(message: Message, rejection: Rejection, kafka: KafkaSettings, counts: Counts) -> Send:
    """Count a rejection; return the record that says where ``message`` stands and why it was not used."""
    origin = Origin(message.topic, message.partition, message.offset)
    counts.rejected[rejection.reason] += 1
    log.warning("rejected_record at=%s reason=%s detail=%s", origin, rejection.reason, rejection.detail[:200])
    rejected = Rejected(origin, rejection.reason, rejection.detail[:1000], (message.value or b"")[:HEAD_BYTES])
    return Send(kafka.topic("rejected"), message.key, msgspec.json.encode(rejected))
