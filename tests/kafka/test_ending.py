"""How the processes end: when told to, and when they cannot do their work."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.testing.pipeline import RunningPipeline
from tests.command import NOWHERE, command
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def test_told_to_end_under_load_both_end_with_0_within_10_seconds(bootstrap: str, tmp_path: Path) -> None:
    """SIGTERM in the middle of everything: exit code 0, in time, and the next start finishes the work exactly.

    While they run, a second process of the same name does not start.
    """
    log = zipf_log(n_events=1500, n_users=100, n_items=300, seed=6)
    settings = quick_settings(worker={"batch_events": 20}, user={"recent_events": 1024})

    with RunningPipeline(bootstrap, settings) as running, Count(running, "recommendations") as lists:
        twin = command(
            *["--bootstrap", bootstrap, "--topic-prefix", running.settings.kafka.topic_prefix, "worker"],
            *["--instance-id", "worker-1", "--data-dir", str(running.directory / "worker")],
            cwd=tmp_path,
        )
        with running.producer() as producer:
            for item in catalog_of(log):
                producer.item(item)
            send(producer, log)
        lists.wait_for(100)
        codes, seconds = {}, {}
        for name in ("worker-1", "embedder-1"):
            began = time.monotonic()
            codes[name] = running.children[name].stop()
            seconds[name] = time.monotonic() - began
        running.start_worker()
        running.wait_until_settled()

        assert codes == {"worker-1": 0, "embedder-1": 0}
        assert max(seconds.values()) < 10
        assert_same_as_replay(running, log)
        assert DEFAULT_LIST in running.read_compacted("recommendations")
    assert twin.returncode == 2
    assert "runs as instance 'worker-1'" in twin.stderr and "--instance-id" in twin.stderr


def test_a_list_that_the_broker_refuses_ends_the_worker_and_loses_nothing(bootstrap: str) -> None:
    """What the broker does not take is not acked: the worker ends, and sends it all at its next start."""
    log = zipf_log(n_events=1500, n_users=30, n_items=30, seed=7)
    # Small batches: much waits when the first fails.
    small_batches = quick_settings(worker={"batch_events": 10}, user={"recent_events": 1024})

    with RunningPipeline(bootstrap, small_batches, embedder=False) as running:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        topic = running.settings.kafka.topic("recommendations")
        alter_size(admin, topic, "100")
        with running.producer() as producer:
            send(producer, log)
        code = running.children["worker-1"].process.wait(30)
        refused = running.read_compacted("recommendations")
        alter_size(admin, topic, "1048588")
        admin.close()
        running.start_worker()
        running.wait_until_settled()

        assert code == 1
        assert refused == {}
        assert_same_as_replay(running, log)


def test_a_commit_that_the_broker_refuses_ends_worker_and_embedder(bootstrap: str) -> None:
    """Their groups' coordinator cannot write: the consumer's thread is then dead, and nothing waits for it for ever."""
    log = zipf_log(n_events=1500, n_users=30, n_items=30, seed=9)

    with RunningPipeline(bootstrap, quick_settings(user={"recent_events": 1024})) as running:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        alter_size(admin, "__consumer_offsets", "100")
        try:
            with running.producer() as producer:
                for item in catalog_of(log):
                    producer.item(item)
                send(producer, log)
            codes = {child.process.wait(30) for child in running.children.values()}
        finally:
            alter_size(admin, "__consumer_offsets", "1048588")
            admin.close()
        running.start_worker()
        running.start_embedder()
        running.wait_until_settled()

        assert codes <= {1, 75}
        assert_same_as_replay(running, log)


def alter_size(admin: KafkaAdminClient, topic: str, n_bytes: str) -> None:
    """Set the largest record that a topic takes."""
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": n_bytes})])


@pytest.mark.parametrize("role", ["worker", "embedder"])
def test_missing_topics_are_named(bootstrap: str, tmp_path: Path, role: str) -> None:
    """Without its topics a process does not wait for them: exit code 1, and the message names them and the remedy."""
    ended = command(
        *["--bootstrap", bootstrap, "--topic-prefix", "nobody-made-", role, "--data-dir", str(tmp_path)], cwd=tmp_path
    )

    assert ended.returncode == 1
    for topic in ("clicks", "recommendations", "stream-rec-user-state-changelog"):
        assert f"nobody-made-{topic}: missing" in ended.stderr
    assert "stream-rec topics create" in ended.stderr


@pytest.mark.parametrize("role", ["worker", "embedder"])
def test_without_a_broker_the_message_comes_at_once(tmp_path: Path, role: str) -> None:
    """It says where it looked and what to do, waits for the broker, and can be told to stop meanwhile."""
    argv = [sys.executable, "-m", "stream_rec", "--bootstrap", NOWHERE, role, "--data-dir", str(tmp_path)]
    with subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = next(line for line in process.stderr if "waits_for_broker" in line)
            process.terminate()
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()

    assert NOWHERE in said and "stream-rec broker start" in said


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["worker", "--no-such-flag"], {}, "--no-such-flag"),
        (["--bootstrap", NOWHERE, "worker", "--instance-id", "a b"], {}, "--instance-id"),
        (["worker"], {"STREAM_REC_WORKER_BATCH_EVENTS": "0"}, "STREAM_REC_WORKER_BATCH_EVENTS"),
        (["embedder"], {"STREAM_REC_EMBEDDER_COLOUR": "red"}, "STREAM_REC_EMBEDDER_COLOUR"),
    ],
)
def test_a_wrong_flag_or_setting_is_named(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], named: str
) -> None:
    """A wrong call ends with exit code 2 before anything starts, and the message names what is wrong."""
    ended = command(*arguments, cwd=tmp_path, **environ)

    assert ended.returncode == 2
    assert named in ended.stderr
