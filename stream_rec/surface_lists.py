"""Surfaces: lists beside the main one, of what their names say, ranked by the one recommender.

Over HTTP one is ranked on the spot, for a request; those that are pushed go out with each list of a user. Both come
from ``rank_surface``: of one state at one time they are the same items. Nothing is left to chance in them and nothing
is counted as shown, so that main lists are the same with and without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.facets import EVERYTHING, Filter
from stream_rec.catalog.world import World
from stream_rec.events.slate import AsOf, SlateItem
from stream_rec.events.source import Source
from stream_rec.events.surfaces import PushedSurface, Surfaces
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.ranked import Ranked, aim, aim_at_fresh
from stream_rec.recommend.slates import slate
from stream_rec.recommender import Recommender
from stream_rec.retrieval.had import WHATEVER, HistoryFilter
from stream_rec.retrieval.surface import filter_of, find_offer, find_wanted, history_filter_of
from stream_rec.surface_settings import HOME, Base, Surface
from stream_rec.user.state import UserState

VARIED: tuple[Base, ...] = ("home", "discover")
"""Lists of many kinds of items; the others have an order of their own."""


def config_of(base: Base, ranking: RankingConfig, n: int) -> RankingConfig:
    """Return the settings of a list of a surface, of those of the main list.

    Args:
        n: Its length.
    """
    if base in VARIED:
        return msgspec.structs.replace(ranking, n=n, explore_share=0.0, tail_every=0)
    return plain_config(ranking, n)


def plain_config(ranking: RankingConfig, n: int) -> RankingConfig:
    """Return the settings of a list that keeps the order of its ranking."""
    return msgspec.structs.replace(ranking, n=n, explore_share=0.0, tail_every=0, diversity=0.0, fresh_worth=0.0)


def now_of(user: UserState, catalog: Catalog) -> int:
    """Return the time of a user's surfaces: that of the newest event known, of all users."""
    newest = user.newest_said
    return catalog.knowledge.now_ms(newest.timestamp_ms if newest else 0)


def seen_of(user: UserState) -> dict[str, int]:
    """Return the last offset applied, by topic."""
    return {Source(source).topic: offset for source, offset in sorted(user.offsets.items())}


def rank_surface(
    recommender: Recommender,
    user_id: str,
    user: UserState,
    base: Base,
    is_in: NDArray[np.bool_] | None,
    *,
    surface: str,
    now_ms: int,
    about: Sequence[int] = (),
    age: int | None = None,
    contexts: Sequence[int] | None = None,
) -> Ranked:
    """Return the ranking that a list of a surface is made of.

    Args:
        is_in: (n,) by row, what is wanted of all that is listed, of ``similar`` what is related; None where the main
            list is, and nothing left out.
        surface: The list's name, for rules.
        about: Rows of the items that the list is about: none, or those of a cart.
        age, contexts: As of ``Recommender.rank``.
    """
    offer = None if is_in is None else find_offer(base, is_in, user, about, recommender.catalog, now_ms)
    ranked = recommender.rank(
        user_id,
        user,
        now_ms=now_ms,
        pool=None if offer is None else offer.pool,
        surface=surface,
        age=age,
        contexts=contexts,
    )
    if offer is not None and offer.worths is not None:
        return aim(ranked, offer.worths, recommender.catalog)
    return aim_at_fresh(ranked) if base == "new" else ranked


def record_of(
    user_id: str,
    lists: Sequence[tuple[str, list[SlateItem]]],
    *,
    policy: str,
    generated_at_ms: int,
    as_of: AsOf | None = None,
    seen: dict[str, int] | None = None,
) -> Surfaces:
    """Return the message for some surfaces; the id of each list is that which it would have as a ``slate``.

    Args:
        lists: Name and items of each.
    """
    surfaces = []
    for name, items in lists:
        named = slate(user_id, items, policy=policy, generated_at_ms=generated_at_ms, as_of=as_of, seen=seen)
        surfaces.append(PushedSurface(name, named.list_id, items))
    return Surfaces(user_id, generated_at_ms, as_of, seen or {}, policy, surfaces)


@dataclass(frozen=True, slots=True)
class _Pushed:
    """One surface, and what follows from its settings."""

    name: str
    base: Base
    filter: Filter
    history: HistoryFilter
    min_score: float
    config: RankingConfig

    @property
    def is_whole(self) -> bool:
        """Whether it is the main list, and nothing is left out."""
        return self.base == HOME and self.filter == EVERYTHING and self.history == WHATEVER


class PushedSurfaces:
    """Makes the surfaces that go out with each list of a user. Reads only, but for the time."""

    def __init__(self, recommender: Recommender, pushed: Mapping[str, Surface], ranking: RankingConfig) -> None:
        """Say of what.

        Args:
            pushed: Those of the settings, by name.
            ranking: As the recommender has it.
        """
        self._recommender = recommender
        self._pushed = [
            _Pushed(
                name,
                surface.base,
                filter_of(surface),
                history_filter_of(surface),
                surface.min_score,
                config_of(surface.base, ranking, surface.n or ranking.n),
            )
            for name, surface in pushed.items()
        ]
        self._digest = msgspec.json.encode(pushed)

    def __bool__(self) -> bool:
        return bool(self._pushed)

    def world(self, world: World) -> World:
        """Return the world that these are made in: that of main lists, and what is declared is a part of it."""
        digest = hashlib.blake2b(self._digest + world.rules.to_bytes(8, "little"), digest_size=6).digest()
        return msgspec.structs.replace(world, rules=int.from_bytes(digest, "little"))

    def make(
        self, user_id: str, user: UserState, as_of: AsOf | None, *, generated_at_ms: int | None = None
    ) -> Surfaces:
        """Return all of them for one user.

        Args:
            as_of: Of the main list that they go out with; None for nobody in particular.
            generated_at_ms: The clock's time; None for that of the events, as a replay has no other.
        """
        recommender = self._recommender
        catalog = recommender.catalog
        if generated_at_ms is None:
            generated_at_ms = catalog.knowledge.now_ms(0 if as_of is None else as_of.timestamp_ms)
        now_ms = now_of(user, catalog)
        lists = []
        for each in self._pushed:
            is_in = None
            if not each.is_whole:
                is_in = find_wanted(each.filter, each.history, catalog.is_listed, user, catalog, now_ms)
            ranked = rank_surface(recommender, user_id, user, each.base, is_in, surface=each.name, now_ms=now_ms)
            lists.append((each.name, recommender.items(ranked, user_id, each.config, each.min_score)))
        return record_of(
            user_id,
            lists,
            policy=recommender.policy,
            generated_at_ms=generated_at_ms,
            as_of=as_of,
            seen=seen_of(user),
        )
