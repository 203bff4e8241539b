"""The load: a log from a seed at a steady rate, items whose texts change, and whatever a fault adds to it."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from kafka import KafkaProducer

from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.kafka_settings import KafkaSettings
from tests.crash.shop import is_order, orders_in, topic_of
from tests.kafka.logs import Logged, catalog_of, put, with_impressions, with_profiles, with_searches, zipf_log

N_ITEMS = 150
EVENTS_A_USER = 50
SHARE_OF_SEARCHES = 0.25
"""For each event."""
SHARE_OF_IMPRESSIONS = 0.3
SHARE_OF_PROFILES = 0.04
DELIVERY_TIMEOUT_S = 600.0
"""Longer than any outage here: the load itself loses nothing, and does not change its order."""
PROBE_MS = 1_700_000_000_000
LARGEST_BYTES = 2 << 20


class Record(NamedTuple):
    """A record as it was sent, by the topic's name without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None


def steady_log(seed: int, n_events: int) -> list[Logged]:
    """Return a log whose users have some 50 events each and none a few hundred: none fills 1,024 recent events.

    A sixth are searches, of which nobody fills 256, a fifth impressions, of which nobody fills 64, and one in 25
    is a profile. Each event has a rating, of one user for one item always the same, some outside of the scale.
    """
    n_users = max(20, n_events // EVENTS_A_USER)
    events = zipf_log(n_events=n_events, n_users=n_users, n_items=N_ITEMS, seed=seed, evenness=n_users / 10)
    events = [LoggedEvent(kind, msgspec.structs.replace(event, value=rate(event))) for kind, event in events]
    searched = with_searches(events, seed=seed, share=SHARE_OF_SEARCHES)
    shown = with_impressions(searched, seed=seed, share=SHARE_OF_IMPRESSIONS, n_items=N_ITEMS)
    return with_profiles(shown, seed=seed, share=SHARE_OF_PROFILES)[:n_events]


def rate(event: Interaction) -> float:
    """Return how a user rates an item: from .5 to 5.5, where the scale goes from 1 to 5."""
    return 0.5 + 0.5 * (zlib.crc32(f"{event.user_id} {event.item_id}".encode()) % 11)


def probes(n_users: int = 50) -> list[Logged]:
    """Return an event, a search, an impression or a profile each of users of all partitions: do they get lists?"""
    viewers, searchers, looking, declaring = (
        [f"{name}-{number}" for number in range(n_users)]
        for name in ("probe", "searching-probe", "looking-probe", "declaring-probe")
    )
    views = [LoggedEvent(Kind.VIEW, Interaction(user, user, "item-0", PROBE_MS)) for user in viewers]
    searches = [Search(user, user, "item-0", PROBE_MS) for user in searchers]
    impressions = [Impression(user, user, "", [ShownItem("item-0", 1)], PROBE_MS) for user in looking]
    return [*views, *searches, *impressions, *(Profile(user, PROBE_MS, ["item-0"]) for user in declaring)]


class Load(threading.Thread):
    """Sends in a thread of its own. ``log``, ``items`` and ``rejectable`` hold all that was ever sent."""

    def __init__(
        self,
        kafka: KafkaSettings,
        log: Sequence[Logged],
        rate: float,
        on_delivered: Callable[[str, bytes, int], None],
    ) -> None:
        """Connect; ``start`` begins to send.

        Args:
            rate: Events, searches, impressions and profiles a second.
            on_delivered: As of ``EventProducer``.
        """
        super().__init__(name="load", daemon=True)
        self.log: list[Logged] = []
        self.items: dict[str, Item] = {}
        self.rejectable: set[Record] = set()
        """Records that must come out on ``rejected``."""
        self.n_planned = len(log)
        self.n_steady = 0
        """How much of the steady log has been sent."""
        self._planned = list(log)
        self._rate = rate
        self._kafka = kafka
        self._changed = threading.Condition()
        self._one_item = threading.Lock()
        """Its holder changes an item: the order in the topic is that of ``items``."""
        self._failure: BaseException | None = None
        self._is_over = False
        self._producer = EventProducer(kafka, delivery_timeout_s=DELIVERY_TIMEOUT_S, on_delivered=on_delivered)
        self._raw = connect(
            KafkaProducer,
            kafka,
            acks="all",
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            max_request_size=LARGEST_BYTES,
            delivery_timeout_ms=int(DELIVERY_TIMEOUT_S * 1000),
            allow_auto_create_topics=False,
            max_block_ms=60_000,
        )

    def run(self) -> None:
        """Send the items, and then the log, each event when it is due."""
        try:
            catalog = catalog_of(self._planned)
            self.put_items(catalog)
            every = max(1, self.n_planned // (2 * len(catalog)))
            began = time.monotonic()
            for number, line in enumerate(self._planned):
                if (early_s := began + number / self._rate - time.monotonic()) > 0:
                    time.sleep(early_s)
                if self._is_over:
                    return
                if number % every == 0:
                    item = catalog[number // every % len(catalog)]
                    self._change(msgspec.structs.replace(item, description=f"as of event {number}"))
                self.put_events([line])
                with self._changed:
                    self.n_steady += 1
                    self._changed.notify_all()
        except BaseException as error:
            self._failure = error
            with self._changed:
                self._changed.notify_all()

    def put_events(self, events: Sequence[Logged]) -> None:
        """Send what users did besides the steady log. Of one user all must come from one caller, or from one topic."""
        put(self._producer, [line for line in events if not is_order(line)])
        for key, value, timestamp_ms in orders_in(events):
            sent = self._raw.send(topic_of(self._kafka), key=key, value=value, timestamp_ms=timestamp_ms)
            sent.add_errback(self._fail)
        self.log += events

    def put_items(self, items: Sequence[Item]) -> None:
        """Send items."""
        for item in items:
            self._producer.item(item)
            self.items[item.item_id] = item

    def sell_out(self, item_id: str) -> None:
        """Make an item unavailable for the rest of the run."""
        with self._one_item:
            if item_id in self.items:
                self.put_items([msgspec.structs.replace(self.items[item_id], available=False)])

    def delete(self, item_id: str) -> None:
        """Delete an item for the rest of the run."""
        with self._one_item:
            if self.items.pop(item_id, None) is not None:
                self._producer.delete_item(item_id)

    def _change(self, item: Item) -> None:
        """Send an item again, unless it is deleted; what is sold out stays so."""
        with self._one_item:
            if item.item_id in self.items:
                is_available = self.items[item.item_id].available
                self.put_items([msgspec.structs.replace(item, available=is_available)])

    def put_raw(self, record: Record, *, is_rejectable: bool) -> None:
        """Send a record that no app should send, and wait until the broker has it."""
        if is_rejectable:
            self.rejectable.add(record)
        topic = self._kafka.topic(record.topic)
        self._raw.send(topic, key=record.key, value=record.value).get(DELIVERY_TIMEOUT_S)

    def wait_until_sent(self, n: int, timeout_s: float = 600.0) -> None:
        """Return when ``n`` events of the steady log, or all of it, have been sent."""
        with self._changed:
            n = min(n, self.n_planned)
            self._changed.wait_for(lambda: self.n_steady >= n or self._failure or self._is_over, timeout_s)
        if self._failure is not None:
            raise RuntimeError(f"the load cannot be sent any more: {self._failure}") from self._failure
        if self.n_steady < n:
            raise TimeoutError(f"{self.n_steady} of {n} events sent: stopped, or not within {timeout_s:g} s")

    def finish(self) -> None:
        """Return when everything was sent and the broker has it."""
        self.wait_until_sent(self.n_planned)
        self._producer.flush()
        self._raw.flush()
        if self._failure is not None:
            raise RuntimeError(f"an order was not delivered: {self._failure}") from self._failure

    def _fail(self, error: BaseException) -> None:
        self._failure = error

    def stop(self) -> None:
        """Send no more; whoever waits for more is told."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def close(self) -> None:
        """Send no more, and disconnect."""
        self.stop()
        if self.is_alive():
            self.join()
        self._raw.close(timeout=1)
        self._producer.close()
