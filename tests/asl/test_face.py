"""The four verbs, as the README promises them."""

from datetime import UTC, datetime, timedelta

import pytest

from django_workflows import asl
from tests.asl.running import EPOCH, Run, machine, pass_, task, wait

ORIGIN = {
    "StartAt": "Start",
    "States": {
        "Start": {"Type": "Wait", "Seconds": 10, "Next": "End"},
        "End": {"Type": "Succeed"},
    },
}


def test_the_example_of_the_elixir_original_runs():
    workflow = asl.parse(ORIGIN)
    ctx = {"environment": "staging"}
    args = {"user": "alfred@example.org"}

    match asl.start(workflow, ctx, args):
        case asl.Continue(execution, events):
            pass
        case other:
            pytest.fail(f"expected Continue, got {other}")
    wait_started = next(event for event in events if isinstance(event, asl.WaitStarted))

    match asl.resume(workflow, execution, asl.finish_waiting(wait_started)):
        case asl.Succeed(output, more):
            assert output == args
            assert isinstance(more[-1], asl.ExecutionSucceeded)
        case other:
            pytest.fail(f"expected Succeed, got {other}")


def test_the_example_is_recovered_from_its_events_at_every_cut():
    workflow = asl.parse(ORIGIN)
    started = asl.start(workflow, {"environment": "staging"}, {"user": "a"}, at=EPOCH)
    wait_started = next(e for e in started.events if isinstance(e, asl.WaitStarted))
    command = asl.finish_waiting(wait_started)
    ended = asl.resume(workflow, started.execution, command, at=EPOCH)
    log = [*started.events, *ended.events]

    for cut in range(1, len(log) + 1):
        recovered = asl.recover(workflow, log[:cut])
        whole = [*log[:cut], *recovered.events]
        if cut <= len(started.events):
            assert isinstance(recovered, asl.Continue)
            assert whole == list(started.events)
            assert recovered.execution == started.execution
        else:
            assert isinstance(recovered, asl.Succeed)
            assert recovered.output == {"user": "a"}
            assert recovered.execution == ended.execution


def test_a_failing_workflow_answers_with_its_error():
    workflow = asl.parse(machine({"Type": "Fail", "Error": "NoStock", "Cause": "sold out"}))
    match asl.start(workflow):
        case asl.Fail(error, cause, events):
            assert (error, cause) == ("NoStock", "sold out")
            assert isinstance(events[-1], asl.ExecutionFailed)
        case other:
            pytest.fail(f"expected Fail, got {other}")


def test_a_log_with_a_gap_a_doubled_event_or_no_start_is_refused():
    log = Run(machine(task(), pass_())).complete().log
    workflow = asl.parse(machine(task(), pass_()))
    for broken in (log[1:], log[:2] + log[3:], log[:3] + log[2:], []):
        with pytest.raises(asl.InvalidValue):
            asl.recover(workflow, broken)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": float("nan")}, "input.a: nan is not a JSON number"),
        ({"a": {1, 2}}, "input.a: builtins.set is not JSON data"),
        ({1: "a"}, "input: the key 1 is not a text"),
        ({"a": -(10**5000)}, "input.a: the number has too many digits"),
        ([(1, 2)], r"input\[0\]: builtins.tuple is not JSON data"),
        ("x" * 300 * 1024, "input: 307202 bytes of JSON; at most 262144 are allowed"),
    ],
)
def test_an_input_that_is_no_json_or_too_large_is_refused(value, message):
    with pytest.raises(asl.InvalidValue, match=message):
        asl.start(asl.parse(machine(pass_())), {}, value)


def test_an_input_nested_too_deeply_is_refused():
    value: list = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(asl.InvalidValue, match="deeper than"):
        asl.start(asl.parse(machine(pass_())), {}, value)


@pytest.mark.parametrize("value", ["\u0000", "\ud800", {"\u0000": "\udfff"}, None, 0, [], False])
def test_any_json_goes_through_and_survives_the_log(value):
    run = Run(machine(task("Echo")), [value])
    assert run.complete(output={"got": value}).output == {"got": value}


def test_a_time_without_zone_is_refused():
    with pytest.raises(asl.InvalidValue, match="aware datetime"):
        asl.start(asl.parse(machine(pass_())), at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_other_zones_are_recorded_as_utc():
    from datetime import timezone

    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    answer = asl.start(asl.parse(machine(wait(1))), at=at)
    assert answer.events[0].at == datetime(2026, 1, 1, tzinfo=UTC)


def test_who_sent_a_command_is_on_its_first_event():
    run = Run(machine(task(), pass_()))
    origin = asl.Origin(by="ada", reason="called the customer", channel="admin")
    run.send(asl.CompleteTask(task=run.tasks[0].seq, output=1, origin=origin))
    assert [e.origin for e in run.log if e.origin] == [origin]
    [answered] = run.events(asl.TaskSucceeded)
    assert answered.origin == origin


def test_a_loop_that_never_waits_ends_at_the_limit_of_events():
    looping = {
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "End"}],
                "Default": "B",
            },
            "B": {"Type": "Pass", "Next": "A"},
            "End": {"Type": "Succeed"},
        },
    }
    answer = asl.start(asl.parse(looping), limits=asl.Limits(history_events=200))
    assert isinstance(answer, asl.Fail)
    assert answer.error == "States.Runtime"
    assert "maximum number of history events (200)" in answer.cause
    assert answer.execution.seq == 201


def test_two_executions_never_share_a_seed():
    workflow = asl.parse(machine(wait()))
    one, other = asl.start(workflow), asl.start(workflow)
    assert one.execution.seed != other.execution.seed
    assert len(one.execution.seed) >= 32
