"""A rejected record that is sent again with a repair counts, once."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from stream_rec.cli import cli
from stream_rec.events.item import Item
from stream_rec.events.rejected import Origin
from stream_rec.events.source import Source
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def test_a_repair_reaches_its_user_once(bootstrap: str) -> None:
    """Through the running pipeline: rejected for its key, sent twice under the right one, counted once."""
    value = json.dumps({"event_id": "e1", "user_id": "ann", "item_id": "teapot", "timestamp_ms": 1}).encode()
    with RunningPipeline(bootstrap, quick_settings(), embedder=False) as running:
        kafka = running.settings.kafka
        raw = KafkaProducer(bootstrap_servers=bootstrap)
        stands = raw.send(kafka.topic("purchases"), key=b"bob", value=value).get(10)
        raw.close()
        wait_until(lambda: len(read(running, "rejected")) == 1)
        assert running.user_states() == {}

        origin = Origin(stands.topic, stands.partition, stands.offset)
        command = ["--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix, "rejected", "replay", str(origin)]
        for _ in range(2):
            result = CliRunner().invoke(cli, [*command, "--value", value.decode(), "--again", "--yes"])
            assert result.exit_code == 0, result.output
        running.wait_until_settled()

        assert len(read(running, "purchases")) == 3
        (user_id, state), *others = running.user_states().items()
        assert (user_id, others, [entry.item_id for entry in state.recent_events]) == ("ann", [], ["teapot"])


def test_a_repaired_search_is_answered_once(bootstrap: str) -> None:
    """Rejected for its blank query, sent twice with what was meant; what repairs nothing is refused."""
    blank = {"event_id": "s1", "user_id": "ann", "query": " ", "timestamp_ms": time.time_ns() // 1_000_000}
    repaired = {**blank, "query": "copper teapot"}
    with (
        RunningPipeline(bootstrap, quick_settings(), embedder=False) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        for item in (Item("i1", title="glass lamp"), Item("i2", title="copper teapot")):
            producer.item(item)
        producer.flush()
        kafka = running.settings.kafka
        raw = KafkaProducer(bootstrap_servers=bootstrap)
        stands = raw.send(kafka.topic("searches"), key=b"ann", value=json.dumps(blank).encode()).get(10)
        raw.close()
        wait_until(lambda: len(read(running, "rejected")) == 1)
        assert running.user_states() == {}

        origin = Origin(stands.topic, stands.partition, stands.offset)
        command = ["--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix, "rejected", "replay", str(origin)]
        for search, exit_code in ((blank, 1), (repaired, 0), (repaired, 0)):
            result = CliRunner().invoke(cli, [*command, "--value", json.dumps(search), "--again", "--yes"])
            assert result.exit_code == exit_code, result.output
        running.wait_until_settled()

        assert len(read(running, "searches")) == 3
        (state,) = running.user_states().values()
        assert [(asked.event_id, asked.query) for asked in state.recent_searches] == [("s1", "copper teapot")]
        wait_until(lambda: view.own("ann") and view.own("ann").seen == state_offset(running))


def state_offset(running: RunningPipeline) -> dict[str, int]:
    """Return which search the only user's state has seen."""
    return {"searches": running.user_states()["ann"].offsets[Source.SEARCH]}
