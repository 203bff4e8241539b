"""A profile: what a user has said of themselves, or an app knows of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id, TimestampMs

MOST_INTERESTS = 16
LONGEST_INTEREST = 100
Interest = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_INTEREST, description="in words: `science fiction`, `hiking with kids`")
]
Language = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*)?$",
        description="a tag as of BCP 47, `de` or `pt-BR`; empty where it is not known",
    ),
]
BirthYear = Annotated[int, Meta(ge=1900, le=9999)]


class Profile(Struct, frozen=True, omit_defaults=True):
    """One record on ``profiles``; the record's key is ``user_id``. The newest record is the profile as it is now: what
    it does not say is not known any more. A null value takes the profile back."""

    user_id: Id
    timestamp_ms: TimestampMs
    interests: Annotated[list[Interest], Meta(max_length=MOST_INTERESTS)] = []
    """What the user says to like. Lists of a new user follow them until the user has done something."""
    language: Language = ""
    """That the user reads: what users of one language come to says something to the others."""
    birth_year: BirthYear | None = None
    """Of which the decade is used as the language is, and the years for rules with a `min_age`."""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, as one that was taken back."""
        return not self.interests and not self.language and self.birth_year is None


def find_fault(profile: Profile, received_ms: int) -> str | None:
    """Return why this can be nobody's profile, or None."""
    if not all(interest.strip() for interest in profile.interests):
        return "an interest is blank; leave it out"
    year = year_of(received_ms)
    if profile.birth_year is not None and profile.birth_year > year:
        return f"birth_year is {profile.birth_year}, and this is {year}"
    return None


def year_of(time_ms: int) -> int:
    """Return the year of a time, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).year
