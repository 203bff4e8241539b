"""The whole pipeline in one process without a broker: the same core, event by event, state in dictionaries.

There is no time of arrival in a log: it is one moment, in which each event counts once. A recording has them, and the
places of its records besides: ``answer`` takes what came as a worker takes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.embedding.query_encoder import QueryEncoder
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.source import Source, UserEvent
from stream_rec.events.surfaces import Surfaces
from stream_rec.knowledge import contexts
from stream_rec.knowledge import state as knowledge
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.state import ItemState
from stream_rec.ranking import river_head
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.left_out import NOTHING, LeftOut, mute_experts
from stream_rec.recommend.ranked import Ranked
from stream_rec.recommender import LocalHead, Recommender
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.user.advance import Advance, advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.impressions import put_features
from stream_rec.user.seen import Chunk
from stream_rec.user.state import COLD, UserState


class Pipeline:
    """User stage, item stage and catalog as plain values. Every event is its topic's next offset in partition 0.

    But for what ``answer`` takes, which says where it stands; a pipeline is given either the one or the other.

    Example:
        Ann and Bob viewed a pot after their tea. What may Eve want, who is looking at tea?

        >>> from stream_rec.events.item import Item
        >>> pipeline = Pipeline(Settings())
        >>> for item_id in ("tea", "pot", "cup"):
        ...     pipeline.catalog.put_item(Item(item_id))
        >>> views = [("ann", "tea"), ("ann", "pot"), ("bob", "tea"), ("bob", "pot"), ("eve", "tea")]
        >>> for number, (user_id, item_id) in enumerate(views):
        ...     event = Interaction(f"e{number}", user_id, item_id, timestamp_ms=1000 * number)
        ...     user = pipeline.learn(Kind.VIEW, event)
        >>> [(item.item_id, item.reason.kind) for item in pipeline.list_for(Kind.VIEW, event, user).items]
        [('pot', 'successors'), ('tea', 'neighbours'), ('cup', 'catalog')]
    """

    def __init__(self, settings: Settings, *, encodes_queries: bool = False, left_out: LeftOut = NOTHING) -> None:
        """Begin with nothing.

        Args:
            encodes_queries: Whether searches are compared with items by the encoders of `embedder.encoder`, which are
                loaded with the first one.
            left_out: Parts of the engine that are done without, to find out what they are worth.
        """
        self.settings = settings
        self.users: dict[str, UserState] = {}
        self.seen: dict[str, dict[int, Chunk]] = {}
        """By user, the archive."""
        self.items: dict[str, ItemState] = {}
        cold = river_head.cold(settings.head, settings.ranking.seed)
        if isinstance(cold, MixtureHead):
            cold = mute_experts(cold, left_out)
        encode = QueryEncoder(settings.embedder, with_torch=True, in_background=False) if encodes_queries else None
        self.recommender = Recommender(
            Catalog(settings.catalog.modalities),
            LocalHead(cold),
            settings.ranking,
            settings.head,
            encode,
            settings.ratings,
            left_out,
        )
        self._pushed = PushedSurfaces(self.recommender, settings.surfaces.pushed, settings.ranking)
        self._last_offset: dict[int, dict[int, int]] = defaultdict(dict)
        """By partition, the last offset of each ``Source``."""

    @property
    def catalog(self) -> Catalog:
        """What is known of items."""
        return self.recommender.catalog

    def learn(self, kind: Kind, event: Interaction) -> UserState:
        """Take one event: the head first, then the user's state and what is known of items. Return the new state."""
        return self.take(self.rank(event.user_id, event.timestamp_ms, event.context), [LoggedEvent(kind, event)])

    def take(self, ranked: Ranked, events: Sequence[LoggedEvent]) -> UserState:
        """Take one user's events, which ``ranked`` came just before, all at once; return the user's state."""
        advanced = self._advance(events)
        self.recommender.learn_from(ranked, advanced.training_events)
        self._send_signals(advanced.signals)
        return advanced.state

    def rank(self, user_id: str, now_ms: int, context: Mapping[str, Any] | None = None) -> Ranked:
        """Return what could be shown to a user now.

        Args:
            context: Of the request; None for that of the user's newest event or search.
        """
        numbers = None if context is None else contexts.numbers_of(context, self.settings.user.context_keys)
        return self.recommender.rank(user_id, self.users.get(user_id, COLD), now_ms=now_ms, contexts=numbers)

    def fold(self, kind: Kind, event: Interaction) -> UserState:
        """Take one event to the user's state and to what is known of items; return the user's state after it."""
        advanced = self._advance([LoggedEvent(kind, event)])
        self._send_signals(advanced.signals)
        return advanced.state

    def search(self, search: Search) -> UserState:
        """Take one search; return its user's state after it."""
        advanced = self._advance([(Source.SEARCH, search)])
        self._send_signals(advanced.signals)
        return advanced.state

    def impress(self, impression: Impression) -> UserState:
        """Take what a user was shown, and let the head learn what came of the impressions before; return the state."""
        advanced = self._advance([(Source.IMPRESSION, impression)])
        if advanced.showing is not None:
            features = self.recommender.read_features(impression.user_id, advanced.showing)
            kept = put_features(advanced.state, {impression.event_id: features})
            self.users[impression.user_id] = kept
        self._send_signals(advanced.signals)
        return self.users[impression.user_id]

    def declare(self, profile: Profile) -> UserState:
        """Take what a user says of themselves; return the user's state after it."""
        return self._advance([(Source.PROFILE, profile)]).state

    def answer(self, arrival: Arrival) -> Slate | None:
        """Take one record as a worker does that has nothing else in hand, and return the list that goes out on it.

        The list is made when the user's state and the head have learned the event, and before what it teaches about
        items has come back: as in a worker, where that takes its way over a topic. None where nobody has said anything:
        a profile is taken back that was never there.
        """
        user_id = arrival.event.user_id
        advanced = self._take([arrival])
        if advanced.state == COLD:
            return None
        if advanced.showing is not None:
            features = self.recommender.read_features(user_id, advanced.showing)
            self.users[user_id] = put_features(advanced.state, {advanced.showing.impression.event_id: features})
        if advanced.training_events:
            chosen, numbers = advanced.training_events, advanced.choosing_contexts
            self.recommender.learn(user_id, advanced.choosing, chosen, numbers)
        for outcome in advanced.outcomes:
            self.recommender.learn_outcome(outcome)
        user = self.users[user_id]
        made = self.recommender.recommend(user_id, user, arrival.as_of(user))
        self._send_signals(advanced.signals)
        return made

    def list_for(self, kind: Kind, event: Interaction, user: UserState) -> Slate:
        """Return the list that goes out on ``event``, which ``user`` has learned."""
        return self._list_for(Source(kind), event, user)

    def list_for_search(self, search: Search, user: UserState) -> Slate:
        """Return the list that goes out on ``search``, which ``user`` has learned."""
        return self._list_for(Source.SEARCH, search, user)

    def list_for_impression(self, impression: Impression, user: UserState) -> Slate:
        """Return the list that goes out on ``impression``, which ``user`` has learned."""
        return self._list_for(Source.IMPRESSION, impression, user)

    def list_for_profile(self, profile: Profile, user: UserState) -> Slate:
        """Return the list that goes out on ``profile``, which ``user`` has learned."""
        return self._list_for(Source.PROFILE, profile, user)

    def surfaces_beside(self, made: Slate, user: UserState) -> Surfaces:
        """Return the pushed surfaces that go out with a list, which ``user`` was given just now."""
        return self._pushed.make(made.user_id, user, made.as_of)

    def _list_for(self, source: Source, event: UserEvent, user: UserState) -> Slate:
        arrival = Arrival(event, source, 0, user.offsets[source])
        return self.recommender.recommend(arrival.event.user_id, user, arrival.as_of(user))

    def _advance(self, events: Sequence[tuple[int, UserEvent]]) -> Advance:
        """Take what one user did to the user's state, and teach the head what came of impressions.

        Args:
            events: ``Source`` and event, search, impression or profile, each.
        """
        last = self._last_offset[0]
        offsets = Counter({source: offset + 1 for source, offset in last.items()})
        arrivals = []
        for number, event in events:
            arrivals.append(Arrival(event, Source(number), 0, offsets[number]))
            offsets[number] += 1
        advanced = self._take(arrivals)
        for outcome in advanced.outcomes:
            self.recommender.learn_outcome(outcome)
        return advanced

    def _take(self, arrivals: Sequence[Arrival]) -> Advance:
        """Take what came of one user to the user's state alone."""
        first = arrivals[0]
        last, user_id = self._last_offset[first.partition], first.event.user_id
        acknowledged = dict(last)
        last |= {int(arrival.source): arrival.offset for arrival in arrivals}
        chunks = self.seen.get(user_id, {})
        before = self.users.get(user_id, COLD)
        advanced = advance(before, list(arrivals), self.settings.user, acknowledged, chunks.get, self.settings.ratings)
        if advanced.state != COLD:
            self.users[user_id] = advanced.state
        if advanced.chunks:
            self.seen[user_id] = chunks | advanced.chunks
        return advanced

    def _send_signals(self, signals: Iterable[Signal]) -> None:
        """Apply signals to what is known of items, as the item stage does."""
        for signal in signals:
            known = knowledge.apply(self.items.get(signal.item_id, knowledge.UNSEEN), [signal], self.settings.knowledge)
            self.items[signal.item_id] = known
            self.catalog.put_knowledge(signal.item_id, known)
