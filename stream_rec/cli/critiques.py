"""The option `--critiques`: which events of a log users asked for something after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from stream_rec.events.validate import check_query
from stream_rec.logs.critiques import name_queries


class CritiquesParam(click.ParamType):
    """Words of ``source_type`` with commas between."""

    name = "WORDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, str]:
        """Return the query of each word."""
        if isinstance(value, Mapping):
            return value
        queries = name_queries([word for word in map(str.strip, str(value).split(",")) if word])
        for word, query in queries.items():
            if rejection := check_query(query):
                self.fail(f"{word[:60]!r} is nothing that can be asked for: {rejection.detail}", param, ctx)
        return queries


def critiques_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option to a command."""
    return click.option(
        "--critiques",
        type=CritiquesParam(),
        default="",
        show_default="none",
        help="Comma-separated. Events with one of these as `source_type` are followed by a search: what the user asked "
        "for after seeing the item.",
    )(command)


def name_unused(critiques: Iterable[str], n_critiques: Mapping[str, int]) -> None:
    """Say on stderr which critiques no event had: a word that is misspelt makes no error.

    Args:
        n_critiques: How often each was read.
    """
    if unused := [word for word in critiques if not n_critiques.get(word)]:
        click.secho(f"no event that was read has the source_type {', '.join(unused)}", fg="yellow", err=True)
