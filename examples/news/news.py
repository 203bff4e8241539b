"""A newspaper's side of stream-rec: stories come, are read, age and end. The readers and stories here are made up."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from stream_rec.client import EventProducer, RecommendationsView, SurfacesView
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.slate import Slate
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.live import LivePipeline

HOUR_MS = 3_600_000
START_MS = 1_767_225_600_000
"""The made-up days begin on 2026-01-01."""
WORDS = {
    "sport": ("striker penalty league goal keeper derby", "racket serve baseline final set volley"),
    "science": ("telescope planet orbit comet probe galaxy", "gene cell protein virus vaccine trial"),
    "business": ("bank interest inflation bond lender budget", "battery carmaker factory charger electric engine"),
    "culture": ("film director festival actor premiere screen", "orchestra opera conductor soprano stage violin"),
    "politics": ("vote coalition ballot campaign candidate poll", "border treaty envoy summit embassy sanctions"),
}
"""Two topics for each section, each with the words that its titles are made of."""
PLACES = {"FR": ("Lyon", "Paris", "Nice"), "DE": ("Berlin", "Hamburg", "Dresden"), "GB": ("Leeds", "Bristol", "York")}
TOPICS = [(section, words.split()) for section, topics in WORDS.items() for words in topics]
HALF_LIVES_H = (0.5, 1.0, 3.0, 8.0)
"""Of the popularity that lists are compared with."""
VISIT_MS = 300_000
ONCE = Rule("once", "exclude", "desk", "nobody reads a story twice", relation="seen")


class NewsDesk:
    """What editors do, and what readers see and do."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka, linger_ms=0)
        self._lists = RecommendationsView(kafka)
        self._surfaces = SurfacesView(kafka)

    def publish(self, story: Item) -> None:
        """Put a story, or its new text, before readers."""
        self._events.item(story)
        self._events.flush()

    def end(self, story: Item) -> None:
        """Take a story off all pages; what it taught stays known."""
        self.publish(msgspec.structs.replace(story, available=False))

    def read(self, reader: str, story_id: str, country: str) -> str:
        """Say that a reader in a country opened a story; return the event's id."""
        event = self._events.view(reader, story_id, context={"country": country})
        self._events.flush()
        return event

    def front_page(self, reader: str) -> list[str]:
        """Return the stories on a reader's front page, best first."""
        made = self._lists.for_user(reader)
        return [item.item_id for item in made.items] if made else []

    def newest(self, reader: str) -> list[str]:
        """Return the stories of the column "new for you", which hardly anybody has read yet."""
        made = self._surfaces.for_user(reader, "new")
        return [item.item_id for item in made.items] if made else []

    def close(self) -> None:
        """Let go of the connections."""
        for client in (self._events, self._lists, self._surfaces):
            client.close()


def pin(story_id: str) -> Rule:
    """Return the rule that an editor's story is on top of every front page."""
    return Rule("lead", "pin", "editor", "the lead", Target(item_ids=[story_id]), slot=1)


def cap(section: str, count: int) -> Rule:
    """Return the rule that a front page has at most so many stories of a section."""
    return Rule(f"cap-{section}", "cap", "editor", "a mixed page", Target(category=section), count=count)


@dataclass(frozen=True)
class Story:
    """A made-up story, with what readers make of it."""

    item: Item
    topic: int
    country: str
    published_h: float
    quality: float

    def appeal(self, now_h: float, interests: list[int], country: str) -> float:
        """Return how likely a reader opens it, not yet normed: it peaks after an hour, and halves every four."""
        age_h = now_h - self.published_h
        rise = min(1.0, 0.25 + age_h)
        fit = (8.0 if self.topic in interests else 1.0) * (3.0 if self.country == country else 1.0)
        return self.quality * rise * fit * math.exp2(-age_h / 4)


def write_story(rng: random.Random, name: str, topic: int, published_h: float) -> Story:
    """Return a story of a topic, its title made of the topic's words and a place."""
    section, words = TOPICS[topic]
    country = rng.choice(list(PLACES))
    first, second, third = rng.sample(words, 3)
    title = f"{first.capitalize()}, {second} and {third} in {rng.choice(PLACES[country])}"
    return Story(Item(name, title, category=section), topic, country, published_h, rng.lognormvariate(0, 0.7))


def write_stories(seed: int, hours: int) -> list[Story]:
    """Return made-up stories, five an hour."""
    rng = random.Random(seed)
    return [write_story(rng, f"s{n}", rng.randrange(len(TOPICS)), n / 5) for n in range(5 * hours)]


def simulate(
    seed: int = 0, *, hours: int = 72, n_readers: int = 80, start_ms: int = START_MS
) -> list[Item | LoggedEvent]:
    """Return a made-up log in order: stories come, and end after 24 hours, and readers visit thrice a day.

    A reader has two of ten topics and a country, and opens three stories a visit, two minutes apart, none twice.
    """
    rng = random.Random(seed + 1)
    stories = write_stories(seed, hours)
    entries: list[tuple[float, Item | LoggedEvent]] = [(story.published_h, story.item) for story in stories]
    entries += [(story.published_h + 24, msgspec.structs.replace(story.item, available=False)) for story in stories]
    for reader in (f"r{n}" for n in range(n_readers)):
        interests, country = rng.sample(range(len(TOPICS)), 2), rng.choice(list(PLACES))
        had: set[str] = set()
        for begin_h in sorted(rng.uniform(2, hours) for _ in range(3 * hours // 24)):
            for now_h in (begin_h, begin_h + 1 / 30, begin_h + 2 / 30):
                alive = [s for s in stories if now_h - 24 < s.published_h <= now_h and s.item.item_id not in had]
                story = rng.choices(alive, [story.appeal(now_h, interests, country) for story in alive])[0].item
                had.add(story.item_id)
                event = Interaction(f"{reader}-{len(had)}", reader, story.item_id, start_ms + int(now_h * HOUR_MS))
                event = msgspec.structs.replace(event, context={"country": country})
                entries.append((now_h, LoggedEvent(Kind.VIEW, event)))
    return [entry for at_h, entry in sorted(entries, key=lambda entry: entry[0]) if at_h < hours]


def live_through_a_day(pipeline: LivePipeline) -> list[Story]:
    """Send a made-up day that ends now to a pipeline; return its stories, all of which go on."""
    stories = write_stories(0, 24)
    pipeline.items(story.item for story in stories)
    for entry in simulate(hours=24, start_ms=time.time_ns() // 1_000_000 - 24 * HOUR_MS):
        if isinstance(entry, LoggedEvent):
            event = entry.event
            pipeline.view(event.user_id, event.item_id, timestamp_ms=event.timestamp_ms, context=event.context)
    pipeline.wait_until_settled()
    return stories


def scored_reads(events: Iterable[LoggedEvent]) -> list[tuple[int, int]]:
    """Return pairs of positions: of a read, and of the one before it in the same visit, which made the list."""
    last: dict[str, tuple[int, int]] = {}
    pairs = []
    for position, (_, event) in enumerate(events):
        before, before_ms = last.get(event.user_id, (0, -VISIT_MS))
        if event.timestamp_ms - before_ms < VISIT_MS:
            pairs.append((position, before))
        last[event.user_id] = position, event.timestamp_ms
    return pairs


def measure_lists(log: list[Item | LoggedEvent], lists: list[Slate], n: int = 10) -> tuple[float, int]:
    """Return HR@n: how often what is read next in a visit is in the first n of the list made on the read before it."""
    events = [entry for entry in log if isinstance(entry, LoggedEvent)]
    pairs = scored_reads(events)
    hits = [events[at].event.item_id in {item.item_id for item in lists[before].items[:n]} for at, before in pairs]
    return sum(hits) / len(hits), len(hits)


def measure_popularity(log: list[Item | LoggedEvent], half_life_h: float, n: int = 10) -> float:
    """Return HR@n of the same reads by the most read stories that have not ended and that the reader has not read."""
    scores: dict[str, float] = defaultdict(float)
    had: dict[str, set[str]] = defaultdict(set)
    alive: set[str] = set()
    scored = {at for at, _ in scored_reads(entry for entry in log if isinstance(entry, LoggedEvent))}
    hits, position = [], 0
    for entry in log:
        if isinstance(entry, Item):
            (alive.add if entry.available else alive.discard)(entry.item_id)
            continue
        event = entry.event
        if position in scored:
            top = sorted(alive - had[event.user_id], key=lambda story: -scores[story])[:n]
            hits.append(event.item_id in top)
        scores[event.item_id] += 2.0 ** ((event.timestamp_ms - START_MS) / HOUR_MS / half_life_h)
        had[event.user_id].add(event.item_id)
        position += 1
    return sum(hits) / len(hits)


def measure_freshness(pipeline: LivePipeline, stories: list[Story], n_stories: int = 20) -> list[float]:
    """Return seconds, for each of some new stories, from publishing to the list of an interested reader that has it.

    A reader has read two stories of the topic before. From the moment at which the story is sent on they read on, one
    story after the other, until a list has it; nobody else has read it.
    """
    rng = random.Random(0)
    taken_s = []
    with EventProducer(pipeline.settings.kafka, linger_ms=0) as desk:
        for n in range(n_stories):
            fresh = write_story(rng, f"fresh{n}", n % len(TOPICS), 24).item
            known = [story.item.item_id for story in stories if story.topic == n % len(TOPICS)]
            for story_id in known[:2]:
                pipeline.view(f"waits{n}", story_id)
            began = time.monotonic()
            desk.item(fresh)
            for story_id in known[2:]:
                made = pipeline.recommendations.of(f"waits{n}", after=pipeline.view(f"waits{n}", story_id))
                if fresh.item_id in {item.item_id for item in made.items}:
                    break
            else:
                raise AssertionError(f"{fresh.title!r} came into no list of a reader of its topic")
            taken_s.append(time.monotonic() - began)
            desk.delete_item(fresh.item_id)  # so that the next one has no more of its kind beside it
    return sorted(taken_s)
