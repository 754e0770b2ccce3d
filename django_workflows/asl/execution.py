"""The state of one execution, and how each event changes it.

Rule 1: every change to an Execution is here, in `apply`.
Rule 2: nothing here reads a definition or evaluates an expression; events are
facts, and a fact is moved to where it is looked up.
Rule 3: branches are a flat dict keyed by path, so that replacing one rebuilds
nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from django_workflows.asl import events
from django_workflows.asl.events import AnyEvent, Path
from django_workflows.asl.values import JSON


class Status(StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


# -- what a branch is doing: five moves of ours, four waits, three ends -------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """Our move: enter ``state``."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Our move: do the state's work (the first time, or again after a retry's wait)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Our move: the world answered, with ``result`` where it was a task."""

    result: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Our move: an error is to be retried, caught, or passed outward."""

    error: str | None
    cause: str | None
    catchable: bool = True
    heartbeat: bool = False
    #: The Parallel or Map that failed: its branches are kept until the error is
    #: handled, for a redrive.
    fork: AwaitingBranches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Our move: the machine's last state was left with ``output``."""

    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitingTask:
    task: int
    role: str
    deadline: datetime | None
    heartbeat_seconds: int | None
    #: When the task's silence becomes a failure; None until an activity's is taken.
    heartbeat_by: datetime | None
    #: Whether a worker has fetched the task; always, where it is handed one.
    taken: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitingTime:
    wait: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitingRetry:
    wait: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitingBranches:
    """A Parallel or Map at work: counts of its branches, and what they are started with."""

    kind: str
    total: int
    items: JSON = None
    input: JSON = None
    max_concurrency: int = 0
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    #: The first failure's Error Name and Cause.
    error: tuple[str | None, str | None] | None = None

    @property
    def running(self) -> int:
        return self.started - self.succeeded - self.failed

    @property
    def is_over_tolerance(self) -> bool:
        """Whether more branches failed than may; any failure is, where nothing is said."""
        if not self.failed:
            return False
        count, percentage = self.tolerated_failure_count, self.tolerated_failure_percentage
        if count is None and percentage is None:
            return True
        return (count is not None and self.failed > count) or (
            percentage is not None and self.failed * 100 > percentage * self.total
        )

    @property
    def has_move(self) -> bool:
        """Whether the state can start a branch, join, or fail."""
        if self.is_over_tolerance or self.succeeded + self.failed == self.total:
            return True
        return self.started < self.total and (
            not self.max_concurrency or self.running < self.max_concurrency
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """Ended; ``output`` waits for the join."""

    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Ended, tolerated or not."""

    error: str | None
    cause: str | None
    fork: AwaitingBranches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """Ended by another branch's failure."""

    fork: AwaitingBranches | None = None


Move = Entering | Running | Leaving | Failing | Ending
Waiting = AwaitingTask | AwaitingTime | AwaitingRetry | AwaitingBranches
Ended = Succeeded | Failed | Aborted
Doing = Move | Waiting | Ended

_MOVES = (Entering, Running, Leaving, Failing, Ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of control: the outermost machine, a Parallel's branch, a Map's iteration."""

    doing: Doing
    #: The state it stands in; None before the first is entered.
    state: str | None = None
    #: The state's raw input, or what the next state is entered with.
    input: JSON = None
    #: The variables of this scope alone; outer ones are looked up outward.
    variables: Mapping[str, JSON] = field(default_factory=dict)
    entered_at: datetime | None = None
    entered_seq: int = 0
    #: The id that AWS's history would give to the entering, for causes that name it.
    entered_id: int = 0
    #: How many retries each Retrier has granted since the state was entered.
    retries: Mapping[int, int] = field(default_factory=dict)

    @property
    def retry_count(self) -> int:
        """How often the state has been retried since it was entered."""
        return sum(self.retries.values())

    @property
    def due_at(self) -> datetime | None:
        """The moment that moves this branch, if one does."""
        match self.doing:
            case AwaitingTime(until=until) | AwaitingRetry(until=until):
                return until
            case AwaitingTask(deadline=deadline, heartbeat_by=heartbeat_by):
                if deadline is None or heartbeat_by is None:
                    return deadline or heartbeat_by
                return min(deadline, heartbeat_by)
            case _:
                return None


@dataclass(slots=True, kw_only=True)
class Execution:
    """All that is known of an execution after its event ``seq``.

    Treat it as frozen: only `apply` changes one, and only one that `copy` gave.
    """

    seq: int = 0
    status: Status = Status.RUNNING
    seed: str = ""
    input: JSON = None
    context: JSON = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    output: JSON = None
    error: str | None = None
    cause: str | None = None
    redrive_count: int = 0
    redriven_at: datetime | None = None
    #: How many events AWS's history would show by now.
    history_id: int = 0
    #: What an execution that ended badly was doing is kept, for a redrive.
    branches: dict[Path, Branch] = field(default_factory=dict)
    #: The branches whose move is ours, in the order they became so.
    ready: dict[Path, None] = field(default_factory=dict)
    #: Open tasks and open waits (retries' too), by the seq of the event that asked.
    tasks: dict[int, Path] = field(default_factory=dict)
    waits: dict[int, Path] = field(default_factory=dict)
    #: A heap of (due_at, seq when set, path). Entries whose branch has moved on
    #: stay until they surface; what counts is the branch's own ``due_at``.
    timers: list[tuple[datetime, int, Path]] = field(
        default_factory=list, compare=False, repr=False
    )

    @property
    def is_running(self) -> bool:
        return self.status is Status.RUNNING

    @property
    def is_redrivable(self) -> bool:
        """Whether it ended, and not well."""
        return self.status in (Status.FAILED, Status.TIMED_OUT, Status.ABORTED)

    def copy(self) -> Execution:
        """A twin that `apply` may change; branches and data are shared, being frozen."""
        return replace(
            self,
            branches=dict(self.branches),
            ready=dict(self.ready),
            tasks=dict(self.tasks),
            waits=dict(self.waits),
            timers=list(self.timers),
        )

    def set_timers(self) -> None:
        """Make the heap of timers anew, for an execution that was read from a snapshot."""
        self.timers = [
            (branch.due_at, self.seq, path)
            for path, branch in self.branches.items()
            if branch.due_at is not None
        ]
        heapq.heapify(self.timers)

    def next_due(self) -> tuple[datetime, Path] | None:
        """The earliest moment that moves a branch, and the branch."""
        timers = self.timers
        while timers:
            moment, _, path = timers[0]
            branch = self.branches.get(path)
            if branch is not None and branch.due_at == moment:
                return moment, path
            heapq.heappop(timers)
        return None

    def unfinished(self) -> Iterator[tuple[Path, str | None]]:
        """The states that a redrive would run again, each with its branch's path.

        The name is None for a branch that had not entered its first state.
        """
        todo: list[Path] = [()] if self.is_redrivable else []
        while todo:
            path = todo.pop()
            branch = self.branches[path]
            if isinstance(branch.doing, Succeeded):
                continue
            children = list(_children(path, branch))
            if children:
                todo.extend(reversed(children))
            else:
                yield path, branch.state

    @property
    def wake_at(self) -> datetime | None:
        """The whole of time in one moment: when to send the next Wake; None for never."""
        if not self.is_running:
            return None
        due = self.next_due()
        moments = [moment for moment in (self.deadline, due and due[0]) if moment is not None]
        return min(moments, default=None)

    def visible_variables(self, path: Path) -> Mapping[str, JSON]:
        """The variables that the branch at *path* can read: its own and all outer ones."""
        own = self.branches[path].variables
        if not path:
            return own
        outer = self.visible_variables(path[:-2])
        return {**outer, **own} if outer else own


def evolve(execution: Execution, event: AnyEvent) -> Execution:
    """*execution* after *event*; the one passed in is left as it is."""
    after = execution.copy()
    apply(after, event)
    return after


def fold(log: Iterable[AnyEvent], snapshot: Execution | None = None) -> Execution:
    """The execution that *log* tells of, from its start or from *snapshot* on."""
    execution = snapshot.copy() if snapshot is not None else Execution()
    for event in log:
        apply(execution, event)
    return execution


def apply(execution: Execution, event: AnyEvent) -> None:
    """Change *execution* by one event, in place.

    Raises ValueError where *event* is not the next of this execution: a log with
    a gap or a doubled event must never be taken for a whole one.
    """
    if event.seq != execution.seq + 1:
        raise ValueError(f"event {event.seq} does not follow event {execution.seq}")
    execution.seq = event.seq
    path = event.path
    match event:
        case events.StateEntered():
            execution.history_id += 1
            branch = execution.branches[path]
            _put(
                execution,
                path,
                Branch(
                    doing=Running(),
                    state=event.state,
                    input=event.input,
                    variables=branch.variables,
                    entered_at=event.at,
                    entered_seq=event.seq,
                    entered_id=execution.history_id,
                ),
            )
        case events.StateExited():
            branch = execution.branches[path]
            execution.history_id += 1
            if isinstance(branch.doing, AwaitingBranches):
                execution.history_id += 1
            _drop_children(execution, path, branch)
            _put(
                execution,
                path,
                replace(
                    branch,
                    doing=Ending(output=event.output)
                    if event.next is None
                    else Entering(state=event.next),
                    input=event.output,
                    variables={**branch.variables, **event.variables}
                    if event.variables
                    else branch.variables,
                ),
            )
        case events.TaskStarted():
            branch = execution.branches[path]
            execution.history_id += _task_history_length(event)
            execution.tasks[event.seq] = path
            _put(
                execution,
                path,
                replace(
                    branch,
                    doing=AwaitingTask(
                        task=event.seq,
                        role=event.role,
                        deadline=event.deadline,
                        heartbeat_seconds=event.heartbeat_seconds,
                        heartbeat_by=None
                        if event.is_activity
                        else _heartbeat_by(event.at, event.heartbeat_seconds),
                        taken=not event.is_activity,
                    ),
                ),
            )
        case events.TaskHeartbeat() | events.TaskTaken():
            branch = execution.branches[path]
            execution.history_id += isinstance(event, events.TaskTaken)
            if isinstance(branch.doing, AwaitingTask):
                _put(
                    execution,
                    path,
                    replace(
                        branch,
                        doing=replace(
                            branch.doing,
                            heartbeat_by=_heartbeat_by(event.at, branch.doing.heartbeat_seconds),
                            taken=True,
                        ),
                    ),
                )
        case events.TaskSucceeded():
            doing = execution.branches[path].doing
            # A Map run's success is two events: its own, and its state's.
            is_run = isinstance(doing, AwaitingTask) and doing.role == "map"
            execution.history_id += 2 if is_run else 1
            del execution.tasks[event.task]
            _do(execution, path, Leaving(result=event.output))
        case events.TaskFailed():
            execution.history_id += 1
            del execution.tasks[event.task]
            _do(execution, path, Failing(error=event.error, cause=event.cause))
        case events.TaskTimedOut():
            execution.history_id += 1
            del execution.tasks[event.task]
            _do(
                execution,
                path,
                Failing(error=event.error, cause=event.cause, heartbeat=event.heartbeat),
            )
        case events.WaitStarted():
            execution.waits[event.seq] = path
            _do(execution, path, AwaitingTime(wait=event.seq, until=event.until))
        case events.WaitFinished():
            del execution.waits[event.wait]
            was_retry = isinstance(execution.branches[path].doing, AwaitingRetry)
            _do(execution, path, Running() if was_retry else Leaving())
        case events.RetryScheduled():
            branch = execution.branches[path]
            execution.waits[event.seq] = path
            _drop_children(execution, path, branch)
            _put(
                execution,
                path,
                replace(
                    branch,
                    doing=AwaitingRetry(wait=event.seq, until=event.until),
                    retries={**branch.retries, event.retrier: event.attempt},
                ),
            )
        case events.StateFailed():  # EvaluationFailed is one
            branch = execution.branches[path]
            execution.history_id += isinstance(event, events.EvaluationFailed)
            fork = _fork_of(branch)
            if fork is not None:
                execution.history_id += 1
            _do(
                execution,
                path,
                Failing(error=event.error, cause=event.cause, catchable=event.catchable, fork=fork),
            )
        case events.ForkStarted():
            execution.history_id += 1
            _do(
                execution,
                path,
                AwaitingBranches(
                    kind=event.kind,
                    total=event.total,
                    items=event.items,
                    input=event.input,
                    max_concurrency=event.max_concurrency,
                    tolerated_failure_count=event.tolerated_failure_count,
                    tolerated_failure_percentage=event.tolerated_failure_percentage,
                ),
            )
        case events.BranchStarted():
            parent, fork = _fork(execution, path)
            execution.history_id += fork.kind == "Map"
            _do(execution, parent, replace(fork, started=fork.started + 1))
            # The machine's first state is named by the definition, not by an event.
            _put(execution, path, Branch(doing=Entering(state=""), input=event.input))
        case events.BranchSucceeded():
            parent, fork = _fork(execution, path)
            execution.history_id += fork.kind == "Map"
            _end(execution, path, Succeeded(output=event.output))
            _do(execution, parent, replace(fork, succeeded=fork.succeeded + 1))
        case events.BranchFailed():
            parent, fork = _fork(execution, path)
            execution.history_id += fork.kind == "Map"
            failed = Failed(
                error=event.error, cause=event.cause, fork=_fork_of(execution.branches[path])
            )
            _end(execution, path, failed)
            _do(
                execution,
                parent,
                replace(
                    fork,
                    failed=fork.failed + 1,
                    error=fork.error or (event.error, event.cause),
                ),
            )
        case events.BranchAborted():
            _, fork = _fork(execution, path)
            execution.history_id += fork.kind == "Map"
            _close_branch(execution, path)
            _end(execution, path, Aborted(fork=_fork_of(execution.branches[path])))
        case events.ExecutionStarted():
            execution.history_id = 1
            execution.seed = event.seed
            execution.input = event.input
            execution.context = event.context
            execution.started_at = event.at
            execution.deadline = event.deadline
            _put(execution, (), Branch(doing=Entering(state=""), input=event.input))
        case events.ExecutionRedriven():
            execution.history_id += 1
            execution.status = Status.RUNNING
            execution.ended_at = execution.error = execution.cause = None
            execution.deadline = event.deadline
            execution.redrive_count += 1
            execution.redriven_at = event.at
            _revive(execution, ())
        case events.ExecutionSucceeded():
            execution.output = event.output
            execution.branches.clear()
            _close(execution, Status.SUCCEEDED, event)
        case events.ExecutionFailed():
            execution.error, execution.cause = event.error, event.cause
            _close(execution, Status.FAILED, event)
        case events.ExecutionTimedOut():
            execution.error, execution.cause = event.error, event.cause
            _close(execution, Status.TIMED_OUT, event)
        case events.ExecutionAborted():
            execution.error, execution.cause = event.error, event.cause
            _close(execution, Status.ABORTED, event)
        case _:
            assert_never(event)


def _put(execution: Execution, path: Path, branch: Branch) -> None:
    execution.branches[path] = branch
    doing = branch.doing
    if isinstance(doing, _MOVES) or (isinstance(doing, AwaitingBranches) and doing.has_move):
        execution.ready[path] = None
        return
    execution.ready.pop(path, None)
    due_at = branch.due_at
    if due_at is not None:
        heapq.heappush(execution.timers, (due_at, execution.seq, path))


def _do(execution: Execution, path: Path, doing: Doing) -> None:
    _put(execution, path, replace(execution.branches[path], doing=doing))


def _fork(execution: Execution, path: Path) -> tuple[Path, AwaitingBranches]:
    """The Parallel or Map at work that the branch at *path* belongs to, and its place."""
    parent = path[:-2]
    fork = execution.branches[parent].doing
    if not isinstance(fork, AwaitingBranches):
        raise ValueError(f"the branch {path} has no open Parallel or Map above it")
    return parent, fork


def _fork_of(branch: Branch) -> AwaitingBranches | None:
    """The Parallel or Map whose branches lie below *branch*, at work or ended."""
    match branch.doing:
        case AwaitingBranches() as fork:
            return fork
        case Failing(fork=fork) | Failed(fork=fork) | Aborted(fork=fork):
            return fork
        case _:
            return None


def _children(path: Path, branch: Branch) -> Iterator[Path]:
    """The branches that were started below the one at *path*."""
    fork = _fork_of(branch)
    if fork is not None and branch.state is not None:
        for index in range(fork.started):
            yield (*path, branch.state, index)


def _end(execution: Execution, path: Path, doing: Ended) -> None:
    execution.ready.pop(path, None)
    if isinstance(doing, Succeeded):
        execution.branches[path] = Branch(doing=doing)
    else:
        execution.branches[path] = replace(execution.branches[path], doing=doing)


def _close_branch(execution: Execution, path: Path) -> None:
    """Nothing moves the branch at *path* any more: no task's answer, no moment."""
    execution.ready.pop(path, None)
    match execution.branches[path].doing:
        case AwaitingTask(task=task):
            execution.tasks.pop(task, None)
        case AwaitingTime(wait=wait) | AwaitingRetry(wait=wait):
            execution.waits.pop(wait, None)
        case _:
            pass


def _drop_children(execution: Execution, path: Path, branch: Branch) -> None:
    for child in _children(path, branch):
        if child in execution.branches:
            _close_branch(execution, child)
            _drop_children(execution, child, execution.branches.pop(child))


def _revive(execution: Execution, path: Path) -> None:
    """Have the branch at *path*, which did not end well, do its work again.

    Its state is run again with its first input, and with all its retries; of a
    Parallel or Map only the branches that did not succeed.
    """
    branch = execution.branches[path]
    fork = _fork_of(branch)
    doing: Doing
    if fork is None or branch.state is None:
        doing = Entering(state="") if branch.state is None else _again(branch.doing)
        _put(execution, path, replace(branch, doing=doing, retries={}))
        return
    _put(execution, path, replace(branch, doing=replace(fork, failed=0, error=None), retries={}))
    for child in _children(path, branch):
        if not isinstance(execution.branches[child].doing, Succeeded):
            _revive(execution, child)


def _again(doing: Doing) -> Doing:
    """What was ours to do still is; whatever else it was, the state runs again."""
    return doing if isinstance(doing, (Entering, Leaving, Ending)) else Running()


def _close(execution: Execution, status: Status, event: AnyEvent) -> None:
    execution.status = status
    execution.ended_at = event.at
    execution.history_id += 1
    for held in (execution.ready, execution.tasks, execution.waits):
        held.clear()
    execution.timers.clear()


def _heartbeat_by(at: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else at + timedelta(seconds=seconds)


def _task_history_length(event: events.TaskStarted) -> int:
    if event.is_activity:  # its Started comes when it is taken
        return 1
    # Scheduled and Started; Submitted too where an answer is awaited from elsewhere.
    return 3 if event.resource.endswith((".sync", ".sync:2", ".waitForTaskToken")) else 2
