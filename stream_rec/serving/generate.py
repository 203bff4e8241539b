"""Write ``topics/openapi.json`` again, as the service says it: `python -m stream_rec.serving.generate`.

Needs the extra ``serve``. The types of the TypeScript client follow from it: `python deploy/clients/generate.py`. Tests
fail where either differs from what is written now.
"""

from __future__ import annotations

import asyncio
import json

import httpx

from stream_rec.config import Settings
from stream_rec.events.slate import Slate
from stream_rec.serving.app import build_app
from stream_rec.serving.writer import Writer
from stream_rec.topics.definition import FOLDER


class NoLists:
    """Lists of nobody: the contract is the same whatever is in them."""

    def own(self, user_id: str) -> Slate | None:
        """Return that there is none."""
        return None

    def find_why_not_ready(self) -> str:
        """Return that all are there."""
        return ""

    def __len__(self) -> int:
        return 0


def generate() -> str:
    """Return the text of the file."""
    return json.dumps(asyncio.run(_ask_for_contract()), indent=1, ensure_ascii=False) + "\n"


async def _ask_for_contract() -> object:
    settings = Settings()
    writer = Writer(settings.kafka, 1.0, record_bytes=1)  # never started
    app = httpx.ASGITransport(build_app(NoLists(), writer, None, settings))
    async with httpx.AsyncClient(transport=app, base_url="http://localhost") as client:
        return (await client.get("/v1/openapi.json")).json()


def main() -> None:
    """Write the file, and print its name if it changed."""
    file, text = FOLDER / "openapi.json", generate()
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
        print(f"wrote {file.resolve()}")


if __name__ == "__main__":
    main()
