"""A shell completes commands and options, once a command has installed it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import command

WHERE = {
    "bash": "data/bash-completion/completions/stream-rec",
    "zsh": "zsh/.zfunc/_stream-rec",
    "fish": "config/fish/completions/stream-rec.fish",
}


def install(tmp_path: Path, *shell: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Install for a user whose folders are in ``tmp_path``."""
    folders = {"XDG_DATA_HOME": "data", "ZDOTDIR": "zsh", "XDG_CONFIG_HOME": "config"}
    homes = {name: str(tmp_path / folder) for name, folder in folders.items()}
    return command("completion", "install", *shell, cwd=tmp_path, **homes | environ)


def test_bash_completes_a_command(tmp_path: Path):
    """The installed script, in a real bash that calls the real program."""
    assert install(tmp_path, "bash").returncode == 0
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/stream-rec"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m stream_rec "$@"\n')
    program.chmod(0o755)
    asks = 'source "$1"; COMP_WORDS=(stream-rec rej); COMP_CWORD=1; _stream_rec_completion stream-rec; '
    bash = ["bash", "--norc", "-c", asks + 'echo "${COMPREPLY[@]}"', "bash", tmp_path / WHERE["bash"]]

    ended = subprocess.run(
        bash,
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout.split() == ["rejected"], ended.stderr


@pytest.mark.parametrize("shell", WHERE)
def test_it_is_installed_where_the_shell_looks(tmp_path: Path, shell: str):
    """And is what `completion show` prints; the shell is that of the user where none is named."""
    done = install(tmp_path, SHELL=f"/usr/bin/{shell}")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path / WHERE[shell]}: a new shell completes\n"
    assert ("fpath" in done.stderr) == (shell == "zsh")
    assert (tmp_path / WHERE[shell]).read_text() + "\n" == command("completion", "show", shell, cwd=tmp_path).stdout


def test_a_shell_that_is_not_known_is_named(tmp_path: Path):
    """With those that are."""
    refused = install(tmp_path, SHELL="/bin/tcsh")

    assert refused.returncode == 2
    assert refused.stderr == "error: $SHELL is 'tcsh': name one of bash, zsh, fish\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    """What lies in the way, and what to do instead."""
    (tmp_path / "data").write_text("a file")
    refused = install(tmp_path, "bash")

    assert refused.returncode == 2
    assert f"{tmp_path / WHERE['bash']} cannot be written" in refused.stderr and "`completion show`" in refused.stderr
