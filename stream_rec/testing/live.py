"""A running pipeline as one test sees it: what it sends, and the list that answers each event.

Tests share the pipeline and are kept apart by their ids: each puts a prefix of its own before every id, and takes it
off the lists. What a test has put into the catalog leaves it when the test is over.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NoReturn

import msgspec

from stream_rec.client import EventProducer
from stream_rec.config import Settings
from stream_rec.events.impression import ShownItem, place
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule
from stream_rec.events.slate import Slate, SlateItem
from stream_rec.events.validate import DAY_MS
from stream_rec.logs.recording import Recorded
from stream_rec.operations.send_again import send_again
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.testing.watch import Made, Position, Watch

TIMEOUT_S = 20.0
ITEM_TIMEOUT_S = 0.5
"""More for each item of the catalog: a language model reads long texts at .15 s of CPU each, and machines are busy."""
LAST_LINES = 15
PROBE = "stream-rec-probe"
"""User who asks for lists to see what they know, and does nothing else."""


class NoList(AssertionError):
    """No list answered an event in time; the message says what was seen of it."""


class Sent(str):
    """The id of an event that was sent, with the position at which it stands."""

    position: Position

    @staticmethod
    def at(event_id: str, position: Position) -> Sent:
        """Return the id with its position."""
        sent = Sent(event_id)
        sent.position = position
        return sent


class Recommendations:
    """The lists of a test's users."""

    def __init__(self, pipeline: LivePipeline) -> None:
        self._pipeline = pipeline

    def of(self, user: str, *, after: str | None = None, timeout: float = TIMEOUT_S) -> Slate:
        """Return the first list of a user that has seen an event, with the ids as the test has them.

        Nothing is slept for: the list says itself up to which offset of each topic it has seen its user's events.

        Args:
            user: As the test names them.
            after: The event's id, as a method of the pipeline or the app's own producer returned it; None for the
                newest list, or the first that comes.
            timeout: In seconds.

        Raises:
            NoList: there was none in time.
        """
        pipeline, watch = self._pipeline, self._pipeline.watch
        user_id = pipeline.id(user)
        found: list[Made] = []

        def is_there() -> bool:
            if after is None:
                found[:] = watch.made_for(user_id)[-1:]
            elif (position := pipeline.position(user, after)) is not None:
                found[:] = [made] if (made := watch.answer_to(user_id, position)) is not None else []
            return bool(found)

        if not watch.wait_for(is_there, timeout):
            raise NoList(pipeline.explain(user, after, timeout))
        return pipeline.strip(found[0].slate)


class LivePipeline:
    """A pipeline that runs, for one test. Its methods take ids as the test names them; an app uses ``id`` of them."""

    def __init__(self, running: RunningPipeline, watch: Watch, prefix: str = "") -> None:
        """Look at a pipeline.

        Args:
            prefix: Put before every id of the test.
        """
        self.running = running
        self.watch = watch
        self.prefix = prefix
        self.recommendations = Recommendations(self)
        self._offsets: dict[tuple[str, bytes], int] = {}
        self._delivered = threading.Lock()
        self._producer = EventProducer(running.settings.kafka, linger_ms=0, on_delivered=self._keep_offset)
        self._items: set[str] = set()
        self._rules: set[str] = set()

    @property
    def settings(self) -> Settings:
        """Of the pipeline: ``settings.kafka`` is what an app's clients are made with."""
        return self.running.settings

    @property
    def bootstrap(self) -> str:
        """Address of the broker."""
        return self.settings.kafka.bootstrap

    @property
    def topic_prefix(self) -> str:
        """What stands before the name of every topic."""
        return self.settings.kafka.topic_prefix

    def id(self, name: str) -> str:
        """Return the id that a user, an item or a rule of this test has in the pipeline."""
        return self.prefix + name

    def item(self, item_id: str, title: str = "", **fields: Any) -> None:
        """Put an item into the catalog; return when lists know it, with its embedding.

        Args:
            fields: Others of an item: ``category``, ``tags``, ``attributes``, ``available`` ...
        """
        self.items([Item(item_id, title, **fields)])

    def items(self, items: Iterable[Item]) -> None:
        """Put items into the catalog; return when lists know them all, with their embeddings."""
        sent = [msgspec.structs.replace(item, item_id=self.id(item.item_id)) for item in items]
        for item in sent:
            self._items.add(item.item_id)
            self._producer.item(item)
        self._producer.flush()
        waits = [lambda item=item: self.watch.has_embedded(item) for item in sent] if self.running.has_embedder else []
        self._wait_for_catalog([("items", item.item_id) for item in sent], waits)

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the catalog; return when no new list has it."""
        self._delete([self.id(item_id)], [])

    def rule(self, rule: Rule) -> None:
        """Put a rule in force; return when new lists obey it. Its ids are the test's."""
        target = rule.target
        target = msgspec.structs.replace(target, item_ids=[self.id(item_id) for item_id in target.item_ids])
        sent = msgspec.structs.replace(rule, rule_id=self.id(rule.rule_id), target=target)
        self._rules.add(sent.rule_id)
        self._producer.rule(sent)
        self._producer.flush()
        self._wait_for_catalog([("rules", sent.rule_id)])

    def end_rule(self, rule_id: str) -> None:
        """Take a rule out of force; return when new lists do not obey it any more."""
        self._delete([], [self.id(rule_id)])

    def view(self, user: str, item: str, **fields: Any) -> Sent:
        """Say that a user looked at an item; return the event's id, for ``recommendations.of``.

        Args:
            fields: ``event_id``, ``timestamp_ms``, ``value``, ``context``, as of ``EventProducer.view``.
        """
        return self._at(Kind.VIEW.topic, user, self._producer.view(self.id(user), self.id(item), **fields))

    def click(self, user: str, item: str, **fields: Any) -> Sent:
        """Say that a user clicked on an item; as ``view``."""
        return self._at(Kind.CLICK.topic, user, self._producer.click(self.id(user), self.id(item), **fields))

    def purchase(self, user: str, item: str, **fields: Any) -> Sent:
        """Say that a user bought an item; as ``view``."""
        return self._at(Kind.PURCHASE.topic, user, self._producer.purchase(self.id(user), self.id(item), **fields))

    def search(self, user: str, query: str, item: str | None = None, **fields: Any) -> Sent:
        """Say what a user searched for; as ``view``. What the ids of the test are called is no part of it."""
        about = None if item is None else self.id(item)
        return self._at("searches", user, self._producer.search(self.id(user), query, item_id=about, **fields))

    def impression(self, user: str, list_id: str, items: Iterable[str | ShownItem], **fields: Any) -> Sent:
        """Say which items a user was shown; as ``view``."""
        shown = [msgspec.structs.replace(each, item_id=self.id(each.item_id)) for each in place(items)]
        return self._at("impressions", user, self._producer.impression(self.id(user), list_id, shown, **fields))

    def profile(self, user: str, **fields: Any) -> Sent:
        """Say what a user has said of themselves: ``interests``, ``language``, ``birth_year``; as ``view``."""
        self._producer.profile(self.id(user), **fields)
        return self._at("profiles", user, None)

    def long_ago_ms(self) -> int:
        """Return a time before all of the test's: time goes on with events, and none of them may be late."""
        return max(1, time.time_ns() // 1_000_000 - self.settings.limits.past_ms + DAY_MS)

    def send(self, record: Recorded) -> Sent:
        """Send one record of a recording to the topic of its name, with the ids that it has there."""
        send_again(self._producer, record)
        self._producer.flush()
        key = record.key.encode()
        position = Position(
            record.place.topic, self._partition(key), self._offsets[self._full(record.place.topic), key]
        )
        if isinstance(record.value, Item) and self.running.has_embedder:
            item = record.value
            if not self.watch.wait_for(lambda: self.watch.has_embedded(item), TIMEOUT_S):
                self._fail(f"item {item.item_id!r} was not embedded")
        event_id = str(position) if record.value is None else getattr(record.value, "event_id", str(position))
        return Sent.at(event_id, position)

    @property
    def has_worker(self) -> bool:
        """Whether a worker was started."""
        return any(child.role == "worker" for child in self.running.children.values())

    def start_worker(self) -> None:
        """Start a worker, where the pipeline has none yet; return when it is ready."""
        self.running.start_worker()

    def wait_until_settled(self, timeout: float = 60.0) -> None:
        """Return when what all events teach about items is on ``item-knowledge``, which workers read in a moment.

        Raises:
            RuntimeError: it took longer; the message says which topic is behind.
        """
        self.running.wait_until_settled(timeout)

    def wait_until(self, fact: Callable[[], object], timeout: float = TIMEOUT_S) -> None:
        """Return when something is true of an app that follows lists by itself; it is asked again and again.

        Raises:
            NoList: it was not in time.
        """
        deadline = time.monotonic() + timeout
        while not fact():
            if time.monotonic() > deadline:
                raise NoList(f"it did not become true within {timeout:g} s")
            time.sleep(0.01)

    def position(self, user: str, event_id: str) -> Position | None:
        """Return where an event stands, None while it has not come."""
        if isinstance(event_id, Sent):
            return event_id.position
        return self.watch.position(self.id(user), event_id)

    def strip(self, made: Slate) -> Slate:
        """Return a list with the ids as the test has them. Items of nobody's test are left as they are."""
        items = [self._strip_item(item) for item in made.items]
        return msgspec.structs.replace(made, user_id=made.user_id.removeprefix(self.prefix), items=items)

    def explain(self, user: str, after: str | None, timeout_s: float) -> str:
        """Return in words what was seen of an event, and of its pipeline, when no list answered it."""
        user_id = self.id(user)
        position = None if after is None else self.position(user, after)
        which = "no list" if after is None else f"no list that has seen event {str(after)!r}"
        said = [f"{which} came for user {user!r} ({user_id!r} in the pipeline) within {timeout_s:g} s"]
        if after is not None:
            found = "the event stands on no topic" if position is None else f"the event stands at {position}"
            said.append(f"{found}{'; was it sent to this pipeline, with `pipeline.id(user)`?' if not position else ''}")
        of_event: list[str] = []
        others: list[str] = []
        for rejected in self.watch.rejections():
            topic = rejected.origin.topic.removeprefix(self.topic_prefix)
            at = Position(topic, rejected.origin.partition, rejected.origin.offset)
            (of_event if at == position else others).append(f"rejected: {at}: {rejected.reason}: {rejected.detail}")
        said += of_event or others[-5:] or ["rejected: nothing"]
        newest = self.watch.made_for(user_id)[-1:]
        said += [f"newest list: made on {made.slate.as_of}, has seen {made.slate.seen}" for made in newest]
        for child in self.running.children.values():
            code = child.process.poll()
            state = "runs" if code is None else f"ended with exit code {code}"
            last = "\n  ".join(child.log.read_text(errors="replace").splitlines()[-LAST_LINES:])
            said.append(f"{child.name} {state}; the end of its log:\n  {last}")
        return "\n".join(said)

    def close(self) -> None:
        """Take what this test has put into the catalog out again, and disconnect."""
        try:
            if self._items or self._rules:
                self._delete(sorted(self._items), sorted(self._rules))
        finally:
            self.disconnect()

    def disconnect(self) -> None:
        """Let go of the connections; the catalog stays as it is."""
        self._producer.close()

    def _delete(self, item_ids: list[str], rule_ids: list[str]) -> None:
        for item_id in item_ids:
            self._producer.delete_item(item_id)
        for rule_id in rule_ids:
            self._producer.end_rule(rule_id)
        self._producer.flush()
        self._items -= set(item_ids)
        self._rules -= set(rule_ids)
        gone = [lambda item_id=item_id: self.watch.has_embedded(Item(item_id)) for item_id in item_ids]
        sent = [("items", item_id) for item_id in item_ids] + [("rules", rule_id) for rule_id in rule_ids]
        self._wait_for_catalog(sent, gone if self.running.has_embedder else [])

    def _wait_for_catalog(self, sent: list[tuple[str, str]], waits: Iterable[Any] = ()) -> None:
        """Return when lists are made that know all that was sent to the catalog: they say of what world they are."""
        full = [(self._full(topic), key.encode(), topic) for topic, key in sent]
        positions = [(topic, self._partition(key), self._offsets[name, key]) for name, key, topic in full]
        waits = [*waits, *(lambda at=at: self.watch.has_read(*at) for at in positions)]
        timeout_s = TIMEOUT_S + ITEM_TIMEOUT_S * len(sent)
        if not self.watch.wait_for(lambda: all(wait() for wait in waits), timeout_s):
            self._fail("the catalog's records, or embeddings of them, did not come", timeout_s)
        deadline = time.monotonic() + TIMEOUT_S
        while (made := self._probe()) is None or made.world != self.watch.world():
            if time.monotonic() > deadline:
                self._fail("no list knows the whole catalog")

    def _fail(self, what: str, timeout_s: float = TIMEOUT_S) -> NoReturn:
        raise NoList(f"{what} within {timeout_s:g} s\n{self.explain(PROBE, None, TIMEOUT_S)}")

    def _probe(self) -> Made | None:
        """Return a list that is made now, for a user who does nothing: one who says a year of birth gets one."""
        self._producer.send_profile(Profile(self.id(PROBE), self.long_ago_ms(), birth_year=1970))
        asked = self._at("profiles", PROBE, None)
        user_id = self.id(PROBE)
        self.watch.wait_for(lambda: self.watch.answer_to(user_id, asked.position) is not None, TIMEOUT_S)
        return self.watch.answer_to(user_id, asked.position)

    def _at(self, topic: str, user: str, event_id: str | None) -> Sent:
        """Return an event's id with its position, once the broker has it."""
        self._producer.flush()
        key = self.id(user).encode()
        position = Position(topic, self._partition(key), self._offsets[self._full(topic), key])
        return Sent.at(str(position) if event_id is None else event_id, position)

    def _full(self, topic: str) -> str:
        return self.settings.kafka.topic(topic)

    def _partition(self, key: bytes) -> int:
        return partition_of(key, self.settings.kafka.partitions)

    def _keep_offset(self, topic: str, key: bytes, offset: int) -> None:
        with self._delivered:
            self._offsets[topic, key] = offset

    def _strip_item(self, item: SlateItem) -> SlateItem:
        reason = item.reason
        names: Mapping[str, str | None] = {"item_id": reason.item_id, "rule": reason.rule}
        bare = {name: value.removeprefix(self.prefix) for name, value in names.items() if value is not None}
        reason = msgspec.structs.replace(reason, **bare)
        return msgspec.structs.replace(item, item_id=item.item_id.removeprefix(self.prefix), reason=reason)


@contextmanager
def open_pipeline(bootstrap: str, settings: Settings, *, workers: int = 1) -> Iterator[tuple[RunningPipeline, Watch]]:
    """Start a pipeline with topics of its own, which are deleted at the end, and what watches it.

    Args:
        settings: Their topic prefix is put before one that nobody else has.
    """
    prefix = f"{settings.kafka.topic_prefix}t{uuid.uuid4().hex[:10]}-"
    kafka = msgspec.structs.replace(settings.kafka, topic_prefix=prefix)
    with RunningPipeline(bootstrap, msgspec.structs.replace(settings, kafka=kafka), workers=workers) as running:
        try:
            with closing(Watch(running.settings)) as watch:
                yield running, watch
        finally:
            running.stop()
            running.delete_topics()


@contextmanager
def open_topics(bootstrap: str, settings: Settings) -> Iterator[LivePipeline]:
    """Give a pipeline without a worker: items are embedded, and lists come when one is started."""
    with open_pipeline(bootstrap, settings, workers=0) as opened:
        pipeline = LivePipeline(*opened)
        try:
            yield pipeline
        finally:
            pipeline.disconnect()


@contextmanager
def open_live(bootstrap: str, settings: Settings) -> Iterator[LivePipeline]:
    """Give a pipeline that knows nothing yet, and reads searches with its encoder from the first one on."""
    with open_pipeline(bootstrap, settings) as opened:
        load_query_encoder(*opened)
        pipeline = LivePipeline(*opened)
        try:
            yield pipeline
        finally:
            pipeline.disconnect()


def load_query_encoder(running: RunningPipeline, watch: Watch) -> None:
    """Return when searches are read with the encoder: a worker loads it beside the first one."""
    if running.settings.worker.query_encoder == "off":
        return
    pipeline = LivePipeline(running, watch)
    pipeline.recommendations.of(PROBE, after=pipeline.search(PROBE, "anything", timestamp_ms=pipeline.long_ago_ms()))
    for child in running.children.values():
        if child.role == "worker":
            child.wait_for_log("query_encoder_")
    pipeline.disconnect()


def new_prefix() -> str:
    """Return what keeps the ids of one test apart."""
    return f"{uuid.uuid4().hex[:8]}-"
