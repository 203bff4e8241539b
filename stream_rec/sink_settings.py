"""Settings of `stream-rec sink`, and what a target's URL may be."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta, Struct

from stream_rec.addresses import AddressError
from stream_rec.kafka_settings import hide_secrets
from stream_rec.names import Name

REDIS = ("redis", "rediss", "unix")
POSTGRESQL = ("postgresql", "postgres")
EXPECTED = "expected redis://host:6379/0, rediss://... with TLS, unix:///path, or postgresql://user@host/database"


class SinkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sink: a Redis or a PostgreSQL that is kept equal to users' lists."""

    url: str = ""
    """Of the target: redis://, rediss:// (TLS), unix:// or postgresql://, without a password."""
    password: str = ""
    """Of the user in url, where it asks for one; a secret: better as a variable than in a file."""
    prefix: Annotated[str, Meta(max_length=200)] = ""
    """Put before every key in Redis. Two pipelines in one Redis need one each."""
    ttl_s: Annotated[int, Meta(ge=0, le=2_000_000_000)] = 0
    """After so long without a new list a user's keys expire, in Redis; 0: never. The default list never does."""
    table: Annotated[str, Meta(pattern=r"^([a-z_][a-z0-9_]{0,48}\.)?[a-z_][a-z0-9_]{0,48}\Z")] = "stream_rec_lists"
    """In PostgreSQL, perhaps with its schema before it; made where it is missing, and TABLE_bookmark beside it."""
    batch_records: Annotated[int, Meta(ge=1, le=10_000)] = 500
    """Written at once, at most."""
    timeout_s: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    """How long the target may take for a batch; then it counts as down."""
    instance_id: Name = "sink-1"
    """Stable name of this process on the topic `status` and in metrics: each copy has its own."""

    def __repr__(self) -> str:
        """Show everything but the password: a repr ends in logs and tracebacks."""
        values = hide_secrets(msgspec.structs.asdict(self))
        return f"SinkSettings({', '.join(f'{key}={value!r}' for key, value in values.items())})"


def require_target(url: str) -> None:
    """Check that a URL, where there is one, is that of a target and holds no password. No message repeats it.

    Example:
        >>> require_target("redis://localhost:6379/0")

    Raises:
        AddressError: it is not, or does.
    """
    if not url:
        return
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise AddressError(f"{EXPECTED}: {error}") from error
    if split.password is not None or any("password" in name.lower() for name, _ in parse_qsl(split.query)):
        raise AddressError(
            "the URL holds a password, which would be shown with the settings: leave it out there, and give it as "
            "variable STREAM_REC_SINK_PASSWORD"
        )
    if split.scheme not in (*REDIS, *POSTGRESQL):
        raise AddressError(f"{EXPECTED}, came a URL that begins with {split.scheme!r}")
