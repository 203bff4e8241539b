"""What a run through Kafka must come to, whatever happened to its processes: what the replay of the log comes to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.protocol.consumer import OffsetSpec

from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.embedding.encoder import build
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.events.impression import Impression
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rejected import Rejected
from stream_rec.events.search import Search
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.events.surfaces import Surfaces
from stream_rec.knowledge import fading
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.fading import Fading
from stream_rec.knowledge.state import ItemState
from stream_rec.pipeline import Pipeline
from stream_rec.stages.embedder import group_of
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import state as user_state
from stream_rec.user.state import UserState
from tests.kafka.logs import Logged, sent_as

T = TypeVar("T", Slate, Surfaces)
_SLATE = msgspec.json.Decoder(Slate)
_SURFACES = msgspec.json.Decoder(Surfaces)


def replayed(settings: Settings, log: Iterable[Logged]) -> Pipeline:
    """Return the brokerless pipeline that has learned ``log``."""
    pipeline = Pipeline(settings)
    for line in log:
        if isinstance(line, Search):
            pipeline.search(line)
        elif isinstance(line, Impression):
            pipeline.impress(line)
        elif isinstance(line, Profile):
            pipeline.declare(line)
        else:
            pipeline.fold(line.kind, line.event)
    return pipeline


def assert_same_as_replay(
    running: RunningPipeline, log: Sequence[Logged], *, ordered: bool = True, beginnings: bool = True
) -> None:
    """Assert that users and items are known as the replay of ``log`` knows them, and that all of it reached lists.

    Args:
        ordered: Whether the order between topics cannot have made a difference: no user's recent events or weekly
            counts were ever full of events of several topics. Else pairs may differ, and repeats of items that the
            weekly counts had forgotten.
        beginnings: Whether each topic has a user's events in the order of ``log``: else their first ones may differ.
    """
    assert_same_as(running, replayed(running.settings, log), ordered=ordered, beginnings=beginnings)
    assert_all_in_lists(running, log)


def assert_same_as(
    running: RunningPipeline,
    expected: Pipeline,
    *,
    ordered: bool = True,
    beginnings: bool = True,
    apart: str | None = None,
) -> None:
    """Assert that users and items are known as a replay knows them.

    Args:
        ordered: As of ``assert_same_as_replay``, as is ``beginnings``.
        apart: How the ids of those items begin that are not ``ordered`` where the others are.
    """
    assert_same_users(running.user_states(), expected.users)
    assert user_state.digest(running.user_states()) == user_state.digest(expected.users)
    assert_same_items(running.item_states(), expected.items, ordered=ordered, beginnings=beginnings, apart=apart)
    knowledge = running.read_compacted("item-knowledge")
    published = {item_id: item_state.decode(value) for item_id, value in knowledge.items()}
    assert_same_items(published, expected.items, ordered=ordered, beginnings=beginnings, apart=apart)


def assert_same_users(found: dict[str, UserState], expected: dict[str, UserState]) -> None:
    """Assert that facts are equal byte for byte; say of the first user whose facts differ, which."""
    assert found.keys() == expected.keys()
    for user_id, state in found.items():
        if user_state.facts(state) != user_state.facts(expected[user_id]):
            parts = map(msgspec.msgpack.decode, map(user_state.facts, (state, expected[user_id])))
            differing = [f"came {came!r}, expected {wanted!r}" for came, wanted in zip(*parts) if came != wanted]
            raise AssertionError(f"user {user_id!r}: {'; '.join(differing)[:2000]}")


def assert_same_items(
    found: dict[str, ItemState],
    expected: dict[str, ItemState],
    *,
    ordered: bool = True,
    beginnings: bool = True,
    apart: str | None = None,
) -> None:
    """Assert that counts, repeats, visits, pairs, queries and slots are equal, and what fades but for rounding."""
    assert {i: s.counts for i, s in found.items()} == {i: s.counts for i, s in expected.items()}
    for item_id, item in expected.items():
        assert (found[item_id].first_ms, found[item_id].last_ms) == (item.first_ms, item.last_ms)
        assert found[item_id].visits == item.visits
        assert found[item_id].shown == item.shown
        assert found[item_id].sums == pytest.approx(item.sums, rel=1e-9)
        if ordered and not (apart and item_id.startswith(apart)):
            assert found[item_id].repeats == item.repeats
            assert found[item_id].predecessors == item.predecessors
            assert found[item_id].chosen == item.chosen
            assert_same_sums(found[item_id].queries, item.queries)
            assert_same_sums(found[item_id].contexts, item.contexts)
            assert found[item_id].ratings == item.ratings
            if beginnings:
                assert found[item_id].first_sums == pytest.approx(item.first_sums, rel=1e-9)
                assert found[item_id].last_first_ms == item.last_first_ms


def assert_same_sums(found: Mapping[int, Fading], expected: Mapping[int, Fading]) -> None:
    """Assert that what fades is as much by the same numbers: exactly, and as of one time as much but for rounding.

    As of which time sums are is no fact: it is that of the newest event that ever answered, since the last time that
    none did; a correction may have come in between.
    """
    assert {number: weight for number, (weight, _, _) in found.items()} == {
        number: weight for number, (weight, _, _) in expected.items()
    }
    for number, (_, total, last_ms) in expected.items():
        _, other, other_ms = found[number]
        now_ms = max(last_ms, other_ms)
        faded, other_faded = (
            each * 2.0 ** (-(now_ms - each_ms) / fading.HALF_LIFE_MS)
            for each, each_ms in ((total, last_ms), (other, other_ms))
        )
        assert other_faded == pytest.approx(faded, rel=1e-9, abs=2 * fading.NOTHING)


def assert_all_in_lists(running: RunningPipeline, log: Iterable[Logged]) -> None:
    """Assert that each user's last list has seen the last events of that user, and that no list went back.

    Of pushed surfaces the same, and that what each user has last of both was made on one event.
    """
    sent = {msgspec.json.encode(event) for _, event in map(sent_as, log)}
    last: dict[str, dict[str, int]] = defaultdict(dict)
    for topic in SOURCE_OF_TOPIC:
        for record in read(running, topic):
            if record.value in sent:  # not one of those that were rejected
                last[record.key.decode()][topic] = record.offset
    newest = _newest_of_users(running, "recommendations", _SLATE)
    assert {user_id: slate.seen for user_id, slate in newest.items()} == last
    if pushed := running.settings.surfaces.pushed:
        surfaces = _newest_of_users(running, "surfaces", _SURFACES)
        assert {user_id: made.seen for user_id, made in surfaces.items()} == last
        assert {user_id: made.as_of for user_id, made in surfaces.items()} == {u: s.as_of for u, s in newest.items()}
        assert {tuple(each.surface for each in made.surfaces) for made in surfaces.values()} == {tuple(pushed)}


def _newest_of_users(running: RunningPipeline, topic: str, decoder: msgspec.json.Decoder[T]) -> dict[str, T]:
    """Return what each user has last on a topic; assert that nothing went back there."""
    newest: dict[str, T] = {}
    for record in read(running, topic):
        if record.value is None or record.key == DEFAULT_LIST.encode():
            continue
        made = decoder.decode(record.value)
        earlier = newest[made.user_id].seen if made.user_id in newest else {}
        gone_back = {source: offset for source, offset in earlier.items() if made.seen.get(source, -1) < offset}
        assert not gone_back, f"{topic}@{record.offset} of {made.user_id} has seen less than the one before it"
        newest[made.user_id] = made
    return newest


def lists_delivered_again(running: RunningPipeline) -> tuple[int, int]:
    """Return how many lists there are, and how many records say one of them again; assert that these are the same."""
    values: dict[str, bytes] = {}
    again = 0
    for record in read(running, "recommendations"):
        if record.value is not None:
            list_id = _SLATE.decode(record.value).list_id
            again += list_id in values
            first = values.setdefault(list_id, record.value)
            assert first == record.value, f"list {list_id} was delivered twice and differs"
    return len(values), again


def open_records(running: RunningPipeline) -> dict[str, int]:
    """Return how many records of each partition are not committed yet by the workers, or by the embedder."""
    kafka = running.settings.kafka
    workers = kafka.topic(running.settings.worker.app_id)
    client = connect(KafkaAdminClient, kafka)
    try:
        groups = {group["group_id"] for group in client.list_groups()}
        embedders = groups & {kafka.topic(group_of(build(running.settings.embedder)))}  # those of before are behind
        read_by = {workers: [*SOURCE_OF_TOPIC, "item-signals"], **{group: ["items"] for group in embedders}}
        wanted = {
            group: [
                TopicPartition(kafka.topic(topic), number) for topic in topics for number in range(kafka.partitions)
            ]
            for group, topics in read_by.items()
        }
        committed = client.list_group_offsets(wanted)
        partitions = [tp for group in wanted for tp in wanted[group]]
        ends = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    finally:
        client.close()
    found = {}
    for group in wanted:
        for tp in wanted[group]:
            n_done = max(0, committed[group][tp].offset) if tp in committed[group] else 0
            if n_done != ends[tp].offset:
                found[f"{tp.topic}[{tp.partition}]"] = ends[tp].offset - n_done
    return found


def assert_committed_to_the_end(running: RunningPipeline) -> None:
    """Assert that workers and embedder have committed every record of every partition that they read."""
    assert not (found := open_records(running)), f"not committed to the end: {found}"


def assert_rejected_exactly(
    running: RunningPipeline, rejectable: Collection[tuple[str, bytes | None, bytes | None]]
) -> None:
    """Assert that ``rejected`` names each record that is one of ``rejectable`` at least once, and no other.

    Args:
        rejectable: (topic without prefix, key, value) of records that were sent.
    """
    wanted = set(rejectable)
    origins = {
        (record.topic, record.partition, record.offset)
        for topic in [*SOURCE_OF_TOPIC, "forget", "items", "rules", "item-signals"]
        for record in read(running, topic)
        if (topic, record.key, record.value) in wanted
    }
    found = set()
    for record in read(running, "rejected"):
        if record.value is not None:
            origin = msgspec.json.decode(record.value, type=Rejected).origin
            found.add((origin.topic, origin.partition, origin.offset))
    assert found == origins, f"not rejected: {sorted(origins - found)[:5]}; wrongly: {sorted(found - origins)[:5]}"


def assert_all_embedded(running: RunningPipeline, items: Iterable[Item], timeout_s: float = 0.0) -> None:
    """Assert that every item has an embedding of its newest text, of the encoders that are set, in the bytes that there
    would be without a broker.

    Args:
        timeout_s: How long embeddings may be on their way: of an embedder that embeds all again nobody sees how far.
    """
    records = [ItemRecord(item.item_id.encode(), msgspec.json.encode(item)) for item in items]
    made = embed(records, {}, build(running.settings.embedder), running.settings.limits)
    wanted = {item_id: item_embedding.encode(embedding) for item_id, embedding in made.embeddings}
    deadline = time.monotonic() + timeout_s
    while True:
        found = running.read_compacted("item-embeddings")
        wrong = sorted(item_id for item_id, value in wanted.items() if found.get(item_id) != value)
        if not wrong or time.monotonic() > deadline:
            break
    assert not wrong, (
        f"{len(wrong)} of {len(wanted)} items have no embedding, or another than in the replay: {wrong[:5]}"
    )


def read(running: RunningPipeline, topic: str) -> list[ConsumerRecord]:
    """Return all records of a topic, named without prefix, of each partition in order."""
    reader = TopicReader(running.settings.kafka, topic)
    try:
        return reader.read_to_end(60.0)
    finally:
        reader.close()


class Count:
    """How many records a topic has by now, quickly."""

    def __init__(self, running: RunningPipeline, topic: str) -> None:
        kafka = running.settings.kafka
        self._consumer = connect(KafkaConsumer, kafka, group_id=None)
        self._partitions = [TopicPartition(kafka.topic(topic), number) for number in range(kafka.partitions)]

    def __call__(self) -> int:
        return sum(self._consumer.end_offsets(self._partitions).values())

    def wait_for(self, n: int, timeout_s: float = 60.0) -> None:
        """Return when there are at least ``n``."""
        wait_until(lambda: self() >= n, timeout_s)

    def __enter__(self) -> Count:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def wait_until(fact: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Return when ``fact()`` is true; it is asked again and again."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s:g} s"
        time.sleep(0.002)
