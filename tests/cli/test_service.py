"""A process that serves waits for its broker for a while."""

from __future__ import annotations

import logging
import signal

import pytest

from stream_rec.cli import service
from stream_rec.errors import BrokerUnavailable, LoginRefused
from stream_rec.kafka_settings import KafkaSettings

KAFKA = KafkaSettings(bootstrap="one:9092")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch):
    """What the broker does, one word for each time that it is asked."""
    waiting: list[Exception | None] = []

    def require_answering(kafka: KafkaSettings) -> None:
        if (answer := waiting.pop(0)) is not None:
            raise answer

    monkeypatch.setattr(service, "require_answering", require_answering)
    monkeypatch.setattr(service, "PAUSE_S", 0.0)
    before = signal.getsignal(signal.SIGTERM)
    yield waiting
    signal.signal(signal.SIGTERM, before)


def test_a_broker_that_comes_is_waited_for(answers, caplog: pytest.LogCaptureFixture):
    """What is wrong is said once."""
    answers += [BrokerUnavailable("nobody at one:9092"), BrokerUnavailable("nobody at one:9092"), None]

    service.wait_for_broker(KAFKA)

    assert not answers
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "nobody at one:9092" in record.getMessage()


def test_patience_ends(answers, monkeypatch: pytest.MonkeyPatch):
    """With an exit code that means: start it again."""
    monkeypatch.setattr(service, "PATIENCE_S", -1.0)
    answers += [BrokerUnavailable("nobody at one:9092")]

    with pytest.raises(BrokerUnavailable) as raised:
        service.wait_for_broker(KAFKA)

    assert raised.value.exit_code == 75


def test_a_login_that_is_refused_is_not_tried_again(answers):
    """A person must look."""
    answers += [LoginRefused("no such user"), None]

    with pytest.raises(LoginRefused) as raised:
        service.wait_for_broker(KAFKA)

    assert raised.value.exit_code == 2


def test_who_answers_meanwhile_is_told_why_each_time(answers):
    """And its own handlers of stop signals stay."""
    answers += [BrokerUnavailable("nobody at one:9092"), BrokerUnavailable("no leader yet"), None]
    handler, said = signal.getsignal(signal.SIGTERM), []

    service.wait_for_answer(KAFKA, said.append)

    assert said == ["nobody at one:9092", "no leader yet"]
    assert signal.getsignal(signal.SIGTERM) is handler
