"""What is allowed and yet probably not meant: AWS's warnings, and some of ours.

Ours are of what AWS only finds when it runs: a variable that nothing assigns, a
member that ``$states`` never has there, an expression in the other language.

Source: AWS API, ValidateStateMachineDefinition, the codes of its warnings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from django_workflows.asl.expressions.jsonata import (
    Jsonata,
    JsonataSyntaxError,
    compile_jsonata,
    is_jsonata,
)
from django_workflows.asl.expressions.jsonpath import Path
from django_workflows.asl.parse import variables
from django_workflows.asl.parse.fields import STATE_FIELDS, STATE_TYPES
from django_workflows.asl.parse.machine import Scope
from django_workflows.asl.parse.report import (
    ALWAYS_UNDEFINED,
    NO_DOLLAR,
    NO_PATH,
    OTHER_QUERY_LANGUAGE,
    PASS_RESULT_IS_STATIC,
    UNASSIGNED_VARIABLE,
    Report,
    listed,
    shown,
    step,
)
from django_workflows.asl.parse.rules import PATH_OPERATORS
from django_workflows.asl.references import expressions
from django_workflows.asl.values import JSON

_LOOKS_LIKE_A_PATH: Final = re.compile(r"\$\$?[.\[]\S.*", re.DOTALL)
_LOOKS_LIKE_A_CALL: Final = re.compile(r"States\.[A-Za-z0-9]+\(.*\)", re.DOTALL)

_TEMPLATES: Final = frozenset(
    {"Parameters", "ResultSelector", "ItemSelector", "BatchInput", "Assign", "Credentials"}
)
_HAVE_A_PATH_FORM: Final = frozenset(PATH_OPERATORS.values()) | {"Error", "Cause"}


def check(scope: Scope, report: Report, refused: Collection[str]) -> None:
    """Warn of what is probably not meant in the states of one machine.

    Nothing is said of what is *refused*: the pointers of the errors.
    """
    visible = variables.visible_in(scope)
    for name, state in scope.states.items():
        if not isinstance(state, dict) or state.get("Type") not in STATE_TYPES:
            continue
        pointer = f"{scope.pointer}/States{step(name)}"
        before = len(report.problems)
        language = scope.language_of(state)
        allowed = STATE_FIELDS[state["Type"], language]
        members = {it: state[it] for it in state if it in allowed}
        if language == "JSONata":
            _check_jsonata(members, pointer, visible, report)
        else:
            _check_jsonpath(members, pointer, report)
            for path in expressions(scope.read.get(name)):
                if isinstance(path, Path) and path.variable:
                    _check_variable(path.variable, path.text, visible, pointer, report)
        report.problems[before:] = [
            problem
            for problem in report.problems[before:]
            if not _is_within(problem.pointer, refused, pointer)
        ]


def _is_within(place: str, refused: Collection[str], state: str) -> bool:
    """Whether *place*, or what holds it inside of *state*, is refused."""
    while len(place) > len(state):
        if place in refused:
            return True
        place = place.rpartition("/")[0]
    return False


def _check_variable(name: str, text: str, visible: set[str], pointer: str, report: Report) -> None:
    if name not in visible:
        hint = report.did_you_mean(name, visible)[1]
        report.warning(
            pointer,
            f"no state assigns the variable {shown(name)} where {shown(text)} could see it{hint}",
            code=UNASSIGNED_VARIABLE,
        )


# --- JSONata ---

#: What ``$states`` has everywhere.
_IN_STATES: Final = frozenset({"input", "context"})


def _check_jsonata(
    members: dict[str, JSON], pointer: str, visible: set[str], report: Report
) -> None:
    for name, value in members.items():
        if name in ("Branches", "ItemProcessor", "Comment"):
            continue
        place = pointer + step(name)
        has = _IN_STATES
        if name == "Catch":
            has |= {"errorOutput"}
        elif name in ("Output", "Assign") and members["Type"] in ("Task", "Parallel", "Map"):
            has |= {"result"}
        for where, member, item in [(place, "", value), *_members(value, place, arrays=True)]:
            if is_jsonata(item):
                _check_expression(item, where, has, visible, report)
            elif member.endswith(".$") or _is_dynamic(item):
                what = member if member.endswith(".$") else item
                report.warning(
                    where,
                    f"{shown(what)} is taken as it stands: this state is in JSONata, where a value"
                    " is evaluated that begins with '{%' and ends with '%}'",
                    code=OTHER_QUERY_LANGUAGE,
                )


def _check_expression(
    text: str, pointer: str, has: frozenset[str], visible: set[str], report: Report
) -> None:
    try:
        expression: Jsonata = compile_jsonata(text)
    except JsonataSyntaxError:
        return  # reported already
    for name in sorted(expression.variables):
        _check_variable(name, text, visible, pointer, report)
    for member in sorted((expression.states or frozenset()) - has):
        hint = report.did_you_mean(member, has)[1]
        report.warning(
            pointer,
            f"$states has no {shown(member)} here, it has {listed(sorted(has), 'and')}{hint}",
            code=ALWAYS_UNDEFINED,
        )


# --- JSONPath ---


def _check_jsonpath(members: dict[str, JSON], pointer: str, report: Report) -> None:
    _check_holder(members, pointer, report)
    for name in ("ItemReader", "ItemBatcher", "ResultWriter"):
        if isinstance(members.get(name), dict):
            _check_holder(members[name], f"{pointer}/{name}", report)
    if "Result" in members:
        _check_result(members["Result"], f"{pointer}/Result", report)
    for name in ("Choices", "Catch"):
        entries = members.get(name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            for where, rule in _with_nested_rules(entry, f"{pointer}/{name}/{index}"):
                _check_holder(rule, where, report)


def _check_holder(holder: dict[str, JSON], pointer: str, report: Report) -> None:
    for name in holder.keys() & _TEMPLATES:
        for where, member, value in _members(holder[name], f"{pointer}/{name}"):
            if not member.endswith(".$") and _is_dynamic(value):
                report.warning(
                    where,
                    f"{shown(value)} looks like a path or a function call but is taken as it"
                    f" stands: name the field {shown(member + '.$')} to have it evaluated",
                    code=NO_DOLLAR,
                )
            elif is_jsonata(value):
                report.warning(
                    where,
                    f"{shown(value)} is taken as it stands: this state is in JSONPath"
                    " (give it 'QueryLanguage': 'JSONata' to have it evaluated)",
                    code=OTHER_QUERY_LANGUAGE,
                )
    for name in holder.keys() & _HAVE_A_PATH_FORM:
        if _is_dynamic(holder[name]):
            report.warning(
                pointer + step(name),
                f"{shown(holder[name])} looks like a path but is taken as it stands:"
                f" use {name + 'Path'!r} to have it evaluated",
                code=NO_PATH,
            )


def _check_result(result: JSON, pointer: str, report: Report) -> None:
    members = list(_members(result, pointer))
    if _is_dynamic(result):
        members.append((pointer, "", result))
    for where, member, value in members:
        if member.endswith(".$") or _is_dynamic(value):
            report.warning(
                where,
                "the Result of a Pass state is static: paths and function calls in it are not"
                " evaluated (use 'Parameters')",
                code=PASS_RESULT_IS_STATIC,
            )


def _members(value: JSON, pointer: str, *, arrays: bool = False) -> Iterator[tuple[str, str, JSON]]:
    """Every member of every object in *value*: where it is, its name, its value.

    With ``arrays``, the elements of arrays too, without a name.
    """
    stack = [(value, pointer)]
    while stack:
        node, here = stack.pop()
        if isinstance(node, dict):
            for name, item in node.items():
                where = here + step(name)
                yield where, name, item
                stack.append((item, where))
        elif isinstance(node, list):
            for index, item in enumerate(node):
                where = f"{here}/{index}"
                if arrays:
                    yield where, "", item
                stack.append((item, where))


def _with_nested_rules(rule: JSON, pointer: str) -> Iterator[tuple[str, dict[str, JSON]]]:
    stack = [(rule, pointer)]
    while stack:
        node, here = stack.pop()
        if not isinstance(node, dict):
            continue
        yield here, node
        for name in ("And", "Or"):
            nested = node.get(name)
            if isinstance(nested, list):
                stack.extend((item, f"{here}/{name}/{index}") for index, item in enumerate(nested))
        stack.append((node.get("Not"), f"{here}/Not"))


def _is_dynamic(value: JSON) -> bool:
    return isinstance(value, str) and (
        _LOOKS_LIKE_A_PATH.fullmatch(value) is not None
        or _LOOKS_LIKE_A_CALL.fullmatch(value) is not None
    )
