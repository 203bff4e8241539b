"""docs/reference/formats.md says what is read: its examples are, its fields and reasons are those of the code."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits
from stream_rec.fields.names import EventFields
from stream_rec.logs.content import find_content
from stream_rec.logs.log import read_events, read_items
from stream_rec.logs.recording import RecordPlace, read_recording

PAGE = (Path(__file__).parents[2] / "docs/reference/formats.md").read_text(encoding="utf-8")
LIMITS = InputLimits()
NOW_MS = 1_800_000_000_000
NOON_MS = 1_714_564_800_000
SHOWN = [ShownItem("cup-3", 1), ShownItem("cup-4", 2)]


def example(form: str, what: str) -> str:
    [text] = re.findall(rf"```{form} {what}\n(.*?)```", PAGE, re.DOTALL)
    return text


def read(file: Path) -> list:
    return list(
        read_events(file, limits=LIMITS, received_ms=NOW_MS)
        if find_content(file, limits=LIMITS) == "events"
        else read_items(file, limits=LIMITS)
    )


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_the_events_of_the_page_are_read(tmp_path, pack):
    """As JSON lines and as a table, plain and packed; the file's name does not matter."""
    for form in ("jsonl", "csv"):
        (tmp_path / f"{form}-log").write_bytes(pack(example(form, "events").encode()))
    (tmp_path / "shown").write_bytes(pack(example("csv", "impressions").encode()))
    of_lines, of_table = read(tmp_path / "jsonl-log"), read(tmp_path / "csv-log")

    assert of_lines == [
        LoggedEvent(Kind.VIEW, Interaction("jsonl-log-1", "ann", "teapot-1", NOON_MS)),
        LoggedEvent(Kind.CLICK, Interaction("jsonl-log-2", "ann", "teapot-1", NOON_MS + 5250)),
        LoggedEvent(
            Kind.PURCHASE,
            Interaction("order-17", "ann", "teapot-1", NOON_MS + 60_000, 24.9, {"session_id": "s1", "device": "phone"}),
        ),
        Search("jsonl-log-4", "ann", "cups for it", NOON_MS + 70_000),
        Impression("jsonl-log-5", "ann", "3fb0c1d2", SHOWN, NOON_MS + 80_000, "home"),
    ]
    assert of_table == [
        LoggedEvent(Kind.VIEW, Interaction("csv-log-2", "ann", "teapot-1", NOON_MS, None, {"device": "phone"})),
        LoggedEvent(
            Kind.PURCHASE, Interaction("csv-log-3", "ann", "teapot-1", NOON_MS + 60_000, 24.9, {"device": "phone"})
        ),
    ]
    assert read(tmp_path / "shown") == [Impression("shown-2", "ann", "", SHOWN, NOON_MS + 80_000, "home")]


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_the_items_of_the_page_are_read(tmp_path, pack):
    """As JSON lines and as a table, plain and packed."""
    for form in ("jsonl", "csv"):
        (tmp_path / form).write_bytes(pack(example(form, "items").encode()))

    assert read(tmp_path / "jsonl") == [
        Item(
            "teapot-1", "Blue teapot", "Holds a litre.", "kitchen", ["blue", "tea"],
            {"brand": "Pott", "price": 24.9}, {"goes_with": ["cup-3", "cup-4"]},
        ),
        Item("cup-3", "Blue cup", category="kitchen", available=False),
    ]  # fmt: skip
    assert read(tmp_path / "csv") == [
        Item(
            "teapot-1", "Blue teapot", category="kitchen", tags=["blue", "tea"], attributes={"brand": "Pott"},
            relations={"goes_with": ["cup-3", "cup-4"]},
        ),
        Item(
            "cup-3", 'Blue "royal" cup', category="kitchen", tags=["blue"], attributes={"brand": "Pott"},
            available=False,
        ),
    ]  # fmt: skip


def test_the_recording_of_the_page_is_read(tmp_path):
    """Each line, with what it says of the record."""
    (tmp_path / "run").write_text(example("jsonl", "recordings"))

    records = list(read_recording(tmp_path / "run", limits=LIMITS))
    assert [(record.place.topic, record.key, type(record.value).__name__) for record in records] == [
        ("items", "cup-3", "Item"),
        ("views", "ann", "Interaction"),
        ("profiles", "ann", "Profile"),
        ("rules", "r1", "Rule"),
        ("items", "cup-3", "NoneType"),
    ]
    assert all(f"`recorded.{name}`" in PAGE for name in RecordPlace.__struct_fields__)


def test_every_field_is_described():
    """Whoever writes a file finds each field that is read."""
    for field in (*msgspec.structs.fields(EventFields), *msgspec.structs.fields(Item)):
        assert f"`{field.name}`" in PAGE


@pytest.mark.parametrize(
    "path",
    [
        "stream_rec/fields/read.py",
        "stream_rec/logs/cells.py",
        "stream_rec/logs/csv_rows.py",
        "stream_rec/logs/recording.py",
        "stream_rec/cli/produce.py",
    ],
)
def test_every_reason_is_described(path):
    """Each word by which bad lines are counted is on the page."""
    source = (Path(__file__).parents[2] / path).read_text(encoding="utf-8")

    for reason in re.findall(r'(?:Rejection|skipped\.add)\("(\w+)"', source):
        assert f"`{reason}`" in PAGE


def test_the_limits_are_those_of_the_settings():
    """The page names some defaults."""
    assert (LIMITS.id_bytes, LIMITS.record_bytes, LIMITS.future_ms) == (256, 64 * 1024, 86_400_000)


@pytest.mark.parametrize(
    ("tool", "name", "text"),
    [
        ("awk", "ratings.csv", "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n"),
        ("jq", "log.jsonl", '{"userId": "1", "item": "31", "ts": 1260759144}\n'),
    ],
)
def test_the_commands_of_the_page_make_a_log(tmp_path, tool, name, text):
    """They can be copied: what they write is read."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    [command] = re.findall(rf"^    ({tool} (?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
    (tmp_path / name).write_text(text)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    [made] = tmp_path.glob("events.*")
    [event] = read(made)

    assert (event.event.user_id, event.event.item_id, event.event.timestamp_ms) == ("1", "31", 1_260_759_144_000)


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Item) if field.name != "item_id"])
def test_what_an_items_field_may_hold_is_said_of_each(name, tmp_path):
    """Of a table and of JSON lines; a field that is new is not forgotten where faults are put into words."""
    lines = tmp_path / "items.jsonl"
    lines.write_text(json.dumps({"item_id": "a", name: None if name != "available" else "maybe"}))
    (bad,) = read_items(lines, limits=InputLimits())

    assert (bad.reason, bad.detail.partition(" is ")[0]) == ("wrong_type", name)
    assert ", expected " in bad.detail
