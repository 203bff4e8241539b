"""What is asked before a command begins. What a broker with ACLs says: ``tests/security/test_secured_pipeline.py``."""

from __future__ import annotations

import pytest

from stream_rec.errors import TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.permissions import require_permissions

pytestmark = pytest.mark.kafka


def test_missing_topics_are_named_with_the_remedy(bootstrap: str):
    """The full name is said, with prefix, once, and the command that creates it."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix="nobody-")

    with pytest.raises(TopicMismatch, match=r"nobody-views, nobody-clicks at .*`stream-rec topics create`"):
        require_permissions(kafka, read=["views", "clicks"], write=["clicks"])


def test_where_nobody_needs_permissions_all_may_do_all(kafka: KafkaSettings):
    """A broker without ACLs says so of each topic; a group that never was can be described."""
    require_permissions(
        kafka, read=["views"], write=["views"], describe=["items"], describe_configs=["items"], group=kafka.topic("g")
    )
