"""What tests of the SDK share."""

from __future__ import annotations

import pytest

from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics


@pytest.fixture
def kafka(bootstrap: str) -> KafkaSettings:
    """Topics of their own."""
    return fresh_topics(bootstrap)
