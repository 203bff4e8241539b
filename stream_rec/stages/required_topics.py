"""What a process needs of the broker's topics before it starts."""

from __future__ import annotations

from stream_rec.config import Settings
from stream_rec.errors import TopicMismatch
from stream_rec.topics import admin

FATAL = frozenset({"topic", "partitions", "cleanup.policy", "message.timestamp.type"})


def require_topics(settings: Settings) -> dict[str, str]:
    """Return the topics' ids when all are there and fit; with one missing a process would wait for it for ever.

    Raises:
        TopicMismatch: they do not; the message lists every difference that matters.
    """
    examined = admin.examine(settings)
    fatal = [difference for difference in examined.differences if difference.what in FATAL]
    if fatal:
        raise TopicMismatch("\n".join(["topics are not as needed:", *(f"  {difference}" for difference in fatal)]))
    return examined.topic_ids
