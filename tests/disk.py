"""What tests look for on a disk."""

from __future__ import annotations

from pathlib import Path


def holding(folder: Path, text: bytes) -> list[str]:
    """Return the files below a folder in which ``text`` stands."""
    found = []
    for file in folder.rglob("*"):
        try:
            if file.is_file() and text in file.read_bytes():
                found.append(str(file.relative_to(folder)))
        except FileNotFoundError:  # compacted away just now
            continue
    return found
