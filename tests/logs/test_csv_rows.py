"""Tables: rows, delimiters and quotes as spreadsheets and people write them."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from stream_rec.errors import FileProblem
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.logs.content import find_content
from stream_rec.logs.csv_rows import Rows, delimiter_of
from stream_rec.logs.log import BadLine, Log, read_events, read_items

LIMITS = InputLimits()
NOW_MS = 1_700_000_000_000
HEADER = "event_type,user_id,item_id,timestamp"


def rows(text: bytes, limit: int = 1000) -> list[tuple[int, list[str] | Rejection]]:
    return list(Rows(io.BufferedReader(io.BytesIO(text)), ",", limit))


@pytest.fixture
def events(tmp_path: Path):
    """Write a table and return what is read of it."""

    def read(*lines: str, name: str = "shop.csv") -> list:
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8", newline="")
        return list(read_events(tmp_path / name, limits=LIMITS, received_ms=NOW_MS))

    return read


@pytest.fixture
def items(tmp_path: Path):
    """Write a table and return what is read of it."""

    def read(*lines: str) -> Log[Item]:
        (tmp_path / "items.csv").write_text("\n".join(lines), encoding="utf-8", newline="")
        return read_items(tmp_path / "items.csv", limits=LIMITS)

    return read


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["shop.csv", "shop.txt"])
def test_the_delimiter_is_seen_from_the_first_row(events, delimiter, name):
    """Commas, semicolons and tabs, whatever the file is called; Windows' line ends too."""
    header, row = HEADER.replace(",", delimiter), delimiter.join(["view", "u", "i", "5"])
    [event] = events(f"{header}\r", f"{row}\r", name=name)

    assert delimiter_of(header) == delimiter
    assert (event.event.user_id, event.event.item_id, event.event.timestamp_ms) == ("u", "i", 5000)


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"timestamp": "1600000000.25"}, "timestamp_ms", 1_600_000_000_250),
        ({"timestamp": "2020-09-13T12:26:40+00:00"}, "timestamp_ms", 1_600_000_000_000),
        ({"timestamp": "", "timestamp_ms": "7"}, "timestamp_ms", 7),
        ({"value": "2.5"}, "value", 2.5),
        ({"value": ""}, "value", None),
        ({"event_id": "007"}, "event_id", "007"),
        ({"user_id": "0815"}, "user_id", "0815"),
        ({"context.a": "007", "context.b": "7", "context.c": ""}, "context", {"a": "007", "b": 7}),
        ({"context": '"{""a"": [1]}"'}, "context", {"a": [1]}),
    ],
)
def test_cells_become_what_the_fields_are(events, cells, field, value):
    """Ids stay texts, times and values are numbers, columns with a point go into an object."""
    cells = {"event_type": "view", "user_id": "u", "item_id": "i", "timestamp": "5"} | cells
    [event] = events(",".join(cells), ",".join(cells.values()))

    assert getattr(event.event, field) == value


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ("view,u,i", "not_csv", "3 cells, the header row has 4"),
        ("view,u,i,5,6", "not_csv", "5 cells"),
        ('view,"u,i,5', "not_csv", "a cell that begins with a quote ends with one"),
        ('view,"u"x,i,5', "not_csv", "expected after"),
        ("view,,,5", "missing_field", "missing: user_id, item_id; found: event_type, timestamp"),
        ("view,u,i,yesterday", "bad_timestamp", "yesterday"),
        (f"view,u,i,{'[' * 9000}", "bad_timestamp", "[[[["),
        ("buy,u,i,5", "unknown_event_type", "did you mean 'purchase'?"),
        (f"view,{'u' * 300},i,5", "bad_id", "300 bytes"),
        (f"view,{'u' * 70_000},i,5", "too_large", "70010 bytes"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(events, row, reason, words):
    """Also one whose quote is not closed: the rest of the file is not lost with it."""
    first, bad, *rest = events(HEADER, "view,a,i,1", row, "view,b,i,2", 'view,"c",i,3')

    assert (bad.line, bad.reason) == (3, reason)
    assert words in bad.detail
    assert [event.event.user_id for event in (first, *rest)] == ["a", "b", "c"]
    assert [event.event.event_id for event in rest] == ["shop-4", "shop-5"]


def test_a_number_that_is_none_is_named(events):
    """With the cell as it stands and what was expected."""
    bad = events("event_type,user_id,item_id,timestamp_ms,value", 'view,u,i,soon,"2,50"')[0]

    assert bad.reason == "wrong_type"
    assert bad.detail == (
        'timestamp_ms is "soon", expected whole milliseconds since 1970; value is "2,50", expected a number'
    )


def test_a_cell_in_quotes_holds_anything(items):
    """The delimiter, line ends and quotes; the line numbers after it are right."""
    read = list(items("item_id,title,tags", 'a,"A, ""the"" first\n2nd line",x | y|', "b", 'c,C,""'))

    assert read[0] == Item("a", title='A, "the" first\n2nd line', tags=["x", "y"])
    assert read[1] == BadLine(4, "not_csv", "1 cells, the header row has 3")
    assert read[2] == Item("c", title="C")


def test_items_of_a_table(items):
    """Lists, truths and objects; other columns are left out; numbers among the attributes are numbers."""
    header = "item_id,available,attributes.size,attributes.brand,relations.series,vectors,colour"
    read = items(header, '7,No,42,007,b|c,"{""image"": [1, 2]}",red', "8,perhaps,,,,,")

    assert next(read) == Item(
        "7",
        available=False,
        attributes={"size": 42, "brand": "007"},
        relations={"series": ["b", "c"]},
        vectors={"image": [1.0, 2.0]},
    )
    assert next(read).detail == 'available is "perhaps", expected true or false'


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            "userId,movie_id,rating,ts",
            r"missing: event_type, user_id \(did you mean userId\?\), item_id \(did you mean movie_id\?\), "
            r"timestamp or timestamp_ms \(did you mean ts\?\); found: userId, movie_id, rating, ts",
        ),
        (f"{HEADER},user_id", "user_id more than once"),
        ("a,b", "missing: event_type, user_id, item_id, timestamp"),
        ("a,query", "missing: event_type, user_id, timestamp or timestamp_ms; found: a, query"),
        ('event_type,"user_id', "header row cannot be read: .* ends with one"),
    ],
)
def test_a_header_that_lacks_columns_is_an_error(tmp_path: Path, header, words):
    """All of them are named at once, with the line; opening is enough, so that no broker is asked before."""
    (tmp_path / "shop.csv").write_text(f"{header}\n1,2,3,4\n")

    with pytest.raises(FileProblem, match=f"shop.csv:1: .*{words}"):
        read_events(tmp_path / "shop.csv", limits=LIMITS, received_ms=NOW_MS)


def test_a_table_without_rows_has_no_events(events):
    """A day on which nothing happened."""
    assert events(HEADER) == []


def test_latin_1_is_named(tmp_path: Path):
    """A spreadsheet's old encoding: the row is bad, and what to do is said."""
    (tmp_path / "shop.csv").write_bytes(f"{HEADER}\nview,Jos\xe9,i,5\nview,Ann,i,5\n".encode("latin-1"))
    bad, good = read_events(tmp_path / "shop.csv", limits=LIMITS, received_ms=NOW_MS)

    assert (bad.line, bad.reason) == (2, "not_csv") and "save the file as UTF-8" in bad.detail
    assert good.event.user_id == "Ann"


@pytest.mark.parametrize(
    ("header", "what"),
    [(HEADER, "events"), ("userId,item,when", "events"), ("item_id,title", "items"), ("id;title", "items")],
)
def test_the_content_of_a_table_is_seen_from_its_columns(tmp_path: Path, header, what):
    """Names that are nearly right will do: reading says what is wrong with them."""
    (tmp_path / "x").write_text(f"\ufeff{header}\n")

    assert find_content(tmp_path / "x", limits=LIMITS) == what


def test_quotes_that_are_never_closed_cost_their_lines_alone():
    """However many: each is named, and what comes after them is read."""
    read = rows(b"a,b\n" + b'x,"y\n' + b"c,d\n" + b'z,"z\n' + b"e,f\n", limit=12)

    assert [number for number, _ in read] == [1, 2, 3, 4, 5]
    assert [row for _, row in read if isinstance(row, list)] == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_a_long_cell_is_refused_at_once(events):
    """However many digits it has: time grows with the length of a row, not with its square."""
    began = time.process_time()
    events(HEADER, *[f"view,u,i,{'9' * 60_000}x"] * 5)

    assert time.process_time() - began < 2
