"""The list of what was ranked: rules, variety, fresh slots, exploration, and a reason for each item."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.promotion import Promotion
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.head import Head
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.rank import fill_up
from stream_rec.recommend.ranked import Ranked, keep, put_fillers_last
from stream_rec.reranking.diversify import diversify
from stream_rec.reranking.explain import explain, explain_answers, explain_interests, score_of
from stream_rec.reranking.explore import Arms, Explored, explore, keep_all
from stream_rec.reranking.fresh_slots import Fresh, fill_fresh_slots
from stream_rec.reranking.promotions import promote
from stream_rec.reranking.rules import Orders, find_explorable, limit, name_rules, put_pins, read_orders

VARIED = 3
"""Candidates that diversity chooses from, for each item of the list."""
ARMS = 24
"""Fresh items among which exploration chooses."""


class Slots(NamedTuple):
    """A list of candidates, those last that are in it for other reasons than their score."""

    indices: NDArray[np.int64]
    """(m,) of candidates."""
    n_kept_back: int
    """How many at the end are kept back from exploration: nothing is drawn for them."""

    @property
    def n_ranked(self) -> int:
        """How many stand before those."""
        return len(self.indices) - self.n_kept_back


def recommend(
    ranked: Ranked,
    catalog: Catalog,
    head: Head,
    config: RankingConfig,
    exposures: Exposures,
    name: str,
    min_score: float = 0.0,
    promotions: Sequence[Promotion] = (),
) -> list[SlateItem]:
    """Return the list, at most ``config.n`` items, best first.

    Args:
        name: Of this list: what is drawn depends on it and on ``config.seed``, see ``draw``.
        min_score: Of each item, at least; what a rule pins with less is left out, too.
        promotions: What who asks for it wants in which slots, of the candidates.
    """
    if len(ranked.best) < config.n and not ranked.request.is_filtered:
        ranked = fill_up(ranked, catalog, head)
    request, orders, rows = ranked.request, None, ranked.candidates.rows
    if request.exclusions is not None:
        orders = read_orders(request.rules, request.exclusions, rows, catalog, exposures, config.n)
    if promotions:
        index_of = {catalog.item_ids[row]: index for index, row in enumerate(rows.tolist())}
        orders = promote(orders, promotions, ranked.best, index_of, len(rows), config.n)
    if orders is not None:
        ranked = _obey(ranked, orders)
    if min_score > 0.0:
        is_kept = score_of(ranked.scored.log_p) >= min_score
        ranked = keep(ranked, is_kept)
        if orders is not None:
            orders = orders._replace(pins=[pin for pin in orders.pins if is_kept[pin.candidate]])
    if orders is not None:
        config = msgspec.structs.replace(config, n=config.n - len(orders.pins))
    shown = _fill_slots(ranked, catalog, config, exposures, name, orders)
    if orders is not None:
        shown = put_pins(shown, orders.pins)
    items = explain(request.history, ranked.candidates, ranked.scored, head, catalog, shown)
    if request.interests is not None and ranked.fits is not None:
        texts, history = request.interests.texts, ranked.scored.inputs.history
        items = explain_interests(items, texts, ranked.fits, head.of_interests, history, shown)
    if request.asked is not None and ranked.answers is not None:
        items = explain_answers(items, request.asked.search, ranked.answers, head, shown)
    return items if orders is None else name_rules(items, shown.indices.tolist(), orders)


def draw(seed: int, name: str) -> tuple[float, float]:
    """Return the two random numbers of one list, uniform in [0, 1): the same whatever came before."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    u, v = (int.from_bytes(half, "little") >> 11 for half in (digest[:8], digest[8:]))  # a float holds 53 bits
    return u * 2.0**-53, v * 2.0**-53


def _fill_slots(
    ranked: Ranked,
    catalog: Catalog,
    config: RankingConfig,
    exposures: Exposures,
    name: str,
    orders: Orders | None,
) -> Explored:
    """Return the list but for its pins."""
    if config.n == 0:
        return keep_all(np.zeros(0, dtype=np.int64))
    slots = Slots(
        *fill_fresh_slots(
            _vary(ranked, catalog, config),
            np.exp(ranked.scored.log_p),
            Fresh(ranked.fresh_best, ranked.fresh_likely),
            config.n,
            config.fresh_worth,
            config.fresh_budget,
        )
    )
    if config.tail_every and exposures.n_lists % config.tail_every == 0:
        slots = _with_unexposed(ranked, slots, config.n, catalog, exposures)
    if orders is not None:
        slots = _limit(ranked, slots, config, orders)
    return _explore(ranked, slots, catalog, config, exposures, name, orders)


def _obey(ranked: Ranked, orders: Orders) -> Ranked:
    """Return the ranking of what the rules let be shown in unpinned slots, as likely as they boost it."""
    log_p = ranked.scored.log_p + orders.boost
    best = put_fillers_last(ranked.best[np.argsort(-log_p[ranked.best], kind="stable")], ranked.candidates)
    fresh_likely = ranked.fresh_likely * np.exp(orders.boost[ranked.fresh_best])
    fresh_order = np.argsort(-fresh_likely, kind="stable")
    fresh_order = fresh_order[orders.is_allowed[ranked.fresh_best[fresh_order]]]
    return replace(
        ranked,
        scored=replace(ranked.scored, log_p=log_p),
        best=best[orders.is_allowed[best]],
        fresh_best=ranked.fresh_best[fresh_order],
        fresh_likely=fresh_likely[fresh_order],
    )


def _limit(ranked: Ranked, slots: Slots, config: RankingConfig, orders: Orders) -> Slots:
    """Return the list within its caps and above its floors."""
    front, back = slots.indices[: slots.n_ranked], slots.indices[slots.n_ranked :]
    at_risk = math.ceil(config.explore_share * config.n) + 1 if config.explore_share > 0 else 0
    front, back = limit(front, back, ranked.best, orders, config.n, at_risk)
    return Slots(np.concatenate((front, back)), len(back))


def _with_unexposed(ranked: Ranked, slots: Slots, n: int, catalog: Catalog, exposures: Exposures) -> Slots:
    """Return the list with the likeliest candidate that nobody was shown yet in its last slot, which is then kept back.

    It was shown if it was in a list of this process, or if some app has said so, ever.

    What is never shown is never chosen; the head alone would leave a tenth to a half of a catalog in the dark.
    """
    rows = ranked.candidates.rows
    is_unexposed = (exposures.of(rows) == 0) & (catalog.knowledge.impressions.count_shown(rows) == 0)
    is_unexposed[slots.indices] = False
    unexposed = ranked.best[is_unexposed[ranked.best]]
    if not len(unexposed):
        return slots
    n_ranked = min(slots.n_ranked, n - 1)
    indices = np.append(slots.indices[: n - 1], unexposed[:1])
    return Slots(indices, len(indices) - n_ranked)


def _explore(
    ranked: Ranked,
    slots: Slots,
    catalog: Catalog,
    config: RankingConfig,
    exposures: Exposures,
    name: str,
    orders: Orders | None,
) -> Explored:
    """Return the list with some slots above those kept back given to fresh items that few have seen."""
    if config.explore_share <= 0:
        return keep_all(slots.indices)
    is_shown = np.zeros(len(ranked.candidates), dtype=bool)
    is_shown[slots.indices] = True
    arms = ranked.fresh_best[~is_shown[ranked.fresh_best]]
    arms = (arms if orders is None else find_explorable(arms, orders))[:ARMS]
    if not len(arms):
        return keep_all(slots.indices)
    arm_rows = ranked.candidates.rows[arms]
    successes = catalog.knowledge.counts[arm_rows].sum(axis=1)
    n_shown = np.maximum(exposures.of(arm_rows), catalog.knowledge.impressions.count_shown(arm_rows))
    return explore(
        slots.indices[: slots.n_ranked],
        slots.indices[slots.n_ranked :],
        Arms(arms, successes, n_shown + successes),
        config.n - slots.n_kept_back,
        config.explore_share,
        draw(config.seed, name),
    )


def _vary(ranked: Ranked, catalog: Catalog, config: RankingConfig) -> NDArray[np.int64]:
    """Return the indices of the best items, as varied as the settings ask for."""
    if config.diversity <= 0:
        return ranked.best[: config.n]
    n_proposed = len(ranked.best) - np.count_nonzero(ranked.candidates.is_filler[ranked.best])
    indices, fillers = ranked.best[: min(VARIED * config.n, n_proposed)], ranked.best[n_proposed:]
    rows = ranked.candidates.rows[indices]
    chosen = diversify(
        ranked.scored.log_p[indices],
        catalog.spaces.joined(rows),
        catalog.categories.of(rows),
        catalog.categories.mix(ranked.request.history.recent_rows),
        config.n,
        config.diversity,
    )
    return np.concatenate((indices[chosen], fillers))[: config.n]
