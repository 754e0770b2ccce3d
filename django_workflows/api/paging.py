"""Lists page by page: a cursor is the place of the last row, so that pages never shift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from django_workflows.api.problems import InvalidRequest
from django_workflows.asl import values
from django_workflows.asl.values import JSON

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By a moment; rows of the same moment by their primary key."""

    #: The name of the column.
    moment: str
    newest_first: bool = False

    def page(
        self, rows: QuerySet[ModelT], *, cursor: str | None, limit: int
    ) -> tuple[list[ModelT], str | None]:
        """The *limit* rows after *cursor*, and the cursor that goes on; None at the end.

        Raises InvalidRequest for a cursor that isn't ours.
        """
        if cursor is not None:
            rows = rows.filter(self._after(cursor))
        rows = rows.order_by(f"-{self.moment}" if self.newest_first else self.moment, "pk")
        found = list(rows[: limit + 1])
        if len(found) <= limit:
            return found, None
        found.pop()
        return found, self._cursor(found[-1])

    def _cursor(self, row: Model) -> str:
        moment = values.format_timestamp(getattr(row, self.moment))
        return _signer(self.moment).sign_object([moment, str(row.pk)])

    def _after(self, cursor: str) -> Q:
        try:
            text, key = _signer(self.moment).unsign_object(cursor)
        except signing.BadSignature:
            raise InvalidRequest(
                [
                    {
                        "parameter": "cursor",
                        "code": "invalid_cursor",
                        "detail": "not a cursor that this list gave; begin without one",
                    }
                ]
            ) from None
        moment: datetime | None = values.parse_timestamp(text)
        later = "lt" if self.newest_first else "gt"
        # The first part is what an index is searched with.
        return Q(**{f"{self.moment}__{later}e": moment}) & (
            Q(**{f"{self.moment}__{later}": moment}) | Q(pk__gt=key)
        )


def _signer(salt: str) -> signing.Signer:
    # Signed not as a secret, but so that a cursor always holds what we put into it.
    return signing.Signer(salt=f"django_workflows.api.paging.{salt}")


def link(request: Request, **parameters: Any) -> str:
    """This request's address, with other parameters."""
    url = request.build_absolute_uri()
    for name, value in parameters.items():
        url = replace_query_param(url, name, value)
    return url


def answer(results: list[JSON], following: str | None) -> dict[str, JSON]:
    """The body of a list's page; ``next`` is the address of the following one."""
    return {"next": following, "results": results}
