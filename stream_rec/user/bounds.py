"""How much is kept of one user."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.knowledge import contexts


class UserConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one user's state."""

    recent_events: Annotated[int, Meta(ge=16, le=1024)] = 64
    """Newest events kept whole."""
    recent_searches: Annotated[int, Meta(ge=1, le=256)] = 16
    """Newest searches kept."""
    recent_impressions: Annotated[int, Meta(ge=1, le=64)] = 8
    """Newest impressions kept whole: among them is looked for what a choice was made from. More than 32 of the largest
    could outgrow a record."""
    shown_counts: Annotated[int, Meta(ge=16, le=4_096)] = 256
    """Counts kept of what the user was shown, one for each item and six hours. More than 1,024 of the longest ids could
    outgrow a record."""
    training_impressions: Annotated[int, Meta(ge=1, le=1_000_000)] = 5
    """Impressions of one item in six hours from which others learn; more change only the user's own lists."""
    weekly_counts: Annotated[int, Meta(ge=16, le=16_384)] = 512
    """Counts kept, one for each item and week."""
    weekly_training_events: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    """Events of one kind with one item in one week from which others learn; more change only the user's own lists."""
    weekly_choices: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Events of a week that teach how lists are ranked, for everybody."""
    weekly_impressions: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Impressions of a week that teach the same by what is chosen from them and what is not."""
    context_keys: Annotated[str, Meta(pattern=contexts.KEYS_PATTERN)] = (
        "country,device,hour,surface,language,birth_decade"
    )
    """Keys of events' `context` that lists depend on, at most 8 with commas between; empty: none. Values are texts of
    at most 64 characters, whole numbers, true or false. `language` and `birth_decade` are those of the user's profile
    where the event does not say them. Append new keys: what is learned goes by their order."""
    deduplication_window_s: Annotated[int, Meta(ge=3600, le=315_360_000)] = 604_800
    """How long the same ``event_id`` of one user is the same event, by the broker's time of its records; later it may
    count again. By default as long as topics keep events."""
