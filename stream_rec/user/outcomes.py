"""Outcomes: what a user chose from an impression, once it is over, for the head to learn from.

An impression waits with what was known of its items (``ImpressionEntry.features``) until the next one comes, or an
event that is too late to be a choice from it. Then it teaches, once. One whose user never comes back teaches nothing.
"""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction
from stream_rec.user.conversions import REACH_MS, find_shown
from stream_rec.user.state import ImpressionEntry, UserState, put_features


class Outcome(Struct, frozen=True):
    """An impression that is over."""

    impression: ImpressionEntry
    is_chosen: list[bool]
    """Of its items in turn."""


class Showing(Struct, frozen=True):
    """An impression that has just come."""

    before: UserState
    """The user's state just before it."""
    impression: ImpressionEntry


def end_impressions(
    before: UserState, after: UserState, event: Interaction | Impression
) -> tuple[UserState, list[Outcome]]:
    """Return the state in which impressions wait no longer that were over when ``event`` came, and what they led to.

    Args:
        before: Just before ``event``, which is no duplicate, and ``after``: with it.
    """
    over = [each for each in before.recent_impressions if each.features and _is_over(each, event)]
    if not over:
        return after, []
    ended = put_features(after, dict.fromkeys([impression.event_id for impression in over], b""))
    return ended, [Outcome(impression, _find_chosen(before, impression)) for impression in over]


def find_showing(before: UserState, after: UserState) -> Showing | None:
    """Return the impression that one fold has made the newest of all that the user did and saw; None if it did not.

    What is known of its items later than that would know what was chosen: an event of its very moment may be a choice
    from it. A search of that moment is what it was shown for.
    """
    entry = after.recent_impressions[-1]
    newest_ms = before.newest.timestamp_ms if before.newest else -1
    searched_ms = before.recent_searches[-1].timestamp_ms if before.recent_searches else -1
    if entry.arrival != before.arrivals or entry.timestamp_ms <= newest_ms or entry.timestamp_ms < searched_ms:
        return None
    return Showing(before, entry)


def _is_over(impression: ImpressionEntry, event: Interaction | Impression) -> bool:
    """Return whether nothing more can be chosen from an impression when ``event`` comes."""
    if isinstance(event, Impression):
        return impression.order < (event.timestamp_ms, event.event_id)
    return impression.timestamp_ms < event.timestamp_ms - REACH_MS


def _find_chosen(state: UserState, impression: ImpressionEntry) -> list[bool]:
    """Return of each item of an impression whether it was chosen from it."""
    events = [e for e in state.recent_events if 0 <= e.timestamp_ms - impression.timestamp_ms <= REACH_MS]
    chosen = {
        e.item_id
        for e in events
        if (shown := find_shown(state.recent_impressions, e.timestamp_ms, e.item_id)) is not None
        and shown.event_id == impression.event_id
    }
    return [item_id in chosen for item_id in impression.item_ids]
