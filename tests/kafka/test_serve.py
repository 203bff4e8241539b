"""The HTTP service on a real pipeline, as a process of its own, asked by a client of nobody's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from stream_rec.config import Settings, override
from stream_rec.events.over_http import Accepted, Recommendations
from stream_rec.events.receipt import Receipt
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.testing.services import running_service
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

httpx = pytest.importorskip("httpx")
pytest.importorskip("litestar")

pytestmark = pytest.mark.kafka

SECRET = "shop-1-secret"


@contextmanager
def serving(settings: Settings, folder: Path, *arguments: str) -> Iterator[httpx.Client]:
    """Run the command, and give a client once it is ready; it ends as it was told to."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    with (
        running_service(settings, folder, *arguments) as address,
        httpx.Client(base_url=address, headers=headers) as client,
    ):
        yield client


def test_an_app_needs_http_alone(bootstrap: str, tmp_path: Path) -> None:
    """From the first item to the last trace of a user; an event that is sent twice counts once."""
    keys = tmp_path / "keys.toml"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    keys.write_text(f'[[key]]\nname = "shop"\nsha256 = "{digest}"\nscopes = ["read", "write", "admin"]\n')
    with (
        RunningPipeline(bootstrap, quick_settings()) as running,
        serving(override(running.settings, {"serve.keys_file": str(keys)}), tmp_path) as client,
    ):
        for number in range(12):
            item = {"item_id": f"i{number}", "title": f"copper kettle number {number}"}
            assert client.put(f"/v1/items/i{number}", json=item).status_code == 202
        event = {"event_type": "click", "event_id": "e1", "user_id": "ann", "item_id": "i3"}
        events = [event, {**event, "event_type": "view", "event_id": "e2", "item_id": "i5"}, event]
        accepted = msgspec.json.decode(client.post("/v1/events", json=events).content, type=Accepted)
        assert accepted.n_records == 3 and accepted.positions[1].topic == "views"

        def list_of(user_id: str) -> dict:
            return client.get(f"/v1/users/{user_id}/recommendations").json()

        def knows_all_of_it() -> bool:
            said = list_of("ann")  # until there is a list: why not
            made = msgspec.convert(said, Recommendations) if "items" in said else None
            return made is not None and all(made.knows(position) for position in accepted.positions[:2])

        wait_until(knows_all_of_it)
        assert client.post("/v1/events", json=event).status_code == 202
        wait_until(lambda: list_of("ann").get("is_default") is False and len(list_of("ann")["items"]) == 12)
        running.wait_until_settled()
        assert sum(running.user_states()["ann"].counts) == 2
        wait_until(lambda: {item["item_id"] for item in list_of("bob").get("items", [])} >= {"i3", "i5"})
        assert list_of("bob")["is_default"]
        with running.view() as view:
            view.wait_until_ready()
            pushed = [item.item_id for item in view.own("ann").items]
        assert [item["item_id"] for item in list_of("ann")["items"]] == pushed

        rule = {"rule_id": "r", "action": "ban", "author": "ann", "reason": "recalled", "target": {"item_ids": ["i3"]}}
        assert client.put("/v1/rules/r", json=rule).status_code == 202
        assert client.delete("/v1/items/i5").status_code == 202
        wait_until(lambda: not {"i3", "i5"} & {item["item_id"] for item in list_of("ann")["items"]})

        request_id = client.delete("/v1/users/ann").json()["request_id"]
        wait_until(lambda: list_of("ann")["is_default"])
        wait_until(lambda: any(record.key == request_id.encode() for record in read(running, "receipts")))
        receipt = msgspec.json.decode(read(running, "receipts")[-1].value, type=Receipt)
        assert receipt.n_events == 2

        assert client.get("/v1/popular", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert "stream_rec_requests_total" in client.get("/metrics").text
