"""A help centre's side of stream-rec: its articles are the items, and what readers ask and open are the events."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.events.item import Item
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.live import LivePipeline

HERE = Path(__file__).resolve().parent
PAGES = ("tutorial.md", "limits.md", "guides/*.md", "concepts/*.md")
"""What readers may ask about, in a folder of documentation."""
HEADING = re.compile(r"^(?:# |## )(.+)$")


class HelpCentre:
    """Tells what readers ask, open and find helpful, and shows them answers."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka, linger_ms=0)
        self._lists = RecommendationsView(kafka)

    def withdraw(self, article: str) -> None:
        """Take an article out of the catalog: it leaves every list."""
        self._events.delete_item(article)
        self._events.flush()

    def ask(self, reader: str, question: str) -> str:
        """Say what a reader asks in the search box; return the event's id."""
        return self._tell(self._events.search(reader, question))

    def open(self, reader: str, article: str) -> str:
        """Say that a reader opened an article."""
        return self._tell(self._events.view(reader, article))

    def mark_helpful(self, reader: str, article: str) -> str:
        """Say that a reader pressed "this helped me"."""
        return self._tell(self._events.click(reader, article))

    def show_answers(self, reader: str, n: int = 3) -> list[str]:
        """Return the articles that are first on a reader's page now; none before there is a list."""
        made = self._lists.for_user(reader)
        return [item.item_id for item in made.items[:n]] if made else []

    def close(self) -> None:
        """Let go of the connections."""
        self._events.close()
        self._lists.close()

    def _tell(self, event: str) -> str:
        self._events.flush()
        return event


def find_docs(named: str | None = None) -> Path:
    """Return the folder of the documentation: as named, else $SUPPORT_DOCS, else docs/ of this repository.

    Raises:
        FileNotFoundError: there are no pages in it.
    """
    folder = Path(named or os.environ.get("SUPPORT_DOCS") or HERE.parents[1] / "docs")
    if not list_pages(folder):
        raise FileNotFoundError(f"{folder} has no pages ({', '.join(PAGES)}): name stream-rec's docs/ by --docs FOLDER")
    return folder


def list_pages(folder: Path) -> list[Path]:
    """Return the pages of a folder of documentation, in order of their names."""
    return sorted(page for pattern in PAGES for page in folder.glob(pattern))


def read_articles(folder: Path) -> list[Item]:
    """Return an article for each section of each page: its title names both, its category is the page's title."""
    articles = []
    for page in list_pages(folder):
        name = page.relative_to(folder).as_posix()
        sections = list(cut_into_sections(page.read_text(encoding="utf-8")))
        about = sections[0][0]
        for heading, text in sections:
            anchor = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
            title = about if heading == about else f"{about}: {heading}"
            articles.append(Item(f"{name}#{anchor}", title, text, category=about))
    return articles


def cut_into_sections(markdown: str) -> Iterator[tuple[str, str]]:
    """Give each heading of the first two levels with the text below it; a `#` in a block of code is no heading."""
    heading, lines, is_code = "", list[str](), False
    for line in markdown.splitlines():
        is_code ^= line.lstrip().startswith("```")
        if (found := HEADING.match(line)) and not is_code:
            if heading:
                yield heading, "\n".join(lines).strip()
            heading, lines = found[1], []
        else:
            lines.append(line)
    yield heading, "\n".join(lines).strip()


class Bm25:
    """The baseline: words alone, k1 = 1.2 and b = 0.75.

    Source:
        Robertson, Zaragoza. The Probabilistic Relevance Framework: BM25 and Beyond. 2009.
    """

    def __init__(self, articles: list[Item]) -> None:
        self._ids = [article.item_id for article in articles]
        self._counts = [Counter(_words(f"{article.title} {article.description}")) for article in articles]
        self._mean_length = sum(counts.total() for counts in self._counts) / len(articles)
        self._n_with = Counter(word for counts in self._counts for word in counts)

    def ask(self, question: str) -> list[str]:
        """Return the 20 best articles, best first."""
        scores = [sum(self._weigh(word, counts) for word in _words(question)) for counts in self._counts]
        return [self._ids[i] for i in sorted(range(len(scores)), key=lambda i: -scores[i])[:20]]

    def _weigh(self, word: str, counts: Counter[str]) -> float:
        rarity = math.log(1 + (len(self._ids) - self._n_with[word] + 0.5) / (self._n_with[word] + 0.5))
        length = 0.25 + 0.75 * counts.total() / self._mean_length
        return rarity * counts[word] * 2.2 / (counts[word] + 1.2 * length)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@dataclass(frozen=True)
class Figure:
    """How well questions were answered."""

    recall_at_3: float
    """Share of questions for which the first three articles have one of the right page."""
    mrr: float
    """Mean of 1 / rank of the first article of the right page among 20; 0 where there is none."""
    n: int

    def __str__(self) -> str:
        return f"{self.recall_at_3:8.3f}{self.mrr:8.3f}"


def read_questions() -> list[tuple[str, str]]:
    """Return the questions, each with the page that answers it: written before any answer was seen, and all kept."""
    lines = (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [(line["question"], line["page"]) for line in map(json.loads, lines)]


def measure(ask: Callable[[str], list[str]], questions: list[tuple[str, str]]) -> Figure:
    """Return how well something answers that returns articles, best first."""
    ranks = []
    for question, page in questions:
        pages = [article.split("#")[0] for article in ask(question)]
        ranks.append(pages.index(page) + 1 if page in pages else math.inf)
    n = len(ranks)
    return Figure(sum(rank <= 3 for rank in ranks) / n, sum(1 / rank for rank in ranks) / n, n)


def measure_pipeline(
    pipeline: LivePipeline, articles: list[Item], questions: list[tuple[str, str]], rounds: int = 4
) -> list[Figure]:
    """Return how well a pipeline answers that nobody has used, and how well after one reader, two ... of each question.

    In each round somebody new asks each question, and their answers are scored before anybody opens anything. Then each
    opens an article of the right page, and marks it as helpful.
    """
    figures = []
    for number in range(rounds):
        answers = {}
        for question, _ in questions:
            reader = f"reader {number} of: {question}"
            made = pipeline.recommendations.of(reader, after=pipeline.search(reader, question))
            answers[question] = [item.item_id for item in made.items]
        figures.append(measure(answers.__getitem__, questions))
        for question, page in questions:
            listed = [*answers[question], *(article.item_id for article in articles)]
            article = next(item_id for item_id in listed if item_id.startswith(f"{page}#"))
            pipeline.view(f"reader {number} of: {question}", article)
            pipeline.click(f"reader {number} of: {question}", article)
        pipeline.wait_until_settled()
    return figures
