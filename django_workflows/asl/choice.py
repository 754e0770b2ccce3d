"""Which way a Choice goes.

Source: ASL specification, "Choice State (JSONPath)". A value of another type than
the operator's makes the comparison false, never an error; a Variable that is not
there is an error for every operator but IsPresent.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import assert_never

from django_workflows.asl import values
from django_workflows.asl.definition import (
    And,
    Choice,
    ChoiceRule,
    Comparison,
    Condition,
    Not,
    Or,
    Test,
)
from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions import jsonata
from django_workflows.asl.expressions.jsonpath import Path, PathNotFound
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON


def taken_rule(state: Choice, names: Names) -> ChoiceRule | None:
    """The first rule that is true; None where none is."""
    for rule in state.choices:
        if holds(rule.test, names):
            return rule
    return None


def way(state: Choice, names: Names) -> tuple[ChoiceRule | None, str]:
    """The rule that is taken, None for Default, and the state that it leads to.

    Raises StateError: States.Runtime where no rule is true and there is no Default.
    """
    rule = taken_rule(state, names)
    following = rule.next if rule is not None else state.default
    if following is None:
        raise StateError(
            "States.Runtime",
            "Failed to transition out of the state. The state does not point to a next state.",
        )
    return rule, following


def holds(test: Test, names: Names) -> bool:
    """Whether *test* is true; And and Or stop at the first that decides.

    Raises StateError: States.Runtime where a path finds nothing.
    """
    match test:
        case Comparison():
            return _compare(test, names)
        case And(tests=tests):
            return all(holds(one, names) for one in tests)
        case Or(tests=tests):
            return any(holds(one, names) for one in tests)
        case Not(test=inner):
            return not holds(inner, names)
        case Condition(value=value):
            if isinstance(value, bool):
                return value
            return bool(
                jsonata.check_kind(
                    "boolean", value.evaluate(names, "Condition"), "Condition", value
                )
            )
        case _:
            assert_never(test)


def _compare(test: Comparison, names: Names) -> bool:
    if test.operator == "IsPresent":
        return _is_present(test.variable, names) is test.operand
    subject = _operand(test.variable, names)
    is_a = _TYPES.get(test.operator)
    if is_a is not None:
        return is_a(subject) is test.operand
    operand = _operand(test.operand, names) if isinstance(test.operand, Path) else test.operand
    return _OPERATORS[test.operator](subject, operand)


def _is_present(path: Path, names: Names) -> bool:
    try:
        found = path.find(names)
    except PathNotFound:
        return False
    # A path that may find many gives a list, and finds nothing when that is empty.
    return path.definite or bool(found)


def _operand(path: Path, names: Names) -> JSON:
    try:
        return path.find(names)
    except PathNotFound:
        raise StateError(
            "States.Runtime",
            f"Invalid path '{path.text}': The choice state's condition path references an"
            " invalid value.",
        ) from None


def _is_timestamp(value: JSON) -> bool:
    return isinstance(value, str) and values.parse_timestamp(value) is not None


_TYPES: dict[str, Callable[[JSON], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": values.is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": _is_timestamp,
}

_Order = Callable[[JSON, JSON], bool]


def _strings(order: _Order) -> _Order:
    def compare(one: JSON, other: JSON) -> bool:
        if not (isinstance(one, str) and isinstance(other, str)):
            return False
        if one.isascii() and other.isascii():
            return bool(order(one, other))
        # AWS orders by UTF-16 code unit, as Java does.
        return bool(order(_units(one), _units(other)))

    return compare


def _units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _numbers(order: _Order) -> _Order:
    def compare(one: JSON, other: JSON) -> bool:
        return values.is_number(one) and values.is_number(other) and bool(order(one, other))

    return compare


def _timestamps(order: _Order) -> _Order:
    def compare(one: JSON, other: JSON) -> bool:
        if not (isinstance(one, str) and isinstance(other, str)):
            return False
        first, second = values.parse_timestamp(one), values.parse_timestamp(other)
        return first is not None and second is not None and bool(order(first, second))

    return compare


def string_matches(subject: JSON, pattern: JSON) -> bool:
    r"""Whether *subject* fits *pattern*: ``*`` is any run, ``\*`` a star, ``\\`` a backslash.

    Greedy with one point of return: linear in practice, and never exponential.
    """
    if not (isinstance(subject, str) and isinstance(pattern, str)):
        return False
    wanted = _pattern(pattern)
    here = there = 0
    star, resume = -1, 0
    while here < len(subject):
        if there < len(wanted) and wanted[there] is None:
            star, resume = there, here
            there += 1
        elif there < len(wanted) and wanted[there] == subject[here]:
            here, there = here + 1, there + 1
        elif star >= 0:
            resume += 1
            here, there = resume, star + 1
        else:
            return False
    return all(unit is None for unit in wanted[there:])


def _pattern(pattern: str) -> list[str | None]:
    """The characters of *pattern*, None for a star."""
    units: list[str | None] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            units.append(next(characters, "\\"))
        else:
            units.append(None if character == "*" else character)
    return units


def _equal_booleans(one: JSON, other: JSON) -> bool:
    return isinstance(one, bool) and isinstance(other, bool) and one is other


_ORDERS: dict[str, _Order] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_OPERATORS: dict[str, _Order] = {
    "StringMatches": string_matches,
    "BooleanEquals": _equal_booleans,
    **{f"String{name}": _strings(order) for name, order in _ORDERS.items()},
    **{f"Numeric{name}": _numbers(order) for name, order in _ORDERS.items()},
    **{f"Timestamp{name}": _timestamps(order) for name, order in _ORDERS.items()},
}
