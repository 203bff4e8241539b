"""EventProducer: checks, keys, delivery and its failures."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from kafka.partitioner.default import murmur2

from stream_rec.client import EventProducer, InvalidEventError, producer
from stream_rec.client.connect import KafkaPythonTokens
from stream_rec.errors import DeliveryFailed, TopicMismatch
from stream_rec.events.impression import ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics

DAY_MS = 86_400_000


class FakeKafka:
    """The edge: takes records like a KafkaProducer and leaves to the test when and how each is settled."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes | None]] = []
        self.futures: list[Future] = []
        self.is_closed = False

    def partitions_for(self, topic: str) -> set[int]:
        if topic == "items":
            raise KafkaTimeoutError("Failed to update metadata after 5.0 secs.")
        return {0}

    def send(self, topic: str, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> Future:
        self.records.append((topic, key, value))
        self.futures.append(Future())
        return self.futures[-1]

    def flush(self, timeout: float) -> None:
        pass

    def close(self, timeout: float) -> None:
        self.is_closed = True


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    fake = FakeKafka()
    monkeypatch.setattr(producer, "connect", lambda *_, **__: fake)
    return fake


def test_partitions_are_chosen_as_java_does():
    """Kafka-python's default partitioner hashes keys as Java's client: the vectors of Kafka's own UtilsTest."""
    vectors = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }

    assert {key: murmur2(key) for key in vectors} == {key: number % 2**32 for key, number in vectors.items()}


def test_an_event_has_key_id_and_time(kafka: FakeKafka):
    """The key is the user's bytes; a new id and the time now are filled in, and the id is returned."""
    event_id = EventProducer("x").view("usér", "i1", value=2.5, context={"page": 3})
    topic, key, value = kafka.records[0]
    event = json.loads(value)

    assert (topic, key) == ("views", "usér".encode())
    assert abs(event.pop("timestamp_ms") - time.time() * 1000) < 10_000
    assert event == {
        "event_id": event_id, "user_id": "usér", "item_id": "i1", "value": 2.5, "context": {"page": 3}
    }  # fmt: skip
    assert len(event_id) == 32


def test_each_kind_goes_to_its_topic(kafka: FakeKafka):
    """Views, clicks, purchases, impressions, searches and forget: the given id and time stay as they are."""
    events = EventProducer(KafkaSettings(topic_prefix="shop-"))
    given = {"event_id": "e", "timestamp_ms": 5}
    assert events.click("u", "i", **given) == "e"
    events.purchase("u", "i", **given)
    events.impression("u", "l", ["a", ShownItem("b", 7), "c"], **given)
    events.search("u", "red shoes", **given)
    events.forget("u", request_id="r", timestamp_ms=5)

    assert [(topic, json.loads(value)) for topic, _, value in kafka.records] == [
        ("shop-clicks", {"event_id": "e", "user_id": "u", "item_id": "i", "timestamp_ms": 5}),
        ("shop-purchases", {"event_id": "e", "user_id": "u", "item_id": "i", "timestamp_ms": 5}),
        (
            "shop-impressions",
            {
                "event_id": "e", "user_id": "u", "list_id": "l", "timestamp_ms": 5,
                "items": [{"item_id": item, "position": p} for item, p in (("a", 1), ("b", 7), ("c", 3))],
            },
        ),
        ("shop-searches", {"event_id": "e", "user_id": "u", "query": "red shoes", "timestamp_ms": 5}),
        ("shop-forget", {"user_id": "u", "timestamp_ms": 5, "request_id": "r"}),
    ]  # fmt: skip


def test_a_profile_is_put_and_taken_back(kafka: FakeKafka):
    """Keyed with its user; one interest is one, not its letters; what is not said is left out."""
    events = EventProducer(KafkaSettings(topic_prefix="shop-"))
    events.profile("usér", interests=["tea", "long hikes"], language="pt-BR", birth_year=1985, timestamp_ms=5)
    events.profile("u", interests="science fiction")
    events.send_profile(Profile("u", 6))
    events.delete_profile("u")

    keys = ["usér".encode(), b"u", b"u", b"u"]
    assert [(topic, key) for topic, key, _ in kafka.records] == [("shop-profiles", key) for key in keys]
    full, one, empty = (json.loads(value) for _, _, value in kafka.records[:3])
    said = {"interests": ["tea", "long hikes"], "language": "pt-BR", "birth_year": 1985}
    assert full == {"user_id": "usér", "timestamp_ms": 5, **said}
    assert abs(one.pop("timestamp_ms") - now_ms()) < 10_000
    assert one == {"user_id": "u", "interests": ["science fiction"]}
    assert empty == {"user_id": "u", "timestamp_ms": 6} and kafka.records[3][2] is None


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda p: p.view("", "i"), "bad_id: .*user_id"),
        (lambda p: p.view("u", "é" * 129), "bad_id: item_id has 258 bytes"),
        (lambda p: p.view("u", "i", event_id=""), "bad_id: .*event_id"),
        (lambda p: p.view("u", 7), "wrong_type: .*item_id"),
        (lambda p: p.view(7, "i"), "wrong_type: user_id must be a str, came int 7"),
        (lambda p: p.view("*", "i"), "bad_id: .*default list"),
        (lambda p: p.view("\ud800", "i"), "bad_id: .*UTF-8"),
        (lambda p: p.view("u", "\ud800"), "cannot be written as JSON"),
        (lambda p: p.view("u", "i", value=float("nan")), "value=nan"),
        (lambda p: p.view("u", "i", value=float("-inf")), "value=-inf"),
        (lambda p: p.view("u", "i", value="3"), "wrong_type"),
        (lambda p: p.view("u", "i", timestamp_ms=-1), "bad_timestamp"),
        (lambda p: p.view("u", "i", timestamp_ms=now_ms() + 2 * DAY_MS), "bad_timestamp: .*in the future"),
        (lambda p: p.view("u", "i", context={"x": object()}), "cannot be written as JSON"),
        (lambda p: p.view("u", "i", context={"x": "y" * 70_000}), "too_large"),
        (lambda p: p.search("u", ""), "bad_query: .*query"),
        (lambda p: p.search("u", "x" * 2001), "bad_query: .*query"),
        (lambda p: p.search("*", "x"), "bad_id"),
        (lambda p: p.search("u", "x", timestamp_ms=-1), "bad_timestamp: .*timestamp_ms"),
        (lambda p: p.profile("*"), "bad_id: .*default list"),
        (lambda p: p.profile("u", interests=["tea", " "]), "bad_profile: an interest is blank"),
        (lambda p: p.profile("u", interests=["x"] * 17), "bad_profile: .*interests"),
        (lambda p: p.profile("u", language="English"), "bad_profile: .*language"),
        (lambda p: p.profile("u", birth_year=85), "bad_profile: .*birth_year"),
        (lambda p: p.profile("u", timestamp_ms=-1), "bad_timestamp"),
        (lambda p: p.delete_profile("*"), "bad_id: .*default list"),
        (lambda p: p.delete_profile(""), "bad_id"),
        (lambda p: p.forget(""), "user_id"),
        (lambda p: p.forget("*"), "bad_id"),
        (lambda p: p.impression("u", "l", [""]), "bad_id: .*item_id"),
        (lambda p: p.impression("u", "l", [ShownItem("a", 0)]), "position"),
        (lambda p: p.item(Item("")), "bad_id"),
        (lambda p: p.item(Item("i", vectors={"image": [float("nan")]})), "wrong_type"),
        (lambda p: p.delete_item(""), "bad_id"),
    ],
)
def test_what_the_pipeline_would_reject_is_not_sent(kafka: FakeKafka, send: Any, words: str):
    """A mistake of the app is a ValueError that says which field, before anything is sent."""
    with pytest.raises(InvalidEventError, match=words):
        send(EventProducer("x"))

    assert issubclass(InvalidEventError, ValueError)
    assert kafka.records == []


def test_a_missing_topic_is_said_with_the_remedy(kafka: FakeKafka):
    """Nothing creates topics behind the app's back."""
    with pytest.raises(TopicMismatch, match="`stream-rec topics create`"):
        EventProducer("x").item(Item("i"))


def test_flush_raises_what_failed_once(kafka: FakeKafka):
    """The error says how many, the first reason and its topic; said once, it is not said again."""
    events = EventProducer("broker:1")
    for item in "abc":
        events.view("u", item)
    kafka.futures[0].success(None)
    kafka.futures[1].failure(KafkaTimeoutError("first"))
    kafka.futures[2].failure(KafkaTimeoutError("second"))

    with pytest.raises(DeliveryFailed, match=r"2 of 3 records were not delivered to broker:1.*topic views: .*first"):
        events.flush()
    events.flush()
    assert events.delivered == 1


def test_a_send_after_a_failure_raises_before_it_sends(kafka: FakeKafka):
    """An app that never flushes hears of it all the same; the event of that call is not sent, the next is."""
    events = EventProducer("x")
    events.view("u", "a")
    kafka.futures[0].failure(KafkaTimeoutError("late"))

    with pytest.raises(DeliveryFailed, match="1 of 1"):
        events.view("u", "b")
    events.view("u", "c")
    assert [json.loads(value)["item_id"] for _, _, value in kafka.records] == ["a", "c"]


def test_flush_does_not_wait_for_ever(kafka: FakeKafka):
    """After timeout_s it says how many have no answer."""
    events = EventProducer("x")
    events.view("u", "a")

    with pytest.raises(DeliveryFailed, match="1 records have not been acknowledged"):
        events.flush(timeout_s=0.01)


def test_a_send_waits_while_the_buffer_is_full(kafka: FakeKafka):
    """What is under way is bounded; a send goes on when the broker has answered."""
    events = EventProducer("x", buffer_bytes=2500)
    events.view("u", "a")
    events.view("u", "b")
    third = threading.Thread(target=events.view, args=("u", "c"))
    third.start()
    third.join(0.2)
    was_waiting = third.is_alive() and len(kafka.records) == 2
    for future in kafka.futures:
        future.success(None)
    third.join(5)

    assert was_waiting
    assert len(kafka.records) == 3


def test_leaving_the_context_delivers_or_raises(kafka: FakeKafka):
    """Without an exception in flight, what was not delivered is raised, and the producer is closed."""

    def use() -> None:
        with EventProducer("x") as events:
            events.view("u", "a")
            kafka.futures[0].failure(KafkaTimeoutError("late"))

    with pytest.raises(DeliveryFailed):
        use()
    assert kafka.is_closed


def test_leaving_the_context_keeps_the_exception_in_flight(kafka: FakeKafka):
    """The app's own error comes first; that events were lost is noted on it."""

    def use() -> None:
        with EventProducer("x") as events:
            events.view("u", "a")
            kafka.futures[0].failure(KafkaTimeoutError("late"))
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        use()
    assert "1 of 1 records were not delivered" in caught.value.__notes__[0]


def test_a_closed_producer_says_so(kafka: FakeKafka):
    """Closing twice is harmless, sending afterwards is an error."""
    events = EventProducer("x")
    events.close()
    events.close()

    with pytest.raises(ValueError, match="closed"):
        events.view("u", "a")


@pytest.mark.kafka
def test_what_is_sent_is_there(bootstrap: str):
    """A thousand events of a user, and items with a deletion, arrive in order, in the partition of their key."""
    kafka = fresh_topics(bootstrap)
    with EventProducer(kafka) as events:
        for n in range(1000):
            events.send_interaction(Kind.VIEW, Interaction(f"e{n}", "abc", "i", n))
        events.item(Item("abc", title="A"))
        events.delete_item("abc")
        events.flush()
        assert events.delivered == 1002
    # murmur2("abc") is 479470107: positive, odd, so partition 1 of 2.
    views, items = (read(kafka, topic, partition=1) for topic in ("views", "items"))

    assert [json.loads(record.value)["event_id"] for record in views] == [f"e{n}" for n in range(1000)]
    assert [(record.key, record.value) for record in items] == [
        (b"abc", b'{"item_id":"abc","title":"A"}'),
        (b"abc", None),
    ]


def read(kafka: KafkaSettings, topic: str, partition: int) -> list[Any]:
    """Return all records of one partition."""
    tp = TopicPartition(kafka.topic(topic), partition)
    consumer = KafkaConsumer(**kafka.client_options(KafkaPythonTokens), group_id=None)
    consumer.assign([tp])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([tp])[tp]
    records: list[Any] = []
    while consumer.position(tp) < end:
        records += consumer.poll(1000).get(tp, [])
    consumer.close()
    return records
