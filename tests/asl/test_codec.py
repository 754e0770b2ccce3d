"""What was written once is read for ever."""

import json
from pathlib import Path

import pytest

from django_workflows import asl
from django_workflows.asl import values
from tests.asl.running import Run, machine, pass_, task

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_an_event_is_its_type_and_the_fields_that_are_not_at_their_default():
    run = Run(machine(task(), pass_()))
    assert asl.encode(run.log[2]) == {
        "type": "TaskStarted",
        "seq": 3,
        "at": "2026-01-01T00:00:00.000000Z",
        "state": "S1",
        "resource": "work",
        "input": {},
        "visit": 2,
    }


def test_unknown_fields_are_passed_over_and_missing_ones_have_their_default():
    data = {"type": "WaitFinished", "seq": 4, "at": "2026-01-01T00:00:00Z", "wait": 3, "new": 1}
    event = asl.decode(data)
    assert event.wait == 3
    assert event.path == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "Nothing", "seq": 1}, "no event has the type 'Nothing'"),
        ({"seq": 1}, "no event has the type None"),
        ({"type": "WaitFinished", "seq": 1, "at": "2026-01-01T00:00:00Z"}, "'wait' is missing"),
        ({"type": "WaitFinished", "seq": 1, "at": "yesterday", "wait": 1}, "RFC 3339"),
    ],
)
def test_what_is_no_event_is_refused(data, message):
    with pytest.raises(asl.InvalidValue, match=message):
        asl.decode(data)


def test_a_falsy_value_is_not_taken_for_a_default():
    run = Run(machine(pass_(Result=False), pass_(Result=0)))
    exited = [asl.encode(e)["output"] for e in run.events(asl.StateExited)]
    assert exited == [False, 0]
    assert asl.decode_log(json.loads(values.dumps(asl.encode_log(run.log)))) == run.log


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
def test_old_histories_replay(file):
    history = json.loads(file.read_text())
    log = asl.decode_log(history["events"])
    answer = asl.recover(asl.parse(history["definition"]), log)
    assert answer.events == ()
    assert answer.execution.status == history["status"]
    assert answer.execution.output == history["output"]
    assert sorted(answer.execution.tasks) == history["open_tasks"]
