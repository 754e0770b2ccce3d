"""What the database tests have in common: definitions, people, a queue that is run by hand.

`drain` does what a cluster would, in order and in this process. After every step it
checks, as every helper here does, that what is stored follows from the events.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection

from django_workflows import actors, asl, clock, engine, models, projection, tasks

SYSTEM = actors.system("test")


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    """A definition of *states*, one after the other; the last one ends it."""
    names = list(states)
    document: dict[str, Any] = {"StartAt": names[0], "States": {}}
    for name, following in zip(names, [*names[1:], None], strict=True):
        state = dict(states[name])
        if state["Type"] not in ("Succeed", "Fail", "Choice") and not {"Next", "End"} & set(state):
            state |= {"Next": following} if following else {"End": True}
        document["States"][name] = state
    return document


def call(resource: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **fields}


def approval(**parameters: Any) -> dict[str, Any]:
    return call("approval", Parameters=parameters)


def published(document: dict[str, Any] | None = None, name: str = "order") -> models.Workflow:
    workflow = models.Workflow.objects.create(name=name)
    workflow.publish(document or machine(Work=call("echo")))
    return workflow


def started(
    document: dict[str, Any] | None = None, input: Any = None, **arguments: Any
) -> models.Execution:
    """A fresh execution of a fresh workflow."""
    workflow = published(document, name=f"order-{models.Workflow.objects.count()}")
    arguments = {"actor": SYSTEM, **arguments}
    execution = engine.start(workflow, {} if input is None else input, **arguments)
    return checked(execution)


def send(
    execution: models.Execution, command: asl.AnyCommand, **arguments: Any
) -> models.Execution:
    engine.send(execution.pk, command, **{"actor": SYSTEM, **arguments})
    return checked(execution)


def drain() -> int:
    """Do every queued task, in order, until none is left; how many there were."""
    done = 0
    while (row := queued().first()) is not None:
        tasks.run(row.pk)
        done += 1
        assert not models.Task.objects.filter(pk=row.pk, status="QUEUED").exists()
        checked(row.execution)
    return done


def queued():
    rows = models.Task.objects.filter(status=models.Task.Status.QUEUED)
    return rows.exclude(kind=models.Task.Kind.ACTIVITY).order_by("pk")


def tick(now: datetime) -> clock.Tick:
    done = clock.tick(now)
    for execution in models.Execution.objects.all():
        checked(execution)
    return done


def checked(execution: models.Execution | UUID) -> models.Execution:
    """The execution as it is stored now, which is what its events say."""
    row = models.Execution.objects.get(pk=getattr(execution, "pk", execution))
    events = engine.log(row.pk)
    if not events:
        # A distributed Map's item that did not begin.
        assert (row.seq, row.status) in ((0, "PENDING"), (0, "ABORTED"))
        return row
    assert [event.seq for event in events] == list(range(1, row.seq + 1))
    state = asl.fold(events)
    assert engine.load(row.pk) == state
    assert asl.recover(row.machine, events).events == ()
    for name, value in projection.of_log(events).items():
        assert getattr(row, name) == value, name
    _check_tasks(row, events, state)
    if row.is_running:
        assert state.tasks or row.wake_at
    return row


def _check_tasks(row, events, state):
    rows = {task.seq: task for task in row.tasks.all()}
    assert set(rows) == set(state.tasks)
    for event in events:
        if event.seq not in rows:
            continue
        task = rows[event.seq]
        assert task.kind == projection.task_kind(event)
        assert (task.created_at, task.deadline) == (event.at, event.deadline)
        assert json.loads(task.path) == list(event.path)
        if task.kind == "activity":
            is_taken = state.branches[event.path].doing.taken
            assert (task.due_at, task.status) == (None, "RUNNING" if is_taken else "QUEUED")
        else:
            assert (task.due_at is None) == (task.status == "PENDING")
            assert bool(task.worker) == (task.status == "RUNNING")
        assert (task.candidates.count() > 0) == (task.kind == "approval")


def output(execution: models.Execution) -> Any:
    """What the execution ended with; it must have succeeded."""
    row = checked(execution)
    assert row.status == "SUCCEEDED", (row.status, row.error, row.cause)
    return row.output


def failure(execution: models.Execution) -> tuple[str, str]:
    """The error and the cause that the execution failed with."""
    row = checked(execution)
    assert row.status == "FAILED"
    return row.error, row.cause


def only_task(execution: models.Execution) -> models.Task:
    return execution.tasks.get()


def person(name: str, *permissions: str, groups: tuple[str, ...] = (), **fields: Any) -> Any:
    """A user with these permissions on executions, in these groups."""
    user = get_user_model().objects.create_user(name, **fields)
    for codename in permissions:
        user.user_permissions.add(
            Permission.objects.get(codename=codename, content_type__app_label="django_workflows")
        )
    for group in groups:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    return get_user_model().objects.get(pk=user.pk)


def as_user(user: Any) -> actors.Actor:
    return actors.user(user, channel="test")


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """What each of *deeds* returned, or the exception it raised; all done at the same time."""
    results: list[Any] = [None] * len(deeds)
    ready = threading.Barrier(len(deeds))

    def do(index: int) -> None:
        try:
            connection.ensure_connection()
            ready.wait()
            results[index] = deeds[index]()
        except BaseException as raised:
            results[index] = raised
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(index,)) for index in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
