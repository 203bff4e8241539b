"""The page: whole in itself, and the same for the same evaluation."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

import msgspec
import pytest

from stream_rec.cli.results import print_results
from stream_rec.evaluation.page import CSS
from stream_rec.evaluation.report import render_page
from stream_rec.evaluation.trials import Failed
from tests.evaluation.evaluated import CONTROL, HOSTILE, example, hostile_page, said
from tests.evaluation.test_evaluation import CHOSEN, GOOD, LISTS, OBSERVED, finished

pytestmark = pytest.mark.slow

PLOT = '<div class="plot" role="img" aria-label="'
VOID = {"meta", "br", "path", "use", "rect", "line"}


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


def row(name: str, *cells: str) -> str:
    """Return how a row of a table begins."""
    return f'<th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells)


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    """No address is fetched, every tag is closed, no id stands there twice, every picture is there."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, better=finished([1, 1, 2, 0], LISTS), bad=Failed("a < b")))
    balance = Balance()
    balance.feed(text.partition("<html")[2].join(("<html", "")))

    assert balance.open == []
    assert len(balance.ids) == len(set(balance.ids))
    assert not re.search(r"(src|href)=\"(?!#)", text.replace("xlink:href", "href"))
    assert "url(http" not in text and "@import" not in text and "<script" not in text
    assert text.count(PLOT) == 7
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

    assert text.count(PLOT) == 5


def test_candidates_and_the_cost_of_variety_are_shown_of_an_observed_engine(tmp_path):
    """How many there were and what was among them, and a row for each diversity, the one in use marked."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED))

    assert "made from 2 candidates on average" in text and "among them: 50.0%" in text
    assert "<td>trending</td>" not in text and '<th scope="col">trending</th>' in text
    assert row("pair=seen", "1", "100.0%") in text
    assert row("0, in use", "0.4077", "+0.0%") in text
    assert row("1", "0.5655", "+38.7%") in text


def test_an_engine_that_was_not_observed_has_neither(tmp_path):
    """As a baseline."""
    text = render_page(said(tmp_path, stream_rec=GOOD))

    assert "Candidates: what" not in text and "What variety costs" not in text


def test_a_frontier_without_a_hit_has_no_picture(tmp_path):
    """Nothing can be said relative to an NDCG of 0; the table is there."""
    missed = {**OBSERVED.observed, "lists": OBSERVED.observed["lists"][:, :, ::-1] * 0 - 1}
    text = render_page(said(tmp_path, stream_rec=finished([1, 0, 2, 0], LISTS, observed=missed)))

    assert text.count(PLOT) == 6 and row("0, in use", "0.0000", "–") in text


def test_what_baselines_chose_is_shown(tmp_path):
    """Trials, NDCG on the warm-up, seconds and settings; without a choice there is no such table."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([2, 0, 1, 0], LISTS, chosen=CHOSEN)))

    assert row("other", "7", "0.2500", "0.2") in text
    assert "half_life_days none, rate 0.5" in text
    assert "Settings that were chosen" not in render_page(said(tmp_path, stream_rec=OBSERVED))


def test_where_a_baseline_is_better_is_shown(tmp_path):
    """In each part; where there is none, that."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([2, 0, 1, 0], LISTS)))

    assert row("half=second", "2", "ndcg", "0.3155", "0.5000", "other", "1", "-0.1845") in text
    assert "No baseline is better in any part" in render_page(said(tmp_path, stream_rec=OBSERVED, other=GOOD))


def test_what_text_brings_is_shown_where_there_is_a_control(tmp_path):
    """Two pictures and the parts that matter; the control is no baseline."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, stream_rec_random=CONTROL))

    assert text.count(PLOT) == 9
    assert "What text brings" in text and "with random vectors" in text and "What text adds to each part" in text
    assert row("item&lt;5", "4", "0.2500", "0.4077") in text
    assert "baseline is better" not in text and "simple method" not in text.replace("No simple method was run", "")
    assert "What text brings" not in render_page(said(tmp_path, stream_rec=OBSERVED))


RATINGS = {
    "scale": [1.0, 5.0],
    "n": 1234,
    "n_left_out": 0,
    "mean": 3.456,
    "methods": {
        "stream_rec": {"rmse": 0.9, "mae": 0.7, "settings": {}},
        "means": {
            **{"rmse": 0.8123, "mae": 0.6, "settings": {"damping": 2.0}},
            "mae_difference": {"mean": 0.1, "low": 0.0512, "high": 0.1512},
        },
    },
    "errors": {"river": "no river <here>: [bench]"},
}


def test_how_well_ratings_are_predicted_is_shown_where_it_was_judged(tmp_path, capsys):
    """On the page and in the terminal, the lowest RMSE first; nowhere without ratings."""
    found = said(tmp_path, stream_rec=GOOD)
    page = render_page(found | {"ratings": RATINGS})
    of_ratings = page[page.index('<h2 id="ratings">') :]

    assert "1,234 ratings from 1 to 5, with a mean of 3.46" in of_ratings
    assert of_ratings.index("0.8123") < of_ratings.index("0.9000") and "0.0512 – 0.1512" in of_ratings
    assert '<h2 id="ratings">' not in render_page(found)

    print_results(found | {"ratings": RATINGS})
    printed = capsys.readouterr().out
    assert printed.index("means") < printed.index("0.9000") and "+0.1000 (+0.0512 to +0.1512)" in printed
    assert "no river <here>: [bench]" in printed and "1,234 ratings" in printed
    print_results(found)
    assert "ratings" not in capsys.readouterr().out


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


def test_names_and_titles_are_text(tmp_path):
    """Whatever stands in a log, a title or a setting, nothing of it becomes part of the page."""
    found, more = hostile_page(tmp_path)
    text = render_page(found, **more)

    assert escape(HOSTILE) in text and "<script" not in text and "<img" not in text
    assert "alert(2)&gt;" in text


def test_every_picture_says_what_it_shows(tmp_path):
    """In words and numbers, for who does not see it; the drawing itself is not read out."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([1, 1, 2, 0], LISTS)))
    labels = re.findall(PLOT + '([^"]+)"', text)

    assert len(labels) == 7 and all(len(label) > 40 and any(map(str.isdigit, label)) for label in labels)
    assert labels[0].startswith("NDCG of each method, the best first: other 0.6577, stream_rec 0.4077")
    assert text.count("<svg") == text.count('aria-hidden="true"')


def test_pictures_have_the_colours_of_the_page(tmp_path):
    """So they are right in the dark; the page has each variable in both."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, stream_rec_random=CONTROL, other=GOOD))
    drawn = set(re.findall(r"var\(--([\w-]+), #", text))

    assert {"accent", "ink", "grey", "control", "other-1"} <= drawn
    for name in drawn - {"shade"}:
        assert len(re.findall(rf"--{name}: ", CSS)) == 2, name
    assert not re.search(r"(fill|stroke): #", text.partition("<body>")[2])


def test_contents_lead_to_every_section(tmp_path):
    """Each heading is named once, in the order of the page."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED))
    listed = re.findall(r'<li><a href="#([^"]+)">', text)

    assert listed == re.findall(r'<h2 id="([^"]+)"', text)
    assert listed[0] == "accuracy" and listed[-2:] == ["protocol", "settings"]


def test_the_first_words_are_for_who_sells_things(tmp_path):
    """Before any figure with a name of its own."""
    text = render_page(said(tmp_path, stream_rec=OBSERVED, other=finished([1, 1, 2, 0], LISTS)))
    first = text.partition('<p class="lead">')[2].partition("</p>")[0]

    assert first.startswith("Of 100 things that users did next, 50 stood in the 10 ")
    assert text.index(first) < text.index("ndcg")


def test_users_from_near_are_shown_with_the_rule(tmp_path):
    """History, what they did, where it stood, and the list after; none are there unless they are given."""
    found, more = hostile_page(tmp_path)
    text = render_page(found, **more | {"titles": {"a": "Teapot", "i0": "Cup"}})

    assert "Some users from near" in text and "Nobody stands here twice" in text
    assert "Then viewed <b>Teapot</b>: not in the list of 10." in text
    assert "similar to Teapot, which you viewed" in text and "5 more" in text
    assert "None" not in text.partition("Some users")[2].partition("<h2")[0]
    assert "The log has none there for: a regular, one for whom the list had it." in text
    assert "Some users from near" not in render_page(found)


def test_what_a_user_chose_is_shown_wherever_it_stands(tmp_path):
    """Also far below the first few."""
    found, more = hostile_page(tmp_path)
    one = example("found", 20)
    moved = msgspec.structs.replace(one, after=[*one.after[1:], one.after[0]])
    text = render_page(found, **more | {"examples": [moved]})
    shown = text.partition("<h4>The list after</h4>")[2].partition("<details")[0]

    assert '<li value="20" class=chosen>' in shown and '<li value="6">' not in shown
