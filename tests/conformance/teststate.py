"""Calls of TestState recorded on AWS: one state, tried with a mock.

Without a mock AWS called a real function, which the recording does not show; what
it gave is then taken from the answer, so that such a call only tests the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from django_workflows import asl
from tests.conformance.executions import load_match
from tests.conformance.results import Result


def run(folder: Path) -> Iterator[Result]:
    """One Result for every recorded call."""
    match = load_match(folder)
    for vector in json.loads((folder / "teststate.json").read_text()):
        yield result_of(vector, match)


def result_of(vector: dict[str, Any], match: ModuleType) -> Result:
    name = vector["id"].split("::", 1)[-1]
    expected = vector["expected"]
    try:
        found = _answer(vector)
    except Exception as error:  # a crash is a miss with its reason, not the end of the run
        found = {"crash": f"{type(error).__name__}: {error}"}
    if "exception" in expected:
        passed = _is_refused_likewise(expected["exception"], found.get("exception"))
    else:
        passed = match.matches(expected, found, vector["wildcards"])
    detail = "" if passed else f"expected {expected}\ngot {found}"
    return Result("teststate", vector["group"], name, passed, detail)


def _answer(vector: dict[str, Any]) -> dict[str, Any]:
    """What the call gives, in AWS's words; its refusal is under "exception"."""
    try:
        tested = asl.test_state(
            vector["definition_text"] or vector["definition"],
            {} if vector["input"] is None else vector["input"],
            state_name=vector["stateName"],
            context=vector["context"],
            variables=vector["variables"],
            mock=_mock(vector["mock"]),
            task=_recorded_work(vector),
            configuration=_configuration(vector["stateConfiguration"] or {}),
            inspection_level=vector["inspectionLevel"] or "INFO",
            role_arn=vector["roleArn"],
            reveal_secrets=bool(vector["revealSecrets"]),
        )
    except asl.InvalidTest as refusal:
        return {"exception": str(refusal)}
    except asl.InvalidDefinition as refusal:
        return {"exception": "; ".join(problem.message for problem in refusal.problems)}
    answer: dict[str, Any] = {"status": tested.status}
    if tested.status in ("SUCCEEDED", "CAUGHT_ERROR"):
        answer["output"] = tested.output
    rest = {
        "error": tested.error,
        "cause": tested.cause,
        "nextState": tested.next_state,
        "inspectionData": dict(tested.inspection_data) or None,
    }
    return answer | {name: value for name, value in rest.items() if value is not None}


def _mock(given: dict[str, Any] | None) -> asl.Mock | None:
    if given is None:
        return None
    mode = given.get("fieldValidationMode", "STRICT")
    error = given.get("errorOutput")
    output = None if error is None else asl.ErrorOutput(**error)
    text = given.get("result_text")
    if text is None:
        return asl.Mock(error_output=output, field_validation_mode=mode)
    result = asl.Mock.from_text(text).result
    return asl.Mock(result=result, error_output=output, field_validation_mode=mode)


def _configuration(given: dict[str, Any]) -> asl.StateConfiguration:
    return asl.StateConfiguration(
        retrier_retry_count=given.get("retrierRetryCount"),
        error_caused_by_state=given.get("errorCausedByState"),
        map_iteration_failure_count=given.get("mapIterationFailureCount"),
        map_item_reader_data=given.get("mapItemReaderData"),
    )


def _recorded_work(vector: dict[str, Any]) -> asl.TaskWork | None:
    """What the called function did; None where there is none, or nobody may call it."""
    if vector["mock"] is not None or vector["roleArn"] is None or not vector["fixtures"]:
        return None
    expected = vector["expected"]

    def work(resource: str, asked: Any) -> Any:
        if "error" in expected:
            cause = expected.get("cause")
            text = cause if cause is None or isinstance(cause, str) else json.dumps(cause)
            raise asl.StateError(expected["error"], text)
        inspected = expected.get("inspectionData", {})
        return inspected["result"] if "result" in inspected else expected["output"]

    return work


def _is_refused_likewise(expected: dict[str, Any], found: str | None) -> bool:
    """Ours may say more than AWS's message, behind a colon; some messages are boto's own."""
    if found is None:
        return False
    if expected["code"] is None:
        return True
    wanted = expected["message"]
    if expected["code"] == "InvalidDefinition" and "at /" in wanted:
        wanted = wanted.split(": ", 2)[-1].rpartition(" at /")[0]
    return found == wanted or found.startswith((f"{wanted}:", f"{wanted},"))
