"""Choice rules: what a Choice state tests.

Source: ASL specification, "Choice State", "Choice Rules" and "Data-Test Expression".
"""

from __future__ import annotations

from typing import Final

from django_workflows.asl.definition import And, ChoiceRule, Comparison, Condition, Not, Or, Test
from django_workflows.asl.expressions import jsonpath
from django_workflows.asl.parse.fields import ByLanguage
from django_workflows.asl.parse.reading import Fields
from django_workflows.asl.parse.report import shown
from django_workflows.asl.values import JSON, is_number, parse_timestamp

_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")

#: Each operator and the kind of its operand.
OPERATORS: Final[dict[str, str]] = (
    {f"{kind}{order}": kind for kind in ("String", "Numeric", "Timestamp") for order in _ORDERS}
    | {"BooleanEquals": "Boolean", "StringMatches": "String"}
    | {
        f"Is{what}": "Boolean"
        for what in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")
    }
)
#: The same with the operand at a path.
PATH_OPERATORS: Final = {
    f"{name}Path": name
    for name in OPERATORS
    if name != "StringMatches" and not name.startswith("Is")
}
_WANTED = {
    "String": "a string",
    "Numeric": "a number",
    "Boolean": "true or false",
    "Timestamp": "a timestamp like '2026-01-31T09:30:00Z'",
}
_COMBINERS: Final = ("And", "Or", "Not")

_COMPARISON_FIELDS = frozenset(OPERATORS) | frozenset(PATH_OPERATORS) | {"Comment", "Variable"}
_NESTED_FIELDS = _COMPARISON_FIELDS | frozenset(_COMBINERS)
_SHARED_FIELDS = frozenset({"Next", "Assign", "Comment"})
#: The fields of an outermost rule, by query language.
RULE_FIELDS: Final[ByLanguage] = {
    "JSONPath": _NESTED_FIELDS | _SHARED_FIELDS,
    "JSONata": _SHARED_FIELDS | {"Condition", "Output"},
}
_JSONATA_FIELDS = RULE_FIELDS["JSONata"] - RULE_FIELDS["JSONPath"]

#: Stands in for a rule that could not be read; it is never run.
_NOTHING = Or(tests=())


def choice_rule(rule: Fields) -> ChoiceRule:
    """One element of Choices."""
    rule.require("Next")
    in_jsonata = rule.language == "JSONata"
    return ChoiceRule(
        test=_condition(rule) if in_jsonata else _test(rule, RULE_FIELDS["JSONPath"]),
        next=rule.text("Next") or "",
        assign=rule.template("Assign", must_be_object=True),
        output=rule.template("Output") if in_jsonata else None,
    )


def _condition(rule: Fields) -> Condition:
    rule.only_in(RULE_FIELDS)
    rule.require("Condition")
    rule.text("Comment")
    return Condition(value=rule.computed("Condition", lambda: rule.flag("Condition")) or False)


def _only(rule: Fields, allowed: frozenset[str]) -> None:
    for name in rule.members:
        if name in allowed:
            continue
        if name in ("Next", "Assign"):
            rule.unsupported(name, (), " inside another rule: only the outermost one has it")
        elif name in _JSONATA_FIELDS:
            rule.unsupported(name, (), " in a JSONPath rule: it belongs to JSONata")
        else:
            rule.unsupported(name, allowed)


def _test(rule: Fields, allowed: frozenset[str]) -> Test:
    is_understood = rule.members.keys() <= allowed
    if not is_understood:
        _only(rule, allowed)
    rule.text("Comment")
    combiners = [name for name in _COMBINERS if name in rule]
    operators = [name for name in rule.members if name in OPERATORS or name in PATH_OPERATORS]
    if not combiners:
        # What is missing is said where nothing else is there in its stead.
        if is_understood:
            _require_comparison(rule, operators)
        return _comparison(rule, operators)
    for name in [*combiners[1:], *operators, *(["Variable"] if "Variable" in rule else [])]:
        rule.out_of_place(name, f"a rule with {combiners[0]!r} can't have {name!r} too")
    combiner = combiners[0]
    if combiner == "Not":
        inner = rule.object("Not")
        return _NOTHING if inner is None else Not(test=_test(inner, _NESTED_FIELDS))
    tests = tuple(_test(inner, _NESTED_FIELDS) for inner in rule.objects(combiner))
    return And(tests=tests) if combiner == "And" else Or(tests=tests)


def _require_comparison(rule: Fields, operators: list[str]) -> None:
    if "Variable" not in rule:
        what = repr(operators[0]) if operators else "a comparison operator"
        rule.report.error(
            rule.pointer,
            "These fields are required: [Variable]:"
            f" a rule is 'And', 'Or' or 'Not', or 'Variable' with {what}",
        )
    elif not operators:
        rule.report.error(
            rule.pointer,
            "a comparison operator is required beside 'Variable', such as 'StringEquals'",
        )


def _comparison(rule: Fields, operators: list[str]) -> Test:
    for name in operators[1:]:
        rule.out_of_place(name, f"a rule has one operator, and this one has {operators[0]!r}")
    variable = rule.path("Variable")
    operand = _operand(rule, operators[0]) if operators else None
    if variable is None or not operators:
        return _NOTHING
    operator = PATH_OPERATORS.get(operators[0], operators[0])
    return Comparison(variable=variable, operator=operator, operand=operand)


def _operand(rule: Fields, operator: str) -> JSON | jsonpath.Path:
    if operator in PATH_OPERATORS:
        return rule.path(operator)
    value = rule.members[operator]
    kind = OPERATORS[operator]
    if not _is_of(kind, value):
        rule.wrong(operator, f"expected {_WANTED[kind]}, found {shown(value)}")
    return value


def _is_of(kind: str, value: JSON) -> bool:
    match kind:
        case "String":
            return isinstance(value, str)
        case "Numeric":
            return is_number(value)
        case "Boolean":
            return isinstance(value, bool)
        case _:
            return isinstance(value, str) and parse_timestamp(value) is not None
