"""`stream-rec rejected list|show|replay`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
from stream_rec.errors import FileProblem, TopicMismatch
from stream_rec.events.rejected import Origin, Rejected
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.rejections import path_of
from tests.client import fresh_topics

NOW_MS = time.time_ns() // 1_000_000


def run(*arguments: object, kafka: KafkaSettings | None = None, stdin: str = "") -> Result:
    """Call the command."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix] if kafka else []
    return CliRunner().invoke(cli, [*address, "rejected", *map(str, arguments)], input=stdin)


def event(**changed: Any) -> bytes:
    """Return a good event of ann's, but for what is changed."""
    return json.dumps({"event_id": "e", "user_id": "ann", "item_id": "i", "timestamp_ms": NOW_MS, **changed}).encode()


def reject(kafka: KafkaSettings, topic: str, reason: str, value: bytes | None, key: bytes = b"ann") -> Origin:
    """Put a record on a topic and its rejection on ``rejected``, as the worker does; return where it stands."""
    producer = connect(KafkaProducer, kafka)
    stands = producer.send(kafka.topic(topic), key=key, value=value, headers=[("trace", b"t7")]).get(10)
    origin = Origin(stands.topic, stands.partition, stands.offset)
    rejected = msgspec.json.encode(Rejected(origin, reason, f"why [bold]{reason}", (value or b"")[:512]))
    producer.send(kafka.topic("rejected"), key=key, value=rejected).get(10)
    producer.close()
    return origin


def records(kafka: KafkaSettings, topic: str) -> list[ConsumerRecord]:
    """Return all records of a topic, by their time."""
    reader = TopicReader(kafka, topic)
    found = sorted(reader.read_to_end(20), key=lambda record: (record.timestamp, record.offset))
    reader.close()
    return found


def lines(result: Result) -> list[dict[str, Any]]:
    """Return the JSON lines that were printed."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "views"], "expected TOPIC/PARTITION/OFFSET, as in views/0/17"),
        (["list", "--topic", "vews"], "there is no topic 'vews'; expected one of clicks, forget"),
        (["list", "--since", "yesterday"], "'yesterday' is no time; expected 30m, 2h or 7d ago"),
        (["list", "--limit", "0"], "--limit"),
        (["replay", "--value", "{}"], "--value is for exactly one ORIGIN"),
        (["replay", "v/0/1", "v/0/2", "--value", "{}"], "--value is for exactly one ORIGIN"),
        (["replay", "v/0/1", "--reason", "empty"], "exclude each other"),
        (["replay", "v/0/1", "--file", "f"], "exclude each other"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], words: str):
    """Options that cannot be meant are refused before any broker is asked."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_a_missing_file_is_said_first():
    """No broker is needed to hear it."""
    assert isinstance(run("replay", "--file", "nothing.jsonl").exception, FileProblem)


@pytest.mark.kafka
def test_a_missing_topic_is_said(bootstrap: str):
    """With the command that creates it."""
    result = run("list", kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix="nobody-"))

    assert isinstance(result.exception, TopicMismatch)


@pytest.mark.kafka
def test_an_empty_topic_is_said(bootstrap: str):
    """Not an empty table; a script gets no lines. There is nothing to send again, which is no failure."""
    kafka = fresh_topics(bootstrap)
    results = [run(*arguments, kafka=kafka) for arguments in (["list"], ["list", "--json"], ["replay", "--yes"])]

    assert [result.exit_code for result in results] == [0, 0, 0]
    assert all("no record was rejected" in result.stderr for result in results)
    assert results[0].stdout == results[1].stdout == ""


@pytest.mark.kafka
def test_list_prints_the_newest_and_counts_all(bootstrap: str):
    """The newest first, at most --limit, filtered; markup and control characters of others as they are."""
    kafka = fresh_topics(bootstrap)
    first = reject(kafka, "views", "empty", None)
    second = reject(kafka, "clicks", "not_json", b"\x1b[31m\xff")
    third = reject(kafka, "views", "bad_id", event(user_id=""))

    newest = lines(run("list", "--json", "--limit", 2, kafka=kafka))
    assert [row["origin"] for row in newest] == [path_of(third), path_of(second)]
    assert newest[1]["first_bytes"] == "\x1b[31m\\xff"
    assert [
        row["origin"] for row in lines(run("list", "--json", "--topic", "views", "--reason", "empty", kafka=kafka))
    ] == [path_of(first)]
    assert "none of the 3 records" in run("list", "--reason", "empty", "--until", "1h", kafka=kafka).stderr
    table = run("list", kafka=kafka).stdout
    assert "3 of 3 rejected records" in table
    assert "[bold]" in table
    assert run("show", path_of(second), kafka=kafka).stdout.endswith("\n\\x1b[31m\\xff\n")
    assert sorted(lines(run("list", "--summary", "--json", kafka=kafka)), key=lambda row: row["reason"]) == [
        {"topic": kafka.topic(topic), "reason": reason, "rejected": 1, "replayed": 0}
        for topic, reason in (("views", "bad_id"), ("views", "empty"), ("clicks", "not_json"))
    ]


@pytest.mark.kafka
def test_show_prints_the_record_while_it_is_there(bootstrap: str):
    """The whole value, and what would be said of it now; without it, that it is gone. Exit code 1 where none is."""
    kafka = fresh_topics(bootstrap)
    value = event(context={"note": "x" * 1000})
    origin = reject(kafka, "views", "too_large", value)

    shown = run("show", path_of(origin), kafka=kafka).stdout
    assert value.decode() in shown
    assert "if it came now: accepted" in shown
    (facts,) = lines(run("show", str(origin), "--json", kafka=kafka))
    assert (facts["value"], facts["key"], facts["now"]) == (value.decode(), "ann", "accepted")

    admin = connect(KafkaAdminClient, kafka)
    admin.delete_records({TopicPartition(origin.topic, origin.partition): origin.offset + 1})
    admin.close()
    assert "retention or compaction took it" in run("show", path_of(origin), kafka=kafka).stdout
    (facts,) = lines(run("show", path_of(origin), "--json", kafka=kafka))
    assert "value" not in facts
    assert facts["first_bytes"] == value[:512].decode()
    gone = run("replay", "--yes", kafka=kafka)
    assert (gone.exit_code, "gone" in gone.stderr, records(kafka, "views")) == (1, True, [])
    missing = run("show", f"{origin.topic}/0/99", kafka=kafka)
    assert (missing.exit_code, "it was not rejected" in missing.output) == (1, True)


@pytest.mark.kafka
def test_what_is_good_now_is_sent_again_once(bootstrap: str):
    """Unchanged, after a yes; what is still bad is named and stays (exit code 1). The next run sends nothing."""
    kafka = fresh_topics(bootstrap)
    value = event(event_id="future")
    good = reject(kafka, "views", "bad_timestamp", value)
    bad = reject(kafka, "clicks", "not_json", b"click!")

    dry = run("replay", "--dry-run", "--yes", kafka=kafka)
    assert "1 records would be sent again; 1 not (1 not_json)" in dry.stdout
    assert f"not sent: {path_of(bad)}: not_json" in dry.stderr
    refused = run("replay", kafka=kafka, stdin="n\n")
    assert (dry.exit_code, refused.exit_code) == (1, 1)
    assert len(records(kafka, "views")) == 1

    done = run("replay", kafka=kafka, stdin="y\n")
    again = run("replay", "--topic", "views", "--yes", kafka=kafka)
    original, sent = records(kafka, "views")
    assert (done.exit_code, again.exit_code) == (1, 0)
    assert "sent 1 of 1 records again" in done.stdout
    assert "0 records can be sent again; 1 were sent again before" in again.stdout
    assert (sent.key, sent.value, sent.partition) == (original.key, value, original.partition)
    assert sent.headers == [("trace", b"t7"), ("replay-of", path_of(good).encode())]
    (facts,) = lines(run("show", path_of(good), "--json", kafka=kafka))
    assert facts["replayed_to"] == f"{sent.topic}/{sent.partition}/{sent.offset}"
    assert [(row["origin"], row["is_replayed"]) for row in lines(run("list", "--json", kafka=kafka))] == [
        (path_of(bad), False),
        (path_of(good), True),
    ]
    assert run("replay", path_of(good), "--again", "--yes", kafka=kafka).exit_code == 0
    assert len(records(kafka, "views")) == 3


@pytest.mark.kafka
def test_repairs_are_sent_where_they_belong(bootstrap: str, tmp_path: Path):
    """To the topic of the rejected record, keyed with their own id; lines and origins that nobody knows are named."""
    kafka = fresh_topics(bootstrap)
    wrong_key = reject(kafka, "purchases", "key_mismatch", event(), key=b"bob")
    wrong_type = reject(kafka, "clicks", "wrong_type", event(item_id=7))
    file = tmp_path / "repairs.jsonl"
    shown = run("show", path_of(wrong_key), "--json", kafka=kafka).stdout
    file.write_text(shown + f'nonsense\n{{"origin":"{kafka.topic("views")}/0/9","value":{{}}}}\n')
    result = run("replay", "--file", file, "--yes", kafka=kafka)
    assert result.exit_code == 1
    assert f"skipped {file}:2:" in result.stderr
    assert f"{kafka.topic('views')}/0/9 is not on" in result.stderr
    assert [(record.key, record.value) for record in records(kafka, "purchases")] == [
        (b"bob", event()),
        (b"ann", event()),
    ]

    unrepaired = run("replay", path_of(wrong_type), "--value", "{}", "--yes", kafka=kafka)
    assert (unrepaired.exit_code, len(records(kafka, "clicks"))) == (1, 1)
    value = event(item_id="7").decode()
    assert run("replay", path_of(wrong_type), "--value", value, "--yes", kafka=kafka).exit_code == 0
    assert records(kafka, "clicks")[1].value == value.encode()


@pytest.mark.kafka
def test_an_item_that_was_replaced_since_stays_as_it_is(bootstrap: str):
    """Only a good newer record replaces: the newest of two that are good now is sent."""
    kafka = fresh_topics(bootstrap)
    reject(kafka, "items", "too_large", b'{"item_id":"i","title":"old"}', key=b"i")
    newest = reject(kafka, "items", "too_large", b'{"item_id":"i","title":"new"}', key=b"i")
    reject(kafka, "items", "wrong_type", b'{"item_id":"i","title":5}', key=b"i")
    result = run("replay", "--reason", "too_large", "--yes", kafka=kafka)

    assert result.exit_code == 0, result.output
    assert "1 records can be sent again; 1 not (1 superseded)" in result.stdout
    assert f"{path_of(newest)} sent again as" in result.stdout
    assert records(kafka, "items")[-1].value == b'{"item_id":"i","title":"new"}'


@pytest.mark.kafka
def test_a_profile_that_was_replaced_or_taken_back_since_stays_so(bootstrap: str):
    """As an item does; one of which nothing newer is there is sent, and one that is taken back is so again."""
    kafka = fresh_topics(bootstrap)

    def profile(user_id: str, interest: str) -> bytes:
        said = {"user_id": user_id, "timestamp_ms": NOW_MS, "interests": [interest]}
        return json.dumps(said).encode()

    for user_id in ("ann", "bob", "cat", "dan"):
        reject(kafka, "profiles", "too_large", profile(user_id, "old"), key=user_id.encode())
    back = reject(kafka, "profiles", "wrong_partition", None, key=b"dan")
    producer = connect(KafkaProducer, kafka)
    newer = {b"ann": profile("ann", "new"), b"bob": None, b"cat": b'{"user_id":"cat"}'}
    for key, value in newer.items():
        producer.send(kafka.topic("profiles"), key=key, value=value).get(10)
    producer.close()
    result = run("replay", "--topic", "profiles", "--yes", kafka=kafka)

    assert result.exit_code == 0, result.output
    assert "2 records can be sent again; 3 not (3 superseded)" in result.stdout
    assert f"{path_of(back)} sent again as" in result.stdout
    sent = [record for record in records(kafka, "profiles") if dict(record.headers).get("replay-of")]
    assert sorted((record.key, record.value) for record in sent) == [(b"cat", profile("cat", "old")), (b"dan", None)]


@pytest.mark.kafka
def test_a_limit_is_said(bootstrap: str):
    """The oldest go first; what is left is counted and makes exit code 1."""
    kafka = fresh_topics(bootstrap)
    for number in range(3):
        reject(kafka, "views", "bad_timestamp", event(event_id=f"e{number}"))
    runs = [run("replay", "--limit", 2, "--yes", kafka=kafka) for _ in range(2)]

    assert [result.exit_code for result in runs] == [1, 0]
    assert "2 records can be sent again; 1 more match (--limit)" in runs[0].stdout
    sent = [json.loads(record.value)["event_id"] for record in records(kafka, "views")]
    assert sorted(sent) == ["e0", "e0", "e1", "e1", "e2", "e2"]
