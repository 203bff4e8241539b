"""The end of a process: one that cannot go on says why, if anybody listens; none hangs when its work is done."""

from __future__ import annotations

import faulthandler
import logging
import threading
from collections.abc import Callable
from contextlib import suppress

EXIT_CODE = 75
"""EX_TEMPFAIL: try again."""
SAY_S = 1.0
"""So long it waits for its last line to be taken."""
LEAVE_S = 10.0
"""So long the interpreter may take to end."""


def end_process(
    end: Callable[[int], None], log: logging.Logger, message: str, *args: object, exit_code: int = EXIT_CODE
) -> None:
    """Log why, and call ``end`` with the exit code, also where a pipe or a terminal takes no more of what is logged."""

    def say() -> None:
        log.error(f"{message} exit_code=%d", *args, exit_code)
        logging.shutdown()

    saying = threading.Thread(target=say, name="last-words", daemon=True)
    saying.start()
    saying.join(SAY_S)
    end(exit_code)


def bound_exit(seconds: float = LEAVE_S) -> None:
    """Give the interpreter so long to end; else every thread's stack goes to standard error, and the exit code is 1.

    It waits for threads of libraries, when none of ours runs any more that could notice; this is timed without Python.
    """
    with suppress(AttributeError, OSError, RuntimeError, ValueError):  # without a standard error it is not bounded
        faulthandler.dump_traceback_later(seconds, exit=True)
