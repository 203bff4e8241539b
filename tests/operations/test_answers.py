"""Lists as a sign of which events were taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer, TopicPartition

from stream_rec.client.connect import connect
from stream_rec.errors import TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.answers import Answers

pytestmark = pytest.mark.kafka


@pytest.fixture
def producer(kafka: KafkaSettings) -> Iterator[KafkaProducer]:
    with closing(connect(KafkaProducer, kafka)) as made:
        yield made


def publish(producer: KafkaProducer, kafka: KafkaSettings, user_id: str, seen: dict[str, int] | None) -> None:
    value = None if seen is None else json.dumps({"user_id": user_id, "seen": seen, "items": []}).encode()
    producer.send(kafka.topic("recommendations"), key=user_id.encode(), value=value).get(10)


def n_after_polls(answers: Answers) -> int:
    for _ in range(10):
        answers.poll(0.1)
    return answers.n_users


def test_a_list_answers_what_it_has_seen(kafka: KafkaSettings, producer: KafkaProducer):
    """Of each topic that was sent to; what came before the answers were waited for is none, nor is a tombstone."""
    publish(producer, kafka, "ann", {"clicks": 99, "views": 99})
    with closing(Answers(kafka)) as answers:
        answers.expect("clicks", b"ann", 0, 7)
        answers.expect("views", b"ann", 0, 3)
        answers.expect("clicks", b"bob", 1, 7)
        publish(producer, kafka, "ann", {"clicks": 6, "views": 2})
        publish(producer, kafka, "bob", None)
        assert n_after_polls(answers) == 2
        publish(producer, kafka, "ann", {"clicks": 7})
        publish(producer, kafka, "bob", {"clicks": 8})
        publish(producer, kafka, "eve", {"clicks": 8})
        assert n_after_polls(answers) == 1
        publish(producer, kafka, "ann", {"clicks": 7, "views": 3})
        assert n_after_polls(answers) == 0


def test_what_is_committed_needs_no_list(kafka: KafkaSettings):
    """An event of a user who is being forgotten has none."""
    with closing(Answers(kafka)) as answers:
        answers.expect("clicks", b"ann", 1, 7)
        answers.release_committed(
            {TopicPartition(kafka.topic("clicks"), 1): 7, TopicPartition(kafka.topic("clicks"), 0): 9}
        )
        assert answers.n_users == 1
        answers.release_committed({TopicPartition(kafka.topic("clicks"), 1): 8})
        assert answers.n_users == 0


def test_without_its_topic(bootstrap: str):
    """There is nothing to be learned from lists that are not there."""
    with pytest.raises(TopicMismatch, match="there is no topic no-recommendations"):
        Answers(KafkaSettings(bootstrap=bootstrap, topic_prefix="no-"))
