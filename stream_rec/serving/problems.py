"""What is said when a request cannot be answered: problem details.

Source:
    Nottingham, Wilde, Dalal. Problem Details for HTTP APIs. RFC 9457, 2023.
"""

from __future__ import annotations

import http
import logging
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException
from msgspec import Struct

from stream_rec.errors import BrokerUnavailable, StreamRecError
from stream_rec.events.over_http import Problem
from stream_rec.events.validate import Rejection
from stream_rec.serving.on_the_spot import NotReady

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


READING = (400, 401, 403, 422, 429, 503)
"""Statuses with which any question may be refused."""


RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Names by RFC 9110, which Python has from 3.13 on: the contract is the same whatever runs it."""


def name_status(status: int) -> str:
    """Return what a status is called."""
    return RENAMED.get(status) or http.HTTPStatus(status).phrase


def problems_of(*statuses: int) -> dict[int, ResponseSpec]:
    """Return what the contract says of an address that may answer with these."""
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=name_status(status), media_type=MEDIA_TYPE)
        for status in sorted(statuses)
    }


def problem(status: int, detail: str, **more: Any) -> ProblemDetailsException:
    """Return what to raise."""
    return ProblemDetailsException(
        status_code=status, type_="about:blank", title=name_status(status), detail=detail, **more
    )


def unprocessable(reason: str, detail: str) -> ProblemDetailsException:
    """Return what to raise where a request is well formed and means nothing."""
    return problem(422, detail, extra={"reason": reason})


def accept(checked: object, number: int | None = None) -> None:
    """Raise what says why a record would be rejected, if it would."""
    if isinstance(checked, Rejection):
        where = "" if number is None else f"event {number}: "
        raise unprocessable(checked.reason, f"{where}{checked.detail}")


def refuse_unknown(body: Any, struct: type[Struct]) -> None:
    """Raise what says which fields of a body nothing reads: on the topic they are left out without a word."""
    unknown = sorted(set(body) - {field.name for field in msgspec.structs.fields(struct)})
    if unknown:
        raise problem(400, f"no such field: {', '.join(map(repr, unknown))[:500]}")


def _problem_of_ours(error: Exception) -> ProblemDetailsException:
    """Return that a fault of this program's is in its log."""
    log.exception("request_failed", exc_info=error)
    return problem(500, "a fault in this program; its log says more")


def _problem_of(error: Exception) -> ProblemDetailsException:
    """Return what an error of the framework's own says, with the place of what is wrong in a body."""
    assert isinstance(error, HTTPException)
    cause = error.__cause__
    detail = str(cause).replace("`$.data", "`$") if isinstance(cause, msgspec.ValidationError) else error.detail
    return problem(error.status_code, detail, headers=error.headers)


def _problem_of_waiting(error: Exception) -> ProblemDetailsException:
    """Return that the same request may be answered in a second."""
    return problem(503, str(error), headers={"Retry-After": "1"})


PROBLEMS = ProblemDetailsConfig(
    exception_to_problem_detail_map={
        HTTPException: _problem_of,
        NotReady: _problem_of_waiting,
        BrokerUnavailable: _problem_of_waiting,
        StreamRecError: lambda error: problem(503, str(error)),
        RecursionError: lambda error: problem(400, "the body is nested too deep"),
        UnicodeDecodeError: lambda error: problem(400, f"the body is not UTF-8: {error}"),
        Exception: _problem_of_ours,
    }
)
"""What each error becomes."""
