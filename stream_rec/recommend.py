"""From a user's state and the catalog to a ranked list, and from what was chosen to a better head.

``rank`` finds and scores candidates; ``recommend`` makes the list of them: vary, give fresh slots, explore, explain;
``teach`` learns from what the user did next. ``recommender.py`` is what calls them, in production, replay and
evaluation.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import bpr
from stream_rec.catalog.arrays import find_sorted
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.promotion import Promotion
from stream_rec.events.slate import AsOf, Slate, SlateItem
from stream_rec.knowledge.contexts import fill_in
from stream_rec.knowledge.visits import visitor_of
from stream_rec.ranking import asked as asked_expert
from stream_rec.ranking import contexts as context_expert
from stream_rec.ranking import fresh_choices, linear_head
from stream_rec.ranking import interests as interest_expert
from stream_rec.ranking import shown as shown_expert
from stream_rec.ranking.asked import AskedInputs
from stream_rec.ranking.drift import DriftWatch
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.features import compute_inputs
from stream_rec.ranking.head import Head
from stream_rec.ranking.interests import InterestInputs
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.mixture import Scored, log_softmax
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.reranking.diversify import diversify
from stream_rec.reranking.explain import explain, explain_answers, explain_interests, score_of
from stream_rec.reranking.explore import Arms, Explored, explore, keep_all
from stream_rec.reranking.fresh_slots import Fresh, fill_fresh_slots
from stream_rec.reranking.promotions import promote
from stream_rec.reranking.rules import Orders, find_explorable, limit, name_rules, put_pins, read_orders
from stream_rec.retrieval.asked import Asked, EncodeQuery, find_asked
from stream_rec.retrieval.candidates import Candidates, Workspace, add_fillers, retrieve
from stream_rec.retrieval.interests import Interests, find_interests
from stream_rec.retrieval.pool import Pool
from stream_rec.retrieval.ruled import Exclusions
from stream_rec.retrieval.scope import keep_in_scope
from stream_rec.surface_settings import HOME
from stream_rec.user.entries import TEACHES_NOBODY
from stream_rec.user.history import History, read_history
from stream_rec.user.outcomes import Outcome
from stream_rec.user.profiles import youngest_age
from stream_rec.user.state import UserState

RECENT_ITEMS = 64
LIST_ID_BYTES = 12
"""Of the digest that a list is named by."""
SMALLEST = 1e-300
"""In place of a probability that is too small for a number."""
VARIED = 3
"""Candidates that diversity chooses from, for each item of the list."""
ARMS = 24
"""Fresh items among which exploration chooses."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Scored candidates for one user at one time. Arrays run parallel to ``candidates.rows``."""

    history: History
    candidates: Candidates
    scored: Scored
    """As the mixture sees them; ``log_p`` is what contexts, interests, searches and impressions make of it."""
    best: NDArray[np.int64]
    """(k,) indices of candidates, the likeliest first."""
    fresh: NDArray[np.int64]
    """(f,) indices of fresh items, ascending."""
    fresh_scored: Scored
    """Those alone, as the experts for fresh items see them."""
    fresh_best: NDArray[np.int64]
    """(f,) the same indices, the best first."""
    fresh_likely: NDArray[np.float64]
    """(f,) how likely each of ``fresh_best`` is chosen, as those experts see it."""
    now_ms: int
    """Event time."""
    contexts: Sequence[int]
    """``ContextNumbers`` of the request."""
    is_filtered: bool
    """Whether only some of what is listed may be shown."""
    rules: Active
    """Those of the time and of the list; it is ranked without them, and learned from so."""
    exclusions: Exclusions | None
    """What they keep from the user; None without rules and boosts."""
    lifts: NDArray[np.float32] | None = None
    """(k, MOST_KEYS) what the context of the request says of each candidate; None where it says nothing."""
    contextual_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``log_p``; None where it says nothing."""
    interests: Interests | None = None
    """What the user says to like."""
    fits: InterestInputs | None = None
    """How well each candidate fits that."""
    interested_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``contextual_log_p``, or ``log_p``; None without interests."""
    asked: Asked | None = None
    """What the user asks for."""
    answers: AskedInputs | None = None
    """What is known of each candidate as an answer to that."""
    answered_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``log_p``; None without a search."""
    shown: NDArray[np.float32] | None = None
    """(k, len(shown.NAMES)) what is known of each candidate as something to be shown; None before impressions."""


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


def rank(
    user_id: str,
    user: UserState,
    catalog: Catalog,
    head: Head,
    workspace: Workspace,
    *,
    now_ms: int,
    event_ms: int | None = None,
    encode_query: EncodeQuery | None = None,
    pool: Pool | None = None,
    surface: str = HOME,
    age: int | None = None,
    contexts: Sequence[int] | None = None,
) -> Ranked:
    """Return what could be shown to a user now, and how likely each would be chosen.

    Reads only. ``workspace`` is scratch: the same arguments give the same result.

    Args:
        now_ms: Event time, not the clock's: lists of a replayed log are those of its own time.
        event_ms: Of the event that the list is made on, where that came late: the user's own time.
        encode_query: Without it a search is answered by words and by what others chose alone.
        pool: What could be shown, where not all that is listed could.
        surface: Name of the list, for rules that hold in some lists only.
        age: The user's, in years, for rules that ask for it; None for what the profile says.
        contexts: ``ContextNumbers`` of the request; None for those of the user's newest event or search. The user's
            profile says what they do not.
    """
    history = read_history(user, catalog.find, recent_items=RECENT_ITEMS)
    own_slot = catalog.knowledge.neighbour_index.slot(visitor_of(user_id))
    rules = catalog.rules.active(max(now_ms, catalog.now_ms))
    rules = keep_in_scope(rules, surface, user_id, history, catalog, now_ms)
    if age is None and history.birth_year is not None:
        age = youngest_age(history.birth_year, now_ms)
    obeys = rules.number > 0 or catalog.has_boosts
    exclusions = Exclusions(rules, history, catalog, now_ms, age) if obeys else None
    event_ms = now_ms if event_ms is None else event_ms
    asked = find_asked(history, catalog, encode_query, event_ms=event_ms, now_ms=now_ms, pool=pool)
    interests = find_interests(history, catalog, encode_query, pool=pool)
    contexts = fill_in(history.contexts if contexts is None else contexts, history.of_profile)
    candidates = retrieve(
        history,
        catalog,
        workspace,
        rules=rules,
        exclusions=exclusions,
        asked=asked,
        interests=interests,
        contexts=contexts,
        own_slot=own_slot,
        now_ms=now_ms,
        pool=pool,
    )
    return score_candidates(
        candidates,
        catalog,
        head,
        history=history,
        now_ms=now_ms,
        contexts=contexts,
        is_filtered=pool is not None,
        rules=rules,
        exclusions=exclusions,
        interests=interests,
        asked=asked,
    )


def score_candidates(
    candidates: Candidates,
    catalog: Catalog,
    head: Head,
    *,
    history: History,
    now_ms: int,
    contexts: Sequence[int],
    is_filtered: bool,
    rules: Active,
    exclusions: Exclusions | None,
    interests: Interests | None,
    asked: Asked | None,
) -> Ranked:
    """Return candidates and how likely each would be chosen; arguments as of ``Ranked``."""
    scored = head.score(compute_inputs(candidates, history, catalog, now_ms))
    fresh = scored.inputs.fresh()
    fresh = fresh[~candidates.is_filler[fresh]]
    fresh_scored = head.score_fresh(scored.inputs.keep(fresh))
    log_p, fresh_log_p, answers, fits = scored.log_p, fresh_scored.log_p, None, None
    contextual_log_p = interested_log_p = answered_log_p = None
    lifts = context_expert.compute_inputs(contexts, candidates.rows, catalog, now_ms)
    if lifts is not None:
        added = linear_head.adjust(head.of_context, lifts, scored.inputs.history)
        log_p = contextual_log_p = log_softmax(log_p + added)
        fresh_log_p = log_softmax(fresh_log_p + added[fresh])
    if interests is not None:
        fits = interest_expert.compute_inputs(interests, candidates.rows, catalog)
        added = linear_head.adjust(head.of_interests, fits.items, scored.inputs.history)
        log_p = interested_log_p = log_softmax(log_p + added)
        fresh_log_p = log_softmax(fresh_log_p + added[fresh])
    if asked is not None:
        answers = asked_expert.compute_inputs(asked, candidates.rows, log_p, catalog)
        answered_log_p = asked_expert.score(head.of_asked, answers)
        fresh_log_p = log_softmax(fresh_log_p + (answered_log_p - log_p)[fresh])
        log_p = answered_log_p
    shown = shown_expert.compute_inputs(history, candidates.rows, log_p, catalog, now_ms)
    if shown is not None:
        added = shown_expert.adjust(head.of_shown, shown)
        log_p, fresh_log_p = log_softmax(log_p + added), log_softmax(fresh_log_p + added[fresh])
    best = _fillers_last(_sort(log_p, candidates.rows, catalog), candidates)
    fresh_order = _sort(fresh_log_p, candidates.rows[fresh], catalog)
    fresh_share = fresh_choices.fresh_share(head.fresh_choices, scored.inputs.history)
    return Ranked(
        history=history,
        candidates=candidates,
        scored=scored if log_p is scored.log_p else replace(scored, log_p=log_p),
        best=best,
        fresh=fresh,
        fresh_scored=fresh_scored,
        fresh_best=fresh[fresh_order],
        fresh_likely=fresh_share * np.exp(fresh_log_p[fresh_order]),
        now_ms=now_ms,
        contexts=contexts,
        is_filtered=is_filtered,
        rules=rules,
        exclusions=exclusions,
        lifts=lifts,
        contextual_log_p=contextual_log_p,
        interests=interests,
        fits=fits,
        interested_log_p=interested_log_p,
        asked=asked,
        answers=answers,
        answered_log_p=answered_log_p,
        shown=shown,
    )


def _sort(log_p: NDArray[np.float64], rows: NDArray[np.int64], catalog: Catalog) -> NDArray[np.int64]:
    """Return the indices of items, (k,), the most likely first; those that are as likely in one order everywhere."""
    return np.lexsort((catalog.tie_breaks[rows], -log_p))


def _fill_up(ranked: Ranked, catalog: Catalog, head: Head) -> Ranked:
    """Return a ranking with fillers behind its candidates, as a shop that opens today needs: nobody learns from it."""
    filled_up = score_candidates(
        add_fillers(ranked.candidates, ranked.history, catalog),
        catalog,
        head,
        history=ranked.history,
        now_ms=ranked.now_ms,
        contexts=ranked.contexts,
        is_filtered=False,
        rules=ranked.rules,
        exclusions=ranked.exclusions,
        interests=ranked.interests,
        asked=ranked.asked,
    )
    is_filler, log_p = filled_up.candidates.is_filler, filled_up.scored.log_p
    least = log_p[~is_filler].min(initial=0.0)
    return replace(
        filled_up, scored=replace(filled_up.scored, log_p=np.where(is_filler, np.minimum(log_p, least), log_p))
    )


def _fillers_last(best: NDArray[np.int64], candidates: Candidates) -> NDArray[np.int64]:
    """Return the indices of candidates, in their order, but those of fillers last."""
    is_filler = candidates.is_filler[best]
    return np.concatenate((best[~is_filler], best[is_filler]))


def aim(ranked: Ranked, worths: NDArray[np.float64], catalog: Catalog) -> Ranked:
    """Return a ranking by what a surface is ordered by, in place of how likely the user chooses each.

    Args:
        worths: (n,) by row of the catalog, above 0 for every candidate; ``log_p`` is of their share in the sum.
    """
    log_p = log_softmax(np.log(worths[ranked.candidates.rows]))
    return replace(
        ranked,
        scored=replace(ranked.scored, log_p=log_p),
        best=_sort(log_p, ranked.candidates.rows, catalog),
        fresh_best=ranked.fresh_best[:0],
        fresh_likely=ranked.fresh_likely[:0],
    )


def aim_at_fresh(ranked: Ranked) -> Ranked:
    """Return a ranking of the fresh items among its candidates, as the experts for those see them."""
    log_p = np.full(len(ranked.candidates), -np.inf)
    log_p[ranked.fresh_best] = log_softmax(np.log(np.maximum(ranked.fresh_likely, SMALLEST)))
    return replace(ranked, scored=replace(ranked.scored, log_p=log_p), best=ranked.fresh_best)


def keep(ranked: Ranked, is_kept: NDArray[np.bool_]) -> Ranked:
    """Return a ranking from which a list is made of some candidates alone.

    Args:
        is_kept: (k,) bool by candidate.
    """
    is_kept_fresh = is_kept[ranked.fresh_best]
    return replace(
        ranked,
        best=ranked.best[is_kept[ranked.best]],
        fresh_best=ranked.fresh_best[is_kept_fresh],
        fresh_likely=ranked.fresh_likely[is_kept_fresh],
    )


def recommend(
    ranked: Ranked,
    catalog: Catalog,
    head: Head,
    config: RankingConfig,
    exposures: Exposures,
    request: str,
    min_score: float = 0.0,
    promotions: Sequence[Promotion] = (),
) -> list[SlateItem]:
    """Return the list, at most ``config.n`` items, best first.

    Args:
        request: Names this list: what is drawn depends on it and on ``config.seed``, see ``draw``.
        min_score: Of each item, at least; what a rule pins with less is left out, too.
        promotions: What who asks for it wants in which slots.
    """
    if len(ranked.best) < config.n and not ranked.is_filtered:
        ranked = _fill_up(ranked, catalog, head)
    orders, rows = None, ranked.candidates.rows
    if ranked.exclusions is not None:
        orders = read_orders(ranked.rules, ranked.exclusions, rows, catalog, exposures, config.n)
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
    shown = _fill_slots(ranked, catalog, config, exposures, request, orders)
    if orders is not None:
        shown = put_pins(shown, orders.pins)
    items = explain(ranked.history, ranked.candidates, ranked.scored, head, catalog, shown)
    if ranked.interests is not None and ranked.fits is not None:
        texts, history = ranked.interests.texts, ranked.scored.inputs.history
        items = explain_interests(items, texts, ranked.fits, head.of_interests, history, shown)
    if ranked.asked is not None and ranked.answers is not None:
        items = explain_answers(items, ranked.asked.search, ranked.answers, head, shown)
    return items if orders is None else name_rules(items, shown.indices.tolist(), orders)


def teach(ranked: Ranked, chosen: list[tuple[int, Kind]], head: Head, config: HeadConfig) -> Head:
    """Return the head after a user chose.

    Args:
        ranked: What could have been shown just before.
        chosen: Row and kind of each event; rows that were no candidates teach nothing.
    """
    rows = ranked.candidates.rows
    if not len(rows) or not chosen:
        return head
    weight_of = (config.view_weight, config.click_weight, config.purchase_weight)
    chosen_rows = np.array([row for row, _ in chosen])
    weights = np.array([weight_of[kind] for _, kind in chosen])
    indices, is_candidate = find_sorted(rows, chosen_rows)
    is_candidate &= weights > 0
    if not is_candidate.any():
        return head
    indices, weights = indices[is_candidate], weights[is_candidate]
    step, part = Step(config.rate), ranked.scored.inputs.history
    head = head.learn(ranked.scored, indices, weights, config)
    if ranked.lifts is not None and (log_p := ranked.contextual_log_p) is not None:
        of_context = linear_head.learn_choices(head.of_context, ranked.lifts, part, log_p, indices, weights, step)
        head = head.put_context(of_context)
    if ranked.fits is not None and (log_p := ranked.interested_log_p) is not None:
        of_interests = linear_head.learn_choices(
            head.of_interests, ranked.fits.items, part, log_p, indices, weights, step
        )
        head = head.put_interests(of_interests)
    if ranked.answers is not None and (log_p := ranked.answered_log_p) is not None:
        of_asked = asked_expert.learn(head.of_asked, ranked.answers, log_p, indices, weights, config.rate)
        head = head.put_asked(of_asked)
    of_fresh = np.searchsorted(ranked.fresh, indices)
    is_fresh = np.append(ranked.fresh, -1)[of_fresh] == indices
    if is_fresh.any():
        head = head.learn_fresh(ranked.fresh_scored, of_fresh[is_fresh], config)
    counted = fresh_choices.count(head.fresh_choices, part, len(indices), int(is_fresh.sum()))
    return head.count_fresh(counted)


def learn(
    ranked: Ranked,
    events: Iterable[tuple[Kind, Interaction]],
    catalog: Catalog,
    head: Head,
    drift: DriftWatch,
    config: HeadConfig,
) -> tuple[Head, bool]:
    """Let all that learns learn what a user did; return the head, and whether it should ``decay`` now.

    The items' factors and ``drift`` are changed in place.

    Args:
        ranked: What could have been shown just before.
    """
    chosen = [(row, kind) for kind, event in events if (row := catalog.find(event.item_id)) is not None]
    head = teach(ranked, chosen, head, config)
    chosen_rows = np.array([row for row, _ in chosen], dtype=np.int64)
    bpr.learn(ranked.candidates.user, chosen_rows, catalog.factors)
    return head, drift.detect(ranked.candidates.rows, ranked.scored.log_p, chosen_rows)


def read_features(ranked: Ranked, item_ids: Iterable[str], catalog: Catalog) -> bytes:
    """Return what is known of the items of an impression, for ``learn_outcome``; of none where they are no candidates.

    Args:
        ranked: What could have been shown just before the impression.
    """
    shown = ranked.shown
    if shown is None:
        shown = shown_expert.begin_inputs(ranked.scored.log_p)
    found = np.array([-1 if (row := catalog.find(item_id)) is None else row for item_id in item_ids])
    indices, is_candidate = find_sorted(ranked.candidates.rows, found)
    inputs = np.full((len(found), shown.shape[1]), np.nan, dtype=np.float32)
    inputs[is_candidate] = shown[indices[is_candidate]]
    return shown_expert.encode_features(inputs)


def learn_outcome(outcome: Outcome, catalog: Catalog, head: Head, config: HeadConfig) -> Head:
    """Return the head after an impression that is over: what was chosen from it, and what was not."""
    impression = outcome.impression
    inputs = shown_expert.decode_features(impression.features)
    slots = np.array(impression.slots, dtype=np.int64)
    if inputs is None or len(inputs) != len(slots):
        return head
    teaches = (slots != TEACHES_NOBODY) & np.isfinite(inputs).all(axis=1)
    if not teaches.any():
        return head
    is_chosen = np.array(outcome.is_chosen, dtype=bool)[teaches]
    examination = catalog.knowledge.impressions.examination
    return head.put_shown(
        shown_expert.learn(
            head.of_shown,
            inputs[teaches],
            slots[teaches],
            is_chosen,
            examination,
            Step(config.rate, forgetting=1.0 + head.n_outcomes / config.forget_choices),
        )
    )


def draw(seed: int, request: str) -> tuple[float, float]:
    """Return the two random numbers of one request, uniform in [0, 1): the same whatever came before."""
    digest = hashlib.blake2b(f"{seed}/{request}".encode(), digest_size=16).digest()
    u, v = (int.from_bytes(half, "little") >> 11 for half in (digest[:8], digest[8:]))  # a float holds 53 bits
    return u * 2.0**-53, v * 2.0**-53


def policy_name(config: RankingConfig, head: HeadConfig) -> str:
    """Return the policy's name: it changes with every setting that changes lists."""
    settings = msgspec.json.encode([config, head])
    return "softmax-" + hashlib.blake2b(settings, digest_size=4).hexdigest()


def slate(
    user_id: str,
    items: list[SlateItem],
    *,
    policy: str,
    generated_at_ms: int,
    as_of: AsOf | None = None,
    seen: dict[str, int] | None = None,
) -> Slate:
    """Return the message for a list. Its id is a digest of the rest, so equal ids mean equal lists."""
    unnamed = Slate(
        list_id="",
        user_id=user_id,
        generated_at_ms=generated_at_ms,
        as_of=as_of,
        seen=seen or {},
        policy=policy,
        items=items,
    )
    list_id = hashlib.blake2b(msgspec.json.encode(unnamed), digest_size=LIST_ID_BYTES).hexdigest()
    return msgspec.structs.replace(unnamed, list_id=list_id)


def _fill_slots(
    ranked: Ranked,
    catalog: Catalog,
    config: RankingConfig,
    exposures: Exposures,
    request: str,
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
    return _explore(ranked, slots, catalog, config, exposures, request, orders)


def _obey(ranked: Ranked, orders: Orders) -> Ranked:
    """Return the ranking of what the rules let be shown in unpinned slots, as likely as they boost it."""
    log_p = ranked.scored.log_p + orders.boost
    best = _fillers_last(ranked.best[np.argsort(-log_p[ranked.best], kind="stable")], ranked.candidates)
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
    request: str,
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
        draw(config.seed, request),
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
        catalog.categories.mix(ranked.history.recent_rows),
        config.n,
        config.diversity,
    )
    return np.concatenate((indices[chosen], fillers))[: config.n]
