"""The bookmark: how far the topics are in a target, kept in the target itself and changed with what it is about.

A topic is read from its beginning once, and then from its bookmark on: every record before it is in the target, or was
overwritten or deleted by a later one. It is read from its beginning again, as a new generation, where the bookmark says
nothing of the topic as it is now:

- the topic was deleted and made again: Kafka gives it another id then;
- the log begins behind the bookmark, or ends before it;
- for so long nobody has seen the end of a partition that the broker may have dropped deletions which were not read.

What the generation before has left in the target stays until the new one is read to its end, and goes then.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import NewerVersion, StateVersionError

VERSION = 1
MOST_AGE_MS = 6 * 86_400_000
"""The topics keep deletions for 7 days (``delete.retention.ms``), after which who has not read them never hears."""

Count = Annotated[int, Meta(ge=0)]


class Reached(Struct, array_like=True, frozen=True):
    """How far one partition is in the target."""

    next_offset: Count
    current_ms: int
    """The last time that this was the end of the partition, as far as is known; at first when reading it began."""


class Reading(Struct, frozen=True):
    """How far one topic is in the target."""

    topic_id: str
    """What the cluster calls the topic; empty where it does not say."""
    generation: Count
    """How often it was begun, from 1."""
    is_whole: bool
    """Whether all that was there when it was begun has been read, and what earlier generations left is gone."""
    partitions: dict[int, Reached]


class Bookmark(Struct, frozen=True):
    """How far all topics are in the target."""

    readings: dict[str, Reading]
    """By the topic's full name."""
    version: int = VERSION


class Partition(NamedTuple):
    """One partition of a topic, by the topic's full name."""

    topic: str
    number: int


class Extent(NamedTuple):
    """Where a partition's log begins and ends: the offset of its first record, and the one after its last."""

    begin: int
    end: int


class Topic(NamedTuple):
    """What the broker says of a topic."""

    topic_id: str
    """Empty where the broker is too old to say."""
    extents: dict[int, Extent]
    """By partition."""


def encode(bookmark: Bookmark) -> bytes:
    """Return a bookmark as it stands in a target: a line of JSON."""
    return msgspec.json.encode(bookmark)


def decode(stored: bytes) -> Bookmark:
    """Return the bookmark that a target holds.

    Raises:
        NewerVersion: a newer program wrote it.
        StateVersionError: it is no bookmark.
    """
    try:
        version = msgspec.json.decode(stored, type=_Versioned).version
        if version > VERSION:
            raise NewerVersion(f"the target's bookmark has version {version}, this program reads {VERSION}: update it")
        return msgspec.json.decode(stored, type=Bookmark)
    except msgspec.MsgspecError as error:
        raise StateVersionError(
            f"what the target holds as the sink's bookmark is none ({error}): delete it, and all lists are read anew"
        ) from error


def begin(topic: Topic, generation: int, now_ms: int) -> Reading:
    """Return a topic of which nothing is read yet."""
    reached = {number: Reached(extent.begin, now_ms) for number, extent in topic.extents.items()}
    return Reading(topic.topic_id, generation, False, reached)


def find_why_anew(reading: Reading, topic: Topic, now_ms: int) -> str:
    """Return in words why a topic has to be read from its beginning again; "" where it goes on.

    Args:
        topic: As it is now.
    """
    if reading.topic_id != topic.topic_id:
        return f"it is topic {topic.topic_id} now, and was {reading.topic_id}"
    if gone := reading.partitions.keys() - topic.extents.keys():
        return f"partition {min(gone)} is gone"
    for number, reached in reading.partitions.items():
        extent = topic.extents[number]
        if not extent.begin <= reached.next_offset <= extent.end:
            return f"partition {number} has {extent.begin} to {extent.end}, the bookmark is {reached.next_offset}"
        if abs(now_ms - reached.current_ms) > MOST_AGE_MS:
            days = (now_ms - reached.current_ms) / 86_400_000
            return f"partition {number} was last read to its end {days:.1f} days ago: deletions may be missing"
    return ""


def go_on(reading: Reading, topic: Topic, now_ms: int) -> Reading:
    """Return a topic that is read on from its bookmark: partitions that it did not have before begin."""
    added = {
        number: Reached(extent.begin, now_ms)
        for number, extent in topic.extents.items()
        if number not in reading.partitions
    }
    return msgspec.structs.replace(reading, partitions=reading.partitions | added) if added else reading


class _Versioned(Struct):
    version: int
