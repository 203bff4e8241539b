"""Groups of commands that forgive: options of the whole program stand anywhere, and a slip is answered with a guess."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from stream_rec.errors import SettingsError
from stream_rec.extras import explain_missing

ANYWHERE = "Options of `stream-rec` itself, as --bootstrap, may stand here too: see `stream-rec --help`."


class Commands(click.Group):
    """A group that answers a name it does not know with those that are near."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise click.UsageError(f"There is no command {name!r}.{guess(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of this name, which says in its help what stands in that of the program."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not isinstance(command, click.Group) and ANYWHERE not in (command.epilog or ""):
            command.epilog = "\n\n".join(filter(None, (command.epilog, ANYWHERE)))
        return command


class LazyCommands(Commands):
    """A group that imports a command's module when the command is asked for, so that all others start quickly."""

    def __init__(self, *args: Any, modules: dict[str, str], **options: Any) -> None:
        """Take the name of each command, and where it lives: ``module:attribute``."""
        super().__init__(*args, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*(name for name in self.commands if name not in self._modules), *self._modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of this name."""
        if cmd_name in self._modules and cmd_name not in self.commands:
            module, _, attribute = self._modules[cmd_name].partition(":")
            try:
                self.add_command(getattr(import_module(module), attribute), cmd_name)
            except ModuleNotFoundError as error:
                if (remedy := explain_missing(error.name or "")) is None:
                    raise
                return _stand_in(cmd_name, remedy)
        return super().get_command(ctx, cmd_name)


class Program(LazyCommands):
    """The program, whose own options may stand anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with the program's own options taken to the front from wherever they stand before a ``--``."""
        return super().parse_args(ctx, _program_options_first(args, self._own_options()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an option that it does not know may be a slip in one of the program's."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            known = [*(error.possibilities or ()), *get_close_matches(error.option_name, self._own_options())]
            error.possibilities = sorted(set(known))
            raise

    def _own_options(self) -> list[str]:
        """Return the names of the program's options that take a value."""
        options = (option for option in self.params if isinstance(option, click.Option) and not option.is_flag)
        return [name for option in options for name in option.opts]


def _stand_in(name: str, remedy: str) -> click.Command:
    """Return what stands for a command that lacks a package: however it is called, it says what to install."""

    def refuse(_: tuple[str, ...]) -> None:
        raise SettingsError(remedy)

    takes_anything = {"ignore_unknown_options": True, "help_option_names": []}
    anything = click.Argument(["_"], nargs=-1, type=click.UNPROCESSED)
    short = f"({remedy.rpartition(': ')[2]})"
    return click.Command(name, callback=refuse, params=[anything], context_settings=takes_anything, short_help=short)


def guess(word: str, known: Iterable[str]) -> str:
    """Return a question that names what may have been meant, or an empty string."""
    near = get_close_matches(word, list(known))
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _program_options_first(args: list[str], own: list[str]) -> list[str]:
    """Return the arguments with the options ``own``, each with its value, before all others."""
    end = args.index("--") if "--" in args else len(args)
    first: list[str] = []
    others: list[str] = []
    rest = iter(args[:end])
    for argument in rest:
        if argument in own:
            if (value := next(rest, None)) is None:
                raise click.BadOptionUsage(argument, f"Option {argument!r} requires an argument.")
            first += [argument, value]
        elif argument.partition("=")[0] in own:
            first.append(argument)
        else:
            others.append(argument)
    return [*first, *others, *args[end:]]
