"""Surfaces on a real pipeline: each list has what its name says, and rules hold in those that they name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stream_rec.config import override
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

httpx = pytest.importorskip("httpx")
pytest.importorskip("litestar")

from tests.kafka.test_serve_ranking import ITEMS, ranking  # noqa: E402

pytestmark = pytest.mark.kafka

DAY_MS = 86_400_000
DECLARED = {
    "tea-shop": {"base": "home", "categories": ["tea"], "n": 20, "push": True},
    "trending": {"base": "trending", "n": 30, "push": True},
    "again": {"base": "buy_again", "n": 10, "push": True},
}
TEA = {item["item_id"] for item in ITEMS if item["category"] == "tea"}


def test_surfaces_are_ranked_from_what_workers_know(bootstrap: str, tmp_path: Path) -> None:
    """From settings in a file, events and rules over HTTP, to lists; a rule for one list holds in no other."""
    settings = quick_settings(ranking={"explore_share": 0.0, "n": 20}, limits={"past_ms": 400 * DAY_MS})
    settings = override(settings, {"surfaces.declared": DECLARED})
    with (
        RunningPipeline(bootstrap, settings) as running,
        ranking(running.settings, tmp_path, "only") as client,
        running.surfaces_view() as surfaces,
    ):

        def ids(query: str) -> list[str]:
            answer = client.get(f"/v1/users/ann/recommendations?{query}")
            assert answer.status_code == 200, answer.text
            return [item["item_id"] for item in answer.json()["items"]]

        def on_topic(surface: str, user_id: str = "ann") -> list[str]:
            made = surfaces.for_user(user_id, surface)
            return [] if made is None else [item.item_id for item in made.items]

        for item in [*ITEMS, {"item_id": "unseen", "title": "never seen"}]:
            assert client.put(f"/v1/items/{item['item_id']}", json=item).status_code == 202
        with running.producer() as producer:
            now_ms = time.time_ns() // 1_000_000
            for number, item in enumerate(ITEMS):
                producer.view(f"user-{number % 4}", item["item_id"], timestamp_ms=now_ms - (90 - number) * DAY_MS)
            for days in (60, 30):  # ann buys two at a time, a month after the other
                producer.purchase("ann", "red-cup", timestamp_ms=now_ms - days * DAY_MS)
                producer.purchase("ann", "red-lamp", timestamp_ms=now_ms - days * DAY_MS + 1)
            for number in range(5):
                producer.view(f"user-{number}", "blue-cup", timestamp_ms=now_ms - 1000 + number)
        running.wait_until_settled()
        wait_until(lambda: set(ids("surface=buy_again")) == {"red-cup", "red-lamp"})

        assert {"red-cup", "red-lamp"}.isdisjoint(ids("surface=discover&n=50"))
        assert ids("surface=trending")[0] == "blue-cup" and "unseen" not in ids("surface=trending&n=50")
        assert "unseen" in ids("surface=new&n=50") and "blue-cup" not in ids("surface=new&n=50")
        assert ids("surface=with&item_id=red-cup") == ["red-lamp"]
        assert ids("surface=cart&item_id=red-cup&item_id=green-chair") == ["red-lamp"]
        assert "blue-cup" in ids("surface=similar&item_id=red-cup&n=50")
        assert set(ids("surface=tea-shop")) == TEA
        with running.producer() as producer:
            producer.view("ann", "red-cup")  # by now both are due again; what is on the topic is of the event before
        wait_until(lambda: set(on_topic("again")) == {"red-cup", "red-lamp"})
        assert set(on_topic("tea-shop")) == TEA and surfaces.for_user("ann", "discover") is None
        wait_until(lambda: on_topic("trending", "nobody")[:1] == ["blue-cup"])
        assert on_topic("again", "nobody") == []
        assert client.get("/v1/users/ann/recommendations?surface=nope").json()["reason"] == "bad_surface"

        rule = {
            **{
                "rule_id": "r",
                "action": "ban",
                "author": "ann",
                "reason": "no ad",
                "target": {"item_ids": ["blue-cup"]},
            },
            "scope": {"surfaces": ["trending"], "arm": {"experiment": "all", "percent": [0, 100]}},
        }
        assert client.put("/v1/rules/r", json=rule).status_code == 202
        wait_until(lambda: "blue-cup" not in ids("surface=trending&n=50"))
        assert "blue-cup" in ids("surface=tea-shop")
        wait_until(lambda: on_topic("trending") == ids("surface=trending"))  # made anew for another rule
        assert "blue-cup" in on_topic("tea-shop") and "blue-cup" not in on_topic("trending")
        assert client.delete("/v1/items/green-cup").status_code == 202
        wait_until(lambda: b'"green-cup"' not in running.read_compacted("surfaces")["ann"])
        wrong = {**rule, "scope": {}}
        assert client.put("/v1/rules/r", json=wrong).json()["reason"] == "bad_rule"

        rule["scope"] = {"surfaces": ["home"], "segment": {"bought_category": "tea"}}
        assert client.put("/v1/rules/r", json=rule).status_code == 202
        with running.view() as view:
            view.wait_until_ready()

            def pushed(user_id: str) -> list[str]:
                slate = view.own(user_id)
                return [] if slate is None else [item.item_id for item in slate.items]

            wait_until(lambda: pushed("ann") and "blue-cup" not in pushed("ann"))
            assert "blue-cup" in pushed("user-0") and "blue-cup" in ids("surface=trending&n=50")
