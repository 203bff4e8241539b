"""A Kafka for a test session: the one that is named, else one of its own that is gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.client.reachable import require_answering
from stream_rec.config import Settings, load
from stream_rec.kafka_settings import KafkaSettings


@contextmanager
def kafka_broker(environ: Mapping[str, str] = os.environ, *, docker: bool = False) -> Iterator[str]:
    """Give the address of a Kafka that answers: $KAFKA_BOOTSTRAP, else an empty one, stopped and removed at the end.

        @pytest.fixture(scope="session")
        def bootstrap():
            with kafka_broker() as address:
                yield address

    Args:
        environ: Where $KAFKA_BOOTSTRAP and STREAM_REC_BROKER_* (heap_mb, kafka_version, image) are looked up.
        docker: Start a container with testcontainers, whatever $KAFKA_BOOTSTRAP says.

    Raises:
        BrokerUnavailable: none could be started, or the named one does not answer.
    """
    if not docker and (named := environ.get("KAFKA_BOOTSTRAP", "")):
        require_answering(KafkaSettings(bootstrap=named))
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="stream-rec-kafka-", ignore_cleanup_errors=True) as data_dir:
        broker = msgspec.structs.replace(
            load(environ=environ).broker, data_dir=data_dir, port=0, preferred_port=0, controller_port=0
        )
        try:
            yield start_broker(Settings(broker=broker), {}, docker=docker).bootstrap
        finally:
            stop_broker(broker, keeps_data=False)
            if docker:
                from stream_rec.broker.docker import remove_volume

                remove_volume(Path(data_dir))
