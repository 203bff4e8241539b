"""Outcomes: what a user chose from an impression, once it is over, for the head to learn from.

An impression waits with what was known of its items (``ImpressionEntry.features``) until something comes that is too
late to be a choice from it, or until so many others have come that it leaves the recent ones. Then it teaches, once.
One whose user never comes back teaches nothing.
"""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction
from stream_rec.user.answers import REACH_MS, find_answerable
from stream_rec.user.bounds import UserConfig
from stream_rec.user.conversions import find_shown
from stream_rec.user.entries import ImpressionEntry
from stream_rec.user.impressions import put_features
from stream_rec.user.state import UserState


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
    before: UserState, after: UserState, event: Interaction | Impression, config: UserConfig
) -> tuple[UserState, list[Outcome]]:
    """Return the state in which impressions wait no longer that were over when ``event`` came, and what they led to.

    Nothing, where events have left the recent ones that may have been choices from it.

    Args:
        before: Just before ``event``, which is no duplicate, and ``after``: with it.
    """
    waiting = [each for each in before.recent_impressions if each.features]
    if not waiting:
        return after, []
    kept = {each.event_id for each in after.recent_impressions}
    over = [each for each in waiting if each.event_id not in kept or event.timestamp_ms - each.timestamp_ms > REACH_MS]
    known = find_answerable(over, before.recent_events, config.recent_events)
    ended = put_features(after, dict.fromkeys([impression.event_id for impression in over], b"")) if over else after
    return ended, [Outcome(impression, _find_chosen(before, impression)) for impression in known]


def find_showing(before: UserState, after: UserState, config: UserConfig) -> Showing | None:
    """Return the impression that one fold has made the newest of all that the user did and saw; None if it did not.

    Nor is there one where the user has seen enough of them in its week: one user does not teach everybody for ever.

    What is known of its items later than that would know what was chosen: an event of its very moment may be a choice
    from it. A search of that moment is what it was shown for.
    """
    entry = after.recent_impressions[-1]
    newest_ms = before.newest.timestamp_ms if before.newest else -1
    searched_ms = before.recent_searches[-1].timestamp_ms if before.recent_searches else -1
    _, n_in_week = after.newest_week_shown
    if n_in_week > config.weekly_impressions:
        return None
    if entry.arrival != before.arrivals or entry.timestamp_ms <= newest_ms or entry.timestamp_ms < searched_ms:
        return None
    return Showing(before, entry)


def _find_chosen(state: UserState, impression: ImpressionEntry) -> list[bool]:
    """Return of each item of an impression whether it was chosen from it."""
    events = [e for e in state.recent_events if e.teaches and 0 <= e.timestamp_ms - impression.timestamp_ms <= REACH_MS]
    chosen = {
        e.item_id
        for e in events
        if (shown := find_shown(state.recent_impressions, e.timestamp_ms, e.item_id)) is not None
        and shown.event_id == impression.event_id
    }
    return [item_id in chosen for item_id in impression.item_ids]
