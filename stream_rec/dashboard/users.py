"""One user as a page shows them: what they did, their list, what the newest event changed, and what would change it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.dashboard.listed import (
    Comparison,
    Listed,
    Named,
    PublishedList,
    compare,
    list_items,
    name_item,
    show_list,
)
from stream_rec.dashboard.rule_states import holding_for_this
from stream_rec.events.interaction import Context, Id, Kind
from stream_rec.events.rule import Rule
from stream_rec.events.search import Query
from stream_rec.events.slate import Slate
from stream_rec.names import InteractionType
from stream_rec.serving.ranker import Ranker, with_event, with_search
from stream_rec.surface_settings import HOME
from stream_rec.user.state import UserState

MOST_EVENTS = 100


class Did(Struct, frozen=True):
    """One event or search."""

    at_ms: int
    kind: str
    """`view`, `click`, `purchase` or `search`."""
    item: Named | None
    query: str = ""
    value: float | None = None


class Said(Struct, frozen=True):
    """What the user has said of themselves."""

    interests: list[str]
    language: str
    birth_year: int | None


class User(Struct, frozen=True):
    """One user."""

    user_id: str
    counts: dict[str, int]
    """Interactions ever, by kind."""
    first_ms: int | None
    n_impressions: int
    """Of those that are remembered."""
    profile: Said | None
    history: list[Did]
    """The newest first."""
    published: PublishedList | None
    """As it stands on its topic; None where it is not kept here."""
    on_the_spot: list[Listed]
    """As it would be made now."""
    change: Comparison | None
    """The list against that of before the newest event; None where that is not kept."""
    changed_by: Did | None


class WhatIf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be imagined; all that is said holds together."""

    query: Query | None = None
    """The user searches for this."""
    item_id: Id | None = None
    """The user does something with this item."""
    event_type: InteractionType = "click"
    """What that is."""
    context: Context | None = None
    """Where the list will stand."""
    rule: Rule | None = None
    """In force for this answer alone; it takes the part of one with its id."""
    ended_rule: Id | None = None
    """Out of force for this answer alone."""
    n: Annotated[int, Meta(ge=1, le=50)] = 20


class Imagined(Struct, frozen=True):
    """What it would change."""

    comparison: Comparison
    waits: bool = False
    """Whether there is no room for the rule, so that it would wait until others have ended."""


def show_user(ranker: Ranker, user_id: str, made: Slate | None, before: Slate | None, n: int) -> User | None:
    """Return what is known of a user, None where that is nothing.

    Args:
        made: The user's list as it stands on its topic, and ``before``: of before the newest event.
        n: Length of the list that is ranked on the spot.
    """
    state, now_ms = ranker.look_up(user_id)
    if state.is_cold and made is None:
        return None
    catalog = ranker.catalog
    shown = None if made is None else show_list(catalog, made)
    change = changed_by = None
    if made is not None and shown is not None and before is not None:
        change = compare(list_items(catalog, before.items), shown.items)
        changed_by = _find_event(ranker, state, made)
    profile = state.profile
    return User(
        user_id=user_id,
        counts={kind.name.lower(): count for kind, count in zip(Kind, state.counts)},
        first_ms=state.first_ms,
        n_impressions=len(state.recent_impressions),
        profile=None if profile is None else Said(profile.interests, profile.language, profile.birth_year),
        history=_list_history(ranker, state)[:MOST_EVENTS],
        published=shown,
        on_the_spot=_rank(ranker, user_id, state, now_ms, n, None),
        change=change,
        changed_by=changed_by,
    )


def imagine(ranker: Ranker, user_id: str, what: WhatIf) -> Imagined | None:
    """Return what would change in a user's list; None where an item is not there. Nothing is kept of it."""
    state, now_ms = ranker.look_up(user_id)
    before = _rank(ranker, user_id, state, now_ms, what.n, None)
    if what.item_id is not None and what.query is None:
        if ranker.catalog.find(what.item_id) is None:
            return None
        state = with_event(state, what.item_id, now_ms, Kind[what.event_type.upper()])
    if what.query is not None:
        if what.item_id is not None and ranker.catalog.find(what.item_id) is None:
            return None
        state = with_search(state, what.query, what.item_id, now_ms)
    with holding_for_this(ranker.catalog, what.rule, what.ended_rule) as waits:
        after = _rank(ranker, user_id, state, now_ms, what.n, what.context)
    return Imagined(compare(before, after), waits)


def _rank(ranker: Ranker, user_id: str, state: UserState, now_ms: int, n: int, context: Context | None) -> list[Listed]:
    recommender = ranker.recommender
    ranked = recommender.rank(user_id, state, now_ms=now_ms, surface=HOME, contexts=ranker.number(context))
    return list_items(ranker.catalog, recommender.items(ranked, user_id, ranker.config(n)))


def _list_history(ranker: Ranker, state: UserState) -> list[Did]:
    catalog = ranker.catalog
    events = [
        Did(entry.timestamp_ms, Kind(entry.kind).name.lower(), name_item(catalog, entry.item_id), value=entry.value)
        for entry in state.recent_events
    ]
    searches = [
        Did(
            entry.timestamp_ms,
            "search",
            None if entry.item_id is None else name_item(catalog, entry.item_id),
            entry.query,
        )
        for entry in state.recent_searches
    ]
    return sorted([*events, *searches], key=lambda did: -did.at_ms)


def _find_event(ranker: Ranker, state: UserState, made: Slate) -> Did | None:
    """Return the event that a list was made on, None where it is not remembered."""
    if made.as_of is None:
        return None
    event_id = made.as_of.event_id
    events = [entry for entry in state.recent_events if entry.event_id == event_id]
    searches = [entry for entry in state.recent_searches if entry.event_id == event_id]
    found = _list_history(ranker, msgspec.structs.replace(state, recent_events=events, recent_searches=searches))
    return found[0] if found else None
