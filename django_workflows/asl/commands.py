"""What can be asked of an execution: the world's answers, and people's wishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django_workflows.asl.events import Origin, RetryScheduled, TaskStarted, WaitStarted
from django_workflows.asl.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    #: Recorded on the first event that the command brings about.
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTask(Command):
    """The task's work is done. ``task`` is the seq of its TaskStarted."""

    task: int
    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTask(Command):
    """The task's work failed, with an Error Name and a Cause."""

    task: int
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeTask(Command):
    """A worker fetches an activity's task. It may be taken once."""

    task: int
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Command):
    """The task is still at work: its heartbeat clock starts anew."""

    task: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishWaiting(Command):
    """End a wait now. ``wait`` is the seq of its WaitStarted or RetryScheduled."""

    wait: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake(Command):
    """It is ``at`` now: whatever was due by then happens. Harmless if nothing was."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Command):
    """Abort the execution."""

    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive(Command):
    """Go on with an execution that failed, timed out or was aborted, from where it was."""


AnyCommand = CompleteTask | FailTask | TakeTask | Heartbeat | FinishWaiting | Wake | Stop | Redrive


def finish_waiting(
    wait: WaitStarted | RetryScheduled, origin: Origin | None = None
) -> FinishWaiting:
    """The command that answers *wait*: its time has come."""
    return FinishWaiting(wait=wait.seq, origin=origin)


def complete_task(task: TaskStarted, result: JSON, origin: Origin | None = None) -> CompleteTask:
    """The command that answers *task* with its result, any JSON data."""
    return CompleteTask(task=task.seq, output=result, origin=origin)


def fail_task(
    task: TaskStarted,
    error: str | None = None,
    cause: str | None = None,
    origin: Origin | None = None,
) -> FailTask:
    """The command that answers *task* with an Error Name and a Cause."""
    return FailTask(task=task.seq, error=error, cause=cause, origin=origin)
