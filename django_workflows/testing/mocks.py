"""What stands in for the work of Task states: fixed answers, one after the other or by
attempt, and functions.

    tasks={
        "Charge card": [fails("Busy", "try later"), succeeds({"charge": 7})],
        "Ship": attempts(fails("Busy"), succeeds()),
        "warehouse": lambda input: {"stock": input["wanted"] + 1},
        "Ask the bank": pending(),
    }

A key is a state's name, or else a resource, which may end with ``*``, or the name of
the Lambda function that the resource is. A list answers
one call after the other; `attempts` begins anew whenever the state is entered, so
each iteration of a Map gets its own.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django_workflows import handlers, resources
from django_workflows.asl.values import JSON
from django_workflows.handlers import TaskContext

#: The name of the Lambda function that a resource is.
_FUNCTION = re.compile(r":function:([A-Za-z0-9_-]+)")

#: A length of virtual time: seconds, or a timedelta.
Length = float | timedelta


def length(given: Length) -> timedelta:
    return given if isinstance(given, timedelta) else timedelta(seconds=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer to one task, ``after`` a while on the virtual clock."""

    after: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeds(Response):
    value: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails(Response):
    error: str | None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raises(Response):
    exception: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Decides(Response):
    decision: str
    by: str | None
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending(Response):
    """No answer, until the test gives one or the task times out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """One answer for each attempt of one visit to the state."""

    answers: tuple[Response | Callable[..., Any], ...]


Mock = Response | Attempts | Callable[..., Any] | Sequence[Response | Callable[..., Any]]


def succeeds(value: JSON = None, *, after: Length = 0) -> Succeeds:
    """The task's result is *value*."""
    return Succeeds(value=value, after=length(after))


def fails(error: str | None, cause: str | None = None, *, after: Length = 0) -> Fails:
    """The task fails with an Error Name and a Cause."""
    return Fails(error=error, cause=cause, after=length(after))


def raises(exception: BaseException | type[BaseException], *, after: Length = 0) -> Raises:
    """The task fails as it does where a handler raises *exception*."""
    raised = exception() if isinstance(exception, type) else exception
    return Raises(exception=raised, after=length(after))


def decides(
    decision: str, *, by: str | None = None, comment: str = "", after: Length = 0
) -> Decides:
    """The approval is decided so; ``by`` is the first user asked where nobody is named."""
    return Decides(decision=decision, by=by, comment=comment, after=length(after))


def pending() -> Pending:
    """The task is not answered: `Run.answer` and `Run.fail` do, or it times out."""
    return Pending()


def attempts(*answers: Response | Callable[..., Any]) -> Attempts:
    """One answer for each attempt, from the first again whenever the state is entered."""
    return Attempts(answers=answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A task that is to be answered."""

    state: str
    resource: str
    input: JSON
    #: How often the state was retried since it was entered.
    attempt: int
    context: TaskContext


class Mocks:
    """The mocks of one test, and how often each was asked."""

    def __init__(self, mocks: Mapping[str, Mock] | None = None) -> None:
        self._mocks: dict[str, Mock] = {}
        self._asked: Counter[str] = Counter()
        self.add(mocks or {})

    def add(self, mocks: Mapping[str, Mock]) -> None:
        """Use these too, or instead; a list begins at its first answer.

        Raises TypeError for what is no mock.
        """
        for key, mock in mocks.items():
            self._mocks[key] = _checked(key, mock)
            self._asked[key] = 0

    @property
    def keys(self) -> list[str]:
        return list(self._mocks)

    def key_of(self, state: str, resource: str) -> str | None:
        """Which mock answers a task of this state and resource."""
        function = _FUNCTION.search(resource)
        names = [
            state,
            resource,
            resources.base(resource),
            *(function.groups() if function else ()),
        ]
        for key in names:
            if key in self._mocks:
                return key
        prefixes = [key for key in self._mocks if key.endswith("*")]
        fitting = [key for key in prefixes if resource.startswith(key[:-1])]
        return max(fitting, key=len, default=None)

    def response(self, call: Call) -> Response | None:
        """The answer to *call*; None where nothing is mocked for it.

        Raises AssertionError where the answers are used up, and that of a function.
        """
        key = self.key_of(call.state, call.resource)
        if key is None:
            return None
        mock = self._mocks[key]
        asked = self._asked[key]
        self._asked[key] += 1
        if isinstance(mock, Attempts):
            mock = _nth(mock.answers, call.attempt, f"attempt {call.attempt + 1}", call, key)
        elif isinstance(mock, Sequence):
            mock = _nth(mock, asked, f"call {asked + 1}", call, key)
        return mock if isinstance(mock, Response) else _called(mock, call)


def _nth(answers: Sequence[Any], index: int, which: str, call: Call, key: str) -> Any:
    if index < len(answers):
        return answers[index]
    hint = "" if which.startswith("attempt") else "; attempts(...) begins anew at each visit"
    raise AssertionError(
        f"{which} of the state {call.state!r}: the mock of {key!r} has only"
        f" {len(answers)} answer(s){hint}\ninput: {call.input!r:.500}"
    )


def _called(function: Callable[..., Any], call: Call) -> Response:
    """What *function* says: a value, a response, or an error by raising it."""
    arguments = (call.input, call.context) if _wants_context(function) else (call.input,)
    try:
        result = function(*arguments)
    except AssertionError:
        # The test's own, about the input: not the workflow's to handle.
        raise
    except Exception as raised:
        return Raises(exception=raised)
    if result is handlers.PENDING:
        return Pending()
    return result if isinstance(result, Response) else Succeeds(value=result)


def _wants_context(function: Callable[..., Any]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) > 1 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name == "context"
    )


def _checked(key: str, mock: Any) -> Mock:
    match mock:
        case Response():
            return mock
        case Attempts():
            return replace(mock, answers=tuple(_checked_one(key, one) for one in mock.answers))
        case list() | tuple():
            return [_checked_one(key, one) for one in mock]
        case _:
            return _checked_one(key, mock)


def _checked_one(key: str, mock: Any) -> Any:
    if isinstance(mock, Response) or (callable(mock) and not isinstance(mock, type)):
        return mock
    raise TypeError(
        f"the mock of {key!r}: expected succeeds(...), fails(...), raises(...), decides(...),"
        f" pending(), attempts(...), a function, or a list of these; found {mock!r:.100}"
        f" (did you mean succeeds({mock!r:.60})?)"
    )
