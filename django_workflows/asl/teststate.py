"""One state on its own: what becomes of an input, with the state's work made up.

The counterpart of AWS's TestState, for the tests of a workflow's author. There is
no execution and there are no events: the state's input, its Context Object and its
variables are given, its work is a `Mock` or the caller's own function, and what it
would do next is the answer.

Rule: the language is not told a second time. Everything here is put together from
`dataflow`, `choice` and `retrying`, in the order in which `decide` asks them.

Source: AWS, "Testing state machines with TestState API"; the texts of refused calls
and what an inspection shows of which type of state: recorded on AWS.
"""

# ruff: noqa: PT028 - AWS's name for it, test_state, is no test's here.

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from random import Random
from typing import Any, Final, Literal, get_args
from uuid import UUID

from django_workflows.asl import (
    choice,
    context,
    dataflow,
    itemreader,
    maprun,
    retrying,
    servicemodels,
    values,
)
from django_workflows.asl.decide import Limits
from django_workflows.asl.definition import (
    Choice,
    Fail,
    Map,
    Parallel,
    Pass,
    State,
    StateMachine,
    Task,
    Wait,
)
from django_workflows.asl.errors import InvalidValue, StateError, WorkflowError
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.parse import parse, parse_state
from django_workflows.asl.references import inner_machines
from django_workflows.asl.values import JSON

StateTestStatus = Literal["SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"]
InspectionLevel = Literal["INFO", "DEBUG", "TRACE"]
FieldValidationMode = Literal["STRICT", "PRESENT", "NONE"]

#: What does a Task's work: gets the resource and the effective input, gives the result;
#: raises StateError for an error that Retry and Catch see.
TaskWork = Callable[[str, JSON], JSON]

#: What AWS calls a state under test, in its Context Object as in its ARNs.
STATE_NAME: Final = "StateName"


class InvalidTest(WorkflowError, ValueError):
    """The call asks for no test: a mock that can't be, a state that is not there, ..."""


class _Missing(Enum):
    MISSING = "MISSING"


MISSING: Final = _Missing.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorOutput:
    """The error that a state's work is to end with."""

    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """What a Task's, Map's or Parallel's work is taken to give: a result or an error.

    A Map's result is that of all its iterations, a Parallel's has one item for each
    branch. A Task's is held against the API model of the service that its resource
    integrates: STRICT asks for required fields too, PRESENT looks only at those that
    are there, NONE takes anything.
    """

    result: JSON | _Missing = MISSING
    error_output: ErrorOutput | None = None
    field_validation_mode: FieldValidationMode = "STRICT"

    @classmethod
    def from_text(cls, result: str, field_validation_mode: FieldValidationMode = "STRICT") -> Mock:
        """A mock of the result that *result* spells as JSON.

        Raises InvalidTest where it spells none.
        """
        try:
            return cls(result=values.loads(result), field_validation_mode=field_validation_mode)
        except InvalidValue:
            raise InvalidTest("Mocked result must be valid JSON") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateConfiguration:
    """What is taken to have happened to the state before."""

    #: How often the Retrier that meets the error has been used.
    retrier_retry_count: int | None = None
    #: The state inside of a Map or Parallel in which the mocked error arose.
    error_caused_by_state: str | None = None
    #: How many of a Map's iterations have failed.
    map_iteration_failure_count: int | None = None
    #: The text of the file that a Map's ItemReader reads.
    map_item_reader_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTest:
    """What became of the state under test."""

    status: StateTestStatus
    #: Where it goes on (SUCCEEDED, CAUGHT_ERROR); None elsewhere.
    output: JSON = None
    error: str | None = None
    cause: str | None = None
    #: The state that follows; None at an end, and where nothing follows.
    next_state: str | None = None
    #: The values on the way, by AWS's names; empty at the level INFO.
    inspection_data: Mapping[str, JSON] = field(default_factory=dict)
    #: What the test could not look at: that botocore is not installed.
    notes: tuple[str, ...] = ()


NO_INPUT: Final[JSON] = {}
NO_CONFIGURATION: Final = StateConfiguration()
DEFAULT_LIMITS: Final = Limits()


def test_state(
    definition: Mapping[str, Any] | str | bytes | StateMachine,
    input: JSON = NO_INPUT,
    *,
    state_name: str | None = None,
    context: Mapping[str, JSON] | None = None,
    variables: Mapping[str, JSON] | None = None,
    mock: Mock | None = None,
    task: TaskWork | None = None,
    configuration: StateConfiguration = NO_CONFIGURATION,
    inspection_level: InspectionLevel = "INFO",
    role_arn: str | None = None,
    reveal_secrets: bool = False,
    at: datetime | None = None,
    seed: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> StateTest:
    """Try the state that *definition* describes on *input*.

    ``definition`` is one state, or with ``state_name`` a whole machine (or one that
    is parsed already) in which the state stands, at any depth. A Map or Parallel
    needs a ``mock``, a Task a mock or a ``task`` that does its work; nothing else
    is ever called, and a Wait does not wait. ``context`` is the whole Context
    Object; left out, there is one like AWS's. ``at`` and ``seed`` fix the time and
    the chance, by default now and fresh.

    ``role_arn`` shows in the Context Object alone. ``reveal_secrets`` is there
    because AWS has it: no secret is ever hidden here.

    Raises InvalidTest where this is no possible test, InvalidDefinition where the
    definition is wrong, and InvalidValue where an argument is not JSON data.
    """
    state, is_in_map = _find_state(definition, state_name)
    _check_call(state, mock, task, configuration, reveal_secrets)
    values.check(input, what="input")
    values.check(dict(variables or {}), what="variables")
    _one_of(inspection_level, InspectionLevel, "inspection_level")
    if context is not None:
        _check_context(context)
    notes = () if mock is None else _check_mock(state, mock, limits)
    now = _moment(at)
    chance = seed or secrets.token_hex(32)
    trial = _Trial(
        state=state,
        raw=input,
        context=_default_context(
            state,
            input,
            is_in_map=is_in_map,
            role_arn=_MADE_UP_ROLE if role_arn is None and mock is not None else role_arn,
            retry_count=configuration.retrier_retry_count or 0,
            now=now,
            seed=chance,
        )
        if context is None
        else dict(context),
        variables=dict(variables or {}),
        mock=mock,
        task=task,
        configuration=configuration,
        now=now,
        seed=chance,
        limits=limits,
    )
    return trial.answer(inspect=inspection_level != "INFO", notes=notes)


# Its name would have pytest collect it wherever it is imported.
test_state.__test__ = False  # type: ignore[attr-defined]


# -- the call ----------------------------------------------------------------------------


def _find_state(
    definition: Mapping[str, Any] | str | bytes | StateMachine, name: str | None
) -> tuple[State, bool]:
    """The state under test, and whether a Map stands around it."""
    if name is None:
        if isinstance(definition, StateMachine) or (
            isinstance(definition, Mapping) and "States" in definition
        ):
            raise InvalidTest("state_name must say which state of the machine is to be tested")
        return parse_state(definition, name=STATE_NAME), False
    machine = definition if isinstance(definition, StateMachine) else parse(definition)
    found = _inside(machine, name, is_in_map=False)
    if found is None:
        raise InvalidTest("State not found in definition")
    return found


def _inside(machine: StateMachine, name: str, *, is_in_map: bool) -> tuple[State, bool] | None:
    for state in machine.states.values():
        if state.name == name:
            return state, is_in_map
        for inner in inner_machines(state):
            found = _inside(inner, name, is_in_map=is_in_map or isinstance(state, Map))
            if found is not None:
                return found
    return None


def _check_call(
    state: State,
    mock: Mock | None,
    task: TaskWork | None,
    configuration: StateConfiguration,
    reveal_secrets: bool,
) -> None:
    _check_configuration(state, configuration, is_mocked=mock is not None or task is not None)
    if mock is not None:
        if not isinstance(state, (Task, Map, Parallel)):
            raise InvalidTest(
                f"State type '{state.type}' is not supported when a mock is specified"
            )
        if reveal_secrets:
            raise InvalidTest("TestState does not support RevealSecrets when a mock is specified.")
    elif isinstance(state, (Map, Parallel)):
        raise InvalidTest(
            "TestState API does not support Map or Parallel states. Supported state types"
            " include: [Task, Wait, Pass, Succeed, Fail, Choice]: a mock must stand for its work"
        )
    elif isinstance(state, Task) and task is None:
        raise InvalidTest(
            "RoleArn must be specified when testing a Task state: nothing is called from here,"
            " so a mock or a task must do its work"
        )


def _check_configuration(
    state: State, configuration: StateConfiguration, *, is_mocked: bool
) -> None:
    given = {
        "RetrierRetryCount": configuration.retrier_retry_count,
        "ErrorCausedByState": configuration.error_caused_by_state,
        "MapIterationFailureCount": configuration.map_iteration_failure_count,
        "MapItemReaderData": configuration.map_item_reader_data,
    }
    for name, value in given.items():
        if value is None:
            continue
        if not is_mocked:
            raise InvalidTest(f"TestState does not support {name} when a mock is not specified.")
        if isinstance(value, int) and value < 0:
            raise InvalidTest(f"{name} must not be negative, found {value}")
    cause = configuration.error_caused_by_state
    if cause is not None and not any(
        _inside(inner, cause, is_in_map=False) for inner in inner_machines(state)
    ):
        raise InvalidTest(f"State not found in definition: no state {cause!r} is in this one")
    if configuration.map_iteration_failure_count is not None and not isinstance(state, Map):
        raise InvalidTest(f"MapIterationFailureCount belongs to a Map, this is a {state.type}")
    if configuration.map_item_reader_data is not None and (
        not isinstance(state, Map) or state.item_reader is None
    ):
        raise InvalidTest("MapItemReaderData belongs to a Map with an ItemReader")


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "a string": (str,),
    "a number": (int, float),
    "an object": (dict,),
}

#: What a Context Object may hold. Source: AWS, "Accessing execution data from the
#: Context object"; None is any JSON.
_CONTEXT: Final[Mapping[str, Mapping[str, str | None]]] = {
    "Execution": {
        "Id": "a string",
        "Input": None,
        "Name": "a string",
        "RoleArn": "a string",
        "StartTime": "a string",
        "RedriveCount": "a number",
        "RedriveTime": "a string",
    },
    "State": {"EnteredTime": "a string", "Name": "a string", "RetryCount": "a number"},
    "StateMachine": {"Id": "a string", "Name": "a string"},
    "Task": {"Token": "a string"},
}


def _check_context(given: Mapping[str, JSON]) -> None:
    values.check(dict(given), what="context")
    for name, members in given.items():
        if name == "Map":
            raise _wrong_context("'Map' field is not supported when mocking a Context object")
        if name not in _CONTEXT:
            raise _wrong_context(f"Field '{name}' is not allowed")
        _check_kind(name, members, "an object")
        for member, value in members.items():
            if member not in _CONTEXT[name]:
                raise _wrong_context(f"Field '{member}' is not allowed")
            _check_kind(f"{name}.{member}", value, _CONTEXT[name][member])


def _check_kind(place: str, value: JSON, kind: str | None) -> None:
    if kind is not None and (isinstance(value, bool) or not isinstance(value, _KINDS[kind])):
        raise _wrong_context(f"{place} must be {kind}")


def _wrong_context(what: str) -> InvalidTest:
    return InvalidTest(f"Invalid Context object provided: {what}")


def _check_mock(state: State, mock: Mock, limits: Limits) -> tuple[str, ...]:
    """What could not be checked of *mock*.

    Raises InvalidTest where it can't be what *state*'s work gives.
    """
    _one_of(mock.field_validation_mode, FieldValidationMode, "field_validation_mode")
    if (mock.result is MISSING) == (mock.error_output is None):
        how_many = "one" if mock.result is MISSING else "only one"
        raise InvalidTest(
            f"A test mock should have {how_many} of the following fields: [result, errorOutput]."
        )
    if mock.result is MISSING:
        return ()
    try:
        values.check(mock.result, what="result")
    except InvalidValue as error:
        raise InvalidTest(f"Mocked result must be valid JSON: {error}") from None
    if values.exceeds(mock.result, limits.payload_bytes):
        raise InvalidTest(f"Mocked result must have at most {limits.payload_bytes} bytes")
    match state:
        case Map(result_writer=writer) if writer is not None and writer.resource is not None:
            if not isinstance(mock.result, dict):
                raise InvalidTest("Mocked result must be a JSON object.")
        case Map() | Parallel() if not isinstance(mock.result, list):
            raise InvalidTest("Mocked result must be an array.")
        case Parallel(branches=branches) if len(mock.result) != len(branches):
            raise InvalidTest(
                "Mocked result must contain the same number of items as number of Parallel"
                " branches."
            )
        case Task() if mock.field_validation_mode != "NONE":
            return _check_against_model(state, mock)
    return ()


def _check_against_model(state: Task, mock: Mock) -> tuple[str, ...]:
    operation = servicemodels.operation_of(state.resource)
    if operation is None:
        return ()
    if not servicemodels.are_installed():
        return (
            "The mocked result was not held against the API model of"
            f" {operation.service}:{operation.name}: botocore is not installed.",
        )
    strict = mock.field_validation_mode == "STRICT"
    problem = servicemodels.problem_with(mock.result, operation, all_required=strict)
    if problem is not None:
        raise InvalidTest(f"Mock result schema validation error: {problem}")
    return ()


def _one_of(value: str, kind: Any, what: str) -> None:
    if value not in get_args(kind):
        raise InvalidTest(f"{what} must be one of {', '.join(get_args(kind))}, found {value!r}")


def _moment(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if at.tzinfo is None:
        raise InvalidValue("at: expected an aware datetime, found one without a time zone")
    return at.astimezone(UTC)


#: No account and no region: what the ARNs of a made-up Context Object have in their places.
_ACCOUNT: Final = "111111111111"
_REGION: Final = "us-east-1"
#: Recorded on AWS: where a mock does the work, somebody's role is shown all the same.
_MADE_UP_ROLE: Final = f"arn:aws:iam::{_ACCOUNT}:role/mocked"


def _default_context(
    state: State,
    input: JSON,
    *,
    is_in_map: bool,
    role_arn: str | None,
    retry_count: int,
    now: datetime,
    seed: str,
) -> dict[str, JSON]:
    """The Context Object that a test has on AWS: that of an Express execution."""
    chance = Random(f"context/{seed}")  # noqa: S311 - names, no secrets
    machine, execution, token = (
        str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(3)
    )
    moment = values.format_timestamp(now, timespec="milliseconds")
    entered: dict[str, JSON] = {"Name": STATE_NAME, "EnteredTime": moment}
    if isinstance(state, (Task, Map, Parallel)):
        entered["RetryCount"] = retry_count
    made: dict[str, JSON] = {
        "Execution": {
            "Id": f"arn:aws:states:{_REGION}:{_ACCOUNT}:express:{machine}:{execution}",
            "Input": input,
            "Name": execution,
            "RoleArn": role_arn,
            "StartTime": moment,
        },
        "StateMachine": {
            "Id": f"arn:aws:states:{_REGION}:{_ACCOUNT}:stateMachine:{machine}",
            "Name": machine,
        },
        "State": entered,
    }
    if isinstance(state, Task) and context.gives_token(state.resource):
        made["Task"] = {"Token": token}
    if is_in_map:
        # Source: AWS, "Automatic Context population".
        made["Map"] = {"Item": {"Index": 0, "Value": input}}
    return made


# -- the trial ---------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Trial:
    """One state on its way through one input."""

    state: State
    raw: JSON
    context: dict[str, JSON]
    variables: dict[str, JSON]
    mock: Mock | None
    task: TaskWork | None
    configuration: StateConfiguration
    now: datetime
    seed: str
    limits: Limits
    inspected: dict[str, JSON] = field(default_factory=dict)
    #: How many moments have been evaluated: each draws chances of its own.
    moments: int = 0
    #: Of a Map: how many of its iterations may fail, and how many there are.
    tolerance: dataflow.Tolerance | None = None
    iterations: int = 0

    def answer(self, *, inspect: bool, notes: tuple[str, ...]) -> StateTest:
        self._note("input", self.raw)
        found = self._found()
        if self.variables:
            self._note("variables", self.variables)
        return StateTest(
            **found, inspection_data=dict(self.inspected) if inspect else {}, notes=notes
        )

    def _found(self) -> dict[str, Any]:
        """The members of the answer that say what became of the state."""
        try:
            asked = self._prepare()
        except StateError as own:
            return self._failed(own, catchable=_is_catchable(own))
        try:
            result = self._work(asked)
        except StateError as its:
            return self._failed(its, catchable=True)
        try:
            outcome, following = self._leave(result)
            self._check_size(outcome)
        except StateError as own:
            return self._failed(own, catchable=_is_catchable(own))
        self.variables.update(outcome.variables or {})
        return {"status": "SUCCEEDED", "output": outcome.output, "next_state": following}

    # -- before the work

    def _prepare(self) -> JSON:
        """What the state's work gets; and what an inspection shows of it."""
        state, names = self.state, self._names()
        match state:
            case Pass(has_result=True):
                self._note("result", state.result)
                return None
            case Parallel():
                return dataflow.effective_input(state, names)
            case Map():
                self._prepare_map(state, names)
                return None
            case Task() | Pass():
                filtered = self._filtered(names)
                if isinstance(state, Task):
                    self._check_times(state, names.with_input(filtered))
                asked = dataflow.effective_input(state, names)
                if state.query_language == "JSONPath":
                    self._note("afterParameters", asked)
                elif isinstance(state, Task):
                    self._note("afterArguments", asked)
                if values.exceeds(asked, self.limits.payload_bytes):
                    raise dataflow.too_large(state.name)
                if isinstance(state, Task) and state.credentials is not None:
                    state.credentials.evaluate(names.with_input(filtered), "Credentials")
                return asked
            case _:
                filtered = self._filtered(names)
                if isinstance(state, Wait):
                    dataflow.waiting_time(state, names.with_input(filtered), self.now)
                return filtered

    def _filtered(self, names: Names) -> JSON:
        filtered = dataflow.filtered_input(self.state, names)
        if self.state.query_language == "JSONPath":
            self._note("afterInputPath", filtered)
        return filtered

    def _check_times(self, state: Task, names: Names) -> None:
        dataflow.positive_seconds(state.timeout_seconds, names, "TimeoutSecondsPath")
        dataflow.positive_seconds(state.heartbeat_seconds, names, "HeartbeatSecondsPath")

    def _prepare_map(self, state: Map, names: Names) -> None:
        filtered = self._filtered(names)
        seen = names.with_input(filtered)
        items = self._items(state, filtered, names)
        if items is not None:
            inputs = self._selected(state, filtered, items)
            if state.item_batcher is not None:
                batcher = dataflow.item_batcher(state.item_batcher, seen)
                inputs = list(maprun.batches(batcher, inputs))
                self._note("afterItemBatcher", inputs)
        self._note("maxConcurrency", dataflow.max_concurrency(state, seen))
        self.tolerance = dataflow.tolerance(state, seen)
        if self.tolerance.count is not None:
            self._note("toleratedFailureCount", self.tolerance.count)
        if self.tolerance.percentage is not None:
            self._note("toleratedFailurePercentage", self.tolerance.percentage)
        if state.result_writer is not None:
            dataflow.result_writer(state, state.result_writer, seen)
        self.iterations = len(self._mocked_items() if items is None else items)
        failed = self.configuration.map_iteration_failure_count or 0
        if failed > self.iterations:
            raise InvalidTest(
                "Map iteration failure count must be less than or equal to the number of Map"
                " iterations"
            )

    def _items(self, state: Map, filtered: JSON, names: Names) -> list[JSON] | None:
        """The Map's items; None where a reader would have to read them."""
        if state.item_reader is None:
            found = dataflow.items(state, filtered, names)
            if state.query_language == "JSONPath":
                self._note("afterItemsPath", found)
            return found
        reader = dataflow.item_reader(state, state.item_reader, names.with_input(filtered))
        data = self.configuration.map_item_reader_data
        if data is None:
            return None
        config = reader["ReaderConfig"]
        found = itemreader.items(io.StringIO(data, newline=""), config, reader["MaxItems"])
        if "ItemsPointer" in config:
            self._note("afterItemsPointer", found)
        return found

    def _mocked_items(self) -> list[JSON]:
        result = None if self.mock is None else self.mock.result
        return result if isinstance(result, list) else []

    def _selected(self, state: Map, filtered: JSON, items: list[JSON]) -> list[JSON]:
        """The iterations' inputs: each item after ItemSelector."""
        selector = state.item_selector
        if selector is None:
            return items
        inputs = []
        for index, item in enumerate(items):
            names = self._names({"Map": {"Item": {"Index": index, "Value": item}}})
            inputs.append(selector.evaluate(names.with_input(filtered), "ItemSelector"))
        self._note("afterItemSelector", inputs)
        return inputs

    # -- the work

    def _work(self, asked: JSON) -> JSON:
        """The result of the state's work. Raises StateError where it ends with an error."""
        match self.state:
            case Pass() as state:
                return state.result if state.has_result else asked
            case Fail() as state:
                error, cause = dataflow.failure(state, self._names())
                raise StateError(error, cause)
            case Task() as state:
                result = self._mocked(asked, state)
                self._note("result", result)
                return result
            case Parallel() | Map() as state:
                result = self._mocked(asked, state)
                failed = self.configuration.map_iteration_failure_count or 0
                if self.tolerance is not None and self.tolerance.is_exceeded_by(
                    failed, self.iterations
                ):
                    raise maprun.threshold_exceeded()
                return result
            case _:
                return asked

    def _mocked(self, asked: JSON, state: Task | Map | Parallel) -> JSON:
        if self.mock is None:
            assert isinstance(state, Task) and self.task is not None  # _check_call
            result = values.check(self.task(state.resource, asked), what="result")
            if values.exceeds(result, self.limits.payload_bytes):
                raise dataflow.too_large(state.resource)
            return result
        error = self.mock.error_output
        if error is not None:
            raise StateError(error.error, error.cause)
        return self.mock.result

    # -- after the work

    def _leave(self, result: JSON) -> tuple[dataflow.Outcome, str | None]:
        state, names = self.state, self._names()
        if isinstance(state, Choice):
            rule, following = choice.way(state, names.with_input(result))
            return dataflow.chosen_outcome(state, rule, names), following
        has_result = isinstance(state, (Task, Parallel, Map))
        watch = self._note if has_result or isinstance(state, Pass) else dataflow.unwatched
        outcome = dataflow.outcome(state, result, names, has_result=has_result, watch=watch)
        return outcome, state.next

    def _check_size(self, outcome: dataflow.Outcome) -> None:
        if values.exceeds(outcome.output, self.limits.payload_bytes):
            raise dataflow.too_large(self.state.name)

    def _failed(self, raised: StateError, *, catchable: bool) -> dict[str, Any]:
        """Retry, else Catch, else the error itself."""
        failure = {"error": raised.name, "cause": raised.cause}
        if not catchable:
            return {"status": "FAILED", **failure}
        retried = retrying.first_match(self.state.retry, raised.name)
        if retried is not None and self._retries_used() < retried[1].max_attempts:
            index, retrier = retried
            delay = retrying.retry_delay(retrier, self._retries_used(), self._chance())
            details = {
                "retryIndex": index,
                "retryBackoffIntervalSeconds": int(delay.total_seconds()),
            }
            self._note("errorDetails", details)
            return {"status": "RETRIABLE", **failure}
        caught = retrying.first_match(self.state.catch, raised.name)
        if caught is None:
            return {"status": "FAILED", **failure}
        index, catcher = caught
        try:
            outcome = dataflow.caught_outcome(
                self.state, catcher, raised.name, raised.cause, self._names()
            )
            self._check_size(outcome)
        except StateError as own:
            return self._failed(own, catchable=False)
        self._note("errorDetails", {"catchIndex": index})
        self.variables.update(outcome.variables or {})
        return {
            "status": "CAUGHT_ERROR",
            "output": outcome.output,
            "next_state": catcher.next,
            **failure,
        }

    def _retries_used(self) -> int:
        given = self.configuration.retrier_retry_count
        if given is not None:
            return given
        # Source: AWS, "Testing catch handlers": retries are exhausted by RetryCount too.
        return int(self.context.get("State", {}).get("RetryCount", 0))

    # -- what all moments need

    def _note(self, name: str, value: JSON) -> None:
        self.inspected[name] = value

    def _names(self, more: Mapping[str, JSON] | None = None) -> Names:
        """The names of the raw input, for one moment; ``more`` joins the Context Object."""
        whole = {**self.context, **(more or {})}
        chance = self._chance()
        return Names(
            input=self.raw,
            context=lambda: whole,
            variables=dict(self.variables),
            chance=lambda: chance,
            now=self.now,
            jsonata=self.limits.jsonata,
        )

    def _chance(self) -> Random:
        self.moments += 1
        return Random(f"{self.seed}/{self.moments}")  # noqa: S311 - as `context.chance`


def _is_catchable(own: StateError) -> bool:
    # As in `decide`: a result that is too large can be caught, an output can't.
    return own.name != "States.DataLimitExceeded"
