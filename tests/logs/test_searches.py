"""Searches in logs: as lines of their own, and as what users asked for after an event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits
from stream_rec.logs.content import find_content
from stream_rec.logs.critiques import make_search
from stream_rec.logs.log import BadLine, EventLog, read_events

LIMITS = InputLimits()
NOW_MS = 1_700_000_000_000
SEARCH = {"event_type": "search", "user_id": "u", "query": "blue cup", "timestamp": 5}
VIEW = {"event_type": "view", "user_id": "u", "item_id": "i", "timestamp": 5}


@pytest.fixture
def log(tmp_path: Path):
    """Write lines to a file, or a table's rows, and return the log."""

    def open_(*lines: dict | str, critiques=(), limits: InputLimits = LIMITS) -> EventLog:
        path = tmp_path / "shop"
        texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
        path.write_text("\n".join(texts), encoding="utf-8")
        return read_events(path, limits=limits, received_ms=NOW_MS, critiques=critiques)

    return open_


def test_a_search_is_a_line_of_its_own(log):
    """With an item or without; other facts as of any event."""
    assert list(
        log(SEARCH, SEARCH | {"item_id": "i", "event_id": "e", "context": {"a": 1}}, SEARCH | {"item_id": None}, VIEW)
    ) == [
        Search("shop-1", "u", "blue cup", 5000),
        Search("e", "u", "blue cup", 5000, "i", {"a": 1}),
        Search("shop-3", "u", "blue cup", 5000),
        LoggedEvent(Kind.VIEW, Interaction("shop-4", "u", "i", 5000)),
    ]


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"query": None}, "missing_field", "missing: query; found: event_type, user_id, timestamp"),
        ({"query": None, "q": "cup"}, "missing_field", "missing: query (did you mean q?); found: "),
        ({"query": None, "searchTerm": "cup"}, "missing_field", "missing: query (did you mean searchTerm?); found: "),
        ({"query": None, "user_id": None}, "missing_field", "missing: user_id, query; found: event_type, timestamp"),
        ({"event_type": None}, "missing_field", "missing: event_type; found: user_id, query, timestamp"),
        ({"timestamp": None}, "missing_field", "missing: timestamp or timestamp_ms; found: "),
        ({"query": 5}, "wrong_type", "query is 5, expected a text, in quotes"),
        ({"query": ["cup"], "context": 1}, "wrong_type", 'query is ["cup"], expected a text, in quotes; context is 1'),
        ({"query": ""}, "bad_query", "query is blank"),
        ({"query": " \n"}, "bad_query", "query is blank"),
        ({"query": "x" * 2001}, "bad_query", "query has 2001 characters"),
        ({"item_id": ""}, "bad_id", "item_id has 0 bytes"),
        ({"user_id": "*"}, "bad_id", "user_id '*'"),
        ({"timestamp": -1}, "bad_timestamp", "before 1970"),
        ({"event_type": "searched"}, "unknown_event_type", "did you mean 'search'?"),
        ({"event_type": "search_query"}, "unknown_event_type", "did you mean 'search'?"),
        ({"event_type": "query", "q": "cup", "query": None}, "unknown_event_type", "did you mean 'search'?"),
        ({"event_type": "searched", "user_id": None}, "missing_field", "missing: user_id; found: event_type, query"),
        ({"event_type": "like"}, "missing_field", "missing: item_id; found: event_type, user_id, query, timestamp"),
        ({"event_type": "view"}, "missing_field", "missing: item_id; found: event_type, user_id, query, timestamp"),
    ],
)
def test_a_bad_search_says_what_to_do(log, fields, reason, words):
    """What is missing, what is probably meant; other events need an item whatever else they have."""
    [bad] = log({name: value for name, value in (SEARCH | fields).items() if value is not None})

    assert (bad.reason, words in bad.detail) == (reason, True), bad.detail


@pytest.mark.parametrize("value", ["red", 5, None, {"a": []}])
def test_other_events_may_have_fields_of_these_names(log, value):
    """Whatever they hold: as any field that an event does not have, they are left out."""
    [logged] = log(VIEW | {"query": value, "source_type": value}, critiques=["nicer"])

    assert logged == LoggedEvent(Kind.VIEW, Interaction("shop-1", "u", "i", 5000))


def test_searches_in_a_table(log):
    """An empty cell is no item, and no query."""
    rows = list(log("event_type,user_id,item_id,query,timestamp", "search,u,,cup,5", "view,u,i,,5", "view,u,,cup,5"))

    assert rows[0] == Search("shop-2", "u", "cup", 5000)
    assert rows[1] == LoggedEvent(Kind.VIEW, Interaction("shop-3", "u", "i", 5000))
    assert rows[2] == BadLine(4, "missing_field", "missing: item_id; found: event_type, user_id, query, timestamp")


def test_a_table_of_searches_alone_needs_no_column_for_items(log):
    """Where there is one for queries."""
    assert list(log("event_type;user_id;query;timestamp", "search;u;0815;5", "search;u;;5")) == [
        Search("shop-2", "u", "0815", 5000),
        BadLine(3, "missing_field", "missing: query; found: event_type, user_id, timestamp"),
    ]


@pytest.mark.parametrize("fields", [SEARCH, {"user": "u", "q": "cup", "ts": 5}])
def test_searches_are_seen_to_be_events(tmp_path: Path, fields: dict):
    """Never sent as items."""
    (tmp_path / "x").write_text(json.dumps(fields))

    assert find_content(tmp_path / "x", limits=LIMITS) == "events"


def test_a_critique_follows_its_event(log):
    """As a search for what the word says, about the item; in JSON and in a table."""
    read = log(
        VIEW | {"event_id": "e1", "source_type": "more_creative"},
        VIEW | {"source_type": "browse"},
        SEARCH | {"source_type": "more_creative"},
        VIEW | {"event_type": "click", "source_type": "more_creative"},
        critiques=["more_creative", "nicer"],
    )
    records = list(read)

    assert [type(one) for one in records] == [LoggedEvent, Search, LoggedEvent, Search, LoggedEvent, Search]
    assert records[1] == Search("e1-asked", "u", "more creative", 5000, "i")
    assert records[5] == Search("shop-4-asked", "u", "more creative", 5000, "i")
    assert read.n_critiques == {"more_creative": 2}
    table = "event_type,user_id,item_id,timestamp,source_type\nview,u,i,5,nicer"
    assert list(log(table, critiques={"nicer": "a nicer one"}))[1:] == [
        Search("shop-2-asked", "u", "a nicer one", 5000, "i")
    ]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), unique=True),
       st.integers(min_value=40, max_value=300))  # fmt: skip
def test_the_ids_of_critiques_differ_and_are_ids(event_ids: list[str], id_bytes: int):
    """Also of events whose ids are as long as ids may be."""
    longest = [(event_id.encode() * 300)[:id_bytes].decode(errors="ignore") for event_id in event_ids]
    given_ids = {*event_ids, *longest, *("x" * (id_bytes - 1) + end for end in "ab")}
    searches = {make_search(Interaction(each, "u", "i", 5), "nicer", id_bytes).event_id for each in given_ids}

    assert len(searches) == len(given_ids)
    assert all(1 <= len(each.encode()) <= id_bytes for each in searches)
    assert all(each.endswith("-asked") for each in searches)
