"""What responses show of executions, events and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from django_workflows import asl, engine, models, permissions
from django_workflows.api.fields import Moment, Payload
from django_workflows.api.visibility import Reader
from django_workflows.asl import values
from django_workflows.asl.execution import AwaitingRetry, AwaitingTime
from django_workflows.asl.values import JSON

#: How many of an execution's open tasks, and of its open waits, are shown; the
#: counts beside them tell of more.
MAX_SHOWN = 100


class StartedExecution(serializers.Serializer):
    """What who started an execution learns, even one who may not see executions."""

    id = serializers.UUIDField()
    workflow = serializers.CharField(source="workflow.name")
    version = serializers.IntegerField(source="definition.version")
    name = serializers.CharField()
    status = serializers.CharField()
    started_at = Moment()


class ExecutionSummary(StartedExecution):
    """An execution as lists have it: all that is small."""

    updated_at = Moment()
    ended_at = Moment()
    started_by = serializers.CharField(source="started_by.get_username", default=None)
    error = serializers.SerializerMethodField()
    #: How many events there are: the seq of the last.
    seq = serializers.IntegerField()
    waiting_for = serializers.SerializerMethodField()
    waiting_since = Moment()
    current_states = serializers.CharField()
    retry_count = serializers.IntegerField()

    def get_error(self, execution: models.Execution) -> str | None:
        return execution.error or None

    def get_waiting_for(self, execution: models.Execution) -> str | None:
        return execution.waiting_for or None


class ExecutionDetail(ExecutionSummary):
    """An execution with its payloads. What it waits for is `waiting`."""

    cause = serializers.SerializerMethodField()
    input = Payload()
    output = Payload()
    #: The execution that started it by one of its tasks, and that task's seq.
    parent = serializers.UUIDField(source="parent_id")  # type: ignore[assignment]
    parent_task = serializers.IntegerField()

    def get_cause(self, execution: models.Execution) -> str | None:
        return execution.cause or None


class Task(serializers.Serializer):
    """An open task."""

    id = serializers.SerializerMethodField()
    execution = serializers.UUIDField(source="execution_id")
    workflow = serializers.CharField(source="execution.workflow.name")
    #: What commands name it by: the seq of its TaskStarted.
    task = serializers.IntegerField(source="seq")
    kind = serializers.CharField()
    status = serializers.CharField()
    resource = serializers.CharField()
    state = serializers.CharField()
    path = serializers.SerializerMethodField()
    title = serializers.SerializerMethodField()
    instructions = serializers.SerializerMethodField()
    decisions = serializers.SerializerMethodField()
    started_at = Moment(source="created_at")
    deadline = Moment()

    def get_id(self, task: models.Task) -> str:
        return task_id(task)

    def get_path(self, task: models.Task) -> JSON:
        return json.loads(task.path)

    def get_title(self, task: models.Task) -> str | None:
        return task.title or None

    def get_instructions(self, task: models.Task) -> str | None:
        return task.instructions or None

    def get_decisions(self, task: models.Task) -> JSON:
        return task.decisions if task.kind == models.Task.Kind.APPROVAL else None


def task_id(task: models.Task) -> str:
    """The id of *task* in URLs: not its row's, for rows may be made anew."""
    return f"{task.execution_id}.{task.seq}"


def shown(representation: Any) -> JSON:
    """A serializer's data as people may see them."""
    return models.without_tokens(representation.data)


def execution(row: models.Execution, user: Any) -> dict[str, JSON]:
    """All that *user*, who may see it, is shown of the execution *row*."""
    return {**shown(ExecutionDetail(row)), **waiting(row, user)}


def waiting(row: models.Execution, user: Any) -> dict[str, JSON]:
    """What the execution waits for now, as far as *user* may see the tasks."""
    tasks = row.tasks.none()
    task_count = 0
    if row.is_running:
        task_count = row.tasks.count()
        tasks = permissions.visible_tasks(user).filter(execution=row).order_by("seq")
    for task in (visible := list(tasks[:MAX_SHOWN])):
        task.execution = row
    waits = _open_waits(row)
    return {
        "tasks": shown(Task(visible, many=True)),
        "task_count": task_count,
        "waits": waits[:MAX_SHOWN],
        "wait_count": len(waits),
    }


def _open_waits(row: models.Execution) -> list[JSON]:
    # An execution that waits for a moment has one to wake at.
    if not row.is_running or row.wake_at is None:
        return []
    state = engine.load(row.pk)
    waits = []
    for wait, path in sorted(state.waits.items()):
        branch = state.branches[path]
        if isinstance(branch.doing, AwaitingTime | AwaitingRetry):
            retries = isinstance(branch.doing, AwaitingRetry)
            waits.append(
                {
                    "wait": wait,
                    "kind": models.WaitingFor.RETRY if retries else models.WaitingFor.TIMER,
                    "state": branch.state,
                    "path": list(path),
                    "until": values.format_timestamp(branch.doing.until),
                }
            )
    return waits


def history(events: Iterable[asl.AnyEvent], reader: Reader) -> list[JSON]:
    """The log in AWS's form, without what *reader* may not see."""
    shown = asl.history(
        reader.execution.machine,
        [
            _visible(event, reader) if isinstance(event, asl.TaskStarted) else event
            for event in events
        ],
    )
    return [models.without_tokens(event) for event in shown]


def _visible(event: asl.TaskStarted, reader: Reader) -> asl.TaskStarted:
    event = replace(event, credentials=None)
    fields = {"resource": event.resource, "input": event.input, "state": event.state}
    return event if reader.sees_task(fields) else replace(event, input=None)


def redrive(row: models.Execution) -> dict[str, JSON]:
    """What a redrive would run again."""
    if not row.seq:  # a Map's item that was ended before it had begun
        return {"is_redrivable": False, "states": [], "state_count": 0}
    state = engine.load(row.pk)
    unfinished = list(state.unfinished())
    return {
        "is_redrivable": state.is_redrivable,
        "states": [{"state": name, "path": list(path)} for path, name in unfinished[:MAX_SHOWN]],
        "state_count": len(unfinished),
    }


def events(rows: Iterable[models.Event], reader: Reader) -> list[JSON]:
    """Events as `asl.encode` has them, without what *reader* may not see."""
    return [_event(row, reader) for row in rows]


def _event(row: models.Event, reader: Reader) -> dict[str, JSON]:
    fields = row.public_fields
    if row.type == asl.TaskStarted.__name__ and not reader.sees_task(fields):
        fields = {**fields, "input": None, "input_hidden": True}
    return {
        "seq": row.seq,
        "type": row.type,
        "at": values.format_timestamp(row.at),
        "path": json.loads(row.path),
        **fields,
    }
