"""Topics followed by a thread of its own, which begins anew whenever reading ends, and says how it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.reachable import require_answering
from stream_rec.client.reader import TopicReader
from stream_rec.errors import StreamRecError
from stream_rec.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Between the end of one try and the next."""
QUIET_S = 3.0
"""After so long without a record the broker is asked whether it is there."""
ANSWER_S = 2.0
JOIN_S = 12.0


class Following:
    """Every record of some topics, from the first to the present and on."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Sequence[str],
        take: Callable[[ConsumerRecord, bool], None],
        *,
        newest: int | None = None,
        begin: Callable[[], None] = lambda: None,
        probes: bool = False,
    ) -> None:
        """Say what; ``start`` begins to read.

        Args:
            topics: Names without prefix.
            take: Takes each record, in this thread, and whether it came while we followed.
            newest: As of ``TopicReader``.
            begin: Called before all is read again.
            probes: Whether the broker is asked whether it is there when nothing comes.
        """
        self._kafka, self._topics, self._newest = kafka, topics, newest
        self._take, self._begin, self._probes = take, begin, probes
        self._is_closed = threading.Event()
        self._trouble = f"reading {', '.join(topics)} from the beginning"
        self._thread = threading.Thread(target=self._run, name=f"following-{topics[0]}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def find_trouble(self) -> str:
        """Return in words why what is known may be old; "" when it is not."""
        return self._trouble

    def close(self) -> None:
        """Stop reading."""
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._is_closed.is_set():
            try:
                self._read()
            except Exception as error:  # whatever it is, the dashboard goes on and says so
                self._trouble = str(error) if isinstance(error, StreamRecError) else f"{type(error).__name__}: {error}"
                log.warning("following_begins_anew topics=%s why=%s", ",".join(self._topics), self._trouble[:200])
                self._is_closed.wait(PAUSE_S)

    def _read(self) -> None:
        reader = TopicReader(self._kafka, *self._topics, newest=self._newest)
        try:
            self._begin()
            heard_s = time.monotonic()
            while not self._is_closed.is_set():
                was_ready = reader.is_ready
                records = reader.poll(0.2)
                for record in records:
                    self._take(record, was_ready)
                now_s = time.monotonic()
                if records:
                    heard_s = now_s
                elif self._probes and now_s - heard_s > QUIET_S:
                    self._ask_broker()
                    heard_s = time.monotonic()
                    continue
                if reader.is_ready and (records or not was_ready or not self._probes):
                    self._trouble = ""
        finally:
            reader.close()

    def _ask_broker(self) -> None:
        """Say whether the broker is there."""
        try:
            require_answering(self._kafka, ANSWER_S)
            self._trouble = ""
        except StreamRecError as error:
            self._trouble = str(error)
