"""Recordings of a real broker: what is in them, and that their replays have the lists of production."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from stream_rec.cli import cli
from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.config import Settings
from stream_rec.errors import StreamRecError
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.logs.recording import Recorded, read_recording
from stream_rec.replay.recorded import place_entries
from stream_rec.testing.live import open_topics
from stream_rec.testing.replaying import replay_log, replay_on_broker, without_clock
from stream_rec.topics import admin as topics
from tests.kafka.logs import put, with_impressions, with_profiles, with_searches, zipf_log
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

BAN = Rule("no-1", "ban", "a test", "to see rules obeyed", Target(item_ids=["item-1"]))


def settings_of(bootstrap: str, prefix: str, partitions: int = 2) -> Settings:
    return quick_settings(kafka={"bootstrap": bootstrap, "topic_prefix": prefix, "partitions": partitions})


def run(kafka: KafkaSettings, *words: object) -> Result:
    options = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    result = CliRunner().invoke(cli, ["record", *map(str, words), *options])
    if isinstance(result.exception, StreamRecError):  # which `main` prints
        result.stderr_bytes = (result.stderr_bytes or b"") + str(result.exception).encode()
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def kafka(bootstrap: str) -> KafkaSettings:
    """Topics on which something of every kind stands, in a known order; two users' events are in one partition."""
    settings = settings_of(bootstrap, "recorded-")
    topics.create(settings)
    with EventProducer(settings.kafka, linger_ms=0) as producer:

        def each_alone() -> Iterator[None]:
            yield producer.item(Item("tea", "Tea"))
            yield producer.item(Item("pot", "Pot", attributes={"price": 1e3}))
            yield producer.rule(Rule("r1", "ban", "ann", "gone", Target(item_ids=["pot"])))
            yield producer.profile("ann", interests=["tea"])
            yield producer.view("ann", "tea", event_id="e1", value=2.5, context={"device": "phone"})
            yield producer.view("gone", "tea", event_id="e2")
            yield producer.search("bob", "a pot", item_id="pot", event_id="e3")
            yield producer.impression("ann", "list", ["pot", "tea"], surface="home", event_id="e4")
            yield producer.forget("gone")
            yield producer.click("ann", "tea", event_id="e5")
            yield producer.delete_profile("ann")
            yield producer.end_rule("r1")
            yield producer.delete_item("pot")

        for _ in each_alone():
            producer.flush()
    return settings.kafka


def test_everything_is_recorded_in_the_order_in_which_it_came(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Of all source topics, with deletions, as lines of logs; who asked to be forgotten is not in it."""
    result = run(kafka, tmp_path / "all.jsonl")

    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert [(line["recorded"]["topic"], line.get("event_id"), line.get("deleted")) for line in lines] == [
        ("items", None, None),
        ("items", None, None),
        ("rules", None, None),
        ("profiles", None, None),
        ("views", "e1", None),
        ("searches", "e3", None),
        ("impressions", "e4", None),
        ("clicks", "e5", None),
        ("profiles", None, True),
        ("rules", None, True),
        ("items", None, True),
    ]
    assert "left out 1 records of users who asked to be forgotten" in result.stderr
    assert (tmp_path / "all.jsonl").stat().st_mode & 0o077 == 0


def test_a_range_of_offsets_of_one_topic(kafka: KafkaSettings, tmp_path: Path) -> None:
    """`--to` is exclusive, a partition may be chosen, and a name that ends with .gz is packed."""
    all_of_items = run(kafka, tmp_path / "items.jsonl", "--topic", "items")
    assert all_of_items.exit_code == 0
    places = [record.place for record in read_recording(tmp_path / "items.jsonl", limits=Settings().limits)]
    last = max(places, key=lambda place: (place.offset, place.partition))

    result = run(
        kafka, tmp_path / "part.jsonl.gz", "--topic", "items", "--partition", last.partition, "--from", last.offset
    )

    assert result.exit_code == 0, result.output
    [line] = gzip.decompress((tmp_path / "part.jsonl.gz").read_bytes()).splitlines()
    assert json.loads(line)["recorded"]["offset"] == last.offset
    before = run(kafka, tmp_path / "x", "--topic", "items", "--partition", last.partition, "--to", last.offset)
    n_before = sum(place.partition == last.partition and place.offset < last.offset for place in places)
    assert f"recorded {n_before} records" in before.stdout


def test_a_range_of_time_comes_with_the_catalog(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Events from then on; items, rules and profiles from their first, or there would be nothing to recommend."""
    assert run(kafka, tmp_path / "all.jsonl").exit_code == 0
    records = list(read_recording(tmp_path / "all.jsonl", limits=Settings().limits))
    search = next(record for record in records if isinstance(record.value, Search))

    moment = datetime.fromtimestamp(search.place.received_ms / 1000, UTC).isoformat()
    result = run(kafka, tmp_path / "late.jsonl", "--from", moment)

    assert result.exit_code == 0, result.output
    late = list(read_recording(tmp_path / "late.jsonl", limits=Settings().limits))
    assert [record for record in records if record in late] == late
    assert {record.place.topic for record in records if record not in late} == {"views"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--topic", "views", "--from", "900"], "ends before"),
        (["--topic", "views", "--partition", "7"], "has no partition 7: it has 2, counted from 0"),
        (["--from", "3"], "each topic counts its own offsets"),
        (["--topic", "views", "--from", "3", "--to", "3"], "--from is not before --to"),
        (["--topic", "recommendations"], "is not one of 'items', 'rules', 'views'"),
        (["--from", "yesterday"], "is no time"),
    ],
)
def test_what_cannot_be_read_is_said(kafka: KafkaSettings, tmp_path: Path, words: list[str], said: str) -> None:
    """With exit code 2, and nothing is written."""
    result = run(kafka, tmp_path / "out.jsonl", *words)

    assert said in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_topics_that_are_not_there(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Are named, with what creates them."""
    result = run(msgspec.structs.replace(kafka, topic_prefix="nowhere-"), tmp_path / "out.jsonl")

    assert "nowhere-items" in result.stderr and "create it with `stream-rec topics create`" in result.stderr


def test_what_retention_has_taken_is_said(bootstrap: str, tmp_path: Path) -> None:
    """An offset of before is an error that says where the partition begins; without one, what is there is recorded."""
    settings = settings_of(bootstrap, "retained-", partitions=1)
    topics.create(settings)
    with EventProducer(settings.kafka) as producer:
        for number in range(5):
            producer.view("ann", f"item-{number}", event_id=f"e{number}")
    client = connect(KafkaAdminClient, settings.kafka)
    client.delete_records({TopicPartition("retained-views", 0): 3})
    client.close()

    result = run(settings.kafka, tmp_path / "gone.jsonl", "--topic", "views", "--from", "1")
    assert "retained-views[0] begins at 3: retention has taken what was before" in result.stderr
    assert run(settings.kafka, tmp_path / "left.jsonl", "--topic", "views").exit_code == 0
    left = list(read_recording(tmp_path / "left.jsonl", limits=settings.limits))
    assert [record.value.event_id for record in left] == ["e3", "e4"]


def test_what_the_pipeline_rejects_is_counted(bootstrap: str, tmp_path: Path) -> None:
    """And named with its place; the rest is recorded, and the exit code is 1."""
    settings = settings_of(bootstrap, "spoilt-", partitions=1)
    topics.create(settings)
    raw = connect(KafkaProducer, settings.kafka)
    raw.send("spoilt-views", key=b"ann", value=b"no JSON")
    raw.flush()
    raw.close()
    with EventProducer(settings.kafka) as producer:
        producer.view("ann", "tea", event_id="e1")

    result = run(settings.kafka, tmp_path / "out.jsonl")

    assert result.exit_code == 1
    assert "skipped views[0]@0: not_json" in result.stderr and "recorded 1 records: 1 of views" in result.stdout


def test_a_long_topic_is_read_in_order_and_in_bounds(bootstrap: str, tmp_path: Path) -> None:
    """Of many partitions, each of which is read ahead of the others: all records once, by time of arrival."""
    settings = settings_of(bootstrap, "long-", partitions=4)
    topics.create(settings)
    log = zipf_log(n_events=6_000, n_users=200, n_items=50, seed=21)
    with EventProducer(settings.kafka) as producer:
        put(producer, log)

    assert run(settings.kafka, tmp_path / "out.jsonl").exit_code == 0

    records = list(read_recording(tmp_path / "out.jsonl", limits=settings.limits))
    assert sorted(record.value.event_id for record in records) == sorted(line.event.event_id for line in log)
    times = [record.place.received_ms for record in records]
    assert times == sorted(times)
    last: dict[tuple[str, int], int] = {}
    for record in records:
        place = record.place
        assert last.get((place.topic, place.partition), -1) < place.offset
        last[place.topic, place.partition] = place.offset


def recorded_run(bootstrap: str, partitions: int, recording: Path) -> tuple[Settings, list[Slate]]:
    """Run a log of every kind, each line when the one before has taught; record it, and return the lists.

    The catalog is there before the worker, which then reads it as a whole.
    """
    log = zipf_log(n_events=24, n_users=4, n_items=12, seed=3)
    log = with_profiles(with_impressions(with_searches(log, seed=5), seed=6), seed=7, share=0.15)
    settings = quick_settings(
        kafka={"partitions": partitions}, worker={"commit_interval_s": 0.05, "session_timeout_s": 6.0}
    )
    lists = []
    with open_topics(bootstrap, settings) as pipeline:
        entries = [Item(f"item-{n}", f"item-{n} group-{n // 5}", category="abc"[n % 3]) for n in range(16)]
        for record in place_entries([*entries, BAN, *log], partitions):
            if record.place.topic in SOURCE_OF_TOPIC and not pipeline.has_worker:
                pipeline.start_worker()
            sent = pipeline.send(record)
            if record.place.topic in SOURCE_OF_TOPIC:
                lists.append(pipeline.recommendations.of(record.key, after=sent))
                pipeline.wait_until_settled()
        result = run(pipeline.settings.kafka, recording)
        assert result.exit_code == 0, result.output
    assert {type(record.value) for record in read_recording(recording, limits=settings.limits)} == {
        Item, Rule, Interaction, Search, Impression, Profile
    }  # fmt: skip
    return settings, lists


def differing(first: list[Slate], second: list[Slate]) -> list[Slate]:
    """Return those of the first lists that are not, byte for byte, among the second; the first search's is left out.

    A worker loads the encoder beside its first search, and answers that one without.
    """
    lists = {msgspec.json.encode(without_clock(made)) for made in second}
    search = next(made for made in first if made.as_of.topic == "searches")
    return [made for made in first if made is not search and msgspec.json.encode(without_clock(made)) not in lists]


@pytest.mark.timeout(600)
def test_a_replay_has_the_lists_of_production(bootstrap: str, tmp_path: Path) -> None:
    """Byte for byte, with one partition: without a broker, and on another pipeline to which the recording is sent."""
    settings, production = recorded_run(bootstrap, 1, tmp_path / "run.jsonl")

    replayed = replay_log(tmp_path / "run.jsonl", settings=settings)
    assert len(replayed) == len(production) > 30
    assert differing(production, replayed) == []
    assert all("item-1" not in {item.item_id for item in made.items} for made in production)  # the rule bans it
    again = replay_on_broker(bootstrap, tmp_path / "run.jsonl", settings)
    assert differing(production, again) == []


@pytest.mark.timeout(600)
def test_a_replay_of_several_partitions(bootstrap: str, tmp_path: Path) -> None:
    """The catalog has no order across partitions, and sums have other last digits: items have the same scores to 1e-4,
    so that what is nearly as good, an item or the evidence for it, may change places."""
    settings, production = recorded_run(bootstrap, 4, tmp_path / "run.jsonl")
    replayed = replay_log(tmp_path / "run.jsonl", settings=settings)

    by_place = {(made.as_of.topic, made.as_of.partition, made.as_of.offset): made for made in replayed}
    search = next(made for made in production if made.as_of.topic == "searches")
    for made in production:
        if made is search:
            continue
        other = by_place[made.as_of.topic, made.as_of.partition, made.as_of.offset]
        assert (made.user_id, made.as_of, made.seen) == (other.user_id, other.as_of, other.seen)
        found, expected = ({item.item_id: item.score for item in each.items} for each in (made, other))
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_recording_is_produced_again(kafka: KafkaSettings, bootstrap: str, tmp_path: Path) -> None:
    """To topics of another prefix: all of it, with what deletes, to the same partitions."""
    assert run(kafka, tmp_path / "all.jsonl").exit_code == 0
    other = settings_of(bootstrap, "again-")
    topics.create(other)

    words = ["produce", str(tmp_path / "all.jsonl"), "--bootstrap", bootstrap, "--topic-prefix", "again-"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "delivered 11 records" in result.output
    assert run(other.kafka, tmp_path / "again.jsonl").exit_code == 0

    first, second = (
        list(read_recording(tmp_path / name, limits=other.limits)) for name in ("all.jsonl", "again.jsonl")
    )
    assert sorted(map(fact_of, first)) == sorted(map(fact_of, second))


def fact_of(record: Recorded) -> tuple[str, int, str, str]:
    return record.place.topic, record.place.partition, record.key, str(record.value)
