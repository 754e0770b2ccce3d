"""From an Amazon States Language document to a StateMachine, or to all that is wrong.

====================  ==========================================================
``source``            text or Python data to one JSON object; places in the text
``report``            the problems found so far, and the words for them
``reading``           one object, member by member, each with its type
``fields``            which fields each object may have
``resources``         what may stand as a Resource
``rules``             choice rules
``handling``          Retry and Catch
``machine``           machines and states, into `definition`'s classes
``graph``             where the states lead
``variables``         which variables are assigned where
``hints``             what is allowed and yet probably not meant
====================  ==========================================================

Source: ASL specification; where AWS refuses more or less than it says, AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_workflows.asl.definition import State, StateMachine
from django_workflows.asl.errors import InvalidDefinition, Problem
from django_workflows.asl.parse import graph, hints, variables
from django_workflows.asl.parse.machine import MachineType, Reader
from django_workflows.asl.parse.report import Report
from django_workflows.asl.parse.source import Source, in_document_order, located, read

__all__ = ["MachineType", "check", "parse", "parse_state"]


def parse(
    definition: Mapping[str, Any] | str | bytes, *, type: MachineType = "STANDARD"
) -> StateMachine:
    """The state machine that *definition* describes, given as text or as Python data.

    ``type`` is AWS's type of the machine: an EXPRESS one may not wait for others.

    Raises InvalidDefinition with everything that is wrong with it, as `check`
    has it; warnings alone raise nothing.
    """
    reader, source, machine = _read(definition, type)
    if machine is None or reader.report.has_errors:
        raise InvalidDefinition(_problems(reader, source))
    return machine


def parse_state(definition: Mapping[str, Any] | str | bytes, *, name: str) -> State:
    """The one state that *definition* describes, without a machine around it.

    Where it leads, and which variables there are, nobody can say; so neither is
    checked. Pointers begin at the state: "/Next". It is called *name*.

    Raises InvalidDefinition with everything that is wrong with it.
    """
    reader = Reader(report=Report(), machine_type="STANDARD")
    source = read(definition, reader.report)
    state = None if source.document is None else reader.state_alone(source.document, name)
    _check_scopes(reader)
    if state is None or reader.report.has_errors:
        problems = located(reader.report, source.text)
        raise InvalidDefinition(in_document_order(problems, source.document))
    return state


def check(
    definition: Mapping[str, Any] | str | bytes, *, type: MachineType = "STANDARD"
) -> list[Problem]:
    """Everything that is wrong with *definition*, and what is probably not meant.

    In the document's order, each with its JSON pointer, and with its line and
    column where *definition* is text.
    """
    reader, source, _ = _read(definition, type)
    return _problems(reader, source)


def _read(definition: object, type: MachineType) -> tuple[Reader, Source, StateMachine | None]:
    reader = Reader(report=Report(), machine_type=type)
    source = read(definition, reader.report)
    if source.document is None:
        return reader, source, None
    machine = reader.machine(source.document)
    _check_scopes(reader)
    return reader, source, machine


def _check_scopes(reader: Reader) -> None:
    assigned: dict[int, dict[str, str]] = {}
    for scope in reader.scopes:
        graph.check(scope, reader.names, reader.report)
        variables.check(scope, assigned, reader.report)


def _problems(reader: Reader, source: Source) -> list[Problem]:
    refused = {problem.pointer for problem in reader.report.problems}
    for scope in reader.scopes:
        hints.check(scope, reader.report, refused)
    problems = located(reader.report, source.text)
    return in_document_order(problems, source.document)
