"""What a newer program wrote: this one ends instead of guessing."""

from __future__ import annotations

import logging

from stream_rec.errors import NewerVersion

log = logging.getLogger(__name__)


def refused(at: object, why: object) -> NewerVersion:
    """Return the error that ends the process, and say it where a person looks.

    Args:
        at: Topic and partition, and key or offset.
        why: Which version was met, and what to do.
    """
    log.error("refused_newer_version at=%s why=%s", at, why)
    return NewerVersion(f"{at}: {why}")
