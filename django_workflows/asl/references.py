"""What the expressions of a state refer to, read off what `parse` made of it.

A state is a dataclass of fields that hold constants, expressions, and more
dataclasses (Catchers, rules, an ItemReader): walking those misses no field, nor
one that is added tomorrow. A machine inside of a state is left out: its states
have references of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from django_workflows.asl.definition import Map, Parallel, State, StateMachine
from django_workflows.asl.expressions.intrinsics import Intrinsic
from django_workflows.asl.expressions.jsonata import Jsonata, JsonataTemplate
from django_workflows.asl.expressions.jsonpath import Path
from django_workflows.asl.expressions.template import Template


def variable_references(workflow: StateMachine) -> dict[str, list[str]]:
    """The variables that each state's JSONPath expressions refer to, sorted, by its name.

    States that refer to none are left out; those of branches and processors are in.
    As AWS's ``variableReferences`` (DescribeStateMachine), it looks into paths and
    intrinsic functions alone, not into JSONata.
    """
    found: dict[str, list[str]] = {}
    for state in states_of(workflow):
        names = {it.variable for it in expressions(state) if isinstance(it, Path) and it.variable}
        if names:
            found[state.name] = sorted(names)
    return found


def states_of(workflow: StateMachine) -> Iterator[State]:
    """The states of *workflow*, and of all machines inside of it."""
    for state in workflow.states.values():
        yield state
        for machine in inner_machines(state):
            yield from states_of(machine)


def inner_machines(state: State) -> tuple[StateMachine, ...]:
    """A Parallel's branches, a Map's processor."""
    match state:
        case Parallel(branches=branches):
            return branches
        case Map(processor=processor):
            return (processor,)
        case _:
            return ()


def expressions(holder: object) -> Iterator[Path | Jsonata]:
    """Every path and every JSONata expression in *holder*, a state or a part of one."""
    match holder:
        case Path() | Jsonata():
            yield holder
        case Intrinsic() | Template():
            yield from holder.paths
        case JsonataTemplate():
            yield from holder.expressions
        case tuple():
            for item in holder:
                yield from expressions(item)
        case StateMachine():
            return
        case _ if is_dataclass(holder):
            for field in fields(holder):
                yield from expressions(getattr(holder, field.name))
        case _:  # a constant: it refers to nothing
            return
