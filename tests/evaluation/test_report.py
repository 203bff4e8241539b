"""The page: whole in itself, and the same for the same evaluation."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from stream_rec.config import Settings, redact
from stream_rec.evaluation.report import render_page
from stream_rec.evaluation.trials import Failed
from tests.evaluation.test_evaluation import CHOSEN, GOOD, LISTS, OBSERVED, evaluation, finished

pytestmark = pytest.mark.slow

VOID = {"meta", "br", "path", "use", "rect", "line"}


def said(tmp_path, **outcomes):
    """Return a small evaluation as the command says it."""
    made = evaluation(tmp_path)
    results, comparison = made.summarize(outcomes)
    text = made.measure_text(outcomes)
    protocol = {"items": "i", "events": "<e>.jsonl", "limit": 9, "warmup": 0.3, "list_size": 10, "seed": 0}
    more = {"encoder": "", "n_items_without_text": 0, "not_used": {"not_json": 2}}
    settings = {"ranking": redact(Settings())["ranking"] | {"diversity": 0.0}}
    return {
        "protocol": {**protocol, **more, **made.count()},
        "results": results,
        "comparison": comparison,
        "text": text,
        "settings": settings,
    }


class Balance(HTMLParser):
    """Notes tags that are not closed, and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        """Remember."""
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note its id."""
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        """Close what was opened last."""
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    """No address is fetched, every tag is closed, no id stands there twice, every picture is there."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, better=finished([1, 1, 2, 0], LISTS), bad=Failed("a < b")))
    balance = Balance()
    balance.feed(text.partition("<html")[2].join(("<html", "")))

    assert balance.open == []
    assert len(balance.ids) == len(set(balance.ids))
    assert not re.search(r"(src|href)=\"(?!#)", text.replace("xlink:href", "href"))
    assert "url(http" not in text and "@import" not in text and "<script" not in text
    assert text.count("<svg") == 7
    assert "a &lt; b" in text and "&lt;e&gt;.jsonl" in text and "2 lines: not_json" in text


def test_every_reference_of_a_picture_is_in_it(tmp_path):
    """Ids begin anew in each picture, so each has its own."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED))
    named = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    assert named
    assert named <= set(re.findall(r'\bid="([^"]+)"', text))


def test_the_same_evaluation_gives_the_same_page(tmp_path):
    """Nothing of the time or of chance is in it."""
    evaluated = said(tmp_path, stream_rec=OBSERVED, other=finished([2, 0, 1, 0], LISTS))

    assert render_page(evaluated) == render_page(evaluated)


def test_a_page_of_failures_has_no_pictures(tmp_path):
    """Still protocol and settings."""
    text = render_page(said(tmp_path, stream_rec=Failed("out of luck")))

    assert "out of luck" in text and "<svg" not in text and "Protocol" in text


def test_a_page_without_the_engine(tmp_path):
    """The engine failed, a baseline did not."""
    text = render_page(said(tmp_path, stream_rec=Failed("no"), popular=GOOD))

    assert text.count("<svg") == 5


def test_candidates_and_the_cost_of_variety_are_shown_of_an_observed_engine(tmp_path):
    """How many there were and what was among them, and a row for each diversity, the one in use marked."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED))

    assert "made from 2 candidates on average" in text and "among them: 50.0%" in text
    assert "<td>trending</td>" not in text and "<th>trending</th>" in text
    assert "<td>pair=seen</td><td>1</td><td>100.0%</td>" in text
    assert "<td>0, in use</td><td>0.4077</td><td>+0.0%</td>" in text
    assert "<td>1</td><td>0.5655</td><td>+38.7%</td>" in text


def test_an_engine_that_was_not_observed_has_neither(tmp_path):
    """As a baseline."""
    text = render_page(said(tmp_path, stream_rec=GOOD))

    assert "Candidates: what" not in text and "What variety costs" not in text


def test_a_frontier_without_a_hit_has_no_picture(tmp_path):
    """Nothing can be said relative to an NDCG of 0; the table is there."""
    missed = {**OBSERVED.observed, "lists": OBSERVED.observed["lists"][:, :, ::-1] * 0 - 1}
    text = render_page(said(tmp_path, stream_rec=finished([1, 0, 2, 0], LISTS, observed=missed)))

    assert text.count("<svg") == 6 and "<td>0, in use</td><td>0.0000</td><td>–</td>" in text


def test_what_baselines_chose_is_shown(tmp_path):
    """Trials, NDCG on the warm-up, seconds and settings; without a choice there is no such table."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([2, 0, 1, 0], LISTS, chosen=CHOSEN)))

    assert "<td>other</td><td>7</td><td>0.2500</td><td>0.2</td>" in text
    assert "half_life_days none, rate 0.5" in text
    assert "Settings that were chosen" not in render_page(said(tmp_path, stream_rec=OBSERVED))


def test_where_a_baseline_is_better_is_shown(tmp_path):
    """In each part; where there is none, that."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([2, 0, 1, 0], LISTS)))

    assert "<td>half=second</td><td>2</td><td>ndcg</td><td>0.3155</td><td>0.5000</td><td>other</td><td>1</td>" in text
    assert "No baseline is better in any part" in render_page(said(tmp_path, stream_rec=OBSERVED, other=GOOD))


CONTROL = finished([1, 0, 0, 0], LISTS, observed=OBSERVED.observed)


def test_what_text_brings_is_shown_where_there_is_a_control(tmp_path):
    """Two pictures and the parts that matter; the control is no baseline."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, stream_rec_random=CONTROL))

    assert text.count("<svg") == 9
    assert "What text brings" in text and "with random vectors" in text and "What text adds to each part" in text
    assert "<tr><td>item&lt;5</td><td>4</td><td>0.2500</td><td>0.4077</td>" in text
    assert "baseline is better" not in text
    assert "What text brings" not in render_page(said(tmp_path, stream_rec=OBSERVED))


def test_an_earlier_evaluation_has_its_section(tmp_path):
    """By part, with what differs and what it costs."""
    found = said(tmp_path, stream_rec=OBSERVED, stream_rec_random=CONTROL)
    against = {
        "file": "<old>.json",
        "encoder": {"base": "a@1", "value": "b@1"},
        "settings": {"ranking.diversity": {"base": 0.1, "value": 0.0}},
        "parts": found["text"]["parts"],
        "cost": {"list_ms": {"base": 2.0, "value": 1.5}, "learn_ms": {"base": 1.0, "value": 1.0}},
    }
    text = render_page({**found, "against": against})

    assert "Against &lt;old&gt;.json" in text
    assert "encoder: a@1 → b@1; ranking.diversity: 0.1 → 0.0" in text
    assert "2.000 before and 1.500 after per list" in text
    assert "Against" not in render_page(found)
