"""What a command came to: a sentence for people, or with ``--json`` one object for programs."""

from __future__ import annotations

import json
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")


def answer(as_json: bool, text: str, **facts: Any) -> None:
    """Print one or the other to stdout.

    Args:
        facts: What the text says, by name.
    """
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else text)
