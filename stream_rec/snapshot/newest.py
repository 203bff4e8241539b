"""The newest value of each key of a topic, however large: kept on the disk while the topic is read."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import rocksdict
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.reader import TopicReader
from stream_rec.errors import StateVersionError
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.stall_timeout import StallTimeout
from stream_rec.runtime.changelog import Reading
from stream_rec.runtime.rocks import batch_of
from stream_rec.snapshot.sections import Portable, is_kept

BATCH_BYTES = 8 << 20


class Newest:
    """Values by key, in the order of keys."""

    def __init__(self, directory: Path) -> None:
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(16 << 20)
        self._db = rocksdict.Rdict(str(directory), options)
        self._batch: dict[bytes, bytes | None] = {}
        self._n_bytes = 0

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take the next value of a key; None deletes."""
        self._batch[key] = value
        self._n_bytes += len(key) + len(value or b"")
        if self._n_bytes >= BATCH_BYTES:
            self._write()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self._write()
        cursor = self._db.iter()
        cursor.seek_to_first()
        while cursor.valid():
            yield cursor.key(), cursor.value()
            cursor.next()

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def _write(self) -> None:
        self._db.write(batch_of(self._batch.items()))
        self._batch.clear()
        self._n_bytes = 0


@contextmanager
def read_newest(
    kafka: KafkaSettings, topic: str, portable: Portable, on_read: Callable[[int], None], *, is_changelog: bool
) -> Iterator[Newest]:
    """Give what a topic holds now, up to its end: of a changelog only the states that count, and no markers.

    Args:
        topic: Name without prefix.
        on_read: Called with how many records came; may raise to stop.

    Raises:
        BrokerUnavailable: it could not be read.
        TopicMismatch: there is no such topic.
        StateVersionError: what it holds is a newer program's.
    """
    readings: dict[int, Reading] = defaultdict(Reading)
    with (
        tempfile.TemporaryDirectory(prefix="stream-rec-") as folder,
        closing(Newest(Path(folder))) as values,
        closing(TopicReader(kafka, topic)) as reader,
    ):
        stall_timeout = StallTimeout(f"topic {reader.topic}")
        while not reader.is_ready:
            records = reader.poll(0.2)
            on_read(len(records))
            stall_timeout.check(reader.reached)
            for record in records:
                if record.key is None:
                    continue
                if is_changelog and not readings[record.partition].counts(record.key, record.value, record.headers):
                    continue
                if not is_kept(record.key):
                    continue
                if not is_changelog and partition_of(record.key, reader.n_partitions[reader.topic]) != record.partition:
                    continue  # rejected: it counts nowhere
                if record.value is None:
                    values.put(record.key, None)
                elif (value := _make_portable(portable, record)) is not None:
                    values.put(record.key, value)
        yield values


def _make_portable(portable: Portable, record: ConsumerRecord) -> bytes | None:
    try:
        return portable(record.key, record.value)
    except StateVersionError as error:
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        raise type(error)(f"{where}, key {record.key.decode(errors='backslashreplace')!r}: {error}") from error
