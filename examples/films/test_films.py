"""The site against a real pipeline: its own topic is read, and new members have lists at once."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest
from films import make_event, measure, open_site, read_films, read_ratings

from stream_rec.client.reader import TopicReader
from stream_rec.events.interaction import Interaction

TITLES = ("Bolt", "Robots", "Chicken Run", "Troy", "White Squall", "Skyfall")


@pytest.fixture
def site(stream_rec_pipeline):
    """The site, with some of the films in the catalog, and an ingest process of its own."""
    films = [film for film in read_films().values() if film.title in TITLES]
    stream_rec_pipeline.items(films)
    with open_site(stream_rec_pipeline.running) as site:
        yield site


def find(title):
    """Return the id of a film."""
    return next(film.item_id for film in read_films().values() if film.title == title)


def test_a_rating_on_the_sites_own_topic_leads_to_a_list(site, stream_rec_pipeline):
    """Ingest makes an event of it, and the list that has seen that comes."""
    rating = site.rate(stream_rec_pipeline.id("ann"), stream_rec_pipeline.id(find("Bolt")), stars=9)

    made = stream_rec_pipeline.recommendations.of("ann", after=rating)
    evidence = {(item.reason.item_id, item.reason.event_kind) for item in made.items}
    assert made.as_of.topic == "clicks" and (find("Bolt"), "click") in evidence


def test_what_ingest_makes_of_a_rating_is_what_replays_are_given(site, stream_rec_pipeline):
    """So the figure is about what members get: the verdict says what kind of event it is, and how much it counts."""
    ratings = read_ratings()
    for verdict, weight in (("liked", 4), ("seen", 1)):
        rating = next(rating for rating in ratings if rating.verdict == verdict)
        rating = rating._replace(member=stream_rec_pipeline.id("ann"), film=stream_rec_pipeline.id(rating.film))
        stream_rec_pipeline.recommendations.of("ann", after=site.write(rating))

        kind, event = make_event(rating)
        with closing(TopicReader(stream_rec_pipeline.settings.kafka, kind.topic)) as reader:
            written = [msgspec.json.decode(record.value, type=Interaction) for record in reader.read_to_end(20)]
        assert event in written
        assert stream_rec_pipeline.settings.head.weigh(kind, event) == weight


def test_a_new_member_has_a_list_by_what_they_like(site, stream_rec_pipeline):
    """Before the first rating; each film says by which interest it came."""
    site.join(stream_rec_pipeline.id("ann"), ["animation"])

    made = stream_rec_pipeline.recommendations.of("ann")
    first = made.items[:3]
    assert {item.item_id for item in first} == {find(title) for title in ("Bolt", "Robots", "Chicken Run")}
    assert {(item.reason.kind, item.reason.interest) for item in first} == {("interest", "animation")}


def test_lists_find_films_that_charts_do_not_know(replay_log):
    """The figure of the README: as good as the charts on the whole, and far better on films that few have rated."""
    ours, charts = measure(replay_log)

    assert (ours.n, ours.n_rare) == (1307, 1005)
    assert ours.rare_hit_rate > 0.025 > 3 * charts.rare_hit_rate
    assert ours.hit_rate > 0.95 * charts.hit_rate and ours.ndcg > 0.97 * charts.ndcg
