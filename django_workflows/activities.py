"""Activities: tasks that workers outside fetch when they have time.

No handler is called for a task whose resource has ``:activity:NAME``. Its row stays
QUEUED until a worker asks for work of that name; from then on the worker's silence
counts (HeartbeatSeconds), and its token answers the task as any other. A worker that
is never heard of again is noticed by HeartbeatSeconds and TimeoutSeconds alone, as
on AWS.

There is no register of activities: a name is what a definition and a worker agree on.

Source: AWS API, "GetActivityTask".
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from django_workflows import asl, engine, models, permissions
from django_workflows.actors import Actor
from django_workflows.asl.values import JSON
from django_workflows.models import storable

#: How long a worker's poll sleeps before it looks again.
_PAUSE_SECONDS = 0.25
#: How many tasks a look considers: more than workers that look at the same time.
_LOOKS_AT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A task for the worker that fetched it."""

    execution_id: UUID
    #: The seq of its TaskStarted.
    task: int
    input: JSON
    #: Answers the task: a secret.
    token: str = field(repr=False)


def take(name: str, worker: str | None = None, *, actor: Actor) -> Taken | None:
    """The oldest task of the activity *name*, now *worker*'s; None where there is none.

    Of many that ask at the same time each gets another. Raises NotAllowed.
    """
    permissions.authorize(actor, permissions.Action.WORK_ACTIVITIES)
    rows = permissions.workable_tasks(actor).filter(
        status=models.Task.Status.QUEUED, activity=storable(name, models.MAX_ACTIVITY)
    )
    places = list(rows.order_by("created_at", "id").values_list("execution", "seq")[:_LOOKS_AT])
    # First those that nobody is at; what is locked may be so for another reason.
    for skip_locked in (True, False):
        for execution_id, seq in places:
            command = asl.TakeTask(task=seq, worker=worker)
            try:
                sent = engine.send(execution_id, command, actor=actor, skip_locked=skip_locked)
            except (asl.NotPending, asl.ExecutionEnded, models.Execution.DoesNotExist):
                continue
            return _taken(sent, seq)
    return None


def wait_for(name: str, worker: str | None = None, *, actor: Actor, seconds: float) -> Taken | None:
    """As `take`, but looks again and again for as long as *seconds*.

    Must not be called in a transaction, which would see nothing new.
    """
    until = time.monotonic() + seconds
    while True:
        taken = take(name, worker, actor=actor)
        left = until - time.monotonic()
        if taken is not None or left <= 0:
            return taken
        time.sleep(min(_PAUSE_SECONDS, left))


def _taken(sent: engine.Sent, seq: int) -> Taken:
    key = sent.execution.pk
    event = models.Event.objects.get(execution=key, seq=seq).read()
    assert isinstance(event, asl.TaskStarted)
    token = asl.task_token(sent.state, seq)
    return Taken(execution_id=key, task=seq, input=event.input, token=token)
