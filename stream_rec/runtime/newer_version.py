"""What a newer program wrote: this one ends instead of guessing."""

from __future__ import annotations

import logging
from typing import NoReturn

from stream_rec.errors import NewerVersion

log = logging.getLogger(__name__)


def refuse_newer_version(at: object, why: object) -> NoReturn:
    """End the process, and say why where a person looks.

    Args:
        at: Topic and partition, and key or offset.
        why: Which version was met, and what to do.

    Raises:
        NewerVersion: always.
    """
    log.error("refused_newer_version at=%s why=%s", at, why)
    raise NewerVersion(f"{at}: {why}") from (why if isinstance(why, Exception) else None)
