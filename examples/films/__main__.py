"""Plays a new member's first minutes on a pipeline of its own, then prints how good members' lists are."""

from __future__ import annotations

import argparse
from functools import partial

from films import HERE, LIST_LENGTH, measure, open_site, read_films, read_ratings

from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.explain import why
from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program
from stream_rec.testing.replaying import replay_log

N_SHOWN = 5
N_RATINGS = 1_500
"""Of members before, in the story."""


def tell_story(pipeline: LivePipeline) -> None:
    """Let a new member say what they like, and rate films."""
    films, ratings = read_films(), read_ratings()[:N_RATINGS]
    shown = sorted({rating.film for rating in ratings})
    pipeline.items(films[film] for film in shown)
    with open_site(pipeline.running) as site:
        for rating in ratings:
            site.write(rating)
        last = site.write(ratings[-1]._replace(id="last"))
        pipeline.recommendations.of(ratings[-1].member, after=last)
        pipeline.wait_until_settled()
        print(f"{len(shown)} films. {len(ratings)} ratings stood on the site's own topic, and were ingested.")
        print('\nAnn joins, and says that she likes "animation" and "adventure":')
        site.join("ann", ["animation", "adventure"])
        made = pipeline.recommendations.of("ann")
        show(made, films)
        for stars in (9, 4):
            film = made.items[0].item_id
            print(f"\nAnn rates {films[film].title} with {stars} of 10 stars:")
            made = pipeline.recommendations.of("ann", after=site.rate("ann", film, stars))
            show(made, films)


def show(made: Slate, films: dict[str, Item]) -> None:
    """Print the head of a list, and why each film is in it."""
    titles = {item_id: film.title for item_id, film in films.items()}
    for item in made.items[:N_SHOWN]:
        film = films[item.item_id]
        print(f"  {film.title[:28]:30}{', '.join(film.tags)[:28]:30}{why(item.reason, titles.get)}")


def print_figure() -> None:
    """Measure, and print the figure next to its baseline."""
    figures = measure(partial(replay_log, settings=read_settings(HERE / "settings.toml")))
    print(f"\n{figures[0].n} real ratings, looked for in the list of {LIST_LENGTH} that the member had before;")
    print(f"{figures[0].n_rare} of them of films that fewer than 5 members had rated")
    print(f"{'':22}{'HR@20':>8}{'NDCG@20':>10}{'HR@20 of rare films':>22}")
    for figure in figures:
        print(f"  {figure.name:20}{figure.hit_rate:8.3f}{figure.ndcg:10.4f}{figure.rare_hit_rate:22.3f}")


def main() -> None:
    """Play and measure."""
    parser = argparse.ArgumentParser(prog="python examples/films", description=__doc__)
    parser.add_argument("--figure", action="store_true", help="print the figure alone, without Kafka")
    if not parser.parse_args().figure:
        settings = read_settings(HERE / "settings.toml")
        with own_pipeline(settings) as pipeline:
            tell_story(pipeline)
    print_figure()


if __name__ == "__main__":
    run_program(main)
