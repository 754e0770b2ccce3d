"""A workflow in memory, on a virtual clock: `run` starts one, and a `Run` is asked.

Nothing here waits, sleeps, or touches a database. Whatever needs no time is done at
once, in order; time passes when the test says so.
"""

from __future__ import annotations

import difflib
import hashlib
import heapq
import io
import itertools
import json
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django_workflows import approvals, asl, files, resources
from django_workflows import handlers as site_handlers
from django_workflows.approvals import InvalidApproval
from django_workflows.asl import itemreader, values
from django_workflows.asl.context import execution_id
from django_workflows.asl.definition import Task
from django_workflows.asl.execution import AwaitingRetry
from django_workflows.asl.face import NO_INPUT
from django_workflows.asl.maprun import map_run, threshold_exceeded
from django_workflows.asl.references import states_of
from django_workflows.asl.values import JSON
from django_workflows.handlers import TaskContext, UnknownResource
from django_workflows.testing import coverage as coverages
from django_workflows.testing import invariants
from django_workflows.testing.coverage import Coverage
from django_workflows.testing.mocks import (
    Call,
    Decides,
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

#: When a virtual clock begins, unless the test says otherwise.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

#: A definition: JSON text, data, or the path of a file.
Definition = Mapping[str, Any] | str | bytes | Path

#: A task, in the tests' words: the state's name, its number, or its event.
TaskRef = str | int | asl.TaskStarted

_MACHINE = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:stateMachine:(?P<name>[^:]+)(?::[^:]+)?")

#: After so many moments without an end, `Run.finish` takes a workflow for a loop.
MAX_MOMENTS = 10_000

_WAITING = {
    resources.Kind.HANDLER: "task",
    resources.Kind.CALLBACK: "callback",
    resources.Kind.ACTIVITY: "callback",
    resources.Kind.APPROVAL: "approval",
}

_START_EXECUTION = re.compile(
    r"arn:[a-z-]+:states:[^:]*:[^:]*:states:startExecution(?P<sync>\.sync(:2)?)?"
)


def run(
    definition: Definition,
    input: JSON = NO_INPUT,
    *,
    ctx: Mapping[str, JSON] | None = None,
    at: datetime | None = None,
    tasks: Mapping[str, Mock] | None = None,
    handlers: bool = False,
    items: Mapping[str, Sequence[JSON] | str | Path] | None = None,
    workflows: Mapping[str, Definition] | None = None,
    limits: asl.Limits | None = None,
    seed: str = "a seed",
    name: str | None = None,
    coverage: Coverage | None = None,
    check: bool = False,
) -> Run:
    """Start *definition* with *input*, and go as far as that takes no time.

    ``tasks`` says what stands in for the work of Task states; see `mocks`. With
    ``handlers``, functions registered with ``@task`` do what is not mocked.
    ``items`` has what the ItemReader of a distributed Map would read, by the Map's
    name: a list, or a file's text or path. ``workflows`` has the definitions that
    ``states:startExecution`` may start, by name. ``ctx`` joins the Context Object.
    ``name`` is what coverage calls the workflow. ``check`` looks after every step
    whether what the interpreter promises holds.

    Raises asl.InvalidDefinition; AssertionError where a task is reached that nothing
    answers; ValueError where a mock is for no state and no resource there is, or
    ``at`` has no time zone.
    """
    if at is not None and at.tzinfo is None:
        raise ValueError("at: expected an aware datetime, found one without a time zone")
    source = source_of(definition, name)
    others = {key: source_of(one, key) for key, one in (workflows or {}).items()}
    mocks = Mocks(tasks)
    _refuse_unknown(mocks, dict(items or {}), [source, *others.values()])
    world = _World(
        at=EPOCH if at is None else at.astimezone(UTC),
        mocks=mocks,
        calls_handlers=handlers,
        items=dict(items or {}),
        workflows=others,
        limits=limits or asl.Limits(),
        coverages=[*coverages.ACTIVE, *([coverage] if coverage else [])],
        check=check,
    )
    begun = Run(world, source, source.workflow, seed=seed)
    begun._start(input, ctx or {})
    world.settle()
    return begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A definition, parsed; ``key`` is equal for equal ones."""

    name: str
    key: str
    workflow: asl.StateMachine


def source_of(definition: Definition, name: str | None = None) -> Source:
    """*definition*, parsed. Raises asl.InvalidDefinition; OSError for a file."""
    if isinstance(definition, Path):
        name = name or files.name_of(definition)
        document = files.read(definition)
        errors = [one for one in document.check() if one.severity == "ERROR"]
        if errors:
            raise asl.InvalidDefinition(errors)
        definition = document.source
    workflow = asl.parse(definition)
    data = definition if isinstance(definition, Mapping) else values.loads(definition)
    canonical = json.dumps(data, sort_keys=True)
    return Source(
        name=name or workflow.comment or f"starts at {workflow.start_at}",
        key=hashlib.sha256(canonical.encode()).hexdigest(),
        workflow=workflow,
    )


@dataclass(slots=True, kw_only=True)
class _World:
    """What all executions of a test share: the clock, the mocks, the work to do."""

    at: datetime
    mocks: Mocks
    calls_handlers: bool
    items: dict[str, Sequence[JSON] | str | Path]
    workflows: dict[str, Source]
    limits: asl.Limits
    coverages: list[Coverage]
    check: bool
    #: What is to be done now, in order.
    todo: deque[Callable[[], None]] = field(default_factory=deque)
    #: Answers that take their time: a heap of (moment, order, what to do then).
    late: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    running: dict[int, Run] = field(default_factory=dict)
    order: Iterator[int] = field(default_factory=itertools.count)

    def settle(self) -> None:
        """Do all that needs no time."""
        while self.todo:
            self.todo.popleft()()

    def later(self, after: timedelta, deed: Callable[[], None]) -> None:
        heapq.heappush(self.late, (self.at + after, next(self.order), deed))

    def next_moment(self) -> datetime | None:
        """When something happens next; None for never, unless the test does it."""
        moments = [moment for one in self.running.values() if (moment := one.wake_at) is not None]
        if self.late:
            moments.append(self.late[0][0])
        return min(moments, default=None)

    def go_to(self, moment: datetime) -> None:
        """Let it be *moment*, and do what is due then."""
        self.at = max(self.at, moment)
        while self.late and self.late[0][0] <= self.at:
            self.todo.append(heapq.heappop(self.late)[2])
        # An answer that comes at the last moment is still in time.
        self.settle()
        for one in list(self.running.values()):
            wake_at = one.wake_at
            if wake_at is not None and wake_at <= self.at:
                one._send(asl.Wake(at=self.at))
        self.settle()


class Run(Queries):
    """One execution in memory. `run` makes it."""

    def __init__(
        self, world: _World, source: Source, machine: asl.StateMachine, *, seed: str
    ) -> None:
        self._world = world
        self._source = source
        self._seed = seed
        self._number = next(world.order)
        self._map_runs: dict[int, _MapRun] = {}
        self._nested: dict[int, Run] = {}
        self._on_end: Callable[[Run], None] | None = None
        #: The machine that it executes: the definition's, or a Map's processor.
        self.workflow = machine
        self._log: list[asl.AnyEvent] = []
        self.execution = asl.Execution()
        #: The executions of its distributed Maps' items, and those that its tasks
        #: started, in order.
        self.children: list[Run] = []

    def __repr__(self) -> str:
        return f"<Run of {self._source.name!r}: {self._story()}>"

    # -- what is known of it

    @property
    def at(self) -> datetime:
        """Now, on the virtual clock."""
        return self._world.at

    @property
    def log(self) -> list[asl.AnyEvent]:
        return self._log

    @property
    def status(self) -> asl.Status:
        return self.execution.status

    @property
    def output(self) -> JSON:
        if self.status is not asl.Status.SUCCEEDED:
            raise self._unexpected("it has no output: it has not succeeded")
        return self.execution.output

    @property
    def error(self) -> str | None:
        return self.execution.error

    @property
    def cause(self) -> str | None:
        return self.execution.cause

    @property
    def waiting_for(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in self._family():
            for task in one.open_tasks:
                if task.role == "work":
                    found[task.state] = _WAITING[resources.kind(task.resource)]
            for path in one.execution.waits.values():
                branch = one.execution.branches[path]
                retries = isinstance(branch.doing, AwaitingRetry)
                found[str(branch.state)] = "retry" if retries else "timer"
        return found

    @property
    def open_tasks(self) -> list[asl.TaskStarted]:
        """Its tasks that are not answered yet, oldest first."""
        return [self._started(task) for task in sorted(self.execution.tasks)]

    @property
    def wake_at(self) -> datetime | None:
        """The next moment at which its time brings something about."""
        return self.execution.wake_at

    def token(self, task: TaskRef) -> str:
        """The token that answers the open *task*."""
        one, started = self._open(task)
        return asl.task_token(one.execution, started.seq)

    # -- what the test does

    def advance(self, by: Length) -> Run:
        """Let time pass, in seconds or as a timedelta, and do what falls due, in order."""
        until = self.at + length(by)
        while (moment := self._world.next_moment()) is not None and moment <= until:
            self._world.go_to(moment)
        self._world.at = until
        return self

    def until_rest(self) -> Run:
        """Do all that takes no time: after `mock`, what was held up for want of one."""
        for one in self._family():
            for task in one.open_tasks:
                if task.role == "work" and self._world.mocks.key_of(task.state, task.resource):
                    one._todo(task.seq)
        self._world.settle()
        return self

    def finish(self) -> Run:
        """Let as much time pass as it takes to the end.

        Nobody answers meanwhile what the test has not: such tasks time out, if they can.
        Raises AssertionError where it waits for an answer that no time brings.
        """
        for _ in range(MAX_MOMENTS):
            if not self.execution.is_running:
                return self
            moment = self._world.next_moment()
            if moment is None:
                raise self._unexpected("it can't finish: no passing of time will move it")
            self._world.go_to(moment)
        raise self._unexpected(f"it has not finished after {MAX_MOMENTS} moments; is it a loop?")

    def mock(self, tasks: Mapping[str, Mock]) -> Run:
        """Use these mocks from now on, instead of those of the same names."""
        mocks = Mocks(tasks)
        _refuse_unknown(mocks, {}, [self._source, *self._world.workflows.values()])
        self._world.mocks.add(tasks)
        return self

    def answer(self, task: TaskRef, output: JSON = None) -> Run:
        """Complete an open task: as a worker, or as whoever was given its token.

        *task* is the state's name (the oldest, where several are open), the token, the
        task's event or its number. Raises AssertionError where it is not open, or is
        an approval.
        """
        one, started = self._open(task)
        if resources.kind(started.resource) is resources.Kind.APPROVAL:
            raise self._unexpected(f"{started.state!r} is an approval: use run.decide(...)")
        return self._do(one, asl.CompleteTask(task=started.seq, output=output))

    def fail(self, task: TaskRef, error: str | None, cause: str | None = None) -> Run:
        """Fail an open task; see `answer`."""
        one, started = self._open(task)
        return self._do(one, asl.FailTask(task=started.seq, error=error, cause=cause))

    def heartbeat(self, task: TaskRef) -> Run:
        """Say that the work on an open task goes on."""
        one, started = self._open(task)
        return self._do(one, asl.Heartbeat(task=started.seq))

    def take(self, task: TaskRef, worker: str | None = None) -> Run:
        """Fetch an activity's task, as its worker does."""
        one, started = self._open(task)
        return self._do(one, asl.TakeTask(task=started.seq, worker=worker))

    def decide(
        self, task: TaskRef, decision: str, *, by: str | None = None, comment: str = ""
    ) -> Run:
        """Decide an approval; ``by`` is the first user asked where nobody is named.

        Raises AssertionError where it is not open, or *decision* is none of its decisions.
        """
        one, started = self._open(task)
        one._decide(started, Decides(decision=decision, by=by, comment=comment))
        self._world.settle()
        return self

    def finish_waiting(self, state: str) -> Run:
        """End the wait of *state*, or the pause before its retry, now."""
        for one in self._family():
            for wait, path in one.execution.waits.items():
                if one.execution.branches[path].state == state:
                    return self._do(one, asl.FinishWaiting(wait=wait))
        raise self._unexpected(f"{state!r} waits for no moment")

    def stop(self, error: str | None = None, cause: str | None = None) -> Run:
        """Abort it."""
        return self._do(self, asl.Stop(error=error, cause=cause))

    def redrive(self) -> Run:
        """Let it go on where it failed."""
        return self._do(self, asl.Redrive())

    # -- one execution: commands in, events out

    def _start(self, input: JSON, ctx: Mapping[str, JSON]) -> None:
        answer = asl.start(
            self.workflow, ctx, input, at=self.at, seed=self._seed, limits=self._world.limits
        )
        self._world.running[self._number] = self
        self._take(answer)

    def _do(self, one: Run, command: asl.AnyCommand) -> Run:
        one._send(command)
        self._world.settle()
        return self

    def _send(self, command: asl.AnyCommand) -> None:
        self._take(
            asl.resume(
                self.workflow, self.execution, command, at=self.at, limits=self._world.limits
            )
        )

    def _take(self, answer: asl.Answer) -> None:
        before, world = self.execution, self._world
        self.execution = answer.execution
        self._log += answer.events
        if world.check:
            invariants.check(self.workflow, self.execution, self.log, answer.events)
        for coverage in world.coverages:
            source = self._source
            coverage.record(
                source.key, source.name, source.workflow, self.workflow, before, answer.events
            )
        for event in answer.events:
            if isinstance(event, asl.TaskStarted):
                self._todo(event.seq)
        for task in [task for task in self._map_runs if task not in self.execution.tasks]:
            world.todo.append(self._map_runs.pop(task).close)
        for task in [task for task in self._nested if task not in self.execution.tasks]:
            world.todo.append(self._nested.pop(task)._stop_if_running)
        if self.execution.is_running:
            world.running[self._number] = self
            return
        world.running.pop(self._number, None)
        if self._on_end is not None:
            self._on_end(self)
            self._on_end = None

    def _stop_if_running(self) -> None:
        self._on_end = None
        if self.execution.is_running:
            self._send(asl.Stop())

    def _todo(self, task: int) -> None:
        self._world.todo.append(lambda: self._work(task))

    # -- the work of its tasks

    def _work(self, task: int) -> None:
        if task not in self.execution.tasks:
            return
        event = self._started(task)
        call = Call(
            state=event.state,
            resource=event.resource,
            input=event.input,
            attempt=event.retry_count,
            context=self._task_context(event),
        )
        try:
            response = self._world.mocks.response(call)
        except AssertionError as failure:
            failure.add_note(f"path so far: {self._story()}")
            raise
        if response is None:
            response = self._unmocked(event, call)
        if response.after:
            self._world.later(response.after, lambda: self._respond(event, response))
        else:
            self._respond(event, response)

    def _unmocked(self, event: asl.TaskStarted, call: Call) -> Response:
        """What answers a task that nothing is mocked for; Pending where it waits."""
        resource = event.resource
        if event.role == "map":
            try:
                self._map_runs[event.seq] = begun = _MapRun(self, event)
            except asl.StateError as error:
                return Fails(error=error.name, cause=error.cause)
            begun.go_on()
            return Pending()
        if resources.kind(resource) is resources.Kind.APPROVAL:
            try:
                approvals.read(event.input, state=event.state)
            except InvalidApproval as invalid:
                return Fails(error=invalid.name, cause=invalid.cause)
            return Pending()
        nested = _START_EXECUTION.fullmatch(resources.base(resource))
        if nested is not None:
            return self._start_nested(event, nested["sync"])
        if self._world.calls_handlers and resources.calls_handler(resource):
            try:
                return self._handled(call)
            except UnknownResource as unknown:
                raise self._no_mock(event, str(unknown)) from None
        if resources.kind(resource) in (resources.Kind.CALLBACK, resources.Kind.ACTIVITY):
            return Pending()
        raise self._no_mock(event)

    def _handled(self, call: Call) -> Response:
        """What the registered handler does, as a worker has it."""
        try:
            result = site_handlers.resolve(call.resource, call.input).run(call.context)
        except (AssertionError, UnknownResource):
            raise
        except Exception as raised:
            return Raises(exception=raised)
        return Pending() if result is site_handlers.PENDING else Succeeds(value=result)

    def _respond(self, event: asl.TaskStarted, response: Response) -> None:
        task = event.seq
        if task not in self.execution.tasks:
            # It timed out meanwhile, or another branch's failure ended it.
            return
        match response:
            case Succeeds(value=value):
                try:
                    values.check(value, what="result")
                except asl.InvalidValue as invalid:
                    raise self._unexpected(
                        f"the result of {event.state!r} is no JSON data: {invalid}"
                    ) from None
                self._send(asl.CompleteTask(task=task, output=value))
            case Fails(error=error, cause=cause):
                self._send(asl.FailTask(task=task, error=error, cause=cause))
            case Raises(exception=exception):
                name, why = site_handlers.error_of(exception, event.resource)
                self._send(asl.FailTask(task=task, error=name, cause=why))
            case Decides():
                self._decide(event, response)
            case _:
                pass

    def _decide(self, event: asl.TaskStarted, decides: Decides) -> None:
        if resources.kind(event.resource) is not resources.Kind.APPROVAL:
            raise self._unexpected(
                f"{event.state!r} is no approval: its resource is {event.resource!r}"
            )
        try:
            asked = approvals.read(event.input, state=event.state)
        except InvalidApproval as invalid:
            self._send(asl.FailTask(task=event.seq, error=invalid.name, cause=invalid.cause))
            return
        if decides.decision not in asked.decisions:
            raise self._unexpected(
                f"{event.state!r} can be decided to be one of {', '.join(asked.decisions)},"
                f" not {decides.decision!r}"
            )
        by = decides.by or next(iter(asked.users), None)
        result = {
            "decision": decides.decision,
            "by": by,
            "comment": decides.comment,
            "at": values.format_timestamp(self.at, timespec="milliseconds"),
        }
        origin = asl.Origin(by=by, reason=decides.comment or None, channel="test")
        self._send(asl.CompleteTask(task=event.seq, output=result, origin=origin))

    def _task_context(self, event: asl.TaskStarted) -> TaskContext:
        return TaskContext(
            execution_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{self._seed}/{self._number}"),
            task=event.seq,
            state=event.state,
            resource=event.resource,
            attempt=event.retry_count,
            visit=event.visit,
            _token=lambda: asl.task_token(self.execution, event.seq),
            _beat=lambda: self._send(asl.Heartbeat(task=event.seq)),
        )

    # -- executions that its tasks start

    def _child(self, source: Source, machine: asl.StateMachine) -> Run:
        child = Run(self._world, source, machine, seed=f"{self._seed}/{len(self.children)}")
        self.children.append(child)
        return child

    def _start_nested(self, event: asl.TaskStarted, sync: str | None) -> Response:
        """Source: AWS, "Start workflow executions from a task state"."""
        parameters = event.input if isinstance(event.input, dict) else {}
        arn = str(parameters.get("StateMachineArn", ""))
        match = _MACHINE.fullmatch(arn)
        name = arn if arn in self._world.workflows else match and match["name"]
        if name not in self._world.workflows:
            raise self._no_mock(event, f"workflows=... has no {arn!r}")
        source = self._world.workflows[name]
        child = self._child(source, source.workflow)
        if sync is not None:
            child._on_end = lambda ended: self._world.todo.append(
                lambda: self._answer_nested(event, ended, arn, as_text=sync == ".sync")
            )
            self._nested[event.seq] = child
        child._start(parameters.get("Input") or {}, {})
        if sync is not None or resources.awaits_token(event.resource):
            return Pending()
        begun = {"ExecutionArn": execution_id(child.execution), "StartDate": _milliseconds(self.at)}
        return Succeeds(value=begun)

    def _answer_nested(
        self, event: asl.TaskStarted, child: Run, arn: str, *, as_text: bool
    ) -> None:
        if child.status is asl.Status.SUCCEEDED:
            self._respond(event, Succeeds(value=_description(child, arn, as_text=as_text)))
            return
        cause = values.compact(_description(child, arn, as_text=True))
        self._respond(event, Fails(error="States.TaskFailed", cause=cause))

    # -- finding things, and saying what is wrong

    def _started(self, task: int) -> asl.TaskStarted:
        event = self.log[task - 1]
        assert isinstance(event, asl.TaskStarted)
        return event

    def _family(self) -> Iterator[Run]:
        """It and its children, and theirs."""
        yield self
        for child in self.children:
            yield from child._family()

    def _definition(self) -> asl.StateMachine:
        return self._source.workflow

    def _logs(self) -> Iterator[Sequence[asl.AnyEvent]]:
        return (one.log for one in self._family() if one._source.key == self._source.key)

    def _open(self, task: TaskRef) -> tuple[Run, asl.TaskStarted]:
        """The open task meant, and whose it is. Raises AssertionError where it is not open."""
        for one in self._family():
            for started in one.open_tasks:
                match task:
                    case asl.TaskStarted():
                        found = started is task
                    case int():
                        found = one is self and started.seq == task
                    case _:
                        token = asl.task_token(one.execution, started.seq)
                        found = task in (started.state, token)
                if found:
                    return one, started
        shown = task.state if isinstance(task, asl.TaskStarted) else task
        raise self._unexpected(f"no task of {shown!r} is open")

    def _no_mock(self, event: asl.TaskStarted, why: str = "") -> AssertionError:
        return AssertionError(
            f"nothing answers the task of the state {event.state!r}"
            f"{f' ({why})' if why else ''}\n"
            f"resource: {event.resource}\n"
            f"input: {_shown(event.input)}\n"
            f"path so far: {self._story()}\n"
            f"mock it: run(..., tasks={{{event.state!r}: succeeds(...)}}), or with fails(...),"
            " a function of the input, or pending() and run.answer(...)"
        )


class _MapRun:
    """The run of a distributed Map: its children, in memory."""

    def __init__(self, parent: Run, event: asl.TaskStarted) -> None:
        self._parent = parent
        self._event = event
        self._asked = map_run(parent.workflow, parent.execution, event)
        self._is_batched = event.input.get("ItemBatcher") is not None
        self._outputs: dict[int, JSON] = {}
        self._running: dict[int, Run] = {}
        self._started = 0
        self._failed_items = 0
        self._all_started = False
        self._over = False
        self._waiting_to_go_on = False
        items = self._asked.items
        if items is None:
            items = self._read()
        self._total = len(items)
        self._inputs = self._asked.inputs(items)

    def _read(self) -> list[JSON]:
        """What the ItemReader would: as the test has it."""
        event, world = self._event, self._parent._world
        if event.state not in world.items:
            raise AssertionError(
                f"nothing says what the ItemReader of the Map {event.state!r} reads\n"
                f"reader: {_shown(event.input.get('ItemReader'))}\n"
                f"path so far: {self._parent._story()}\n"
                f"say it: run(..., items={{{event.state!r}: [...]}}), or mock the whole Map:"
                f" tasks={{{event.state!r}: succeeds([...])}}"
            )
        given = world.items[event.state]
        reader = event.input.get("ItemReader") or {}
        most = reader.get("MaxItems")
        if isinstance(given, Path):
            given = given.read_text(encoding="utf-8")
        if isinstance(given, str):
            config = reader.get("ReaderConfig") or {}
            return itemreader.items(io.StringIO(given, newline=""), config, most)
        return list(given[:most] if most else given)

    def go_on(self) -> None:
        """Start as many children as may run; answer the parent where all is done."""
        self._waiting_to_go_on = False
        if self._over:
            return
        if self._asked.is_over_tolerance(self._failed_items, self._total):
            return self._fail(threshold_exceeded())
        most = self._asked.max_concurrency
        while not self._all_started and (not most or len(self._running) < most):
            try:
                input = next(self._inputs)
            except StopIteration:
                self._all_started = True
            except asl.StateError as error:
                return self._fail(error)
            else:
                self._start(input)
        if self._all_started and not self._running:
            self._over = True
            outputs = [self._outputs[index] for index in sorted(self._outputs)]
            self._parent._respond(self._event, Succeeds(value=self._result(outputs)))

    def _start(self, input: JSON) -> None:
        index = self._started
        self._started += 1
        parent = self._parent
        child = parent._child(parent._source, self._asked.processor)
        self._running[index] = child
        child._on_end = lambda ended: self._ended(index, ended, input)
        given = parent.execution.context if isinstance(parent.execution.context, dict) else {}
        child._start(input, {name: given[name] for name in given if name != "Execution"})

    def _ended(self, index: int, child: Run, input: JSON) -> None:
        del self._running[index]
        if child.status is asl.Status.SUCCEEDED:
            self._outputs[index] = child.execution.output
        else:
            self._failed_items += len(input["Items"]) if self._is_batched else 1
        if not self._waiting_to_go_on:
            self._waiting_to_go_on = True
            self._parent._world.todo.append(self.go_on)

    def _result(self, outputs: list[JSON]) -> JSON:
        """Source: AWS, "ResultWriter (Map)"."""
        writer = self._event.input.get("ResultWriter") or {}
        if writer.get("Resource"):
            parameters = writer.get("Parameters") or {}
            place = f"{self._event.state}:{self._event.seq}"
            prefix = parameters.get("Prefix") or ""
            key = "/".join(part for part in (prefix.rstrip("/"), place, "manifest.json") if part)
            details = {"Bucket": parameters.get("Bucket"), "Key": key}
            return {"MapRunArn": f"mapRun:{place}", "ResultWriterDetails": details}
        if (writer.get("WriterConfig") or {}).get("Transformation") == "FLATTEN":
            return [
                one
                for output in outputs
                for one in (output if isinstance(output, list) else [output])
            ]
        return outputs

    def _fail(self, error: asl.StateError) -> None:
        self._over = True
        self.close()
        self._parent._respond(self._event, Fails(error=error.name, cause=error.cause))

    def close(self) -> None:
        """End the children of a run that is not wanted any more."""
        self._over = True
        running, self._running = self._running, {}
        for child in running.values():
            child._stop_if_running()


def _refuse_unknown(mocks: Mocks, items: Mapping[str, Any], sources: Sequence[Source]) -> None:
    """Raises ValueError where a mock's key names no state, and no resource that is used."""
    states = {state.name: state for source in sources for state in states_of(source.workflow)}
    used = {state.resource for state in states.values() if isinstance(state, Task)}
    for key in mocks.keys:
        if key in states:
            continue
        if any(mocks.key_of("", resource) == key for resource in used):
            continue
        raise ValueError(_unknown(key, "no state and no resource", [*states, *used]))
    for key in items:
        if key not in states:
            raise ValueError(_unknown(key, "no state", list(states)))


def _unknown(key: str, what: str, there: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, there, n=1)
    return f"{what} is named {key!r}" + (f" (did you mean {close[0]!r}?)" if close else "")


def _description(child: Run, arn: str, *, as_text: bool) -> dict[str, JSON]:
    """The end of *child*, in the words of AWS's DescribeExecution."""

    def payload(value: JSON) -> JSON:
        return values.compact(value) if as_text else value

    state = child.execution
    said: dict[str, JSON] = {
        "Cause": state.cause,
        "Error": state.error,
        "ExecutionArn": execution_id(state),
        "Input": payload(state.input),
        "InputDetails": {"Included": True},
        "Name": execution_id(state),
        "RedriveCount": state.redrive_count,
        "StartDate": _milliseconds(state.started_at),
        "StateMachineArn": arn,
        "Status": str(state.status),
        "StopDate": _milliseconds(state.ended_at),
    }
    said = {member: value for member, value in said.items() if value is not None}
    if state.status is asl.Status.SUCCEEDED:
        said |= {"Output": payload(state.output), "OutputDetails": {"Included": True}}
    return said


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _shown(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 1000 else f"{text[:999]}…"
