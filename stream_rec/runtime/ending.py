"""The end of a process that cannot go on: it says why, if anybody listens, and ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

EXIT_CODE = 75
"""EX_TEMPFAIL: try again."""
SAY_S = 1.0
"""So long it waits for its last line to be taken."""


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
