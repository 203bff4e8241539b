"""The way out: the newest list of every user, in memory, with the default list behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Iterable

import msgspec
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.connect import settings_of
from stream_rec.client.reader import TopicReader
from stream_rec.client.workers import APP_ID, why_no_list
from stream_rec.errors import BrokerUnavailable, UnreadableRecords
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings

_SLATE = msgspec.json.Decoder(Slate)
_LIMITS = InputLimits()


class RecommendationsView:
    """The newest list of every user, in memory: the ``recommendations`` topic as a mapping; many threads may share one.

    With ``follow`` a thread of its own keeps it up to date; an error in there comes out of every later call that asks
    for lists, as ``BrokerUnavailable``, or ``UnreadableRecords`` where a codec is missing. Without, call ``poll``, from
    one thread. Lists are kept as bytes, a tenth of the memory, and decoded at each call.

    The workers publish a list again within seconds when one of its items is gone. The view does not wait for them: it
    follows ``items`` too, keeps the ids of those that are gone now (deleted, or not available), and leaves them out. So
    a list may be shorter than the one on the topic whose ``list_id`` it bears.
    """

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
        self._reader = TopicReader(self._kafka, "recommendations", *(["items"] if hide_gone else []))
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
            self._thread = threading.Thread(target=self._follow, name="recommendations-view", daemon=True)
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

    def for_user(self, user_id: str) -> Slate | None:
        """Return the user's own list, unless nothing is left of it; else the default list, else None.

        Raises as ``own`` does.
        """
        own = self.own(user_id)
        return own if own is not None and own.items else self.own(DEFAULT_LIST) or own

    def own(self, user_id: str) -> Slate | None:
        """Return the user's own list, or None.

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

    def poll(self, timeout_s: float) -> dict[str, Slate | None]:
        """Take in what has come and return it: the newest list by user, None where the list was deleted.

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
            raise ValueError("this RecommendationsView is closed; make a new one")
        changed = self._take(self._reader.poll(timeout_s))
        return {user_id: self._without_gone(value) if value else None for user_id, value in changed.items()}

    def close(self) -> None:
        """Stop reading; what was read can still be asked for."""
        self._is_closed.set()
        if self._thread:
            self._thread.join()
        self._reader.close()

    def __enter__(self) -> RecommendationsView:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keeps(self, user_id: str) -> bool:
        return self._users is None or user_id == DEFAULT_LIST or user_id in self._users

    def _without_gone(self, value: bytes) -> Slate:
        slate = _SLATE.decode(value)
        left = [item for item in slate.items if item.item_id not in self._gone]
        return slate if len(left) == len(slate.items) else msgspec.structs.replace(slate, items=left)

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
                    _SLATE.decode(record.value)
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
