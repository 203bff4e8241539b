"""Reading logs of events and items, good and bad."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import DAY_MS, InputLimits
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, read_events, read_items

DATA = Path(__file__).parents[1] / "data"
NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()
GOOD = {"event_id": "e1", "user_id": "u1", "item_id": "i1", "event_type": "view", "timestamp": 1_600_000_000}


def events_of(path: Path, limits: InputLimits = LIMITS) -> list[LoggedEvent | BadLine]:
    return list(read_events(path, limits=limits, received_ms=NOW_MS))


@pytest.fixture
def log(tmp_path: Path):
    """Write lines to a file and return what is read of it."""

    def read(*lines: bytes, limits: InputLimits = LIMITS) -> list[LoggedEvent | BadLine]:
        path = tmp_path / "shop.jsonl"
        path.write_bytes(b"".join(lines))
        return events_of(path, limits)

    return read


def line(**changes: object) -> bytes:
    """Return a good line with some fields changed, or left out where None."""
    fields = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.parametrize("name", ["entree_chicago", "movietweetings", "online_retail"])
def test_the_real_logs_are_read_whole(name: str):
    """Events and items of all three logs are usable as they are."""
    assert [type(e) for e in events_of(DATA / f"{name}-events.jsonl")] == [LoggedEvent] * 20
    assert [type(i) for i in read_items(DATA / f"{name}-items.jsonl", limits=LIMITS)] == [Item] * 20


def test_an_event_of_a_real_log_has_all_its_facts():
    """Kind, ids, exact milliseconds, value and context come from the line; other fields are left out."""
    second = events_of(DATA / "entree_chicago-events.jsonl")[1]

    assert second == LoggedEvent(
        Kind.CLICK,
        Interaction("en-1996-Q3-00208-001", "h00001", "C0044", 842094143001, None, {"session_id": "1996-Q3-00208"}),
    )


@pytest.mark.parametrize(
    ("fields", "expected_ms"),
    [
        ({"timestamp": 842094143.001}, 842094143001),
        ({"timestamp": 1.001}, 1001),
        ({"timestamp": 1_600_000_000}, 1_600_000_000_000),
        ({"timestamp": "2020-09-13T12:26:40Z"}, 1_600_000_000_000),
        ({"timestamp": "2020-09-13T14:26:40.123+02:00"}, 1_600_000_000_123),
        ({"timestamp": "2020-09-13 12:26:40"}, 1_600_000_000_000),
        ({"timestamp": None, "timestamp_ms": 1_600_000_000_001}, 1_600_000_000_001),
        ({"timestamp": 5, "timestamp_ms": 0}, 0),
    ],
)
def test_times_are_exact_to_the_millisecond(log, fields, expected_ms):
    """Seconds are rounded, ISO 8601 without a zone is UTC, timestamp_ms comes before timestamp."""
    assert log(line(**fields))[0].event.timestamp_ms == expected_ms


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{nonsense\n", "not_json"),
        (line().strip() + b" trailing\n", "not_json"),
        (b'{"user_id": "\xff"}\n', "not_json"),
        (b'{"user_id": "\\ud800"}\n', "not_json"),
        (line(timestamp=None).replace(b"}", b', "\xff": 1}'), "not_json"),
        (line(context="CONTEXT").replace(b'"CONTEXT"', b'{"a":' * 5000 + b"1" + b"}" * 5000), "not_json"),
        (line(value=float("nan")), "not_json"),
        (line(value=float("inf")), "not_json"),
        (line(value="VALUE").replace(b'"VALUE"', b"1e999"), "wrong_type"),
        (b"[1, 2]\n", "wrong_type"),
        (line(user_id=7), "wrong_type"),
        (line(user_id=None), "missing_field"),
        (line(item_id=None), "missing_field"),
        (line(event_type=None), "missing_field"),
        (line(value="12"), "wrong_type"),
        (line(context=[1]), "wrong_type"),
        (line(timestamp=True), "wrong_type"),
        (line(user_id=""), "bad_id"),
        (line(item_id=""), "bad_id"),
        (line(event_id=""), "bad_id"),
        (line(user_id="é" * 129), "bad_id"),
        (line(item_id="x" * 257), "bad_id"),
        (line(user_id="a\0b"), "bad_id"),
        (line(user_id="*"), "bad_id"),
        (line(timestamp=None), "missing_field"),
        (line(timestamp=-1), "bad_timestamp"),
        (line(timestamp="1969-12-31T23:59:59Z"), "bad_timestamp"),
        (line(timestamp=1e308), "bad_timestamp"),
        (line(timestamp=1_600_000_000_000), "bad_timestamp"),
        (line(timestamp="yesterday"), "bad_timestamp"),
        (line(timestamp_ms=NOW_MS + DAY_MS + 1), "bad_timestamp"),
        (line(event_type="like"), "unknown_event_type"),
        (line(context={"x": "y" * 70_000}), "too_large"),
    ],
)
def test_a_bad_line_is_named_and_the_next_is_read(log, text, reason):
    """Whatever is wrong with a line, it is one BadLine with its number and reason, and reading goes on."""
    first, bad, last = log(line(), text, line(event_id="e3"))

    assert (bad.line, bad.reason) == (2, reason)
    assert bad.detail
    assert (first.event.event_id, last.event.event_id) == ("e1", "e3")


@pytest.mark.parametrize("user_id", ["x" * 256, "é" * 128, " ", "\u2028"])
def test_ids_up_to_256_bytes_are_taken(log, user_id):
    """The limit of an id is counted in bytes of UTF-8, and is itself allowed."""
    assert log(line(user_id=user_id))[0].event.user_id == user_id


def test_a_line_as_long_as_the_limit_is_read(log):
    """The limit of a line counts its content, not the line end."""
    text = line()
    limits = InputLimits(record_bytes=len(text) - 1)

    assert isinstance(log(text, limits=limits)[0], LoggedEvent)
    assert log(text.replace(b"e1", b"e10"), text, limits=limits)[0].reason == "too_large"


def test_a_line_of_many_megabytes_is_one_bad_line(log):
    """A line is never taken into memory whole when it is too long; the line after it is read."""
    bad, good = log(b"x" * 5_000_000 + b"\n", line())

    assert (bad.reason, bad.detail.split()[0]) == ("too_large", "5000001")
    assert good.event.event_id == "e1"


def test_what_editors_add_is_no_problem(log):
    """A byte order mark, CRLF, blank lines and a missing last line end are no errors; all lines are counted."""
    records = log(
        b"\xef\xbb\xbf" + line(), b"\r\n", line(event_id=None).replace(b"\n", b"\r\n"), b"  \n", line().strip()
    )

    assert [record.event.event_id for record in records] == ["e1", "shop-3", "e1"]


def test_lines_without_event_id_have_the_same_one_each_time(tmp_path: Path):
    """A file sent twice has the same events, packed or not."""
    plain, packed = tmp_path / "may.jsonl", tmp_path / "may.jsonl.gz"
    text = line(event_id=None) + line(event_id=None)
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))

    assert [e.event.event_id for e in events_of(plain)] == ["may-1", "may-2"]
    assert events_of(packed) == events_of(plain)


def test_gzip_is_seen_by_content(tmp_path: Path):
    """The name says nothing: gzip called .jsonl is unpacked, text called .gz is read as it is."""
    packed, plain = tmp_path / "a.jsonl", tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(line()) + gzip.compress(line(event_id="e2")))
    plain.write_bytes(line())

    assert [e.event.event_id for e in events_of(packed)] == ["e1", "e2"]
    assert [e.event.event_id for e in events_of(plain)] == ["e1"]


def test_a_truncated_gzip_gives_what_is_there_and_then_the_error(tmp_path: Path):
    """An incomplete download is not taken for the end of the log."""
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"".join(line(event_id=f"e{n}") for n in range(20_000)))[:-9])
    events = read_events(path, limits=LIMITS, received_ms=NOW_MS)
    read: list[object] = []

    with pytest.raises(FileProblem, match=r"cut\.gz is cut off after line \d+.*get the whole file"):
        read.extend(events)
    assert len(read) > 1000


def test_a_damaged_gzip_is_an_error(tmp_path: Path):
    """Flipped bytes are found by the checksum at the latest."""
    data = bytearray(gzip.compress(line() * 5000))
    data[-6] ^= 255
    (tmp_path / "bad.gz").write_bytes(data)

    with pytest.raises(FileProblem, match="damaged after line"):
        events_of(tmp_path / "bad.gz")


def test_what_is_no_log_is_an_error_with_its_path(tmp_path: Path):
    """No file, a folder, binary data and UTF-16: each error names the path and what to do."""
    binary, wide = tmp_path / "binary", tmp_path / "wide.jsonl"
    binary.write_bytes(bytes(range(256)) * 4)
    wide.write_bytes(line().decode().encode("utf-16"))

    for path, words in [
        (tmp_path / "none", "none cannot be read: No such file.*give a file that exists"),
        (tmp_path, "is a folder; give a file"),
        (binary, "binary is not UTF-8 text"),
        (wide, r"wide\.jsonl is not UTF-8 text"),
        (Path("/dev/null"), "is not a regular file"),
    ]:
        with pytest.raises(FileProblem, match=words):
            events_of(path)


@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_log_is_said_to_be_empty(log, text):
    """Whoever exported nothing, or gave a wrong file, wants to know."""
    with pytest.raises(FileProblem, match="is empty"):
        log(text)


def test_items_are_checked_like_events(tmp_path: Path):
    """A bad item is one bad line; fields that an item does not have are left out."""
    path = tmp_path / "items.jsonl"
    path.write_text(
        '{"item_id": "a", "title": "A", "created_at": 5}\n{"item_id": ""}\n{"title": "B"}\n{"item_id": 5}\n'
    )
    good, *bad = read_items(path, limits=LIMITS)

    assert good == Item("a", title="A")
    assert [(b.line, b.reason) for b in bad] == [(2, "bad_id"), (3, "missing_field"), (4, "wrong_type")]


@pytest.mark.parametrize("name", ["entree_chicago", "movietweetings", "online_retail"])
def test_the_content_is_seen_from_the_fields(name: str):
    """Events have users, items have not."""
    assert find_content(DATA / f"{name}-events.jsonl", limits=LIMITS) == "events"
    assert find_content(DATA / f"{name}-items.jsonl", limits=LIMITS) == "items"


def test_the_content_is_seen_past_bad_lines(tmp_path: Path):
    """A few bad lines at the start do not hide what a file is."""
    path = tmp_path / "x"
    path.write_bytes(b"\n{}\nnonsense\n" + line())

    assert find_content(path, limits=LIMITS) == "events"


@pytest.mark.parametrize("text", ['{"a": 1}\n', "a b c\n", "{}\n"])
def test_a_file_that_is_neither_events_nor_items_is_an_error(tmp_path: Path, text: str):
    """Other objects, or plain text: the error says what was expected."""
    path = tmp_path / "x"
    path.write_text(text)

    with pytest.raises(FileProblem, match="is not a log: item_id was expected in each line"):
        find_content(path, limits=LIMITS)


def test_progress_ends_at_the_size_of_the_file():
    """How much of the file was read goes from nothing to all of it."""
    log = read_events(DATA / "online_retail-events.jsonl", limits=LIMITS, received_ms=NOW_MS)
    before = log.bytes_read
    list(log)

    assert (before, log.bytes_read) == (0, log.bytes_total)


def test_all_that_is_missing_is_named_at_once(log):
    """With what was found and what may be meant, so that a file is mended in one go."""
    [bad] = log(b'{"userId": "u", "item": "i", "ts": 5, "action": "view", "price": 2}\n')

    assert (bad.line, bad.reason) == (1, "missing_field")
    assert bad.detail == (
        "missing: event_type (did you mean action?), user_id (did you mean userId?), item_id (did you mean item?), "
        "timestamp or timestamp_ms (did you mean ts?); found: userId, item, ts, action, price"
    )


def test_all_that_has_a_wrong_type_is_named_at_once(log):
    """Each with what came and what was expected."""
    bad = log(line(user_id=7, item_id=None, value="12", context=[1]))[0]

    assert bad.reason == "missing_field"
    assert bad.detail == (
        "missing: item_id; found: event_id, user_id, event_type, timestamp, value, context; "
        'user_id is 7, expected a text, in quotes; value is "12", expected a number; '
        "context is [1], expected an object: names with values"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"event_type": "purchased"},
            'event_type "purchased"; expected one of: view, click, purchase, search, impression; did you mean \'purc',
        ),
        ({"event_type": "View"}, "did you mean 'view'?"),
        ({"event_type": "like"}, "expected one of: view, click, purchase"),
        ({"timestamp": 1_600_000_000_000}, "timestamp 1600000000000 must be milliseconds: name it timestamp_ms"),
        ({"timestamp": "1600000000"}, "a number stands without quotes"),
        ({"timestamp": "13.09.2020"}, "expected seconds since 1970, or an ISO 8601 date and time such as 2024-"),
        ({"timestamp": None, "timestamp_ms": 1.5}, "timestamp_ms is 1.5, expected whole milliseconds since 1970"),
    ],
)
def test_a_bad_line_says_what_to_do(log, fields, words):
    """What came, what was expected, and what is probably meant."""
    assert words in log(line(**fields))[0].detail


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b'[{"user_id": "a"},\n',
            r"is one JSON array; one object a line is read: `jq -c '\.\[\]' file > lines\.jsonl`",
        ),
        (b'{\n  "user_id": "a"\n}\n', r"a JSON object that spans lines.*`jq -c \. file"),
        (b"PK\x03\x04...", "a ZIP archive, or a spreadsheet"),
        (b"PAR1...", "cannot be read as Parquet"),
        (b"\x28\xb5\x2f\xfd...", "packed with zstd: unpack it"),
        (line().decode().encode("utf-16"), "UTF-16: save it as UTF-8"),
        (b"\0\0\0\0", "is not UTF-8 text: it has NUL bytes"),
        (gzip.compress(line() * 9, mtime=0)[:30], "is cut off after line 0"),
    ],
)
def test_a_file_of_another_kind_is_named_before_it_is_read(tmp_path: Path, data: bytes, words: str):
    """Opening is enough: a command says so before it asks a broker."""
    (tmp_path / "file").write_bytes(data)

    with pytest.raises(FileProblem, match=words):
        read_events(tmp_path / "file", limits=LIMITS, received_ms=NOW_MS)
    with pytest.raises(FileProblem, match=words):
        find_content(tmp_path / "file", limits=LIMITS)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"userId": "u", "item_id": "i", "ts": 5}, "events"),
        ({"user": "u", "item": "i"}, "events"),
        ({"item_id": "i", "title": "T", "user": "seller"}, "items"),
        ({"id": "i", "title": "T"}, "items"),
    ],
)
def test_the_content_is_seen_from_names_that_are_nearly_right(tmp_path: Path, fields, what):
    """Events with another name for the user are never sent as items; reading says how to name the fields."""
    (tmp_path / "x").write_text(json.dumps(fields) + "\n")

    assert find_content(tmp_path / "x", limits=LIMITS) == what
