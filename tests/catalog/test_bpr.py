"""Factors learned from choices, and users folded in, against the same steps in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import bpr
from stream_rec.catalog.bpr import FARTHEST, ITEMS, LEAST_POOL, NEGATIVES, RATE, REGULARIZATION, TIMES
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.factors import DIMENSIONS, Factors
from stream_rec.user.history import History
from tests.catalog.stock import embedded, stocked

NOBODY = np.zeros(DIMENSIONS, dtype=np.float32)
EAST = np.eye(DIMENSIONS, dtype=np.float32)[0]


def had(*rows: int, counts: list[int] | None = None, last_ms: list[int] | None = None) -> History:
    """Return the history of a user with these own items, by default had once each in this order."""
    return History(
        recent=[],
        recent_rows=np.zeros(0, dtype=np.int64),
        own_rows=np.array(rows, dtype=np.int64),
        own_counts=np.array(counts or [1] * len(rows), dtype=np.float64),
        own_first_ms=np.zeros(len(rows)),
        own_last_ms=np.array(last_ms or range(len(rows)), dtype=np.float64),
        n_events=len(rows),
        n_counted=len(rows),
        last_ms=0,
        last_kind=None,
        last_is_repeat=False,
        session_length=0,
        group_size=1.0,
    )


def drawn(n: int, seed: int = 0, n_pool: int = 50) -> Factors:
    """Return factors of ``n`` items, of which this worker and another have moved some, and a pool."""
    rng = np.random.default_rng(seed)
    factors = Factors()
    for row in range(n):
        factors.add(row, f"i{row}")
        factors.take("bob", row, rng.normal(0, 0.2, DIMENSIONS))
        factors.restore(row, rng.normal(0, 0.1, DIMENSIONS).astype(np.float32))
    factors.choose(rng.integers(n, size=n_pool))
    return factors


def mixed(state: int) -> int:
    """The next number: splitmix64 as its paper has it, the mixed number being the next state."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
    return state ^ (state >> 31)


def pulled(user: list[float], row: list[float], other: list[float]) -> float:
    return 1 / (1 + math.exp(sum(p * (a - b) for p, a, b in zip(user, row, other))))


def moved_user(user: list[float], pull: float, row: list[float], other: list[float]) -> list[float]:
    return [p + RATE * (pull * (a - b) - REGULARIZATION * p) for p, a, b in zip(user, row, other)]


def slowly_fold_in(history: History, factors: Factors) -> list[float]:
    """What ``fold_in`` must give."""
    user, vectors, pool = [0.0] * DIMENSIONS, factors.vectors.tolist(), factors.pool[: factors.n_pool].tolist()
    own = sorted(zip(history.own_last_ms, range(len(history.own_rows)), history.own_rows, history.own_counts))[-ITEMS:]
    state = 1
    for _, _, row, count in own:
        for _ in range(NEGATIVES * min(int(count), TIMES)):
            state = mixed(state)
            other = pool[state % len(pool)]
            if other != row:
                pull = pulled(user, vectors[row], vectors[other])
                user = moved_user(user, pull, vectors[row], vectors[other])
    return user


def slowly_learned(user: list[float], chosen: list[int], factors: Factors) -> tuple[list, list, set[int]]:
    """What ``learn`` must make of the vectors and of this worker's part, and which rows it moves."""
    vectors, own, pool = factors.vectors.tolist(), factors.own.tolist(), factors.pool[: factors.n_pool].tolist()
    state = mixed(factors.n_choices + 1)
    touched = set()
    for row in chosen:
        for _ in range(NEGATIVES):
            state = mixed(state)
            other = pool[state % len(pool)]
            if other == row:
                continue
            pull = pulled(user, vectors[row], vectors[other])
            steps = {
                row: [RATE * (pull * p - REGULARIZATION * o) for p, o in zip(user, own[row])],
                other: [RATE * (-pull * p - REGULARIZATION * o) for p, o in zip(user, own[other])],
            }
            user = moved_user(user, pull, vectors[row], vectors[other])
            for at, step in steps.items():
                vectors[at] = [v + s for v, s in zip(vectors[at], step)]
                own[at] = [o + s for o, s in zip(own[at], step)]
            touched |= {row, other}
    return vectors, own, touched


def test_nobody_has_no_vector():
    """Without own items; and before ten choices of anybody, when there is nothing to compare with."""
    factors = drawn(5, n_pool=LEAST_POOL - 1)
    assert bpr.fold_in(had(), drawn(5)).tolist() == NOBODY.tolist()
    assert bpr.fold_in(had(0, 1), factors).tolist() == NOBODY.tolist()

    factors.choose(np.array([3]))
    assert bpr.fold_in(had(0, 1), factors).any()


@settings(deadline=None, max_examples=40)
@given(data=st.data(), n=st.integers(1, 30), n_pool=st.integers(LEAST_POOL, 60), seed=st.integers(0, 99))
def test_folding_in_a_user_goes_as_the_formula_says(data, n, n_pool, seed):
    """The oldest item first, each as often as it was had, three times at most."""
    factors = drawn(n, seed, n_pool)
    rows = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    times = data.draw(st.lists(st.integers(0, 5), min_size=len(rows), max_size=len(rows)))
    counts = data.draw(st.lists(st.integers(1, 6), min_size=len(rows), max_size=len(rows)))
    history = had(*rows, counts=counts, last_ms=times)

    assert bpr.fold_in(history, factors) == pytest.approx(slowly_fold_in(history, factors), rel=1e-3, abs=1e-5)


def test_of_many_own_items_the_last_had_count():
    """128 of them, whatever their order in the weekly counts."""
    factors = drawn(300)
    last_ms = [(7 * row) % 300 for row in range(300)]
    history = had(*range(300), last_ms=last_ms)
    late = [row for row in range(300) if last_ms[row] >= 300 - ITEMS]

    found = bpr.fold_in(history, factors)
    assert found == pytest.approx(slowly_fold_in(history, factors), rel=1e-3, abs=1e-5)
    assert found.tolist() == bpr.fold_in(had(*late, last_ms=[last_ms[row] for row in late]), factors).tolist()


@settings(deadline=None, max_examples=40)
@given(data=st.data(), n=st.integers(1, 30), n_pool=st.integers(LEAST_POOL, 60), seed=st.integers(0, 99))
def test_choices_move_items_as_the_formula_says(data, n, n_pool, seed):
    """What was chosen and what it was compared to, by the same steps in the vectors and in this worker's part."""
    factors = drawn(n, seed, n_pool)
    user = np.random.default_rng(seed).normal(0, 0.3, DIMENSIONS).astype(np.float32)
    chosen = data.draw(st.lists(st.integers(0, n - 1), max_size=6))
    vectors, own, touched = slowly_learned(user.tolist(), chosen, factors)
    given_user = user.copy()
    bpr.learn(user, np.array(chosen, dtype=np.int64), factors)

    assert np.allclose(factors.vectors, vectors, rtol=1e-3, atol=1e-5)
    assert np.allclose(factors.own, own, rtol=1e-3, atol=1e-5)
    assert factors.changed.keys() == touched
    assert user.tolist() == given_user.tolist()
    assert factors.n_choices == n_pool + len(chosen)


def test_what_was_told_changes_again_with_the_next_choice():
    """``changed`` holds the rows since it was emptied, the first changed first; no other row's part differs."""
    factors = drawn(40)
    bpr.learn(EAST, np.array([7]), factors)
    first = list(factors.changed)
    assert first[0] == 7
    before = factors.own.copy()
    factors.changed.clear()
    bpr.learn(EAST, np.array([8, 7]), factors)

    assert set(factors.changed) == set(np.flatnonzero((factors.own != before).any(axis=1)).tolist())
    assert len(factors.changed) < 40


def test_an_item_is_not_compared_to_itself():
    """Where everybody chooses one item there is nothing to learn, nor to tell."""
    factors = drawn(3, n_pool=0)
    factors.choose(np.array([1] * 20))
    before = factors.vectors.copy()
    bpr.learn(EAST, np.array([1]), factors)

    assert factors.vectors.tolist() == before.tolist()
    assert not factors.changed


def test_nothing_is_learned_from_too_few_choices():
    """They fill the pool."""
    factors = drawn(3, n_pool=LEAST_POOL - 1)
    before = factors.vectors.copy()
    bpr.learn(EAST, np.array([1]), factors)
    assert factors.vectors.tolist() == before.tolist() and not factors.changed

    bpr.learn(EAST, np.array([1]), factors)
    assert 1 in factors.changed


def test_the_same_choices_give_the_same_vectors():
    """To the last bit; and asking changes nothing."""
    one, other = drawn(20), drawn(20)
    for number in range(50):
        for factors in (one, other):
            user = bpr.fold_in(had(number % 20, 5), factors)
            bpr.learn(user, np.array([number * 7 % 20]), factors)
        bpr.compute_affinities(bpr.fold_in(had(3), one), np.arange(20), one)

    assert one.vectors.tolist() == other.vectors.tolist()
    assert list(one.changed) == list(other.changed)


def longest(factors: Factors) -> float:
    return float(np.linalg.norm(factors.vectors, axis=1).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("taste", "choice", "length"),
    [
        pytest.param(lambda step: [step % 2], lambda step: 1 - step % 2, 1.0, id="each chooses the other's"),
        pytest.param(lambda step: [step % 4], lambda step: step % 4, 1.0, id="each chooses one item again and again"),
        pytest.param(lambda step: [0], lambda step: 1 + step % 3, 1.0, id="one user chooses all but their own"),
        pytest.param(lambda step: [step % 3], lambda step: step % 3, -1e3, id="tastes from nowhere, far too long"),
    ],
)
def test_a_hundred_thousand_steps_stay_bounded(taste, choice, length):
    """A few items against each other, by users who want the opposite: no vector is longer than where it may go."""
    factors = Factors()
    for row in range(4):
        factors.add(row, f"i{row}")
    factors.choose(np.arange(40) % 4)
    users = [(had(*taste(step), counts=[3]), np.array([choice(step)])) for step in range(12)]
    for step in range(100_000):
        history, chosen = users[step % 12]
        bpr.learn(np.float32(length) * bpr.fold_in(history, factors), chosen, factors)

    assert np.isfinite(factors.vectors).all() and np.isfinite(factors.own).all()
    assert longest(factors) < FARTHEST + 1
    assert np.linalg.norm(factors.own, axis=1).max() < FARTHEST + 1e-3
    assert np.isfinite(bpr.fold_in(had(0, 1, 2, 3), factors)).all()


def share(first: Factors, second: Factors, n: int) -> None:
    """Tell each how far the other's users have moved every item."""
    for row in range(n):
        first.take("second", row, second.own[row])
        second.take("first", row, first.own[row])


def test_workers_that_pull_in_opposite_directions_stay_bounded():
    """Their sum stays where it is, and so does the pull: each part would grow for ever, until float16 is too coarse."""
    first, second = drawn(4), drawn(4)
    for step in range(3000):
        chosen = np.array([step % 2])
        bpr.learn(10 * EAST * (1 - 2 * (step % 2)), chosen, first)
        bpr.learn(10 * EAST * (2 * (step % 2) - 1), chosen, second)
        if step % 10 == 0:
            share(first, second, 4)
    share(first, second, 4)
    lengths = [float(np.linalg.norm(factors.own, axis=1).max()) for factors in (first, second)]

    assert lengths == pytest.approx([FARTHEST] * 2, rel=1e-2)
    assert longest(first) < 4
    assert np.allclose(first.vectors, second.vectors, atol=2e-2)


def test_a_part_does_not_grow_where_the_other_worker_only_draws_back():
    """Each draws back its own part: else the one pushes, the other draws, and both go on though the sum has settled."""
    first, second = drawn(4), drawn(4)
    users = [(had(row, counts=[3]), np.array([row])) for row in range(4)]

    def go_on() -> float:
        for step in range(20_000):
            history, chosen = users[step % 4]
            bpr.learn(bpr.fold_in(history, first), chosen, first)
            bpr.learn(NOBODY, chosen, second)
            if step % 10 == 0:
                share(first, second, 4)
        return float(np.linalg.norm(second.own, axis=1).max())

    assert go_on() > 0.9 * go_on()


def two_groups(catalog: Catalog, *, steps: int, chosen_of: int) -> None:
    """Let users choose among the first items of their own group: a0, a1, ... or b0, b1, ..."""
    rng = np.random.default_rng(0)
    rows = {group: [catalog.find(f"{group}{n}") for n in range(chosen_of)] for group in "ab"}
    for step in range(steps):
        of_user = rng.permutation(rows["ab"[step % 2]])
        bpr.learn(bpr.fold_in(had(*of_user[:5]), catalog.factors), of_user[5:6], catalog.factors)


def liked(catalog: Catalog, own: str) -> list[str]:
    """Return all other items, those first that a user with one own item prefers."""
    rows = np.array([row for row, item_id in enumerate(catalog.item_ids) if item_id != own])
    user = bpr.fold_in(had(catalog.find(own)), catalog.factors)
    order = np.argsort(-bpr.compute_affinities(user, rows, catalog.factors))
    return [catalog.item_ids[row] for row in rows[order]]


def with_texts(n: int) -> Catalog:
    """Return ``n`` items of each group whose texts are about their group, four fifths of each."""
    catalog = stocked(*(f"{group}{k}" for group in "ab" for k in range(n)))
    rng = np.random.default_rng(1)
    about = dict(zip("ab", rng.normal(size=(2, 64))))
    for item_id in catalog.item_ids:
        catalog.put_embedding(item_id, embedded(2 * about[item_id[0]] + rng.normal(size=64)))
    return catalog


def test_items_of_the_same_users_come_together():
    """Without any text: a user with one item prefers the other items of its group, whichever it is."""
    catalog = stocked(*(f"{group}{k}" for group in "ab" for k in range(8)))
    catalog.factors.choose(np.arange(16))
    assert {item_id[0] for item_id in liked(catalog, "a0")[:7]} == {"a", "b"}
    two_groups(catalog, steps=3000, chosen_of=8)

    for own in ("a0", "a7", "b0", "b7"):
        assert {item_id[0] for item_id in liked(catalog, own)[:7]} == {own[0]}


def test_an_item_that_nobody_chose_is_near_by_its_text():
    """Of 20 in each group six are chosen: the other 14 are preferred to all of the other group, chosen or not."""
    catalog = with_texts(20)
    two_groups(catalog, steps=3000, chosen_of=6)

    for own in ("a0", "b5"):
        assert {item_id[0] for item_id in liked(catalog, own)[:19]} == {own[0]}


def test_affinities_are_centred_on_the_average_item():
    """Margins 3, 0 and 0: 2 above their mean and 1 below it."""
    factors = drawn(4)
    factors.vectors[:4] = 0
    factors.vectors[2] = 3 * EAST
    found = bpr.compute_affinities(EAST, np.array([0, 2, 3]), factors)

    assert found.tolist() == pytest.approx([1 / (1 + math.e), 1 / (1 + math.e**-2), 1 / (1 + math.e)])
    assert found.dtype == np.float32


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), rows=st.lists(st.integers(0, 9), min_size=1), away=st.floats(-50, 50))
def test_affinities_say_nothing_of_what_all_items_share(seed, rows, away):
    """Their log odds come to 0, and a direction added to all items changes nothing."""
    factors = drawn(10, seed)
    user = bpr.fold_in(had(1, 2), factors)
    found = bpr.compute_affinities(user, np.array(rows), factors)
    factors.vectors += np.float32(away) * EAST

    assert np.log(found / (1 - found)).sum() == pytest.approx(0, abs=1e-4)
    assert bpr.compute_affinities(user, np.array(rows), factors) == pytest.approx(found, abs=1e-3)


def test_there_is_no_affinity_of_nobody():
    """0, as of any feature of which nothing is known; and none of no items."""
    factors = drawn(4)

    assert bpr.compute_affinities(NOBODY, np.arange(4), factors).tolist() == [0, 0, 0, 0]
    assert bpr.compute_affinities(EAST, np.zeros(0, dtype=np.int64), factors).tolist() == []


@pytest.mark.filterwarnings("error")
def test_no_margin_is_too_large():
    """An affinity is above 0 and at most 1, without a warning, however far apart two items are."""
    factors = drawn(2)
    factors.vectors[:2] = [200 * EAST, -200 * EAST]
    found = bpr.compute_affinities(EAST, np.array([0, 1]), factors)

    assert found[0] == 1 and 0 < found[1] < 1e-10
    assert bpr.compute_affinities(EAST, np.zeros(0, dtype=np.int64), factors).tolist() == []
