"""A thread that follows topics: before it starts it says that nothing is known."""

from __future__ import annotations

from stream_rec.dashboard.following import Following
from stream_rec.kafka_settings import KafkaSettings


def test_before_it_starts_it_asks_nobody():
    """It needs no broker, and can be closed."""
    following = Following(KafkaSettings(bootstrap="127.0.0.1:1"), ["rules", "rejected"], lambda record, is_new: None)
    following.close()

    assert following.find_trouble() == "reading rules, rejected from the beginning"
