"""API keys: who may do what. A file holds their digests, never the keys."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import SettingsError

Scope = Literal["read", "write", "admin"]
"""read: lists. write: events. admin: items, rules and erasure."""
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Label = Annotated[str, Meta(min_length=1, max_length=100)]


class ApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key."""

    name: Label
    """For logs and metrics: whose it is."""
    sha256: Digest
    """Of the key's UTF-8 bytes, as `printf %s KEY | sha256sum` prints it."""
    scopes: Annotated[list[Scope], Meta(min_length=1)]


class _File(Struct, forbid_unknown_fields=True):
    key: Annotated[list[ApiKey], Meta(min_length=1)]


class ApiKeys:
    """All keys of one service."""

    def __init__(self, keys: list[ApiKey]) -> None:
        self._keys = keys

    def find(self, secret: str) -> ApiKey | None:
        """Return the key that is written so, None for an empty text. Takes the same time whichever it is."""
        if not secret:
            return None
        digest = hashlib.sha256(secret.encode()).hexdigest()
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, digest)]
        return found[0] if found else None


def read_keys(file: Path) -> ApiKeys:
    """Return the keys in a TOML file, one `[[key]]` each.

    Raises:
        SettingsError: it cannot be read, or is not as it should be.
    """
    try:
        found = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"serve.keys_file={file}: {error}; expected [[key]] with name, sha256 and scopes, see docs/guides/http.md"
        ) from error
    if any(key.sha256 == _OF_NOTHING for key in found.key):
        raise SettingsError(f"serve.keys_file={file}: the digest of an empty key; was the variable set?")
    return ApiKeys(found.key)


_OF_NOTHING = hashlib.sha256(b"").hexdigest()
