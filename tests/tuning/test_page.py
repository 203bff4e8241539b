"""A search as a page."""

from __future__ import annotations

import re

from stream_rec.tuning.page import render_page
from tests.evaluation.evaluated import HOSTILE


def said(*, chosen: bool = True) -> dict:
    """Return a search of two trials, of which one failed, on a log that means harm."""
    change = {"base": 0.2, "value": 0.22, "difference": None, "relative": {"mean": 0.1, "low": 0.01, "high": 0.2}}
    trials = [
        {"number": 0, "settings": {"head.rate": 0.05, "head.river": ""}, "value": 1.0, "ndcg": {}, "error": None},
        {"number": 1, "settings": {"head.rate": 0.1, "head.river": HOSTILE}, "value": 1.1, "ndcg": {}, "error": None},
        {"number": 2, "settings": {"head.rate": 0.9, "head.river": ""}, "value": None, "ndcg": {}, "error": HOSTILE},
    ]
    parts = {"all": {"n": 40, "ndcg": change, "hit_rate": change, "recall": change}}
    return {
        "says": f"Said of {HOSTILE}",
        "n_trials": 2,
        "n_failed": 1,
        "trials": trials,
        "chosen": {"head.rate": 0.1, "head.river": HOSTILE} if chosen else {},
        "importances": {"head.rate": 0.75, "head.river": 0.25} if chosen else {},
        "protocol": {"judged": 0.4, "split": 0.5, "list_size": 20},
        "reported": {HOSTILE: {"parts": parts if chosen else None}},
    }


def test_all_is_on_it_and_nothing_of_it_runs():
    """Settings, figures with intervals, trials, two pictures; names are text. The same search gives the same page."""
    page = render_page(said())

    assert "<script" not in page and "onerror=alert(2)>" not in page
    assert "+10.0%" in page and "What was chosen" in page and "failed" in page
    assert len(re.findall('role="img"', page)) == 2
    assert page == render_page(said())


def test_what_was_there_before_may_be_kept():
    """Then nothing differs, and nothing is compared."""
    page = render_page(said(chosen=False))

    assert "The settings that were there before." in page and len(re.findall('role="img"', page)) == 1
