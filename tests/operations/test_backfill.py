"""Sending a history: what is there by the moment of sending is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from stream_rec.client import EventProducer
from stream_rec.config import Settings
from stream_rec.errors import NotAllowed
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations import backfill as backfills
from stream_rec.operations.backfill import SLICE, Backfill, Fate
from tests.kafka.outcome import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
def backfill(kafka: KafkaSettings) -> Iterator[Backfill]:
    with closing(Backfill(Settings(kafka=kafka), "log", most_behind=0)) as made:
        while not made.existing.is_ready:
            made.existing.follow(0.2)
        yield made


def event(number: int) -> LoggedEvent:
    return LoggedEvent(Kind.CLICK, Interaction(f"e{number}", "ann", "i", 1000 + number))


def never(seconds: float) -> bool:
    return False


def test_a_live_event_that_comes_meanwhile_is_not_sent_again(kafka: KafkaSettings, backfill: Backfill):
    """After the topics were read, others may say the same; each sending looks once more."""
    with EventProducer(kafka) as producer:
        producer.send_interaction(*event(2))
        producer.forget("bob")
        producer.click("eve", "i", event_id="e9")
    wait_until(lambda: backfill.flush(never) is None and len(backfill.existing) == 2, 20)
    backfill.take(event(1), never)
    backfill.take(event(2), never)
    backfill.flush(never)

    assert backfill.fates == {Fate.SENT: 1, Fate.EXISTING: 1}
    assert backfill.sent == {"clicks": 1}


def test_events_wait_for_company(backfill: Backfill):
    """They are sent by the slice; the rest with the flush at the end."""
    for number in range(SLICE + 1):
        backfill.take(event(number), never)
        assert backfill.fates[Fate.SENT] == (SLICE if number >= SLICE - 1 else 0)
    backfill.flush(never)

    assert backfill.fates == {Fate.SENT: SLICE + 1}


def test_its_own_events_are_known(backfill: Backfill):
    """A log that says the same twice, in one slice or in two, says it once."""
    for number in [*range(SLICE), 3, 5, 50, 50]:
        backfill.take(event(number), never)
    backfill.flush(never)

    assert backfill.fates == {Fate.SENT: SLICE + 1, Fate.EXISTING: 3}


def test_an_event_that_cannot_be_a_record(backfill: Backfill):
    """The limits are the pipeline's."""
    large = LoggedEvent(Kind.CLICK, Interaction("e", "ann", "i", 1, context={"text": "x" * 70_000}))

    assert backfill.check(large).reason == "too_large"
    assert backfill.check(event(1)) is None


def test_it_asks_to_read_what_it_reads(kafka: KafkaSettings, backfill: Backfill, monkeypatch: pytest.MonkeyPatch):
    """And no more: what users say of themselves is only waited for, as of all that workers read."""
    asked: dict[str, Any] = {}

    def refuse(_: KafkaSettings, **permissions: Any) -> None:
        asked.update(permissions)
        raise NotAllowed("nothing")

    monkeypatch.setattr(backfills, "require_permissions", refuse)
    with pytest.raises(NotAllowed):
        Backfill(Settings(kafka=kafka), "log", most_behind=1)

    read = {kafka.topic(name) for name in asked["read"]}
    followed = {reader.topic for reader, _ in backfill.existing._readers}
    assert read == followed | {kafka.topic("recommendations")}
    assert {*SOURCE_OF_TOPIC} <= set(asked["describe"]) and kafka.topic("profiles") not in read
