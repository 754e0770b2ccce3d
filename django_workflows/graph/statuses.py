"""What has become of each state in one execution, from its events.

Rule 1: each event is looked at once and costs the same, however long the log.
Rule 2: names are unique over a whole machine, so a name says which state it is.
Rule 3: any stretch of a log will do; what began before it is counted from there on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from django_workflows import resources
from django_workflows.asl import events, execution
from django_workflows.asl.definition import StateMachine
from django_workflows.asl.events import AnyEvent, Path


class Status(StrEnum):
    RUNNING = "running"
    #: For a person, an answer from outside, a moment, or the next try.
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Failed, and a Catcher led on.
    CAUGHT = "caught"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What has become of one state: the one word for it, and how often each happened."""

    status: Status
    #: How often it was entered: the sum of the six below.
    entered: int = 0
    running: int = 0
    waiting: int = 0
    succeeded: int = 0
    failed: int = 0
    caught: int = 0
    aborted: int = 0
    #: How many tries more than one for each time it was entered.
    retries: int = 0
    #: Of the latest run of a Map or Parallel: its branches that ended, and all of them.
    done: int = 0
    total: int | None = None

    @property
    def is_current(self) -> bool:
        """Whether something is at this state now."""
        return self.running + self.waiting > 0


def statuses(
    workflow: StateMachine, told: Iterable[AnyEvent] | execution.Execution
) -> Mapping[str, NodeStatus]:
    """The status of every state of *workflow* that was entered, by its name.

    ``told`` is the log, any iterable of it, read once; or an execution as it
    stands, which knows only where it is and what went wrong, and costs no history.

    A distributed Map's iterations are executions of their own, with their own logs:
    their counts are the caller's to fill in, with `dataclasses.replace`.
    """
    if isinstance(told, execution.Execution):
        progress = _standing(told)
    else:
        progress = Progress()
        for event in told:
            progress.take(event)
    found = progress.statuses()
    return {name: found[name] for name in _names(workflow) if name in found}


def _names(workflow: StateMachine) -> Iterable[str]:
    # Not at import: `layout` need not be there to count.
    from django_workflows.graph.layout import machines

    todo = [workflow]
    while todo:
        machine = todo.pop()
        for name, state in machine.states.items():
            yield name
            todo.extend(machines(state))


@dataclass(slots=True)
class _Fork:
    total: int
    done: int = 0
    #: The paths of its branches, as far as they were started.
    branches: dict[Path, None] = field(default_factory=dict)


class Progress:
    """Takes events one by one; says at any moment what has become of each state."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Status]] = {}
        self._last: dict[str, Status] = {}
        self._retries: Counter[str] = Counter()
        #: Where each line of control is now, and whether it waits.
        self._current: dict[Path, tuple[str, Status]] = {}
        #: Those that did not end well: for a redrive, and to be told as long as they stand.
        self._standing: dict[Path, tuple[str, Status]] = {}
        self._forks: dict[Path, _Fork] = {}
        self._latest: dict[str, _Fork] = {}

    def statuses(self) -> Mapping[str, NodeStatus]:
        failed = {name for name, status in self._standing.values() if status is Status.FAILED}
        return {name: self._status(name, name in failed) for name in self._counts}

    def _status(self, name: str, is_failed: bool) -> NodeStatus:
        counts = self._counts[name]
        if is_failed:
            status = Status.FAILED
        elif counts[Status.RUNNING]:
            status = Status.RUNNING
        elif counts[Status.WAITING]:
            status = Status.WAITING
        else:
            status = self._last[name]
        fork = self._latest.get(name)
        return NodeStatus(
            status=status,
            entered=counts.total(),
            running=counts[Status.RUNNING],
            waiting=counts[Status.WAITING],
            succeeded=counts[Status.SUCCEEDED],
            failed=counts[Status.FAILED],
            caught=counts[Status.CAUGHT],
            aborted=counts[Status.ABORTED],
            retries=self._retries[name],
            done=fork.done if fork else 0,
            total=fork.total if fork else None,
        )

    def take(self, event: AnyEvent) -> None:
        path = event.path
        match event:
            case events.StateEntered():
                self._enter(path, event.state)
            case events.StateExited():
                self._at(path, event.state)
                self._end(path, Status.SUCCEEDED if event.catcher is None else Status.CAUGHT)
            case events.TaskStarted():
                kind = resources.kind(event.resource)
                waits = kind is not resources.Kind.HANDLER
                self._set(path, event.state, Status.WAITING if waits else Status.RUNNING)
            case events.WaitStarted():
                self._set(path, event.state, Status.WAITING)
            case events.RetryScheduled():
                self._set(path, event.state, Status.WAITING)
                # A redrive then begins the state anew, and no branch of the last attempt.
                self._forget_below(path, event.state)
                self._retries[event.state] += 1
            case events.WaitFinished():
                if path in self._current:
                    self._set(path, self._current[path][0], Status.RUNNING)
            case events.ForkStarted():
                self._set(path, event.state, Status.RUNNING)
                self._forget_below(path, event.state)
                fork = _Fork(event.total)
                self._forks[(*path, event.state)] = self._latest[event.state] = fork
            case events.BranchStarted():
                if (above := self._forks.get(path[:-1])) is not None:
                    above.branches[path] = None
            case events.BranchSucceeded():
                self._branch_ended(path)
                self._end(path, Status.SUCCEEDED)
            case events.BranchFailed():
                self._branch_ended(path)
                self._end(path, Status.FAILED)
            case events.BranchAborted():
                self._branch_ended(path)
                self._end(path, Status.ABORTED)
            case (
                events.TaskSucceeded()
                | events.TaskFailed()
                | events.TaskTimedOut()
                | events.TaskHeartbeat()
                | events.TaskTaken()
                | events.StateFailed()
                | events.ExecutionStarted()
            ):
                pass
            case events.ExecutionRedriven():
                self._redrive()
            case events.ExecutionSucceeded():
                self._finish(Status.SUCCEEDED)
            case events.ExecutionFailed() | events.ExecutionTimedOut():
                self._finish(Status.FAILED)
            case events.ExecutionAborted():
                self._finish(Status.ABORTED)
            case _:
                assert_never(event)

    def _enter(self, path: Path, state: str) -> None:
        self._standing.pop(path, None)
        self._current[path] = state, Status.RUNNING
        self._counts.setdefault(state, Counter())[Status.RUNNING] += 1
        self._last[state] = Status.RUNNING

    def _at(self, path: Path, state: str) -> None:
        """Be at *state*, even where its beginning is cut off."""
        current = self._current.get(path)
        if current is None or current[0] != state:
            self._enter(path, state)

    def _set(self, path: Path, state: str, status: Status) -> None:
        self._at(path, state)
        self._count(state, self._current[path][1], status)
        self._current[path] = state, status

    def _count(self, state: str, before: Status, after: Status) -> None:
        counts = self._counts[state]
        counts[before] -= 1
        counts[after] += 1
        self._last[state] = after

    def _end(self, path: Path, status: Status) -> None:
        current = self._current.pop(path, None)
        if current is None:
            return
        state, before = current
        self._count(state, before, status)
        if status in (Status.FAILED, Status.ABORTED):
            self._standing[path] = state, status

    def _branch_ended(self, path: Path) -> None:
        fork = self._forks.get(path[:-1])
        if fork is not None:
            fork.done += 1

    def _forget_below(self, path: Path, state: str) -> None:
        """What went wrong in the branches of *state* is to be done anew."""
        fork = self._forks.pop((*path, state), None)
        if fork is not None:
            for branch in fork.branches:
                at = self._current.pop(branch, None) or self._standing.pop(branch, None)
                if at is not None:
                    self._forget_below(branch, at[0])

    def _finish(self, status: Status) -> None:
        self._end((), status)
        # Those whose beginning is cut off.
        for path in list(self._current):
            self._end(path, Status.ABORTED)

    def _redrive(self, path: Path = ()) -> None:
        """Go on at *path*, and in its branches that did not end well."""
        standing = self._standing.pop(path, None)
        if standing is None:
            return
        state, before = standing
        self._current[path] = state, Status.RUNNING
        self._count(state, before, Status.RUNNING)
        if (above := self._forks.get(path[:-1])) is not None:
            above.done -= 1
        if (fork := self._forks.get((*path, state))) is not None:
            for branch in fork.branches:
                self._redrive(branch)


def _standing(told: execution.Execution) -> Progress:
    """What *told* knows of itself, as if it had just begun there."""
    progress = Progress()
    for path, branch in told.branches.items():
        if branch.state is None:
            continue
        progress._enter(path, branch.state)
        match branch.doing:
            case execution.AwaitingTime() | execution.AwaitingRetry():
                progress._set(path, branch.state, Status.WAITING)
            case execution.Failed():
                progress._end(path, Status.FAILED)
            case execution.Aborted():
                progress._end(path, Status.ABORTED)
            case _:
                pass
        progress._retries[branch.state] += branch.retry_count
        fork = execution._fork_of(branch)
        if fork is not None:
            progress._latest[branch.state] = _Fork(fork.total, fork.succeeded + fork.failed)
    if told.status is execution.Status.ABORTED:
        progress._finish(Status.ABORTED)
    elif not told.is_running:
        progress._finish(Status.FAILED)
    return progress
