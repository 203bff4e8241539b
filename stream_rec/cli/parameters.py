"""What a person may type on the command line that is more than a word or a number."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

from stream_rec.events.rejected import Origin
from stream_rec.operations.rejections import origin_of
from stream_rec.topics.definition import load

UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class OriginParam(click.ParamType):
    """Where a record stands: ``views/0/17``, or ``views[0]@17`` as in logs."""

    name = "ORIGIN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Origin:
        """Return the origin."""
        try:
            return value if isinstance(value, Origin) else origin_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType):
    """A time: ``2h`` ago, or an ISO 8601 date and time, in UTC unless it says otherwise."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return milliseconds since 1970."""
        if isinstance(value, int):
            return value
        if ago := re.fullmatch(r"(\d{1,9})([smhd])", value, re.ASCII):
            return max(0, time.time_ns() // 1_000_000 - int(ago[1]) * UNIT_MS[ago[2]])
        try:
            moment = datetime.fromisoformat(value)
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; expected 30m, 2h or 7d ago, or 2026-01-31T12:00", param, ctx)


class TopicParam(click.ParamType):
    """The name of one of our topics, without prefix."""

    name = "TOPIC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        names = [definition.name for definition in load()]
        if value not in names:
            self.fail(f"there is no topic {value!r}; expected one of {', '.join(names)}, without prefix", param, ctx)
        return str(value)
