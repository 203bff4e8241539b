"""Redis as a target: each list is the JSON of its record, under a key of its own.

``<prefix>recommendations:<user_id>`` and ``<prefix>surfaces:<user_id>``; the default list has the user ``*``. The
bookmark is ``<prefix>sink:bookmark``. Every change is one MULTI that WATCHes the bookmark, so that it is done whole or
not at all; a Redis that loses what it did last, as at a power cut or a failover, loses the bookmark with it.

A generation that is not whole keeps the ids that it has put in the set ``<prefix>sink:seen:<topic>``: what is not in
there when it is read to its end is left from earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, WatchError
from redis.retry import Retry

from stream_rec.errors import SettingsError, TargetUnavailable
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.sink.target import BookmarkChanged, Change, Turn
from stream_rec.sink_settings import SinkSettings

SCAN_KEYS = 1_000
"""Keys that one call looks at."""
CLIENT_NAME = "stream-rec-sink"
_GLOB = re.compile(rb"[\\*?\[\]^-]")


class RedisTarget:
    """One Redis, 6.2 or newer, that is no cluster."""

    def __init__(self, settings: SinkSettings) -> None:
        """Describe it; nothing connects yet.

        Raises:
            SettingsError: the URL cannot be read.
        """
        self._settings = settings
        self._prefix = settings.prefix.encode()
        self._bookmark = self._prefix + b"sink:bookmark"
        self._client = self._new_client()

    def open(self) -> None:
        """Connect; there is nothing to be made.

        Raises:
            SettingsError: the URL has an option that is none.
        """
        self.close()
        self._client = self._new_client()
        with _asking():
            try:
                self._client.ping()
            except TypeError as error:  # of the connection, which is made now
                raise SettingsError(f"sink.url cannot be used: {error}") from error

    def read_bookmark(self) -> bytes | None:
        """Return the bookmark; None where there is none yet."""
        with _asking():
            stored = self._client.get(self._bookmark)
        return stored.encode() if isinstance(stored, str) else stored

    def begin(self, topic: str, turn: Turn) -> None:
        """Forget which ids a generation before has put."""
        with self._turning(turn) as pipeline:
            pipeline.unlink(self._seen(topic))
            pipeline.set(self._bookmark, turn.after)

    def write(self, changes: Sequence[Change], turn: Turn) -> None:
        """Put and delete values with the bookmark."""
        with self._turning(turn) as pipeline:
            for change in changes:
                key = self._key(change.topic, change.user_id.encode())
                if change.value is None:
                    pipeline.unlink(key)
                else:
                    pipeline.set(key, change.value, ex=self._ttl_s(change.user_id))
                if not change.is_whole:
                    mark = pipeline.srem if change.value is None else pipeline.sadd
                    mark(self._seen(change.topic), change.user_id)
            pipeline.set(self._bookmark, turn.after)

    def sweep(self, topic: str, generation: int, turn: Turn) -> None:
        """Delete the keys that this generation has not put: one look through all that Redis holds."""
        begins_with = self._key(topic, b"")
        pattern, seen, cursor = _GLOB.sub(rb"\\\g<0>", begins_with) + b"*", self._seen(topic), 0
        while True:
            with _asking():
                cursor, keys = self._client.scan(cursor, match=pattern, count=SCAN_KEYS)
                users = [key[len(begins_with) :] for key in keys]
                known = self._client.smismember(seen, users) if users else ()
            if gone := [key for key, is_seen in zip(keys, known, strict=True) if not is_seen]:
                with self._turning(turn) as pipeline:
                    pipeline.unlink(*gone)
            if not cursor:
                break
        with self._turning(turn) as pipeline:
            pipeline.unlink(seen)
            pipeline.set(self._bookmark, turn.after)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    @contextmanager
    def _turning(self, turn: Turn) -> Iterator[Any]:
        """Queue what is done at once, if the bookmark still is what it was before the turn."""
        with _asking(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.watch(self._bookmark)  # type: ignore[no-untyped-call]
            if pipeline.get(self._bookmark) != turn.before:
                raise BookmarkChanged
            pipeline.multi()
            yield pipeline
            pipeline.execute()

    def _new_client(self) -> redis.Redis:
        settings = self._settings
        try:
            return redis.Redis.from_url(
                settings.url,
                password=settings.password or None,
                socket_timeout=settings.timeout_s,
                socket_connect_timeout=settings.timeout_s,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 0),  # who tries again has to read the bookmark first
                client_name=CLIENT_NAME,
            )
        except ValueError as error:
            raise SettingsError(f"sink.url cannot be used: {error}") from error

    def _key(self, topic: str, user_id: bytes) -> bytes:
        return b"%s%s:%s" % (self._prefix, topic.encode(), user_id)

    def _seen(self, topic: str) -> bytes:
        return b"%ssink:seen:%s" % (self._prefix, topic.encode())

    def _ttl_s(self, user_id: str) -> int | None:
        return self._settings.ttl_s or None if user_id != DEFAULT_LIST else None


@contextmanager
def _asking() -> Iterator[None]:
    """Have what goes wrong say so in our words."""
    try:
        yield
    except WatchError as error:
        raise BookmarkChanged from error
    except (RedisError, OSError) as error:
        raise TargetUnavailable(f"Redis does not do it: {type(error).__name__}: {error}") from error
