"""`stream-rec compile`: what would else be done at the first start; and how commands show that they do it."""

from __future__ import annotations

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from stream_rec import kernels
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.progress import show_progress
from stream_rec.kernels import Step


@click.command("compile")
@json_option
def compile_(as_json: bool) -> None:
    """Compile the kernels that worker, replay and evaluate run, so that no first start has to: for images, say.

    They are kept beside the program; where that cannot be written, in the user's cache directory or NUMBA_CACHE_DIR.
    """
    compile_with_progress()
    kept_in = str(kernels.cache_path())
    answer(as_json, f"kernels are compiled, in {kept_in} and beside it", kept_in=kept_in)


def compile_with_progress() -> None:
    """Return when all kernels are compiled, and show how far that is; a second time nothing is shown."""
    with show_progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    ) as progress:
        task = progress.add_task("compiling, once", total=None, visible=False)

        def show(step: Step) -> None:
            done = max(0, step.number - 1)
            what = f"compiling, once: {step.name}"
            progress.update(task, description=what, total=step.of, completed=done, visible=True)

        kernels.compile_kernels(show)
