"""Both stages against a broker in plain Python, where processes die between any two steps.

The broker keeps what real Kafka keeps: the sources, the user stage's changelog, the signals by item partition, and
committed offsets, which lag behind what was acked. The stages follow the recipe of ``runtime/batch.py``.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import partial

import pytest

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.contexts import key_of, numbers_of
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.state import UNSEEN, ItemState, KnowledgeConfig
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.seen import Chunk
from stream_rec.user.state import COLD, UserState
from tests.user import shown
from tests.user.asked import Taught, taught_by_arrival
from tests.user.histories import folded
from tests.user.shown import events_of, others_of

Topics = dict[Source, list]
"""By topic, what stands in it: interactions, searches, impressions or profiles."""
USER = UserConfig(
    recent_events=16,
    recent_searches=3,
    recent_impressions=3,
    weekly_counts=16,
    weekly_training_events=1000,
    training_impressions=1000,
)
"""Every event teaches: which of those that are alike do not is another test's matter."""
FEW_TRAINING_EVENTS = UserConfig(
    recent_events=16, weekly_counts=1024, weekly_training_events=2, recent_impressions=3, training_impressions=2
)
ITEM = KnowledgeConfig(predecessors=10_000, recent_visits=2, queries=10_000, contexts=10_000)
"""No pair, query or context is ever cut; most visits are, which must not show in what is kept."""
ITEM_PARTITIONS = 2
SIGNALS_A_MESSAGE = 3
HOUR_MS = 3_600_000
HALF_LIFE_MS = 180 * 24 * HOUR_MS
END_MS = 2000 * HOUR_MS


class Crash(Exception):
    """The process is killed here."""


class Broker:
    """What outlives every process."""

    def __init__(self, sources: Topics) -> None:
        self.sources = sources
        self.changelog: dict[str, bytes] = {}
        self.chunks: dict[tuple[str, int], bytes] = {}
        """Of the changelog, too: each is a record."""
        self.signals: list[list[list[Signal]]] = [[] for _ in range(ITEM_PARTITIONS)]
        self.committed = dict.fromkeys(sources, 0)
        self.applied: dict[str, list[Arrival]] = defaultdict(list)
        """By user, in the order in which events came to the state that the changelog keeps. The test's own notes."""

    def is_drained(self, position: dict[Source, int]) -> bool:
        return all(position[kind] == len(log) for kind, log in self.sources.items())


class UserStage:
    """One process: ``UserStage.handle`` and ``_acknowledged``, and the recipe, with a knife in between."""

    def __init__(self, broker: Broker, rng: random.Random, config: UserConfig, *, crash_rate: float) -> None:
        self._broker = broker
        self._rng = rng
        self._config = config
        self._crash_rate = crash_rate
        self._position = dict(broker.committed)
        self._sent_up_to: dict[Source, int] = {}

    def run(self) -> None:
        """Take batches until the sources are drained.

        Raises:
            Crash: somewhere.
        """
        while not self._broker.is_drained(self._position):
            self._handle(self._next_batch())
            if self._rng.random() < 0.3:  # commits are seldom, so a new process reads again what was long acked
                self._broker.committed = dict(self._position)
        self._broker.committed = dict(self._position)

    def _next_batch(self) -> list[Arrival]:
        batch = []
        for _ in range(self._rng.choice([1, 3, 10, 60])):
            waiting = [kind for kind, log in self._broker.sources.items() if self._position[kind] < len(log)]
            if waiting:
                kind = self._rng.choice(waiting)
                offset = self._position[kind]
                batch.append(Arrival(self._broker.sources[kind][offset], kind, 0, offset))
                self._position[kind] += 1
        return batch

    def _handle(self, batch: list[Arrival]) -> None:
        arrivals = defaultdict(list)
        for arrival in batch:
            arrivals[arrival.event.user_id].append(arrival)
        states: list[tuple[str, bytes, list[Arrival]]] = []
        chunks: dict[str, dict[int, bytes]] = {}
        taught: list[Signal] = []
        for user_id, arrived in arrivals.items():
            stored = self._broker.changelog.get(user_id)
            before = user_state.decode(stored) if stored else COLD
            after = advance(before, arrived, self._config, self._acknowledged(), partial(self._chunk, user_id))
            chunks[user_id] = {number: seen.encode(chunk) for number, chunk in after.chunks.items()}
            if after.is_changed:
                fresh = [a for a in arrived if a.offset > before.offsets.get(a.source, -1)]
                states.append((user_id, user_state.encode(after.state), fresh))
            taught += after.signals
        self._maybe_crash()
        for user_id, data, fresh in states:
            for number, chunk in chunks[user_id].items():
                self._broker.chunks[user_id, number] = chunk
                self._maybe_crash()
            self._broker.changelog[user_id] = data
            self._broker.applied[user_id] += fresh
            self._maybe_crash()
        self._send(taught)
        for arrival in batch:
            self._sent_up_to[arrival.source] = arrival.offset

    def _chunk(self, user_id: str, number: int) -> Chunk | None:
        data = self._broker.chunks.get((user_id, number))
        return None if data is None else seen.decode(data)

    def _acknowledged(self) -> dict[int, int]:
        return {
            int(kind): max(self._sent_up_to.get(kind, -1), committed - 1)
            for kind, committed in self._broker.committed.items()
        }

    def _send(self, taught: list[Signal]) -> None:
        partitions: list[list[Signal]] = [[] for _ in range(ITEM_PARTITIONS)]
        for signal in sorted(taught, key=lambda s: (s.source, s.offset)):
            partitions[zlib.crc32(signal.item_id.encode()) % ITEM_PARTITIONS].append(signal)
        messages = [
            [part[at : at + SIGNALS_A_MESSAGE] for at in range(0, len(part), SIGNALS_A_MESSAGE)] for part in partitions
        ]
        is_cut = self._rng.random() < self._crash_rate
        for partition, sent in enumerate(messages):  # each partition has its order, between them there is none
            n = self._rng.randint(0, len(sent)) if is_cut else len(sent)
            self._broker.signals[partition] += sent[:n]
        if is_cut:
            raise Crash

    def _maybe_crash(self) -> None:
        if self._rng.random() < self._crash_rate:
            raise Crash


def user_stage(broker: Broker, rng: random.Random, config: UserConfig, *, crash_rate: float) -> dict[str, UserState]:
    """Run one process after another until the sources are drained; return the states in the changelog."""
    for _ in range(12):
        try:
            UserStage(broker, rng, config, crash_rate=crash_rate).run()
            break
        except Crash:
            continue
    UserStage(broker, rng, config, crash_rate=0.0).run()
    return {user_id: user_state.decode(data) for user_id, data in broker.changelog.items()}


def item_stage(messages: list[list[Signal]], rng: random.Random, *, crash_rate: float) -> dict[str, ItemState]:
    """Apply one partition's messages. A process that dies has written some states of its batch and committed less."""
    table: dict[str, bytes] = {}
    position = committed = 0
    while position < len(messages):
        n = rng.choice([1, 4, 20])
        by_item = defaultdict(list)
        for message in messages[position : position + n]:
            for signal in message:
                by_item[signal.item_id].append(signal)
        position = min(len(messages), position + n)
        is_cut = rng.random() < crash_rate
        for item_id, taught in by_item.items():
            if is_cut and rng.random() < 0.5:
                continue
            before = item_state.decode(table[item_id]) if item_id in table else UNSEEN
            table[item_id] = item_state.encode(item_state.apply(before, taught, ITEM))
        if is_cut:
            position = committed
        elif rng.random() < 0.5:
            committed = position
    return {item_id: item_state.decode(data) for item_id, data in table.items()}


def both_stages(sources: Topics, seed: int, *, crash_rate: float, config: UserConfig = USER):
    """Return the broker, user states and item states after everything was taken."""
    rng = random.Random(seed)
    broker = Broker(sources)
    users = user_stage(broker, rng, config, crash_rate=crash_rate)
    items: dict[str, ItemState] = {}
    for messages in broker.signals:
        items |= item_stage(messages, rng, crash_rate=crash_rate)
    return broker, users, items


def world(
    seed: int,
    *,
    n_events: int,
    users: list[str],
    kinds: list[Kind],
    n_items: int,
    n_searches: int = 0,
    n_impressions: int = 0,
    n_profiles: int = 0,
    step_ms: int = HOUR_MS,
) -> Topics:
    """Return what some users did, saw and said by topic: mostly in order, some late, many at one time.

    Args:
        step_ms: From every second event to the next; searches and impressions stand between them and at their times.
    """
    rng = random.Random(seed)
    sources: Topics = {Source(kind): [] for kind in kinds}
    for number in range(n_events):
        late = rng.choice([0, 0, 0, 1, 5, 200]) * step_ms
        at = 1000 * HOUR_MS + number // 2 * step_ms - late
        said = {"country": "ABC"[number % 3]} if number % 4 else {"hour": number % 5, "note": "x"}
        sources[Source(rng.choice(kinds))].append(
            Interaction(f"e{number}", rng.choice(users), f"i{int(n_items * rng.random() ** 2)}", at, context=said)
        )
    if n_searches:
        sources[Source.SEARCH] = _searches(rng, n_events // 2, users, n_items, n_searches, step_ms)
    if n_impressions:
        sources[Source.IMPRESSION] = _impressions(rng, n_events // 2, users, n_items, n_impressions, step_ms)
    if n_profiles:
        sources[Source.PROFILE] = _profiles(rng, users, n_profiles)
    return sources


def _profiles(rng: random.Random, users: list[str], n_profiles: int) -> list[Profile]:
    """Return profiles, some of which take the one of before back."""
    texts = [[], [], ["jazz"], ["jazz", "chess"]]
    return [
        Profile(rng.choice(users), number, rng.choice(texts), rng.choice(["", "de", "fr"]))
        for number in range(n_profiles)
    ]


def _impressions(
    rng: random.Random, n_steps: int, users: list[str], n_items: int, n_impressions: int, step_ms: int
) -> list[Impression]:
    impressions = []
    for number in range(n_impressions):
        late = rng.choice([0, 0, 0, 1, 3, 50]) * step_ms + rng.choice([0, 0, 1, 1_800_000, 1_800_001])
        at = 1000 * HOUR_MS + number * n_steps // n_impressions * step_ms - late
        items = rng.sample(range(n_items), rng.randint(1, min(5, n_items)))
        positions = rng.sample([1, 2, 3, 4, 5, 6, 9, 15, 30], len(items))
        in_slots = [ShownItem(f"i{item}", position) for item, position in zip(items, positions)]
        impressions.append(Impression(f"p{number}", rng.choice(users), "", in_slots, at))
    return impressions


def _searches(
    rng: random.Random, n_steps: int, users: list[str], n_items: int, n_searches: int, step_ms: int
) -> list[Search]:
    searches = []
    for number in range(n_searches):
        late = rng.choice([0, 0, 0, 1, 3, 50]) * step_ms + rng.choice([0, 0, 1, 1_800_000, 1_800_001])
        about = f"i{int(n_items * rng.random() ** 2)}" if rng.random() < 0.4 else None
        at = 1000 * HOUR_MS + number * n_steps // n_searches * step_ms - late
        searches.append(
            Search(f"s{number}", rng.choice(users), rng.choice(["red", "Red pot", "pot red", "?"]), at, about)
        )
    return searches


def slots(items: dict[str, ItemState]) -> shown.Taught:
    """Return how often each item was shown in and chosen from each slot."""
    found: shown.Taught = Counter()
    for item_id, state in items.items():
        for what, by_slot in ((shown.SHOWN, state.shown), (shown.CHOSEN, state.chosen)):
            found.update({(what, item_id, slot): n for slot, n in enumerate(by_slot)})
    return shown.without_zeros(found)


def slots_by_arrival(applied: dict[str, list[Arrival]], config: UserConfig = USER) -> shown.Taught:
    """Return the same of users with these bounds, taken in the order in which all came to their states."""
    total: shown.Taught = Counter()
    for arrived in applied.values():
        teaching = shown.teaching_slots(arrived, config.training_impressions, config.shown_counts, 0)
        total += shown.what_is_shown(teaching)
        total += shown.chosen_by_arrival(
            arrived,
            config.recent_events,
            config.recent_impressions,
            teaching,
            shown.teaching_events(arrived, config.weekly_training_events),
        )
    return total


def answers(items: dict[str, ItemState]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return by item and query the summed weight, and the fading one as of the end of the world."""
    found = {}
    for item_id, state in items.items():
        for number, (weight, total, last_ms) in state.queries.items():
            found[item_id, number] = weight, pytest.approx(total * 0.5 ** ((END_MS - last_ms) / HALF_LIFE_MS), abs=1e-6)
    return found


def answers_of(taught: Iterable[Taught]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return the same of what users teach, by the definition."""
    found: dict[tuple[str, int], tuple[int, float]] = {}
    for of_user in taught:
        for (number, item_id, at_ms), weight in of_user.items():
            whole, faded = found.get((item_id, number), (0, 0.0))
            found[item_id, number] = whole + weight, faded + weight * 0.5 ** ((END_MS - at_ms) / HALF_LIFE_MS)
    return {key: (whole, faded) for key, (whole, faded) in found.items() if whole or abs(faded) > 1e-6}


def answers_by_arrival(applied: dict[str, list[Arrival]]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return it for users with the bounds of ``USER``, taken in the order in which all came to their states."""
    return answers_of(
        taught_by_arrival(others_of(arrived), USER.recent_events, USER.recent_searches) for arrived in applied.values()
    )


def counted(items: dict[str, ItemState]) -> dict:
    return {item_id: (s.counts, s.first_ms, s.last_ms) for item_id, s in items.items()}


def contexts(items: dict[str, ItemState]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return how often each item was come to in each context, and how much of it is left at the end."""
    return {
        (item_id, number): (weight, pytest.approx(total * 2.0 ** -((END_MS - last_ms) / HALF_LIFE_MS), rel=1e-9))
        for item_id, state in items.items()
        for number, (weight, total, last_ms) in state.contexts.items()
    }


def contexts_by_arrival(
    applied: dict[str, list[Arrival]], config: UserConfig = USER
) -> dict[tuple[str, int], tuple[int, float]]:
    """Return the same of the events that teach, each counted once for what it says and once for each key.

    Where it says no language it counts for that of its user's profile as it stood then.
    """
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for arrived in applied.values():
        teaching = shown.teaching_events(arrived, config.weekly_training_events)
        at_home = {}
        for one in arrived:
            if one.source == Source.PROFILE:
                at_home = {"language": one.event.language} if one.event.language else {}
            elif one.source < Source.SEARCH and one.event.event_id in teaching:
                for number in filter(None, numbers_of(at_home | one.event.context, config.context_keys)):
                    found[one.event.item_id, number].append(one.event.timestamp_ms)
                    found[one.event.item_id, key_of(number)].append(one.event.timestamp_ms)
    return {
        which: (len(times), sum(2.0 ** -((END_MS - at_ms) / HALF_LIFE_MS) for at_ms in times))
        for which, times in found.items()
    }


def visits(items: dict[str, ItemState]) -> dict[str, bytes]:
    return {item_id: s.visits for item_id, s in items.items()}


def repeats(items: dict[str, ItemState]) -> dict[str, int]:
    return {item_id: s.repeats for item_id, s in items.items()}


def repeats_by_arrival(applied: dict[str, list[Arrival]]) -> Counter[str]:
    """Return how often users came back to each item, events taken in the order in which they came to the states."""
    found: Counter[str] = Counter()
    for arrived in applied.values():
        state = COLD
        for one in events_of(arrived):
            found[one.event.item_id] += any(count.item_id == one.event.item_id for count in state.weekly_counts)
            state = folded([one], USER, state)
    return found


def first_events(items: dict[str, ItemState]) -> dict[str, tuple[list[float], int]]:
    return {item_id: (s.first_sums, s.last_first_ms) for item_id, s in items.items() if s.last_first_ms is not None}


def first_events_by_arrival(applied: dict[str, list[Arrival]]) -> dict[str, tuple[list[float], int]]:
    """Return the same of each user's first event of each topic, by the definition."""
    times: dict[str, list[int]] = defaultdict(list)
    for arrived in applied.values():
        for kind in {one.source for one in events_of(arrived)}:
            first = min((one for one in arrived if one.source == kind), key=lambda one: one.offset).event
            times[first.item_id].append(first.timestamp_ms)
    half_lives = (7 * 24 * HOUR_MS, 90 * 24 * HOUR_MS)
    return {
        item_id: (
            pytest.approx([sum(2.0 ** -((max(at) - each) / half) for each in at) for half in half_lives], rel=1e-9),
            max(at),
        )
        for item_id, at in times.items()
    }


def pairs(items: dict[str, ItemState]) -> dict[tuple[str, str], int]:
    return {(earlier, later): weight for later, s in items.items() for earlier, weight in s.predecessors.items()}


def summed(parts) -> dict[tuple[str, str], int]:
    total: dict[tuple[str, str], int] = defaultdict(int)
    for part in parts:
        for pair, weight in part.items():
            total[pair] += weight
    return {pair: weight for pair, weight in total.items() if weight}
