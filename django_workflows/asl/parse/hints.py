"""What is allowed and yet probably not meant: AWS's warnings.

Source: AWS API, ValidateStateMachineDefinition, the codes of its warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django_workflows.asl.parse.fields import STATE_FIELDS, STATE_TYPES
from django_workflows.asl.parse.machine import Scope
from django_workflows.asl.parse.report import (
    NO_DOLLAR,
    NO_PATH,
    PASS_RESULT_IS_STATIC,
    Report,
    shown,
    step,
)
from django_workflows.asl.parse.rules import PATH_OPERATORS
from django_workflows.asl.values import JSON

_LOOKS_LIKE_A_PATH: Final = re.compile(r"\$\$?[.\[]\S.*", re.DOTALL)
_LOOKS_LIKE_A_CALL: Final = re.compile(r"States\.[A-Za-z0-9]+\(.*\)", re.DOTALL)

_TEMPLATES: Final = frozenset(
    {"Parameters", "ResultSelector", "ItemSelector", "BatchInput", "Assign", "Credentials"}
)
_HAVE_A_PATH_FORM: Final = frozenset(PATH_OPERATORS.values()) | {"Error", "Cause"}


def check(scope: Scope, report: Report) -> None:
    """Warn of what is probably not meant in the states of one machine."""
    for name, state in scope.states.items():
        if not isinstance(state, dict) or state.get("QueryLanguage") == "JSONata":
            continue
        pointer = f"{scope.pointer}/States{step(name)}"
        kind = state.get("Type")
        if kind not in STATE_TYPES:
            continue
        allowed = STATE_FIELDS[kind, "JSONPath"]
        _check_holder({it: state[it] for it in state if it in allowed}, pointer, report)
        for member in ("ItemReader", "ItemBatcher", "ResultWriter"):
            if member in allowed and isinstance(state.get(member), dict):
                _check_holder(state[member], f"{pointer}/{member}", report)
        if kind == "Pass" and "Result" in state:
            _check_result(state["Result"], f"{pointer}/Result", report)
        for member in ("Choices", "Catch"):
            entries = state.get(member)
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                for where, rule in _with_nested_rules(entry, f"{pointer}/{member}/{index}"):
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


def _members(value: JSON, pointer: str) -> Iterator[tuple[str, str, JSON]]:
    """Every member of every object in *value*: where it is, its name, its value."""
    stack = [(value, pointer)]
    while stack:
        node, here = stack.pop()
        if isinstance(node, dict):
            for name, item in node.items():
                where = here + step(name)
                yield where, name, item
                stack.append((item, where))
        elif isinstance(node, list):
            stack.extend((item, f"{here}/{index}") for index, item in enumerate(node))


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
