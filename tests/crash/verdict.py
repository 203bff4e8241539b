"""What a run under faults came to, held against the brokerless replay of what was sent, and against an oracle."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from stream_rec.knowledge.contexts import numbers_of
from stream_rec.knowledge.state import ItemState
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user.state import UserState
from tests.crash import oracle
from tests.crash.inputs import LATE
from tests.crash.rig import Rig
from tests.kafka import outcome
from tests.kafka.logs import COUNTRIES

EMBEDDED_S = 60.0
"""After all else has settled, an embedder that was started last has embedded all again by then."""
GONE_S = 10.0
"""After the last event and the last restart, lists of what is gone have been replaced by then."""


class Verdict(Struct, frozen=True, kw_only=True):
    """Counts of events, and every check that failed."""

    events: int
    lost: int
    """Events that users' states, or items', have not counted, as the oracle counts; the larger number."""
    double: int
    """Events counted once too often, likewise."""
    lists: int
    lists_again: int
    """Lists delivered more than once, the same bytes each time."""
    problems: list[str]


def judge(rig: Rig) -> Verdict:
    """Return the verdict on a settled pipeline."""
    running, load = rig.running, rig.load
    problems: list[str] = []

    def check(name: str, holds: Callable[[], object]) -> object:
        try:
            return holds()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            problems.append(f"{name}: {_short(error)} [{where.name}: {where.line}]")
            return None

    expected = outcome.replayed(running.settings, load.log)
    users = check("user states", running.user_states) or {}
    items = check("item states", running.item_states) or {}
    check("same as replay", lambda: outcome.assert_same_as(running, expected, apart=LATE))
    check("lists", lambda: outcome.assert_all_in_lists(running, load.log))
    again = check("lists delivered again", lambda: outcome.lists_delivered_again(running))
    check("offsets", lambda: outcome.assert_committed_to_the_end(running))
    check("rejected", lambda: outcome.assert_rejected_exactly(running, load.rejectable))
    check("embeddings", lambda: outcome.assert_all_embedded(running, load.items.values(), EMBEDDED_S))
    check("nothing that is gone is shown", lambda: _assert_nothing_gone_is_shown(running))
    pairs: list[tuple[Counter[Any], Counter[Any]]] = [
        (_counts(users), oracle.count_by_user(load.log)),
        (_counts(items), oracle.count_by_item(load.log)),
        (_in_countries(items), oracle.count_by_country(load.log)),
        (_ratings(users), oracle.ratings_by_user(load.log)),
        (_ratings(items), oracle.ratings_by_item(load.log)),
        (_searches(users), oracle.searches_by_user(load.log)),
        (_impressions(users), oracle.impressions_by_user(load.log)),
        (_profiles(users), oracle.profiles_by_user(load.log)),
        (_shown(items), oracle.shown_by_item(load.log)),
    ]
    return Verdict(
        events=len(load.log),
        lost=max((wanted - found).total() for found, wanted in pairs),
        double=max((found - wanted).total() for found, wanted in pairs),
        lists=again[0] if again else 0,
        lists_again=again[1] if again else 0,
        problems=problems,
    )


def _assert_nothing_gone_is_shown(running: RunningPipeline) -> None:
    """Assert that no newest list, or surfaces, show what is sold out, deleted or banned, within the time that a worker
    may take.
    """
    deadline = time.monotonic() + GONE_S
    for lists in ("recommendations", "surfaces"):
        topics = ("items", "rules", lists)
        while shown := oracle.shown_though_gone(*(outcome.read(running, topic) for topic in topics)):
            assert time.monotonic() < deadline, f"{len(shown)} {lists} show what is gone: {[*shown.items()][:3]}"


def _counts(states: Mapping[str, UserState | ItemState]) -> Counter[tuple[str, int]]:
    """Return how many events of each user or item, and kind, are counted."""
    return Counter({(key, kind): n for key, state in states.items() for kind, n in enumerate(state.counts)})


def _searches(users: Mapping[str, UserState]) -> Counter[tuple[str, str, str]]:
    """Return what is known to have been asked: user, id and query of each search, once for each time it is kept."""
    return Counter(
        (user, asked.event_id, asked.query) for user, state in users.items() for asked in state.recent_searches
    )


def _impressions(users: Mapping[str, UserState]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Return what is known to have been shown: user, id and items of each impression, once for each time it is kept."""
    return Counter(
        (user, shown.event_id, tuple(shown.item_ids))
        for user, state in users.items()
        for shown in state.recent_impressions
    )


def _profiles(users: Mapping[str, UserState]) -> Counter[tuple[str, tuple[str, ...], str, int | None]]:
    """Return user, interests, language and year of birth of each profile."""
    known = {user: state.profile for user, state in users.items() if state.profile}
    return Counter((user, tuple(each.interests), each.language, each.birth_year) for user, each in known.items())


def _ratings(states: Mapping[str, UserState] | Mapping[str, ItemState]) -> Counter[tuple[str, str]]:
    """Return how many ratings of or by each are known, and their sum in thousandths."""
    ratings = Counter[tuple[str, str]]()
    for name, state in states.items():
        for what, number in zip(("count", "sum"), state.ratings):
            if number:
                ratings[name, what] = number
    return ratings


def _in_countries(items: Mapping[str, ItemState]) -> Counter[tuple[str, str]]:
    """Return how often users are known to have come to each item in each country."""
    number_of = {country: numbers_of({"country": country}, "country")[0] for country in COUNTRIES}
    return Counter(
        {
            (item_id, country): state.contexts[number][0]
            for item_id, state in items.items()
            for country, number in number_of.items()
            if number in state.contexts
        }
    )


def _shown(items: Mapping[str, ItemState]) -> Counter[str]:
    """Return how often each item is known to have been shown."""
    return Counter({item_id: sum(state.shown) for item_id, state in items.items()})


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
