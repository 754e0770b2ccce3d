"""What an execution's row says about it, for lists and for the clock: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django_workflows import asl, models, resources
from django_workflows.asl import values
from django_workflows.asl.execution import AwaitingRetry, AwaitingTask, AwaitingTime
from django_workflows.models import WaitingFor, storable

#: The kinds of tasks as an execution's row has them, the first that is there counts.
_TASKS = {
    models.Task.Kind.APPROVAL: WaitingFor.APPROVAL,
    models.Task.Kind.CALLBACK: WaitingFor.CALLBACK,
    models.Task.Kind.ACTIVITY: WaitingFor.CALLBACK,
    models.Task.Kind.HANDLER: WaitingFor.TASK,
    models.Task.Kind.MAP_RUN: WaitingFor.TASK,
}


def task_kind(event: asl.TaskStarted) -> models.Task.Kind:
    """Who answers the task that *event* started."""
    if event.role == "map":
        return models.Task.Kind.MAP_RUN
    return models.Task.Kind(resources.kind(event.resource))


def columns(
    state: asl.Execution,
    *,
    oldest_task: Mapping[str, datetime],
    wait_began: Callable[[int], datetime],
) -> dict[str, Any]:
    """The columns of `models.Execution` that follow from *state* alone, or nearly.

    ``oldest_task`` has the moment of the oldest open task of each kind;
    ``wait_began`` gives that of the WaitStarted or RetryScheduled with a seq.
    """
    waiting_for, since = _waiting(state, oldest_task, wait_began)
    return {
        "seq": state.seq,
        "status": models.Status(str(state.status)),
        "output": state.output,
        "error": storable(state.error or "", 256),
        "cause": storable(state.cause or ""),
        "ended_at": state.ended_at,
        "wake_at": state.wake_at,
        "current_states": current_states(state),
        "waiting_for": waiting_for,
        "waiting_since": since,
    }


def of_log(log: Sequence[asl.AnyEvent]) -> dict[str, Any]:
    """All columns of `models.Execution` that follow from its events."""
    state = asl.fold(log)
    began = {event.seq: event.at for event in log if isinstance(event, asl.SideEffect)}
    oldest_task: dict[str, datetime] = {}
    for event in log:
        if isinstance(event, asl.TaskStarted) and event.seq in state.tasks:
            kind = task_kind(event)
            oldest_task[kind] = min(event.at, oldest_task.get(kind, event.at))
    return {
        **columns(state, oldest_task=oldest_task, wait_began=began.__getitem__),
        "input": state.input,
        "started_at": state.started_at,
        "updated_at": log[-1].at,
        "retry_count": retries(log),
    }


def retries(events: Sequence[asl.AnyEvent]) -> int:
    """How many retries *events* tell of."""
    return sum(isinstance(event, asl.RetryScheduled) for event in events)


def _waiting(
    state: asl.Execution,
    oldest_task: Mapping[str, datetime],
    wait_began: Callable[[int], datetime],
) -> tuple[str, datetime | None]:
    if not state.is_running:
        return "", None
    for kind, waiting_for in _TASKS.items():
        if kind in oldest_task:
            alike = [other for other in _TASKS if _TASKS[other] == waiting_for]
            return waiting_for, min(oldest_task[one] for one in alike if one in oldest_task)
    if not state.waits:
        return "", None
    retries = [
        wait
        for wait, path in state.waits.items()
        if isinstance(state.branches[path].doing, AwaitingRetry)
    ]
    if retries:
        return WaitingFor.RETRY, wait_began(min(retries))
    return WaitingFor.TIMER, wait_began(min(state.waits))


def current_states(state: asl.Execution) -> str:
    """The names of the states that wait for the world, each once."""
    if not state.is_running:
        return ""
    names = dict.fromkeys(
        branch.state
        for branch in state.branches.values()
        if branch.state is not None
        and isinstance(branch.doing, AwaitingTask | AwaitingTime | AwaitingRetry)
    )
    return storable(", ".join(names), 200)


def task_row(execution: models.Execution, event: asl.TaskStarted) -> models.Task:
    """The row for the open task that *event* started, but for what only approvals have."""
    kind = task_kind(event)
    is_fetched = kind == models.Task.Kind.ACTIVITY or (
        kind != models.Task.Kind.MAP_RUN and resources.calls_handler(event.resource)
    )
    return models.Task(
        execution=execution,
        seq=event.seq,
        kind=kind,
        status=models.Task.Status.QUEUED if is_fetched else models.Task.Status.PENDING,
        resource=storable(event.resource),
        state=storable(event.state, 200),
        activity=storable(resources.activity(event.resource), models.MAX_ACTIVITY),
        path=values.dumps(list(event.path)),
        created_at=event.at,
        deadline=event.deadline,
    )
