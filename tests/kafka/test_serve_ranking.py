"""Ranking on the spot on a real pipeline: what is asked of the service is what the workers know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_rec.config import Settings, override
from stream_rec.testing.pipeline import RunningPipeline
from tests.disk import holding
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

httpx = pytest.importorskip("httpx")
pytest.importorskip("litestar")

from tests.kafka.test_serve import serving  # noqa: E402

pytestmark = pytest.mark.kafka

COLOURS, THINGS = ("red", "blue", "green"), ("teapot", "cup", "kettle", "lamp", "chair")
ITEMS = [
    {
        "item_id": f"{colour}-{thing}",
        "title": f"{colour} {thing}",
        "category": "tea" if place < 3 else "home",
        "attributes": {"price": 10 * number + place},
    }
    for number, colour in enumerate(COLOURS)
    for place, thing in enumerate(THINGS)
]
WRONG = [
    ("/v1/users/ann/recommendations?price_min=9&price_max=3", 422, "price_min=9 is above price_max=3"),
    ("/v1/users/ann/recommendations?cursor=mine", 422, "no `next_cursor` of ours"),
    ("/v1/items/nothing/similar", 404, "there is no item 'nothing'"),
]
GIVEN = ["red-lamp", "blue-cup", "green-chair", "nothing"]
BAN = {"rule_id": "r", "action": "ban", "author": "ann", "reason": "recalled"}
ZOE = "zoe-Jx7Qp93m"


@contextmanager
def ranking(settings: Settings, tmp_path: Path, name: str) -> Iterator[httpx.Client]:
    """Start a service that ranks, with a disk of its own, and give a client once it is ready."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    chosen = {"serve.ranks": True, "serve.data_dir": str(tmp_path / "data"), "serve.instance_id": name}
    with serving(override(settings, chosen), folder) as client:
        yield client


def test_what_is_ranked_on_the_spot_is_what_workers_know(bootstrap: str, tmp_path: Path) -> None:
    """Lists, rules, erasure and restarts: one copy from the first event on, one that comes late."""
    settings = quick_settings(ranking={"explore_share": 0.0, "n": 6})
    with RunningPipeline(bootstrap, settings) as running:
        with ranking(running.settings, tmp_path, "first") as client:

            def ids(path: str) -> list[str]:
                answer = client.get(path)
                assert answer.status_code == 200, answer.text
                return [item["item_id"] for item in answer.json()["items"]]

            for item in ITEMS:
                assert client.put(f"/v1/items/{item['item_id']}", json=item).status_code == 202
            events = [
                {
                    "event_type": ("view", "click", "purchase")[number % 3],
                    "event_id": f"e{number}",
                    "user_id": ("ann", "bob", ZOE)[number % 3],
                    "item_id": ITEMS[number * 7 % len(ITEMS)]["item_id"],
                }
                for number in range(60)
            ]
            assert client.post("/v1/events", json=events).json()["n_records"] == 60
            running.wait_until_settled()
            for user_id in ("ann", "bob", ZOE):
                wait_until(lambda user_id=user_id: is_known_to(client, user_id))
            assert {item["item_id"] for item in ITEMS if item["category"] == "tea"} == set(
                ids("/v1/users/bob/recommendations?category=tea&n=50")
            )
            assert set(ids("/v1/search?q=kettle&user_id=ann&n=3")) == {f"{c}-kettle" for c in COLOURS}
            assert "red-cup" not in ids("/v1/items/red-cup/similar")
            ranked = client.post("/v1/rank", json={"user_id": "ann", "item_ids": GIVEN}).json()
            assert ranked["unknown"] == ["nothing"] and len(ranked["items"]) == 3 and ranked["is_known"]

            for path, status, words in WRONG:
                answer = client.get(path)
                assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
                assert words in answer.json()["detail"]

            ban = {**BAN, "target": {"item_ids": ["blue-cup"]}}
            assert client.put("/v1/rules/r", json=ban).status_code == 202
            wait_until(lambda: "blue-cup" not in ids("/v1/users/bob/recommendations?category=tea&n=50"))
            assert is_known_to(client, ZOE)
            assert client.delete(f"/v1/users/{ZOE}").status_code == 202
            wait_until(lambda: not is_known_to(client, ZOE))
            replica = tmp_path / "data" / "first" / "replicas"
            wait_until(lambda: not holding(replica, ZOE.encode()) and not list(replica.rglob("unpurged")))
            metrics = client.get("/metrics").text
            assert 'stream_rec_ranking_seconds_count{what="rank"}' in metrics

        with running.producer() as producer:
            producer.view("eve", "green-lamp")
        running.wait_until_settled()
        running.children["worker-1"].stop()
        running.start_worker()  # so that both have read the catalog as a whole, and whiten its texts alike
        for name in ("first", "late"):
            with ranking(running.settings, tmp_path, name) as client, running.view() as view:
                view.wait_until_ready()
                assert is_known_to(client, "eve") and not is_known_to(client, ZOE)
                banned = view.own("eve").items[-1].item_id
                ban = {**BAN, "rule_id": name, "target": {"item_ids": [banned]}}
                assert client.put(f"/v1/rules/{name}", json=ban).status_code == 202  # has workers make all lists anew

                def is_as_pushed(user_id: str, client: httpx.Client = client, banned: str = banned) -> bool:
                    answer = client.get(f"/v1/users/{user_id}/recommendations?on_the_spot=true").json()
                    made = {item["item_id"]: item["score"] for item in answer["items"]}
                    pushed = {item.item_id: item.score for item in view.own(user_id).items}
                    if banned in pushed or len(pushed) < 6 or list(made) != list(pushed):
                        return False
                    # a list is not pushed again while its items are the same: hers is
                    return user_id != "eve" or all(abs(made[each] / pushed[each] - 1) < 0.01 for each in made)

                wait_until(lambda: all(map(is_as_pushed, ("ann", "bob", "eve"))))
            log = (tmp_path / name / "serve.log").read_text()
            assert f"replica_ready items={13 if name == 'late' else 14}" in log


def is_known_to(client: httpx.Client, user_id: str) -> bool:
    return client.post("/v1/rank", json={"user_id": user_id, "item_ids": GIVEN}).json()["is_known"]
