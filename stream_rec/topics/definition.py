"""A topic as ``topics/*.toml`` defines it, and all topics that one pipeline needs."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from stream_rec.config import Settings
from stream_rec.errors import FileProblem
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.package_data import find_folder

FOLDER = find_folder("topics")
"""The TOML files and ``schemas/``."""

BINARY = "binary"
"""In place of a schema's name: an internal format that only this program reads."""

UNIT_MS = {"h": 3_600_000, "d": 86_400_000}
WEEK_MS = 7 * UNIT_MS["d"]


class TopicSpec(Struct, frozen=True):
    """A topic as the broker should have it."""

    name: str
    """Full name, with prefix."""
    partitions: int
    replication_factor: int
    config: dict[str, str]
    """What is set on the topic itself. Everything else is left to the brokers' defaults."""


class TopicDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One topic, without prefix. Partitions and replicas are the same for all topics: they are settings."""

    name: str
    description: str
    key: str
    """What the record's key is, in words."""
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    """Empty: nothing reads it yet."""
    cleanup: Literal["delete", "compact"]
    retention: str = ""
    """How long a ``delete`` topic keeps a record, counted from its arrival: ``7d``, ``12h``."""
    schema: str
    """File in ``topics/schemas/``, or ``binary``."""
    config: dict[str, str | int | float] = {}

    def __post_init__(self) -> None:
        if (self.cleanup == "delete") != bool(self.retention):
            raise ValueError('a topic has a `retention` if and only if its `cleanup` is "delete"')
        if self.retention and not re.fullmatch(r"[1-9][0-9]{0,5}[hd]", self.retention):
            raise ValueError(f'`retention` is hours or days, as in "12h" or "7d", came {self.retention!r}')

    @property
    def is_binary(self) -> bool:
        """Whether only this program can read it."""
        return self.schema == BINARY

    @property
    def retention_ms(self) -> int | None:
        """How long a record is kept; None for a compacted topic, which keeps the last per key."""
        return int(self.retention[:-1]) * UNIT_MS[self.retention[-1]] if self.retention else None

    def spec(self, kafka: KafkaSettings) -> TopicSpec:
        """Return the topic as a broker should have it under ``kafka``."""
        config: dict[str, str] = {"cleanup.policy": self.cleanup}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        config |= {key: str(value) for key, value in self.config.items()}
        return TopicSpec(kafka.topic(self.name), kafka.partitions, kafka.replication_factor, config)


def all_topics(settings: Settings) -> list[TopicSpec]:
    """Return every topic that a pipeline with these settings needs: those of ``topics/`` and the tables' changelogs."""
    return [topic.spec(settings.kafka) for topic in [*load(), *changelogs(settings.worker.app_id)]]


@cache
def load(folder: Path = FOLDER) -> tuple[TopicDefinition, ...]:
    """Return the topics defined in ``folder``, by name.

    Raises:
        FileProblem: the folder is not there, or a file in it is no topic definition.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise FileProblem(f"no topic definitions in {folder}: copy the whole repository, or install the wheel")
    return tuple(_read(file) for file in files)


def changelogs(app_id: str) -> tuple[TopicDefinition, ...]:
    """Return the topics that the worker's tables are rebuilt from, as Faust names and partitions them."""
    return tuple(
        TopicDefinition(
            name=f"{app_id}-{table}-changelog",
            description=f"The worker's table {table} is rebuilt from it. Internal: never write to it.",
            key=key,
            written_by=(writer,),
            read_by=("worker",),
            cleanup="compact",
            schema=BINARY,
            config=CHANGELOG_CONFIG,
        )
        for table, key, writer in (("user-state", "user_id", "user stage"), ("item-state", "item_id", "item stage"))
    )


CHANGELOG_CONFIG: dict[str, str | int | float] = {
    # A worker that lost its disk reads all of it: keep it short. An active segment is never compacted.
    # Within the hour the next owner overwrites late writes of who had lost the partition: runtime/changelog_writer.py.
    "min.compaction.lag.ms": UNIT_MS["h"],
    "message.timestamp.type": "LogAppendTime",
    "min.cleanable.dirty.ratio": 0.2,
    "segment.bytes": 64 * 1024 * 1024,
    # A worker that was down for longer than this keeps what was deleted meanwhile: it must then drop its data_dir.
    "delete.retention.ms": WEEK_MS,
    # Of a deleted user the bytes, too, are gone about a day later.
    "max.compaction.lag.ms": UNIT_MS["d"],
}


def _read(file: Path) -> TopicDefinition:
    try:
        topic = msgspec.toml.decode(file.read_bytes(), type=TopicDefinition)
    except (OSError, ValueError, RecursionError) as error:  # among them msgspec.DecodeError, and no UTF-8
        raise FileProblem(f"{file} is no topic definition: {error}") from error
    if topic.name != file.stem:
        raise FileProblem(f"{file} defines the topic {topic.name!r}: call the file {topic.name}.toml")
    return topic
