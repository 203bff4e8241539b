"""Where a list goes on: a cursor names what was shown, so that nothing is shown twice however much changes meanwhile.

It is in the client's hands, and any copy of the service can read it. An item is named by 4 bytes of its id: in a
thousand items and a million others one page in four misses one of those.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MOST = 1000
"""Items that a cursor names: a list ends there. It is 5,336 characters long then."""
_VERSION = b"\1"
_SIGN_BYTES = 4


def sign_of(item_id: str) -> int:
    """Return what a cursor names an item by."""
    return zlib.crc32(item_id.encode())


def encode(shown: Iterable[int]) -> str | None:
    """Return the cursor behind items with these signs; None behind as many as there may be."""
    signs = np.array(list(shown), dtype="<u4")
    if len(signs) >= MOST:
        return None
    return base64.urlsafe_b64encode(_VERSION + signs.tobytes()).decode().rstrip("=")


def decode(cursor: str) -> NDArray[np.uint32]:
    """Return the signs of what was shown, (s,).

    Raises:
        ValueError: this is no cursor of ours.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError(f"no base64: {error}") from error
    if data[:1] != _VERSION or len(data) % _SIGN_BYTES != 1 or len(data) > 1 + MOST * _SIGN_BYTES:
        raise ValueError(f"no cursor: {len(data)} bytes that begin with {data[:1].hex() or 'nothing'}")
    return np.frombuffer(data, "<u4", offset=1).astype(np.uint32)
