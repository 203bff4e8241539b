"""The fixtures for pytest on a real broker: the example's tests pass, tests are kept apart, and nothing stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from stream_rec.client.connect import connect
from stream_rec.kafka_settings import KafkaSettings

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
NAME = "stream_rec.testing.pytest_plugin"


def run(folder: Path, bootstrap: str, *words: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"KAFKA_BOOTSTRAP": bootstrap, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", NAME, "-p", "no:cacheprovider", "-q", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
def test_tests_are_kept_apart_and_time_outs_say_what_was_seen(bootstrap: str, tmp_path: Path) -> None:
    """One pipeline for all tests of a session, other ids in each; a fresh one for who asks."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("""
import pytest
from kafka import KafkaProducer
from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.events.rule import Rule, Target
from stream_rec.testing.live import NoList

SEEN = []

def shown(pipeline, user, event):
    return {item.item_id for item in pipeline.recommendations.of(user, after=event).items}

def test_first(stream_rec_pipeline):
    SEEN.append(stream_rec_pipeline.topic_prefix)
    stream_rec_pipeline.item("tea", "Tea")
    stream_rec_pipeline.item("pot", "Pot")
    stream_rec_pipeline.rule(Rule("r", "ban", "a test", "why", Target(item_ids=["pot"])))
    assert shown(stream_rec_pipeline, "ann", stream_rec_pipeline.view("ann", "tea")) == {"tea"}
    stream_rec_pipeline.end_rule("r")
    assert shown(stream_rec_pipeline, "ann", stream_rec_pipeline.click("ann", "tea")) == {"tea", "pot"}
    stream_rec_pipeline.delete_item("pot")
    assert shown(stream_rec_pipeline, "ann", stream_rec_pipeline.purchase("ann", "tea")) == {"tea"}

def test_second(stream_rec_pipeline):
    SEEN.append(stream_rec_pipeline.topic_prefix)
    stream_rec_pipeline.item("cup", "Cup")
    made = stream_rec_pipeline.recommendations.of("ann", after=stream_rec_pipeline.profile("ann", interests=["cup"]))
    assert [item.item_id for item in made.items] == ["cup"]
    assert made.seen.keys() == {"profiles"}
    made = stream_rec_pipeline.recommendations.of(
        "ann", after=stream_rec_pipeline.impression("ann", made.list_id, ["cup"])
    )
    assert made.as_of.topic == "impressions"
    assert len(set(SEEN)) == 1

def test_an_event_of_the_app(stream_rec_pipeline):
    with EventProducer(stream_rec_pipeline.settings.kafka) as app:
        event = app.search(stream_rec_pipeline.id("ann"), "tea")
    assert stream_rec_pipeline.recommendations.of("ann", after=event).as_of.event_id == event

def test_an_event_that_never_came(stream_rec_pipeline):
    with pytest.raises(NoList) as error:
        stream_rec_pipeline.recommendations.of("ann", after="no such event", timeout=0.2)
    said = str(error.value)
    assert "the event stands on no topic; was it sent to this pipeline, with `pipeline.id(user)`?" in said
    assert "rejected: nothing" in said and "worker-1 runs; the end of its log" in said and "embedder-1 runs" in said

def test_an_event_that_was_rejected(stream_rec_pipeline):
    kafka, ann = stream_rec_pipeline.settings.kafka, stream_rec_pipeline.id("ann").encode()
    raw = connect(KafkaProducer, kafka)
    raw.send(kafka.topic("views"), key=ann, value=b'{"event_id": "e1"}').get(10)
    raw.close()
    stream_rec_pipeline.running.wait_until_settled()
    stream_rec_pipeline.wait_until(stream_rec_pipeline.watch.rejections)
    with pytest.raises(NoList, match=r"the event stands at views.*\\nrejected: views.*wrong_type"):
        stream_rec_pipeline.recommendations.of("ann", after="e1", timeout=0.2)

def test_a_fresh_one(stream_rec_new_pipeline, stream_rec_settings):
    with stream_rec_new_pipeline() as pipeline:
        assert pipeline.topic_prefix not in SEEN
        pipeline.item("pot", "Pot")
        assert shown(pipeline, "ann", pipeline.view("ann", "pot")) == {"pot"}
""")
    ended = run(tmp_path, bootstrap)

    assert ended.returncode == 0, ended.stdout
    assert "6 passed" in ended.stdout


def topics_of(bootstrap: str) -> set[str]:
    client = connect(KafkaAdminClient, KafkaSettings(bootstrap=bootstrap))
    try:
        return set(client.list_topics())
    finally:
        client.close()
