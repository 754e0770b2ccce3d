"""What the tests of `parse` share: small definitions, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from django_workflows.asl.definition import State
from django_workflows.asl.errors import InvalidDefinition, Problem
from django_workflows.asl.parse import parse

Document = dict[str, Any]

PASS = {"Type": "Pass", "End": True}
SUCCEED = {"Type": "Succeed"}


def machine(**states: Any) -> Document:
    """A machine that starts at its first state."""
    return {"StartAt": next(iter(states)), "States": states}


def one(state: Document, **others: Any) -> Document:
    """A machine of the state S, and what it leads to."""
    return machine(S=state, **others)


def task(**fields: Any) -> Document:
    return {"Type": "Task", "Resource": "work", "End": True, **fields}


def a_map(**fields: Any) -> Document:
    return {"Type": "Map", "ItemProcessor": machine(Item=PASS), "End": True, **fields}


def distributed(**fields: Any) -> Document:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return a_map(ItemProcessor={**machine(Item=PASS), "ProcessorConfig": config}, **fields)


def state_of(state: Document, **others: Any) -> State:
    """The state S of a definition that is right."""
    return parse(one(state, **others)).states["S"]


def problems_of(definition: Any, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(InvalidDefinition) as caught:
        parse(definition, **options)
    return caught.value.problems


def only_problem(definition: Any, **options: Any) -> Problem:
    (problem,) = problems_of(definition, **options)
    return problem


def places(definition: Any, **options: Any) -> list[str]:
    return [problem.pointer for problem in problems_of(definition, **options)]
