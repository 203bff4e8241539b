"""Nothing is compiled while events wait: the worker has it done before it says that it is ready."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from stream_rec import kernels
from stream_rec.kernels import Step

log = logging.getLogger(__name__)

SAY_EVERY_S = 2.0


def compile_kernels(clock: Callable[[], float] = time.monotonic) -> None:
    """Compile every kernel, or load it from numba's cache, and say how far it is and how long it took."""
    began = said_at = clock()

    def say(step: Step) -> None:
        nonlocal said_at
        seconds = clock() - began
        if step.number == 0:
            log.info("waits_for_compiled_kernels: another process compiles them, %.0f s so far", seconds)
        elif step.number == 1:
            log.info("compiling %d kernels: a first start takes half a minute of CPU, later ones do not", step.of)
        elif clock() - said_at >= SAY_EVERY_S:
            log.info("compiling kernel %d of %d (%s), %.0f s so far", *step, seconds)
        else:
            return
        said_at = clock()

    kernels.compile_kernels(say)
    log.info("compiled took_ms=%d cache=%s", (clock() - began) * 1000, kernels.cache_path())
