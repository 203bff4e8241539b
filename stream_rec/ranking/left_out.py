"""Parts of the engine that are left out, to find out what each is worth: sources, features, experts, what is known.

Production leaves nothing out. Where nothing is, nothing is computed, and lists are what they were.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec import Struct
from msgspec.structs import replace as replace_fields
from numpy.typing import NDArray

from stream_rec.ranking.features import INPUT_NAMES, Inputs
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.mixture import Mixture
from stream_rec.retrieval.candidates import SOURCES, Candidates

EXPERTS = ("linear", "networks")
"""Of both mixtures: one of them has to stay."""


class LeftOut(Struct, frozen=True, kw_only=True):
    """What lists are made without."""

    sources: frozenset[str] = frozenset()
    """Names in ``SOURCES``: what they alone propose is no candidate."""
    features: frozenset[str] = frozenset()
    """Names in ``features.NAMES``: they are 0 for every candidate, and so are their logarithms."""
    experts: frozenset[str] = frozenset()
    """Names in ``EXPERTS``: they are not believed, whatever their record."""
    user: bool = False
    """What the networks see of the user."""
    context: bool = False
    """Country, device and hour of a request."""

    def __or__(self, other: LeftOut) -> LeftOut:
        """Return both together."""
        return LeftOut(**{name: getattr(self, name) | getattr(other, name) for name in self.__struct_fields__})


NOTHING = LeftOut()


def keep_proposed(candidates: Candidates, left_out: LeftOut) -> Candidates:
    """Return the candidates that a source proposes which is not left out; scores of all sources stay as they are."""
    if not left_out.sources:
        return candidates
    bits = sum(1 << SOURCES.index(name) for name in left_out.sources)
    sources = candidates.sources & ~bits
    kept = sources > 0
    return replace(candidates, rows=candidates.rows[kept], sources=sources[kept], values=candidates.values[kept])


def hide_inputs(inputs: Inputs, left_out: LeftOut) -> Inputs:
    """Return what the heads see, with 0 in place of what is left out."""
    if left_out.features:
        inputs = replace(inputs, items=np.where(_is_hidden(left_out), np.float32(0.0), inputs.items))
    if left_out.user:
        inputs = replace(inputs, context=np.zeros_like(inputs.context))
    return inputs


def mute_experts(head: MixtureHead, left_out: LeftOut) -> MixtureHead:
    """Return the head in whose mixtures the experts that are left out have the worst record that there is, for good."""
    if not left_out.experts:
        return head
    return replace_fields(
        head, of_all=_mute(head.of_all, left_out.experts), of_fresh=_mute(head.of_fresh, left_out.experts)
    )


def _mute(mixture: Mixture, experts: frozenset[str]) -> Mixture:
    linear, *networks = mixture.record
    least = float("-inf")  # whatever is added to it, and however it fades
    return replace_fields(
        mixture,
        record=(
            least if "linear" in experts else linear,
            *(least if "networks" in experts else record for record in networks),
        ),
    )


def _is_hidden(left_out: LeftOut) -> NDArray[np.bool_]:
    """Return (INPUTS,) which columns of ``Inputs.items`` are left out."""
    return np.array([name.removeprefix("log_") in left_out.features for name in INPUT_NAMES])
