"""What one worker makes lists with: shared by all that makes any, in one event loop, so that nothing needs a lock."""

from __future__ import annotations

from dataclasses import dataclass

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.errors import SettingsError
from stream_rec.ranking import head as heads
from stream_rec.ranking.drift import DriftWatch
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.merge import SharedHead
from stream_rec.retrieval.candidates import Workspace


@dataclass(frozen=True, slots=True)
class Workbench:
    """The catalog, the head, scratch space, how often items were shown, and whether choices have changed."""

    catalog: Catalog
    shared: SharedHead
    workspace: Workspace
    exposures: Exposures
    drift: DriftWatch


def empty(settings: Settings) -> Workbench:
    """Return one that knows nothing yet.

    Raises:
        SettingsError: the head is one of River's, which cannot be shared.
    """
    if settings.head.river:
        raise SettingsError("[head] river is for `replay` and `evaluate`: a worker's head is shared; leave it empty")
    cold = heads.cold(settings.head, settings.ranking.seed)
    drift = DriftWatch(settings.head.drift_delta)
    return Workbench(Catalog(), SharedHead(cold, settings.head), Workspace(), Exposures(), drift)
