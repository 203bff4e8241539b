"""Shows a visitor ads in vain on a pipeline of its own, then prints what a real log says of lists and propensities."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import partial
from pathlib import Path

from ads import ADS, N_NEW, AdServer, measure, read_log
from open_bandit import DatasetUnavailable

from stream_rec.events.impression import Impression
from stream_rec.events.slate import Slate
from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program
from stream_rec.testing.replaying import replay_log

SETTINGS = Path(__file__).parent / "settings.toml"
N_LOG = 1_000
"""Records of the log, in the story."""


def tell_story(pipeline: LivePipeline) -> None:
    """Show a new visitor the head of her list, three times in vain."""
    log = read_log()[:N_LOG]
    pipeline.items(ADS)
    with pipeline.running.producer() as producer:
        for entry in log:
            if isinstance(entry, Impression):
                producer.send_impression(entry)
            else:
                producer.send_interaction(*entry)
    pipeline.wait_until_settled()
    print(f"{len(ADS)} ads; {len(log)} impressions and clicks of a real log are sent.")
    print("\nAnn comes. She sees the first three ads of her list:")
    made = pipeline.recommendations.of("ann", after=pipeline.profile("ann", birth_year=1990))
    with closing(AdServer(pipeline.settings.kafka)) as server:
        for _ in range(3):
            show(made)
            made = pipeline.recommendations.of("ann", after=server.show("ann", made))
            print("She clicks on none. Next time:")
        show(made)


def show(made: Slate) -> None:
    """Print a list's ads."""
    print(f"  ads {', '.join(ad.item_id for ad in made.items)}")


def print_figures() -> None:
    """Measure, and print both figures."""
    estimates, draws = measure(partial(replay_log, settings=read_settings(SETTINGS)))
    print("\nClick rate of an ad that is drawn, by the real log, and its interval of 95 %")
    for each in estimates:
        print(
            f"  {each.name:34}{each.click_rate:8.2%}   {each.low:.2%} to {each.high:.2%}{each.n_effective:10.0f} rows"
        )
    print("  The intervals overlap: ten thousand rows cannot tell these policies apart.")
    print(f"\nLists of {N_NEW} new visitors: share with the ad, and the propensity that lists state")
    for drawn in draws:
        if drawn.propensity < 1:
            print(f"  Ad {drawn.ad:6}{drawn.share:8.3f}{drawn.propensity:8.3f} +- {drawn.margin:.3f}")


def main() -> None:
    """Play and measure."""
    parser = argparse.ArgumentParser(prog="python examples/ads", description=__doc__)
    parser.add_argument("--figure", action="store_true", help="print the figures alone, without Kafka")
    if not parser.parse_args().figure:
        settings = read_settings(SETTINGS)
        with own_pipeline(settings) as pipeline:
            tell_story(pipeline)
    print_figures()


if __name__ == "__main__":
    run_program(main, DatasetUnavailable)
