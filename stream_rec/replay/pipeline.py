"""The whole pipeline in one process without a broker: the same core, event by event, state in dictionaries."""

from __future__ import annotations

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.slate import Slate
from stream_rec.knowledge import state as knowledge
from stream_rec.knowledge.state import ItemState
from stream_rec.recommend import answer
from stream_rec.user.advance import Arrival, advance
from stream_rec.user.state import COLD, UserState


class Pipeline:
    """User stage, item stage and catalog as plain values. Every event is its topic's next offset in partition 0."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = Catalog()
        self.users: dict[str, UserState] = {}
        self.items: dict[str, ItemState] = {}
        self._last_offset: dict[int, int] = {}
        self._policy = settings.ranking.policy

    def learn(self, kind: Kind, event: Interaction) -> UserState:
        """Take one event to the user's state and to what is known of items; return the user's state after it."""
        safe = dict(self._last_offset)
        offset = self._last_offset[kind] = self._last_offset.get(kind, -1) + 1
        before = self.users.get(event.user_id, COLD)
        after = advance(before, [Arrival(event, kind, 0, offset)], self.settings.user, safe)
        self.users[event.user_id] = after.state
        for signal in after.signals:
            known = knowledge.apply(self.items.get(signal.item_id, knowledge.UNSEEN), [signal], self.settings.knowledge)
            self.items[signal.item_id] = known
            self.catalog.put_knowledge(signal.item_id, known)
        return after.state

    def list_for(self, kind: Kind, event: Interaction, user: UserState) -> Slate:
        """Return the list that goes out on ``event``, which ``user`` has learned."""
        last = Arrival(event, kind, 0, user.offsets[kind])
        return answer(last, user, self.catalog, self.settings.ranking, policy=self._policy)
