"""The way in: an app's events and items, checked, keyed and delivered, or an error that says how many were not."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from msgspec import Struct

from stream_rec.client.connect import connect, settings_of
from stream_rec.client.tracing import current_trace
from stream_rec.errors import DeliveryFailed, TopicMismatch
from stream_rec.events import validate
from stream_rec.events.forget import Forget
from stream_rec.events.impression import Impression, ShownItem, place
from stream_rec.events.interaction import Context, Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings

RECORD_OVERHEAD_BYTES = 1000
"""About what kafka-python keeps for a record under way, its bytes aside: futures, callbacks, metadata."""


class InvalidEventError(ValueError):
    """An event that the pipeline would reject: correct the call. Nothing was sent."""


class EventProducer:
    """Writes events and items to the topics; many threads may share one.

    Sending is asynchronous: a call returns when the event is in the buffer, and waits while the buffer is full. What
    the broker did not acknowledge comes out as ``DeliveryFailed``: of ``flush``, of ``close``, or of the next send,
    whichever is first. Send an event again freely with the same ``event_id``: it counts once.

    The key is the id's bytes, and its murmur2 chooses the partition: kafka-python's default, and Java's. So all events
    of a user are in the partition of one number, whichever topic, as the user stage needs it.

    Every method that sends raises ``InvalidEventError`` for what the pipeline would reject, ``TopicMismatch`` where its
    topic is missing, or nothing is heard of it before its first record, ``DeliveryFailed`` for earlier records (the one
    it was called with is then not sent) or where no room comes free, and ``ValueError`` once the producer is closed.
    """

    def __init__(
        self,
        kafka: KafkaSettings | str,
        *,
        limits: InputLimits | None = None,
        buffer_bytes: int = 32 << 20,
        linger_ms: int = 5,
        delivery_timeout_s: float = 60.0,
        on_delivered: Callable[[str, bytes, int], None] | None = None,
    ) -> None:
        """Connect.

        Args:
            kafka: Settings, or just the brokers: ``host:port,...``.
            limits: The pipeline's, where they are not the default.
            buffer_bytes: How much may be under way before a send waits.
            linger_ms: How long an event waits for company.
            delivery_timeout_s: What is not acknowledged after so long has failed.
            on_delivered: Called, on a thread of kafka-python's, with topic, key and offset of each record that the
                broker acknowledged. A list whose ``seen[topic]`` has reached that offset knows the event.

        Raises:
            BrokerUnavailable: no broker answered within 10 s.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
        """
        self._kafka = settings_of(kafka)
        self._limits = limits or InputLimits()
        self._buffer_bytes = buffer_bytes
        self._delivery_timeout_s = delivery_timeout_s
        self._on_delivered = on_delivered
        self._producer = connect(
            KafkaProducer,
            self._kafka,
            acks="all",
            # Not idempotent: after one delivery timeout the idempotent producer of kafka-python 3.0.12 sends nothing
            # any more and leaves futures open for ever. A record written twice does no harm here, see above; in
            # another order it would (two versions of one item): so one request at a time.
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            linger_ms=linger_ms,
            batch_size=64 << 10,
            max_request_size=max(1 << 20, 2 * self._limits.record_bytes),
            allow_auto_create_topics=False,
            max_block_ms=5_000,
            request_timeout_ms=int(delivery_timeout_s * 500),
            delivery_timeout_ms=int(delivery_timeout_s * 1000),
            metrics_enabled=False,
        )
        self._known_topics: set[str] = set()
        self._is_closed = False
        # Guards what follows; notified as records are acknowledged or fail, on kafka-python's thread.
        self._outcomes = threading.Condition()
        self._under_way_bytes = 0
        self._sent = self._delivered = self._failed = self._reported = 0
        self._first_error = ""

    @property
    def delivered(self) -> int:
        """How many records the broker has acknowledged."""
        return self._delivered

    def view(
        self,
        user_id: str,
        item_id: str,
        *,
        event_id: str | None = None,
        timestamp_ms: int | None = None,
        value: float | None = None,
        context: Context | None = None,
    ) -> str:
        """Say that a user looked at an item, and return the event's id. A new id and the time now where not given."""
        return self._interaction(Kind.VIEW, user_id, item_id, event_id, timestamp_ms, value, context)

    def click(
        self,
        user_id: str,
        item_id: str,
        *,
        event_id: str | None = None,
        timestamp_ms: int | None = None,
        value: float | None = None,
        context: Context | None = None,
    ) -> str:
        """Say that a user clicked on an item; as ``view``."""
        return self._interaction(Kind.CLICK, user_id, item_id, event_id, timestamp_ms, value, context)

    def purchase(
        self,
        user_id: str,
        item_id: str,
        *,
        event_id: str | None = None,
        timestamp_ms: int | None = None,
        value: float | None = None,
        context: Context | None = None,
    ) -> str:
        """Say that a user bought an item; as ``view``."""
        return self._interaction(Kind.PURCHASE, user_id, item_id, event_id, timestamp_ms, value, context)

    def send_interaction(self, kind: Kind, event: Interaction) -> str:
        """Send an interaction and return its id."""
        if isinstance(event.value, float) and not math.isfinite(event.value):
            raise InvalidEventError(
                f"value={event.value} is not a number that JSON has; leave it out or give a finite one"
            )
        key, value = _key("user_id", event.user_id), _encode(event)
        _accept(validate.interaction(key, value, received_ms=_now_ms(), limits=self._limits))
        self._send(kind.topic, key, value)
        return event.event_id

    def impression(
        self,
        user_id: str,
        list_id: str,
        items: Iterable[str | ShownItem],
        *,
        surface: str = "",
        event_id: str | None = None,
        timestamp_ms: int | None = None,
    ) -> str:
        """Say which items of the list ``list_id`` a user was really shown, and return the event's id.

        Args:
            items: In the order shown. An id without a position stands at its place in ``items``, counted from 1.
            surface: Where in the app.
        """
        event_id = uuid.uuid4().hex if event_id is None else event_id
        shown = place(items)
        return self.send_impression(Impression(event_id, user_id, list_id, shown, _or_now(timestamp_ms), surface))

    def send_impression(self, impression: Impression) -> str:
        """Send an impression and return its id."""
        key, value = _key("user_id", impression.user_id), _encode(impression)
        _accept(validate.impression(key, value, received_ms=_now_ms(), limits=self._limits))
        self._send(Source.IMPRESSION.topic, key, value)
        return impression.event_id

    def search(
        self,
        user_id: str,
        query: str,
        *,
        item_id: str | None = None,
        event_id: str | None = None,
        timestamp_ms: int | None = None,
        context: Context | None = None,
    ) -> str:
        """Say what a user searched for, in words, and return the event's id.

        Args:
            item_id: Where the user asked for something like this item, but as the query says.
        """
        event_id = uuid.uuid4().hex if event_id is None else event_id
        return self.send_search(Search(event_id, user_id, query, _or_now(timestamp_ms), item_id, context or {}))

    def send_search(self, search: Search) -> str:
        """Send a search and return its id."""
        key, value = _key("user_id", search.user_id), _encode(search)
        _accept(validate.search(key, value, received_ms=_now_ms(), limits=self._limits))
        self._send(Source.SEARCH.topic, key, value)
        return search.event_id

    def profile(
        self,
        user_id: str,
        *,
        interests: str | Iterable[str] = (),
        language: str = "",
        birth_year: int | None = None,
        timestamp_ms: int | None = None,
    ) -> None:
        """Say what a user has said of themselves, in place of all that was said before.

        Args:
            interests: What the user likes, in words: one, or several.
            language: As of BCP 47: ``de``, ``pt-BR``.
        """
        listed = [interests] if isinstance(interests, str) else list(interests)
        self.send_profile(Profile(user_id, _or_now(timestamp_ms), listed, language, birth_year))

    def send_profile(self, profile: Profile) -> None:
        """Send a profile; as ``profile``."""
        key, value = _key("user_id", profile.user_id), _encode(profile)
        _accept(validate.profile(key, value, received_ms=_now_ms(), limits=self._limits))
        self._send(Source.PROFILE.topic, key, value)

    def delete_profile(self, user_id: str) -> None:
        """Take a user's profile back. What else is known of the user stays; ``forget`` deletes all."""
        key = _key("user_id", user_id)
        _accept(validate.profile(key, None, received_ms=_now_ms(), limits=self._limits))
        self._send(Source.PROFILE.topic, key, None)

    def forget(self, user_id: str, *, request_id: str | None = None, timestamp_ms: int | None = None) -> str:
        """Have everything deleted that is known of a user; return the id by which ``receipts`` says that it is done."""
        request = Forget(user_id, _or_now(timestamp_ms), request_id or uuid.uuid4().hex)
        key, value = _key("user_id", user_id), _encode(request)
        _accept(validate.forget(key, value, limits=self._limits))
        _accept(validate.check_timestamp(request.timestamp_ms, received_ms=_now_ms(), limits=self._limits))
        self._send("forget", key, value)
        return request.request_id

    def item(self, item: Item) -> None:
        """Add an item to the catalog, or replace it."""
        key, value = _key("item_id", item.item_id), _encode(item)
        _accept(validate.item(key, value, limits=self._limits))
        self._send("items", key, value)

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the catalog."""
        key = _key("item_id", item_id)
        _accept(validate.id_in_key(key, limits=self._limits))
        self._send("items", key, None)

    def rule(self, rule: Rule) -> None:
        """Put a rule of the owner's in force, or replace it. Lists obey it within a second or two."""
        key, value = _key("rule_id", rule.rule_id), _encode(rule)
        _accept(validate.rule(key, value, limits=self._limits))
        self._send("rules", key, value)

    def end_rule(self, rule_id: str) -> None:
        """Take a rule out of force."""
        key = _key("rule_id", rule_id)
        _accept(validate.id_in_key(key, limits=self._limits))
        self._send("rules", key, None)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything sent so far has been delivered or has failed.

        Raises:
            DeliveryFailed: records failed since the last time that was said, or ``timeout_s`` is over.
        """
        sent = self._sent
        deadline = time.monotonic() + (self._delivery_timeout_s * 2 if timeout_s is None else timeout_s)
        with suppress(KafkaTimeoutError):  # said below, with how many
            self._producer.flush(max(0.0, deadline - time.monotonic()))
        with self._outcomes:
            self._outcomes.wait_for(
                lambda: self._delivered + self._failed >= sent, timeout=max(0.0, deadline - time.monotonic())
            )
            under_way = sent - self._delivered - self._failed
        self._raise_failures()
        if under_way > 0:
            raise DeliveryFailed(
                f"{under_way} records have not been acknowledged yet by {self._kafka.bootstrap}; "
                "see that the broker is up and flush again"
            )

    def close(self) -> None:
        """Flush and disconnect. Doing it again does nothing.

        Raises:
            DeliveryFailed: as of ``flush``. The producer is closed all the same.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.flush()
        finally:
            with suppress(KafkaTimeoutError):  # the flush has said it
                self._producer.close(timeout=5)

    def __enter__(self) -> EventProducer:
        return self

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close()
        except DeliveryFailed as failure:
            error.add_note(f"besides: {failure}")

    def _interaction(
        self,
        kind: Kind,
        user_id: str,
        item_id: str,
        event_id: str | None,
        timestamp_ms: int | None,
        value: float | None,
        context: Context | None,
    ) -> str:
        event_id = uuid.uuid4().hex if event_id is None else event_id
        event = Interaction(event_id, user_id, item_id, _or_now(timestamp_ms), value, context or {})
        return self.send_interaction(kind, event)

    def _send(self, topic: str, key: bytes, value: bytes | None) -> None:
        if self._is_closed:
            raise ValueError("this EventProducer is closed; make a new one")
        self._raise_failures()
        topic = self._kafka.topic(topic)
        if topic not in self._known_topics:
            self._find(topic)
        n_bytes = len(key) + len(value or b"") + RECORD_OVERHEAD_BYTES
        with self._outcomes:
            if self._under_way_bytes + n_bytes > self._buffer_bytes:
                self._wait_for_room(n_bytes)
            self._under_way_bytes += n_bytes
            self._sent += 1
        on_outcome = partial(self._on_outcome, topic, key, n_bytes)
        try:
            future = self._producer.send(topic, key=key, value=value, headers=current_trace())
        except KafkaError as error:
            on_outcome(error)
            self._raise_failures()
        else:
            future.add_callback(on_outcome).add_errback(on_outcome)

    def _wait_for_room(self, n_bytes: int) -> None:
        """Wait, holding ``_outcomes``. An event larger than the buffer goes when nothing else is under way."""
        # What is under way has failed after the delivery timeout at the latest: more means that kafka-python is stuck.
        if not self._outcomes.wait_for(
            lambda: not self._under_way_bytes or self._under_way_bytes + n_bytes <= self._buffer_bytes,
            timeout=self._delivery_timeout_s * 2,
        ):
            raise DeliveryFailed(
                f"{self._under_way_bytes} bytes have been waiting for {self._kafka.bootstrap} for longer than "
                "delivery_timeout_s allows; close this producer and make a new one"
            )

    def _on_outcome(self, topic: str, key: bytes, n_bytes: int, outcome: Any) -> None:
        if self._on_delivered is not None and not isinstance(outcome, BaseException):
            self._on_delivered(topic, key, outcome.offset)
        with self._outcomes:
            self._under_way_bytes -= n_bytes
            if isinstance(outcome, BaseException):
                if self._failed == self._reported:
                    self._first_error = f"topic {topic}: {type(outcome).__name__}: {outcome}"
                self._failed += 1
            else:
                self._delivered += 1
            # A sender that waits for room goes on when half of the buffer is free, not after each record.
            if self._under_way_bytes <= self._buffer_bytes // 2:
                self._outcomes.notify_all()

    def _raise_failures(self) -> None:
        if self._failed == self._reported:
            return
        with self._outcomes:
            n_failed = self._failed - self._reported
            self._reported = self._failed
        if not n_failed:  # another thread has said it
            return
        raise DeliveryFailed(
            f"{n_failed} of {self._sent} records were not delivered to {self._kafka.bootstrap}; the first: "
            f"{self._first_error}; see that the broker is up, then send them again"
        )

    def _find(self, topic: str) -> None:
        try:
            self._producer.partitions_for(topic)
        except KafkaError as error:
            raise TopicMismatch(
                f"topic {topic} cannot be written to at {self._kafka.bootstrap} ({error}); if it is missing, create it "
                "with `stream-rec topics create`, and if this user has no permissions, see `stream-rec topics acls`"
            ) from error
        self._known_topics.add(topic)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _or_now(timestamp_ms: int | None) -> int:
    return _now_ms() if timestamp_ms is None else timestamp_ms


def _key(name: str, value: str) -> bytes:
    if not isinstance(value, str):
        raise InvalidEventError(f"wrong_type: {name} must be a str, came {type(value).__name__} {value!r}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidEventError(f"bad_id: {name} {value!r} cannot be written as UTF-8") from error


def _encode(event: Struct) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidEventError(f"wrong_type: {type(event).__name__} cannot be written as JSON: {error}") from error


def _accept(checked: Any) -> None:
    """Raise if a check of ``events/validate.py`` says no."""
    if isinstance(checked, Rejection):
        raise InvalidEventError(f"{checked.reason}: {checked.detail}")
