"""The catalog while the pipeline runs: what is in it can be in a list, what is not cannot."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.client import RecommendationsView
from stream_rec.embedding import item_embedding
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def in_list(view: RecommendationsView, user_id: str) -> list[str]:
    """The ids in the user's own list, best first."""
    slate = view.own(user_id)
    return [] if slate is None else [item.item_id for item in slate.items]


def encoders(running: RunningPipeline) -> set[str]:
    """The encoders that the present embeddings come from."""
    values = running.read_compacted("item-embeddings").values()
    return {identity for value in values for identity in item_embedding.decode(value).identities}


def test_items_come_and_go_and_encoders_change(bootstrap: str) -> None:
    """One catalog through its life: an item known late, one deleted, one out of stock, and a new encoder."""
    with (
        RunningPipeline(bootstrap, quick_settings()) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        producer.item(Item("kettle", title="copper kettle"))
        producer.item(Item("mug", title="blue mug"))
        producer.flush()
        wait_until(lambda: set(in_list(view, DEFAULT_LIST)) == {"kettle", "mug"})  # a shop that opens today has it

        for item_id in ("kettle", "mug", "teapot"):
            producer.click("ann", item_id)
        producer.flush()

        # An item that has no record yet is in no list, neither in the default one nor in ann's own.
        wait_until(lambda: in_list(view, "ann"))
        wait_until(lambda: set(in_list(view, DEFAULT_LIST)) == {"kettle", "mug"})
        assert "teapot" not in in_list(view, "ann")

        # Its record comes later: from then on it can be shown, with what was learned before.
        producer.item(Item("teapot", title="copper teapot"))
        producer.flush()
        wait_until(lambda: "teapot" in in_list(view, DEFAULT_LIST))
        wait_until(lambda: len(running.read_compacted("item-embeddings")) == 3)
        # Users go from the kettle to the teapot, and the head learns that they do: so will bob, and the list says why.
        for part in range(4):
            users = [f"user-{part}-{number}" for number in range(15)]
            for user in users:
                producer.view(user, "kettle")
            producer.flush()
            running.wait_until_settled()  # else both are one choice, of a user without history
            for user in users:
                producer.click(user, "teapot")
            producer.flush()
            running.wait_until_settled()
        producer.view("bob", "kettle")
        producer.flush()
        wait_until(lambda: "teapot" in in_list(view, "bob"))
        contributions = {item.item_id: item.sources for item in view.own("bob").items}
        assert contributions["teapot"]["successors"] > contributions["mug"].get("successors", 0)
        assert in_list(view, "bob").index("teapot") < in_list(view, "bob").index("mug")

        # Deleted, or out of stock: gone from the next lists.
        producer.delete_item("mug")
        producer.item(Item("teapot", title="copper teapot", available=False))
        producer.flush()
        wait_until(lambda: in_list(view, DEFAULT_LIST) == ["kettle"])
        producer.view("carl", "kettle")
        producer.flush()
        wait_until(lambda: view.own("carl") is not None)
        assert set(in_list(view, "carl")) <= {"kettle"}
        wait_until(lambda: set(running.read_compacted("item-embeddings")) == {"kettle", "teapot"})

        # Available again, and under a new encoder: all items move to its space, lists flow on.
        old = encoders(running)
        assert running.children["embedder-1"].stop() == 0
        smaller = msgspec.structs.replace(running.settings.embedder, hashing_dimensions=64)
        running.settings = msgspec.structs.replace(running.settings, embedder=smaller)
        producer.item(Item("teapot", title="copper teapot"))
        producer.flush()
        wait_until(lambda: set(in_list(view, DEFAULT_LIST)) == {"kettle", "teapot"})
        running.start_embedder()
        wait_until(lambda: encoders(running) and not encoders(running) & old)
        # The catalog takes the vectors a moment after they are in their topic.
        wait_until(lambda: producer.view("dora", "kettle") and producer.flush() is None and "similar" in sources(view))


def sources(view: RecommendationsView) -> set[str]:
    """The sources behind dora's list."""
    slate = view.own("dora")
    return set() if slate is None else {source for item in slate.items for source in item.sources}
