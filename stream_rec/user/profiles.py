"""The profile of a user, folded into the state: the newest stands, by its place in the topic."""

from __future__ import annotations

import msgspec

from stream_rec.events.profile import Profile, year_of
from stream_rec.events.source import Source
from stream_rec.knowledge import contexts
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import ProfileEntry
from stream_rec.user.state import UserState

LANGUAGE, BIRTH_DECADE = "language", "birth_decade"
"""Keys of contexts that a profile says."""


def fold_profile(state: UserState, profile: Profile, offset: int, config: UserConfig) -> UserState:
    """Return the state after one profile that is not applied yet; without one where it says nothing."""
    entry = None if profile.is_empty else _entry_of(profile, config)
    return msgspec.structs.replace(state, offsets={**state.offsets, int(Source.PROFILE): offset}, profile=entry)


def youngest_age(birth_year: int, now_ms: int) -> int:
    """Return how old somebody is at least, in years, who was born in some year.

    >>> youngest_age(2000, now_ms=1_767_225_600_000)  # on the first day of 2026 most of them are 25
    25
    """
    return max(0, year_of(now_ms) - birth_year - 1)


def _entry_of(profile: Profile, config: UserConfig) -> ProfileEntry:
    said = {LANGUAGE: profile.language.lower()} if profile.language else {}
    if profile.birth_year is not None:
        said[BIRTH_DECADE] = str(profile.birth_year // 10 * 10)
    return ProfileEntry(
        timestamp_ms=profile.timestamp_ms,
        interests=list(dict.fromkeys(map(str.strip, profile.interests))),
        language=profile.language,
        birth_year=profile.birth_year,
        contexts=contexts.numbers_of(said, config.context_keys),
    )
