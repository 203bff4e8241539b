"""Encoders come and go: the embeddings are those of the encoders that are set, and lists go on."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.events.item import Item
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import assert_all_embedded, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

ITEMS = [Item(f"i{n}", title=f"lamp number {n}") for n in range(30)]


def test_encoders_that_come_back_embed_what_others_have_embedded_meanwhile(bootstrap: str) -> None:
    """One encoder, two, the first again, the two again: each time all items, though the group has read them before."""
    items = list(ITEMS)
    with (
        RunningPipeline(bootstrap, quick_settings()) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        for item in items:
            producer.item(item)
        producer.flush()
        assert_all_embedded(running, items, 60.0)
        for number, encoder in enumerate(["random+hashing", "hashing", "random+hashing"]):
            assert running.children["embedder-1"].stop() == 0
            embedder = msgspec.structs.replace(running.settings.embedder, encoder=encoder)
            running.settings = msgspec.structs.replace(running.settings, embedder=embedder)
            running.start_embedder()
            items.append(Item(f"new-{number}", title=f"cup {number}"))
            producer.item(items[-1])
            producer.view(f"user-{number}", "i1")
            producer.flush()

            assert_all_embedded(running, items, 60.0)
            wait_until(lambda user=f"user-{number}": view.own(user) is not None)
