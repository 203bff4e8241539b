"""`stream-rec watch`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import msgspec
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer

from stream_rec.cli import cli
from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics

pytestmark = pytest.mark.kafka


def run(kafka: KafkaSettings, *arguments: str) -> Result:
    """Call the command."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    return CliRunner().invoke(cli, [*address, "watch", *arguments])


def slate(user_id: str, *item_ids: str, as_of: AsOf | None = None) -> Slate:
    """Return a list whose items are there because i1 was viewed."""
    reason = Reason("similar", "i1", "e1", "view")
    items = [SlateItem(item_id, 1.5, 1.0, {"similar": 1.5}, reason) for item_id in item_ids]
    return Slate("list-" + "-".join(item_ids), user_id, 1, as_of, {}, "test", items)


def publish(kafka: KafkaSettings, *slates: Slate) -> None:
    """Put lists on the topic, as the user stage does."""
    producer = connect(KafkaProducer, kafka)
    for each in slates:
        producer.send(kafka.topic("recommendations"), key=each.user_id.encode(), value=msgspec.json.encode(each))
    producer.close()


@pytest.fixture
def kafka(bootstrap: str) -> KafkaSettings:
    """Topics with two items."""
    kafka = fresh_topics(bootstrap)
    with EventProducer(kafka) as events:
        events.item(Item("i1", title="The Rink"))
        events.item(Item("i2", title="The [bold]Bank"))
    return kafka


def test_once_without_any_list_is_exit_code_1(kafka: KafkaSettings):
    """A script sees from the exit code that there is nothing yet."""
    result = run(kafka, "u", "--once")

    assert result.exit_code == 1
    assert "there is no list for u, and no default list: no worker is ready" in result.stderr
    assert "stream-rec worker" in result.stderr


def test_once_prints_titles_and_reasons(kafka: KafkaSettings):
    """The user's own list as a table, at most --top items, ids where no title is known, markup as it is."""
    publish(kafka, slate("*", "i9"), slate("u", "i2", "i3", "i4"))
    result = run(kafka, "u", "--once", "--top", "2")

    assert result.exit_code == 0, result.output
    assert "list of u" in result.stdout
    assert "The [bold]Bank" in result.stdout
    assert "similar to The Rink" in result.stdout
    assert "i3" in result.stdout
    assert "i4" not in result.stdout


def test_a_user_without_a_list_has_the_default_list(kafka: KafkaSettings):
    """It is said that the list is not the user's own."""
    publish(kafka, slate("*", "i2"))

    assert "the default list (u has none of their own)" in run(kafka, "u", "--once").stdout


def test_json_is_one_object_per_list(kafka: KafkaSettings):
    """What a script needs, in one line; the list that was there has no delay."""
    publish(kafka, slate("u", "i2"))
    shown = json.loads(run(kafka, "u", "--once", "--json").stdout)
    reason = "similar to The Rink, which you viewed"

    assert shown == {
        "user_id": "u", "list_id": "list-i2", "generated_at_ms": 1, "delay_ms": None,
        "items": [{"item_id": "i2", "title": "The [bold]Bank", "score": 1.5, "why": reason}],
    }  # fmt: skip


def test_new_lists_follow_with_their_delay_until_ctrl_c(kafka: KafkaSettings):
    """From the broker's time of the event to here is the delay; the same list twice is printed once; Ctrl-C is 0."""
    publish(kafka, slate("u", "i1"))
    command = [sys.executable, "-u", "-c", "from stream_rec.cli import main; main()", "--bootstrap", kafka.bootstrap]
    command += ["--topic-prefix", kafka.topic_prefix, "watch", "u", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        first = json.loads(process.stdout.readline())
        with EventProducer(kafka) as events:
            events.view("u", "i2", timestamp_ms=0)
        # murmur2("u") puts the user into one of the two partitions; the only event there has offset 0.
        new = slate("u", "i2", as_of=AsOf("views", partition_of(b"u", 2), 0, "e", 0))
        publish(kafka, new)
        second = json.loads(process.stdout.readline())
        for _ in range(10):  # a producer of its own each time: most of them are seen one by one
            publish(kafka, new, slate("v", "i9"))
        publish(kafka, slate("u", "i3"))
        third = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        watchdog.cancel()

    assert [shown["list_id"] for shown in (first, second, third)] == ["list-i1", "list-i2", "list-i3"]
    assert rest == ""
    assert 0 < second["delay_ms"] < 20_000
    assert process.returncode == 0, errors
