"""A rejected record that is sent again with a repair counts, once."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from stream_rec.cli import cli
from stream_rec.events.rejected import Origin
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
