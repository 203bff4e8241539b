"""A scope: in which lists, for which users and for which part of an experiment a rule holds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

SurfaceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Events = Annotated[int, Meta(ge=0, le=2**31)]
Days = Annotated[float, Meta(ge=0, le=36_600)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class Segment(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Users by what is known of them: those of whom all holds that is said here."""

    events_min: Events | None = None
    events_max: Events | None = None
    """All interactions ever; at most 0 are those of whom nothing is known."""
    idle_days_min: Days | None = None
    idle_days_max: Days | None = None
    """Since their newest event. Who has none is in no segment that says something of it."""
    bought_category: Annotated[str, Meta(max_length=1000)] = ""
    """They bought something of it, as far as their weekly counts reach."""


class Arm(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of all users, drawn once for an experiment: the same ones in every process and after every restart."""

    experiment: Annotated[str, Meta(min_length=1, max_length=200)]
    """Its name. What one experiment draws says nothing of what another draws."""
    percent: tuple[Percent, Percent]
    """From here to below there, of 0 to 100: [0, 50] is one half, [50, 100] the other."""


class Scope(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a rule holds: where all is so that is said here."""

    surfaces: Annotated[list[SurfaceName], Meta(max_length=20)] = []
    """Any of these lists; `home` is the main one."""
    segment: Segment | None = None
    arm: Arm | None = None


def find_fault(scope: Scope) -> str | None:
    """Return why nothing or everything would be in a scope whose fields are all right by themselves, or None."""
    if scope == Scope() or scope.segment == Segment():
        return "a `scope` or a `segment` that says nothing holds everywhere: leave it out"
    if (arm := scope.arm) is not None and arm.percent[0] >= arm.percent[1]:
        return f"nobody is in an arm from {arm.percent[0]:g} to {arm.percent[1]:g} percent"
    if (segment := scope.segment) is not None:
        bounds = (
            ("events", segment.events_min, segment.events_max),
            ("idle_days", segment.idle_days_min, segment.idle_days_max),
        )
        for name, least, most in bounds:
            if least is not None and most is not None and least > most:
                return f"nobody is in a segment with {name}_min={least:g} above {name}_max={most:g}"
        is_idle = segment.idle_days_min is not None or segment.idle_days_max is not None
        if segment.events_max == 0 and (is_idle or segment.bought_category):
            return "nobody is in this segment: who has no event bought nothing, and it is not known how long ago"
    return None
