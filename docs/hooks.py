"""What mkdocs does besides: pages that live at the root of the repository are pages of the site too.

GitHub shows CHANGELOG, CONTRIBUTING and SECURITY where they are. Links between them and the pages in `docs/` are
written as the repository has them, and lead on the site to the page's place there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
AT_THE_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that live at the root of the repository."""
    for name in AT_THE_ROOT:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between the root and `docs/` into links within the site."""
    if page.file.src_uri in AT_THE_ROOT:
        return re.sub(r"\]\(docs/", "](", markdown)
    up = "../" * page.file.src_uri.count("/")
    names = "|".join(map(re.escape, AT_THE_ROOT))
    return re.sub(rf"\]\({re.escape(up)}\.\./({names})", rf"]({up}\1", markdown)
