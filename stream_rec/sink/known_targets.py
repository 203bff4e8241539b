"""Which target a URL names; its library is imported then, and not before."""

from __future__ import annotations

from urllib.parse import urlsplit

from stream_rec.errors import SettingsError
from stream_rec.extras import needs_extra
from stream_rec.sink.target import Target
from stream_rec.sink_settings import REDIS, SinkSettings


def new_target(settings: SinkSettings) -> Target:
    """Return what ``url`` names; nothing connects yet.

    Raises:
        SettingsError: none is named, the extra is missing, or a setting does not go with it.
    """
    if not settings.url:
        raise SettingsError("sink.url is not set: say which Redis or PostgreSQL is to hold the lists")
    with needs_extra("sink"):
        if urlsplit(settings.url).scheme in REDIS:
            from stream_rec.sink.redis_target import RedisTarget

            return RedisTarget(settings)
        from stream_rec.sink.postgresql_target import PostgresqlTarget

        if settings.ttl_s:
            raise SettingsError("sink.ttl_s is for Redis: rows in PostgreSQL do not expire")
        return PostgresqlTarget(settings)
