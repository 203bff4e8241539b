"""Contributions to the head on their way through ``head-weights``, without a broker."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from stream_rec.config import Settings, WorkerSettings
from stream_rec.ranking import head as heads
from stream_rec.ranking import merge
from stream_rec.ranking.merge import SharedHead
from stream_rec.stages import exchange as module
from stream_rec.stages.head_exchange import HeadExchange
from tests.ranking.test_merge import chooses, rates, same

SETTINGS = Settings(head=heads.HeadConfig(hidden=3), worker=WorkerSettings(instance_id="me"))


class Topic:
    """The topic and everybody's producer: keeps every record."""

    def __init__(self) -> None:
        self.records: list[SimpleNamespace] = []
        self.delay_s = 0.0

    async def send(self, topic: str, value: bytes, *, key: bytes) -> asyncio.Future[None]:
        assert topic == "head-weights"
        record = SimpleNamespace(topic=topic, partition=0, offset=len(self.records), key=key, value=value)
        return asyncio.ensure_future(self._acknowledge(record))

    async def _acknowledge(self, record: SimpleNamespace) -> None:
        await asyncio.sleep(self.delay_s)
        self.records.append(record)


class Member:
    """One worker's exchange."""

    def __init__(self, topic: Topic, name: str, seed: int | None = None) -> None:
        settings = msgspec.structs.replace(
            SETTINGS,
            worker=msgspec.structs.replace(SETTINGS.worker, instance_id=name),
            ranking=msgspec.structs.replace(SETTINGS.ranking, seed=seed or 1),
        )
        self.shared = SharedHead.cold(settings.head, settings.ranking.seed)
        self.exchange = HeadExchange(topic, self.shared, settings)
        self._topic = topic
        self._n_read = 0

    def read(self) -> None:
        """Take what came since, own records among it."""
        for record in self._topic.records[self._n_read :]:
            self.exchange.take(record)
        self._n_read = len(self._topic.records)

    def begin(self) -> Member:
        self.read()
        asyncio.run(self.exchange.on_start())
        return self

    def go_on(self) -> None:
        self.read()
        asyncio.run(self.exchange.exchange())


def test_two_workers_come_to_one_head():
    """What each learned is in both, and what comes back of its own is not counted again."""
    topic = Topic()
    ann, bob = Member(topic, "ann").begin(), Member(topic, "bob").begin()
    for number in range(4):
        chooses(ann.shared, number)
        ann.go_on()
        chooses(bob.shared, 100 + number, 200 + number)
        bob.go_on()
    ann.go_on()

    assert same(ann.shared.head, bob.shared.head, rtol=1e-3)
    assert ann.shared.head.n_choices == bob.shared.head.n_choices == 12


def test_nothing_is_sent_by_a_worker_that_has_not_learned():
    """What came from others is theirs to tell."""
    topic = Topic()
    ann, bob = Member(topic, "ann").begin(), Member(topic, "bob").begin()
    ann.go_on()
    chooses(bob.shared, 1)
    bob.go_on()
    for _ in range(3):
        ann.go_on()
        bob.go_on()

    assert [record.key for record in topic.records] == [b"bob"]
    assert ann.shared.head.n_choices == 1


def test_ratings_are_told_where_nothing_else_was_learned():
    """As of items that were no candidates, from which the ranking learns nothing."""
    topic = Topic()
    one, other = Member(topic, "one").begin(), Member(topic, "other").begin()
    rates(one.shared, 1)
    one.go_on()
    other.go_on()
    one.go_on()

    assert len(topic.records) == 1
    assert (other.shared.ratings.moments == one.shared.ratings.moments).all() and other.shared.ratings.n_ratings == 1


def test_a_worker_goes_on_from_what_it_told():
    """Also where its records are among others', and older ones of its own are still there."""
    topic = Topic()
    ann, bob = Member(topic, "ann").begin(), Member(topic, "bob").begin()
    for number in range(3):
        chooses(ann.shared, number)
        ann.go_on()
        chooses(bob.shared, 100 + number)
        bob.go_on()
    again = Member(topic, "ann").begin()

    assert again.shared.head.n_choices == 6
    assert again.shared.own().n_choices == 3
    n_records = len(topic.records)
    again.go_on()
    assert len(topic.records) == n_records  # it has learned nothing new
    chooses(again.shared, 7)
    again.go_on()
    assert merge.decode(topic.records[-1].value, *cold()).n_choices == 4


def cold() -> tuple[heads.MixtureHead, bytes]:
    made = heads.cold(SETTINGS.head, 1)
    return made, merge.fingerprint(made)


def test_what_was_learned_last_is_sent_at_the_end():
    """A worker that is told to stop loses nothing."""
    topic = Topic()
    ann = Member(topic, "ann").begin()
    chooses(ann.shared, 1)
    asyncio.run(ann.exchange.on_stop())

    assert merge.decode(topic.records[0].value, *cold()).n_choices == 1


def test_a_broker_that_does_not_answer_does_not_hold_up_the_end(monkeypatch, caplog):
    """What was learned last is worth two seconds, no more; the process still ends with 0."""
    monkeypatch.setattr(module, "LAST_WORDS_S", 0.05)
    topic = Topic()
    topic.delay_s = 30.0
    ann = Member(topic, "ann").begin()
    chooses(ann.shared, 1)
    asyncio.run(ann.exchange.on_stop())

    assert "lost_last_contribution" in caplog.text


@pytest.mark.parametrize("value", [b"", b"nonsense", b"\xff" * 100, "other", None])
def test_what_does_not_fit_is_left_out(caplog, value):
    """A warning says where it stood, and whose it was; a null value takes nothing back and needs no warning."""
    topic = Topic()
    ann, bob = Member(topic, "ann").begin(), Member(topic, "bob").begin()
    chooses(bob.shared, 1)
    bob.go_on()
    if value == "other":
        other = heads.cold(SETTINGS.head, 2)
        value = merge.encode(merge.nothing(other), merge.fingerprint(other))
    with caplog.at_level(logging.WARNING):
        record = SimpleNamespace(topic="head-weights", partition=0, offset=1, key=b"bob", value=value)
        topic.records.append(record)
        ann.go_on()

    assert ann.shared.head.n_choices == 1
    assert ("ignored_contribution at=head-weights[0]@1 key=b'bob'" in caplog.text) == (value is not None)


def test_what_a_head_of_before_had_learned_is_left_out_and_relearned(caplog):
    """After an update the topic holds contributions to a head with other features: also of the worker itself."""
    topic = Topic()
    of_before = (Path(__file__).parents[1] / "data" / "golden" / "contribution-1.bin").read_bytes()
    for offset, key in enumerate((b"ann", b"bob")):
        topic.records.append(
            SimpleNamespace(topic="head-weights", partition=0, offset=offset, key=key, value=of_before)
        )
    with caplog.at_level(logging.WARNING):
        ann = Member(topic, "ann").begin()

    assert ann.shared.head.n_choices == 0
    for offset, key in enumerate(("ann", "bob")):
        assert f"ignored_contribution at=head-weights[0]@{offset} key=b'{key}'" in caplog.text
    assert caplog.text.count("of a head with other features, sizes or seed") == 2
    chooses(ann.shared, 1)
    ann.go_on()
    assert merge.decode(topic.records[-1].value, *cold()).n_choices == 1
