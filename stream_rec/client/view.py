"""The way out: the newest lists of every user, in memory, with the default ones behind them."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Iterable
from typing import ClassVar, Generic, Self, TypeVar

import msgspec
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.connect import settings_of
from stream_rec.client.reader import TopicReader
from stream_rec.client.workers import APP_ID, why_no_list
from stream_rec.errors import BrokerUnavailable, UnreadableRecords
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.slate import DEFAULT_LIST, Slate, SlateItem
from stream_rec.events.surfaces import Surfaces
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings

T = TypeVar("T", Slate, Surfaces)
_LIMITS = InputLimits()


class _View(Generic[T]):
    """The newest record of every user of one topic, less what is gone."""

    _topic: ClassVar[str]
    _decoder: ClassVar[msgspec.json.Decoder]  # type: ignore[type-arg]  # of T, which a class's own cannot be

    def __init__(
        self,
        kafka: KafkaSettings | str,
        *,
        users: Container[str] | None = None,
        follow: bool = True,
        hide_gone: bool = True,
    ) -> None:
        """Connect and start to read from the beginning of the topics.

        Args:
            kafka: Settings, or just the brokers: ``host:port,...``.
            users: Keep only these users' lists, and the default list: a set, or anything that knows ``in``.
            hide_gone: Follow ``items`` and leave out what is gone. False gives lists as they are on the topic, and
                needs no permission to read ``items``.

        Raises:
            BrokerUnavailable: no broker answered within 10 s.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
            TopicMismatch: there is no such topic, or this user may not read it.
        """
        self._users = users
        self._kafka = settings_of(kafka)
        self._reader = TopicReader(self._kafka, self._topic, *(["items"] if hide_gone else []))
        self._items_topic = self._kafka.topic("items")
        self._gone: set[str] = set()
        """Items whose newest record deletes them, or says that they are not available."""
        self._lists: dict[str, bytes] = {}
        self._undecodable = 0
        self._failure: BaseException | None = None
        self._is_ready = threading.Event()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        if follow:
            self._thread = threading.Thread(target=self._follow, name=f"{self._topic}-view", daemon=True)
            self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether all that was in the topics at the start is in the view."""
        self._raise_failure()
        return self._is_ready.is_set()

    @property
    def undecodable(self) -> int:
        """How many records were no lists, or no items, and were skipped."""
        return self._undecodable

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until all that was in the topics at the start is in the view.

        It may then be empty: see ``why_no_list``.

        Raises:
            BrokerUnavailable: that took longer than ``timeout_s``, or reading has ended.
            UnreadableRecords: records are compressed with a codec whose library is missing.
            TopicMismatch: without ``follow``: this user may not read a topic any more.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready and time.monotonic() < deadline:
            if self._thread:
                self._is_ready.wait(max(0.0, deadline - time.monotonic()))
            else:
                self.poll(0.1)
        if not self.is_ready:
            raise BrokerUnavailable(f"topic {self._reader.topic} was not read to its end within {timeout_s:g} s")

    def own(self, user_id: str) -> T | None:
        """Return what the user has of their own, or None.

        Raises:
            ValueError: the view was made for other users.
        """
        self._raise_failure()
        if not self._keeps(user_id):
            raise ValueError(f"user {user_id!r} is not among the `users` that this view was made for")
        value = self._lists.get(user_id)
        return None if value is None else self._without_gone(value)

    def why_no_list(self, app_id: str = APP_ID) -> str:
        """Return in words why ``for_user`` returns None: that no worker is ready, as a rule.

        Args:
            app_id: As set in ``worker.app_id``.

        Raises:
            BrokerUnavailable: the broker did not say.
            LoginRefused: it does not let us in any more.
            NotAllowed: this user may not see the workers' group.
        """
        return why_no_list(self._kafka, app_id)

    def __len__(self) -> int:
        """Return how many users have a list of their own."""
        self._raise_failure()
        return len(self._lists) - (DEFAULT_LIST in self._lists)

    def poll(self, timeout_s: float) -> dict[str, T | None]:
        """Take in what has come and return it: the newest by user, None where it was deleted.

        A list that has only lost an item is not among them before it is published again.

        Only for a view that does not follow. Waits for up to ``timeout_s`` if nothing has come.

        Raises:
            ValueError: the view follows by itself, or is closed.
            UnreadableRecords: records are compressed with a codec whose library is missing.
            TopicMismatch: this user may not read a topic any more.
        """
        if self._thread:
            raise ValueError("this view follows by itself; make it with follow=False to poll")
        if self._is_closed.is_set():
            raise ValueError(f"this {type(self).__name__} is closed; make a new one")
        changed = self._take(self._reader.poll(timeout_s))
        return {user_id: self._without_gone(value) if value else None for user_id, value in changed.items()}

    def close(self) -> None:
        """Stop reading; what was read can still be asked for."""
        self._is_closed.set()
        if self._thread:
            self._thread.join()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keeps(self, user_id: str) -> bool:
        return self._users is None or user_id == DEFAULT_LIST or user_id in self._users

    def _without_gone(self, value: bytes) -> T:
        return self._without(self._decoder.decode(value))

    def _without(self, made: T) -> T:
        """Return a record less what is gone."""
        raise NotImplementedError

    def _left(self, items: list[SlateItem]) -> list[SlateItem]:
        """Return the items that are not gone."""
        return [item for item in items if item.item_id not in self._gone]

    def _take_item(self, record: ConsumerRecord) -> None:
        """Take a record of ``items`` as the workers do: what is no item leaves the one before as it was."""
        place = Place(record.partition, self._reader.n_partitions[record.topic])
        read = validate.item_record(record.key, record.value, limits=_LIMITS, place=place)
        if isinstance(read, Rejection):
            self._undecodable += record.value is not None
            return
        item_id, item = read
        if item is not None and item.available:
            self._gone.discard(item_id)
        else:
            self._gone.add(item_id)

    def _take(self, records: Iterable[ConsumerRecord]) -> dict[str, bytes | None]:
        changed: dict[str, bytes | None] = {}
        for record in records:
            if record.topic == self._items_topic:
                self._take_item(record)
                continue
            try:
                user_id = (record.key or b"").decode()
                if not self._keeps(user_id):
                    continue
                if record.value is not None:
                    self._decoder.decode(record.value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._undecodable += 1
                continue
            if record.value is None:
                self._lists.pop(user_id, None)
            else:
                self._lists[user_id] = record.value
            changed[user_id] = record.value
        if self._reader.is_ready:
            self._is_ready.set()
        return changed

    def _follow(self) -> None:
        try:
            while not self._is_closed.is_set():
                self._take(self._reader.poll(0.2))
        except BaseException as error:  # for the caller's thread: see _raise_failure
            self._failure = error
            self._is_ready.set()

    def _raise_failure(self) -> None:
        if isinstance(self._failure, UnreadableRecords):  # a broker that comes back mends nothing
            raise self._failure
        if self._failure:
            raise BrokerUnavailable(
                f"reading topic {self._reader.topic} ended ({type(self._failure).__name__}: {self._failure}); "
                "make a new view when the broker is back"
            ) from self._failure


class RecommendationsView(_View[Slate]):
    """The newest list of every user, in memory: the ``recommendations`` topic as a mapping; many threads may share one.

    With ``follow`` a thread of its own keeps it up to date; an error in there comes out of every later call that asks
    for lists, as ``BrokerUnavailable``, or ``UnreadableRecords`` where a codec is missing. Without, call ``poll``, from
    one thread. Lists are kept as bytes, a tenth of the memory, and decoded at each call.

    The workers publish a list again within seconds when one of its items is gone. The view does not wait for them: it
    follows ``items`` too, keeps the ids of those that are gone now (deleted, or not available), and leaves them out. So
    a list may be shorter than the one on the topic whose ``list_id`` it bears.
    """

    _topic = "recommendations"
    _decoder = msgspec.json.Decoder(Slate)

    def for_user(self, user_id: str) -> Slate | None:
        """Return the user's own list, unless nothing is left of it; else the default list, else None.

        Raises as ``own`` does.
        """
        own = self.own(user_id)
        return own if own is not None and own.items else self.own(DEFAULT_LIST) or own

    def _without(self, made: Slate) -> Slate:
        left = self._left(made.items)
        return made if len(left) == len(made.items) else msgspec.structs.replace(made, items=left)


class SurfacesView(_View[Surfaces]):
    """The newest pushed surfaces of every user, in memory: as ``RecommendationsView``, of the ``surfaces`` topic.

    Example::

        with SurfacesView("localhost:9092") as surfaces:
            surfaces.wait_until_ready()
            again = surfaces.for_user("user-7", "again")
    """

    _topic = "surfaces"
    _decoder = msgspec.json.Decoder(Surfaces)

    def for_user(self, user_id: str, surface: str) -> Slate | None:
        """Return one surface of a user by its name: the user's own, though it is empty, else that of users without any.

        None where there is neither, as for a surface that is not pushed. Raises as ``own`` does.
        """
        for made in (self.own(user_id), self.own(DEFAULT_LIST)):
            if made is not None and (found := made.find(surface)) is not None:
                return found
        return None

    def _without(self, made: Surfaces) -> Surfaces:
        left = [self._left(each.items) for each in made.surfaces]
        if sum(map(len, left)) == sum(len(each.items) for each in made.surfaces):
            return made
        surfaces = [msgspec.structs.replace(each, items=items) for each, items in zip(made.surfaces, left)]
        return msgspec.structs.replace(made, surfaces=surfaces)
