"""One word for one concept: what was retired is used neither in code nor on a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import TEXTS

PACKAGE = Path(__file__).parents[1] / "stream_rec"
MODULES = sorted(PACKAGE.rglob("*.py"))

RETIRED = {
    "bars": "progress",
    "everybody": "default list",
    "fence": "consumer",
    "follower": "successor",
    "followers": "successors",
    "grown": "grow",
    "hr": "hit_rate",
    "inbox": "stage buffer",
    "leader": "trending",
    "leaders": "trending",
    "lesson": "training event",
    "lessons": "training events",
    "letter": "dead letter",
    "letters": "dead letters",
    "life": "generation",
    "lives": "generations",
    "moved": "shifted",
    "newer": "newer version",
    "note": "marker",
    "notes": "markers",
    "originals": "source records",
    "past": "history",
    "places": "indices",
    "relaxed": "decayed towards the prior",
    "repaired": "repairs",
    "reserve": "fresh slots",
    "reserved": "kept back",
    "ring": "recent events",
    "rights": "permissions",
    "safe": "acknowledged",
    "settle": "release",
    "settled": "released",
    "silence": "stall timeout",
    "spread": "signal routing",
    "tail": "topic follower",
    "tally": "weekly counts",
    "told": "published",
    "unsettled": "pending",
    "verdict": "replay decision",
    "verdicts": "replay decisions",
    "visitors": "neighbour index",
    "wish": "erasure request",
    "wishes": "erasure requests",
    "words": "message",
    "workbench": "recommender",
}
"""A part of a name that is not used any more, and what is said now."""

ALLOWED = {
    "dead_letter": "the field's word, whole",
    "dead_letters": "the field's word, whole",
    "half_life": "of what decays",
    "half_lives": "of what decays",
    "newer_version": "of what a newer program wrote",
    "past_ms": "of a limit, against future_ms",
    "tail_every": "of the long tail of a catalog",
    "topic_follower": "one who follows a topic; items have successors",
    "catalog.word_index._words_of": "of a text",
    "catalog.word_index.count_words": "of a text",
    "catalog.word_index.n_words": "of texts",
    "cli.rejected.note": "a remark to the reader",
    "dashboard.search.words": "of a text",
    "embedding.hashing.words": "of a text",
    "embedding.text._words": "of a text",
    "evaluation.pictures.draw_bars": "of a picture",
    "evaluation.baselines.isgd.spread": "of random vectors, as its authors have it",
    "evaluation.baselines.stan.spread": "of scores, as its authors have it",
    "kernels._copy_if_newer": "by the times of files",
    "testing.pipeline.wait_until_settled": "nothing is on its way any more",
    "testing.live.wait_until_settled": "nothing is on its way any more",
    "words.split_words": "of a text",
    "words.words": "of a text",
}
"""Parts of names, or one name with its module, in which a retired word means something else."""

ON_PAGES = {
    "leaders": "trending",
    "followers": "successors",
    "lessons": "training events",
    "tally": "weekly counts",
    "take notice that": "nothing",
    "verdict": "replay decision",
    "visitors": "users, or the neighbour index",
    "workbench": "recommender",
}
"""What pages do not say; many other retired words have plain meanings in a sentence."""
NOT_WRITTEN_HERE = {
    "CHANGELOG.md": "says what was renamed",
    "docs/reference/settings.md": "is written from the code",
    "docs/reference/commands.md": "is written from the code",
}


FUNCTIONS = {
    "explained": "explain",
    "folded_in": "fold_in",
    "grown": "grow",
    "learned": "learn",
    "relaxed": "decay",
    "told": "publish",
    "varied": "vary",
}
"""Whole names of functions that were participles, and the verbs that they are now."""


def names(path: Path) -> Iterator[str]:
    """Yield each name that a module gives: its own, those of functions, classes, arguments and fields."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def words(name: str) -> set[str]:
    """Return the words of a name in small letters, less what is allowed."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    for allowed in ALLOWED:
        snake = re.sub(rf"(?<![a-z]){allowed}(?![a-z])", "", snake)
    return set(snake.split("_"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n_Dead_letters", {"n", ""}),
        ("LetterBox", {"letter", "box"}),
        ("HRMetric", {"hr", "metric"}),
        ("half_life_ms", {"", "ms"}),
    ],
)
def test_a_name_is_read_word_by_word(name: str, expected: set[str]):
    """Between underscores, and as classes are written."""
    assert words(name) - {""} == expected - {""}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_name_has_a_retired_word(path: Path):
    """What was renamed does not come back."""
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    found = {
        f"{name}: {RETIRED[word]}"
        for name in names(path)
        if f"{module}.{name}" not in ALLOWED
        for word in words(name) & RETIRED.keys()
    }

    assert found == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_are_verbs(path: Path):
    """What was named by what comes out of it says what it does."""
    functions = (
        node.name.strip("_")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )

    assert {name: FUNCTIONS[name] for name in functions if name in FUNCTIONS} == {}


@pytest.mark.parametrize("word", ON_PAGES)
def test_no_page_has_a_retired_word(word: str):
    """Pages call things as the code does."""
    pages = {
        name for name, text in TEXTS.items() if re.search(rf"\b{word}\b", re.sub(r"\s+", " ", text), re.IGNORECASE)
    }

    assert pages - NOT_WRITTEN_HERE.keys() == set(), f"say {ON_PAGES[word]}"
