"""Plays the visits of two guests on a pipeline of its own, then prints how well critiques are answered."""

from __future__ import annotations

import argparse
from contextlib import closing

from restaurants import LIST_LENGTH, Guide, measure, read_log, read_restaurants

from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.explain import why
from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program
from stream_rec.testing.replaying import replay_log

N_SHOWN = 4
KNOWN = "C0627"
"""The restaurant that both guests know."""
END_MS = 849_000_000_000
"""Some time in November 1996, when the log has ended."""


def tell_story(pipeline: LivePipeline) -> None:
    """Let two guests ask for something else than a restaurant that both know."""
    restaurants, log = read_restaurants(), read_log()
    print(f"{len(restaurants)} restaurants; {len(log)} events and critiques of guests of 1996 are sent.")
    pipeline.items(restaurants.values())
    with closing(Guide(pipeline.settings.kafka)) as guide:
        guide.send(log)
        pipeline.wait_until_settled()
        print(f"\nAnn opens the page of {describe(restaurants[KNOWN])}.")
        event = guide.open_page("ann", KNOWN, at_ms=END_MS)
        show(pipeline.recommendations.of("ann", after=event), restaurants)
        for guest, critique in (("ann", "cheaper"), ("ben", "nicer")):
            print(f'\n{guest.title()} asks: like {restaurants[KNOWN].title}, but "{critique}".')
            event = guide.critique(guest, KNOWN, critique, at_ms=END_MS + 1)
            show(pipeline.recommendations.of(guest, after=event), restaurants)


def show(made: Slate, restaurants: dict[str, Item]) -> None:
    """Print the head of a list, without the restaurant on whose page it stands, and why each is in it."""
    titles = {item_id: item.title for item_id, item in restaurants.items()}
    for item in [item for item in made.items if item.item_id != KNOWN][:N_SHOWN]:
        print(f"  {describe(restaurants[item.item_id]):44}{why(item.reason, titles.get)}")


def describe(restaurant: Item) -> str:
    """Return title and price."""
    return f"{restaurant.title} ({next((tag for tag in restaurant.tags if '$' in tag), 'no price')})"


def print_figure() -> None:
    """Measure, and print the figure next to its baselines."""
    figures = measure(replay_log)
    print(f"\n{figures[0].n} real sessions ended on the step after a critique. The restaurant where they ended stood,")
    print("in the list made before:")
    print(f"{'':44}{f'among {LIST_LENGTH}':>12}{'first':>12}")
    for figure in figures:
        print(f"  {figure.name:42}{figure.in_ten:12.0%}{figure.first:12.0%}")


def main() -> None:
    """Play and measure."""
    parser = argparse.ArgumentParser(prog="python examples/restaurants", description=__doc__)
    parser.add_argument("--figure", action="store_true", help="print the figure alone, without Kafka")
    if not parser.parse_args().figure:
        with own_pipeline(read_settings(None)) as pipeline:
            tell_story(pipeline)
    print_figure()


if __name__ == "__main__":
    run_program(main)
