"""The newspaper against a real pipeline: fresh stories, ended ones, rules, and the figures."""

from __future__ import annotations

from contextlib import closing

import pytest
from news import (
    HALF_LIVES_H,
    ONCE,
    NewsDesk,
    cap,
    live_through_a_day,
    measure_freshness,
    measure_lists,
    measure_popularity,
    pin,
    simulate,
)

from stream_rec.events.item import Item

FRESH = Item("fresh", "Striker, penalty and league in Lyon", category="sport")


@pytest.fixture(scope="module")
def paper(stream_rec_new_pipeline):
    """A pipeline that has seen a day of stories and readers, the stories, and the app."""
    with stream_rec_new_pipeline() as pipeline:
        stories = live_through_a_day(pipeline)
        with closing(NewsDesk(pipeline.settings.kafka)) as desk:
            yield pipeline, stories, desk


def test_a_story_that_nobody_has_read_is_on_the_page_until_it_ends(paper):
    """Known by its text alone, in the column of new ones too; once it has ended it goes without anybody's event."""
    pipeline, stories, desk = paper
    pipeline.items([FRESH])
    for story in [story for story in stories if story.topic == 0][:3]:
        desk.read("ann", story.item.item_id, "FR")
    pipeline.wait_until(lambda: "fresh" in desk.front_page("ann") and "fresh" in desk.newest("ann"))

    desk.end(FRESH)
    pipeline.wait_until(lambda: "fresh" not in desk.front_page("ann") and "fresh" not in desk.newest("ann"))


def test_editors_pin_and_cap(paper):
    """The lead is first whatever somebody reads; a section has no more than it may have, and the page is full."""
    pipeline, stories, desk = paper
    sport = {story.item.item_id for story in stories if story.item.category == "sport"}
    lead = next(story.item.item_id for story in stories if story.item.category == "politics")
    pipeline.rule(pin(lead))
    pipeline.rule(cap("sport", 3))

    made = pipeline.recommendations.of("bob", after=desk.read("bob", min(sport), "GB"))
    assert made.items[0].item_id == lead and made.items[0].reason.rule == "lead"
    assert sum(item.item_id in sport for item in made.items) <= 3
    assert len(made.items) == 20
    for rule in ("lead", "cap-sport"):
        pipeline.end_rule(rule)


def test_a_story_is_in_the_list_of_an_interested_reader_at_once(paper):
    """19 of 20 within 3 seconds: 0.1 on a machine with nothing else to do."""
    taken_s = measure_freshness(*paper[:2])

    assert len(taken_s) == 20
    assert taken_s[18] < 3


def test_lists_are_better_than_what_is_popular(replay_log):
    """Whatever popularity forgets, on the same reads; each list was made before."""
    log = simulate()
    hit_rate, n = measure_lists(log, replay_log([ONCE, *log]))

    assert n > 1400
    assert hit_rate > 0.36
    assert hit_rate > max(measure_popularity(log, hours) for hours in HALF_LIVES_H) + 0.05
