"""Replays of recordings: places and times are those of the records, and the catalog is as it was at each."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream_rec.config import Settings
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.slate import AsOf, Slate
from stream_rec.logs.recording import Recorded, RecordPlace
from stream_rec.pipeline import Pipeline
from stream_rec.replay.recorded import Entry, embed_recorded, name_text, place_entries, replay_recorded

SETTINGS = Settings(embedder=EmbedderSettings(encoder="hashing"))


def view(number: int, user_id: str, item_id: str) -> LoggedEvent:
    return LoggedEvent(Kind.VIEW, Interaction(f"e{number}", user_id, item_id, 1_000 * number))


def lists_of(records: list[Recorded], cache: Path) -> list[Slate]:
    embedded = embed_recorded(records, SETTINGS, cache=cache)
    return list(replay_recorded(records, Pipeline(SETTINGS), embedded.embeddings))


def replayed(entries: list[Entry], cache: Path) -> list[Slate]:
    return lists_of(list(place_entries(entries, 4)), cache)


def shown(made: Slate) -> set[str]:
    return {item.item_id for item in made.items}


def test_places_are_those_of_empty_topics() -> None:
    """Of each topic and partition offsets count from 0, a user is in one partition, and no time goes back."""
    entries: list[Entry] = [Item("tea"), view(5, "ann", "tea"), view(2, "ann", "pot"), Profile("ann", 9_000)]
    placed = [record.place for record in place_entries(entries, 4)]

    assert [place.topic for place in placed] == ["items", "views", "views", "profiles"]
    assert [place.offset for place in placed] == [0, 0, 1, 0]
    assert len({place.partition for place in placed[1:]}) == 1
    assert [place.received_ms for place in placed] == [0, 5_000, 5_000, 9_000]


def test_lists_say_where_their_records_stood(tmp_path: Path) -> None:
    """Also with gaps, as where a record was rejected; other partitions' offsets are their own."""
    events = [view(1, "ann", "tea"), view(2, "bob", "tea"), view(3, "ann", "tea")]
    places = [RecordPlace("views", 3, 17, 1_000), RecordPlace("views", 0, 5, 2_000), RecordPlace("views", 3, 40, 3_000)]
    records = [Recorded(place, event.event.user_id, event.event) for place, event in zip(places, events)]

    lists = lists_of(records, tmp_path)

    assert [made.as_of for made in lists] == [
        AsOf("views", 3, 17, "e1", 1_000),
        AsOf("views", 0, 5, "e2", 2_000),
        AsOf("views", 3, 40, "e3", 3_000),
    ]
    assert lists[-1].seen == {"views": 40}


def test_the_catalog_changes_as_it_did(tmp_path: Path) -> None:
    """Items come and go, are banned and let back, between events."""
    ban = Rule("r1", "ban", "ann", "why", Target(item_ids=["pot"]))
    entries = [Item("tea", "Tea"), view(1, "ann", "tea"), Item("pot", "Pot"), view(2, "ann", "tea"), ban]
    records = list(place_entries([*entries, view(3, "ann", "tea")], 4))
    ended = [Recorded(RecordPlace("rules", 0, 9, 4_000), "r1", None)]
    after = [record for record in place_entries([view(n, "ann", "tea") for n in range(1, 6)], 4)][3:]
    gone = [Recorded(RecordPlace("items", 0, 9, 5_000), "pot", None)]

    lists = lists_of([*records, *ended, after[0], *gone, after[1]], tmp_path)

    assert ["pot" in shown(made) for made in lists] == [False, True, False, True, False]


def test_each_text_that_an_item_had_is_embedded(tmp_path: Path) -> None:
    """Once, whichever item has it; an item that lost its text has no vector any more."""
    items = [Item("a", "blue teapot"), Item("b", "blue teapot"), Item("a", "red lamp"), Item("a")]
    records = list(place_entries(items, 1))
    embedded = embed_recorded(records, SETTINGS, cache=tmp_path)

    assert set(embedded.embeddings) == {name_text(items[0]), name_text(items[2])}
    pipeline = Pipeline(SETTINGS)
    list(replay_recorded(records[:3], pipeline, embedded.embeddings))
    assert pipeline.catalog.world().n_embedded == 2
    list(replay_recorded(records[3:], pipeline, embedded.embeddings))
    assert pipeline.catalog.world().n_embedded == 1


def test_a_profile_that_was_never_there_is_taken_back_without_a_list(tmp_path: Path) -> None:
    """As in a worker; one that is there leaves a list."""
    back = Recorded(RecordPlace("profiles", 0, 1, 2_000), "ann", None)
    assert lists_of([back], tmp_path) == []

    records = [*place_entries([Profile("ann", 1_000, ["tea"])], 1), back]
    assert len(lists_of(records, tmp_path)) == 2


def test_a_list_is_made_before_its_event_has_taught_about_items(tmp_path: Path) -> None:
    """In a worker that takes its way over a topic: what an item had from others speaks for it, this event not yet."""
    entries: list[Entry] = [Item("tea"), Item("pot"), view(1, "ann", "tea"), view(2, "bob", "pot")]
    made = replayed(entries, tmp_path)[-1]

    assert {item.item_id: item.reason.kind for item in made.items} == {"pot": "repeat", "tea": "trending"}


def test_a_replay_is_the_same_each_time(tmp_path: Path) -> None:
    """Byte for byte."""
    entries = [
        Item("tea", "Tea"),
        Item("pot", "Pot"),
        *(view(n, f"u{n % 3}", ("tea", "pot")[n % 2]) for n in range(20)),
    ]

    assert msgspec.json.encode(replayed(entries, tmp_path)) == msgspec.json.encode(replayed(entries, tmp_path))
