"""The runbook: its commands do what it says, on a real pipeline, in the order in which they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from stream_rec.testing.pipeline import RunningPipeline
from tests.command import command
from tests.deploy.programs import ROOT

AGAIN = 75
"""How a command ends that a busy broker has not answered in time: a person, too, calls it again."""
RUNBOOK = (ROOT / "docs/guides/runbook.md").read_text(encoding="utf-8")


def shown(page: str) -> Iterator[list[str]]:
    """Yield the words of each indented call of the program, and of each variable that is set for those that follow."""
    for line in re.findall(r"^ {4,}((?:stream-rec|export) .*)", page, re.MULTILINE):
        yield shlex.split(line, comments=True)


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_each_command_works(bootstrap, tmp_path):
    """Nothing in it is from memory; what writes to a file writes where it was called."""
    with RunningPipeline(bootstrap) as pipeline:
        with pipeline.producer() as producer:
            producer.click("ann", "teapot-1")
        pipeline.wait_until_settled()
        kafka = pipeline.settings.kafka
        variables = {"STREAM_REC_KAFKA_BOOTSTRAP": bootstrap, "STREAM_REC_KAFKA_TOPIC_PREFIX": kafka.topic_prefix}
        another = f"{kafka.topic_prefix}v2-"
        n_run = 0

        for first, *words in shown(RUNBOOK):
            if first == "export":
                variables |= dict(word.split("=", 1) for word in words)
                continue
            words = [another if word == "v2-" else word for word in " ".join(words).partition(" > ")[0].split()]
            for _ in range(5):
                ended = command(*words, cwd=tmp_path, **variables)
                if ended.returncode != AGAIN:
                    break
            assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
            n_run += 1

        assert n_run >= 12
