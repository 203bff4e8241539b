"""The whole pipeline in one process without a broker: the same core, event by event, state in dictionaries.

There is no time of arrival: a log is one moment, in which each event counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.slate import Slate
from stream_rec.knowledge import state as knowledge
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.state import ItemState
from stream_rec.ranking import river_head
from stream_rec.ranking.drift import FACTOR, DriftWatch
from stream_rec.ranking.exposures import Exposures
from stream_rec.recommend import Ranked, answer, learn, policy_name, rank
from stream_rec.replay.log import LoggedEvent
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.advance import Advance, Arrival, advance
from stream_rec.user.seen import Chunk
from stream_rec.user.state import COLD, UserState


class Pipeline:
    """User stage, item stage and catalog as plain values. Every event is its topic's next offset in partition 0."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = Catalog()
        self.users: dict[str, UserState] = {}
        self.seen: dict[str, dict[int, Chunk]] = {}
        """By user, the archive."""
        self.items: dict[str, ItemState] = {}
        self.head = river_head.cold(settings.head, settings.ranking.seed)
        self.drift = DriftWatch(settings.head.drift_delta)
        self.workspace = Workspace()
        self.exposures = Exposures()
        self._last_offset: dict[int, int] = {}
        self._policy = policy_name(settings.ranking, settings.head)

    def learn(self, kind: Kind, event: Interaction) -> UserState:
        """Take one event: the head first, then the user's state and what is known of items. Return the new state."""
        ranked = self.rank(event.user_id, self.catalog.knowledge.now_ms(event.timestamp_ms))
        return self.take(ranked, [LoggedEvent(kind, event)])

    def take(self, ranked: Ranked, events: Sequence[LoggedEvent]) -> UserState:
        """Take one user's events, which ``ranked`` came just before, all at once; return the user's state."""
        advanced = self._advanced(events)
        self.teach(ranked, [LoggedEvent(arrival.kind, arrival.event) for arrival in advanced.lessons])
        self._spread(advanced.signals)
        return advanced.state

    def rank(self, user_id: str, now_ms: int) -> Ranked:
        """Return what could be shown to a user now."""
        user = self.users.get(user_id, COLD)
        return rank(user_id, user, self.catalog, self.head, self.workspace, now_ms=now_ms)

    def teach(self, ranked: Ranked, events: Sequence[LoggedEvent]) -> None:
        """Let the head and the items' factors learn from events that ``ranked`` came just before."""
        head, has_drifted = learn(ranked, events, self.catalog, self.head, self.drift, self.settings.head)
        self.head = head.relaxed(FACTOR) if has_drifted else head

    def fold(self, kind: Kind, event: Interaction) -> UserState:
        """Take one event to the user's state and to what is known of items; return the user's state after it."""
        advanced = self._advanced([LoggedEvent(kind, event)])
        self._spread(advanced.signals)
        return advanced.state

    def list_for(self, kind: Kind, event: Interaction, user: UserState) -> Slate:
        """Return the list that goes out on ``event``, which ``user`` has learned."""
        return answer(
            Arrival(event, kind, 0, user.offsets[kind]),
            user,
            self.catalog,
            self.head,
            self.workspace,
            self.exposures,
            self.settings.ranking,
            policy=self._policy,
        )

    def _advanced(self, events: Sequence[LoggedEvent]) -> Advance:
        """Take one user's events to the user's state alone."""
        safe = dict(self._last_offset)
        arrivals = []
        for kind, event in events:
            offset = self._last_offset[kind] = self._last_offset.get(kind, -1) + 1
            arrivals.append(Arrival(event, kind, 0, offset))
        user_id = arrivals[0].event.user_id
        chunks = self.seen.get(user_id, {})
        advanced = advance(self.users.get(user_id, COLD), arrivals, self.settings.user, safe, chunks.get)
        self.users[user_id] = advanced.state
        if advanced.chunks:
            self.seen[user_id] = chunks | advanced.chunks
        return advanced

    def _spread(self, signals: Iterable[Signal]) -> None:
        """Take signals to what is known of items."""
        for signal in signals:
            known = knowledge.apply(self.items.get(signal.item_id, knowledge.UNSEEN), [signal], self.settings.knowledge)
            self.items[signal.item_id] = known
            self.catalog.put_knowledge(signal.item_id, known)
