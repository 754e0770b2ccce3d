"""A log as AWS would show it: the answer of GetExecutionHistory.

For people and tests that know those names. Ids are gapless in order; ``previous``
links each branch's events to its own predecessor, so that it makes a tree. Which
event follows which, and what AWS leaves out, is recorded on AWS.

Source: AWS API, "HistoryEvent".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_workflows.asl import events, values
from django_workflows.asl.definition import StateMachine
from django_workflows.asl.events import AnyEvent, Path
from django_workflows.asl.values import JSON


def history(workflow: StateMachine, log: Iterable[AnyEvent]) -> list[dict[str, JSON]]:
    """The events of *log*, an execution of *workflow*, in AWS's form.

    Each is ``{"id", "previousEventId", "timestamp", "type"}`` with its details
    under the name that AWS gives them; payloads are JSON texts.
    """
    rendering = _Rendering(workflow)
    for event in log:
        rendering.add(event)
    return rendering.shown


@dataclass(slots=True)
class _Fork:
    kind: str
    #: The id of MapStateStarted, ParallelStateStarted or MapRunStarted.
    started: int
    one_by_one: bool
    total: int = 0
    failed: bool = False


@dataclass(slots=True)
class _Rendering:
    workflow: StateMachine
    shown: list[dict[str, JSON]] = field(default_factory=list)
    #: The id of the last event of each branch.
    last: dict[Path, int] = field(default_factory=dict)
    #: The state each branch is in, and the id before it was entered.
    states: dict[Path, tuple[str, int]] = field(default_factory=dict)
    forks: dict[Path, _Fork] = field(default_factory=dict)
    tasks: dict[int, events.TaskStarted] = field(default_factory=dict)

    def show(
        self,
        kind: str,
        at: datetime,
        previous: int,
        details: dict[str, JSON] | None = None,
        name: str | None = None,
    ) -> int:
        """Add one event; its details go under *name*, by default that of its type."""
        number = len(self.shown) + 1
        event: dict[str, JSON] = {
            "id": number,
            "previousEventId": previous,
            "timestamp": values.format_timestamp(at, timespec="milliseconds"),
            "type": kind,
        }
        if details is not None:
            present = {key: value for key, value in details.items() if value is not None}
            event[name or f"{kind[0].lower()}{kind[1:]}EventDetails"] = present
        self.shown.append(event)
        return number

    def follow(
        self,
        kind: str,
        event: AnyEvent,
        details: dict[str, JSON] | None = None,
        name: str | None = None,
    ) -> int:
        """Add one event after the last of its branch."""
        path = event.path
        number = self.show(kind, event.at, self.last.get(path, 0), details, name)
        self.last[path] = number
        return number

    def add(self, event: AnyEvent) -> None:
        path = event.path
        match event:
            case events.ExecutionStarted():
                self.show("ExecutionStarted", event.at, 0, self._started(event))
                self.last[()] = 0
            case events.StateEntered():
                self.states[path] = (event.state, self.last.get(path, 0))
                details: dict[str, JSON] = {"name": event.state, "input": values.dumps(event.input)}
                kind = f"{self._type(path)}StateEntered"
                self.follow(kind, event, details, "stateEnteredEventDetails")
            case events.StateExited():
                self._exited(event)
            case events.EvaluationFailed():
                state, before = self.states[path]
                # A Wait links to its Entered, all others to what was before it.
                previous = self.last[path] if self._type(path) == "Wait" else before
                details = {
                    "state": state,
                    "error": event.error,
                    "cause": event.cause,
                    "location": event.location,
                }
                self.last[path] = self.show("EvaluationFailed", event.at, previous, details)
                if self._type(path) in ("Map", "Parallel"):
                    self.forks.setdefault(path, _Fork(self._type(path), 0, one_by_one=False))
                    self.forks[path].failed = True
            case events.StateFailed():
                if path in self.forks:
                    self.forks[path].failed = True
            case events.TaskStarted():
                self.tasks[event.seq] = event
                if event.role == "map":
                    self._map_run_started(event)
                else:
                    self._task_started(event)
            case events.TaskTaken():
                self.follow("ActivityStarted", event, {"workerName": event.worker})
            case events.TaskSucceeded():
                self._task_ended(event, "Succeeded", {"output": values.dumps(event.output)})
            case events.TaskFailed():
                self._task_ended(event, "Failed", {"error": event.error, "cause": event.cause})
            case events.TaskTimedOut():
                self._task_ended(event, "TimedOut", {"error": event.error, "cause": event.cause})
            case events.ForkStarted():
                self._fork_started(event)
            case events.BranchStarted():
                self._branch_started(event)
            case events.BranchSucceeded():
                self._branch_succeeded(event)
            case events.BranchFailed():
                self._branch_failed(event)
            case events.BranchAborted():
                self._branch_aborted(event)
            case events.ExecutionSucceeded():
                self.follow("ExecutionSucceeded", event, {"output": values.dumps(event.output)})
            case events.ExecutionFailed():
                self._fork_failed(event)
                self.follow("ExecutionFailed", event, {"error": event.error, "cause": event.cause})
            case events.ExecutionTimedOut():
                self.show("ExecutionTimedOut", event.at, 0, {"error": event.error})
            case events.ExecutionAborted():
                details = {"error": event.error, "cause": event.cause}
                self.show("ExecutionAborted", event.at, 0, details)
            case events.ExecutionRedriven():
                self.follow("ExecutionRedriven", event, {})
            case _:  # waits, heartbeats and retries leave no trace of their own
                pass

    def _started(self, event: events.ExecutionStarted) -> dict[str, JSON]:
        context: Any = event.context if isinstance(event.context, dict) else {}
        execution = context.get("Execution")
        role = execution.get("RoleArn") if isinstance(execution, dict) else None
        return {"input": values.dumps(event.input), "roleArn": role}

    def _type(self, path: Path) -> str:
        state, _ = self.states[path]
        return self.workflow.at(path).states[state].type

    def _exited(self, event: events.StateExited) -> None:
        path, kind = event.path, self._type(event.path)
        previous = self.last[path]
        fork = self.forks.pop(path, None)
        if fork is not None and event.catcher is not None:
            previous = self._failed(event, previous, kind)
        elif fork is not None:
            self.show(f"{kind}StateSucceeded", event.at, previous)
        details: dict[str, JSON] = {"name": event.state, "output": values.dumps(event.output)}
        if event.variables:
            details["assignedVariables"] = {
                name: values.dumps(value) for name, value in event.variables.items()
            }
        self.last[path] = self.show(
            f"{kind}StateExited", event.at, previous, details, "stateExitedEventDetails"
        )

    def _failed(self, event: AnyEvent, previous: int, kind: str) -> int:
        return self.show(f"{kind}StateFailed", event.at, previous)

    def _fork_failed(self, event: AnyEvent) -> None:
        """Say that the Parallel or Map of this branch failed, now that it stays so."""
        fork = self.forks.pop(event.path, None)
        if fork is not None and fork.failed:
            kind = self._type(event.path)
            self.last[event.path] = self._failed(event, self.last[event.path], kind)

    # -- tasks

    def _task_started(self, event: events.TaskStarted) -> None:
        timeout = None
        if event.deadline is not None:
            timeout = round((event.deadline - event.at).total_seconds())
        service, resource_type, action = _resource(event.resource)
        details: dict[str, JSON]
        if service == "Task":
            place: dict[str, JSON] = {"resourceType": resource_type, "resource": action}
            details = {
                **place,
                "region": _region(event.resource),
                "parameters": values.dumps(event.input),
                "timeoutInSeconds": timeout,
                "heartbeatInSeconds": event.heartbeat_seconds,
                "taskCredentials": _credentials(event.credentials),
            }
            self.follow("TaskScheduled", event, details)
            self.follow("TaskStarted", event, place)
            if action.endswith((".sync", ".sync:2", ".waitForTaskToken")):
                self.follow("TaskSubmitted", event, place)
            return
        details = {
            "resource": event.resource,
            "input": values.dumps(event.input),
            "timeoutInSeconds": timeout,
            "heartbeatInSeconds": event.heartbeat_seconds,
            "taskCredentials": _credentials(event.credentials),
        }
        self.follow(f"{service}Scheduled", event, details)
        if not event.is_activity:
            self.follow(f"{service}Started", event)

    def _task_ended(
        self,
        event: events.TaskSucceeded | events.TaskFailed | events.TaskTimedOut,
        end: str,
        details: dict[str, JSON],
    ) -> None:
        task = self.tasks[event.task]
        if task.role == "map":
            self.follow(f"MapRun{end}", event, None if end == "Succeeded" else details)
            if end != "Succeeded":
                self.forks[event.path].failed = True
            return
        service, resource_type, action = _resource(task.resource)
        if service == "Task":
            details = {"resourceType": resource_type, "resource": action, **details}
        self.follow(f"{service}{end}", event, details)

    # -- Parallel and Map

    def _fork_started(self, event: events.ForkStarted) -> None:
        path = event.path
        if event.kind == "Parallel":
            started = self.follow("ParallelStateStarted", event)
        else:
            started = self.follow("MapStateStarted", event, {"length": event.total})
        self.forks[path] = _Fork(
            event.kind, started, one_by_one=event.max_concurrency == 1, total=event.total
        )

    def _map_run_started(self, event: events.TaskStarted) -> None:
        # With a reader the number of items isn't known yet.
        self.follow("MapStateStarted", event, {"length": len(event.input.get("Items", ()))})
        started = self.follow("MapRunStarted", event, {})
        self.forks[event.path] = _Fork("MapRun", started, one_by_one=False)

    def _branch_started(self, event: events.BranchStarted) -> None:
        fork = self.forks[event.path[:-2]]
        parent = event.path[:-2]
        if fork.kind == "Parallel":
            self.last[event.path] = fork.started
            return
        self.last[event.path] = self.last[parent] if fork.one_by_one else fork.started
        self.follow("MapIterationStarted", event, _iteration(event.path))

    def _branch_succeeded(self, event: events.BranchSucceeded) -> None:
        parent = event.path[:-2]
        fork, before = self.forks[parent], self.last[event.path]
        self.last[parent] = before
        if fork.kind == "Map":
            ended = self.show("MapIterationSucceeded", event.at, before, _iteration(event.path))
            # Iterations that follow one by one link to the last state; the join to this.
            if not fork.one_by_one or event.path[-1] == fork.total - 1:
                self.last[parent] = ended

    def _branch_failed(self, event: events.BranchFailed) -> None:
        self._fork_failed(event)
        parent = event.path[:-2]
        fork, culprit = self.forks[parent], self.last[event.path]
        if fork.kind == "Map":
            self.show("MapIterationFailed", event.at, culprit, _iteration(event.path))
        elif self._type(event.path) == "Task":
            self.show("TaskStateAborted", event.at, culprit)
        self.last[parent] = culprit

    def _branch_aborted(self, event: events.BranchAborted) -> None:
        parent = event.path[:-2]
        fork, culprit = self.forks[parent], self.last[parent]
        if event.path in self.states:
            kind = self._type(event.path)
            if kind in ("Task", "Wait", "Parallel", "Map"):
                self.show(f"{kind}StateAborted", event.at, culprit)
        if fork.kind == "Map":
            self.show("MapIterationAborted", event.at, culprit, _iteration(event.path))


def _iteration(path: Path) -> dict[str, JSON]:
    return {"name": path[-2], "index": path[-1]}


def _resource(resource: str) -> tuple[str, str, str]:
    """The prefix of a task's event types, and AWS's resourceType and resource."""
    if resource.startswith("arn:aws:lambda:"):
        return "LambdaFunction", "lambda", resource
    if ":activity:" in resource:
        return "Activity", "activity", resource
    name = resource.removeprefix("arn:aws:states:::")
    service, _, action = name.rpartition(":") if not name.endswith(":2") else _sync_2(name)
    return "Task", service or "handler", action


def _sync_2(name: str) -> tuple[str, str, str]:
    service, _, action = name.removesuffix(":2").rpartition(":")
    return service, ":", f"{action}:2"


def _region(resource: str) -> str | None:
    parts = resource.split(":")
    return parts[3] or None if resource.startswith("arn:") and len(parts) > 3 else None


def _credentials(credentials: JSON) -> JSON:
    if not isinstance(credentials, dict):
        return None
    return {"roleArn": credentials.get("RoleArn")}
