"""Decoders of each format."""

from __future__ import annotations

from stream_rec.ingest.formats import Decoder, JsonDecoder
from stream_rec.ingest_settings import AdoptedTopic, RegistrySettings


def open_decoder(topic: AdoptedTopic, registry: RegistrySettings) -> Decoder:
    """Return what reads a topic's records."""
    return JsonDecoder()
