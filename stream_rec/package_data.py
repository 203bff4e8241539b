"""Where the files are that come with the program and are no Python: the topic definitions and the demo's log."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def find_folder(name: str) -> Path:
    """Return the repository's folder ``name`` (``topics``, ``examples/entree_chicago``), wherever this is installed.

    The repository's folders are the truth: people read and change the definitions there. setup.py copies them into the
    package, as ``stream_rec/data/NAME``, whenever a wheel is built, and MANIFEST.in puts them into the sdist, so that a
    wheel built from it has them too. A checkout and an editable install have no copy: there the package lies beside the
    folders themselves. No link is involved, for git makes a text file of it on Windows.

    The folder may be missing, if somebody copied ``stream_rec/`` alone: who reads it says so.
    """
    copied = _PACKAGE / "data" / name
    return copied if copied.is_dir() else _PACKAGE.parent / name
