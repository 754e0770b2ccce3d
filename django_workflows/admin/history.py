"""The part of an execution's events that a page shows, however many there are.

Rule: what is read is bounded in rows and in bytes. Of a large event the beginning
of its text is enough to draw it; its own page shows the rest.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models.functions import Left, Length

from django_workflows import approvals, asl, models, permissions, resources
from django_workflows.admin import display
from django_workflows.asl import values
from django_workflows.asl.values import JSON
from django_workflows.permissions import Action

#: How many events a timeline is drawn of, and a table shows.
TIMELINE_EVENTS = 1000
TABLE_EVENTS = 100

#: How much of an event is read for a timeline, and shown in the table.
_GLANCE = 4_096
_WHOLE = 8_192

#: What stands where the reader of a part finds nothing.
_UNREAD: Mapping[str, JSON] = {
    "input": None,
    "output": None,
    "context": None,
    "seed": "",
    "state": "…",
    "resource": "",
    "task": 0,
    "wait": 0,
    "retrier": 0,
    "attempt": 0,
    "kind": "Map",
    "total": 0,
}

#: What an event about an approval shows to those whom it does not ask.
HIDDEN = "(hidden)"


def glance(execution_id: uuid.UUID, seqs: range | Collection[int]) -> list[asl.AnyEvent]:
    """The events with these numbers, in order; large inputs, outputs and causes may be missing."""
    rows = models.Event.objects.filter(execution=execution_id).order_by("seq")
    if isinstance(seqs, range):
        rows = rows.filter(seq__gte=seqs.start, seq__lt=seqs.stop)
    else:
        rows = rows.filter(seq__in=seqs)
    columns = rows.annotate(text=Left("payload", _GLANCE)).values_list(
        "seq", "type", "at", "path", "text"
    )
    return [_read(*row) for row in columns]


def _read(seq: int, type: str, at: datetime, path: str, text: str) -> asl.AnyEvent:
    moment = values.format_timestamp(at)
    members = json.loads(text) if len(text) < _GLANCE else _members(text)
    return asl.decode(
        {
            **_UNREAD,
            "until": moment,
            **members,
            "seq": seq,
            "type": type,
            "at": moment,
            "path": json.loads(path),
        }
    )


def _members(text: str) -> dict[str, JSON]:
    """The members of the compact JSON object that *text* begins, as far as they are whole."""
    decoder = json.JSONDecoder()
    members: dict[str, JSON] = {}
    at = 1
    while True:
        try:
            name, at = decoder.raw_decode(text, at)
            value, at = decoder.raw_decode(text, at + 1)
        except ValueError:
            return members
        if at >= len(text):  # A number that ends here may go on.
            return members
        members[name] = value
        at += 1


# -- for the table -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event as the table has it."""

    seq: int
    type: str
    at: datetime
    state: str
    place: str
    by: str
    channel: str
    reason: str
    #: Its fields; None where they are too large for the table.
    fields: display.Document | None
    size: str


class Reader:
    """Somebody who reads an execution's events."""

    def __init__(self, user: Any, execution: models.Execution) -> None:
        self.user = user
        self.execution = execution

    def lines(self, *, after: int) -> list[Line]:
        """Up to TABLE_EVENTS events that follow event *after*, for the table."""
        rows = (
            self.execution.events.filter(seq__gt=after)
            .order_by("seq")
            .annotate(text=Left("payload", _WHOLE), length=Length("payload"))
            .values_list("seq", "type", "at", "path", "text", "length")[:TABLE_EVENTS]
        )
        return [self._line(*row) for row in rows]

    def line(self, event: models.Event) -> Line:
        """One event, as the table has it."""
        return self._line(
            event.seq, event.type, event.at, event.path, event.payload[:_WHOLE], len(event.payload)
        )

    def _line(self, seq: int, type: str, at: datetime, path: str, text: str, length: int) -> Line:
        is_whole = length < _WHOLE
        members = json.loads(text) if is_whole else _members(text)
        origin = members.get("origin") or {}
        fields = None
        if is_whole:
            event = models.Event(seq=seq, type=type, at=at, path=path, payload=text)
            fields = display.document(self.fields_of(event))
        return Line(
            seq=seq,
            type=type,
            at=at,
            state=display.legible(members.get("state") or ""),
            place=display.place(json.loads(path)),
            by=display.legible(origin.get("by") or ""),
            channel=display.legible(origin.get("channel") or ""),
            reason=display.legible(models.without_tokens(origin.get("reason") or "")),
            fields=fields,
            size=display.size(length),
        )

    def fields_of(self, event: models.Event) -> dict[str, JSON]:
        """The fields of *event* that the reader may see."""
        fields = event.public_fields
        if is_approval(event, fields) and not self.is_asked(fields.get("input")):
            fields["input"] = HIDDEN
        return fields

    def is_asked(self, input: JSON) -> bool:
        """Whether the approval that *input* describes, open or ended, is the reader's to see."""
        if self._sees_all:
            return True
        try:
            approval = approvals.read(input, state="")
        except approvals.InvalidApproval:
            return False
        return self.user.get_username() in approval.users or not self._groups.isdisjoint(
            approval.groups
        )

    @cached_property
    def _sees_all(self) -> bool:
        return permissions.allows(self.user, Action.DECIDE, execution=self.execution)

    @cached_property
    def _groups(self) -> frozenset[str]:
        return frozenset(self.user.groups.values_list("name", flat=True))


def is_approval(event: models.Event, fields: Mapping[str, JSON]) -> bool:
    """Whether *event* began an approval."""
    return (
        event.type == "TaskStarted"
        and resources.kind(fields.get("resource", "")) is resources.Kind.APPROVAL
    )


# -- for approvals that are over -----------------------------------------------------------


def answer_to(started: models.Event) -> models.Event | None:
    """The event that ended the task which *started* began, if an answer or its time did."""
    following = models.Event.objects.filter(
        execution=started.execution_id,
        seq__gt=started.seq,
        path=started.path,
        type__in=["TaskSucceeded", "TaskFailed", "TaskTimedOut"],
    )
    event = following.order_by("seq").first()
    if event is None or json.loads(event.payload).get("task") != started.seq:
        return None
    return event
