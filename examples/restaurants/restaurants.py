"""A restaurant guide with critiques: a guest names a place they know, and asks for one like it, but cheaper.

Also how good that is, on real sessions of 1996: where guests ended up after a critique, and the lists of that moment.

Source:
    Burke, Hammond, Young. The FindMe approach to assisted browsing. IEEE Expert 12(4), 1997.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from stream_rec.client import EventProducer
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.validate import InputLimits
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.logs.log import BadLine, read_events, read_items, usable

LOG = Path(__file__).parent.parent / "entree_chicago"
CRITIQUES = ("nicer", "cheaper", "livelier", "more_creative", "more_traditional", "quieter")
"""The buttons beside a restaurant."""
N_EVENTS = 2_500
LIST_LENGTH = 10
HALF_LIFE_MS = 14 * 86_400_000
"""In which the baseline's popularity fades by half; with 3 and 60 days it is no better."""

Log = list[LoggedEvent | Search]


class Guide:
    """Tells what guests look at, ask for and choose."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka)

    def open_page(self, guest: str, restaurant: str, *, at_ms: int | None = None) -> str:
        """Tell that a guest looked at a restaurant; return the event's id."""
        return self._deliver(self._events.view(guest, restaurant, timestamp_ms=at_ms))

    def critique(self, guest: str, restaurant: str, critique: str, *, at_ms: int | None = None) -> str:
        """Tell that a guest asked for something like a restaurant, but as the critique says."""
        return self._deliver(self._events.search(guest, critique, item_id=restaurant, timestamp_ms=at_ms))

    def choose(self, guest: str, restaurant: str, *, at_ms: int | None = None) -> str:
        """Tell that a guest chose a restaurant."""
        return self._deliver(self._events.click(guest, restaurant, timestamp_ms=at_ms))

    def send(self, log: Log) -> None:
        """Tell what guests did before."""
        for entry in log:
            if isinstance(entry, Search):
                self._events.send_search(entry)
            else:
                self._events.send_interaction(*entry)
        self._events.flush()

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()

    def _deliver(self, event_id: str) -> str:
        self._events.flush()
        return event_id


def read_restaurants() -> dict[str, Item]:
    """Return the restaurants of the bundled log by their ids."""
    return {item.item_id: item for item in usable(read_items(LOG / "items.jsonl.gz", limits=InputLimits()), _refuse)}


def read_log(n_events: int = N_EVENTS) -> Log:
    """Return the first events of the bundled log, each followed by the critique that led on from it, if any."""
    now_ms = time.time_ns() // 1_000_000
    lines = read_events(LOG / "events.jsonl.gz", limits=InputLimits(), received_ms=now_ms, critiques=CRITIQUES)
    log: Log = []
    for entry in usable(lines, _refuse):
        assert isinstance(entry, LoggedEvent | Search)  # it has no impressions
        n_events -= isinstance(entry, LoggedEvent)
        if n_events < 0:
            break
        log.append(entry)
    return log


class Ending(NamedTuple):
    """A guest asked for something else than a restaurant, came to another, and looked no further."""

    event_id: str
    """Of the event after which the guest asked."""
    search_id: str
    asked_about: str | None
    restaurant: str


def find_endings(log: Log) -> list[Ending]:
    """Return the sessions of which the last step before the end was a critique."""
    asked: dict[str, tuple[str, str, str | None]] = {}
    endings: list[Ending] = []
    session = event_id = ""
    for entry in log:
        if isinstance(entry, Search):
            asked[session] = event_id, entry.event_id, entry.item_id
            continue
        session, event_id = entry.event.context["session_id"], entry.event.event_id
        critique = asked.pop(session, None)
        if critique and entry.kind is Kind.CLICK and entry.event.item_id != critique[-1]:
            endings.append(Ending(*critique, entry.event.item_id))
    return endings


class Figure(NamedTuple):
    """In how many of ``n`` sessions the restaurant at the end stood in the list made after the last critique."""

    name: str
    in_ten: float
    first: float
    n: int


def measure(replay: Callable[..., list[Slate]], n_events: int = N_EVENTS) -> list[Figure]:
    """Return the figure of stream-rec, of the same told critiques as mere views, and of two counts.

    Args:
        replay: ``stream_rec.testing.replaying.replay_log``, or the fixture of that name.
    """
    catalog, log = list(read_restaurants().values()), read_log(n_events)
    ends = find_endings(log)
    told = _by_event(replay([*catalog, *log]))
    views = _by_event(replay([*catalog, *(entry for entry in log if isinstance(entry, LoggedEvent))]))
    counted, popular = count_baselines(log)
    return [
        _score("critiques are told", ends, [told[end.search_id] for end in ends]),
        _score("critiques are told as mere views", ends, [views[end.event_id] for end in ends]),
        _score("count of what followed the same critique", ends, [counted[end.search_id] for end in ends]),
        _score("most popular of the moment", ends, [popular[end.search_id] for end in ends]),
    ]


def count_baselines(log: Log) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return two kinds of lists as of each search, by its id.

    Returns:
        What guests before came to after the same critique of the same restaurant, then after that restaurant however
        they left it, then what is popular; and what is popular alone.
    """
    followed: defaultdict[tuple[str | None, str], defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    popular: defaultdict[str, float] = defaultdict(float)
    start_ms = next(entry.event.timestamp_ms for entry in log if isinstance(entry, LoggedEvent))
    left: dict[str, list[tuple[str | None, str]]] = {}
    counted, most_popular, session = {}, {}, ""
    for entry in log:
        if isinstance(entry, Search):
            here = entry.item_id, entry.query
            left[session].append(here)
            counted[entry.event_id] = _top(followed[here], followed[entry.item_id, ""], popular)
            most_popular[entry.event_id] = _top(popular)
            continue
        event = entry.event
        session = event.context["session_id"]
        for before in left.get(session, []):
            followed[before][event.item_id] += 1
        left[session] = [(event.item_id, "")]
        popular[event.item_id] += 2 ** ((event.timestamp_ms - start_ms) / HALF_LIFE_MS)  # ranks as one that fades
    return counted, most_popular


def _top(*counts: Mapping[str, float]) -> list[str]:
    found = (restaurant for count in counts for restaurant in nlargest(LIST_LENGTH + 1, count, key=count.__getitem__))
    return list(dict.fromkeys(found))


def _by_event(lists: Iterable[Slate]) -> dict[str, list[str]]:
    """Return the list that was made on each event, by its id."""
    return {made.as_of.event_id: [item.item_id for item in made.items] for made in lists if made.as_of}


def _score(name: str, ends: list[Ending], lists: list[list[str]]) -> Figure:
    """Score lists without the restaurant that the guest asked about, on whose page they stand."""
    shown = [[each for each in made if each != end.asked_about][:LIST_LENGTH] for end, made in zip(ends, lists)]
    hits = [end.restaurant in made for end, made in zip(ends, shown)]
    firsts = [end.restaurant in made[:1] for end, made in zip(ends, shown)]
    return Figure(name, sum(hits) / len(ends), sum(firsts) / len(ends), len(ends))


def _refuse(line: BadLine) -> None:
    raise ValueError(f"line {line.line} of the log cannot be used: {line.reason}: {line.detail}")
