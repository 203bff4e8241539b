"""A lock between processes: a file that one of them holds at a time. It ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from stream_rec.private_folder import make_private

log = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(lock: Path, *, waiting_for: str) -> Iterator[None]:
    """Hold ``lock`` while the block runs; a second caller waits, and says for what."""
    if not lock.parent.exists():
        make_private(lock.parent)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting_for_another_process for=%s lock=%s", waiting_for, lock)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
