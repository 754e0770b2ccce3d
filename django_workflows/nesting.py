"""Executions that were started by a task of another, and what the two owe each other.

A child is started while its parent is locked and only as long as the task is
awaited there, so that whoever ends the task finds the child. Of a task that waits
for its child (``.sync``) the child's end is the answer; where the task ends
otherwise, the child is stopped, for nobody waits for it any more.

Rule 1: what is owed is written down in the transaction that brings it about, in
the child's ``parent_due_at``. `look_after` does it after the commit, and is called
by the clock again where that got lost.
Rule 2: locks are taken from the parent down to the child, never the other way: a
child's end is told in a transaction of its own.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import transaction

from django_workflows import actors, asl, conf, engine, integrations, models, resources, signals
from django_workflows.actors import Actor
from django_workflows.asl.values import JSON

logger = logging.getLogger(__name__)

#: The channel of what one execution does to another.
CHANNEL = "workflow"


class TooDeep(asl.CommandRejected):
    """More executions wait for each other than may."""


def connect() -> None:
    """Listen for what is owed."""
    signals.execution_ended.connect(on_execution_ended, dispatch_uid=__name__)
    signals.children_left.connect(on_children_left, dispatch_uid=__name__)


def start(
    parent_id: uuid.UUID,
    task: int,
    workflow: models.Workflow,
    input: JSON,
    *,
    name: str | None = None,
    definition: models.Definition | None = None,
) -> models.Execution:
    """The execution that the task *task* of *parent_id* asks for.

    Asked again it is the same one: without a *name* its name is the task's. A
    *name* that another task gave is one of an execution that runs, with an equal
    input, and only for a task that does not wait for its end, as on AWS.

    Raises asl.NotPending where the task is not awaited any more; TooDeep;
    ExecutionAlreadyExists; and as `engine.start` does.
    """
    with transaction.atomic():
        parent = _locked(parent_id)
        asked = parent.tasks.filter(seq=task).first()
        if asked is None:
            raise asl.NotPending(f"task {task} is not pending: nobody waits for it any more")
        _check_depth(parent)
        child = engine.start(
            workflow,
            input,
            actor=_actor(f"task {task} of {_name(parent)}"),
            name=name or f"{parent.pk}-{task}",
            definition=definition,
            parent=asked,
        )
        is_own = (child.parent_id, child.parent_task) == (parent.pk, task)
        if not is_own and (resources.awaits_execution(asked.resource) or not child.is_running):
            raise engine.ExecutionAlreadyExists(
                f"the workflow {workflow} has an execution {child.name!r} already"
            )
        return child


def _locked(execution_id: uuid.UUID) -> models.Execution:
    rows = models.Execution.objects.select_related("workflow", "map_run").filter(pk=execution_id)
    return models.lock(rows.defer("input", "output", "workflow__description"))


def _check_depth(parent: models.Execution) -> None:
    """Raises TooDeep where *parent* is the last of too many, each running and started by the one
    before. Those that have ended don't count: one may start its own successor for ever.
    """
    limit = conf.current().max_nesting
    depth, above = 1, _above(parent)
    while above is not None and depth < limit:
        running = models.Execution.objects.filter(pk=above, status=models.Status.RUNNING)
        execution = running.select_related("map_run").only("parent", "map_run__execution").first()
        if execution is None:
            break
        depth, above = depth + 1, _above(execution)
    if depth >= limit:
        raise TooDeep(
            f"{limit} executions run that were each started by the one before, the last"
            f" of them {_name(parent)}: that is as many as WORKFLOWS['MAX_NESTING'] allows"
        )


def _above(execution: models.Execution) -> uuid.UUID | None:
    """What started *execution*: a task of this one, or a distributed Map of its."""
    run = execution.map_run
    return execution.parent_id if run is None else run.execution_id


def look_after(child_id: uuid.UUID) -> bool:
    """Do what the execution *child_id* and its parent owe each other; whether it was anything.

    Harmless to do too often, and from many places.
    """
    child = models.Execution.objects.select_related("workflow").filter(pk=child_id).first()
    if child is None or child.parent_due_at is None:
        return False
    task = _waiting_task(child)
    if child.is_running and task is None:
        _stop(child)
    elif not child.is_running and task is not None:
        _tell(child, task)
    due = models.Execution.objects.filter(pk=child.pk, parent_due_at=child.parent_due_at)
    due.update(parent_due_at=None)
    return True


def _waiting_task(child: models.Execution) -> models.Task | None:
    """The open task that waits for the end of *child*."""
    if child.parent_id is None or child.parent_task is None:
        return None
    tasks = models.Task.objects.filter(execution=child.parent_id, seq=child.parent_task)
    task = tasks.first()
    return task if task is not None and resources.awaits_execution(task.resource) else None


def _stop(child: models.Execution) -> None:
    cause = "The task that waited for this execution ended without it"
    with suppress(asl.ExecutionEnded):
        engine.send(child.pk, asl.Stop(cause=cause), actor=_actor(cause))


def _tell(child: models.Execution, task: models.Task) -> None:
    """Answer the parent's *task* with how the child ended."""
    command = integrations.answer(child, engine.load(child.pk), task)
    try:
        engine.send(task.execution_id, command, actor=_actor(f"{_name(child)} ended"))
    except asl.CommandRejected as refusal:
        logger.info("%s: its end was told too late: %s", child, refusal)
    except models.Execution.DoesNotExist:
        logger.info("%s: its parent was deleted", child)


def on_execution_ended(*, execution: models.Execution, **_: Any) -> None:
    """Tell the parent, if one waits."""
    if execution.parent_id is not None:
        look_after(execution.pk)


def on_children_left(*, child_ids: Sequence[uuid.UUID], **_: Any) -> None:
    """Stop those whose parent's task has ended without them."""
    for child_id in child_ids:
        try:
            look_after(child_id)
        except Exception:
            logger.exception("execution %s could not be stopped; it will be, later", child_id)


def _actor(reason: str) -> Actor:
    return actors.system(CHANNEL, reason=reason)


def _name(execution: models.Execution) -> str:
    return f"{execution.workflow.name} {execution.name} ({execution.pk})"
