"""Profiles over HTTP on a real pipeline: what a user says of themselves is in the next list, on the spot and pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

httpx = pytest.importorskip("httpx")
pytest.importorskip("litestar")

from tests.kafka.test_serve_ranking import ITEMS, ranking  # noqa: E402

pytestmark = pytest.mark.kafka

PROFILE = {"interests": ["green lamp"], "language": "de", "birth_year": 1985}
UNDERAGE = {"action": "exclude", "relation": "underage", "min_age": 18, "author": "ann", "reason": "the law"}


def test_a_profile_is_in_the_next_list(bootstrap: str, tmp_path: Path) -> None:
    """Of a user of whom nothing else is known: put, changed, rejected, taken back, and erased."""
    settings = quick_settings(ranking={"explore_share": 0.0, "n": 6})
    with RunningPipeline(bootstrap, settings) as running, ranking(running.settings, tmp_path, "only") as client:
        for item in ITEMS:
            assert client.put(f"/v1/items/{item['item_id']}", json=item).status_code == 202
        rule = {**UNDERAGE, "rule_id": "r", "target": {"item_ids": ["red-chair"]}}
        assert client.put("/v1/rules/r", json=rule).status_code == 202
        with running.producer() as producer:
            for number in range(40):
                producer.view(f"user-{number % 5}", ITEMS[number * 7 % len(ITEMS)]["item_id"])
        running.wait_until_settled()

        def made(query: str = "") -> list[tuple[str, str, str | None]]:
            answer = client.get(f"/v1/users/zoe/recommendations{query}").json()
            return [
                (each["item_id"], each["reason"]["kind"], each["reason"].get("interest")) for each in answer["items"]
            ]

        def left_out() -> list[str]:
            return client.post("/v1/rank", json={"user_id": "zoe", "item_ids": ["red-chair"]}).json()["left_out"]

        address = "/v1/users/zoe/profile"
        assert client.get(address).status_code == 404 and left_out() == ["red-chair"]
        assert client.put(address, json={"interests": [" "]}).json()["reason"] == "bad_profile"
        assert client.put(address, json=PROFILE).json()["n_records"] == 1
        for query in ("", "?on_the_spot=true"):
            wait_until(lambda query=query: made(query)[0] == ("green-lamp", "interest", "green lamp"))
        said = client.get(address).json()
        assert said.pop("timestamp_ms") > 1_700_000_000_000 and said == PROFILE
        assert left_out() == []
        ranked = client.post("/v1/rank", json={"user_id": "zoe", "item_ids": ["red-cup", "green-lamp"]}).json()
        assert ranked["is_known"] and ranked["items"][0]["item_id"] == "green-lamp"

        assert client.put(address, json={"interests": ["blue teapot"]}).status_code == 202
        for query in ("", "?on_the_spot=true"):
            wait_until(lambda query=query: made(query)[0][0] == "blue-teapot")
        wait_until(lambda: left_out() == ["red-chair"])

        assert client.delete(address).status_code == 202
        for query in ("", "?on_the_spot=true"):
            wait_until(lambda query=query: not any(kind == "interest" for _, kind, _ in made(query)))
        wait_until(lambda: client.get(address).status_code == 404)

        assert client.put(address, json=PROFILE).status_code == 202
        wait_until(lambda: client.get(address).status_code == 200)
        request_id = client.delete("/v1/users/zoe").json()["request_id"]
        wait_until(lambda: any(record.key == request_id.encode() for record in read(running, "receipts")))
        wait_until(lambda: client.get(address).status_code == 404)
        running.wait_until_settled()
        assert not read(running, "rejected")
        assert client.get("/v1/users/zoe/recommendations").json()["is_default"]
