"""Options that stand anywhere, and slips that are answered with a guess."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli


def call(*arguments: str, **environ: str | None) -> Result:
    return CliRunner().invoke(cli, arguments, env={"STREAM_REC_KAFKA_TOPIC_PREFIX": None} | environ)


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is no group, with its name."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    ctx = click.Context(command)
    for name in command.list_commands(ctx):
        yield from leaves(command.get_command(ctx, name), *path, name)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--topic-prefix", "zz-", "topics", "list"),
        ("topics", "--topic-prefix", "zz-", "list"),
        ("topics", "list", "--topic-prefix", "zz-"),
        ("topics", "list", "--topic-prefix=zz-"),
        ("topics", "list", "--log-level", "error", "--topic-prefix", "zz-", "--json"),
    ],
)
def test_an_option_of_the_program_stands_anywhere(arguments: tuple[str, ...]):
    """Before, between and after the words of a command."""
    shown = call(*arguments)

    assert shown.exit_code == 0, shown.output
    assert "zz-views" in shown.stdout


def test_a_settings_file_can_be_named_last(tmp_path):
    """Also where the one of the environment is gone."""
    (tmp_path / "a.toml").write_text("[kafka]\ntopic_prefix = 'file-'\n")

    shown = call("config", "show", "--config", str(tmp_path / "a.toml"), STREAM_REC_CONFIG=str(tmp_path / "gone.toml"))

    assert 'topic_prefix = "file-"' in shown.stdout


def test_behind_two_dashes_nothing_is_an_option():
    """As everywhere: a user may have such an id."""
    refused = call("user", "forget", "--", "--bootstrap")

    assert "deleting user '--bootstrap' must be confirmed" in refused.stderr


def test_an_option_without_its_value_is_named():
    """The word before it is not taken for something else."""
    refused = call("topics", "list", "--bootstrap")

    assert refused.exit_code == 2
    assert "Option '--bootstrap' requires an argument" in refused.stderr


def test_an_example_in_a_help_stands_on_lines_of_its_own():
    """As it was written: wrapped, it could not be copied."""
    lines = call("produce", "--help").stdout.splitlines()

    assert any(line.strip().startswith('{"event_type": "view"') for line in lines)
    assert not any("\\b" in line for line in lines)


def test_no_command_has_an_option_of_the_programs_name():
    """It would never be given."""
    own = {name for option in cli.params for name in option.opts} - {"--version"}

    for path, command in leaves(cli):
        assert not own & {name for option in command.params for name in option.opts}, path


def test_each_command_says_where_the_programs_options_are():
    """In one line of its help, which else would name them all."""
    for path, command in leaves(cli):
        shown = call(*path.split(), "--help")
        assert "--bootstrap, may stand here too" in " ".join(shown.stdout.split()), path
        assert command.get_help(click.Context(command)).count("--topic-prefix") == 0, path


@pytest.mark.parametrize(
    ("arguments", "guessed"),
    [
        ("wach ann", "There is no command 'wach'. Did you mean watch?"),
        ("topics chek", "There is no command 'chek'. Did you mean check?"),
        ("user forgt ann", "There is no command 'forgt'. Did you mean forget?"),
        ("worker --instace-id x", "Did you mean --instance-id?"),
        ("watch ann --bootstap x", "Did you mean --bootstrap?"),
        ("--bootstap x watch ann", "Did you mean --bootstrap?"),
        ("xyzzy", "There is no command 'xyzzy'."),
    ],
)
def test_a_slip_is_answered_with_a_guess(arguments: str, guessed: str):
    """Of commands, of commands of groups, of options, and of options of the program."""
    refused = call(*arguments.split())

    assert refused.exit_code == 2
    assert guessed in refused.stderr
