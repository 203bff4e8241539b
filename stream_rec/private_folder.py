"""Folders that only their owner can look into: what users did lies in them, in the clear."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

log = logging.getLogger(__name__)

OWNER_ONLY = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; shut others out of one that is there.

    One that belongs to somebody else stays as it is, with a warning.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder, *folder.parents]
    for part in reversed(missing[: next(place for place, part in enumerate(missing) if part.exists())]):
        part.mkdir(mode=OWNER_ONLY, exist_ok=True)
    shut_others_out(folder)


def shut_others_out(path: Path) -> None:
    """Take the permissions of all others on a file or folder away, and say so; warn where it is not ours to do."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & OTHERS:
        return
    try:
        path.chmod(mode & ~OTHERS)
        log.info("made_private path=%s mode_was=%o", path, mode)
    except OSError as error:
        log.warning("others_can_look_into path=%s mode=%o why=%s", path, mode, error.strerror)
