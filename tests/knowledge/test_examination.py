"""Examination: position bias is found whatever the policy, and little data says little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_rec.knowledge import examination
from stream_rec.knowledge.examination import DOUBT, PRIOR, TRUST, appeal, estimate, find_mean
from stream_rec.knowledge.slots import N_SLOTS, SLOTS, slot_of

STEEP = 1 / np.array(SLOTS)
SLOT_OF = np.array([slot_of(position) for position in range(1, 31)])

few = arrays(np.int64, (6, N_SLOTS), elements=st.integers(0, 9))
many = arrays(np.int64, (6, N_SLOTS), elements=st.integers(-2, 10**6))


def appeal_of(shown, chosen, found):
    """Return each item's appeal next to the average of these."""
    return appeal(shown, chosen, found, find_mean(shown, chosen, found))


def simulate(n_lists, *, by_appeal, examined=STEEP, n_items=300):
    """Return counts shown and chosen, and the items' appeal: lists of 30, best first to the degree of ``by_appeal``."""
    random = np.random.default_rng(3)
    appeals = np.minimum(0.03 * np.exp(random.normal(size=n_items)), 0.9)
    ranks = np.argsort(-by_appeal * np.log(appeals) - random.normal(size=(n_lists, n_items)), axis=1)[:, :30]
    clicked = random.random(ranks.shape) < appeals[ranks] * examined[SLOT_OF]
    shown, chosen = np.zeros((2, n_items, N_SLOTS), dtype=np.int64)
    at = (ranks, np.broadcast_to(SLOT_OF, ranks.shape))
    np.add.at(shown, at, 1)
    np.add.at(chosen, at, clicked)
    return shown, chosen, appeals


def rates(shown, chosen):
    """Return click-through by slot, that of slot 0 being 1."""
    by_slot = chosen.sum(axis=0) / shown.sum(axis=0)
    return by_slot / by_slot[0]


def test_slots_follow_one_another_without_a_gap():
    """A position belongs to the last slot that begins at it or before it."""
    slots = [slot_of(position) for position in range(1, 100)]

    assert slots == sorted(slots)
    assert [slots.index(slot) + 1 for slot in range(N_SLOTS)] == list(SLOTS)


@pytest.mark.parametrize("position", [0, -1])
def test_positions_are_counted_from_one(position):
    """Position 0 is no slot, least of all the last one, where an index of -1 would put it."""
    with pytest.raises(ValueError, match="counted from 1"):
        slot_of(position)


def test_items_at_random_places_show_the_bias_as_it_is():
    """Where the policy does not look at items, the model says what click-through says; both are right."""
    shown, chosen, _ = simulate(5000, by_appeal=0)
    found = estimate(shown, chosen)

    assert np.abs(np.log(found / STEEP)).max() < 0.25
    assert np.abs(np.log(rates(shown, chosen) / found)).max() < 0.15


def test_good_items_on_top_do_not_look_like_bias():
    """Click-through of the last slot is too low by a factor of 3; the model is as good as without a policy."""
    shown, chosen, _ = simulate(5000, by_appeal=2)
    found = estimate(shown, chosen)

    assert np.log(rates(shown, chosen) / STEEP)[1:].mean() < -0.5
    assert np.log(rates(shown, chosen) / STEEP)[-1] < -1.1
    assert np.abs(np.log(found / STEEP)).max() < 0.2


def test_items_chosen_for_luck_do_not_look_like_bias():
    """The same where the policy learns from these very clicks: who was lucky below is not held against the top."""
    random = np.random.default_rng(5)
    appeals = 0.02 * np.exp(random.normal(size=1000))
    shown, chosen = np.zeros((2, 1000, N_SLOTS), dtype=np.int64)
    for _ in range(4000):
        items = random.choice(1000, size=60, replace=False)
        drawn = random.gamma(chosen[items].sum(axis=1) + 1, 1 / (shown[items] @ STEEP + 50))
        ranked = items[np.argsort(-drawn)[:30]]
        np.add.at(shown, (ranked, SLOT_OF), 1)
        np.add.at(chosen, (ranked, SLOT_OF), random.random(30) < appeals[ranked] * STEEP[SLOT_OF])
    error = np.log(estimate(shown, chosen) / STEEP)[1:]

    assert np.log(rates(shown, chosen) / STEEP)[1:].mean() < -0.4
    assert abs(error.mean()) < 0.3
    assert abs(error.mean()) < abs(np.log(estimate(shown, chosen, doubt=1e-6) / STEEP)[1:].mean()) - 0.05


def test_bias_that_there_is_none_of_is_not_found():
    """Every position alike, and the prior does not bend that; the policy's order does not either."""
    shown, chosen, _ = simulate(5000, by_appeal=2, examined=np.ones(N_SLOTS))

    assert np.abs(np.log(estimate(shown, chosen))).max() < 0.15
    assert rates(shown, chosen)[-1] < 0.3


@settings(max_examples=100, deadline=None)
@given(shown=few)
def test_nothing_chosen_leaves_the_prior(shown):
    """However often items were shown, and wherever the estimate began: it is learned from choices alone."""
    assert np.array_equal(estimate(shown, np.zeros_like(shown), STEEP), PRIOR)


def test_little_data_stays_near_the_prior():
    """Two choices do not move any slot by half; a hundred times as many do."""
    shown = np.full((10, N_SLOTS), 10)
    chosen = np.zeros_like(shown)
    chosen[:2, -1] = 1

    assert np.abs(np.log(estimate(shown, chosen) / PRIOR)).max() < 0.5
    assert estimate(100 * shown, 100 * chosen)[-1] > 10 * PRIOR[-1]


def test_a_slot_in_which_nothing_was_shown_keeps_the_prior():
    """Lists of six positions say nothing of the tenth, even where the estimate began somewhere else."""
    shown, chosen, _ = simulate(1000, by_appeal=1)
    shown[:, 5:] = chosen[:, 5:] = 0

    assert estimate(shown, chosen, STEEP)[5:] == pytest.approx(PRIOR[5:])


def test_an_item_in_one_slot_only_says_next_to_nothing():
    """It may be the item or the place: nobody knows."""
    shown, chosen = np.zeros((2, N_SLOTS, N_SLOTS), dtype=np.int64)
    np.fill_diagonal(shown, 10_000)
    np.fill_diagonal(chosen, [100, 50, 30, 25, 20, 10, 5, 2])

    assert np.abs(np.log(estimate(shown, chosen) / PRIOR)).max() < 0.4
    assert np.abs(np.log(rates(shown, chosen) / PRIOR)).max() > 2


def test_lists_without_a_first_position_have_examination_too():
    """What is known is how the others compare; the level is the prior's."""
    shown, chosen, _ = simulate(5000, by_appeal=1)
    shown[:, 0] = chosen[:, 0] = 0
    found = estimate(shown, chosen)

    assert found[0] == 1
    assert np.abs(np.log(found[1:] / found[1] / (STEEP[1:] / STEEP[1]))).max() < 0.3
    assert np.abs(np.log(found[1:] / PRIOR[1:])).max() < 2


@settings(max_examples=100, deadline=None)
@given(shown=few, chosen=few, seed=st.integers(0, 99))
def test_the_order_of_items_means_nothing(shown, chosen, seed):
    """The same examination, and to each item the same appeal."""
    order = np.random.default_rng(seed).permutation(len(shown))
    found = estimate(shown, chosen)

    assert estimate(shown[order], chosen[order]) == pytest.approx(found, rel=1e-4)
    assert appeal_of(shown[order], chosen[order], found) == pytest.approx(
        appeal_of(shown, chosen, found)[order], abs=1e-4
    )


@settings(max_examples=200, deadline=None)
@given(shown=many, chosen=many, steps=st.integers(0, 12))
def test_any_counts_give_numbers(shown, chosen, steps):
    """Below 0, more chosen than shown, none at all: corrections may overtake what they correct."""
    found = estimate(shown, chosen, steps=steps)

    assert np.isfinite(found).all() and (found > 0).all() and found[0] == 1
    assert np.isfinite(appeal_of(shown, chosen, found)).all()
    kept = np.maximum(shown, 0)
    assert np.array_equal(found, estimate(kept, np.clip(chosen, 0, kept), steps=steps))


def test_no_items_are_no_reason_to_fail():
    """A shop on its first day."""
    nothing = np.zeros((0, N_SLOTS), dtype=np.int64)

    assert np.array_equal(estimate(nothing, nothing), PRIOR)
    assert appeal_of(nothing, nothing, PRIOR).shape == (0,)


@settings(max_examples=100, deadline=None)
@given(shown=many, chosen=many)
def test_no_step_makes_the_data_less_likely(shown, chosen):
    """From the prior to the maximum it only goes up."""
    kept, picked = examination._select(shown, chosen)
    if not picked.any():
        return
    model = examination._Likelihood(kept, picked, TRUST, DOUBT)
    begin = np.log([*STEEP[1:], 0.001])
    values = [model.value(point) for point in (begin, *examination._climb(model, begin, 20))]

    assert values == sorted(values)


@settings(max_examples=100, deadline=None)
@given(shown=many, chosen=many)
def test_the_estimate_is_where_the_two_equations_hold(shown, chosen):
    """Appeal from examination and examination from appeal, as they stand in the docstring, find nothing to change."""
    kept, picked = examination._select(shown, chosen)
    if not picked.any():
        return
    found = estimate(shown, chosen, steps=100)
    mean = picked.sum() / (kept @ found).sum()
    for _ in range(20_000):
        appeals = (picked.sum(axis=1) + DOUBT) / (kept @ found + DOUBT / mean)
        mean, last = appeals.mean(), mean
        if abs(mean / last - 1) < 1e-9:
            break
    again = (picked.sum(axis=0) + TRUST) / (kept.T @ appeals + TRUST / PRIOR)

    assert again[1:] == pytest.approx(found[1:], rel=1e-3)


def test_where_it_starts_does_not_matter():
    """Ten steps reach the maximum from anywhere, two from near by: the likelihood has only one."""
    shown, chosen, _ = simulate(2000, by_appeal=2)
    found = estimate(shown, chosen)

    assert estimate(shown, chosen, 1 / STEEP) == pytest.approx(found, rel=1e-5)
    assert estimate(shown, chosen, found * np.linspace(1, 1.1, N_SLOTS), steps=2) == pytest.approx(found, rel=1e-2)
    assert estimate(shown, chosen, steps=0) == pytest.approx(PRIOR)


def test_counts_are_left_as_they_were():
    """State in, state out; the prior cannot be written to."""
    shown, chosen, _ = simulate(100, by_appeal=1)
    chosen[0, 0] = -1
    copies = shown.copy(), chosen.copy()
    appeal_of(shown, chosen, estimate(shown, chosen))

    assert np.array_equal(shown, copies[0]) and np.array_equal(chosen, copies[1])
    with pytest.raises(ValueError, match="read-only"):
        PRIOR[0] = 2


def test_appeal_is_how_much_more_than_the_average_item():
    """Chosen twice as often in the same places is log 2 more; half as often where nobody looks is the same."""
    shown = np.array([[10_000] + [0] * 7, [10_000] + [0] * 7, [0] * 7 + [10_000]])
    chosen = np.array([[2000] + [0] * 7, [1000] + [0] * 7, [0] * 7 + [1000]])
    found = appeal_of(shown, chosen, np.array([1.0] * 7 + [0.5]))

    assert found[0] - found[1] == pytest.approx(np.log(2), abs=0.01)
    assert found[0] == pytest.approx(found[2], abs=0.01)
    assert np.exp(found).mean() == pytest.approx(1, abs=0.01)


@settings(max_examples=100, deadline=None)
@given(shown=few, chosen=few)
def test_an_item_that_was_never_shown_has_no_appeal(shown, chosen):
    """Exactly none, whatever was counted as chosen."""
    shown[2] = 0

    assert appeal_of(shown, chosen, PRIOR)[2] == 0


def test_little_data_is_little_appeal():
    """One choice in one showing is less than a thousand in a thousand; one showing without is hardly below 0."""
    shown, chosen, _ = simulate(1000, by_appeal=0)
    shown[:3], chosen[:3] = 0, 0
    shown[:3, 0], chosen[:3, 0] = (1, 1000, 1), (1, 1000, 0)
    once, often, never = appeal_of(shown, chosen, STEEP)[:3]

    assert 0 < once < 1 < 2 < often
    assert -0.1 < never < 0


def test_appeal_is_what_the_items_have():
    """Also under a policy that puts them on top, for those of which enough is known."""
    shown, chosen, appeals = simulate(5000, by_appeal=1)
    found = appeal_of(shown, chosen, estimate(shown, chosen))
    known = chosen.sum(axis=1) >= 10

    assert known.sum() > 50
    assert np.std((found - np.log(appeals))[known]) < 0.3
