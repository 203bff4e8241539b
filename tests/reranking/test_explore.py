"""Exploration: the recorded propensity is how often the item is in the list."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.reranking.explore import PARTICLES, PRIOR, Arms, explore, keep_all, particle_grid, posterior_particles

RANKED = np.arange(30)
RESERVED = np.array([40, 41])
ARMS = np.array([100, 101, 102, 103, 104, 105])
SUCCESSES = np.array([0.0, 1.0, 0.0, 2.0, 9.0, 0.0])
EXPOSURES = np.array([0.0, 4.0, 60.0, 30.0, 9.0, 2.0])
ALL = Arms(ARMS, SUCCESSES, EXPOSURES)


def shown(draws: int, n: int, share: float, *, ranked=RANKED, arms=ARMS, seed: int = 0) -> tuple[Counter, dict]:
    """Return how many of the drawn lists each item was in, and every propensity recorded for it."""
    rng = np.random.default_rng(seed)
    counts: Counter = Counter()
    recorded: dict[int, set] = {}
    some = Arms(arms, SUCCESSES[: len(arms)], EXPOSURES[: len(arms)])
    for _ in range(draws):
        drawn = tuple(rng.random(2).tolist())
        explored = explore(ranked, RESERVED, some, n, share, drawn)
        for place, propensity in zip(explored.indices.tolist(), explored.propensities.tolist()):
            counts[place] += 1
            recorded.setdefault(place, set()).add(propensity)
    return counts, recorded


@pytest.mark.parametrize(
    ("n", "share", "ranked", "arms"),
    [
        (10, 0.23, RANKED, ARMS),  # 2 or 3 slots
        (20, 0.05, RANKED, ARMS),  # exactly 1
        (5, 0.5, RANKED, ARMS[:2]),  # 2 or 3 slots for 2 arms
        (6, 0.4, RANKED[:2], ARMS),  # a ranking too short for its slots
    ],
)
@pytest.mark.slow
def test_propensities_are_frequencies(n, share, ranked, arms):
    """In 20,000 lists each item is as often as its propensity says, within 4.5 binomial standard deviations."""
    draws = 20_000
    counts, recorded = shown(draws, n, share, ranked=ranked, arms=arms)

    for place, propensities in recorded.items():
        (propensity,) = propensities  # one and the same in every list: nothing drawn is in it
        deviation = np.sqrt(draws * propensity * (1 - propensity))
        assert abs(counts[place] - draws * propensity) <= 4.5 * deviation + 1e-6, place


def test_propensities_of_all_items_add_up_to_the_length():
    """Nothing that can be shown has its probability elsewhere."""
    _, recorded = shown(3000, 10, 0.23)

    assert sum(propensity for (propensity,) in recorded.values()) == pytest.approx(10 + len(RESERVED))
    assert sum(propensity for place, (propensity,) in recorded.items() if place >= 100) == pytest.approx(2.3)


def test_each_slot_explores_with_probability_share():
    """In 5,000 lists, and never more than one slot more in one list than in another."""
    rng = np.random.default_rng(1)
    draws = rng.random((5000, 2)).tolist()
    slots = np.array([explore(RANKED, RESERVED, ALL, 10, 0.23, (u, v)).is_exploring[:10] for u, v in draws])

    assert slots.mean(axis=0) == pytest.approx(np.full(10, 0.23), abs=4.5 * np.sqrt(0.23 * 0.77 / 5000))
    assert set(slots.sum(axis=1).tolist()) == {2, 3}


def test_what_is_certain_is_shown_as_it_stands():
    """With propensity 1."""
    explored = keep_all(RANKED[:3])

    assert explored.indices.tolist() == [0, 1, 2]
    assert explored.propensities.tolist() == [1.0] * 3
    assert not explored.is_exploring.any()


def test_places_kept_back_end_every_list():
    """Whether it explores (u at the top of its range) or not; nothing is drawn for them."""
    for u in (0.0, 0.999):
        explored = explore(RANKED, RESERVED, ALL, 10, 0.01, (u, 0.5))
        assert explored.is_exploring.any() == (u > 0)
        assert explored.indices[10:].tolist() == RESERVED.tolist()
        assert explored.propensities[10:].tolist() == [1.0, 1.0]
        assert not explored.is_exploring[10:].any()


def test_the_largest_draw_shows_no_more_than_there_is():
    """The sum of a whole number of slots and the largest number below 1 is rounded up: one slot too many explores."""
    largest = 1.0 - 2.0**-53
    explored = explore(RANKED, RESERVED, ALL, 10, 0.1, (largest, largest))

    assert np.count_nonzero(explored.is_exploring) == 1


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 12),
    st.lists(st.integers(100, 120), unique=True, min_size=1, max_size=8),
    st.integers(0, 12),
    st.floats(0, 1, exclude_min=True),
    st.integers(0, 2**32 - 1),
)
def test_a_list_repeats_nothing_and_keeps_the_order(m, arms, n, share, seed):
    """Ranked items are a prefix of the ranking, kept back ones the end of the list; probabilities are above 0."""
    rng = np.random.default_rng(seed)
    exposures = rng.integers(0, 50, len(arms)).astype(float)
    successes = np.floor(exposures * rng.random(len(arms)))
    drawn = tuple(rng.random(2).tolist())
    explored = explore(np.arange(m), RESERVED, Arms(np.array(arms), successes, exposures), n, share, drawn)

    assert explored.indices[-2:].tolist() == RESERVED.tolist()
    places, is_exploring = explored.indices[:-2].tolist(), explored.is_exploring[:-2]
    ranked = [place for place, exploring in zip(places, is_exploring) if not exploring]
    assert ranked == list(range(len(ranked)))
    assert len(places) == len(set(places)) <= n
    assert len(places) >= min(n, m)
    assert set(places) - set(ranked) <= set(arms)
    assert ((explored.propensities > 0) & (explored.propensities <= 1)).all()


def test_equal_arms_are_equally_likely():
    """Whatever their place, for any number of arms."""
    for n_arms in (1, 2, 7, 50, 200):
        arms = np.arange(1000, 1000 + n_arms)
        drawn = tuple(np.random.default_rng(n_arms).random(2).tolist())
        explored = explore(RANKED, RESERVED, Arms(arms, np.zeros(n_arms), np.zeros(n_arms)), 10, 0.1, drawn)
        assert explored.propensities[explored.is_exploring].tolist() == pytest.approx([1 / n_arms])


def test_better_and_less_known_arms_are_likelier():
    """Among equally often shown ones the better; among those never clicked the less often shown."""
    values = posterior_particles(np.array([0.0, 3.0, 0.0]), np.array([40.0, 40.0, 400.0]), particle_grid(3), PRIOR)
    wins = np.bincount(values.argmax(axis=1), minlength=3)

    assert wins[1] > wins[0] > wins[2]


@pytest.mark.parametrize(("alpha", "beta"), [(1, 19), (1, 200), (2, 30), (5, 100)])
def test_particles_follow_the_beta_posterior(alpha, beta):
    """Its upper quantiles, drawn 200,000 times, within 8 %: 6 of the approximation, 2 of the draws."""
    values = posterior_particles(np.zeros(1), np.zeros(1), particle_grid(1), (float(alpha), float(alpha + beta)))
    drawn = np.random.default_rng(0).beta(alpha, beta, 200_000)
    quantiles = (np.arange(PARTICLES) + 0.5) / PARTICLES
    upper = quantiles > 0.5

    assert np.sort(values[:, 0])[upper] ** 3 == pytest.approx(np.quantile(drawn, quantiles[upper]), rel=0.08)


@pytest.mark.parametrize("n_arms", [1, 3, 128, 150])
def test_every_arm_has_the_same_stratified_values(n_arms):
    """Midpoint quantiles of the normal, no two of a particle the same; and nobody can change the grid."""
    grid = particle_grid(n_arms)

    assert len(grid) >= PARTICLES and len(grid) % n_arms == 0
    np.testing.assert_array_equal(np.sort(grid, axis=0), np.sort(grid[:, :1], axis=0).repeat(n_arms, axis=1))
    assert grid.mean() == pytest.approx(0, abs=1e-9) and grid.std() == pytest.approx(1, abs=0.02)
    assert all(len(set(row)) == n_arms for row in grid.tolist())
    with pytest.raises(ValueError, match="read-only"):
        grid[0, 0] = 0.0


def test_the_grid_is_the_same_in_every_version():
    """Propensities in old logs can be recomputed: its first values for 3 arms, as they were on the first day."""
    assert particle_grid(3)[0] == pytest.approx([0.692900, 0.441412, -1.346025], abs=1e-6)
