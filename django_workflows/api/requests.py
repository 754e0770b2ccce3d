"""What requests may say: bodies and queries, where anything unknown is refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request

from django_workflows import asl, handlers, models
from django_workflows.api.fields import AnyText, Payload, Seq, Text
from django_workflows.api.problems import invalid_body, invalid_query
from django_workflows.asl.face import NO_INPUT

MAX_REASON = 2_000
#: AWS, GetActivityTask.
MAX_WORKER = 80


class Known(serializers.Serializer):
    """Members that are not declared are refused: a misspelt one would do nothing."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown: dict[str, Any] = {}
        if isinstance(data, Mapping):
            unknown = {
                name: [serializers.ErrorDetail(self._unknown(name), "unknown_field")]
                for name in data
                if name not in self.fields
            }
        try:
            known: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as error:
            wrong = cast(dict[str, Any], error.detail)
            raise serializers.ValidationError({**wrong, **unknown}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return known

    def _unknown(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.fields, n=1)
        if close:
            return f"There is no such field (did you mean {close[0]!r}?)"
        return f"There is no such field; there are {', '.join(self.fields)}"


def read_body(kind: type[Known], request: Request) -> dict[str, Any]:
    """What the body says. Raises InvalidRequest with all that is wrong with it."""
    body = kind(data=request.data)
    if not body.is_valid():
        raise invalid_body(body.errors)
    return body.validated_data


def read_query(kind: type[Known], request: Request) -> dict[str, Any]:
    """What the query says. Raises InvalidRequest with all that is wrong with it."""
    given = request.query_params
    query = kind(data=dict(given.items()))
    errors: dict[str, Any] = {} if query.is_valid() else dict(query.errors)
    for name, all_values in given.lists():
        if len(all_values) > 1:
            errors[name] = [serializers.ErrorDetail("It is given more than once.", "repeated")]
    if errors:
        raise invalid_query(errors)
    return query.validated_data


def _optional(max_length: int) -> AnyText:
    return AnyText(required=False, allow_null=True, allow_blank=True, max_length=max_length)


# -- bodies --------------------------------------------------------------------------------


class StartBody(Known):
    workflow = Text()
    input = Payload(default=NO_INPUT)
    #: A second start with the same name and input returns the execution there is.
    name = AnyText(allow_null=True, default=None)
    reason = _optional(MAX_REASON)

    def validate_name(self, name: str | None) -> str | None:
        if name is not None and not models.is_name(name):
            raise serializers.ValidationError(str(models.NAME_RULE), "invalid_name")
        return name


class CommandBody(Known):
    """One command; the subclass is chosen by the member ``command``."""

    command = Text()
    reason = _optional(MAX_REASON)

    def to_command(self) -> asl.AnyCommand:
        """The command that the validated body asks for."""
        raise NotImplementedError


class CompleteTaskBody(CommandBody):
    task = Seq()
    output = Payload()

    def to_command(self) -> asl.AnyCommand:
        said = self.validated_data
        return asl.CompleteTask(task=said["task"], output=said["output"])


class FailTaskBody(CommandBody):
    task = Seq()
    error = _optional(handlers.MAX_ERROR)
    cause = _optional(handlers.MAX_CAUSE)

    def to_command(self) -> asl.AnyCommand:
        said = self.validated_data
        return asl.FailTask(task=said["task"], error=said.get("error"), cause=said.get("cause"))


class HeartbeatBody(CommandBody):
    task = Seq()

    def to_command(self) -> asl.AnyCommand:
        return asl.Heartbeat(task=self.validated_data["task"])


class FinishWaitingBody(CommandBody):
    wait = Seq()

    def to_command(self) -> asl.AnyCommand:
        return asl.FinishWaiting(wait=self.validated_data["wait"])


class StopBody(CommandBody):
    error = _optional(handlers.MAX_ERROR)
    cause = _optional(handlers.MAX_CAUSE)

    def to_command(self) -> asl.AnyCommand:
        said = self.validated_data
        return asl.Stop(error=said.get("error"), cause=said.get("cause"))


class RedriveBody(CommandBody):
    def to_command(self) -> asl.AnyCommand:
        return asl.Redrive()


#: The commands that may be sent, by the name that the body says.
COMMANDS: Mapping[str, type[CommandBody]] = {
    "complete_task": CompleteTaskBody,
    "fail_task": FailTaskBody,
    "finish_waiting": FinishWaitingBody,
    "heartbeat": HeartbeatBody,
    "redrive": RedriveBody,
    "stop": StopBody,
}


def read_command(request: Request) -> tuple[asl.AnyCommand, str | None]:
    """The command in the body, and the reason for it.

    Raises InvalidRequest.
    """
    name = request.data.get("command") if isinstance(request.data, Mapping) else None
    kind = COMMANDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise invalid_body(
            {
                "command": [
                    serializers.ErrorDetail(
                        f"expected one of {', '.join(COMMANDS)}",
                        "required" if name is None else "invalid_choice",
                    )
                ]
            }
            if isinstance(request.data, Mapping)
            else [serializers.ErrorDetail("expected an object", "invalid")]
        )
    body = kind(data=request.data)
    if not body.is_valid():
        raise invalid_body(body.errors)
    return body.to_command(), body.validated_data.get("reason")


class DecisionBody(Known):
    decision = AnyText(max_length=200)
    comment = AnyText(allow_blank=True, default="", max_length=handlers.MAX_CAUSE)


class ActivityBody(Known):
    worker_name = _optional(MAX_WORKER)
    #: How long to wait for a task; no longer than the site's ACTIVITY_WAIT_SECONDS.
    wait_seconds = serializers.FloatField(default=0, min_value=0, max_value=60)


class TokenBody(Known):
    token = AnyText(max_length=2_000)


class TokenSuccessBody(TokenBody):
    output = Payload()


class TokenFailureBody(TokenBody):
    error = _optional(handlers.MAX_ERROR)
    cause = _optional(handlers.MAX_CAUSE)


# -- queries -------------------------------------------------------------------------------


class PageQuery(Known):
    cursor = serializers.CharField(required=False, max_length=1_000)
    limit = serializers.IntegerField(default=50, min_value=1, max_value=200)


class ExecutionsQuery(PageQuery):
    workflow = serializers.CharField(required=False)
    #: The id of the execution that started them.
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]
    #: The id of the Map run whose items they are; without it, no run's items are listed.
    map_run = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(required=False, choices=models.Status.choices)
    waiting_for = serializers.ChoiceField(required=False, choices=models.WaitingFor.choices)


class HistoryQuery(Known):
    after = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1)
    limit = serializers.IntegerField(default=100, min_value=1, max_value=1_000)


class EventsQuery(Known):
    after = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1)
    limit = serializers.IntegerField(default=100, min_value=1, max_value=500)
