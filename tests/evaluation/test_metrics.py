"""Worked examples, bounds, and what there is of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.evaluation import metrics

RANKS = np.array([1, 3, 0, 4], np.uint16)


def test_ranks_by_hand():
    """The item stands second, nowhere, and first; padding is no item."""
    lists = np.array([[4, 7, -1], [4, 7, -1], [9, -1, -1]], np.int32)

    assert metrics.ranks(lists, np.array([7, 3, 9])).tolist() == [2, 0, 1]


def test_accuracy_by_hand():
    """First, third, missed, fourth; of the first three, the fourth is missed too."""
    assert metrics.hit_rate(RANKS, 3).tolist() == [1, 1, 0, 0]
    assert metrics.ndcg(RANKS, 4) == pytest.approx([1, 0.5, 0, 1 / np.log2(5)])
    assert metrics.mrr(RANKS, 3) == pytest.approx([1, 1 / 3, 0, 0])


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 1000))
def test_accuracy_stays_in_its_bounds(ranks, k):
    """0 <= MRR <= NDCG <= hit rate <= 1, and more of a list never says less."""
    ranks = np.array(ranks, np.uint16)
    hit_rate, ndcg, mrr = (of(ranks, k) for of in (metrics.hit_rate, metrics.ndcg, metrics.mrr))

    assert (mrr >= 0).all() and (mrr <= ndcg).all() and (ndcg <= hit_rate).all() and (hit_rate <= 1).all()
    assert (metrics.ndcg(ranks, k + 1) >= ndcg).all()


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=5), min_size=1),
    st.integers(1, 12),
)
def test_precision_recall_and_f1_by_definition(orders, k):
    """Of sets: what was found of what is relevant, by list; an item that stands in an order twice is one."""
    orders = [list(dict(order).items()) + order[:1] for order in orders]  # an item has one rank in a list
    orders = [[(item, dict(order)[item]) for item, _ in order] for order in orders]
    expected = []
    for order in orders:
        relevant, found = {item for item, _ in order}, {item for item, rank in order if 0 < rank <= k}
        precision, recall = len(found) / k, len(found) / len(relevant)
        expected.append((precision, recall, 2 * precision * recall / (precision + recall) if found else 0.0))
    items, ranks = (np.array([pair[at] for order in orders for pair in order]) for at in (0, 1))
    list_of = np.repeat(np.arange(len(orders)), [len(order) for order in orders])

    assert metrics.precision_recall(ranks, items, list_of, k).T.tolist() == [pytest.approx(one) for one in expected]


def test_exposure_coverage_and_gini_by_hand():
    """Four items, one never shown; padding is no item."""
    shown = metrics.exposures(np.array([[0, 1, -1], [0, 2, 1], [0, -1, -1]], np.int32), 4)

    assert shown.tolist() == [3, 2, 1, 0]
    assert metrics.coverage(shown) == 0.75
    assert metrics.gini(shown) == pytest.approx((-3 * 0 - 1 * 1 + 1 * 2 + 3 * 3) / (4 * 6))


@pytest.mark.parametrize(("shown", "gini"), [([5, 5, 5], 0), ([0, 0, 7], 2 / 3), ([4], 0), ([0, 0], None), ([], None)])
def test_gini_at_its_ends(shown, gini):
    """All alike is 0, one for all is (n - 1) / n."""
    assert metrics.gini(np.array(shown, np.int64)) == (gini if gini is None else pytest.approx(gini))


def test_no_item_has_no_coverage():
    """A share of nothing is none."""
    assert metrics.coverage(np.zeros(0, np.int64)) is None


def test_intra_list_similarity_by_hand():
    """Pairs of 60 and 90 degrees; items without a vector, and lists with one item, are left out."""
    vectors = np.array([[1, 0], [0.5, 3**0.5 / 2], [0, 1], [0, 0]], np.float32)
    lists = np.array([[0, 1, -1], [0, 2, 3], [1, 3, -1]])

    assert metrics.intra_list_similarity(lists, vectors) == pytest.approx((0.5 + 0.0) / 2, abs=1e-6)
    assert metrics.intra_list_similarity(lists[2:], vectors) is None
    assert metrics.intra_list_similarity(lists, np.zeros((4, 0), np.float32)) is None


def test_novelty_by_hand():
    """Shares of the events before the list, one added to each item's count; later events say nothing."""
    items = np.array([0, 0, 1, 2, 2, 2])
    lists = np.array([[0, 1], [2, -1]], np.int32)
    shares = np.array([(2 + 1) / (3 + 3), (1 + 1) / (3 + 3), (0 + 1) / (0 + 3)])

    made = metrics.novelty(lists, np.array([3, 0]), items, 3)

    assert made == pytest.approx(-np.log2(shares).mean())
    assert metrics.novelty(np.full((2, 2), -1), np.array([3, 0]), items, 3) is None


def test_miscalibration_by_hand():
    """A history of one genre against a list of another, of the same, and of both."""
    genres = [np.array([0]), np.array([1]), np.array([0, 1]), np.array([], np.int64)]
    lists = np.array([[1, -1], [0, 3], [2, -1]])
    once = [np.array([0, 0])]
    other, same, both = (metrics.calibration(lists[at : at + 1], once, genres, 2) for at in range(3))

    assert other == pytest.approx(np.log(1 / 0.01))
    assert same == pytest.approx(0)
    assert both == pytest.approx(np.log(1 / (0.99 * 0.5 + 0.01)))
    assert metrics.calibration(lists, once * 3, genres, 2) == pytest.approx((other + same + both) / 3)


def test_nothing_can_be_calibrated_without_history_or_genres():
    """New users and empty lists are left out."""
    genres = [np.array([0]), np.array([], np.int64)]
    lists = np.array([[0], [1], [-1]])
    histories = [np.array([], np.int64), np.array([0]), np.array([0])]

    assert metrics.calibration(lists, histories, genres, 1) is None
