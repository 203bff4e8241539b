"""A file of rules: one JSON object per line, as on the topic ``rules``."""

from __future__ import annotations

import json
from typing import IO

import click

from stream_rec.events import validate
from stream_rec.events.rule import Rule
from stream_rec.events.validate import InputLimits, Rejection

MOST_BYTES = 1 << 26


def read_rules(file: IO[bytes], limits: InputLimits, *, option: str) -> list[Rule]:
    """Return the rules of a file, at least one, each of them good; empty lines are left out.

    Args:
        option: What the file was given as, for the message.

    Raises:
        click.BadParameter: a line is no rule, or there is none.
    """
    rules = []
    for number, line in enumerate(file.read(MOST_BYTES).splitlines(), start=1):
        if line.strip():
            rule = validate.rule(_find_key(line), line, limits=limits)
            if isinstance(rule, Rejection):
                raise click.BadParameter(f"line {number}: {rule.reason}: {rule.detail}", param_hint=option)
            rules.append(rule)
    if not rules:
        raise click.BadParameter("no rules in it: give one JSON object per line", param_hint=option)
    return rules


def _find_key(line: bytes) -> bytes | None:
    """Return the key that the rule's record has: its id."""
    try:
        named = json.loads(line)
        return str(named["rule_id"]).encode() if isinstance(named, dict) and "rule_id" in named else None
    except (ValueError, RecursionError):  # a lone surrogate is a ValueError too
        return None
