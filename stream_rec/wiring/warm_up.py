"""Nothing is compiled while events wait: the worker has it done before it says that it is ready."""

from __future__ import annotations

import logging
import time

from stream_rec.replay import kernels

log = logging.getLogger(__name__)


def compile_kernels() -> None:
    """Compile every kernel, or load it from numba's cache, and say how long it took."""
    began = time.monotonic()
    kernels.compile_kernels()
    log.info("compiled took_ms=%d", (time.monotonic() - began) * 1000)
