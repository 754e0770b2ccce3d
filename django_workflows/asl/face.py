"""The four verbs, and the three answers that they give.

    workflow = parse(definition)
    start(workflow, ctx, args)          -> Continue | Succeed | Fail
    resume(workflow, execution, command) -> Continue | Succeed | Fail
    recover(workflow, events)           -> Continue | Succeed | Fail

Only here do time and chance default to now and to fresh randomness; inside they
are always passed in.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django_workflows.asl import decide, values
from django_workflows.asl.commands import AnyCommand, Wake
from django_workflows.asl.decide import Draft, Limits
from django_workflows.asl.definition import StateMachine
from django_workflows.asl.errors import InvalidValue
from django_workflows.asl.events import AnyEvent, ExecutionStarted, Origin
from django_workflows.asl.execution import Execution, Status, fold
from django_workflows.asl.values import JSON

DEFAULT_LIMITS = Limits()

#: The input of an execution that was given none, as on AWS. Never changed in place.
NO_INPUT: JSON = {}


@dataclass(frozen=True, slots=True)
class Continue:
    """The execution waits for the world; ``events`` are the new ones."""

    execution: Execution
    events: Sequence[AnyEvent]


@dataclass(frozen=True, slots=True)
class Succeed:
    """The execution has ended with ``output``."""

    output: JSON
    events: Sequence[AnyEvent]
    execution: Execution


@dataclass(frozen=True, slots=True)
class Fail:
    """The execution has failed, timed out or been aborted: ``execution.status`` says which."""

    error: str | None
    cause: str | None
    events: Sequence[AnyEvent]
    execution: Execution


Answer = Continue | Succeed | Fail


def start(
    workflow: StateMachine,
    ctx: Mapping[str, JSON] | None = None,
    args: JSON = NO_INPUT,
    *,
    at: datetime | None = None,
    seed: str | None = None,
    origin: Origin | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Answer:
    """Begin an execution of *workflow*.

    ``ctx`` joins the Context Object (``$$``); its members ``Execution`` (Id, Name,
    RoleArn) and ``StateMachine`` (Id, Name) say who the execution is. ``args`` is
    the input, any JSON data.

    Raises InvalidValue where either is not JSON data, or the input is too large.
    """
    decide.check_input(args, limits)
    context = values.check(dict(ctx or {}), what="ctx")
    draft = Draft(workflow, Execution(), at=_moment(at), limits=limits, origin=origin)
    decide.start(draft, input=args, context=context, seed=seed or secrets.token_hex(32))
    return _answer(draft)


def resume(
    workflow: StateMachine,
    execution: Execution,
    command: AnyCommand,
    *,
    at: datetime | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Answer:
    """*execution* after *command*; the execution passed in is left as it is.

    Raises CommandRejected (NotPending, ExecutionEnded) where the command does not
    apply, InvalidValue where a result is not JSON data.
    """
    if at is None and isinstance(command, Wake):
        at = command.at
    draft = Draft(workflow, execution, at=_moment(at), limits=limits, origin=command.origin)
    decide.obey(draft, command)
    return _answer(draft)


def recover(
    workflow: StateMachine,
    events: Iterable[AnyEvent],
    *,
    at: datetime | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Answer:
    """The execution that *events* tell of, brought to rest.

    A log that was cut in the middle of a move is completed; the answer's events
    are only the added ones, none for a log that was whole. ``at`` is the moment
    these get, by default that of the last event.

    Raises InvalidValue where *events* are not a log from its start, without a gap.
    """
    log = list(events)
    if not log or not isinstance(log[0], ExecutionStarted):
        raise InvalidValue("events: expected a log that begins with ExecutionStarted")
    try:
        execution = fold(log)
    except ValueError as error:
        raise InvalidValue(f"events: {error}") from None
    draft = Draft(workflow, execution, at=at or log[-1].at, limits=limits)
    decide.settle(draft)
    return _answer(draft)


def _answer(draft: Draft) -> Answer:
    execution, events = draft.execution, tuple(draft.events)
    if execution.is_running:
        return Continue(execution, events)
    if execution.status is Status.SUCCEEDED:
        return Succeed(execution.output, events, execution)
    return Fail(execution.error, execution.cause, events, execution)


def _moment(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if at.tzinfo is None:
        raise InvalidValue("at: expected an aware datetime, found one without a time zone")
    return at.astimezone(UTC)
