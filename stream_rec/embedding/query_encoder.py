"""What users ask for, as vectors that compare with those of items: made where the lists are made, when they are needed.

A query has a few words: an encoder of 8 bits reads it in some 10 ms on one core, where a way through Kafka to the
embedder and back would cost two records and several times as long. It is loaded with the first search. A worker makes
all lists in turn, so encoding may take half of its time at most, whoever sends how many queries: those beyond that are
answered without vectors.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict

from stream_rec.embedding.encoder import Encoder, build_one, needs_torch, split
from stream_rec.embedding.item_embedding import SpaceVector
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import SettingsError

log = logging.getLogger(__name__)

REMEMBERED = 4096
"""Queries whose vectors are kept: a list is made again for each event that comes after a search; some 8 KB each."""
SHARE = 0.5
"""Of a worker's time, that may go into encoding."""
BURST_S = 1.0
"""As long as it may take at once, after a rest."""

Vectors = tuple[SpaceVector | None, ...]


class QueryEncoder:
    """Encodes queries with the encoders of `embedder.encoder`, each in its place. Callable from one thread."""

    def __init__(self, settings: EmbedderSettings, *, with_torch: bool, in_background: bool) -> None:
        """Load nothing yet.

        Args:
            with_torch: Whether encoders are used that need torch, which are large, and slow on a CPU.
            in_background: Whether queries have no vectors while the encoders are being loaded; otherwise the first
                waits.
        """
        self._settings = settings
        self._with_torch = with_torch
        self._in_background = in_background
        self._encoders: tuple[Encoder | None, ...] | None = None
        self._loading: threading.Thread | None = None
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        """By digest of the query: its text is nobody's here."""
        self._failed: set[str] = set()
        """Encoders of which it was said that they failed for a query."""
        self._left_s = BURST_S
        self._counted_s = 0.0

    def __call__(self, query: str) -> Vectors:
        """Return the query's vectors by space; None for an encoder that cannot be had, and none at all while loading.

        What is wrong with an encoder is logged once, and costs no list.
        """
        if self._encoders is None and not self._load():
            return ()
        key = hashlib.blake2b(query.encode("utf-8", "replace"), digest_size=16).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        began = time.monotonic()
        if self._in_background and not self._has_time(began):
            return ()
        encoders = self._encoders or ()
        vectors = tuple(self._encode(encoder, query) for encoder in encoders)
        self._left_s -= time.monotonic() - began
        if all(vector is not None for encoder, vector in zip(encoders, vectors) if encoder is not None):
            self._known[key] = vectors
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return vectors

    def _has_time(self, now_s: float) -> bool:
        """Return whether encoding has not taken more than its share of the time."""
        self._left_s = min(BURST_S, self._left_s + SHARE * (now_s - self._counted_s))
        self._counted_s = now_s
        return self._left_s > 0

    def _load(self) -> bool:
        """Load the encoders, or have them loaded; return whether they are there."""
        if not self._in_background:
            self._encoders = self._build()
        elif self._loading is None:
            self._loading = threading.Thread(target=self._set_encoders, name="query-encoder", daemon=True)
            self._loading.start()
        return self._encoders is not None

    def _set_encoders(self) -> None:
        self._encoders = self._build()

    def _build(self) -> tuple[Encoder | None, ...]:
        try:
            parts = split(self._settings)
        except SettingsError as error:
            log.warning("query_encoder_unavailable encoder=%s error=%s", self._settings.encoder, error)
            return ()
        return tuple(map(self._build_one, parts))

    def _build_one(self, settings: EmbedderSettings) -> Encoder | None:
        try:
            if needs_torch(settings) and not self._with_torch:
                log.info("query_encoder_left_out encoder=%s why=needs_torch", settings.encoder)
                return None
            encoder = build_one(settings)
        except Exception as error:  # a model's runtime may raise anything, and lists are made without it
            log.warning("query_encoder_unavailable encoder=%s error=%s", settings.encoder, error)
            return None
        log.info("query_encoder_loaded encoder=%s", encoder.identity)
        return encoder

    def _encode(self, encoder: Encoder | None, query: str) -> SpaceVector | None:
        if encoder is None:
            return None
        try:
            vector = encoder.encode_queries([query])[0]
        except Exception as error:  # as above
            if encoder.identity not in self._failed:
                self._failed.add(encoder.identity)
                log.warning("query_not_encoded encoder=%s error=%s", encoder.identity, type(error).__name__)
            return None
        return SpaceVector(encoder.identity, vector) if abs(float(vector @ vector) - 1.0) < 0.1 else None
