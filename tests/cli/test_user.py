"""Nobody is deleted by a slip of the fingers: `user forget` asks, or is told not to; and the default list is nobody."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest

from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics import admin
from tests.command import CLEAN, NOWHERE, command


def test_without_a_terminal_it_wants_to_be_told(tmp_path: Path):
    """A script says --yes; nothing is asked of a broker before."""
    refused = command("--bootstrap", NOWHERE, "user", "forget", "ann", cwd=tmp_path)

    assert refused.returncode == 2
    assert "deleting user 'ann' must be confirmed: at a terminal, or with --yes" in refused.stderr


@pytest.mark.parametrize(
    ("user_id", "words"), [("*", "'*' is the default list"), ("", "has 0 bytes"), ("u" * 257, "has 257 bytes")]
)
def test_who_cannot_be_a_user_is_refused_at_once(tmp_path: Path, user_id: str, words: str):
    """Before anybody is asked, and any broker, in one line."""
    refused = command("--bootstrap", NOWHERE, "user", "forget", user_id, "--yes", cwd=tmp_path)

    assert refused.returncode == 2
    assert words in refused.stderr and "Traceback" not in refused.stderr


def at_a_terminal(*arguments: str, answer: str) -> tuple[int, str]:
    """Run `stream-rec` at a terminal of its own, answer what it asks, and return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rec", *arguments], env=CLEAN, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = ""
    try:
        while True:
            try:
                part = os.read(ours, 1024).decode()
            except OSError:  # EIO: it has ended
                return process.wait(20), shown
            if not part:
                return process.wait(20), shown
            if "[y/N]" in part and "[y/N]" not in shown:
                os.write(ours, answer.encode())
            shown += part
    finally:
        process.kill()
        os.close(ours)


@pytest.mark.kafka
@pytest.mark.parametrize(("answer", "code", "n_requests"), [("n\n", 1, 0), ("\n", 1, 0), ("y\n", 0, 1)])
def test_at_a_terminal_it_shows_whom_and_asks(bootstrap: str, answer: str, code: int, n_requests: int):
    """No is the default, and then nothing is written."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:10]}-", partitions=1)
    admin.create(msgspec.structs.replace(Settings(), kafka=kafka))

    ended, shown = at_a_terminal(
        *("user", "forget", "ann", "--timeout", "0", "--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix),
        answer=answer,
    )

    requests = TopicReader(kafka, "forget")
    assert (ended, len(requests.read_to_end(30.0))) == (code, n_requests), shown
    assert "Delete all that is known of user 'ann'?" in shown
    requests.close()
