"""What stands on a node and beside an edge: the words of a definition, readable.

``$.total > 100`` for a rule, ``charge_card`` for a task, ``30 s`` for a wait.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import assert_never

from django_workflows.asl.definition import (
    And,
    Choice,
    Comparison,
    Condition,
    Fail,
    Map,
    Not,
    Or,
    Parallel,
    Pass,
    Retrier,
    State,
    Succeed,
    Task,
    Test,
    Wait,
)
from django_workflows.asl.expressions.jsonpath import Path
from django_workflows.asl.values import JSON
from django_workflows.graph.text import one_line

_SIGNS = {
    "Equals": "=",
    "LessThan": "<",
    "GreaterThan": ">",
    "LessThanEquals": "≤",
    "GreaterThanEquals": "≥",
    "Matches": "matches",
}
_OPERATOR = re.compile(r"(?:String|Numeric|Boolean|Timestamp)(\w+)")
#: IsPresent: "is present", or "is absent".
_QUESTIONS = {
    "IsPresent": ("is present", "is absent"),
    "IsNull": ("is null", "is not null"),
    "IsBoolean": ("is a boolean", "is no boolean"),
    "IsNumeric": ("is a number", "is no number"),
    "IsString": ("is a text", "is no text"),
    "IsTimestamp": ("is a timestamp", "is no timestamp"),
}


def rule(test: Test) -> str:
    """The condition of a choice rule, on one line and whole."""
    match test:
        case Comparison():
            return _comparison(test)
        case And(tests=tests):
            return " and ".join(_part(part) for part in tests)
        case Or(tests=tests):
            return " or ".join(_part(part) for part in tests)
        case Not(test=inner):
            return f"not {_part(inner)}"
        case Condition(value=value):
            return _bare(value.text) if not isinstance(value, bool) else _literal(value)
        case _:
            assert_never(test)


def _part(test: Test) -> str:
    if isinstance(test, (And, Or)) and len(test.tests) > 1:
        return f"({rule(test)})"
    return rule(test)


def _comparison(test: Comparison) -> str:
    variable, operand = test.variable.text, test.operand
    if test.operator in _QUESTIONS and isinstance(operand, bool):
        return f"{variable} {_QUESTIONS[test.operator][not operand]}"
    found = _OPERATOR.fullmatch(test.operator)
    sign = _SIGNS.get(found[1]) if found else None
    right = operand.text if isinstance(operand, Path) else _literal(operand)
    return f"{variable} {sign or test.operator} {right}"


def _literal(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)


def _bare(expression: str) -> str:
    """JSONata without its ``{% %}``, and without line ends."""
    if expression.startswith('"{%') and expression.endswith('%}"'):
        expression = json.loads(expression)
    if expression.startswith("{%") and expression.endswith("%}"):
        expression = expression[2:-2]
    return one_line(expression)


def errors(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def caption(state: State) -> str:
    """A few words on what the state does, beyond its name."""
    match state:
        case Task(resource=resource):
            return _resource(resource)
        case Wait():
            return _wait(state)
        case Map():
            return _map(state)
        case Parallel(branches=branches):
            return f"{len(branches)} branches" if len(branches) != 1 else "1 branch"
        case Fail(error=str(error)):
            return error
        case Pass() | Choice() | Succeed() | Fail():
            return ""
        case _:
            return ""


def _wait(state: Wait) -> str:
    seconds, timestamp = state.seconds, state.timestamp
    if isinstance(seconds, int):
        return f"{seconds} s"
    if seconds is not None:
        return f"{_bare(seconds.text)} s"
    if isinstance(timestamp, datetime):
        return f"until {timestamp:%Y-%m-%d %H:%M}"
    return "" if timestamp is None else f"until {_bare(timestamp.text)}"


def _map(state: Map) -> str:
    words = ["distributed"] if state.is_distributed else []
    if state.items is not None:
        words.append(f"each of {_bare(state.items.text)}")
    if isinstance(state.max_concurrency, int) and state.max_concurrency:
        words.append(f"{state.max_concurrency} at once")
    return ", ".join(words)


def _resource(resource: str) -> str:
    """A resource without what all of its kind have in common."""
    if not resource.startswith("arn:"):
        return resource
    parts = resource.split(":", 5)
    service, rest = parts[2] if len(parts) > 2 else "", parts[-1]
    if service == "states" and not rest.startswith("activity:"):
        return rest.removeprefix("aws-sdk:")
    if service == "lambda":
        return rest.removeprefix("function:")
    return rest


def retrier(entry: Retrier) -> str:
    """One entry of Retry, in a line of a tooltip."""
    return f"{errors(entry.error_equals)}: {entry.max_attempts}×"
