"""The help centre against a real pipeline: answers, what readers teach, what is withdrawn, and how good it is."""

from __future__ import annotations

import msgspec
import pytest
from support import (
    Bm25,
    HelpCentre,
    cut_into_sections,
    find_docs,
    measure,
    measure_pipeline,
    read_articles,
    read_questions,
)

from stream_rec.config import Settings
from stream_rec.events.item import Item

ARTICLES = [
    Item("reset", "Reset your password", "A link comes by mail.", category="account"),
    Item("invoice", "Where your invoices are", "In the account, by month.", category="billing"),
    Item("refund", "Money back", "Within 30 days.", category="billing"),
    Item("phone", "Password on the phone", "Ask for a code by text message.", category="account"),
]


@pytest.fixture
def centre(stream_rec_pipeline):
    """The app, with the pipeline's topics; its articles are in the catalog."""
    stream_rec_pipeline.items(ARTICLES)
    centre = HelpCentre(stream_rec_pipeline.settings.kafka)
    yield centre
    centre.close()


def answers(pipeline, centre, reader, question):
    """Return the articles that a reader is shown who asks."""
    event = centre.ask(pipeline.id(reader), question)
    return [item.item_id for item in pipeline.recommendations.of(reader, after=event).items]


def test_sections_are_cut_at_headings_and_not_in_code():
    """Two levels; a comment of a shell is no heading."""
    text = "# A\none\n```\n# no heading\n```\n## B\ntwo\n### C\nthree"

    assert list(cut_into_sections(text)) == [("A", "one\n```\n# no heading\n```"), ("B", "two\n### C\nthree")]


def test_what_helped_others_leads(stream_rec_pipeline, centre):
    """Words alone put another article first; after five readers chose the second one, the next has it first."""
    asked = "i forgot my password"
    best = answers(stream_rec_pipeline, centre, "ann", asked)[1]
    for reader in ("bob", "eve", "joe", "kim", "lee"):
        centre.ask(stream_rec_pipeline.id(reader), asked)
        centre.open(stream_rec_pipeline.id(reader), stream_rec_pipeline.id(best))
        centre.mark_helpful(stream_rec_pipeline.id(reader), stream_rec_pipeline.id(best))
    stream_rec_pipeline.wait_until_settled()

    assert answers(stream_rec_pipeline, centre, "mia", asked)[0] == best


def test_a_withdrawn_article_leaves_the_pages_that_show_it(stream_rec_pipeline, centre):
    """At once where the app looks, and from then on in every list."""
    ann, invoice = stream_rec_pipeline.id("ann"), stream_rec_pipeline.id("invoice")
    answers(stream_rec_pipeline, centre, "ann", "invoices of last month")
    stream_rec_pipeline.wait_until(lambda: centre.show_answers(ann)[:1] == [invoice])
    centre.withdraw(invoice)

    stream_rec_pipeline.wait_until(lambda: invoice not in centre.show_answers(ann, 20))


def test_questions_find_the_right_page(stream_rec_new_pipeline, stream_rec_settings):
    """Before anybody used it better than words alone; in the end nearly all. Shares move with the text of the docs."""
    articles, questions = read_articles(find_docs()), read_questions()
    words = measure(Bm25(articles).ask, questions)
    settings = msgspec.structs.replace(stream_rec_settings, embedder=Settings().embedder)
    with stream_rec_new_pipeline(settings) as pipeline:
        pipeline.items(articles)
        figures = measure_pipeline(pipeline, articles, questions)

    assert words.n == len(questions) == 40
    assert figures[0].recall_at_3 >= words.recall_at_3 + 0.05 and figures[0].mrr >= words.mrr + 0.05
    assert figures[3].recall_at_3 >= 0.85
