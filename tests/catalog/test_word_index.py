"""The word index against BM25 by the textbook, computed from the items alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import word_index
from stream_rec.catalog.word_index import K1, MOST_OF_QUERY, MOST_PER_ITEM, TITLE, B, WordIndex, count_words
from stream_rec.events.item import Item

ROWS = 8
some_words = st.lists(st.sampled_from(["red", "tea", "pot", "blue", "cup", "heart"]), max_size=6).map(" ".join)
items = st.builds(
    Item, st.sampled_from(["i1", "85123A", "tea"]), title=some_words, description=some_words, category=some_words
)
histories = st.lists(st.tuples(st.integers(0, ROWS - 1), st.none() | items), max_size=25)
queries = st.lists(st.sampled_from(["red", "tea", "pot", "blue", "heart", "85123a", "nobody"]), max_size=5).map(
    " ".join
)


def make_index(history: list[tuple[int, Item | None]]) -> tuple[WordIndex, dict[int, Item]]:
    """Return the index after items were put, or deleted where there is None, and the items left."""
    index, left = WordIndex(), {}
    for row, item in history:
        if item is None:
            index.delete(row)
            left.pop(row, None)
        else:
            index.put(row, item)
            left[row] = item
    return index, left


def score_by_textbook(query: str, left: dict[int, Item]) -> list[float]:
    """Return BM25 of all rows."""
    texts = {
        row: " ".join([item.title] * TITLE + [item.item_id, item.category, item.description]).lower().split()
        for row, item in left.items()
    }
    scores = [0.0] * ROWS
    for row, text in texts.items():
        for word in set(query.lower().split()):
            n_with = sum(word in other for other in texts.values())
            if word in text:
                idf = math.log(1 + (len(texts) - n_with + 0.5) / (n_with + 0.5))
                longer = len(text) / (sum(map(len, texts.values())) / len(texts))
                frequency = text.count(word)
                scores[row] += idf * frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * longer))
    return scores


def find(index: WordIndex, query: str, k: int = ROWS, is_listed=None) -> list[int]:
    """Return the rows that a query finds, best first."""
    return index.search(query, k, np.ones(ROWS, dtype=bool) if is_listed is None else is_listed)[0].tolist()


@settings(max_examples=200, deadline=None)
@given(history=histories, query=queries)
def test_scores_are_those_of_the_textbook(history, query):
    """After any puts, changes and deletes; 0 of what does not match, is gone, or never was."""
    index, left = make_index(history)

    assert len(index) == len(left)
    assert index.score(query, np.arange(ROWS)) == pytest.approx(score_by_textbook(query, left), rel=1e-5)
    assert index.score(query, np.array([ROWS, 5000])).tolist() == [0, 0]


@settings(max_examples=200, deadline=None)
@given(history=histories, query=queries)
def test_a_query_is_worth_the_rarities_of_its_words(history, query):
    """Each once, of those that items have now."""
    index, left = make_index(history)
    texts = [
        " ".join([item.title, item.item_id, item.category, item.description]).lower().split() for item in left.values()
    ]
    n_with = [n for word in set(query.split()) if (n := sum(word in text for text in texts))]

    assert index.weigh(query) == pytest.approx(sum(math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for n in n_with))


@settings(max_examples=200, deadline=None)
@given(history=histories, query=queries, k=st.integers(1, ROWS), listed=st.sets(st.integers(0, ROWS - 1)))
def test_a_search_finds_the_best_listed_by_score(history, query, k, listed):
    """To the last bit the scores that ``score`` gives; ties by row."""
    index, _ = make_index(history)
    scores = index.score(query, np.arange(ROWS))
    best = sorted((row for row in listed if scores[row] > 0), key=lambda row: (-scores[row], row))[:k]

    rows, found = index.search(query, k, np.isin(np.arange(ROWS), list(listed)))

    assert (rows.tolist(), found.tolist()) == (best, scores[best].tolist())
    assert (rows.dtype, found.dtype) == (np.int64, np.float32)


@settings(max_examples=100, deadline=None)
@given(history=histories, query=queries, most_read=st.integers(1, 12), random=st.randoms())
def test_the_same_items_are_found_whatever_was_before(history, query, most_read, random):
    """To the last bit, also where not all postings are read: no order of coming and going is left in the index."""
    index, left = make_index(history)
    order = list(left.items())
    random.shuffle(order)
    other, _ = make_index(order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_index, "MOST_READ", most_read)
        found, expected = (one.search(query, ROWS, np.ones(ROWS, dtype=bool)) for one in (index, other))
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]
    assert index.score(query, np.arange(ROWS)).tobytes() == other.score(query, np.arange(ROWS)).tobytes()
    assert index.n_words == other.n_words


def test_the_words_of_all_that_an_item_says():
    """The title's count twice; strings among the attributes do, numbers, links and documents do not."""
    item = Item(
        "85123A",
        title="White T-Shirt, white",
        category="Tops",
        tags=["summer"],
        attributes={"brand": "Acme", "sizes": ["S", "M", 3], "url": "https://x.org", "n": 7, "text": 101 * "long "},
        description="A white summer shirt.",
    )

    assert count_words(item) == {
        **{"white": 2 * TITLE + 1, "t": TITLE, "shirt": TITLE + 1, "85123a": 1, "tops": 1, "summer": 2},
        **{"acme": 1, "s": 1, "m": 1, "a": 1},
    }


def test_a_match_in_the_title_is_worth_more():
    """Of two items with the same words."""
    index, _ = make_index([(0, Item("a", title="cup", description="tea")), (1, Item("b", title="tea", category="cup"))])

    assert find(index, "tea") == [1, 0]


def test_an_item_has_a_bounded_number_of_words():
    """Those of the title first, then in the order of the text; a count is bounded too."""
    words = [f"w{n}" for n in range(MOST_PER_ITEM)]
    index, _ = make_index([(0, Item("code", title="the title", description=" ".join(words))), (1, Item("other"))])
    counted = count_words(Item("code", title="the title", description=" ".join(words)))

    assert list(counted) == ["the", "title", "code", *words[: MOST_PER_ITEM - 3]]
    assert find(index, words[-4]) == [0] and find(index, words[-3]) == []
    assert count_words(Item("code", title=1000 * "so ")) == {"so": 255, "code": 1}


def test_only_the_first_words_of_a_query_count():
    """The 17th finds nothing; a word said again is no other word."""
    index, _ = make_index([(0, Item("tea"))])
    others = " ".join(f"w{n}" for n in range(MOST_OF_QUERY - 1))

    assert find(index, f"{others} w0 w1 tea") == [0]
    assert find(index, f"{others} w99 tea") == []
    assert index.score("tea TEA tea", np.array([0])) == index.score("tea", np.array([0]))


def test_a_word_too_common_to_be_read_still_scores(monkeypatch):
    """What the rarer word finds is ranked by all words, and nothing is found by the common one alone."""
    texts = ["tea", "tea pot", "tea", "pot blue", "tea", "tea"]
    index, _ = make_index([(row, Item(f"i{row}", title=text)) for row, text in enumerate(texts)])
    expected = index.score("tea pot", np.array([1, 3]))
    monkeypatch.setattr(word_index, "MOST_READ", 4)

    rows, scores = index.search("tea pot", 5, np.ones(6, dtype=bool))

    assert (rows.tolist(), scores.tolist()) == ([1, 3], expected.tolist())


def test_a_common_word_scores_what_each_rarer_word_found(monkeypatch):
    """Whatever the order of their rows: the second rarest finds an item that is older than the rarest's."""
    texts = ["tea", "tea red", "tea", "tea", "tea", "tea blue"]
    index, _ = make_index([(row, Item(f"i{row}", title=text)) for row, text in enumerate(texts)])
    expected = index.score("red blue tea", np.array([1, 5]))
    monkeypatch.setattr(word_index, "MOST_READ", 2)

    rows, scores = index.search("red blue tea", 5, np.ones(6, dtype=bool))

    assert (rows.tolist(), scores.tolist()) == ([1, 5], expected.tolist())


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_of_two_words_as_rare_the_first_by_spelling_is_read(monkeypatch, order):
    """Not the one that came first."""
    texts = ["tea", "tea", "pot", "pot"]
    index, _ = make_index([(row, Item(f"i{row}", title=texts[row])) for row in order])
    monkeypatch.setattr(word_index, "MOST_READ", 1)

    assert find(index, "tea pot") == find(index, "pot tea") == [3]


def test_the_newest_rows_are_found_where_every_word_is_too_common(monkeypatch):
    """The rarest of the words is read as far as may be; deleted items do not count among those read."""
    index, _ = make_index([*((row, Item("tea")) for row in range(6)), (5, None)])
    monkeypatch.setattr(word_index, "MOST_READ", 2)

    assert find(index, "tea") == [3, 4]


def test_nothing_is_found_where_nothing_can_be():
    """No items, no words, none known, none listed, a list of rows that is shorter than the index."""
    index, _ = make_index([])
    assert find(index, "tea") == [] and index.score("tea", np.array([0])).tolist() == [0]

    index.put(1, Item("tea"))
    assert find(index, "") == find(index, "pot") == []
    assert find(index, "tea", is_listed=np.zeros(ROWS, dtype=bool)) == []
    assert find(index, "tea", is_listed=np.ones(1, dtype=bool)) == []
    index.delete(1)
    index.delete(1)
    index.delete(5000)
    assert (find(index, "tea"), len(index), index.n_words) == ([], 0, 0)


def test_updates_of_the_same_items_take_no_more_memory():
    """Each with words that were never there before, and all of those that it had gone."""
    index = WordIndex()
    for number in range(20_000):
        index.put(number % 50, Item(f"i{number % 50}", title=f"tea a{number} b{number % 977}"))
        if number == 2000:
            n_bytes = index.n_bytes

    assert index.n_bytes == n_bytes
    assert index.n_words <= 1 + 50 + 50 + 50
    assert find(index, "a19999") == [] and index.search("a19999", 1, np.ones(50, dtype=bool))[0].tolist() == [49]


@pytest.mark.slow
def test_many_items_that_were_changed_are_found_as_if_they_were_new():
    """Enough of them that arrays grow and are packed, over and over, with a third changed and a third deleted."""
    rng = np.random.default_rng(0)

    def random_item(row: int) -> Item:
        return Item(f"i{row}", description=" ".join(f"w{word}" for word in rng.zipf(1.3, 12)))

    index, left = WordIndex(), {row: random_item(row) for row in range(3000)}
    for row, item in left.items():
        index.put(row, item)
    for row in rng.permutation(3000)[:2000].tolist():
        if row % 2:
            left[row] = random_item(row)
            index.put(row, left[row])
        else:
            del left[row]
            index.delete(row)
    fresh = WordIndex()
    for row, item in left.items():
        fresh.put(row, item)
    for query in ("w1 w2", "w3", "w7 w50 w1", "w4 i77"):
        rows, scores = index.search(query, 50, np.ones(3000, dtype=bool))
        expected_rows, expected = fresh.search(query, 50, np.ones(3000, dtype=bool))
        assert (rows.tobytes(), scores.tobytes()) == (expected_rows.tobytes(), expected.tobytes())
        assert index.score(query, rows).tolist() == scores.tolist()
        assert len(rows) > 0 and set(rows.tolist()) <= left.keys()
