"""What every baseline keeps."""

from __future__ import annotations

import sys
from dataclasses import asdict

import numpy as np
import pytest

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.baselines import BASELINES
from stream_rec.evaluation.method import Group, Method, World
from tests.evaluation.baselines.worlds import HOUR_MS, group, shown, taught, world

pytestmark = pytest.mark.slow

N_USERS, N_ITEMS, N_UNLISTED, N_WARM = 8, 30, 3, 40
LEAVES_OUT_TAKEN = {"decayed_popularity_minus_taken"}
NEEDS = {"als": "implicit", "ease": "scipy"}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in NEEDS else name for name in BASELINES])
def name(request) -> str:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param


def small_world(n_warm_groups: int = N_WARM) -> World:
    vectors = np.random.default_rng(5).normal(size=(N_ITEMS, 2))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return world(N_ITEMS, n_users=N_USERS, n_warm_groups=n_warm_groups, unlisted=N_UNLISTED, vectors=vectors)


def small_log(n_groups: int = 120) -> list[Group]:
    """Return groups of 1 to 4 events, unlisted and doubled items among them, of all users but the last."""
    chance = np.random.default_rng(3)
    return [
        group(int(chance.integers(N_USERS - 1)), *chance.integers(0, N_ITEMS, 1 + at % 4).tolist(), at_ms=at * HOUR_MS)
        for at in range(n_groups)
    ]


def all_lists(method: Method, now_ms: int) -> list[list[int]]:
    return [shown(method, user, now_ms=now_ms) for user in range(N_USERS)]


def test_lists_hold_different_listed_items_and_are_full(name: str):
    """As long as asked for, or as there is to show; no repeats, nothing that is not listed."""
    method = BASELINES[name](small_world(), 0)
    taken = [set() for _ in range(N_USERS)]
    for each in small_log():
        method.learn(each)
        taken[each.user].update(each.items.tolist())
        for user in (each.user, N_USERS - 1):
            for n in (1, 5, N_ITEMS):
                items = shown(method, user, now_ms=each.now_ms, n=n)
                leaves_out = name in LEAVES_OUT_TAKEN or asdict(method.choice.settings).get("without_taken")
                left_out = taken[user] if leaves_out else set()
                may_be_shown = set(range(N_ITEMS - N_UNLISTED)) - left_out

                assert len(set(items)) == len(items) == min(n, len(may_be_shown))
                assert set(items) <= may_be_shown


def test_a_shorter_list_is_the_beginning_of_a_longer_one(name: str):
    """``n`` cuts the order and does not change it."""
    method = taught(BASELINES[name](small_world(), 0), *small_log())

    assert [shown(method, user, n=3) for user in range(N_USERS)] == [
        shown(method, user, n=9)[:3] for user in range(N_USERS)
    ]


def test_asking_changes_nothing(name: str):
    """One that was asked at every step and one that never was make the same lists."""
    asked, silent = BASELINES[name](small_world(), 0), BASELINES[name](small_world(), 0)
    for each in small_log():
        all_lists(asked, each.now_ms)
        asked.learn(each)
        silent.learn(each)

    assert all_lists(asked, 120 * HOUR_MS) == all_lists(silent, 120 * HOUR_MS)


def test_learning_changes_lists(name: str):
    """Two different logs do not end in the same lists for everybody."""
    long = taught(BASELINES[name](small_world(), 0), *small_log())
    short = taught(BASELINES[name](small_world(), 0), *small_log(60))

    assert all_lists(long, 120 * HOUR_MS) != all_lists(short, 120 * HOUR_MS)


def test_the_same_seed_gives_the_same_lists(name: str):
    """Also where chance is used."""
    first, second = (taught(BASELINES[name](small_world(), 7), *small_log()) for _ in range(2))

    assert all_lists(first, 120 * HOUR_MS) == all_lists(second, 120 * HOUR_MS)


def test_groups_and_world_are_left_as_they_were(name: str):
    """Nobody writes into what all methods share."""
    shared = small_world()
    log = small_log()
    taught(BASELINES[name](shared, 0), *log)

    assert all((given.items == fresh.items).all() for given, fresh in zip(log, small_log()))
    assert (shared.is_listed == small_world().is_listed).all() and (shared.vectors == small_world().vectors).all()


@pytest.mark.parametrize("n_warm_groups", [0, 1, 2])
def test_any_length_of_warm_up_will_do(name: str, n_warm_groups: int):
    """None at all, and less than there is to choose from."""
    method = taught(BASELINES[name](small_world(n_warm_groups), 0), *small_log(5))

    assert all(len(items) >= 20 - 5 for items in all_lists(method, 5 * HOUR_MS))


def test_before_the_first_event_there_is_a_list(name: str):
    """Of the listed items in their order: nothing is known yet."""
    assert shown(BASELINES[name](small_world(), 0), n=3) == [0, 1, 2]


def test_a_world_without_items_has_empty_lists(name: str):
    """And one in which only events name items."""
    assert shown(BASELINES[name](world(0), 0)) == []
    assert shown(taught(BASELINES[name](world(2, unlisted=2, n_warm_groups=1), 0), group(0, 0, 1), group(0, 1))) == []


@pytest.mark.parametrize(("name", "package"), NEEDS.items())
def test_a_missing_package_is_named_with_what_installs_it(name: str, package: str, monkeypatch):
    """``implicit`` and SciPy come with the extra `bench`."""
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(StreamRecError, match=rf"{package}.*pip install 'stream-rec\[bench\]'"):
        BASELINES[name](world(2), 0)
