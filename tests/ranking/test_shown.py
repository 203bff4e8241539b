"""The expert for impressions: what it sees, what it adds to a score, and what it learns from what is not chosen."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from stream_rec.knowledge.slots import N_SLOTS
from stream_rec.knowledge.state import ItemState
from stream_rec.ranking import linear_head, shown
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.shown import COLD, NAMES
from stream_rec.user.history import Shown, read_history
from stream_rec.user.state import COLD as NOBODY

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_700_000_000_000
HISTORY = read_history(NOBODY, lambda item_id: None, recent_items=10)
FLAT = np.ones(N_SLOTS)
STEEP = np.array([1.0, 0.5, 0.33, 0.25, 0.2, 0.14, 0.09, 0.05])


def catalog_of(n: int, exposures: dict[int, tuple[int, int]] | None = None) -> Catalog:
    """Return items of which some were shown, in the first slot, and chosen so often."""
    catalog = Catalog()
    for row in range(n):
        catalog.put_item(Item(f"i{row}"))
    for row, (n_shown, n_chosen) in (exposures or {}).items():
        by_slot = [0] * (N_SLOTS - 1)
        catalog.put_knowledge(f"i{row}", ItemState(shown=[n_shown, *by_slot], chosen=[n_chosen, *by_slot]))
    return catalog


def seen_by(*times: tuple[int, float, int]):
    """Return the history of a user who was shown (row, how often, ms ago) and came to nothing of it."""
    rows, often, ages_ms = zip(*times)
    return replace(HISTORY, shown=Shown(np.array(rows), np.array(often), NOW_MS - np.array(ages_ms, dtype=float)))


def inputs_of(history, n: int = 4, catalog: Catalog | None = None, log_p=None) -> np.ndarray:
    rows = np.arange(n)
    catalog = catalog_of(n) if catalog is None else catalog
    return shown.compute_inputs(history, rows, np.full(n, -1.0) if log_p is None else log_p, catalog, NOW_MS)


def added_for(history, **more) -> np.ndarray:
    return shown.adjust(COLD, inputs_of(history, **more))


def test_before_the_first_impression_there_is_nothing_to_say():
    """Neither of the user nor of any item."""
    assert inputs_of(HISTORY) is None
    assert shown.compute_inputs(seen_by((0, 1.0, 0)), np.zeros(0, np.int64), np.zeros(0), catalog_of(1), NOW_MS) is None


def test_what_was_shown_in_vain_sinks_and_comes_back():
    """The more often and the later, the lower; others stay where they are."""
    once, thrice = added_for(seen_by((1, 1.0, 0)))[1], added_for(seen_by((1, 3.0, 0)))[1]
    later = [added_for(seen_by((1, 3.0, age_ms)))[1] for age_ms in (HOUR_MS, DAY_MS, 7 * DAY_MS, 60 * DAY_MS)]

    assert thrice < once < 0
    assert thrice < later[0] < later[1] < later[2] < later[3] <= 0
    assert later[3] == pytest.approx(0, abs=1e-6)
    assert added_for(seen_by((1, 3.0, 0)))[[0, 2, 3]].tolist() == [0, 0, 0]


def test_several_days_add_up():
    """Of one item; one that is no candidate is nobody's."""
    together = inputs_of(seen_by((1, 1.0, DAY_MS), (1, 2.0, 0), (9, 5.0, 0)))

    tired = np.expm1(together[1, NAMES.index("tired_1d")])
    assert tired == pytest.approx(2.0 + np.exp(-1), rel=1e-5)
    assert together[[0, 2, 3]][:, NAMES.index("tired_1h") :].tolist() == [[0.0] * 4] * 3


def test_what_is_chosen_where_it_is_looked_at_rises():
    """Of items that were shown as often; one that never was stays where it is."""
    catalog = catalog_of(4, {0: (1000, 200), 1: (1000, 50), 2: (1000, 5)})
    added = shown.adjust(COLD, inputs_of(HISTORY, catalog=catalog))

    assert added[0] > added[1] > added[2]
    assert added[0] > 0 > added[2]
    assert added[3] == 0


def test_a_group_of_choices_moves_weights_as_the_likelihood_says():
    """The step is that of the slope of log p, found by trying, for what was chosen and for what was not."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(6, len(NAMES))).astype(np.float32)
    slots, is_chosen = np.array([0, 1, 2, 4, 6, 7]), np.array([True, False, True, False, False, False])
    head = msgspec.structs.replace(COLD, weights=rng.normal(size=COLD.weights.shape) * 0.3)

    def log_likelihood(weights: np.ndarray) -> float:
        p = STEEP[slots] / (1 + np.exp(-(inputs @ (weights[0] + weights[1]))))
        return float(np.log(np.where(is_chosen, p, 1 - p)).sum())

    slopes = np.zeros(len(NAMES))
    for column in range(len(NAMES)):
        for sign in (1, -1):
            nudged = head.weights.copy()
            nudged[0, column] += sign * 1e-3
            slopes[column] += sign * log_likelihood(nudged) / 2e-3
    after = shown.learn(head, inputs, slots, is_chosen, STEEP, step=Step(0.05))
    assert after.squares[0] - head.squares[0] == pytest.approx(slopes**2, rel=5e-2, abs=1e-3)
    assert np.sign(after.weights[0] - head.weights[0]).tolist() == np.sign(slopes).tolist()


def simulate(head, *, tires: float, examination: np.ndarray, n: int = 6000, seed: int = 0):
    """Return the expert after impressions that users look at so, and tire of what they saw so much."""
    rng = np.random.default_rng(seed)
    tired = NAMES.index("tired_1d")
    slots = np.arange(N_SLOTS)
    for _ in range(n):
        inputs = shown.begin_inputs(np.log(rng.dirichlet(np.ones(N_SLOTS))))
        inputs[:, tired] = np.log1p(rng.poisson(1.0, N_SLOTS))
        p = 1 / (1 + np.exp(-(0.5 + inputs[:, NAMES.index("log_p")] - tires * inputs[:, tired])))
        is_chosen = rng.random(N_SLOTS) < examination * p
        head = shown.learn(head, inputs, slots, is_chosen, examination, step=Step(0.05))
    return linear_head.add_weights(head, 0)


@pytest.mark.parametrize("tires", [0.0, 1.0, 2.0])
def test_it_learns_how_much_users_tire(tires):
    """Whatever it began with, also where most slots are seldom looked at: not being chosen there says little."""
    weights = simulate(COLD, tires=tires, examination=STEEP)

    assert weights[NAMES.index("tired_1d")] == pytest.approx(-tires, abs=0.25)
    assert weights[NAMES.index("log_p")] == pytest.approx(1.0, abs=0.25)


def test_a_wrong_idea_of_slots_would_be_noticed():
    """The test above is not passed by one that takes every slot for looked at."""
    rng = np.random.default_rng(2)
    slots = np.arange(N_SLOTS)
    heads = {"right": COLD, "wrong": COLD}
    for _ in range(4000):
        inputs = shown.begin_inputs(np.full(N_SLOTS, -2.0))
        is_chosen = rng.random(N_SLOTS) < STEEP * 0.5
        for name, believed in (("right", STEEP), ("wrong", FLAT)):
            heads[name] = shown.learn(heads[name], inputs, slots, is_chosen, believed, step=Step(0.05))
    likely = {
        name: 1 / (1 + np.exp(-linear_head.score(head, shown.begin_inputs(np.full(1, -2.0)), 0)[0]))
        for name, head in heads.items()
    }

    assert likely["right"] == pytest.approx(0.5, abs=0.06)
    assert likely["wrong"] < 0.3


def test_features_survive_their_bytes():
    """Half-precision, and what was not known stays unknown; another length is none."""
    inputs = inputs_of(seen_by((1, 3.0, 0)), log_p=np.array([-1.0, -2.0, -30.0, -0.1]))
    inputs[2] = np.nan
    kept = shown.decode_features(shown.encode_features(inputs))

    assert kept == pytest.approx(inputs, rel=1e-3, nan_ok=True)
    assert shown.decode_features(b"\0" * 5) is None
    assert shown.decode_features(b"").shape == (0, len(NAMES))
