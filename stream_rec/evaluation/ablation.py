"""Parts that the engine can be judged without: what its lists lack then is what a part is worth beside all others.

A part that others can stand in for is worth little by this measure, and so may two such parts be that are worth much
together: left out both at once (``text+factors``) they show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any

import msgspec

from stream_rec.config import Settings, override
from stream_rec.embedding.item_embedding import ItemEmbedding
from stream_rec.evaluation.contenders import WITHOUT
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.method import World
from stream_rec.evaluation.scan import ScannedLog
from stream_rec.events.item import Item
from stream_rec.events.source import Source
from stream_rec.ranking.features import GROUPS
from stream_rec.ranking.left_out import NOTHING, LeftOut

FACTORS = frozenset({"affinity"})
JOIN = "+"
"""Between parts that are left out together."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part, by what is left out when it is."""

    says: str
    left_out: LeftOut = NOTHING
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By ``section.key``: what switches it off."""
    untold: frozenset[Source] = frozenset()
    has_text: bool = True
    """Whether items keep the vectors of their texts."""
    has_own_vectors: bool = True
    """Whether they keep those that they bring themselves."""


def _proposing(says: str, group: str, spared: frozenset[str] = frozenset()) -> Part:
    """Return a source of candidates with the features of its name."""
    features = frozenset(GROUPS[group]) - spared
    return Part(says, LeftOut(sources=frozenset({group}), features=features))


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "text": Part("vectors of texts, and all that is made of them", has_text=False),
        "similar": _proposing("text neighbours: source and features; vectors stay for the rest", "similar"),
        "vectors": Part("what items bring themselves, such as vectors of images", has_own_vectors=False),
        "related": _proposing("what items have in common: source and features", "related"),
        "successors": _proposing("co-visits: what users came to after an item, source and features", "successors"),
        "neighbours": _proposing("users alike (SKNN, STAN), source and features", "neighbours", FACTORS),
        "factors": Part("the feature that online BPR makes", LeftOut(features=FACTORS)),
        "trending": _proposing("popularity at all half-lives, source and features", "trending"),
        "repeat": _proposing("what the user had, source and features", "repeat"),
        "fresh": _proposing("what few have seen, source and features", "fresh"),
        "fresh_slots": Part(
            "the slots for fresh items and for what no list has shown",
            settings={"ranking.fresh_worth": 0.0, "ranking.fresh_budget": 0.0, "ranking.tail_every": 0},
        ),
        "diversity": Part("variety, and the user's mix of categories", settings={"ranking.diversity": 0.0}),
        "networks": Part("the experts that are networks", LeftOut(experts=frozenset({"networks"}))),
        "linear": Part("the linear expert", LeftOut(experts=frozenset({"linear"}))),
        "user": Part("what the networks see of the user", LeftOut(user=True)),
        "drift": Part("larger steps once predictions get worse", settings={"head.drift_delta": 0.0}),
        "context": Part("country, device, hour: expert and candidates", LeftOut(context=True)),
        "searches": Part("what users searched for", untold=frozenset({Source.SEARCH})),
        "impressions": Part("what users were shown", untold=frozenset({Source.IMPRESSION})),
    }
)
"""By name."""


def name_contender(parts: Sequence[str]) -> str:
    """Return what the engine without some parts is called."""
    return WITHOUT + JOIN.join(parts)


def find_idle(
    settings: Settings, log: ScannedLog, *, has_vectors: bool, has_own_vectors: bool = False
) -> dict[str, str]:
    """Return why it would change nothing to leave a part out, by its name.

    Args:
        has_vectors: Whether any item has a vector of its text, and ``has_own_vectors``: one that it brings itself.
    """
    idle: dict[str, str] = {}
    if not has_own_vectors:
        idle["vectors"] = "no item brings a vector that catalog.vectors names"
    if not has_vectors:
        idle |= dict.fromkeys(("text", "similar"), "no item has a vector")
    if not settings.user.context_keys:
        idle["context"] = "no context is declared in user.context_keys"
    for name in ("searches", "impressions"):
        (source,) = PARTS[name].untold
        if not log.unscored.count(source):
            idle[name] = f"the log has no {name}"
    if settings.head.river:
        idle |= dict.fromkeys(("networks", "linear", "user"), "the head is River's")
    for name, part in PARTS.items():
        if part.settings and override(settings, part.settings) == settings:
            idle[name] = "it is switched off already"
    return idle


def make_without(
    world: World,
    seed: int,
    *,
    parts: Sequence[str],
    settings: Settings,
    items: Sequence[Item],
    embeddings: Mapping[str, ItemEmbedding],
) -> Engine:
    """Return the engine without some parts.

    Args:
        parts: Names in ``PARTS``.
        items: Those of the item file, in the order of ``world.item_ids``.
        embeddings: By item id.
    """
    chosen = [PARTS[name] for name in parts]
    return Engine(
        world,
        seed,
        settings=override(settings, {key: value for part in chosen for key, value in part.settings.items()}),
        items=items
        if all(part.has_own_vectors for part in chosen)
        else [msgspec.structs.replace(item, vectors={}) for item in items],
        embeddings=embeddings if all(part.has_text for part in chosen) else {},
        left_out=reduce(or_, (part.left_out for part in chosen)),
        untold=frozenset().union(*(part.untold for part in chosen)),
    )
