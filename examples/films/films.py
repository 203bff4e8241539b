"""A site on which members rate films: ratings stand on a topic of its own, and ``stream-rec ingest`` reads that.

Also how good its lists are, on real ratings: each is looked for in the list that its member had before.
"""

from __future__ import annotations

import gzip
import json
import math
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import nlargest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaAdminClient, KafkaProducer

from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.pipeline import RunningPipeline

HERE = Path(__file__).parent
LIKED_FROM = 8
"""Stars, of ten: what has fewer was seen, and no more."""
LIST_LENGTH = 20
FEW_RATINGS = 5
HALF_LIFE_S = 3 * 86_400
"""In which the baseline's popularity fades by half; with 1, 7 and 30 days it is as good."""


class Rating(NamedTuple):
    """What a member thought of a film, as the site writes it."""

    id: str
    member: str
    film: str
    stars: float
    at: float
    """Seconds since 1970."""

    @property
    def verdict(self) -> str:
        """The word by which ingest knows what it means: see settings.toml."""
        return "liked" if self.stars >= LIKED_FROM else "seen"


class FilmSite:
    """Keeps ratings on a topic of its own, and tells what new members say that they like."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._ratings = connect(KafkaProducer, kafka, acks="all")
        self._events = EventProducer(kafka)

    def join(self, member: str, likes: list[str]) -> None:
        """Tell what a new member likes, in words."""
        self._events.profile(member, interests=likes)
        self._events.flush()

    def rate(self, member: str, film: str, stars: float) -> str:
        """Write a member's rating, and return its id."""
        return self.write(Rating(uuid.uuid4().hex, member, film, stars, time.time()))

    def write(self, rating: Rating) -> str:
        """Write a rating, keyed by the film: the site did not think of members' lists when it chose the key."""
        record = {**rating._asdict(), "verdict": rating.verdict}
        self._ratings.send(self._topic, key=rating.film.encode(), value=json.dumps(record).encode())
        return rating.id

    def close(self) -> None:
        """Send what is left, and let go of the connections."""
        self._ratings.close()
        self._events.close()


@contextmanager
def open_site(running: RunningPipeline) -> Iterator[FilmSite]:
    """Give the site, with its topic, of 3 partitions, and an ingest process that reads it; both are gone at the end."""
    settings = running.settings
    topic = f"site-{settings.kafka.topic_prefix}ratings"
    adopted = msgspec.structs.replace(settings.ingest.topics["ratings"], name=topic)
    ingest = msgspec.structs.replace(settings.ingest, topics={"ratings": adopted})
    running.settings = msgspec.structs.replace(settings, ingest=ingest)
    admin = connect(KafkaAdminClient, settings.kafka)
    try:
        admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 1}})
        admin.wait_for_topics([topic])
        site, reader = FilmSite(settings.kafka, topic), running.start_ingest()
        try:
            yield site
        finally:
            site.close()
            reader.stop()
    finally:
        admin.delete_topics([topic])
        admin.close()
        running.settings = settings


def read_films() -> dict[str, Item]:
    """Return the catalog: all films of the data set, also those that nobody of these members rates."""
    with gzip.open(HERE / "films.jsonl.gz") as lines:
        return {film.item_id: film for film in (msgspec.json.decode(line, type=Item) for line in lines)}


def read_ratings() -> list[Rating]:
    """Return the real ratings, in order."""
    with gzip.open(HERE / "ratings.jsonl.gz") as lines:
        read: Iterator[dict[str, Any]] = map(json.loads, lines)
        return [Rating(r["event_id"], r["user_id"], r["item_id"], r["value"], r["timestamp"]) for r in read]


def make_event(rating: Rating) -> LoggedEvent:
    """Return the event that ingest makes of a rating: for replays, in which there is none."""
    kind = Kind.CLICK if rating.verdict == "liked" else Kind.VIEW
    at_ms, context = round(rating.at * 1000), {"action": rating.verdict}
    return LoggedEvent(kind, Interaction(rating.id, rating.member, rating.film, at_ms, rating.stars, context))


class Figure(NamedTuple):
    """How well lists of twenty, made before each rating, have the film that was rated then."""

    name: str
    hit_rate: float
    ndcg: float
    rare_hit_rate: float
    """Of ratings of films that fewer than 5 members had rated."""
    n: int
    n_rare: int


def measure(replay: Callable[..., list[Slate]]) -> tuple[Figure, Figure]:
    """Return the figures of stream-rec and of decayed popularity on the same ratings: each member's but the first.

    Args:
        replay: ``stream_rec.testing.replaying.replay_log`` with the settings beside this file, or the fixture.
    """
    ratings = read_ratings()
    made = replay([*read_films().values(), *map(make_event, ratings)])
    list_after = {each.as_of.event_id: [item.item_id for item in each.items] for each in made if each.as_of}
    rated: defaultdict[str, set[str]] = defaultdict(set)
    newest: dict[str, list[str]] = {}
    popularity: defaultdict[str, float] = defaultdict(float)
    n_ratings: defaultdict[str, int] = defaultdict(int)
    ours: list[tuple[int, bool]] = []
    popular: list[tuple[int, bool]] = []
    for rating in ratings:
        seen = rated[rating.member]
        if rating.member in newest:
            charts = nlargest(LIST_LENGTH + len(seen), popularity, key=popularity.__getitem__)
            is_rare = n_ratings[rating.film] < FEW_RATINGS
            ours.append((_find_position(rating.film, newest[rating.member], seen), is_rare))
            popular.append((_find_position(rating.film, charts, seen), is_rare))
        newest[rating.member] = list_after[rating.id]
        seen.add(rating.film)
        n_ratings[rating.film] += 1
        popularity[rating.film] += 2 ** ((rating.at - ratings[0].at) / HALF_LIFE_S)  # ranks as one that fades
    return _score("stream-rec", ours), _score("decayed popularity", popular)


def _find_position(film: str, films: list[str], rated: set[str]) -> int:
    """Return where a film stands in a list without those that the member has rated, counted from 1; 0: nowhere."""
    shown = [each for each in films if each not in rated][:LIST_LENGTH]
    return shown.index(film) + 1 if film in shown else 0


def _score(name: str, found: list[tuple[int, bool]]) -> Figure:
    hits = [position for position, _ in found if position]
    rare = [position for position, is_rare in found if is_rare]
    ndcg = sum(1 / math.log2(1 + position) for position in hits) / len(found)
    return Figure(name, len(hits) / len(found), ndcg, sum(map(bool, rare)) / len(rare), len(found), len(rare))
