"""What programs have in common that start a pipeline of their own, as the applications in examples/."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_rec.config import Settings
from stream_rec.errors import StreamRecError
from stream_rec.stop_signals import exit_on_signal
from stream_rec.testing.choice import choose_broker
from stream_rec.testing.live import LivePipeline, open_live


@contextmanager
def own_pipeline(settings: Settings) -> Iterator[LivePipeline]:
    """Give a pipeline that knows nothing yet, on a Kafka of its own where KAFKA_BOOTSTRAP names none.

    Raises:
        BrokerUnavailable: there is none, and none can be started.
    """
    with choose_broker("auto", os.environ) as bootstrap, open_live(bootstrap, settings) as pipeline:
        yield pipeline


def run_program(main: Callable[[], None], *problems: type[Exception]) -> None:
    """Run a program: a stop signal ends it and all that it has started, and what a person must mend is one line.

    Args:
        problems: What is said like our own errors, and ends with exit code 2.
    """
    expected: tuple[type[Exception], ...] = (StreamRecError, *problems)
    try:
        with exit_on_signal():
            main()
    except expected as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, StreamRecError) else StreamRecError.exit_code)
