"""A file of settings that were chosen, which says on what: so that nobody reports on the same events again unawares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stream_rec.config import Settings, as_toml, redact
from stream_rec.errors import FileProblem
from stream_rec.evaluation.scan import ScannedLog
from stream_rec.tuning.space import SECTIONS
from stream_rec.tuning.split import Part, find_leak

MARK = "# chosen on "
"""Before each part, as JSON, in a line of its own."""


def write_chosen(file: Path, settings: Settings, parts: Sequence[Part], says: str) -> None:
    """Write settings as the program's option --config takes them, as far as they could be searched and are no defaults.

    Args:
        parts: What they were chosen on.
        says: A sentence, for who reads the file.
    """
    tree, defaults = redact(settings), redact(Settings())
    differing = {
        section: {key: value for key, value in tree[section].items() if value != defaults[section][key]}
        for section in SECTIONS
    }
    lines = [f"# {says}", *(MARK + msgspec.json.encode(part).decode() for part in parts)]
    written = as_toml({section: values for section, values in differing.items() if values})
    file.write_text("\n".join([*lines, "", written]), encoding="utf-8")


def read_parts(file: Path | None) -> list[Part]:
    """Return what the settings of a file were chosen on; nothing of a file that a person wrote, or of none."""
    if file is None or not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(MARK):
            try:
                found.append(msgspec.json.decode(line.removeprefix(MARK), type=Part))
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                raise FileProblem(f"{file} has been changed: a line {MARK!r} cannot be read: {error}") from error
    return found


def require_unseen(file: Path | None, log: ScannedLog, first_reported: int, option: str) -> None:
    """Refuse to report on events that the settings of a file were chosen on.

    Args:
        file: That settings were read from, if any.
        first_reported: Index of the first event that is scored.
        option: That says from where on events are scored.

    Raises:
        FileProblem: some of them were chosen on.
    """
    part = find_leak(read_parts(file), log, first_reported)
    if part is None:
        return
    if part.n_events >= len(log):
        remedy = "none of its events is left: take more of the log, or another"
    else:
        remedy = f"give {option} {_round_up(part.n_events / len(log))} or more"
    raise FileProblem(
        f"{file} was chosen on the first {part.n_events:,} events of this log ({part.log}), which would be reported on "
        f"here from event {first_reported + 1:,} on: such figures are too good; {remedy}"
    )


def _round_up(share: float) -> str:
    """Return a share with two digits, not below it.

    Example:
        >>> _round_up(0.5), _round_up(0.5001)
        ('0.50', '0.51')
    """
    hundredths = int(share * 100)
    return f"{(hundredths + (hundredths < share * 100)) / 100:.2f}"
