"""Answers: which of a user's searches each event answers, and how much.

An event answers the newest search before it, if that is not too long ago: the first such event most, a few more less,
for who finds something looks on. Two things stand at the item that a search is about: the event with it at the very
time of the search came before it, and a later one is no answer.

How much all events answer is a function of events and searches alone, whatever order they came in: one that arrives
late changes what others answer, and those changes are sent. (As far as recent events and searches reach: what has left
them stays as it was, see ``find_answerable``.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar

from stream_rec.user.entries import Entry, ImpressionEntry, SearchEntry
from stream_rec.user.state import UserState

REACH_MS = 1_800_000
"""Half an hour: the pause that ends a session."""
WEIGHTS = (8, 2, 1)
"""Of the first, second and third event after a search: those behind answer nothing."""

Answer = tuple[SearchEntry, Entry]
AskedT = TypeVar("AskedT", SearchEntry, ImpressionEntry)


def find_answerable(asked: Sequence[AskedT], events: Sequence[Entry], bound: int) -> Sequence[AskedT]:
    """Return the searches, or impressions, of which it is known what answered them.

    Others are as old as the oldest of as many events as are kept: what left them may have answered, and nothing of that
    can be taken back or given again.

    Args:
        asked: Ordered by time, and ``events``: all that are kept, ordered by time, ``bound`` at most.
    """
    if len(events) < bound:
        return asked
    return asked[bisect_right(asked, events[0].timestamp_ms, key=_TIMESTAMP_MS) :]


def find_answered(searches: Sequence[SearchEntry], timestamp_ms: int, item_id: str) -> SearchEntry | None:
    """Return the search that an event answers, or None.

    Args:
        searches: Ordered by time.
    """
    index = bisect_right(searches, timestamp_ms, key=_TIMESTAMP_MS)
    while index:
        search = searches[index - 1]
        if search.item_id != item_id:
            return search if timestamp_ms - search.timestamp_ms <= REACH_MS else None
        if search.timestamp_ms < timestamp_ms:
            return None
        index -= 1  # it was asked after this very event
    return None


def weigh(sequence: Sequence[Entry], searches: Sequence[SearchEntry]) -> dict[Answer, int]:
    """Return how much each event of ``sequence``, in log order, answers which search, where it is more than nothing."""
    n_answers: dict[str, int] = defaultdict(int)
    weights: dict[Answer, int] = {}
    for entry in sequence if searches else ():
        search = find_answered(searches, entry.timestamp_ms, entry.item_id)
        if search is None:
            continue
        place = n_answers[search.event_id]
        n_answers[search.event_id] += 1
        if place < len(WEIGHTS):
            weights[search, entry] = WEIGHTS[place]
    return weights


def weigh_newest(earlier: Sequence[Entry], searches: Sequence[SearchEntry], entry: Entry) -> dict[Answer, int]:
    """Return what ``weigh`` says of ``entry`` alone, which comes after all others.

    Args:
        earlier: Those, ordered by time.
    """
    search = find_answered(searches, entry.timestamp_ms, entry.item_id) if searches else None
    if search is None:
        return {}
    place = 0
    for each in reversed(earlier):
        if each.timestamp_ms < search.timestamp_ms or place == len(WEIGHTS):
            break
        place += find_answered(searches, each.timestamp_ms, each.item_id) is search
    return {(search, entry): WEIGHTS[place]} if place < len(WEIGHTS) else {}


def count_answers(state: UserState) -> int:
    """Return how many of the user's recent events answer the newest search, whether they teach or not."""
    newest, n_answers = state.recent_searches[-1], 0
    for entry in reversed(state.recent_events):
        if entry.timestamp_ms < newest.timestamp_ms:
            break
        n_answers += find_answered(state.recent_searches, entry.timestamp_ms, entry.item_id) is newest
    return n_answers


def changes(before: dict[Answer, int], after: dict[Answer, int]) -> dict[Answer, int]:
    """Return what has to be added to ``before`` to make it ``after``."""
    changed = {answer: weight - before.get(answer, 0) for answer, weight in after.items()}
    changed |= {answer: -weight for answer, weight in before.items() if answer not in after}
    return {answer: change for answer, change in changed.items() if change}


_TIMESTAMP_MS = attrgetter("timestamp_ms")
