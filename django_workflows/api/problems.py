"""What went wrong, as problem details (RFC 9457, ``application/problem+json``).

Every problem has a ``code`` that doesn't change; ``detail`` is for people and may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from django_workflows import asl
from django_workflows.asl.values import JSON
from django_workflows.engine import ExecutionAlreadyExists, InvalidToken, NotPublished
from django_workflows.permissions import NotAllowed

MEDIA_TYPE = "application/problem+json"

#: Status, code and title of a refusal; the first class that fits counts.
_REJECTIONS: Mapping[type[Exception], tuple[int, str, str]] = {
    NotAllowed: (403, "not_allowed", "Not allowed"),
    InvalidToken: (404, "invalid_token", "Not a task token"),
    ExecutionAlreadyExists: (409, "execution_already_exists", "Execution already exists"),
    NotPublished: (409, "not_published", "Nothing to start"),
    asl.NotPending: (409, "not_pending", "Not pending"),
    asl.ExecutionEnded: (409, "execution_ended", "Execution has ended"),
    asl.NotRedrivable: (409, "not_redrivable", "Not to be redriven"),
    asl.CommandRejected: (409, "command_rejected", "Command rejected"),
}


class InvalidJSON(exceptions.ParseError):
    """The body is no JSON, or not such as we take."""

    default_code = "invalid_json"


class BodyTooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is too large."
    default_code = "body_too_large"


class InvalidRequest(exceptions.APIException):
    """The request can be read and says something wrong; ``errors`` has all of it."""

    status_code = 400
    default_code = "invalid_request"

    def __init__(self, errors: Sequence[Mapping[str, JSON]]) -> None:
        self.errors = [dict(error) for error in errors]
        super().__init__("; ".join(f"{_place(error)}: {error['detail']}" for error in self.errors))


class TokenRefused(exceptions.APIException):
    """A rejection as the holder of a token may know it: the code, and nothing of the execution."""

    def __init__(self, error: asl.CommandRejected, detail: str) -> None:
        self.status_code, self.default_code, self.title = _rejection(error)
        super().__init__(detail)


@contextmanager
def blaming(member: str) -> Iterator[None]:
    """Inside, an InvalidValue is the fault of the body's *member*."""
    try:
        yield
    except asl.InvalidValue as error:
        detail = str(error).removeprefix(f"{member}: ")
        raise InvalidRequest(
            [{"pointer": f"/{member}", "code": "invalid_value", "detail": detail}]
        ) from None


def invalid_body(detail: Any) -> InvalidRequest:
    """What a serializer found wrong with a body, each with its JSON pointer."""
    return InvalidRequest(
        [
            {"pointer": pointer, "code": str(error.code), "detail": str(error)}
            for pointer, error in _flat(detail)
        ]
    )


def invalid_query(detail: Any) -> InvalidRequest:
    """What a serializer found wrong with the query, each with its parameter."""
    return InvalidRequest(
        [
            {"parameter": pointer.lstrip("/"), "code": str(error.code), "detail": str(error)}
            for pointer, error in _flat(detail)
        ]
    )


def _flat(detail: Any, pointer: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            if name == api_settings.NON_FIELD_ERRORS_KEY:
                yield from _flat(inner, pointer)
                continue
            escaped = str(name).replace("~", "~0").replace("/", "~1")
            yield from _flat(inner, f"{pointer}/{escaped}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, pointer)
    else:
        yield pointer, detail


def _place(error: Mapping[str, JSON]) -> str:
    return str(error.get("parameter") or error.get("pointer") or "body")


def _rejection(error: asl.CommandRejected) -> tuple[int, str, str]:
    return next(known for kind, known in _REJECTIONS.items() if isinstance(error, kind))


def problem(
    status: int, code: str, detail: str, *, title: str | None = None, **members: JSON
) -> dict[str, JSON]:
    """The members of a problem, its own last."""
    return {
        "type": f"urn:django-workflows:problem:{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The response to what a view raised; None for what is our own fault."""
    body = _described(error, context.get("view"))
    if body is None:
        return None
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _described(error: Exception, view: Any) -> dict[str, JSON] | None:
    match error:
        case asl.CommandRejected():
            status, code, title = _rejection(error)
            more = view.on_conflict() if status == 409 and view is not None else {}
            return problem(status, code, str(error), title=title, **more)
        case InvalidRequest():
            return problem(400, error.default_code, str(error.detail), errors=error.errors)
        case exceptions.ValidationError():
            return _described(invalid_body(error.detail), view)
        case exceptions.APIException():
            codes = error.get_codes()
            code = codes if isinstance(codes, str) else error.default_code
            named = getattr(error, "title", None)
            return problem(error.status_code, code, str(error.detail), title=named)
        case Http404():
            return _described(exceptions.NotFound(), view)
        case PermissionDenied():
            return _described(exceptions.PermissionDenied(), view)
        case RequestDataTooBig():
            return _described(BodyTooLarge(), view)
        case SuspiciousOperation() | MultiPartParserError() | UnreadablePostError():
            return problem(400, "bad_request", "The request can't be read.")
        case _:
            return None
