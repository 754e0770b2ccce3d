"""What follows: the one place where anything is computed.

A command wakes one branch; `settle` then makes move after move until every
branch waits for the world. A move looks at what its branch is doing and emits
one or a few events; `execution.apply` alone says what they change.

Rule 1: no side effect, no clock, no fresh chance: ``at`` is passed in, and draws
derive from the execution's seed and the event they end up in.
Rule 2: what an evaluation yielded is in the event, so replay evaluates nothing.
Rule 3: StateError is caught here, in `_attempt`, and becomes a StateFailed event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar, assert_never

from django_workflows.asl import choice, context, dataflow, events, maprun, retrying, values
from django_workflows.asl.commands import (
    AnyCommand,
    CompleteTask,
    FailTask,
    FinishWaiting,
    Heartbeat,
    Redrive,
    Stop,
    TakeTask,
    Wake,
)
from django_workflows.asl.definition import (
    Choice,
    Fail,
    Map,
    Parallel,
    Pass,
    State,
    StateMachine,
    Succeed,
    Task,
    Wait,
)
from django_workflows.asl.errors import (
    ExecutionEnded,
    InvalidValue,
    NotPending,
    NotRedrivable,
    StateError,
)
from django_workflows.asl.events import AnyEvent, Event, Origin, Path
from django_workflows.asl.execution import (
    Aborted,
    AwaitingBranches,
    AwaitingTask,
    Branch,
    Ending,
    Entering,
    Execution,
    Failed,
    Failing,
    Leaving,
    Running,
    Succeeded,
    apply,
)
from django_workflows.asl.expressions.names import DEFAULT_JSONATA_LIMITS, JsonataLimits, Names
from django_workflows.asl.values import JSON

#: Source: AWS, SendTaskFailure.
MAX_ERROR_LENGTH = 256
MAX_CAUSE_LENGTH = 32_768

EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an execution may grow to."""

    #: For inputs, outputs and results, each, in bytes of UTF-8. AWS: 262,144.
    payload_bytes: int = values.MAX_PAYLOAD_BYTES
    #: What one Assign may hold, and so one variable. AWS: 262,144.
    assign_bytes: int = values.MAX_PAYLOAD_BYTES
    #: All variables that a state can see. AWS: 10,485,760, for a whole execution.
    variables_bytes: int = 10_485_760
    #: Events in one execution, the guard against a loop that never waits. AWS: 25,000.
    history_events: int = 250_000
    jsonata: JsonataLimits = DEFAULT_JSONATA_LIMITS


class Draft:
    """An execution in the making: a copy of its own, and the events so far."""

    __slots__ = ("at", "events", "execution", "limits", "origin", "workflow")

    def __init__(
        self,
        workflow: StateMachine,
        execution: Execution,
        *,
        at: datetime,
        limits: Limits,
        origin: Origin | None = None,
    ) -> None:
        self.workflow = workflow
        self.execution = execution.copy()
        self.at = at
        self.limits = limits
        self.origin = origin
        self.events: list[AnyEvent] = []

    def emit(self, event_type: Callable[..., EventT], path: Path, /, **fields: Any) -> EventT:
        """Add the next event, and let the execution follow it."""
        event = event_type(
            seq=self.execution.seq + 1, at=self.at, path=path, origin=self.origin, **fields
        )
        self.origin = None
        apply(self.execution, event)  # type: ignore[arg-type]
        self.events.append(event)  # type: ignore[arg-type]
        return event


# -- commands ----------------------------------------------------------------------------


def start(draft: Draft, *, input: JSON, context: JSON, seed: str) -> None:
    """Begin an execution that is still empty, and settle it."""
    draft.emit(
        events.ExecutionStarted,
        (),
        input=input,
        context=context,
        seed=seed,
        deadline=_deadline(draft),
    )
    settle(draft)


def _deadline(draft: Draft) -> datetime | None:
    seconds = draft.workflow.timeout_seconds
    return None if seconds is None else draft.at + timedelta(seconds=seconds)


def obey(draft: Draft, command: AnyCommand) -> None:
    """Do what *command* says, and settle.

    Raises ExecutionEnded or NotPending, with no event emitted, where it does not
    apply; InvalidValue where a result is not JSON data.
    """
    if not draft.execution.is_running and not isinstance(command, (Wake, Redrive)):
        raise ExecutionEnded(f"the execution has ended: {draft.execution.status}")
    match command:
        case CompleteTask(task=task, output=output):
            values.check(output, what="result")
            _complete(draft, _task_path(draft.execution, task), task, output)
        case FailTask(task=task, error=error, cause=cause):
            _fail(draft, _task_path(draft.execution, task), task, error, cause)
        case TakeTask(task=task, worker=worker):
            _take(draft, _task_path(draft.execution, task), task, worker)
        case Heartbeat(task=task):
            draft.emit(events.TaskHeartbeat, _task_path(draft.execution, task), task=task)
        case FinishWaiting(wait=wait):
            path = draft.execution.waits.get(wait)
            if path is None:
                raise _not_pending(draft.execution, "wait", wait)
            draft.emit(events.WaitFinished, path, wait=wait)
        case Wake(at=at):
            _wake(draft, at)
        case Stop(error=error, cause=cause):
            draft.emit(events.ExecutionAborted, (), error=error, cause=cause)
        case Redrive():
            _redrive(draft)
        case _:
            assert_never(command)
    settle(draft)


def _redrive(draft: Draft) -> None:
    if not draft.execution.is_redrivable:
        raise NotRedrivable(
            f"only an execution that failed, timed out or was aborted can be redriven;"
            f" this one's status is {draft.execution.status}"
        )
    draft.emit(events.ExecutionRedriven, (), deadline=_deadline(draft))


def _task_path(execution: Execution, task: int) -> Path:
    path = execution.tasks.get(task)
    if path is None:
        raise _not_pending(execution, "task", task)
    return path


def _not_pending(execution: Execution, what: str, number: int) -> NotPending:
    open_ones = execution.tasks if what == "task" else execution.waits
    shown = ", ".join(str(one) for one in sorted(open_ones)[:10])
    if len(open_ones) > 10:
        shown += f" and {len(open_ones) - 10} more"
    waits_for = f"{what}s {shown}" if open_ones else f"no {what}"
    return NotPending(
        f"{what} {number} is not pending: the execution is at event {execution.seq}"
        f" and waits for {waits_for}"
    )


def _take(draft: Draft, path: Path, task: int, worker: str | None) -> None:
    doing = draft.execution.branches[path].doing
    if isinstance(doing, AwaitingTask) and doing.taken:
        raise NotPending(f"task {task} was taken already")
    draft.emit(events.TaskTaken, path, task=task, worker=worker)


def _complete(draft: Draft, path: Path, task: int, output: JSON) -> None:
    if values.exceeds(output, draft.limits.payload_bytes):
        state = _state_of(draft, path)
        name = "lambda" if ":lambda:invoke" in _resource(state) else _resource(state)
        error = dataflow.too_large(name)
        draft.emit(events.TaskFailed, path, task=task, error=error.name, cause=error.cause)
        return
    draft.emit(events.TaskSucceeded, path, task=task, output=output)


def _resource(state: State) -> str:
    return state.resource if isinstance(state, Task) else state.name


def _fail(draft: Draft, path: Path, task: int, error: str | None, cause: str | None) -> None:
    if error in _LOCATED:
        state, branch = _state_of(draft, path), draft.execution.branches[path]
        cause = _located(StateError(error, cause), state, branch).cause
    draft.emit(events.TaskFailed, path, task=task, **_words(error, cause))


def _words(error: str | None, cause: str | None) -> dict[str, str | None]:
    """*error* and *cause* at no more than AWS's lengths: a cause may quote a whole input."""
    return {
        "error": error if error is None else error[:MAX_ERROR_LENGTH],
        "cause": cause if cause is None else cause[:MAX_CAUSE_LENGTH],
    }


def _wake(draft: Draft, now: datetime) -> None:
    """Everything that was due by *now*, one moment at a time: the first may cancel the next."""
    execution = draft.execution
    while execution.is_running:
        due = execution.next_due()
        deadline = execution.deadline
        if deadline is not None and deadline <= now and (due is None or deadline <= due[0]):
            draft.emit(events.ExecutionTimedOut, ())
            return
        if due is None or due[0] > now:
            return
        moment, path = due
        doing = execution.branches[path].doing
        if isinstance(doing, AwaitingTask):
            draft.emit(
                events.TaskTimedOut,
                path,
                task=doing.task,
                heartbeat=doing.deadline != moment,
            )
        else:
            draft.emit(events.WaitFinished, path, wait=doing.wait)  # type: ignore[union-attr]
        settle(draft)


# -- moves -------------------------------------------------------------------------------


def settle(draft: Draft) -> None:
    """Make every move that is ours. The branch that became ready last goes first."""
    execution = draft.execution
    while execution.ready:
        if execution.seq >= draft.limits.history_events:
            draft.emit(
                events.ExecutionFailed,
                (),
                error="States.Runtime",
                cause="The execution reached the maximum number of history events"
                f" ({draft.limits.history_events}).",
            )
            return
        path = next(reversed(execution.ready))
        branch = execution.branches[path]
        match branch.doing:
            case Entering(state=name):
                state = name or draft.workflow.at(path).start_at
                draft.emit(events.StateEntered, path, state=state, input=branch.input)
            case Running():
                _attempt(draft, path, branch, _run)
            case Leaving(result=result):
                _attempt(draft, path, branch, partial(_leave, result=result))
            case AwaitingBranches():
                _attempt(draft, path, branch, _tend)
            case Failing():
                _handle(draft, path, branch, branch.doing)
            case Ending(output=output):
                _end(draft, path, output)
            case _:
                raise AssertionError(f"{branch.doing} is no move")


_Move = Callable[[Draft, Path, State, Branch], None]


def _attempt(draft: Draft, path: Path, branch: Branch, move: _Move) -> None:
    state = _state_of(draft, path)
    try:
        move(draft, path, state, branch)
    except StateError as raised:
        _abort_children(draft, path)
        # Recorded on AWS: a result that is too large can be caught, an output can't.
        catchable = raised.name != "States.DataLimitExceeded"
        _emit_failure(draft, path, state, branch, raised, catchable=catchable)


def _emit_failure(
    draft: Draft, path: Path, state: State, branch: Branch, raised: StateError, *, catchable: bool
) -> None:
    error = _located(raised, state, branch)
    if error.name == "States.QueryEvaluationError":
        draft.emit(
            events.EvaluationFailed,
            path,
            state=state.name,
            **_words(error.name, error.cause),
            location=raised.location,
            catchable=catchable,
        )
    else:
        draft.emit(
            events.StateFailed,
            path,
            state=state.name,
            **_words(error.name, error.cause),
            catchable=catchable,
        )


def _run(draft: Draft, path: Path, state: State, branch: Branch) -> None:
    """The state's work: done at once, or asked of the world."""
    names = _names(draft, path, state, branch.input)
    match state:
        case Pass():
            result = state.result if state.has_result else dataflow.effective_input(state, names)
            _exit(draft, path, state, result, names)
        case Succeed():
            _exit(draft, path, state, dataflow.filtered_input(state, names), names)
        case Choice():
            _choose(draft, path, state, names)
        case Wait():
            filtered = dataflow.filtered_input(state, names)
            until = dataflow.waiting_time(state, names.with_input(filtered), draft.at)
            if until <= draft.at:
                _leave(draft, path, state, branch, result=None)
            else:
                draft.emit(events.WaitStarted, path, state=state.name, until=until)
        case Fail():
            error, cause = dataflow.failure(state, names)
            draft.emit(events.StateFailed, path, state=state.name, **_words(error, cause))
        case Task():
            _ask(draft, path, state, branch)
        case Parallel():
            draft.emit(
                events.ForkStarted,
                path,
                state=state.name,
                kind="Parallel",
                total=len(state.branches),
                input=dataflow.effective_input(state, names),
            )
        case Map():
            if state.is_distributed:
                _ask_map_run(draft, path, state, branch, names)
            else:
                _fork_map(draft, path, state, names)
        case _:
            raise AssertionError(f"{type(state)} is no state type")


def _leave(draft: Draft, path: Path, state: State, branch: Branch, result: JSON) -> None:
    """The world has answered: the answer goes on its way out."""
    names = _names(draft, path, state, branch.input)
    if isinstance(state, Wait):
        result = dataflow.filtered_input(state, names)
    _exit(draft, path, state, result, names)


def _exit(draft: Draft, path: Path, state: State, result: JSON, names: Names) -> None:
    has_result = isinstance(state, (Task, Parallel, Map))
    outcome = dataflow.outcome(state, result, names, has_result=has_result)
    _emit_exit(draft, path, state, outcome, state.next)


def _choose(draft: Draft, path: Path, state: Choice, names: Names) -> None:
    filtered = dataflow.filtered_input(state, names)
    rule, following = choice.way(state, names.with_input(filtered))
    _emit_exit(draft, path, state, dataflow.chosen_outcome(state, rule, names), following)


def _emit_exit(
    draft: Draft,
    path: Path,
    state: State,
    outcome: dataflow.Outcome,
    following: str | None,
    catcher: int | None = None,
) -> None:
    if values.exceeds(outcome.output, draft.limits.payload_bytes):
        raise dataflow.too_large(state.name)
    if outcome.variables:
        _check_variables(draft, path, state, outcome.variables)
    draft.emit(
        events.StateExited,
        path,
        state=state.name,
        output=outcome.output,
        next=following,
        variables=outcome.variables or None,
        catcher=catcher,
    )


def _check_variables(draft: Draft, path: Path, state: State, assigned: Mapping[str, JSON]) -> None:
    limits = draft.limits
    if values.exceeds(assigned, limits.assign_bytes):
        raise StateError(
            "States.DataLimitExceeded",
            f"The variables assigned by the state '{state.name}' exceed the maximum number of"
            f" bytes of one Assign ({limits.assign_bytes}).",
        )
    visible = {**draft.execution.visible_variables(path), **assigned}
    # Few of them can't be too large together, and measuring them is not free.
    if len(visible) * limits.assign_bytes <= limits.variables_bytes:
        return
    if values.exceeds(visible, limits.variables_bytes):
        raise StateError(
            "States.DataLimitExceeded",
            f"With those assigned by the state '{state.name}', the variables exceed the maximum"
            f" number of bytes ({limits.variables_bytes}).",
        )


def _ask(draft: Draft, path: Path, state: Task, branch: Branch) -> None:
    names = _names(draft, path, state, branch.input)
    filtered = dataflow.filtered_input(state, names)
    seen = names.with_input(filtered)
    timeout = dataflow.positive_seconds(state.timeout_seconds, seen, "TimeoutSecondsPath")
    heartbeat = dataflow.positive_seconds(state.heartbeat_seconds, seen, "HeartbeatSecondsPath")
    asked = dataflow.effective_input(state, names)
    if values.exceeds(asked, draft.limits.payload_bytes):
        raise dataflow.too_large(state.name)
    draft.emit(
        events.TaskStarted,
        path,
        state=state.name,
        resource=state.resource,
        input=asked,
        deadline=None if timeout is None else draft.at + timedelta(seconds=timeout),
        heartbeat_seconds=heartbeat,
        retry_count=branch.retry_count,
        visit=branch.entered_seq,
        credentials=None
        if state.credentials is None
        else state.credentials.evaluate(seen, "Credentials"),
    )


# -- Parallel and Map --------------------------------------------------------------------


def _ask_map_run(draft: Draft, path: Path, state: Map, branch: Branch, names: Names) -> None:
    draft.emit(
        events.TaskStarted,
        path,
        state=state.name,
        resource=maprun.RESOURCE,
        input=dataflow.map_run(state, names),
        visit=branch.entered_seq,
        role="map",
    )


def _fork_map(draft: Draft, path: Path, state: Map, names: Names) -> None:
    filtered = dataflow.filtered_input(state, names)
    seen = names.with_input(filtered)
    concurrency = dataflow.max_concurrency(state, seen)
    items = dataflow.items(state, filtered, names)
    tolerance = dataflow.tolerance(state, seen)
    draft.emit(
        events.ForkStarted,
        path,
        state=state.name,
        kind="Map",
        total=len(items),
        items=items,
        max_concurrency=concurrency,
        tolerated_failure_count=tolerance.count,
        tolerated_failure_percentage=tolerance.percentage,
    )


def _selected_item(draft: Draft, path: Path, state: Map, item: dict[str, JSON]) -> JSON:
    """One iteration's input: ItemSelector over the state's effective input, or the item."""
    if state.item_selector is None:
        return item["Value"]
    execution = draft.execution
    branch = execution.branches[path]
    seq = execution.seq + 1
    names = Names(
        input=branch.input,
        context=lambda: {
            **context.context_object(execution, path, state),
            "Map": {"Item": item},
        },
        variables=execution.visible_variables(path),
        chance=lambda: context.chance(execution, seq),
        now=draft.at,
        jsonata=draft.limits.jsonata,
    )
    filtered = dataflow.filtered_input(state, names)
    return state.item_selector.evaluate(names.with_input(filtered), "ItemSelector")


def _tend(draft: Draft, path: Path, state: State, branch: Branch) -> None:
    """One move of a Parallel or Map at work: fail, join, or start the next branch."""
    fork = branch.doing
    assert isinstance(fork, AwaitingBranches)
    if fork.is_over_tolerance:
        _abort_children(draft, path)
        # A branch's own error passes outward.
        error, cause = fork.error or (None, None)
        draft.emit(events.StateFailed, path, state=state.name, error=error, cause=cause)
        return
    if fork.succeeded + fork.failed == fork.total:
        ended = (
            draft.execution.branches[*path, state.name, index].doing for index in range(fork.total)
        )
        result = [branch.output for branch in ended if isinstance(branch, Succeeded)]
        _exit(draft, path, state, result, _names(draft, path, state, branch.input))
        return
    index = fork.started
    if isinstance(state, Map):
        input = _selected_item(draft, path, state, {"Index": index, "Value": fork.items[index]})
    else:
        input = fork.input
    draft.emit(events.BranchStarted, (*path, state.name, index), input=input)


def _abort_children(draft: Draft, path: Path) -> None:
    """Say of every branch below *path* that still runs that it was ended."""
    branch = draft.execution.branches[path]
    if not isinstance(branch.doing, AwaitingBranches) or branch.state is None:
        return
    for index in range(branch.doing.started):
        child = (*path, branch.state, index)
        running = draft.execution.branches.get(child)
        if running is None or isinstance(running.doing, (Succeeded, Failed, Aborted)):
            continue
        _abort_children(draft, child)
        draft.emit(events.BranchAborted, child)


# -- errors and ends ---------------------------------------------------------------------


def _handle(draft: Draft, path: Path, branch: Branch, failing: Failing) -> None:
    """Retry, else Catch, else outward."""
    state = _state_of(draft, path)
    if failing.catchable and (
        _retry(draft, path, state, branch, failing) or _catch(draft, path, state, branch, failing)
    ):
        return
    if path:
        draft.emit(events.BranchFailed, path, error=failing.error, cause=failing.cause)
    else:
        draft.emit(events.ExecutionFailed, (), error=failing.error, cause=failing.cause)


def _retry(draft: Draft, path: Path, state: State, branch: Branch, failing: Failing) -> bool:
    matched = retrying.first_match(state.retry, failing.error, heartbeat=failing.heartbeat)
    if matched is None:
        return False
    index, retrier = matched
    used = branch.retries.get(index, 0)
    if used >= retrier.max_attempts:
        return False
    chance = context.chance(draft.execution, draft.execution.seq + 1)
    draft.emit(
        events.RetryScheduled,
        path,
        state=state.name,
        until=draft.at + retrying.retry_delay(retrier, used, chance),
        error=failing.error,
        cause=failing.cause,
        retrier=index,
        attempt=used + 1,
    )
    return True


def _catch(draft: Draft, path: Path, state: State, branch: Branch, failing: Failing) -> bool:
    matched = retrying.first_match(state.catch, failing.error, heartbeat=failing.heartbeat)
    if matched is None:
        return False
    index, catcher = matched
    names = _names(draft, path, state, branch.input)
    try:
        outcome = dataflow.caught_outcome(state, catcher, failing.error, failing.cause, names)
        _emit_exit(draft, path, state, outcome, catcher.next, catcher=index)
    except StateError as raised:
        _emit_failure(draft, path, state, branch, raised, catchable=False)
    return True


def _end(draft: Draft, path: Path, output: JSON) -> None:
    if path:
        draft.emit(events.BranchSucceeded, path, output=output)
    else:
        draft.emit(events.ExecutionSucceeded, (), output=output)


def _located(error: StateError, state: State, branch: Branch) -> StateError:
    """*error* with AWS's opening, where AWS has it: which state, entered at which event."""
    if error.name not in _LOCATED:
        return error
    return StateError(
        error.name,
        f"An error occurred while executing the state '{state.name}'"
        f" (entered at the event id #{branch.entered_id}). {error.cause or ''}".rstrip(),
    )


_LOCATED = {"States.Runtime", "States.QueryEvaluationError", "States.ResultPathMatchFailure"}


# -- looking things up -------------------------------------------------------------------


def _state_of(draft: Draft, path: Path) -> State:
    name = draft.execution.branches[path].state
    assert name is not None
    return draft.workflow.at(path).states[name]


def _names(draft: Draft, path: Path, state: State, input: JSON) -> Names:
    execution = draft.execution
    # The event about to be emitted: a Task's token and this moment's draws hang on it.
    seq = execution.seq + 1

    def make_context() -> JSON:
        token = seq if isinstance(state, Task) and context.gives_token(state.resource) else None
        return context.context_object(execution, path, state, task=token)

    def make_chance() -> Random:
        return context.chance(execution, seq)

    return Names(
        input=input,
        context=make_context,
        variables=execution.visible_variables(path),
        chance=make_chance,
        now=draft.at,
        jsonata=draft.limits.jsonata,
    )


def check_input(input: JSON, limits: Limits) -> None:
    """Raises InvalidValue where *input* cannot be an execution's: no JSON, or too large."""
    values.check(input, what="input")
    if values.exceeds(input, limits.payload_bytes):
        raise InvalidValue(
            f"input: {values.size(input)} bytes of JSON; at most {limits.payload_bytes} are allowed"
        )
