"""What could be shown to a user now, and how likely each would be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.contexts import fill_in
from stream_rec.knowledge.visits import visitor_of
from stream_rec.ranking import asked as asked_expert
from stream_rec.ranking import contexts as context_expert
from stream_rec.ranking import fresh_choices, linear_head
from stream_rec.ranking import interests as interest_expert
from stream_rec.ranking import shown as shown_expert
from stream_rec.ranking.features import compute_inputs
from stream_rec.ranking.head import Head
from stream_rec.ranking.left_out import NOTHING, LeftOut, hide_inputs, keep_proposed
from stream_rec.ranking.mixture import log_softmax
from stream_rec.recommend.ranked import Ranked, RankingRequest, put_fillers_last, sort_likeliest
from stream_rec.retrieval.asked import EncodeQuery, find_asked
from stream_rec.retrieval.candidates import Candidates, Workspace, add_fillers, retrieve
from stream_rec.retrieval.interests import find_interests
from stream_rec.retrieval.pool import Pool
from stream_rec.retrieval.ruled import Exclusions
from stream_rec.retrieval.scope import keep_in_scope
from stream_rec.surface_settings import HOME
from stream_rec.user.history import read_history
from stream_rec.user.profiles import youngest_age
from stream_rec.user.state import UserState

RECENT_ITEMS = 64


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
    left_out: LeftOut = NOTHING,
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
        left_out: Parts that are done without, to find out what they are worth.
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
    if left_out.context:
        contexts = ()
    request = RankingRequest(history, now_ms, contexts, pool is not None, rules, exclusions, interests, asked, left_out)
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
    return score_candidates(request, keep_proposed(candidates, left_out), catalog, head)


def score_candidates(request: RankingRequest, candidates: Candidates, catalog: Catalog, head: Head) -> Ranked:
    """Return candidates and how likely each would be chosen, for all that is known."""
    history, now_ms, interests, asked = request.history, request.now_ms, request.interests, request.asked
    inputs = compute_inputs(candidates, history, catalog, now_ms)
    fresh = inputs.fresh()
    scored = head.score(hide_inputs(inputs, request.left_out))
    fresh = fresh[~candidates.is_filler[fresh]]
    fresh_scored = head.score_fresh(scored.inputs.keep(fresh))
    log_p, fresh_log_p, answers, fits = scored.log_p, fresh_scored.log_p, None, None
    contextual_log_p = interested_log_p = answered_log_p = None
    lifts = context_expert.compute_inputs(request.contexts, candidates.rows, catalog, now_ms)
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
    best = put_fillers_last(sort_likeliest(log_p, candidates.rows, catalog), candidates)
    fresh_order = sort_likeliest(fresh_log_p, candidates.rows[fresh], catalog)
    fresh_share = fresh_choices.fresh_share(head.fresh_choices, scored.inputs.history)
    return Ranked(
        request=request,
        candidates=candidates,
        scored=scored if log_p is scored.log_p else replace(scored, log_p=log_p),
        best=best,
        fresh=fresh,
        fresh_scored=fresh_scored,
        fresh_best=fresh[fresh_order],
        fresh_likely=fresh_share * np.exp(fresh_log_p[fresh_order]),
        lifts=lifts,
        contextual_log_p=contextual_log_p,
        fits=fits,
        interested_log_p=interested_log_p,
        answers=answers,
        answered_log_p=answered_log_p,
        shown=shown,
    )


def fill_up(ranked: Ranked, catalog: Catalog, head: Head) -> Ranked:
    """Return a ranking with fillers behind its candidates, as a shop that opens today needs: nobody learns from it."""
    candidates = add_fillers(ranked.candidates, ranked.request.history, catalog)
    filled_up = score_candidates(ranked.request, candidates, catalog, head)
    is_filler, log_p = filled_up.candidates.is_filler, filled_up.scored.log_p
    least = log_p[~is_filler].min(initial=0.0)
    return replace(
        filled_up, scored=replace(filled_up.scored, log_p=np.where(is_filler, np.minimum(log_p, least), log_p))
    )
