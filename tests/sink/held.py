"""What a Redis or a PostgreSQL holds of lists, read as an app would read it."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from stream_rec.sink_settings import SinkSettings

TOPICS = ("recommendations", "surfaces")


class Store(Protocol):
    """A target from an app's side."""

    settings: SinkSettings
    """Those of a sink that writes there."""

    def held(self) -> dict[tuple[str, str], bytes]:
        """Return what it holds, by topic and user."""

    def forget_all(self) -> None:
        """Lose everything, bookmark and all, as a Redis without a disk does."""

    def drop(self, topic: str, user_id: str) -> None:
        """Lose one value, with nobody knowing."""

    def put(self, topic: str, user_id: str, value: bytes) -> None:
        """Put a value that no sink has put."""

    def close(self) -> None: ...


class RedisStore:
    """Lists under keys."""

    def __init__(self, settings: SinkSettings) -> None:
        import redis

        self.settings = settings
        self.client = redis.Redis.from_url(settings.url, password=settings.password)

    def held(self) -> dict[tuple[str, str], bytes]:
        prefix = self.settings.prefix
        found = {}
        for key in self.client.scan_iter(match=f"{prefix}*", count=10_000):
            topic, _, user_id = key.decode().removeprefix(prefix).partition(":")
            if topic in TOPICS and (value := self.client.get(key)) is not None:
                found[topic, user_id] = value
        return found

    def forget_all(self) -> None:
        for key in self.client.scan_iter(match=f"{self.settings.prefix}*"):
            self.client.delete(key)

    def drop(self, topic: str, user_id: str) -> None:
        assert self.client.delete(f"{self.settings.prefix}{topic}:{user_id}") == 1

    def put(self, topic: str, user_id: str, value: bytes) -> None:
        self.client.set(f"{self.settings.prefix}{topic}:{user_id}", value)

    def close(self) -> None:
        self.client.close()


class PostgresqlStore:
    """Lists in rows."""

    def __init__(self, settings: SinkSettings) -> None:
        import psycopg

        self.settings = settings
        self.connection = psycopg.connect(settings.url, password=settings.password, autocommit=True)

    def held(self) -> dict[tuple[str, str], bytes]:
        if self.ask("SELECT to_regclass(%s)", self.settings.table) == [(None,)]:
            return {}
        rows = self.ask(f"SELECT topic, user_id, value FROM {self.settings.table}")
        return {(topic, user_id): value.encode() for topic, user_id, value in rows}

    def forget_all(self) -> None:
        self.ask(f"TRUNCATE {self.settings.table}, {self.settings.table}_bookmark")

    def drop(self, topic: str, user_id: str) -> None:
        self.ask(f"DELETE FROM {self.settings.table} WHERE topic = %s AND user_id = %s", topic, user_id)

    def put(self, topic: str, user_id: str, value: bytes) -> None:
        self.ask(
            f"INSERT INTO {self.settings.table} VALUES (%s, %s, null, now(), '[]', %s, 0)",
            topic,
            user_id,
            value.decode(),
        )

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a statement gives."""
        cursor = self.connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self.connection.close()


def new_store(settings: SinkSettings) -> RedisStore | PostgresqlStore:
    """Return what an app would open to read what a sink with these settings writes."""
    return (RedisStore if urlsplit(settings.url).scheme == "redis" else PostgresqlStore)(settings)
