"""Progress: bars on a terminal's stderr, and a line now and then where stderr is a file or a pipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY_S = 5.0
"""Between two looks at what went on, where it is said in lines."""


def show_progress(*columns: ProgressColumn, is_kept: bool = False) -> Progress:
    """Return progress bars with these columns; without a terminal they are lines.

    Args:
        is_kept: Leave the bars on the screen when the work is done.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        return Lines(*columns)
    return Progress(*columns, console=console, transient=not is_kept)


class Rate(TextColumn):
    """Steps per second of one task, unless its field ``has_rate`` is False."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing before there is one."""
        speed = task.fields.get("has_rate", True) and (task.finished_speed or task.speed)
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Lines(Progress):
    """Progress for a log file or a pipe: now and then a line for each task that went on, with its columns less bars.

    Nothing is said of what is done before the first line is due.
    """

    def __init__(
        self,
        *columns: ProgressColumn,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda line: click.echo(line, err=True),
    ) -> None:
        super().__init__(*columns, disable=True, get_time=clock)
        self._clock, self._say = clock, say
        self._due = clock() + LINE_EVERY_S
        self._said: dict[TaskID, str] = {}

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, and say how far all are if that is due."""
        super().update(task_id, **changes)
        self._say_what_is_due()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Take a task further, and say how far all are if that is due."""
        super().advance(task_id, advance)
        self._say_what_is_due()

    def _say_what_is_due(self) -> None:
        if self._clock() < self._due:
            return
        self._due = self._clock() + LINE_EVERY_S
        for task in self.tasks:
            if task.started and task.visible and (line := self._line(task)) != self._said.get(task.id):
                self._said[task.id] = line
                self._say(line)

    def _line(self, task: Task) -> str:
        parts = []
        for column in self.columns:
            if isinstance(column, (BarColumn, SpinnerColumn, TimeRemainingColumn)):
                continue
            text = column.format(task=task) if isinstance(column, str) else str(column.render(task))
            parts.append(text.strip())
        if task.time_remaining and not task.finished:
            parts.append(f"{timedelta(seconds=math.ceil(task.time_remaining))} left")
        return ", ".join(part for part in parts if part)
