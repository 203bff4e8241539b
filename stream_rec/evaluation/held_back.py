"""Impressions that a list may not know yet, because it stands in place of what they showed.

A log says what users were shown, and then what they chose of that. A list that is judged by the choice is made as if it
had been shown instead: were it told of the impression, it would know what the choice was made from. So what a user was
shown last is held back until that user does something: the list for it is made first. What the user was shown before,
in another list, is known to it, and all that is too old to be chosen from.
"""

from __future__ import annotations

from collections import OrderedDict

from stream_rec.evaluation.unscored import Unscored
from stream_rec.events.impression import Impression
from stream_rec.user.answers import REACH_MS


class HeldBack:
    """What each user was shown last, in one list, within half an hour."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, list[Unscored[Impression]]] = OrderedDict()
        """By user, the one whose last impression is the oldest first."""

    def take(self, shown: Unscored[Impression]) -> list[Unscored[Impression]]:
        """Hold back an impression; return those that are held back no longer: the same user's, of an earlier list."""
        user_id = shown.record.user_id
        freed = [] if self._is_continued(shown.record) else self.free(user_id)
        self._held.setdefault(user_id, []).append(shown)
        self._held.move_to_end(user_id)
        return freed

    def free(self, user_id: str) -> list[Unscored[Impression]]:
        """Return all of a user, who has done something."""
        return self._held.pop(user_id, [])

    def free_old(self, now_ms: int) -> list[Unscored[Impression]]:
        """Return those from which nothing is chosen any more."""
        freed = []
        while self._held and now_ms - next(iter(self._held.values()))[-1].record.timestamp_ms > REACH_MS:
            freed += self._held.popitem(last=False)[1]
        return freed

    def _is_continued(self, impression: Impression) -> bool:
        """Return whether an impression shows another part of the list that is held back, as while the user scrolls."""
        if not (held := self._held.get(impression.user_id)):
            return False
        first = held[0].record
        is_one_list = first.list_id != "" and first.list_id == impression.list_id
        age_ms = impression.timestamp_ms - first.timestamp_ms
        return age_ms == 0 or (is_one_list and age_ms <= REACH_MS)
