"""A published list without the items that may no longer be shown: a tenth of the work of making one anew."""

from __future__ import annotations

from collections.abc import Callable

from stream_rec.events.slate import Slate
from stream_rec.recommend import slate


def without(published: Slate, may_be_shown: Callable[[str], bool], *, generated_at_ms: int) -> Slate | None:
    """Return the list that takes the place of a published one; None where that may stay as it is.

    What it was made on and has seen stays; so do scores and propensities of the items that are left.

    Args:
        may_be_shown: Of an item id.
    """
    left = [item for item in published.items if may_be_shown(item.item_id)]
    if len(left) == len(published.items):
        return None
    return slate(
        published.user_id,
        left,
        policy=published.policy,
        generated_at_ms=generated_at_ms,
        as_of=published.as_of,
        seen=published.seen,
    )
