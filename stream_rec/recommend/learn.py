"""What a head and the items' factors learn from what a user did, and from what they were shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import bpr
from stream_rec.catalog.arrays import find_sorted
from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.ranking import asked as asked_expert
from stream_rec.ranking import fresh_choices, linear_head
from stream_rec.ranking import shown as shown_expert
from stream_rec.ranking.action_weights import find_factor
from stream_rec.ranking.drift import DriftWatch
from stream_rec.ranking.head import Head
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.policy import HeadConfig
from stream_rec.recommend.ranked import Ranked
from stream_rec.user.entries import TEACHES_NOBODY
from stream_rec.user.outcomes import Outcome


def teach(
    ranked: Ranked,
    chosen: list[tuple[int, float]],
    head: Head,
    config: HeadConfig,
    actions: Sequence[str | None] = (),
) -> Head:
    """Return the head after a user chose.

    Args:
        ranked: What could have been shown just before.
        chosen: Row of each event, and how much that counts; rows that were no candidates teach nothing.
        actions: Of each event that has one, the type of which it is learned how much it teaches; empty: none has.
    """
    rows = ranked.candidates.rows
    if not len(rows) or not chosen:
        return head
    chosen_rows = np.array([row for row, _ in chosen])
    weights = np.array([weight for _, weight in chosen])
    indices, is_candidate = find_sorted(rows, chosen_rows)
    is_candidate &= weights > 0
    if not is_candidate.any():
        return head
    indices, weights = indices[is_candidate], weights[is_candidate]
    step, part = Step(config.rate), ranked.scored.inputs.history
    shares = _share_out(actions, is_candidate, weights) if actions else {}
    head = head.learn(ranked.scored, indices, weights, config, shares)
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
    chosen: list[tuple[int, float]] = []
    actions: list[str | None] = []
    for kind, event in events:
        if (row := catalog.find(event.item_id)) is not None:
            action = config.find_learned_action(event)
            factor = 1.0 if action is None else find_factor(head.of_actions, action)
            chosen.append((row, factor * config.weigh(kind, event)))
            actions.append(action)
    head = teach(ranked, chosen, head, config, actions if any(actions) else ())
    chosen_rows = np.array([row for row, _ in chosen], dtype=np.int64)
    bpr.learn(ranked.candidates.user, chosen_rows, catalog.factors)
    return head, drift.detect(ranked.candidates.rows, ranked.scored.log_p, chosen_rows)


def _share_out(
    actions: Sequence[str | None], is_candidate: NDArray[np.bool_], weights: NDArray[np.float64]
) -> dict[str, float]:
    """Return what part of a group's weights events of each type have.

    Args:
        is_candidate: (events,) which of the events have one of ``weights``, (c,).
    """
    parts = (weights / weights.sum()).tolist()
    shares: dict[str, float] = defaultdict(float)
    for action, part in zip(compress(actions, is_candidate), parts):
        if action is not None:
            shares[action] += part
    return shares


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
