"""Replays for tests: the lists of a log or a recording, without a broker and on one, and what they have in common."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stream_rec.config import Settings
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.logs.log import BadLine, usable
from stream_rec.logs.recording import encode_line, read_recording
from stream_rec.replay.recorded import Entry, place_entries
from stream_rec.testing.choice import read_settings, write_settings
from stream_rec.testing.live import open_topics


def replay_log(
    log: Path | str | Iterable[Entry], *, settings: Settings | None = None, cache: Path | None = None
) -> list[Slate]:
    """Return the list that goes out on each event, search, impression and profile, without a broker.

    They are those of `stream-rec replay --recording`, run in a process of its own, and so those of a worker that takes
    one record after the other: equal bytes but for ``list_id`` and ``generated_at_ms`` (``without_clock``).

    Args:
        log: A recording's file, or what an app sends: items, rules, events, searches, impressions and profiles, in
            that order, to topics that were empty before.
        settings: As of the pipeline; the default is that of tests.
        cache: Where embeddings are kept; a temporary folder where none is given.

    Raises:
        ValueError: lines could not be used, or the replay failed; the message says what it said.
    """
    settings = settings or read_settings(None)
    with tempfile.TemporaryDirectory(prefix="stream-rec-replay-") as name:
        folder = Path(name)
        recording = Path(log) if isinstance(log, Path | str) else folder / "recording.jsonl"
        if not isinstance(log, Path | str):
            lines = map(encode_line, place_entries(log, settings.kafka.partitions))
            recording.write_bytes(b"".join(lines))
        config, out = folder / "settings.toml", folder / "lists.jsonl"
        write_settings(settings, config)
        command = [sys.executable, "-m", "stream_rec", "--config", str(config), "--log-level", "warning", "replay"]
        command += ["--recording", str(recording.absolute()), "--out", str(out), "--cache", str(cache or folder)]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("STREAM_REC_")}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise ValueError(f"the replay of {recording} ended with exit code {ended.returncode}:\n{ended.stderr}")
        return [_SLATE.decode(line) for line in out.read_bytes().splitlines()]


def replay_on_broker(bootstrap: str, recording: Path, settings: Settings) -> list[Slate]:
    """Return the lists of a recording, made by a pipeline of its own on a broker: each record waits for its answer.

    What of the catalog came before the first event is there before the worker starts: it reads it as a whole, as the
    brokerless replay does. What changes later is there a moment after it was sent.

    Raises:
        NoList: no list answered a record in time.
        ValueError: a line could not be used.
    """
    lists: list[Slate] = []
    with open_topics(bootstrap, settings) as pipeline:
        for record in usable(read_recording(recording, limits=settings.limits), _refuse):
            is_of_user = record.place.topic in SOURCE_OF_TOPIC
            if is_of_user and not pipeline.has_worker:
                pipeline.start_worker()
            sent = pipeline.send(record)
            if is_of_user:
                lists.append(pipeline.recommendations.of(record.key, after=sent))
                pipeline.wait_until_settled()
        return lists


def without_clock(made: Slate) -> Slate:
    """Return a list without what is of the moment at which it was made: two of one event have equal bytes then."""
    return msgspec.structs.replace(made, list_id="", generated_at_ms=0)


def _refuse(line: BadLine) -> None:
    raise ValueError(f"line {line.line} of the recording: {line.reason}: {line.detail}")


_SLATE = msgspec.json.Decoder(Slate)
