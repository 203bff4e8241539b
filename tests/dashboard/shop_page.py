"""The dashboard's app on a shop that has seen some users, with lists, rules and live figures of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from litestar.testing import TestClient

from stream_rec.config import Settings, override
from stream_rec.dashboard.app import build_app
from stream_rec.dashboard.live import HeardStatuses, Live
from stream_rec.dashboard.rule_log import RuleLog
from stream_rec.dashboard.shown_lists import KeptLists
from stream_rec.events.over_http import Position
from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.events.status import Status
from stream_rec.serving.keys import ApiKeys
from stream_rec.serving.writer import Record
from tests.serving.shop import AtHand, Shop


def record(topic: str, key: str, value: bytes | None, at_ms: int = 1_000) -> ConsumerRecord:
    """Return a record as a reader gives it."""
    fields = dict.fromkeys(ConsumerRecord._fields) | {"topic": topic, "partition": 0, "offset": 0}
    return ConsumerRecord(**{**fields, "timestamp": at_ms, "key": key.encode(), "value": value})


def slate_of(user_id: str, item_ids: Iterable[str], event_id: str = "e1", topic: str = "views") -> Slate:
    items = [SlateItem(item_id, 0.5, 1.0, {}, Reason("trending")) for item_id in item_ids]
    return Slate(f"list-{user_id}-{event_id}", user_id, 7, AsOf(topic, 0, 1, event_id, 5_000), {}, "p", items)


class FakeWriter:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def write(self, records: list[Record]) -> list[Position]:
        self.records += records
        return []


class Page:
    """The app, and who asks it as the page does."""

    def __init__(self, keys: ApiKeys | None = None, **flags: Any) -> None:
        self.shop = Shop()
        self.replica = AtHand(self.shop.ranker())
        self.lists, self.writer, self.statuses = KeptLists(1000), FakeWriter(), HeardStatuses()
        self.settings = override(Settings(), {f"dashboard.{name}": value for name, value in flags.items()})
        self.rule_log = RuleLog("rules", self.settings.limits)
        self.live = Live(self.statuses, self.settings.dashboard.listeners)
        self.app = build_app(self.replica, self.lists, self.rule_log, self.live, self.writer, keys, self.settings)
        self.client = TestClient(self.app, base_url="http://127.0.0.1:8090", raise_server_exceptions=False)

    def publish(self, slate: Slate) -> None:
        self.lists.take(record("recommendations", slate.user_id, msgspec.json.encode(slate)), True)

    def hear(self, status: Status) -> None:
        key = f"{status.role}/{status.instance_id}"
        self.statuses.take(record("status", key, msgspec.json.encode(status)), True)

    def ask(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> Any:
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client as client:
            return client.request(method, path, json=body, headers=headers)
