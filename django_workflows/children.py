"""What the engine writes of distributed Maps within its own transactions.

A run is made with the event that asks for it and ends with the one that answers
it; each child's step moves that child from one of its run's counts to another. So
the counts are right whenever one looks, whoever died when.

Rule: a run's row is written last in a transaction, after the child's or the
parent's, and nothing is locked after it: two transactions can't wait for each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from django_workflows import asl, conf, models
from django_workflows.asl import values
from django_workflows.asl.execution import AwaitingTask
from django_workflows.models import MapState, storable

#: The largest number that the columns take.
_MOST = 2**31 - 1

_COUNTS = {
    models.Status.SUCCEEDED: "succeeded",
    models.Status.FAILED: "failed",
    models.Status.TIMED_OUT: "timed_out",
    models.Status.ABORTED: "aborted",
}


class MapRunIsFull(asl.CommandRejected):
    """As many children run as may, or the run has ended."""


def refuse(row: models.Execution, command: asl.AnyCommand) -> None:
    """Raises asl.CommandRejected where a child can't take *command*, its run being what it is."""
    if row.map_run_id is None:
        return
    if not row.seq:
        raise asl.NotPending("the execution has not begun: it waits for its turn in its Map run")
    if isinstance(command, asl.Redrive) and row.map_state != MapState.WAITING:
        raise asl.NotRedrivable(
            "an item of a distributed Map goes on when the execution with the Map is redriven"
        )


def columns(row: models.Execution, state: asl.Execution) -> dict[str, Any]:
    """What else changes in the row of a child that is now in *state*."""
    if row.map_run_id is None:
        return {}
    changed: dict[str, Any] = {
        "map_state": MapState.RUNNING if state.is_running else MapState.ENDED
    }
    if not row.seq:
        changed["started_at"] = state.started_at
    return changed


def count(row: models.Execution, was: str, *, at: datetime) -> None:
    """Move the child from where it *was* in its run's counts to where its row now is.

    Raises MapRunIsFull where it would begin, and may not.
    """
    if row.map_run_id is None or row.map_state == was:
        return
    runs = models.MapRun.objects.filter(pk=row.map_run_id)
    moved: dict[str, Any] = {"updated_at": at}
    if was == MapState.WAITING:
        moved["pending"] = F("pending") - 1
        # The database looks again when it has the row: the bound holds at any moment.
        runs = runs.filter(
            Q(max_concurrency=0) | Q(running__lt=F("max_concurrency")),
            running__lt=conf.current().max_map_concurrency,
            status=models.MapRun.Status.RUNNING,
        )
    else:
        moved["running"] = F("running") - 1
    if row.map_state == MapState.RUNNING:
        moved["running"] = F("running") + 1
    else:
        name = _COUNTS[models.Status(row.status)]
        moved[name] = F(name) + 1
        if row.status != models.Status.SUCCEEDED:
            moved["items_failed"] = F("items_failed") + (row.item_count or 1)
    if runs.update(**moved) != 1:
        raise MapRunIsFull(f"no more children of the Map run {row.map_run_id} may begin now")


def wants_work(run_id: uuid.UUID) -> bool:
    """Whether a child's end leaves something to do for the run at once."""
    run = models.MapRun.objects.filter(pk=run_id, status=models.MapRun.Status.RUNNING).first()
    return run is not None and (run.pending > 0 or run.is_through or run.is_over_tolerance)


def open_runs(
    row: models.Execution, state: asl.Execution, began: Sequence[asl.TaskStarted], *, at: datetime
) -> list[uuid.UUID]:
    """Make the runs that *began*'s Maps ask for; one that a redrive goes on with goes on."""
    opened = []
    for event in began:
        if event.role != "map":
            continue
        told = {**_told(row, state, event), "updated_at": at, "due_at": _later(at)}
        previous = _redriven(row, event)
        if previous is None:
            run, _ = models.MapRun.objects.get_or_create(
                pk=uuid.uuid5(row.pk, str(event.seq)),
                defaults={
                    "execution": row,
                    "visit": event.visit,
                    "path": values.dumps(list(event.path)),
                    "started_at": event.at,
                    **told,
                },
            )
            opened.append(run.pk)
            continue
        models.MapRun.objects.filter(pk=previous.pk).update(
            **told,
            status=models.MapRun.Status.RUNNING,
            redrive_count=F("redrive_count") + 1,
            reviving=True,
            ended_at=None,
        )
        opened.append(previous.pk)
    return opened


def _later(at: datetime) -> datetime:
    """When the clock looks whether a run moves on."""
    return at + timedelta(seconds=conf.current().redeliver_seconds)


def _told(row: models.Execution, state: asl.Execution, event: asl.TaskStarted) -> dict[str, Any]:
    asked = event.input
    given = state.context if isinstance(state.context, dict) else {}
    return {
        "task": event.seq,
        "state": storable(event.state, 200),
        "label": storable(asked.get("Label") or "", 80),
        "processor": row.machine.at(event.path).states[event.state].pointer,
        # The children know all of the parent's Context Object but who it is.
        "context": {
            name: given[name] for name in given if name not in ("Execution", "StateMachine")
        },
        "max_concurrency": _bounded(asked.get("MaxConcurrency") or 0),
        "tolerated_failure_count": _bounded(asked.get("ToleratedFailureCount")),
        "tolerated_failure_percentage": asked.get("ToleratedFailurePercentage"),
    }


def _bounded(number: int | None) -> int | None:
    return None if number is None else min(number, _MOST)


def _redriven(row: models.Execution, event: asl.TaskStarted) -> models.MapRun | None:
    """The run that *event* asks to go on with: the last one of its visit, if that was redriven.

    After a Retry the Map begins anew, with all items.
    """
    runs = models.MapRun.objects.filter(
        execution=row, visit=event.visit, path=values.dumps(list(event.path)), task__lt=event.seq
    )
    last = runs.order_by("-task").first()
    if last is None:
        return None
    redrives = models.Event.objects.filter(
        execution=row, seq__gt=last.task, seq__lt=event.seq, type=asl.ExecutionRedriven.__name__
    )
    return last if redrives.exists() else None


def close_runs(
    row: models.Execution,
    before: asl.Execution,
    ended: Sequence[int],
    events: Sequence[asl.AnyEvent],
    *,
    at: datetime,
) -> list[uuid.UUID]:
    """End the runs of the tasks in *ended*; those that have children left to be stopped."""
    tasks = [task for task in ended if _is_map_run(before, task)]
    if not tasks:
        return []
    answers = {
        event.task: models.MapRun.Status.SUCCEEDED
        if isinstance(event, asl.TaskSucceeded)
        else models.MapRun.Status.FAILED
        for event in events
        if isinstance(event, asl.TaskSucceeded | asl.TaskFailed | asl.TaskTimedOut)
    }
    left: list[uuid.UUID] = []
    for task in tasks:
        runs = models.MapRun.objects.filter(execution=row, task=task)
        runs.filter(status=models.MapRun.Status.RUNNING).update(
            status=answers.get(task, models.MapRun.Status.ABORTED),
            ended_at=at,
            updated_at=at,
            due_at=_later(at),
        )
        if not runs.filter(pending=0, running=0).update(due_at=None):
            left.extend(runs.values_list("pk", flat=True))
    return left


def _is_map_run(state: asl.Execution, task: int) -> bool:
    doing = state.branches[state.tasks[task]].doing
    return isinstance(doing, AwaitingTask) and doing.role == "map"
