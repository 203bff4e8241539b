"""A River classifier as the head."""

from __future__ import annotations

import sys

import msgspec
import numpy as np
import pytest

from stream_rec.errors import SettingsError
from stream_rec.ranking import head as heads
from stream_rec.ranking.features import INPUTS, NAMES
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.policy import HeadConfig
from stream_rec.ranking.river_head import RiverHead, cold
from tests.ranking.worlds import drawn

LOGISTIC = HeadConfig(river="river.linear_model:LogisticRegression", river_negatives=3)
TREE = HeadConfig(river="river.tree:HoeffdingTreeClassifier", river_negatives=3)


def taught(config: HeadConfig, n: int = 150, seed: int = 0) -> RiverHead:
    """Return the head after choices of who likes the first input."""
    head = cold(config, seed)
    for at in range(n):
        inputs = drawn(seed=at)
        chosen = np.array([inputs.items[:, 0].argmax()])
        head = head.learn(head.score(inputs), chosen, np.ones(1), config)
    return head


@pytest.mark.parametrize("config", [LOGISTIC, TREE])
def test_a_cold_one_finds_all_candidates_alike(config):
    """Also where a tree has no opinion, and where there is no candidate."""
    head = cold(config, 0)

    np.testing.assert_allclose(head.score(drawn(4)).log_p, np.log(0.25))
    np.testing.assert_allclose(head.score_fresh(drawn(4)).log_p, np.log(0.25))
    assert head.score(drawn(0)).log_p.shape == (0,)


def test_it_learns_what_is_chosen():
    """The likeliest is what such users choose, three times as often as chance would have it."""
    head = taught(LOGISTIC, n=400)
    hits = [head.score(x).log_p.argmax() == x.items[:, 0].argmax() for x in map(drawn, [6] * 50, range(1000, 1050))]

    assert np.mean(hits) > 3 / 6


@pytest.mark.parametrize("config", [LOGISTIC, TREE])
def test_probabilities_add_up_to_one(config):
    """And are finite, where a tree is certain too."""
    log_p = taught(config).score(drawn(8, seed=99)).log_p

    assert np.exp(log_p).sum() == pytest.approx(1) and np.isfinite(log_p).all()


class Opinions:
    """Says what a tree says: nothing, one label alone, or both."""

    def __init__(self) -> None:
        self._said = iter([{}, {False: 1.0}, {True: 0.5, False: 0.5}])

    def learn_one(self, x, y):
        pass

    def predict_proba_one(self, x):
        return next(self._said)


def test_a_label_that_a_tree_does_not_name_is_unlikely():
    """A leaf that saw False alone names it alone; only one that saw nothing has no opinion."""
    log_p = RiverHead(Opinions(), Opinions(), 0).score(drawn(3)).log_p

    assert np.exp(log_p) == pytest.approx([0.5, 0, 0.5], abs=1e-5) and np.isfinite(log_p).all()


def test_scoring_changes_nothing():
    """Twice is the same to the last bit."""
    head, inputs = taught(LOGISTIC), drawn(seed=99)

    np.testing.assert_array_equal(head.score(inputs).log_p, head.score(inputs).log_p)


def test_the_same_stream_and_seed_give_the_same_head():
    """Negatives are drawn with the seed; with another, others are drawn."""
    inputs = drawn(seed=99)

    np.testing.assert_array_equal(taught(LOGISTIC).score(inputs).log_p, taught(LOGISTIC).score(inputs).log_p)
    assert (taught(LOGISTIC).score(inputs).log_p != taught(LOGISTIC, seed=1).score(inputs).log_p).any()


def test_negatives_are_never_what_was_chosen():
    """And as many as the settings ask for, as far as there are any."""
    head, inputs, seen = cold(LOGISTIC, 0), drawn(6), []
    head.model.learn_one = lambda x, y: seen.append((x["popularity"], y))
    head.learn(head.score(inputs), np.array([2, 4]), np.ones(2), LOGISTIC)
    head.learn(head.score(inputs), np.arange(6), np.ones(6), LOGISTIC)
    popularity = [round(value, 5) for value in inputs.items[:, NAMES.index("popularity")].tolist()]
    places = [(popularity.index(round(value, 5)), y) for value, y in seen]

    assert sorted(place for place, y in places[:5] if y) == [2, 4]
    assert len({place for place, y in places[:5] if not y} - {2, 4}) == 3
    assert sorted(places[5:]) == [(place, True) for place in range(6)]


def test_fresh_items_have_a_model_of_their_own():
    """What is learned among them changes nothing for the others."""
    head, inputs = taught(LOGISTIC), drawn(seed=99)
    before = head.score(inputs).log_p
    after = head.learn_fresh(head.score_fresh(inputs), np.array([0]), LOGISTIC)

    np.testing.assert_array_equal(after.score(inputs).log_p, before)
    assert after.score_fresh(inputs).log_p[0] > np.log(1 / 6)


def test_it_carries_what_the_rest_of_the_core_needs():
    """Fresh choices can be replaced, choices are counted, each input contributes, and drift is River's own affair."""
    head = taught(LOGISTIC, n=2)

    assert head.n_choices == 2
    seen = FreshChoices(fresh=(1.0, 0.0, 0.0, 0.0))
    assert msgspec.structs.replace(head, fresh_choices=seen).fresh_choices == seen
    assert head.contributions(head.score(drawn(6)), np.array([1, 3])).shape == (2, INPUTS)
    assert head.decay(0.01) is head


def test_no_setting_is_our_own_head():
    """River is tried, never assumed."""
    assert isinstance(cold(HeadConfig(), 0), heads.MixtureHead)


@pytest.mark.parametrize(
    ("river", "message"),
    [
        ("river.linear_model", "expected module:factory"),
        ("river.linear_model:Nothing", "Nothing"),
        ("no_such_module:model", "no module 'no_such_module' here: put it on PYTHONPATH"),
        ("river.linear_model:LinearRegression", "gives a LinearRegression, no classifier"),
        (":", "expected module:factory"),
    ],
)
def test_what_is_no_classifier_is_refused_at_start(river, message):
    """The message names the setting, what was found there and the remedy."""
    with pytest.raises(SettingsError, match=message) as raised:
        cold(HeadConfig(river=river), 0)
    assert f"[head] river = {river!r}" in str(raised.value)


def test_without_what_river_needs_the_remedy_is_named(monkeypatch):
    """A light environment has River without SciPy."""
    for name in [name for name in sys.modules if name.startswith("river.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ["scipy", *(name for name in sys.modules if name.startswith("scipy."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match=r"no module 'scipy.*pip install scipy"):
        cold(LOGISTIC, 0)


def test_without_river_the_remedy_is_named(monkeypatch):
    """Where a part of River cannot be imported."""
    monkeypatch.setitem(sys.modules, "river.linear_model", None)
    with pytest.raises(SettingsError, match="pip install river"):
        cold(LOGISTIC, 0)
