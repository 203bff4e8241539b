"""Logging of the commands: one line a fact, and no flood where a library repeats itself."""

from __future__ import annotations

import logging
import sys
import time

from stream_rec.errors import StreamRecError
from stream_rec.telemetry.json_log import JsonFormatter

NOISY = ("kafka", "aiokafka", "faust", "mode", "opentelemetry", "httpx", "httpx2")
"""Loggers of libraries: a broker that is away makes them write tens of thousands of lines, and each request one."""
LINES = 20
INTERVAL_S = 10.0


class RateLimit(logging.Filter):
    """Lets ``LINES`` lines of libraries through in ``INTERVAL_S``, and then says how many it kept back."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._n_lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        if record.name.partition(".")[0] not in NOISY:
            return True
        now = time.monotonic()
        n_kept_back = self._n_lines - LINES
        if now - self._began > INTERVAL_S:
            self._began, self._n_lines = now, 0
            if n_kept_back > 0:
                record.msg = f"{record.getMessage()} (and {n_kept_back} lines of libraries kept back)"
                record.args = ()
        self._n_lines += 1
        return self._n_lines <= LINES


class OneLine(logging.Filter):
    """Takes the traceback off errors that say themselves what to do: a library logs it with all that ends a process."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if record.exc_info and isinstance(record.exc_info[1], StreamRecError):
            record.exc_info = None
        return True


def write_as(log_format: str) -> None:
    """From now on, write the log as ``telemetry.log_format`` says."""
    if log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())


def set_up(level: str) -> None:
    """Write logs of ``level`` and above to stderr; libraries only from WARNING on, unless everything is asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s"))
    handler.addFilter(RateLimit())
    if level != "debug":
        handler.addFilter(OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    if level != "debug":  # every start of kafka-python warns of settings that we mean
        logging.getLogger("kafka").setLevel(logging.ERROR)
