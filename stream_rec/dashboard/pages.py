"""The page's own files, read once at the start: they lie in the package, and nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from stream_rec.errors import FileProblem

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
"""What is served, by how its name ends; texts are UTF-8."""
INDEX = "index.html"


class PageFile(NamedTuple):
    """One file."""

    body: bytes
    media_type: str
    etag: str


def read_pages(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Return all files by their path in ``folder``.

    Raises:
        FileProblem: they are not there.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in TYPES and path.is_file():
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            found[path.relative_to(folder).as_posix()] = PageFile(body, TYPES[path.suffix], etag)
    if INDEX not in found:
        raise FileProblem(f"the dashboard's page is not in {folder}: install the whole package")
    return found
