"""What has happened in an execution: plain, frozen facts.

Events are stored for ever. One is never renamed or removed, only no longer
written; a field that is added has a default, because old rows don't have it.

`TaskStarted`, `WaitStarted` and `RetryScheduled` say what the world owes us;
everything else is a fact about the inside. They are generic over state types
because the type is in the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django_workflows.asl.values import JSON

#: Where in an execution: () is the outermost machine, ("Fan", 3) the fourth
#: branch or iteration of its state Fan, ("Fan", 3, "Pay", 0) one inside of that.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who sent a command, why, and through which door."""

    #: The user's name; None for the engine itself (a worker, the clock).
    by: str | None = None
    reason: str | None = None
    #: "admin", "api", "token", "worker", "clock", "command", ...
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    #: 1, 2, 3, ... without a gap in each execution.
    seq: int
    at: datetime
    path: Path = ()
    #: Set on the first event that a command brought about.
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStarted(Event):
    input: JSON
    #: What the starter gave for the Context Object: Execution, StateMachine, own members.
    context: JSON
    #: The secret that draws and task tokens derive from. It never leaves the server.
    seed: str
    #: The moment the machine's own TimeoutSeconds runs out.
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSucceeded(Event):
    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFailed(Event):
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTimedOut(Event):
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionAborted(Event):
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRedriven(Event):
    """An execution that had not ended well goes on from its unfinished states."""

    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntered(Event):
    state: str
    input: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class StateExited(Event):
    state: str
    output: JSON
    #: The state that follows; None where this one ended its machine.
    next: str | None = None
    #: The variables that Assign set.
    variables: JSON = None
    #: Which Catcher led out, counted from 0; None for the ordinary way.
    catcher: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFailed(Event):
    """What a state did failed, other than by its task: a path, a branch, a Fail state."""

    state: str
    error: str | None = None
    cause: str | None = None
    #: False where neither Retry nor Catch may see the error.
    catchable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationFailed(StateFailed):
    """A JSONata expression of the state could not be evaluated."""

    #: The field it stands in: "Output/total"; None where it is not one field's.
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(Event):
    """A handler is to be called. The task's number is this event's ``seq``."""

    state: str
    resource: str
    #: What the handler receives: the input after InputPath and Parameters.
    input: JSON
    #: The moment the task fails with States.Timeout; None for never.
    deadline: datetime | None = None
    #: How long the task may be silent; None for ever.
    heartbeat_seconds: int | None = None
    #: How often this state has been retried since it was entered.
    retry_count: int = 0
    #: The seq of the StateEntered it belongs to: the same for all attempts of one visit.
    visit: int = 0
    #: "map" asks for the run of a distributed Map; see `maprun`.
    role: Literal["work", "map"] = "work"
    credentials: JSON = None

    @property
    def is_activity(self) -> bool:
        """Whether workers outside fetch the task, rather than being handed it."""
        return ":activity:" in self.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTaken(Event):
    """A worker has fetched an activity's task: now its heartbeat clock runs."""

    task: int
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHeartbeat(Event):
    task: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded(Event):
    task: int
    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(Event):
    task: int
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimedOut(Event):
    """TimeoutSeconds ran out, or with ``heartbeat`` HeartbeatSeconds did."""

    task: int
    error: str | None = "States.Timeout"
    cause: str | None = None
    heartbeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStarted(Event):
    """A timer is to be set. The wait's number is this event's ``seq``."""

    state: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFinished(Event):
    """A Wait state's moment, or a retry's, has come or was cut short."""

    wait: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    """A timer is to be set, after which the state is tried again."""

    state: str
    until: datetime
    error: str | None = None
    cause: str | None = None
    #: Which Retrier granted it, counted from 0.
    retrier: int
    #: How many retries this Retrier has granted, this one included.
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkStarted(Event):
    """A Parallel or Map state opened ``total`` branches, to be started one by one."""

    state: str
    kind: Literal["Parallel", "Map"]
    total: int
    #: A Map's items; None for Parallel.
    items: JSON = None
    #: What every branch of a Parallel gets; None for Map.
    input: JSON = None
    #: 0 is no limit.
    max_concurrency: int = 0
    #: How many iterations may fail; None together with None below is 0.
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchStarted(Event):
    """The event's ``path`` is the branch's own, for all four of its events."""

    input: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSucceeded(Event):
    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFailed(Event):
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchAborted(Event):
    pass


#: The events that ask the world for something.
SideEffect = TaskStarted | WaitStarted | RetryScheduled

AnyEvent = (
    ExecutionStarted
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionTimedOut
    | ExecutionAborted
    | ExecutionRedriven
    | StateEntered
    | StateExited
    | StateFailed
    | EvaluationFailed
    | TaskStarted
    | TaskTaken
    | TaskHeartbeat
    | TaskSucceeded
    | TaskFailed
    | TaskTimedOut
    | WaitStarted
    | WaitFinished
    | RetryScheduled
    | ForkStarted
    | BranchStarted
    | BranchSucceeded
    | BranchFailed
    | BranchAborted
)
