"""Which source brought what the user did next."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.recall import measure_recall
from stream_rec.retrieval.candidates import REPEAT, SOURCES, SUCCESSORS, TRENDING

SOURCES_OF = np.array([1 << TRENDING, 1 << TRENDING | 1 << REPEAT, 0, 1 << SUCCESSORS, 1 << TRENDING], np.uint16)
SLICES = {
    "first": np.array([True, True, True, False, False]),
    "last": np.array([False, False, False, True, True]),
    "none": np.zeros(5, bool),
}


def test_recall_and_what_each_source_adds_by_hand():
    """Five events: trending, trending and repeat, none, successors, trending."""
    made = measure_recall(SOURCES_OF, np.array([1, 3]), SLICES)

    assert made["recall"] == 4 / 5
    assert list(made["sources"]) == list(SOURCES)
    assert made["sources"]["trending"] == {"covers": 3 / 5, "only": 2 / 5}
    assert made["sources"]["repeat"] == {"covers": 1 / 5, "only": 0}
    assert made["sources"]["successors"] == {"covers": 1 / 5, "only": 1 / 5}
    assert made["sources"]["similar"] == {"covers": 0, "only": 0}


def test_slices_are_measured_each_by_itself():
    """Of the first three events two are trending's, one its alone; of a slice without events nothing is said."""
    made = measure_recall(SOURCES_OF, np.array([1, 3]), SLICES)["slices"]

    assert {name: (part["n"], part["recall"]) for name, part in made.items()} == {
        "first": (3, 2 / 3),
        "last": (2, 1),
        "none": (0, None),
    }
    assert made["first"]["sources"]["trending"] == {"covers": 2 / 3, "only": 1 / 3}
    assert made["last"]["sources"]["successors"] == {"covers": 1 / 2, "only": 1 / 2}
    assert made["none"]["sources"]["trending"] == {"covers": None, "only": None}


def test_without_a_source_what_only_it_covers_is_lost():
    """Recall less that is the recall of the others."""
    sources = np.random.default_rng(0).integers(0, 1 << len(SOURCES), 500) * (np.arange(500) % 3 > 0)
    made = measure_recall(sources, np.ones(3), {})

    for bit, name in enumerate(SOURCES):
        others = sources & ~(1 << bit) > 0
        assert made["recall"] - made["sources"][name]["only"] == pytest.approx(others.mean())


def test_the_number_of_candidates_is_said():
    """Recall at how many: 100 lists, one of 300 candidates and 99 of 100."""
    made = measure_recall(SOURCES_OF, np.array([300] + [100] * 99), {})

    assert made["per_list"] == {"mean": 102, "p50": 100, "p99": pytest.approx(102)}
