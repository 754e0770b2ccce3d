"""Reads the mock configuration file of AWS's Step Functions Local.

Source: AWS, "Configuration file for mocked service integrations in Step Functions".
The numbers of a response are attempts: they begin anew at each visit to the state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django_workflows.asl import values
from django_workflows.testing.mocks import Attempts, Mock, Response, attempts, fails, succeeds

_ATTEMPTS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def mocks_from_aws(
    config: str | Path | Mapping[str, Any], state_machine: str, test_case: str
) -> dict[str, Mock]:
    """The mocks of one test case, by the states' names: for ``run(tasks=...)``.

    *config* is the file's path or what it holds. Raises ValueError, saying where it
    is not as AWS has it; OSError.
    """
    document = _document(config)
    machine = _member(document, "", "StateMachines", state_machine)
    case = _member(machine, f"StateMachines.{state_machine}", "TestCases", test_case)
    responses = document.get("MockedResponses") or {}
    mocks: dict[str, Mock] = {}
    for state, name in case.items():
        if name not in responses:
            raise ValueError(
                f"StateMachines.{state_machine}.TestCases.{test_case}.{state}:"
                f" MockedResponses has no {name!r}, only {_names(responses)}"
            )
        mocks[state] = _attempts(responses[name], f"MockedResponses.{name}")
    return mocks


def _document(config: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(config, str | Path):
        config = values.loads(Path(config).read_bytes())
    return _object(config, "the mock configuration")


def _member(holder: Mapping[str, Any], place: str, member: str, name: str) -> Mapping[str, Any]:
    place = f"{place}.{member}" if place else member
    members = _object(holder.get(member), place)
    if name not in members:
        raise ValueError(f"{place}: there is no {name!r}, only {_names(members)}")
    return _object(members[name], f"{place}.{name}")


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place}: expected an object, found {value!r:.60}")
    return value


def _attempts(response: Any, place: str) -> Attempts:
    found: dict[int, Response] = {}
    for key, outcome in _object(response, place).items():
        match = _ATTEMPTS.fullmatch(key)
        if match is None:
            raise ValueError(f"{place}: expected attempts such as '0' or '1-2', found {key!r}")
        answer = _answer(outcome, f"{place}.{key}")
        for number in range(int(match[1]), int(match[2] or match[1]) + 1):
            if number in found:
                raise ValueError(f"{place}.{key}: attempt {number} has an answer already")
            found[number] = answer
    missing = [number for number in range(max(found, default=0)) if number not in found]
    if missing or not found:
        raise ValueError(f"{place}: attempt {missing[0] if missing else 0} has no answer")
    return attempts(*(found[number] for number in range(len(found))))


def _answer(outcome: Any, place: str) -> Response:
    outcome = _object(outcome, place)
    if outcome.keys() == {"Return"}:
        return succeeds(outcome["Return"])
    if outcome.keys() == {"Throw"}:
        thrown = _object(outcome["Throw"], f"{place}.Throw")
        return fails(thrown.get("Error"), thrown.get("Cause"))
    raise ValueError(f"{place}: expected Return or Throw, found {_names(outcome)}")


def _names(members: Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in members) or "nothing"
