"""What one event costs a user who has had some, 40 to 10,000, and what is kept of their ids.

    python benchmarks/deduplication.py

CPU time of reading a user's state and archive, taking the event and writing both again, without a broker; the event is
new, or came before. To compare two versions of the code, run it with each in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.user import seen
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.state import COLD, decode, encode

N_EVENTS = (40, 500, 10_000)
T = 1_700_000_000_000


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=2_000)
    arguments = parser.parse_args()
    print(json.dumps({n_events: measured(n_events, arguments.tries) for n_events in N_EVENTS}, indent=2))


def measured(n_events: int, tries: int) -> dict[str, float]:
    """Return microseconds of CPU, and bytes, of a user with so many events."""
    config, state, archive = UserConfig(), COLD, {}
    for number in range(n_events):
        after = advance(state, [arrival(number, number)], config, {0: number - 1}, archive.get)
        state, archive = after.state, archive | after.chunks
    stored = encode(state)
    table = {number: seen.encode(chunk) for number, chunk in archive.items()}
    new, old = arrival(n_events, n_events), arrival(0, n_events)
    return {
        "new_event_us": cpu_us(stored, table, new, config, tries),
        "old_event_again_us": cpu_us(stored, table, old, config, tries),
        "state_bytes": len(stored),
        "digests_in_state_bytes": len(state.recent_ids),
        "archive_bytes": sum(len(seen.key_of(b"user-4711", n)) + len(value) for n, value in table.items()),
        "archive_records": len(table),
    }


def cpu_us(stored: bytes, table: dict[int, bytes], one: Arrival, config: UserConfig, tries: int) -> float:
    """Return the median of nine runs of ``tries`` events each."""

    def chunk(number: int) -> seen.Chunk | None:
        return seen.decode(table[number]) if number in table else None

    took = []
    for _ in range(9):
        began = time.process_time()
        for _ in range(tries // 9):
            after = advance(decode(stored), [one], config, {0: one.offset - 1}, chunk)
            encode(after.state)
            [seen.encode(made) for made in after.chunks.values()]
        took.append((time.process_time() - began) / (tries // 9))
    return round(1e6 * statistics.median(took), 1)


def arrival(number: int, offset: int) -> Arrival:
    """Return a view a minute, of thirty items in turn."""
    event = Interaction(f"event-{number:08}", "user-4711", f"item-{number % 30}", T + 60_000 * number)
    return Arrival(event, Kind.VIEW, 0, offset, T + 60_000 * number)


if __name__ == "__main__":
    main()
