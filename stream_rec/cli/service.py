"""How what runs until it is told to stop waits for its broker at the start."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from stream_rec.client.reachable import require_answering
from stream_rec.errors import BrokerUnavailable, LoginRefused
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.stop_signals import end_with_0

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""After so long the process ends, with 75, for its supervisor to start it again."""
PAUSE_S = 0.5


def wait_for_broker(kafka: KafkaSettings) -> None:
    """Return when a broker answers; a stop signal ends the process meanwhile, and until it has handlers of its own.

    Call it when all that takes time is imported: a process that is there already serves as soon as the broker is back.
    Raises what ``wait_for_answer`` raises.
    """
    end_with_0()
    wait_for_answer(kafka)


def wait_for_answer(kafka: KafkaSettings, say: Callable[[str], None] = lambda why: None) -> None:
    """Return when a broker answers; for who handles stop signals already, in any thread.

    Args:
        say: Called with why none does, each time that it is asked.

    Raises:
        BrokerUnavailable: none has answered for ``PATIENCE_S``.
        LoginRefused: one has, and does not let us in.
    """
    began = time.monotonic()
    is_said = False
    while True:
        try:
            return require_answering(kafka)
        except LoginRefused:
            raise
        except BrokerUnavailable as error:
            if time.monotonic() - began > PATIENCE_S:
                raise
            say(str(error))
            if not is_said:
                log.warning("waits_for_broker seconds=%.0f why=%s", PATIENCE_S, error)
                is_said = True
        time.sleep(PAUSE_S)
