"""Workflows through Django, without a cluster: the database, the site's handlers, its people.

`Workflows` stands in for the queue and for the clock: what a cluster would do is done in
this process, in order, and time passes when the test says so. The pytest fixture
``workflows`` makes one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.dispatch import Signal
from django.test import TestCase
from django.utils import timezone

from django_workflows import (
    actors,
    asl,
    clock,
    engine,
    files,
    handlers,
    models,
    resources,
    signals,
    tasks,
)
from django_workflows.asl.execution import AwaitingRetry
from django_workflows.asl.face import NO_INPUT
from django_workflows.asl.values import JSON
from django_workflows.handlers import PENDING, TaskContext, TaskError
from django_workflows.testing import coverage as coverages
from django_workflows.testing.mocks import (
    Call,
    Fails,
    Length,
    Mock,
    Mocks,
    Pending,
    Raises,
    Response,
    Succeeds,
    length,
)
from django_workflows.testing.queries import Queries
from django_workflows.testing.runs import MAX_MOMENTS, Definition

ResultT = TypeVar("ResultT")

SYSTEM = actors.system("test")

#: What moves while the run of a distributed Map does.
_COUNTS = (
    "status",
    "task",
    "items_read",
    "total_items",
    "pending",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "aborted",
)


class Workflows:
    """A site's workflows under test, on a clock that stands still until `advance`."""

    def __init__(self) -> None:
        self._mocks = Mocks()
        self._failures: list[AssertionError] = []
        self._resolve = handlers.resolve
        self._open = ExitStack()
        #: Now: what ``timezone.now()`` says to all, while the test runs.
        self.at: datetime = timezone.now()

    def __enter__(self) -> Workflows:
        self._open.enter_context(mock.patch.object(timezone, "now", self._now))
        self._open.enter_context(mock.patch.object(handlers, "resolve", self._resolved))
        if apps.is_installed("django_q"):
            from django_workflows import dispatch

            self._silence(signals.tasks_requested, dispatch.on_tasks_requested)
            self._silence(signals.map_runs_requested, dispatch.on_map_runs_requested)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._collect()
        finally:
            self._open.close()

    def _now(self) -> datetime:
        return self.at

    def _silence(self, signal: Signal, receiver: Callable[..., None]) -> None:
        """Tell the queue nothing while the test runs."""
        if signal.disconnect(dispatch_uid="django_workflows"):
            self._open.callback(signal.connect, receiver, dispatch_uid="django_workflows")

    # -- definitions and executions

    def publish(self, name: str, definition: Definition) -> models.Workflow:
        """The workflow *name*, whose current version is *definition*."""
        source = files.read(definition).source if isinstance(definition, Path) else definition
        asl.parse(source)
        workflow, _ = models.Workflow.objects.get_or_create(name=name)
        workflow.publish(source)
        return workflow

    def start(
        self,
        workflow: str | models.Workflow,
        input: JSON = NO_INPUT,
        *,
        user: Any = None,
        name: str | None = None,
        context: Mapping[str, JSON] | None = None,
    ) -> SiteRun:
        """Start a workflow, as *user* or as the system, and go as far as that takes no time.

        A workflow that is not there yet is published from the file of its name in an app.
        Raises what `engine.start` does; LookupError where there is no such workflow.
        """
        row = self._workflow(workflow) if isinstance(workflow, str) else workflow
        actor = SYSTEM if user is None else actors.user(user, channel="test")
        execution = self._do(
            lambda: engine.start(row, input, actor=actor, name=name, context=context)
        )
        return SiteRun(self, execution.pk)

    def run_of(self, execution: models.Execution | UUID) -> SiteRun:
        """An execution that the site itself has started."""
        key = execution if isinstance(execution, UUID) else execution.pk
        return SiteRun(self, key)

    def mock(self, tasks: Mapping[str, Mock]) -> None:
        """Have these stand in for handlers, by the state's name or by resource."""
        self._mocks.add(tasks)

    def _workflow(self, name: str) -> models.Workflow:
        workflow = models.Workflow.objects.filter(name=name).first()
        if workflow is not None:
            return workflow
        for path in files.of_apps():
            if files.name_of(path) == name:
                return self.publish(name, path)
        raise LookupError(f"there is no workflow {name!r}, and no app has a file for one")

    # -- the queue and the clock

    def drain(self) -> int:
        """Do what the queue would have workers do, in order, until nothing is left to be done
        now; how many tasks that were."""
        done = 0
        while True:
            with TestCase.captureOnCommitCallbacks(execute=True):
                task = self._queued()
                if task is not None:
                    self._work(task)
                    done += 1
                    continue
            if not self._drive_map_runs() and not self._tick():
                return done

    def advance(self, by: Length) -> Workflows:
        """Let time pass, and do what falls due, in order."""
        until = self.at + length(by)
        self.drain()
        while (moment := self._next_moment()) is not None and moment <= until:
            self._go_to(moment)
        self.at = until
        self.drain()
        return self

    def _go_to(self, moment: datetime) -> None:
        self.at = max(self.at, moment)
        self.drain()
        again = self._next_moment()
        if again is not None and again <= moment:
            raise AssertionError(f"what was due at {moment} could not be done; see the log")

    def _next_moment(self) -> datetime | None:
        waiting = models.Execution.objects.filter(wake_at__isnull=False).order_by("wake_at")
        return waiting.values_list("wake_at", flat=True).first()

    def _queued(self) -> models.Task | None:
        rows = models.Task.objects.filter(status=models.Task.Status.QUEUED)
        return rows.filter(kind__in=_WORKED).order_by("pk").first()

    def _work(self, task: models.Task) -> None:
        tasks.run(task.pk)
        if self._failures:
            raise self._failures.pop()
        if models.Task.objects.filter(pk=task.pk, status=models.Task.Status.QUEUED).exists():
            raise AssertionError(f"the task of {task.state!r} could not be done; see the log")

    def _drive_map_runs(self) -> bool:
        """Whether the run of a distributed Map has moved."""
        moved = False
        runs = models.MapRun.objects.filter(
            Q(status=models.MapRun.Status.RUNNING) | Q(due_at__isnull=False)
        )
        for run in runs.order_by("started_at", "pk"):
            before = _counts(run.pk)
            with TestCase.captureOnCommitCallbacks(execute=True):
                tasks.drive_map_run(str(run.pk))
            if self._failures:
                raise self._failures.pop()
            moved = moved or _counts(run.pk) != before
        return moved

    def _tick(self) -> bool:
        """Whether something was due."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            done = clock.tick(self.at)
        return bool(done.woken or done.settled or done.failed)

    def _do(self, deed: Callable[[], ResultT]) -> ResultT:
        """*deed*, with what follows its commit, and what the queue then has to do."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            result = deed()
        self.drain()
        return result

    # -- handlers

    def _resolved(self, resource: str, input: JSON) -> Any:
        return _Call(self, resource, input)

    def _answer(self, resource: str, input: JSON, context: TaskContext) -> Any:
        call = Call(
            state=context.state,
            resource=resource,
            input=input,
            attempt=context.attempt,
            context=context,
        )
        try:
            response = self._mocks.response(call)
            if response is None:
                return self._resolve(resource, input).run(context)
            result = _result(response)
        except AssertionError as failure:
            # The test's own, in a mock or a handler: the workflow must not swallow it.
            self._failures.append(failure)
            raise
        return PENDING if resources.awaits_token(resource) else result

    # -- coverage

    def _collect(self) -> None:
        if not coverages.ACTIVE:
            return
        for row in models.Execution.objects.select_related("workflow", "definition"):
            source = json.dumps(json.loads(row.definition.source), sort_keys=True)
            key = hashlib.sha256(source.encode()).hexdigest()
            for coverage in coverages.ACTIVE:
                coverage.record(
                    key,
                    row.workflow.name,
                    row.definition.machine,
                    row.machine,
                    asl.Execution(),
                    engine.log(row.pk),
                )


#: What workers of the site's own queue do.
_WORKED = [models.Task.Kind.HANDLER, models.Task.Kind.CALLBACK]


def _counts(run_id: UUID) -> tuple[Any, ...] | None:
    return models.MapRun.objects.filter(pk=run_id).values_list(*_COUNTS).first()


class _Call:
    """What `handlers.resolve` gives, asked of the mocks first."""

    def __init__(self, workflows: Workflows, resource: str, input: JSON) -> None:
        self._workflows = workflows
        self._resource = resource
        self._input = input

    def run(self, context: TaskContext) -> Any:
        return self._workflows._answer(self._resource, self._input, context)


def _result(response: Response) -> Any:
    """What a handler that answers so returns. Raises what it raises."""
    if response.after > timedelta():
        raise AssertionError("after=... is for runs in memory: through Django, use pending()")
    match response:
        case Succeeds(value=value):
            return value
        case Fails(error=error, cause=cause):
            raise TaskError(error or "", cause)
        case Raises(exception=exception):
            raise exception
        case Pending():
            return PENDING
        case _:
            raise AssertionError("an approval is not a handler's: use run.decide(...)")


class SiteRun(Queries):
    """One execution in the database. `Workflows.start` makes it."""

    def __init__(self, workflows: Workflows, key: UUID) -> None:
        self._workflows = workflows
        #: The execution's primary key.
        self.id = key

    def __repr__(self) -> str:
        return f"<Run of {self.execution.workflow.name!r}: {self._story()}>"

    # -- what is known of it

    @property
    def execution(self) -> models.Execution:
        """The row, as it is now."""
        rows = models.Execution.objects.select_related("workflow", "definition")
        return rows.get(pk=self.id)

    @property
    def log(self) -> list[asl.AnyEvent]:
        return engine.log(self.id)

    @property
    def status(self) -> str:
        return str(self.execution.status)

    @property
    def output(self) -> JSON:
        row = self.execution
        if row.status != models.Status.SUCCEEDED:
            raise self._unexpected("it has no output: it has not succeeded")
        return row.output

    @property
    def error(self) -> str | None:
        return engine.load(self.id).error

    @property
    def cause(self) -> str | None:
        return engine.load(self.id).cause

    @property
    def waiting_for(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in self._family():
            state = engine.load(key)
            for task in models.Task.objects.filter(execution=key).exclude(
                kind=models.Task.Kind.MAP_RUN
            ):
                found[task.state] = _WAITING[models.Task.Kind(task.kind)]
            for path in state.waits.values():
                branch = state.branches[path]
                retries = isinstance(branch.doing, AwaitingRetry)
                found[str(branch.state)] = "retry" if retries else "timer"
        return found

    def task(self, state: str) -> models.Task:
        """The row of the open task of *state*, the oldest where there are several."""
        rows = models.Task.objects.filter(execution__in=list(self._family()), state=state)
        task = rows.order_by("pk").first()
        if task is None:
            raise self._unexpected(f"no task of {state!r} is open")
        return task

    def token(self, state: str) -> str:
        """The token that answers the open task of *state*."""
        return engine.token_of(self.task(state))

    # -- what the test does

    def advance(self, by: Length) -> SiteRun:
        """Let time pass, for all executions, and do what falls due, in order."""
        self._workflows.advance(by)
        return self

    def until_rest(self) -> SiteRun:
        """Do all that takes no time, say after the site's own code has sent something."""
        self._workflows.drain()
        return self

    def finish(self) -> SiteRun:
        """Let as much time pass as it takes to the end.

        Raises AssertionError where it waits for an answer that no time brings.
        """
        self._workflows.drain()
        for _ in range(MAX_MOMENTS):
            if not self.execution.is_running:
                return self
            moment = self._workflows._next_moment()
            if moment is None:
                raise self._unexpected("it can't finish: no passing of time will move it")
            self._workflows._go_to(moment)
        raise self._unexpected(f"it has not finished after {MAX_MOMENTS} moments; is it a loop?")

    def decide(self, state: str, decision: str, *, by: Any = None, comment: str = "") -> SiteRun:
        """Decide an approval, as the user *by* or of that name; else as the first one asked.

        Raises what `engine.decide_approval` does.
        """
        task = self.task(state)
        actor = actors.user(self._person(task, by), channel="test")
        self._workflows._do(lambda: engine.decide_approval(task, decision, comment, actor=actor))
        return self

    def answer(self, state: str, output: JSON = None) -> SiteRun:
        """Complete the open task of *state*, with its token."""
        token = self.token(state)
        self._workflows._do(lambda: engine.complete_by_token(token, output))
        return self

    def fail(self, state: str, error: str | None, cause: str | None = None) -> SiteRun:
        """Fail the open task of *state*, with its token."""
        token = self.token(state)
        self._workflows._do(lambda: engine.fail_by_token(token, error, cause))
        return self

    def stop(self, error: str | None = None, cause: str | None = None) -> SiteRun:
        """Abort it."""
        return self.send(asl.Stop(error=error, cause=cause))

    def redrive(self) -> SiteRun:
        """Let it go on where it failed."""
        return self.send(asl.Redrive())

    def send(self, command: asl.AnyCommand, *, user: Any = None) -> SiteRun:
        """Send any command, as *user* or as the system."""
        actor = SYSTEM if user is None else actors.user(user, channel="test")
        self._workflows._do(lambda: engine.send(self.id, command, actor=actor))
        return self

    def _person(self, task: models.Task, by: Any) -> Any:
        users = get_user_model()
        if by is not None and not isinstance(by, str):
            return by
        if by is None:
            asked = task.candidates.filter(kind=models.TaskCandidate.Kind.USER)
            names: Sequence[str] = list(asked.order_by("pk").values_list("name", flat=True))
        else:
            names = [by]
        for name in names:
            user = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()
            if user is not None:
                return user
        who = f"there is no user {by!r}" if by else "no user is asked by name; say by=..."
        raise self._unexpected(f"{task.state!r} can't be decided: {who}")

    def _definition(self) -> asl.StateMachine:
        return self.execution.definition.machine

    def _family(self) -> Iterator[UUID]:
        """It, and the children of its distributed Maps, and theirs."""
        yield self.id
        todo = [self.id]
        while todo:
            children = models.Execution.objects.filter(map_run__execution__in=todo)
            todo = list(children.order_by("started_at", "map_index").values_list("pk", flat=True))
            # Those that have not begun have no events.
            yield from (
                models.Execution.objects.filter(pk__in=todo, seq__gt=0)
                .order_by("map_index")
                .values_list("pk", flat=True)
            )

    def _logs(self) -> Iterator[Sequence[asl.AnyEvent]]:
        return (engine.log(key) for key in self._family())


_WAITING = {
    models.Task.Kind.HANDLER: "task",
    models.Task.Kind.CALLBACK: "callback",
    models.Task.Kind.ACTIVITY: "callback",
    models.Task.Kind.APPROVAL: "approval",
}
