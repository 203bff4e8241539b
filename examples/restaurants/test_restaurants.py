"""The guide against a real pipeline: a critique is answered as guests before chose, and by what it says."""

from __future__ import annotations

from contextlib import closing

import pytest
from restaurants import Guide, find_endings, measure, read_log, read_restaurants

YOSHI, LULU, TRIO, CAPE_COD, TITI = "C0627", "C0122", "C0564", "C0250", "C0242"
"""French and Japanese; below $15; over $50; for fish; French."""


@pytest.fixture
def guide(stream_rec_pipeline):
    """The app, with some of the restaurants in the catalog."""
    restaurants = read_restaurants()
    stream_rec_pipeline.items([restaurants[name] for name in (YOSHI, LULU, TRIO, CAPE_COD, TITI)])
    with closing(Guide(stream_rec_pipeline.settings.kafka)) as guide:
        yield guide


def test_a_critique_leads_to_what_others_chose_after_it(guide, stream_rec_pipeline):
    """Two critiques of one restaurant have two answers: those that guests before came to."""
    pipeline = stream_rec_pipeline
    for guest, critique, chosen in (("bob", "cheaper", LULU), ("eve", "nicer", TRIO)):
        guide.critique(pipeline.id(guest), pipeline.id(YOSHI), critique)
        guide.choose(pipeline.id(guest), pipeline.id(chosen))
    pipeline.wait_until_settled()

    for guest, critique, expected in (("ann", "cheaper", LULU), ("joe", "nicer", TRIO)):
        event = guide.critique(pipeline.id(guest), pipeline.id(YOSHI), critique)
        first = pipeline.recommendations.of(guest, after=event).items[0]
        assert (first.item_id, first.reason.kind, first.reason.item_id) == (expected, "asked", YOSHI)


def test_a_critique_in_words_of_the_guests_own_is_answered_by_them(guide, stream_rec_pipeline):
    """Also where nobody asked that before."""
    event = guide.critique(stream_rec_pipeline.id("ann"), stream_rec_pipeline.id(LULU), "seafood")

    assert stream_rec_pipeline.recommendations.of("ann", after=event).items[0].item_id == CAPE_COD


def test_a_page_that_was_opened_leads_to_what_is_like_it(guide, stream_rec_pipeline):
    """Before anybody asks anything."""
    event = guide.open_page(stream_rec_pipeline.id("ann"), stream_rec_pipeline.id(TITI))

    made = stream_rec_pipeline.recommendations.of("ann", after=event)
    assert YOSHI in {item.item_id for item in made.items if item.reason.item_id == TITI}


def test_the_log_has_critiques():
    """Each follows the event at which the guest asked."""
    log = read_log(2)

    assert [entry.event_id for entry in log[1:2]] == [f"{log[0].event.event_id}-asked"]
    assert [(end.event_id, end.restaurant) for end in find_endings(log)] == [(log[0].event.event_id, "C0044")]


def test_lists_that_know_the_critique_have_where_the_guest_ended_up(replay_log):
    """The figure of the README: before the guest went there, and more often than without the critique."""
    told, views, counted, popular = measure(replay_log)

    assert told.n == 95
    assert told.in_ten > 0.58 and told.first > 0.33
    assert told.in_ten > max(views.in_ten, counted.in_ten, popular.in_ten) + 0.05
    assert told.first > views.first + 0.2
