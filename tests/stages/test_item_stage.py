"""The item stage without a broker: what it does with signals that it cannot read."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import msgspec
import pytest

from stream_rec.errors import NewerVersion
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge.signal import Signal
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages.item_stage import ItemStage
from stream_rec.telemetry.counts import Counts
from tests.stages.stage import SETTINGS, Batch, Message

GOOD = signals.encode([Signal("teapot", 0, 0, 3, 1_700_000_000_000)])
GARBAGE = b"\xc1"
NEWER = msgspec.msgpack.encode([signals.VERSION + 1, {"all": "is"}, "new"])


def taken(*values: bytes | None) -> Batch:
    app = new_app("app", SETTINGS.kafka, instance_id="w1", lease=Lease(15.0))
    stage = ItemStage(app, SimpleNamespace(), None, SETTINGS, Counts())
    batch = Batch([Message(None, value, at, topic="item-signals") for at, value in enumerate(values)], {})
    asyncio.run(stage.handle(batch))
    return batch


def test_what_cannot_be_read_is_set_aside():
    """The good before and after it is counted."""
    batch = taken(GOOD, GARBAGE, None, GOOD)

    assert [topic for topic, _, _ in batch.sent] == ["rejected", "rejected", "item-knowledge"]
    assert list(batch._table) == [b"teapot"]


def test_what_is_newer_ends_the_worker_and_nothing_of_the_batch_is_kept(caplog: pytest.LogCaptureFixture):
    """It is named in the log, and left for a program that can read it."""
    with pytest.raises(NewerVersion, match=r"item-signals\[0\]@1: .* version 9, this program reads up to 8: update"):
        taken(GOOD, NEWER)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("refused_newer_version at=item-signals[0]@1 why=")
