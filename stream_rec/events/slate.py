"""A slate: the ranked list for one user, as it stands on ``recommendations``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

DEFAULT_LIST = "*"
"""The key of the default list: for users without one of their own."""


RENAMED_REASONS = {"followers": "successors"}
"""Kinds of reasons by the names that lists published by older versions have for them."""


class Reason(Struct, frozen=True, omit_defaults=True):
    """Why an item is in the slate: what found it, and the user's own event behind that.

    The evidence is another item, but for `repeat`, which says that the user had this very item before, and for `asked`,
    which is about the user's search.
    """

    kind: Annotated[
        str,
        Meta(
            description="similar | successors | neighbours | related | category | trending | fresh | repeat | asked | "
            "interest | explore | catalog; a reader takes kinds that it does not know for `catalog`, which says nothing"
        ),
    ]
    item_id: str | None = None
    """The evidence: the item of the user's history that led here; null for `trending`, `fresh`, `explore` and
    `catalog`. Of `asked` the item that the search was about, if any."""
    event_id: str | None = None
    """The evidence: the user's event with that item, while it is remembered, or the search."""
    event_kind: Annotated[str | None, Meta(description="view | click | purchase | search")] = None
    times: Annotated[
        int | None, Meta(description="of `repeat`: how many events of `event_kind`, or of any kind if that is null")
    ] = None
    last_ms: Annotated[int | None, Meta(description="of `repeat`: time of the newest event with the item")] = None
    interest: Annotated[str | None, Meta(description="of `interest`: which of those in the user's profile")] = None
    relation: Annotated[
        str | None,
        Meta(
            description="of `related`: what both items have in common: `family` of their titles, `category`, `tag`, an "
            "attribute's name, or the kind of relation by which one of them names the other, or both a third"
        ),
    ] = None
    value: Annotated[
        str | None, Meta(description="of `related`: the family, category, tag or value, or the id of the item named")
    ] = None
    modality: Annotated[
        str | None, Meta(description="of `similar`: which vectors of items are alike, as `image`; null: their texts")
    ] = None
    rule: str | None = None
    """`rule_id` of the owner's rule by which the item is in the list or stands where it does; null for most."""
    promotion: str | None = None
    """Label of the promotion in a request to rank by which the item stands where it does; on topics always null."""


class SlateItem(Struct, frozen=True, omit_defaults=True):
    """One ranked item, best first."""

    item_id: str
    score: float
    """Higher is better; comparable within one slate only."""
    propensity: float
    """Probability with which the policy put this item into this slate: 1.0 where nothing was left to chance."""
    sources: dict[str, float]
    """What speaks for the item over the average candidate, by kind of reason: parts of the linear expert's score."""
    reason: Reason
    predicted_value: float | None = None
    """How the user would rate the item, on the scale of `ratings.scale`; there with `ratings.in_lists` alone."""


class AsOf(Struct, frozen=True):
    """The event that this slate was made on: the newest applied when it was made."""

    topic: str
    partition: int
    offset: int
    event_id: str
    timestamp_ms: int


class Slate(Struct, frozen=True):
    """One record on ``recommendations`` (compacted); the key is ``user_id``, or ``*`` for the default list."""

    list_id: str
    """Digest of all the rest: two records with one id are the same list, delivered twice."""
    user_id: str
    generated_at_ms: int
    as_of: AsOf | None
    """Null on the key ``*``."""
    seen: dict[str, int]
    """Last offset applied, by topic: all of this user's events up to there are in this slate."""
    policy: str
    items: list[SlateItem]
