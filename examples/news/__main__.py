"""Stories come, are pinned, capped and end; then how good and how fast lists are: `python examples/news`, by itself."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from news import (
    HALF_LIVES_H,
    ONCE,
    NewsDesk,
    Story,
    cap,
    live_through_a_day,
    measure_freshness,
    measure_lists,
    measure_popularity,
    pin,
    simulate,
)

from stream_rec.events.item import Item
from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program
from stream_rec.testing.replaying import replay_log

LEAD = Item("lead", "Election night: all results as they come in", category="politics")
NEWS = Item("news", "Keeper saves a penalty, and the league, in Lyon", category="sport")


def main() -> None:
    """Play the story, and print the figures."""
    argparse.ArgumentParser(prog="python examples/news", description=__doc__).parse_args()
    settings = read_settings(Path(__file__).with_name("settings.toml"))
    with own_pipeline(settings) as pipeline:
        pipeline.rule(ONCE)
        stories = live_through_a_day(pipeline)
        play(pipeline, stories)
        taken_s = measure_freshness(pipeline, stories)
    log = simulate()
    hit_rate, n = measure_lists(log, replay_log([ONCE, *log], settings=settings))
    print(f"\nSeconds from publishing to the list of an interested reader, {len(taken_s)} stories")
    print(f"  median {taken_s[len(taken_s) // 2]:.3f}   p95 {taken_s[int(0.95 * len(taken_s)) - 1]:.3f}")
    print(f"\nHR@10 of what is read next in a visit, n = {n} (readers and stories are made up)")
    for hours in HALF_LIVES_H:
        print(f"  popularity, half-life {hours:.1f} h   {measure_popularity(log, hours):.3f}")
    print(f"  stream-rec                    {hit_rate:.3f}")


def play(pipeline: LivePipeline, stories: list[Story]) -> None:
    """Have one reader read, and editors publish, pin, cap and end stories."""
    items = {item.item_id: item for item in [LEAD, NEWS, *(story.item for story in stories)]}
    football = iter([story.item.item_id for story in stories if story.topic == 0])

    def show(what: str) -> None:
        made = pipeline.recommendations.of("Ann", after=desk.read("Ann", next(football), "FR"))
        print(f"\n{what}. Ann reads on, and her front page is:")
        for slot, item in enumerate(made.items[:5], start=1):
            print(f"  {slot}  {items[item.item_id].category:10}{items[item.item_id].title:50}{item.reason.kind}")

    with closing(NewsDesk(pipeline.settings.kafka)) as desk:
        desk.read("Ann", next(football), "FR")
        show("A day of 120 stories and 80 readers has passed, and Ann has read football")
        desk.publish(NEWS)
        show("A story is published, which nobody has read")
        pipeline.items([LEAD])
        pipeline.rule(pin("lead"))
        pipeline.rule(cap("sport", 1))
        show("The editor pins the lead, and caps sport at one")
        for rule in ("lead", "cap-sport"):
            pipeline.end_rule(rule)
        for story in ("lead", "news"):
            pipeline.delete_item(story)
        show("Both stories end, and so do the rules")


if __name__ == "__main__":
    run_program(main)
