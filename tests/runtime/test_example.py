"""The runtime serves another job: words are counted exactly once on it, whoever is killed, without the recommender."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from stream_rec.client.reader import TopicReader
from stream_rec.kafka_settings import KafkaSettings
from tests.command import CLEAN

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = str(REPOSITORY / "examples" / "count_words.py")
ENVIRON = CLEAN | {"PYTHONPATH": str(REPOSITORY)}
OUTSIDE = {"events", "kafka_settings", "login_logs", "errors", "addresses", "stop_signals", "private_folder"}
"""What the runtime needs besides itself."""
N_LINES = 20_000
N_KEYS = 20
WITHIN_S = 120.0


def new_topics(kafka: KafkaSettings) -> None:
    """Make what the example needs."""
    names = {"lines": {}, "word-counts": {}, "counter-words-changelog": {"cleanup.policy": "compact"}}
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(kafka.topic(n), kafka.partitions, 1, topic_configs=c) for n, c in names.items()])
    admin.close()


def write_lines(kafka: KafkaSettings) -> dict[bytes, Counter[str]]:
    """Write lines of three words, and return what each key's counts must come to."""
    truth: dict[bytes, Counter[str]] = defaultdict(Counter)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number in range(N_LINES):
        key, words = b"k%d" % (number % N_KEYS), [f"w{number * factor % 7}" for factor in (1, 2, 3)]
        truth[key].update(words)
        producer.send(kafka.topic("lines"), " ".join(words).encode(), key=key)
    producer.flush()
    producer.close()
    return truth


@contextmanager
def counting(kafka: KafkaSettings, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the example; at the end it is killed, as by a power cut."""
    command = [sys.executable, EXAMPLE, kafka.bootstrap, kafka.topic_prefix, str(directory)]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, env=ENVIRON, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.kafka
def test_words_are_counted_exactly_once_through_a_kill(bootstrap: str, tmp_path: Path):
    """`kill -9` in the middle of a backlog; the next process goes on, and every count is exact."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:10]}-")
    new_topics(kafka)
    truth = write_lines(kafka)
    counts: dict[bytes, dict[str, int]] = {}
    reader = TopicReader(kafka, "word-counts")

    def read_until(is_enough: int, process: subprocess.Popen[bytes]) -> int:
        """Return how many words are counted, once there are as many."""
        deadline = time.monotonic() + WITHIN_S
        while (n_words := sum(sum(words.values()) for words in counts.values())) < is_enough:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
            for record in reader.poll(0.05):
                counts[record.key] = msgspec.json.decode(record.value)
        return n_words

    with counting(kafka, tmp_path) as process:
        assert read_until(1, process) < 3 * N_LINES
    with counting(kafka, tmp_path) as process:
        read_until(3 * N_LINES, process)
    reader.close()

    assert counts == truth


def test_the_example_is_all_it_says():
    """It imports the runtime and where Kafka is, and nothing of the recommender."""
    code = f"import runpy, sys; runpy.run_path({EXAMPLE!r}); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], env=ENVIRON, capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in ran.stdout.split() if name.startswith("stream_rec.")}

    assert rooms == OUTSIDE | {"runtime"}
