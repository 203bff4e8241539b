"""Who may write a changelog: the owner of a partition claims it, and what others write there afterwards does not count.

A worker that was paused for longer than its session timeout has lost its partitions and does not know it yet: when it
goes on, it can write an old state behind the new owner's newer one, and Kafka would keep the old one. But a partition
is one sequence, the same for every reader. So whoever gets a partition first writes a *claim* to it and then reads up
to its claim. Each record names its writer; a reader counts those whose writer made the last claim before them.

Claims are numbered, and only a claim with a higher number than the last that counted counts: of two processes that
claim at the same time one succeeds, and both can see which. Nothing of this rests on clocks, or on what the consumer
group thinks. Each of the last ``CLAIMS`` claims has a key of its own, so that compaction leaves them where they are and
takes older ones, the oldest first: what stands before the first claim that is left has long been overwritten if it was
late, and counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from stream_rec.errors import NewerVersion

OWNER_HEADER = "owner"
"""Header of every record of a changelog: who wrote it, ``OWNER_BYTES`` of its own at each start of a process."""
OWNER_BYTES = 8
CLAIMS = 128
"""How many claims of a partition are kept."""
MOST_CLAIMS = 2**53
"""No partition is claimed so often: what says so is damaged, and claims nothing."""
VERSION = 1
_CLAIM = struct.Struct(f">Bq{OWNER_BYTES}s")
_KEY = b"\0claim\0"
"""No id begins so: NUL is refused at the door."""
NOBODY = b""


class Claim(NamedTuple):
    """Who owns a partition from here on, if it counts."""

    epoch: int
    """One more than that of the claim before; with 0 it is only a mark, and claims nothing."""
    owner: bytes

    @property
    def key(self) -> bytes:
        """The record's key."""
        return _KEY + (b"%d" % (self.epoch % CLAIMS) if self.epoch else b"mark")

    @property
    def value(self) -> bytes:
        """The record's value."""
        return _CLAIM.pack(VERSION, self.epoch, self.owner)


UNCLAIMED = Claim(0, NOBODY)


def is_claim(key: bytes) -> bool:
    """Return whether a record with this key is a claim or a mark, and no state."""
    return key.startswith(_KEY)


def claim_of(value: bytes | None) -> Claim:
    """Return the claim that a record's value says; what cannot be read claims nothing.

    Raises:
        NewerVersion: a newer program owns the partition, perhaps in another way.
    """
    if value and value[0] > VERSION:
        raise NewerVersion(f"claim has version {value[0]}, this program reads up to {VERSION}: update it")
    if value is None or len(value) != _CLAIM.size:
        return UNCLAIMED
    version, epoch, owner = _CLAIM.unpack(value)
    return Claim(epoch, owner) if version == VERSION and 0 <= epoch <= MOST_CLAIMS else UNCLAIMED


def owner_of(headers: Iterable[tuple[str, bytes]]) -> bytes:
    """Return who wrote a record."""
    return next((value for name, value in headers if name == OWNER_HEADER), NOBODY)


class Reading:
    """Reads one partition in the order of its offsets and says which records count."""

    def __init__(self, claim: Claim = UNCLAIMED) -> None:
        """Begin where ``claim`` was the last that counted."""
        self.claim = claim

    def counts(self, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> bool:
        """Take the next record; return whether it is a state by the partition's owner of that time.

        Before the first claim every state counts: a changelog may have been filled by an import.
        """
        if not is_claim(key):
            return self.claim.owner in (NOBODY, owner_of(headers))
        if (claim := claim_of(value)).epoch > self.claim.epoch:
            self.claim = claim
        return False
