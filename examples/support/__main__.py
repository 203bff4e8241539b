"""Readers ask, an article helps them, and leads the next one's answers: `python examples/support`, by itself."""

from __future__ import annotations

import argparse
from contextlib import closing

import msgspec
from support import Bm25, HelpCentre, find_docs, measure, measure_pipeline, read_articles, read_questions

from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program

QUESTION = "my colleague wants to look at what went wrong last night"


def main() -> None:
    """Play the story, and print the figure."""
    parser = argparse.ArgumentParser(prog="python examples/support", description=__doc__)
    parser.add_argument("--docs", metavar="FOLDER", help="stream-rec's docs/ (default: $SUPPORT_DOCS, else this one's)")
    articles = read_articles(find_docs(parser.parse_args().docs))
    settings = msgspec.structs.replace(read_settings(None), embedder=Settings().embedder)
    with own_pipeline(settings) as pipeline:
        pipeline.items(articles)
        questions = read_questions()
        figures = measure_pipeline(pipeline, articles, questions)
        play(pipeline, articles)
    print(f"\nThe right page for {len(questions)} questions, each by a new reader{'recall@3     MRR':>23}")
    print(f"  BM25, words alone{measure(Bm25(articles).ask, questions)!s:>55}")
    for number, figure in enumerate(figures):
        before = f"after {number} had found it" if number else "which nobody has used"
        print(f"  stream-rec, {before:25}{figure!s:>35}")


def play(pipeline: LivePipeline, articles: list[Item]) -> None:
    """Have some readers ask and find, and the next one profit; then withdraw what they found."""
    titles = {article.item_id: article.title for article in articles}

    def ask(reader: str) -> list[str]:
        made = pipeline.recommendations.of(reader, after=centre.ask(reader, QUESTION))
        print(f'\n{reader} asks: "{QUESTION}"')
        for slot, item in enumerate(made.items[:3], start=1):
            print(f"  {slot}  {titles[item.item_id]}")
        return [item.item_id for item in made.items]

    with closing(HelpCentre(pipeline.settings.kafka)) as centre:
        best = ask("Ann")[2]
        for reader in ("Bob", "Eve", "Joe"):
            centre.ask(reader, QUESTION)
            centre.open(reader, best)
            centre.mark_helpful(reader, best)
        print(f'\nBob, Eve and Joe ask the same, open "{titles[best]}" and mark it as helpful.')
        pipeline.wait_until_settled()
        ask("Kim")
        pipeline.delete_item(best)
        print(f'\n"{titles[best]}" is deprecated: its item is deleted.')
        ask("Lee")


if __name__ == "__main__":
    run_program(main, FileNotFoundError)
