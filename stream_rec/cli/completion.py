"""`stream-rec completion`: have the shell complete commands and options."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import Commands
from stream_rec.errors import FileProblem, SettingsError

PROGRAM = "stream-rec"
VARIABLE = "_STREAM_REC_COMPLETE"
"""That click asks for, of a program of this name."""
PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", f"bash-completion/completions/{PROGRAM}"),
    "zsh": ("ZDOTDIR", "", f".zfunc/_{PROGRAM}"),
    "fish": ("XDG_CONFIG_HOME", ".config", f"fish/completions/{PROGRAM}.fish"),
}
"""Where each shell looks: a variable that names the folder, what it is below the home folder otherwise, and the file.
"""
ZSH_ADVICE = 'put this before `compinit` in .zshrc, unless it is there: fpath=("${ZDOTDIR:-$HOME}/.zfunc" $fpath)'

shell_argument = click.argument("shell", required=False, type=click.Choice(list(PLACES)))


@click.group(cls=Commands)
def completion() -> None:
    """Have the shell complete commands and options."""


@completion.command()
@shell_argument
@click.pass_context
def show(ctx: click.Context, shell: str | None) -> None:
    """Print the script for SHELL; the one in $SHELL where none is named."""
    click.echo(_script(ctx, shell or _find_shell()))


@completion.command()
@shell_argument
@json_option
@click.pass_context
def install(ctx: click.Context, shell: str | None, as_json: bool) -> None:
    """Write the script to where SHELL looks for it; shells that are started from then on complete.

    Bash needs the package bash-completion for that.
    """
    shell = shell or _find_shell()
    variable, below_home, file = PLACES[shell]
    place = Path(os.environ.get(variable) or Path.home() / below_home) / file
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_script(ctx, shell), encoding="utf-8")
    except OSError as error:
        raise FileProblem(f"{place} cannot be written: {error.strerror}; `completion show` prints it") from error
    answer(as_json, f"wrote {place}: a new shell completes", completes=shell, file=str(place))
    if shell == "zsh":
        click.echo(ZSH_ADVICE, err=True)


def _find_shell() -> str:
    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in PLACES:
        named = f"$SHELL is {shell!r}" if shell else "$SHELL is not set"
        raise SettingsError(f"{named}: name one of {', '.join(PLACES)}")
    return shell


def _script(ctx: click.Context, shell: str) -> str:
    made_by = get_completion_class(shell)
    assert made_by is not None
    return made_by(ctx.find_root().command, {}, PROGRAM, VARIABLE).source()
