"""What KafkaJS, the Java client and librdkafka send counts as they sent it, and they read the lists."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stream_rec.broker.jars import kafka_jars
from stream_rec.config import BrokerSettings
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.testing.pipeline import RunningPipeline
from tests.interop import N_EVENTS, N_ITEMS, N_USERS
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = [pytest.mark.kafka, pytest.mark.interop]

HERE = Path(__file__).parent
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def running(bootstrap: str) -> Iterator[RunningPipeline]:
    """One pipeline for all clients, whose worker knows some items already: no list is empty."""
    with RunningPipeline(bootstrap, quick_settings()) as running:
        with running.producer() as producer:
            for number in range(N_ITEMS):
                producer.item(Item(f"thing-{number}", title=f"Thing {number}"))
                producer.click("somebody", f"thing-{number}")
        wait_until(lambda: DEFAULT_LIST in running.read_compacted("recommendations"))
        yield running


def missing(what: str) -> None:
    """Skip the test; in CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def program(client: str) -> list[str]:
    """Return the command that runs a client."""
    if client == "librdkafka":
        return [sys.executable, str(HERE / "client.py")]
    if client == "kafkajs":
        if shutil.which("node") is None:
            missing("node is not installed (Debian: nodejs, npm)")
        if not (HERE / "node_modules" / "kafkajs").exists():
            missing("KafkaJS is not installed: make interop")
        return ["node", str(HERE / "client.mjs")]
    if shutil.which("javac") is None:
        missing("no JDK is installed (Debian: default-jdk-headless)")
    jars = os.pathsep.join(map(str, kafka_jars(BrokerSettings().kafka_version)))
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", jars, str(HERE / "Client.java")]


@pytest.mark.parametrize("client", ["kafkajs", "java", "librdkafka"])
def test_a_foreign_client_is_served(running: RunningPipeline, client: str) -> None:
    """Each event once in the users' states, though one came twice; nothing rejected; each list as it was published."""
    kafka = running.settings.kafka
    ended = subprocess.run(
        [*program(client), kafka.bootstrap, kafka.topic_prefix, client],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    running.wait_until_settled()
    users = [f"{client}-user-{number}" for number in range(N_USERS)]
    items = {f"{client}-item-{number}" for number in range(N_ITEMS)}

    states = running.user_states()
    assert {user: states[user].counts for user in users} == dict.fromkeys(users, (N_EVENTS // 3,) * 3)
    assert {user: {entry.item_id for entry in states[user].recent_events} for user in users} == dict.fromkeys(
        users, items
    )
    assert not [record for record in read(running, "rejected") if record.key.decode().startswith(client)]
    published = [msgspec.json.decode(r.value, type=Slate) for r in read(running, "recommendations") if r.value]
    known = {(slate.user_id, slate.list_id): [item.item_id for item in slate.items] for slate in published}
    lists = json.loads(ended.stdout)
    assert sorted(lists) == users
    for user, shown in lists.items():
        assert shown["items"] and shown["items"] == known[user, shown["list_id"]]
