"""Lists of a recording without a broker: those that a worker with nothing else to do would make of the same records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import ItemEmbedding
from stream_rec.embedding.text import canonical_text, content_hash
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC, TOPIC_OF_SOURCE, Source, UserEvent
from stream_rec.fields.read import Record, split_record
from stream_rec.logs.recording import ITEMS, RULES, Recorded, RecordPlace
from stream_rec.pipeline import Pipeline
from stream_rec.replay.embedded import CACHE, EmbeddedItems, embed_items
from stream_rec.user.arrival import Arrival

Entry = Record | Profile | Item | Rule
"""What an app sends."""


def replay_recorded(
    records: Iterable[Recorded], pipeline: Pipeline, embeddings: dict[str, ItemEmbedding]
) -> Iterator[Slate]:
    """Yield the list that goes out on each record of what users did, saw or said, in order.

    Args:
        records: In the order in which they came.
        pipeline: That has taken nothing yet, or what came before.
        embeddings: Of items, by ``name_text``.
    """
    catalog = pipeline.catalog
    for place, key, value in records:
        if isinstance(value, Item):
            catalog.put_item(value)
            embedding = embeddings.get(name_text(value))
            if embedding is None:
                catalog.delete_embedding(key)
            else:
                catalog.put_embedding(key, embedding)
        elif isinstance(value, Rule):
            catalog.put_rule(value, place.received_ms)
        elif place.topic == ITEMS:
            catalog.delete_item(key)
            catalog.delete_embedding(key)
        elif place.topic == RULES:
            catalog.delete_rule(key)
        else:
            source = SOURCE_OF_TOPIC[place.topic]
            event = Profile(key, timestamp_ms=0) if value is None else value
            made = pipeline.answer(Arrival(event, source, place.partition, place.offset, place.received_ms))
            if made is not None:
                yield made


def embed_recorded(
    records: Iterable[Recorded],
    settings: Settings,
    *,
    cache: Path = CACHE,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> EmbeddedItems:
    """Return the texts of all items of a recording, also of those that others replaced, by ``name_text``.

    Raises what ``embed_items`` raises.
    """
    items = (record.value for record in records if isinstance(record.value, Item))
    texts = (msgspec.structs.replace(item, item_id=name) for item in items if (name := name_text(item)))
    return embed_items(texts, settings.embedder, settings.limits, cache=cache, on_progress=on_progress)


def name_text(item: Item) -> str:
    """Return what stands for an item's text: items that read alike have one embedding; "" for one without."""
    text = canonical_text(item)
    return content_hash(text).hex() if text else ""


def place_entries(entries: Iterable[Entry], n_partitions: int) -> Iterator[Recorded]:
    """Yield what an app sends as records, each where it would stand on topics that were empty before.

    Of a log there are no times of arrival: a record came when its event happened, or else with the one before it.
    """
    n_records: Counter[tuple[str, int]] = Counter()
    now_ms = 0
    for entry in entries:
        topic, key, value = _sort(entry)
        partition = partition_of(key.encode(), n_partitions)
        now_ms = max(now_ms, getattr(value, "timestamp_ms", 0))
        place = RecordPlace(topic, partition, n_records[topic, partition], now_ms)
        n_records[topic, partition] += 1
        yield Recorded(place, key, value)


def _sort(entry: Entry) -> tuple[str, str, UserEvent | Item | Rule]:
    """Return the topic of what an app sends, the key there, and the value."""
    if isinstance(entry, Item):
        return ITEMS, entry.item_id, entry
    if isinstance(entry, Rule):
        return RULES, entry.rule_id, entry
    source, event = (Source.PROFILE, entry) if isinstance(entry, Profile) else split_record(entry)
    return TOPIC_OF_SOURCE[source], event.user_id, event
