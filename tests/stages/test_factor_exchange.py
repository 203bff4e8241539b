"""How far items were moved, on its way through ``head-weights``, without a broker."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from stream_rec.catalog import bpr, factors
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.factors import DIMENSIONS
from stream_rec.config import Settings
from stream_rec.stages import exchange as module
from stream_rec.stages.factor_exchange import MOST_WORKERS, RECORDS, FactorExchange, is_shift
from tests.catalog.stock import embedded

ITEMS = ("a", "tea/pot/é", "/", "c")


class Topic:
    """The topic and everybody's producer: keeps every record."""

    def __init__(self) -> None:
        self.records: list[SimpleNamespace] = []
        self.delay_s = 0.0

    async def send(self, topic: str, value: bytes | None, *, key: bytes) -> asyncio.Future:
        assert topic == "head-weights"
        record = SimpleNamespace(topic=topic, partition=0, offset=len(self.records), key=key, value=value)
        return asyncio.ensure_future(self._acknowledge(record))

    async def _acknowledge(self, record: SimpleNamespace) -> None:
        await asyncio.sleep(self.delay_s)
        self.records.append(record)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take a record from anybody."""
        self.records.append(
            SimpleNamespace(topic="head-weights", partition=0, offset=len(self.records), key=key, value=value)
        )

    def told(self) -> list[str]:
        return [record.key.decode() for record in self.records]


class Member:
    """One worker's exchange and catalog, which heard of the items in its own order."""

    def __init__(self, topic: Topic, name: str, item_ids: tuple[str, ...] = ITEMS) -> None:
        worker = msgspec.structs.replace(Settings().worker, instance_id=name)
        self.catalog = Catalog()
        for item_id in item_ids:
            self.catalog.put_embedding(item_id, embedded([1.0, len(item_id)]))
        self.exchange = FactorExchange(topic, self.catalog, msgspec.structs.replace(Settings(), worker=worker))
        self._topic = topic
        self._n_read = 0

    def read(self) -> Member:
        """Take what came since, own records among it."""
        for record in self._topic.records[self._n_read :]:
            assert is_shift(record)
            self.exchange.take(record)
        self._n_read = len(self._topic.records)
        return self

    def go_on(self, n: int = RECORDS) -> None:
        self.read()
        asyncio.run(self.exchange.exchange(n))

    def chooses(self, *item_ids: str, seed: int = 0) -> Member:
        """Let a user of some taste choose; before anybody chose, all items were chosen."""
        mine = self.catalog.factors
        if not mine.n_choices:
            mine.choose(np.arange(len(self.catalog)).repeat(bpr.LEAST_POOL))
        user = np.random.default_rng(seed).normal(0, 1, DIMENSIONS).astype(np.float32)
        bpr.learn(user, np.array([self.catalog.find(item_id) for item_id in item_ids]), mine)
        return self

    def moved(self, *item_ids: str) -> Member:
        """Let users have moved items in this order."""
        for item_id in item_ids:
            self.catalog.factors.mark_shifted(np.array([self.catalog.find(item_id)]))
        return self

    def vectors(self, of: str = "vectors") -> np.ndarray:
        """Return the items' vectors in one order for all members."""
        return getattr(self.catalog.factors, of)[[self.catalog.find(item_id) for item_id in ITEMS]]


def same(first: Member, second: Member) -> bool:
    return np.allclose(first.vectors(), second.vectors(), atol=2e-3)


def test_two_workers_come_to_the_same_vectors():
    """What each one's users moved is in both, and what comes back of its own is not counted again."""
    topic = Topic()
    ann, bob = Member(topic, "ann"), Member(topic, "bob", ITEMS[::-1])
    cold = ann.vectors()
    for number in range(6):
        ann.chooses(*ITEMS[: number % 3 + 1], seed=number).go_on()
        bob.chooses(ITEMS[3 - number % 4], seed=100 + number).go_on()
    assert not same(ann, bob)
    ann.read()

    assert same(ann, bob)
    expected = cold + ann.vectors("own") + bob.vectors("own")
    assert np.allclose(ann.vectors(), expected, atol=2e-3) and np.abs(expected - cold).max() > 0.1
    assert ann.vectors("own").any() and bob.vectors("own").any()


def test_nothing_is_sent_by_a_worker_whose_users_chose_nothing():
    """What came from others is theirs to tell, and what was told is told once."""
    topic = Topic()
    ann, bob = Member(topic, "ann"), Member(topic, "bob")
    bob.chooses("a").go_on()
    n_records = len(topic.records)
    for _ in range(3):
        ann.go_on()
        bob.go_on()

    assert len(topic.records) == n_records > 0
    assert {key.partition("/")[0] for key in topic.told()} == {"bob"}


def test_a_few_items_are_sent_at_a_time():
    """The first changed first; one that changes again before its turn keeps it, and is told as it is then."""
    topic = Topic()
    ann = Member(topic, "ann").moved("c", "a", "tea/pot/é")
    ann.go_on(2)
    assert topic.told() == ["ann/c", "ann/a"]

    ann.moved("/", "c", "tea/pot/é")
    ann.catalog.factors.own[ann.catalog.find("tea/pot/é")] = 0.5
    ann.go_on(2)
    assert topic.told()[2:] == ["ann/tea/pot/é", "ann//"]
    assert factors.decode(topic.records[2].value).tolist() == [0.5] * DIMENSIONS
    ann.go_on(2)
    assert topic.told()[4:] == ["ann/c"]


def test_an_item_is_named_as_it_is():
    """Whatever stands in its id: only the first slash is between worker and item."""
    topic = Topic()
    ann, bob = Member(topic, "ann").chooses(*ITEMS), Member(topic, "bob")
    ann.go_on()
    bob.read()

    assert sorted(topic.told()) == sorted(f"ann/{item_id}" for item_id in ITEMS)
    assert len(bob.catalog) == len(ITEMS)
    assert same(ann, bob)


def test_an_item_may_be_moved_before_it_is_known():
    """Records of one topic wait for no other's; when its text comes, it is the text and the moves."""
    topic = Topic()
    Member(topic, "ann").chooses(*ITEMS).go_on()
    late = Member(topic, "bob", ()).read()
    for item_id in ITEMS:
        late.catalog.put_embedding(item_id, embedded([1.0, len(item_id)]))

    assert same(late, Member(topic, "eve").read())


def test_a_worker_goes_on_from_what_it_told():
    """Its newest words, though older ones are still there; what is learned then is added to them."""
    topic = Topic()
    ann, bob = Member(topic, "ann"), Member(topic, "bob")
    for number in range(4):
        ann.chooses(*ITEMS, seed=number).go_on()
        bob.chooses(*ITEMS, seed=100 + number).go_on()
    ann.read()
    again = Member(topic, "ann").read()

    assert same(again, ann)
    assert np.allclose(again.vectors("own"), ann.vectors("own"), atol=2e-3)
    n_records = len(topic.records)
    again.go_on()
    assert len(topic.records) == n_records  # its users have chosen nothing new
    again.chooses("a", seed=7).go_on()
    again.read()
    bob.read()
    assert same(again, bob)


def test_what_was_learned_last_is_sent_at_the_end():
    """All of it, however many items a worker sends at a time."""
    topic = Topic()
    item_ids = tuple(f"i{n}" for n in range(3 * RECORDS))
    ann = Member(topic, "ann", item_ids).moved(*item_ids)
    asyncio.run(ann.exchange.on_stop())

    assert topic.told() == [f"ann/{item_id}" for item_id in item_ids]
    assert not ann.catalog.factors.changed


def test_a_broker_that_does_not_answer_does_not_hold_up_the_end(monkeypatch, caplog):
    """What was learned last is worth two seconds, no more; the process still ends with 0."""
    monkeypatch.setattr(module, "LAST_WORDS_S", 0.05)
    topic = Topic()
    topic.delay_s = 30.0
    asyncio.run(Member(topic, "ann").chooses("a").exchange.on_stop())

    assert "lost_last_shift" in caplog.text


def test_moves_are_sent_every_so_often():
    """As often as heads are, so many at a time."""
    topic = Topic()
    item_ids = tuple(f"i{n}" for n in range(2 * RECORDS + 1))
    worker = msgspec.structs.replace(Settings().worker, instance_id="ann", head_interval_s=0.05)
    ann = Member(topic, "ann", item_ids).moved(*item_ids)

    async def scenario() -> list[int]:
        settings = msgspec.structs.replace(Settings(), worker=worker)
        counts = []
        async with FactorExchange(topic, ann.catalog, settings):
            while len(topic.records) < len(item_ids):
                await asyncio.sleep(0.001)
                if not counts or counts[-1] != len(topic.records):
                    counts.append(len(topic.records))
        return counts

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == [0, RECORDS, 2 * RECORDS, 2 * RECORDS + 1]


GOOD = factors.encode(np.full(DIMENSIONS, 0.25, dtype=np.float32))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"bob/a", b""),
        (b"bob/a", b"nonsense"),
        (b"bob/a", b"\xff" * 129),
        (b"bob/a", GOOD[:-1]),
        (b"bob/a", GOOD[:-2] + b"\x00\x7c"),
        (b"me/a", GOOD[:-1]),
        (b"bob/", GOOD),
        (b"bob/\xff", GOOD),
        (b"bob/" + b"i" * 1000, GOOD),
    ],
    ids=["empty", "text", "newer", "cut", "infinite", "own", "no item", "not UTF-8", "too long"],
)
def test_what_cannot_be_read_is_left_out(caplog, key, value):
    """A warning says where it stood, and whose it was; what was told before stays."""
    topic = Topic()
    me = Member(topic, "me")
    topic.put(b"bob/a", GOOD)
    before = me.read().vectors()
    topic.put(key, value)
    with caplog.at_level(logging.WARNING):
        me.read()

    assert np.array_equal(me.vectors(), before)
    assert len(me.catalog) == len(ITEMS)
    assert f"ignored_shift at=head-weights[0]@1 key={key!r} why=" in caplog.text


@pytest.mark.parametrize("key", [b"bob/a", b"me/a", b"bob/never-heard-of"])
def test_a_null_value_takes_nothing_back(caplog, key):
    """What others have learned since rests on it."""
    topic = Topic()
    me = Member(topic, "me")
    topic.put(b"bob/a", GOOD)
    topic.put(b"me/a", GOOD)
    before = me.read().vectors()
    topic.put(key, None)
    with caplog.at_level(logging.WARNING):
        me.read()

    assert np.array_equal(me.vectors(), before)
    assert len(me.catalog) == len(ITEMS)
    assert not caplog.text


@pytest.mark.parametrize(
    ("key", "expected"), [(b"w1", False), (b"w1/a", True), (b"w1/a/b", True), (None, False), (b"", False)]
)
def test_moves_are_told_from_heads_by_their_key(key, expected):
    """A worker's name holds no slash."""
    assert is_shift(SimpleNamespace(key=key)) is expected


def test_no_more_workers_are_heard_than_there_is_memory_for(caplog):
    """Each name costs memory for every item: of those that come after so many nothing is taken, and it is said."""
    topic = Topic()
    ann = Member(topic, "ann")
    cold = ann.vectors()
    for number in range(MOST_WORKERS):
        topic.put(b"worker-%d/c" % number, GOOD)
    ann.read()
    topic.put(b"one-more/a", GOOD)
    topic.put(b"worker-0/a", GOOD)
    with caplog.at_level(logging.WARNING):
        ann.read()

    assert caplog.text.count("ignored_shift") == 1 and "instance ids" in caplog.text
    moved = ann.vectors() - cold
    assert np.allclose(moved[0], 0.25) and np.allclose(moved[3], MOST_WORKERS * 0.25)  # a and c
