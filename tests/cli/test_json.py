"""Each command that comes to something can say so as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from stream_rec.cli import cli
from tests.cli.test_group import leaves
from tests.command import command

WITHOUT = {"worker", "embedder", "ingest", "serve", "dashboard", "sink"}  # they run until they are told to stop
IS_JSON = {"replay"}  # its lists are JSON lines
IS_A_SCRIPT = {"topics acls", "completion show"}


@pytest.mark.parametrize("name", sorted({name for name, _ in leaves(cli)} - WITHOUT - IS_JSON - IS_A_SCRIPT))
def test_every_command_answers_in_json(name: str):
    """Programs read it; an option of the same name everywhere."""
    (found,) = [found for path, found in leaves(cli) if path == name]

    assert "--json" in [option for parameter in found.params for option in parameter.opts]


def test_an_answer_is_one_object(tmp_path: Path):
    """On stdout alone."""
    done = command("completion", "install", "fish", "--json", cwd=tmp_path, XDG_CONFIG_HOME=str(tmp_path))

    assert json.loads(done.stdout) == {"completes": "fish", "file": str(tmp_path / "fish/completions/stream-rec.fish")}


@pytest.mark.kafka
def test_what_was_produced_and_put_is_counted(bootstrap: str, tmp_path: Path):
    """By topic, with what was skipped by reason; what is there a second time is told apart."""
    kafka = ("--bootstrap", bootstrap, "--topic-prefix", f"json-{tmp_path.name}-")
    (tmp_path / "items.jsonl").write_text('{"item_id": "cup"}\n{"item_id": ""}\n')
    rule = '{"rule_id": "r1", "action": "ban", "author": "ann", "reason": "gone", "target": {"item_ids": ["cup"]}}\n'
    (tmp_path / "rules.jsonl").write_text(rule)

    created = json.loads(command("topics", "create", "--json", *kafka, cwd=tmp_path).stdout)
    again = json.loads(command("topics", "create", "--json", *kafka, cwd=tmp_path).stdout)
    produced = command("produce", "items.jsonl", "--json", *kafka, cwd=tmp_path)
    put = json.loads(command("rules", "put", "rules.jsonl", "--json", *kafka, cwd=tmp_path).stdout)
    explained = json.loads(command("rules", "explain", "cup", "--json", *kafka, cwd=tmp_path).stdout)

    assert created["ok"] and len(created["created"]) == created["topics"] and again["created"] == []
    assert produced.returncode == 1
    delivered = json.loads(produced.stdout)
    assert (delivered["delivered"], sum(delivered["skipped"].values())) == ({"items": 1}, 1)
    assert put == {"sent": ["r1"]}
    assert (explained["may_be_listed"], explained["rules"]) == (False, ["r1"])


def test_help_of_the_option_is_the_same_everywhere():
    """Who knows it from one command knows it from all."""
    options = [option for _, found in leaves(cli) for option in found.params if "--json" in option.opts]
    flags = [option for option in options if isinstance(option, click.Option) and option.is_flag]

    assert len(flags) > 15 and all("One JSON" in (option.help or "") for option in flags)
