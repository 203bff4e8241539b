"""Lists that are followed: before they are opened nothing is known."""

from __future__ import annotations

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.serving.lists import FollowedLists


def test_before_they_are_opened_there_are_none():
    """They say why, need no broker, and can be closed."""
    lists = FollowedLists(KafkaSettings(bootstrap="127.0.0.1:1"))

    assert (lists.own("ann"), len(lists)) == (None, 0)
    assert lists.find_why_not_ready() == "reading recommendations from the beginning"
    lists.close()
