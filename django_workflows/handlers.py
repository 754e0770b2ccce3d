"""Functions of the site that do the work of Task states, found by name.

A handler is registered with `task` in an app's ``workflow_tasks`` module::

    @task("charge_card")
    def charge_card(input, context):
        return {"charge": gateway.charge(input["amount"], key=context.idempotency_key)}

Definitions written for AWS find handlers too: a Lambda function's ARN, and
``arn:aws:states:::lambda:invoke`` with its FunctionName, that of the function's
name; other resource URIs one registered for them, whole or up to a ``*`` at the end
(the longest fits best). ``arn:aws-cn:`` and the like find those of ``arn:aws:``.

Rule: nothing in a definition can import code. What isn't registered is an error.
"""

from __future__ import annotations

import difflib
import inspect
import json
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from django_workflows import resources
from django_workflows.asl import InvalidValue, values
from django_workflows.asl.values import JSON

logger = logging.getLogger(__name__)

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

#: AWS, SendTaskFailure: how long an Error Name and a Cause may be.
MAX_ERROR = 256
MAX_CAUSE = 32_768

_FUNCTION = re.compile(
    r"(?:arn:[a-z-]+:lambda:[^:]*:)?(?:\d{12}:)?(?:function:)?(?P<name>[A-Za-z0-9_-]+)"
    r"(?::(?P<version>[A-Za-z0-9$_-]+))?"
)
_LAMBDA_ARN = re.compile(r"arn:[a-z-]+:lambda:[^:]*:[^:]*:function:.+")
_LAMBDA_INVOKE = re.compile(r"arn:[a-z-]+:states:[^:]*:[^:]*:lambda:invoke")
_PARTITION = re.compile(r"\Aarn:aws-[a-z-]+:")


class _Pending:
    """The type of `PENDING`."""

    def __repr__(self) -> str:
        return "PENDING"

    def __reduce__(self) -> str:
        return "PENDING"


#: What a handler returns whose result comes later, by its task's token.
PENDING = _Pending()


class TaskError(Exception):
    """Fails the task with the Error Name *name*, for Retry and Catch, and a Cause."""

    def __init__(self, name: str, cause: str | None = None) -> None:
        super().__init__(name if cause is None else f"{name}: {cause}")
        self.name = name
        self.cause = cause


class ServiceError(TaskError):
    """What a service says itself, before or instead of the function it calls."""


class UnknownResource(LookupError):
    """No handler is registered for a resource; the message says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What a handler may want to know about the task it does."""

    execution_id: uuid.UUID
    #: The task's number: the seq of its TaskStarted.
    task: int
    #: The state's name.
    state: str
    #: As the definition has it.
    resource: str
    #: How often this state was retried since it was entered.
    attempt: int
    #: The seq of the visit of the state: the same for all its attempts.
    visit: int
    _token: Callable[[], str] = field(repr=False)
    _beat: Callable[[], None] = field(repr=False)

    @property
    def token(self) -> str:
        """Answers the task from outside: a secret, for whoever the answer is asked of."""
        return self._token()

    @property
    def idempotency_key(self) -> str:
        """The same for redeliveries and for retries of one visit to the state."""
        return f"{self.execution_id}:{self.visit}"

    @property
    def attempt_key(self) -> str:
        """The same for redeliveries, another for each retry."""
        return f"{self.execution_id}:{self.task}"

    def heartbeat(self) -> None:
        """Say that the work goes on: HeartbeatSeconds counts anew.

        Raises asl.CommandRejected where the task is not wanted any more: it timed
        out, was answered otherwise, or the execution was stopped.
        """
        self._beat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A handler, and how to call it for one task."""

    function: Callable[..., Any]
    wants_context: bool
    input: JSON
    #: How ``lambda:invoke`` was asked for it; None where another resource was.
    invocation: str | None = None
    #: Whether what the handler returns is not the result; a token brings that.
    awaits_token: bool = False

    def run(self, context: TaskContext) -> Any:
        """The task's result, or PENDING. Raises what the handler raises."""
        if self.invocation == "Event":
            self._run_unheard(context)
            return PENDING if self.awaits_token else _envelope("", context, status=202)
        if self.invocation == "DryRun":
            return _envelope("", context, status=204)
        result = self._run(context)
        if self.awaits_token or isinstance(result, _Pending):
            return PENDING
        return result if self.invocation is None else _envelope(result, context)

    def _run(self, context: TaskContext) -> Any:
        arguments = (self.input, context) if self.wants_context else (self.input,)
        return self.function(*arguments)

    def _run_unheard(self, context: TaskContext) -> None:
        """Nobody learns what comes of it."""
        try:
            self._run(context)
        except Exception:
            logger.warning("what %s did unheard went wrong", self.function, exc_info=True)


@dataclass(frozen=True, slots=True)
class _Handler:
    function: Callable[..., Any]
    wants_context: bool


_exact: dict[str, _Handler] = {}
_prefixes: dict[str, _Handler] = {}


def task(name: str) -> Callable[[HandlerT], HandlerT]:
    """Register the decorated function as the handler of the resource *name*.

    With a ``*`` at its end, *name* stands for all resources that begin so. The
    function is called with the task's input, and where it has a second parameter
    with its `TaskContext`. It returns JSON data, or PENDING; an exception fails the
    task with the name of its class.

    Raises ValueError where another function has the name; TypeError for what is no
    ordinary function of one or two arguments.
    """

    def register(function: HandlerT) -> HandlerT:
        handler = _Handler(function, _wants_context(function, name))
        registry, key = (_prefixes, name[:-1]) if name.endswith("*") else (_exact, name)
        is_taken = key in (resources.APPROVAL, resources.CALLBACK) or resources.activity(key)
        if not key or is_taken:
            raise ValueError(f"{name!r} can't be the name of a handler")
        known = registry.get(key)
        if known is not None and not _is_same(known.function, function):
            raise ValueError(
                f"the handler {name!r} is {_place(known.function)} already;"
                f" {_place(function)} needs another name"
            )
        registry[key] = handler
        return function

    return register


def unregister(name: str) -> None:
    """Forget the handler *name*, if there is one: for tests."""
    if name.endswith("*"):
        _prefixes.pop(name[:-1], None)
    else:
        _exact.pop(name, None)


def names() -> list[str]:
    """The names of all handlers."""
    return sorted([*_exact, *(f"{prefix}*" for prefix in _prefixes)])


def resolve(resource: str, input: JSON) -> Call:
    """The handler of *resource*, ready to be called with *input*.

    Raises UnknownResource where nothing is registered for it; ServiceError where
    Lambda would not call a function.
    """
    if resources.awaits_token(resource) and resource not in _exact:
        return replace(resolve(resources.base(resource), input), awaits_token=True)
    handler = _lookup(resource)
    if handler is not None:
        return Call(
            function=handler.function,
            wants_context=handler.wants_context,
            input=input,
            awaits_token=resources.awaits_token(resource),
        )
    if _LAMBDA_ARN.fullmatch(resource):
        return _function(resource, input)
    if _LAMBDA_INVOKE.fullmatch(resource):
        return _invocation(input)
    raise UnknownResource(_unknown(resource, f"no handler is registered for {resource!r}"))


def error_of(raised: BaseException, resource: str = "") -> tuple[str, str]:
    """The Error Name and the Cause that *raised* fails a task of *resource* with.

    The Cause of what a Lambda function raised is JSON text with ``errorMessage``
    and ``errorType``, for definitions written for AWS read that. Its ``stackTrace``
    is empty: whoever may see an execution need not see the site's code.
    """
    name, cause = _error_of(raised)
    base = resources.base(resource)
    if isinstance(raised, ServiceError):
        return name, cause
    if _LAMBDA_ARN.fullmatch(base):
        # Recorded on AWS: the function's own text here, with blanks; compact below.
        return name, _function_error(name, cause, json.dumps)
    if _LAMBDA_INVOKE.fullmatch(base):
        return name, _function_error(name, cause, values.compact)
    return name, cause


def _function_error(name: str, message: str, dumps: Callable[[JSON], str]) -> str:
    text = dumps({"errorMessage": message, "errorType": name, "stackTrace": []})
    if len(text) <= MAX_CAUSE:
        return text
    # Cut inside, so that it stays JSON; an escaped letter has at most twelve.
    return _function_error(name, message[: (len(message) * 3) // 4], dumps)


def _error_of(raised: BaseException) -> tuple[str, str]:
    """As long as they may be."""
    if isinstance(raised, TaskError):
        name, cause = str(raised.name), "" if raised.cause is None else str(raised.cause)
    else:
        name = type(raised).__name__
        try:
            cause = str(raised)
        except Exception:
            cause = "the exception's message can't be shown"
    return name[:MAX_ERROR], cause[:MAX_CAUSE]


def _lookup(resource: str) -> _Handler | None:
    exact = _exact.get(resource)
    if exact is not None:
        return exact
    fitting = [prefix for prefix in _prefixes if resource.startswith(prefix)]
    if fitting:
        return _prefixes[max(fitting, key=len)]
    if _PARTITION.match(resource):
        return _lookup(_PARTITION.sub("arn:aws:", resource))
    return None


def _function(reference: str, input: JSON) -> Call:
    """The handler of a Lambda function, named by itself or by its full or partial ARN."""
    match = _FUNCTION.fullmatch(reference)
    name = match["name"] if match else reference
    handler = _lookup(name)
    if handler is None:
        raise UnknownResource(
            _unknown(name, f"no handler is registered for the Lambda function {name!r}")
        )
    return Call(function=handler.function, wants_context=handler.wants_context, input=input)


def _invocation(input: JSON) -> Call:
    """The handler that the parameters of ``lambda:invoke`` name.

    Source: AWS, "Invoke" of the Lambda API; its errors' texts as recorded.
    """
    parameters = input if isinstance(input, dict) else {}
    name = parameters.get("FunctionName")
    if not isinstance(name, str):
        raise ServiceError(
            "States.Runtime",
            "lambda:invoke: Parameters.FunctionName: expected the name of a function or its ARN,"
            f" found {'nothing' if name is None else type(name).__name__}",
        )
    kind = parameters.get("InvocationType") or "RequestResponse"
    if kind not in ("RequestResponse", "Event", "DryRun"):
        raise ServiceError(
            "Lambda.InvalidParameterValueException",
            "InvocationType: expected RequestResponse, Event or DryRun,"
            f" found {values.compact(kind):.100}",
        )
    try:
        call = _function(name, _payload(parameters.get("Payload")))
    except UnknownResource as unknown:
        raise ServiceError(
            "Lambda.ResourceNotFoundException", f"Function not found: {name}; {unknown}"
        ) from None
    return replace(call, invocation=kind)


def _payload(payload: JSON) -> JSON:
    """What the function gets: a text is JSON text already, and nothing is ``{}``."""
    if payload is None:
        return {}
    if not isinstance(payload, str):
        return payload
    try:
        return values.loads(payload)
    except InvalidValue as invalid:
        raise ServiceError(
            "Lambda.InvalidRequestContentException",
            f"Could not parse request body into json: {invalid}",
        ) from None


def _envelope(result: JSON, context: TaskContext, *, status: int = 200) -> JSON:
    """*result* as ``lambda:invoke`` returns it on AWS."""
    headers = {"Content-Type": "application/json"}
    version: dict[str, JSON] = {"ExecutedVersion": "$LATEST"} if status == 200 else {}
    return {
        **version,
        "Payload": result,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {
            "RequestId": str(uuid.uuid5(context.execution_id, str(context.task)))
        },
        "StatusCode": status,
    }


def _unknown(name: str, message: str) -> str:
    close = difflib.get_close_matches(name, names(), n=1)
    if close:
        return f"{message} (did you mean {close[0]!r}?)"
    return f"{message}; handlers are registered with @task in an app's workflow_tasks module"


def _wants_context(function: Callable[..., Any], name: str) -> bool:
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"the handler {name!r} must be an ordinary function, not a coroutine")
    positional = 0
    for parameter in inspect.signature(function).parameters.values():
        match parameter.kind:
            case parameter.POSITIONAL_ONLY | parameter.POSITIONAL_OR_KEYWORD:
                # Others that have a default are the function's own affair.
                needed = parameter.default is parameter.empty or parameter.name == "context"
                if positional == 0 or needed:
                    positional += 1
            case parameter.VAR_POSITIONAL:
                positional = max(positional, 2)
            case parameter.KEYWORD_ONLY if parameter.default is parameter.empty:
                positional = 3
            case _:
                pass
    if positional not in (1, 2):
        raise TypeError(
            f"the handler {name!r} must take the input, or the input and a context:"
            f" {_place(function)}{inspect.signature(function)}"
        )
    return positional == 2


def _is_same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether both are one function, perhaps of a module that was imported again."""
    return one is other or (
        _place(one) == _place(other)
        and getattr(one, "__code__", one) == getattr(other, "__code__", other)
    )


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"
