"""`stream-rec produce`."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.client.reader import TopicReader
from stream_rec.errors import BrokerUnavailable, FileProblem, TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics

DATA = Path(__file__).parents[1] / "data"
EXAMPLE = Path(__file__).parents[2] / "examples/entree_chicago"


def run(*arguments: object, kafka: KafkaSettings | None = None) -> Result:
    """Call the command."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix] if kafka else []
    return CliRunner().invoke(cli, [*address, "produce", *map(str, arguments)])


def sent(kafka: KafkaSettings, topic: str) -> list[dict[str, Any]]:
    """Return all messages of a topic, by their time."""
    reader = TopicReader(kafka, topic)
    messages = [json.loads(record.value) for record in reader.read_to_end(20)]
    reader.close()
    return sorted(messages, key=lambda message: message.get("timestamp_ms", 0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "5", "--speed", "2x"], "--rate and --speed exclude each other"),
        (["--speed", "fast"], "'fast' is no speed; expected a number above 0, as in 100x"),
        (["--speed", "-1"], "is no speed"),
        (["--rate", "0"], "--rate"),
        (["--limit", "0"], "--limit"),
        (["--items", "--shift-to-now"], "items have no time"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], words: str):
    """Options that cannot be meant are refused before any broker is asked."""
    result = run(DATA / "online_retail-events.jsonl", *arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_a_file_that_is_no_log_is_refused_first():
    """No broker is needed to hear that the file is missing."""
    assert isinstance(run("nothing.jsonl").exception, FileProblem)


def test_no_broker_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where none is named and none was started, the error says how to get one."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.chdir(tmp_path)
    result = run(DATA / "online_retail-events.jsonl")

    assert isinstance(result.exception, BrokerUnavailable)
    assert "stream-rec broker start" in str(result.exception)


@pytest.mark.kafka
def test_missing_topics_are_said_before_anything_is_sent(bootstrap: str):
    """The error names the topics and the command that creates them."""
    result = run(DATA / "online_retail-events.jsonl", kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix="nobody-"))

    assert isinstance(result.exception, TopicMismatch)
    assert "stream-rec topics create" in str(result.exception)


@pytest.mark.kafka
def test_a_log_goes_to_the_topics_of_its_kinds(bootstrap: str):
    """Views and clicks as in the file, their facts unchanged; items are seen to be items. Exit code 0."""
    kafka = fresh_topics(bootstrap)
    events, items = (run(DATA / f"entree_chicago-{what}.jsonl", kafka=kafka) for what in ("events", "items"))
    views, clicks = sent(kafka, "views"), sent(kafka, "clicks")

    assert (events.exit_code, items.exit_code) == (0, 0), events.output + items.output
    assert "delivered 20 records" in events.stdout
    assert len(views) + len(clicks) == 20
    assert clicks[0] == {
        "event_id": "en-1996-Q3-00208-001", "user_id": "h00001", "item_id": "C0044",
        "timestamp_ms": 842094143001, "context": {"session_id": "1996-Q3-00208"},
    }  # fmt: skip
    assert len(sent(kafka, "items")) == 20


@pytest.mark.kafka
def test_bad_lines_are_named_counted_and_exit_code_1(bootstrap: str, tmp_path: Path):
    """The good lines are sent; the first bad ones are named by line, all are counted by reason."""
    kafka = fresh_topics(bootstrap)
    good = (DATA / "movietweetings-events.jsonl").read_text()
    (tmp_path / "log").write_text(good + "nonsense\n" * 6 + good.replace('"view"', '"like"', 1).splitlines()[0])
    result = run(tmp_path / "log", kafka=kafka)

    assert result.exit_code == 1
    assert len(sent(kafka, "views")) == 20
    assert f"skipped {tmp_path / 'log'}:21: not_json" in result.stderr
    assert result.stderr.count("log:") == 6  # five, and the first of another reason
    assert "skipped 7 bad lines: 6 not_json, 1 unknown_event_type" in result.stderr


@pytest.mark.kafka
def test_limit_rate_and_shift_to_now(bootstrap: str):
    """So many events, so many a second, each happening when it is sent."""
    kafka = fresh_topics(bootstrap)
    started = time.time()
    result = run(
        DATA / "movietweetings-events.jsonl", "--limit", 5, "--rate", 10, "--shift-to-now", kafka=kafka
    )  # fmt: skip
    times = [message["timestamp_ms"] / 1000 for message in sent(kafka, "views")]

    assert result.exit_code == 0
    assert len(times) == 5
    assert started < times[0]
    assert 0.35 < times[-1] - times[0] < 3


@pytest.mark.kafka
def test_without_a_pace_the_last_event_happens_now(bootstrap: str):
    """All gaps stay as they are in the log, and none lies in the future."""
    kafka = fresh_topics(bootstrap)
    log = DATA / "movietweetings-events.jsonl"
    in_log = sorted(json.loads(line)["timestamp"] for line in log.read_text().splitlines())
    assert run(log, "--shift-to-now", kafka=kafka).exit_code == 0
    times = [message["timestamp_ms"] for message in sent(kafka, "views")]

    assert [t - times[0] for t in times] == [round((t - in_log[0]) * 1000) for t in in_log]
    assert 0 <= time.time() * 1000 - times[-1] < 30_000


@pytest.mark.kafka
def test_speed_keeps_the_gaps_divided(bootstrap: str, tmp_path: Path):
    """Two events 100 s apart take half a second at 200x; their own times stay."""
    kafka = fresh_topics(bootstrap)
    event = {"user_id": "u", "item_id": "i", "event_type": "view"}
    lines = [json.dumps(event | {"timestamp": second}) for second in (1000, 1100)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    started = time.monotonic()
    assert run(tmp_path / "log.jsonl", "--speed", "200x", kafka=kafka).exit_code == 0

    assert time.monotonic() - started > 0.5
    assert [message["timestamp_ms"] for message in sent(kafka, "views")] == [1_000_000, 1_100_000]


@pytest.mark.kafka
def test_ctrl_c_delivers_what_was_read_and_says_how_far_it_came(bootstrap: str):
    """Exit code 130, and exactly the records that it says are on the topic."""
    kafka = fresh_topics(bootstrap)
    command = [sys.executable, "-c", "from stream_rec.cli import main; main()", "--bootstrap", bootstrap]
    command += [
        "--topic-prefix",
        kafka.topic_prefix,
        "produce",
        str(DATA / "movietweetings-events.jsonl"),
        "--rate",
        "2",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not sent(kafka, "views") and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)

    assert process.returncode == 130, stderr
    assert f"stopped by Ctrl-C; delivered {len(sent(kafka, 'views'))} records" in stdout


@pytest.mark.kafka
def test_how_long_a_speed_takes_is_said_at_once(bootstrap: str):
    """Of a log of months at 100x: hours; so a rate and a speed that take two minutes are named."""
    kafka = fresh_topics(bootstrap)
    command = [sys.executable, "-m", "stream_rec", "--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix]
    command += ["produce", str(EXAMPLE / "events.jsonl.gz"), "--speed", "100x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert said == (
        "12,000 events over 67 days take 16 hours at 100x; --rate 100 takes 2 minutes, --speed 50000x 116 seconds\n"
    )


@pytest.mark.kafka
def test_the_log_of_the_tutorial_flows(bootstrap: str):
    """The tutorial's commands, with a limit: items first, then many events a second, each happening as it is sent."""
    kafka = fresh_topics(bootstrap)
    tutorial = (EXAMPLE.parents[1] / "docs/tutorial.md").read_text(encoding="utf-8")
    tutorial = re.sub(r" \\\n +", " ", tutorial)
    commands = re.findall(r"^    stream-rec produce (.*?)(?:  .*)?$", tutorial, re.MULTILINE)
    items, events = (shlex.split(command, comments=True) for command in commands)
    items[0], events[0] = (EXAMPLE.parents[1] / one[0] for one in (items, events))
    began = time.time()

    assert run(*items, "--limit", 20, kafka=kafka).exit_code == 0
    assert run(*events, "--limit", 500, kafka=kafka).exit_code == 0
    assert time.time() - began < 30
    times = [message["timestamp_ms"] / 1000 for topic in ("views", "clicks") for message in sent(kafka, topic)]
    assert len(times) == 500
    assert began < min(times) and max(times) < time.time()


@pytest.mark.kafka
@pytest.mark.parametrize("pace", [[], ["--rate", 1000], ["--speed", "1e9x"]])
def test_shifted_events_keep_their_ids_and_their_order(bootstrap: str, tmp_path: Path, pace: list):
    """The same log sent again counts once, whenever: only the times are other ones."""
    kafka = fresh_topics(bootstrap)
    event = {"user_id": "u", "item_id": "i", "event_type": "view"}
    lines = [json.dumps(event | {"timestamp": second}) for second in range(1000, 1020)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert run(tmp_path / "log.jsonl", "--shift-to-now", *pace, kafka=kafka).exit_code == 0
    messages = sent(kafka, "views")

    assert [message["event_id"] for message in messages] == [f"log-{n}" for n in range(1, 21)]
    assert all(abs(time.time() * 1000 - message["timestamp_ms"]) < 60_000 for message in messages)


@pytest.mark.kafka
def test_a_table_goes_to_the_topics(bootstrap: str, tmp_path: Path):
    """Items and events from CSV are the records that their JSON lines would be."""
    kafka = fresh_topics(bootstrap)
    (tmp_path / "items.csv").write_text("item_id;title;tags\ni1;Cup;blue|tea\n")
    (tmp_path / "may.csv").write_text(
        "event_type,user_id,item_id,timestamp,value\npurchase,u,i1,1000,2.5\nview,u,,1,\n"
    )
    items, events = (run(tmp_path / name, kafka=kafka) for name in ("items.csv", "may.csv"))

    assert (items.exit_code, events.exit_code) == (0, 1)
    assert sent(kafka, "items") == [{"item_id": "i1", "title": "Cup", "tags": ["blue", "tea"]}]
    assert sent(kafka, "purchases") == [
        {"event_id": "may-2", "user_id": "u", "item_id": "i1", "timestamp_ms": 1_000_000, "value": 2.5}
    ]
    assert f"skipped {tmp_path / 'may.csv'}:3: missing_field: missing: item_id; found: " in events.stderr
