"""Choosing settings on the warm-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from stream_rec.evaluation.baselines import BASELINES, choice
from stream_rec.evaluation.baselines.choice import Choosing, Family, choose, describe_settings, find_ranks
from stream_rec.evaluation.method import Group, World
from tests.evaluation.baselines.worlds import group, taught, world


@dataclass(frozen=True)
class Shown:
    """Which items a method lists."""

    first: int = 0
    second: int | None = None


class Fixed:
    """Lists what its settings say, and writes down what it is asked and told."""

    made: list[Fixed]

    def __init__(self, world: World, seed: int, settings: Shown) -> None:
        self.world, self.settings = world, settings
        self.calls: list[tuple] = []
        Fixed.made.append(self)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        self.calls.append(("asked", user))
        return np.array([item for item in (self.settings.first, self.settings.second) if item is not None])

    def learn(self, group: Group) -> None:
        assert group.events == []
        self.calls.append(("told", group.user))


FAMILY = Family(Fixed, Shown(), {"first": (0, 1, 2), "second": (None, 3)})
LOG = [group(0, 0), group(1, 0), group(2, 2, 3), group(3, 1, 2)]


@pytest.fixture(autouse=True)
def none_made():
    """Forget the methods of other tests."""
    Fixed.made = []


def test_the_second_half_judges_and_each_setting_begins_with_the_best_before_it():
    """Of the 4 events of groups 2 and 3 item 0 has none, 1 one, 2 two; 3 is hit once more, at rank 2."""
    chosen = choose(FAMILY, world(4), LOG, seed=0)

    assert [method.settings for method in Fixed.made] == [Shown(0), Shown(1), Shown(2), Shown(2, 3)]
    assert chosen.settings == Shown(2, 3)
    assert chosen.ndcg == pytest.approx((2 + 1 / np.log2(3)) / 4)
    assert chosen.n_trials == 4


def test_a_trial_lists_before_it_learns_and_knows_only_its_half():
    """As the protocol does; a batch model is trained at the middle, and once more after most of the 4 later events."""
    choose(FAMILY, world(4, n_warm_groups=4), LOG, seed=0)

    told = [("told", 0), ("told", 1), ("asked", 2), ("told", 2), ("asked", 3), ("told", 3)]
    assert all(method.calls == told for method in Fixed.made)
    assert all(method.world.n_warm_groups == 2 for method in Fixed.made)
    assert all(method.world.n_events_between_trainings == 3 for method in Fixed.made)


def test_where_nothing_is_better_the_default_stays():
    """Nothing is hit: nothing was learned about the settings."""
    assert choose(FAMILY, world(9), [group(0, 8), group(0, 8)], seed=0).settings == Shown()


def test_one_group_is_too_few_to_choose_on():
    """None is left to judge by."""
    assert (choose(FAMILY, world(4), LOG[:1], seed=0).n_trials, Fixed.made) == (0, [])


def test_what_a_simpler_family_chooses_is_taken_over():
    """Its `first` is our `second`, for all trials."""
    ours = Family(
        Fixed, Shown(), {"first": (0, 2)}, before={"second": (Family(Fixed, Shown(), {"first": (0, 1)}), "first")}
    )

    assert choose(ours, world(4), LOG, seed=0).settings == Shown(2, 1)
    assert [method.settings for method in Fixed.made[2:]] == [Shown(0, 1), Shown(2, 1)]


def test_a_trial_makes_a_bounded_number_of_lists(monkeypatch):
    """Evenly spread over the second half; everything is learned."""
    monkeypatch.setattr(choice, "JUDGED", 3)
    choose(Family(Fixed, Shown(), {}), world(1), [group(at, 0) for at in range(20)], seed=0)

    assert [user for what, user in Fixed.made[0].calls if what == "asked"] == [10, 14, 19]
    assert [user for what, user in Fixed.made[0].calls if what == "told"] == list(range(20))


def test_the_method_in_use_learned_the_whole_warm_up_anew_and_what_came_after():
    """The default until then, the chosen one from then on; the warm-up is not kept."""
    method = Choosing(world(4, n_warm_groups=4), 0, FAMILY)
    before = []
    for each in LOG:
        before.append(method.recommend(0, 0, 20).tolist())
        method.learn(each)
    method.learn(group(7, 0))

    assert before == [[0]] * 4
    assert method.recommend(0, 0, 20).tolist() == [2, 3]
    assert Fixed.made[-1].calls[:5] == [("told", user) for user in (0, 1, 2, 3, 7)]
    assert Fixed.made[-1].world.n_warm_groups == 4
    assert method._warm_up == []


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES)
def test_no_choice_sees_what_comes_after_the_warm_up(name: str):
    """Two logs that are alike only in the warm-up lead to one choice, and to the same lists at its end."""
    if name in ("als", "ease"):
        pytest.importorskip({"als": "implicit", "ease": "scipy"}[name])
    chance = np.random.default_rng(3)

    def events(n: int, first: int) -> list[Group]:
        return [
            group(int(chance.integers(6)), *chance.integers(first, first + 6, 2), at_ms=at * 10**7) for at in range(n)
        ]

    warm_up = events(60, 0)
    made = []
    for later in ([], events(60, 0), events(60, 6)):
        method = BASELINES[name](world(12, n_users=6, n_warm_groups=60), 0)
        taught(method, *warm_up)
        lists = [method.recommend(user, 60 * 10**7, 12).tolist() for user in range(6)]
        taught(method, *later)
        made.append((method.choice, lists))

    assert made[0] == made[1] == made[2]
    assert made[0][0].n_trials > 1


@pytest.mark.parametrize(("items", "places"), [([8, 6], [2, 0]), ([7, 7], [1, 1]), ([], [])])
def test_places_in_a_list_count_from_1(items: list[int], places: list[int]):
    """0: not there."""
    assert find_ranks(np.array([7, 8, 9]), np.array(items, np.int64)).tolist() == places


def test_settings_in_words():
    """Numbers are short, nothing and truth are words."""
    assert describe_settings({"a": 1 / 96, "b": None, "c": True, "d": "pairs", "e": 30.0, "f": 7}) == (
        "a 0.0104, b none, c yes, d pairs, e 30, f 7"
    )
