"""RecommendationsView: the newest list of each user, and the default one behind it."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import msgspec
import pytest

from stream_rec.client import RecommendationsView, SurfacesView, view
from stream_rec.client.connect import connect
from stream_rec.errors import BrokerUnavailable, TopicMismatch
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import Reason, Slate, SlateItem
from stream_rec.events.surfaces import PushedSurface, Surfaces
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics


def slate(user_id: str, *item_ids: str) -> Slate:
    items = [SlateItem(item_id, 1.0, 1.0, {"trending": 1.0}, Reason("trending")) for item_id in item_ids]
    return Slate("-".join(item_ids), user_id, 1, None, {}, "test", items)


def record(user_id: str, *item_ids: str) -> SimpleNamespace:
    value = msgspec.json.encode(slate(user_id, *item_ids)) if item_ids else None
    return SimpleNamespace(topic="recommendations", key=user_id.encode(), value=value)


def item(item_id: str, **fields: object) -> SimpleNamespace:
    return item_record(item_id.encode(), msgspec.json.encode(Item(item_id, **fields)))


def item_record(key: bytes | None, value: bytes | None, *, is_misplaced: bool = False) -> SimpleNamespace:
    return SimpleNamespace(topic="items", key=key, value=value, partition=partition_of(key or b"", 2) ^ is_misplaced)


class FakeReader:
    """The edge: a topic that the test fills."""

    topic = "recommendations"

    def __init__(self) -> None:
        self.n_partitions = {"items": 2}
        self.incoming: list[SimpleNamespace] = []
        self.is_ready = True
        self.error: Exception | None = None

    def poll(self, timeout_s: float) -> list[SimpleNamespace]:
        if self.error:
            raise self.error
        records, self.incoming = self.incoming, []
        if not records:
            time.sleep(min(timeout_s, 0.01))
        return records

    def close(self) -> None:
        pass


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    reader = FakeReader()
    monkeypatch.setattr(view, "TopicReader", lambda *_: reader)
    return reader


def test_a_users_own_list_comes_first(topic: FakeReader):
    """Own list, else the default one, else none; the default list is not counted as a user's."""
    lists = RecommendationsView("x", follow=False)
    assert lists.for_user("u") is None
    topic.incoming = [record("*", "a"), record("u", "b")]
    lists.poll(0)

    assert lists.for_user("u") == slate("u", "b")
    assert lists.for_user("v") == slate("*", "a")
    assert lists.own("v") is None
    assert len(lists) == 1


def test_the_newest_record_wins_and_a_tombstone_deletes(topic: FakeReader):
    """Poll returns what changed: the newest list by user, None where it was deleted."""
    lists = RecommendationsView("x", follow=False)
    topic.incoming = [record("u", "a"), record("v", "a"), record("u", "b"), record("v")]

    assert lists.poll(0) == {"u": slate("u", "b"), "v": None}
    assert (lists.own("u"), lists.own("v")) == (slate("u", "b"), None)


def test_what_is_no_list_is_counted_and_skipped(topic: FakeReader):
    """Broken bytes change nothing: the list before stays."""
    lists = RecommendationsView("x", follow=False)
    broken = [(b"u", b"nonsense"), (b"u", b"{}"), (b"\xff", b"{}"), (b"u", b"\xff")]
    topic.incoming = [record("u", "a"), *(SimpleNamespace(topic="recommendations", key=k, value=v) for k, v in broken)]
    lists.poll(0)

    assert lists.undecodable == 4
    assert lists.own("u") == slate("u", "a")


def test_a_view_of_some_users_keeps_no_others(topic: FakeReader):
    """Only the named users and the default list are kept; to ask for another is a mistake, not an empty answer."""
    lists = RecommendationsView("x", users={"u"}, follow=False)
    topic.incoming = [record("u", "a"), record("v", "b"), record("*", "c")]

    assert lists.poll(0).keys() == {"u", "*"}
    assert lists.for_user("u") == slate("u", "a")
    with pytest.raises(ValueError, match="'v' is not among"):
        lists.for_user("v")


def surfaces(user_id: str, **of_surface: str) -> SimpleNamespace:
    """Return a record of surfaces: by name, the letters that are ids of its items."""
    lists = [PushedSurface(name, name, slate(user_id, *item_ids).items) for name, item_ids in of_surface.items()]
    value = msgspec.json.encode(Surfaces(user_id, 1, None, {}, "test", lists)) if lists else None
    return SimpleNamespace(topic="surfaces", key=user_id.encode(), value=value)


def test_surfaces_are_found_by_user_and_name(topic: FakeReader):
    """The user's own though one is empty, else those of users without; none that is not pushed; as lists are."""
    view = SurfacesView("x", follow=False)
    assert view.for_user("u", "new") is None
    topic.incoming = [surfaces("*", new="ab", again=""), surfaces("u", new="c", again=""), surfaces("v", new="d")]
    view.poll(0)

    assert view.for_user("u", "new") == msgspec.structs.replace(slate("u", "c"), list_id="new")
    assert view.for_user("u", "again").items == [] and view.for_user("u", "trending") is None
    assert [item.item_id for item in view.for_user("w", "new").items] == ["a", "b"]
    assert [item.item_id for item in view.for_user("v", "again").items] == []  # v's record is of before it was pushed
    assert len(view) == 2 and view.own("w") is None
    topic.incoming = [surfaces("v"), SimpleNamespace(topic="surfaces", key=b"u", value=b"{}")]
    assert view.poll(0) == {"v": None}
    assert view.undecodable == 1 and [item.item_id for item in view.for_user("u", "new").items] == ["c"]


def test_what_is_gone_is_left_out_of_every_surface(topic: FakeReader):
    """At once, as of lists; a record that shows nothing of it is given as it is."""
    view = SurfacesView("x", follow=False)
    topic.incoming = [surfaces("u", new="abc", again="b", popular="d"), item("b", available=False)]
    view.poll(0)

    shown = [(each.surface, [item.item_id for item in each.items]) for each in view.own("u").surfaces]
    assert shown == [("new", ["a", "c"]), ("again", []), ("popular", ["d"])]
    topic.incoming = [item("b")]
    view.poll(0)
    assert view.own("u") == msgspec.json.decode(surfaces("u", new="abc", again="b", popular="d").value, type=Surfaces)


def test_what_is_gone_is_left_out_at_once(topic: FakeReader):
    """Deleted, or not available; whichever topic was read first. What comes back is shown again."""
    lists = RecommendationsView("x", follow=False)
    topic.incoming = [item("b", available=False), record("u", "a", "b", "c"), record("*", "b", "c", "d")]
    assert [each.item_id for each in lists.poll(0)["u"].items] == ["a", "c"]
    topic.incoming = [item_record(b"a", None), item("x", available=False)]
    lists.poll(0)

    assert [each.item_id for each in lists.own("u").items] == ["c"]
    assert [each.item_id for each in lists.for_user("v").items] == ["c", "d"]
    topic.incoming = [item("a"), item("b")]
    lists.poll(0)
    assert lists.own("u") == slate("u", "a", "b", "c")


def test_who_has_nothing_left_gets_the_default_list(topic: FakeReader):
    """An empty list is of no use while there is another."""
    lists = RecommendationsView("x", follow=False)
    topic.incoming = [record("u", "a"), item("a", available=False)]
    lists.poll(0)
    assert lists.for_user("u").items == []
    topic.incoming = [record("*", "b")]
    lists.poll(0)
    assert lists.for_user("u") == slate("*", "b")


def test_a_record_that_is_no_item_changes_nothing(topic: FakeReader):
    """The workers leave the item as it was, and so does the view."""
    lists = RecommendationsView("x", follow=False)
    bad = [item_record(b"a", value) for value in (b"{", b'{"item_id":"b"}')]
    bad += [item_record(key, None) for key in (b"", b"\xff", None)]
    bad.append(item_record(b"a", None, is_misplaced=True))
    topic.incoming = [record("u", "a", "b"), item("b", available=False), *bad]
    lists.poll(0)
    assert [each.item_id for each in lists.own("u").items] == ["a"]
    assert lists.undecodable == 2


def test_a_view_of_lists_alone_reads_nothing_else(monkeypatch: pytest.MonkeyPatch):
    """Where an app has no permission to read items, or wants lists as they are on the topic."""
    read: list[tuple[str, ...]] = []
    monkeypatch.setattr(view, "TopicReader", lambda kafka, *topics: read.append(topics) or FakeReader())
    RecommendationsView("x", follow=False)
    RecommendationsView("x", follow=False, hide_gone=False)
    assert read == [("recommendations", "items"), ("recommendations",)]


def test_a_list_that_was_got_cannot_change_the_view(topic: FakeReader):
    """Each call decodes anew."""
    lists = RecommendationsView("x", follow=False)
    topic.incoming = [record("u", "a")]
    lists.poll(0)
    lists.own("u").items.clear()

    assert lists.own("u") == slate("u", "a")


def test_a_failure_in_the_thread_is_raised_at_the_next_call(topic: FakeReader):
    """A view that stopped reading does not go on giving old lists."""
    topic.error = RuntimeError("boom")
    with RecommendationsView("x") as lists:
        lists._thread.join(5)
        for call in (lambda: lists.for_user("u"), lambda: len(lists), lists.wait_until_ready):
            with pytest.raises(BrokerUnavailable, match="RuntimeError: boom"):
                call()


def test_waiting_for_a_topic_that_does_not_end_is_given_up(topic: FakeReader):
    """Both ways to read say that the end was not reached."""
    topic.is_ready = False
    for follow in (True, False):
        with (
            RecommendationsView("x", follow=follow) as lists,
            pytest.raises(BrokerUnavailable, match=r"not read to its end within 0\.05 s"),
        ):
            lists.wait_until_ready(0.05)


def test_only_one_reads(topic: FakeReader):
    """A view that follows by itself cannot be polled, nor a closed one."""
    with RecommendationsView("x") as lists, pytest.raises(ValueError, match="follow=False"):
        lists.poll(0)
    polled = RecommendationsView("x", follow=False)
    polled.close()
    with pytest.raises(ValueError, match="closed"):
        polled.poll(0)


def write(kafka: KafkaSettings, *records: SimpleNamespace) -> None:
    """Put lists on the topic, as the user stage does."""
    from kafka import KafkaProducer

    producer = connect(KafkaProducer, kafka)
    for entry in records:
        producer.send(kafka.topic("recommendations"), key=entry.key, value=entry.value)
    producer.close()


@pytest.mark.kafka
def test_the_view_has_all_that_was_there_and_then_what_comes(bootstrap: str):
    """Ready means: everything that was in the topic at the start is in the view; later lists follow by themselves."""
    kafka = fresh_topics(bootstrap)
    write(kafka, *(record(f"u{n}", "old") for n in range(5000)), record("*", "all"), record("u7"))
    n_threads = threading.active_count()
    with RecommendationsView(kafka) as lists:
        lists.wait_until_ready(30)
        assert (len(lists), lists.for_user("u7").list_id, lists.for_user("u8").list_id) == (4999, "all", "old")
        write(kafka, record("u7", "new"))
        deadline = time.monotonic() + 10
        while lists.own("u7") is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lists.own("u7") == slate("u7", "new")
    assert threading.active_count() == n_threads


@pytest.mark.kafka
def test_an_empty_topic_is_ready_at_once(bootstrap: str):
    """A pipeline that has made no list yet is no error."""
    with RecommendationsView(fresh_topics(bootstrap)) as lists:
        lists.wait_until_ready(5)
        assert lists.for_user("u") is None


@pytest.mark.kafka
def test_a_missing_topic_is_said(bootstrap: str):
    """A view of nothing is no view."""
    with pytest.raises(TopicMismatch, match="nobody-recommendations"):
        RecommendationsView(KafkaSettings(bootstrap=bootstrap, topic_prefix="nobody-"))
