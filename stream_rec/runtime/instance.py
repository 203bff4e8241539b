"""One live process for each instance id and data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_rec.errors import AlreadyRunning, SettingsError
from stream_rec.private_folder import make_private


@contextmanager
def held_directory(data_dir: str, instance_id: str) -> Iterator[Path]:
    """Hold ``data_dir/instance_id``, made where it is missing and shut to others, for as long as the context lasts.

    Raises:
        AlreadyRunning: a live process holds it.
        SettingsError: it cannot be made or written.
    """
    directory = Path(data_dir).absolute() / instance_id
    try:
        make_private(directory)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(
            f"data directory {directory} cannot be used: {error.strerror}; set another data_dir"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(
                f"process {holder} runs as instance {instance_id!r} on {directory}; "
                "stop it, or give this one another --instance-id"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield directory
    finally:
        os.close(lock)
