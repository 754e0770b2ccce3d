"""Pass, Wait, Succeed and Fail, variables and the Context Object."""

from datetime import timedelta

import pytest

from django_workflows import asl
from django_workflows.asl.values import format_timestamp
from tests.asl.running import EPOCH, Run, machine, pass_, task, wait


def test_pass_gives_its_result_as_it_stands():
    run = Run(machine(pass_(Result={"a.$": "$.b", "c": [1.0, 1]}, ResultPath="$.r")), {"x": 1})
    assert run.output == {"x": 1, "r": {"a.$": "$.b", "c": [1.0, 1]}}
    assert str(run.output["r"]["c"]) == "[1.0, 1]"


def test_a_pass_result_of_null_is_a_result():
    assert Run(machine(pass_(Result=None)), {"x": 1}).output is None


def test_pass_moves_its_input_through_all_its_paths():
    run = Run(
        machine(
            pass_(
                InputPath="$.a",
                Parameters={"n.$": "$.n", "me.$": "$$.State.Name"},
                ResultPath="$.out",
                OutputPath="$.out",
            )
        ),
        {"a": {"n": 1}},
    )
    assert run.output == {"n": 1, "me": "S1"}


def test_a_payload_that_nests_deeper_in_every_round_ends_the_execution():
    looping = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Parameters": {"x.$": "$"}, "Next": "B"},
            "B": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.y", "IsPresent": True, "Next": "C"}],
                "Default": "A",
            },
            "C": {"Type": "Succeed"},
        },
    }
    answer = asl.start(asl.parse(looping))
    assert isinstance(answer, asl.Fail)
    assert answer.error == "States.DataLimitExceeded"


def test_a_cause_that_quotes_its_input_is_cut():
    run = Run(machine(pass_(Parameters={"v.$": "$.q"})), {"a": "x" * 200_000})
    assert len(run.error[1]) == 32_768


def test_input_path_null_gives_an_empty_object():
    assert Run(machine(pass_(InputPath=None)), {"a": 1}).output == {}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"Seconds": 10}, 10),
        ({"SecondsPath": "$.s"}, 7),
        ({"Timestamp": "2026-01-01T00:01:00Z"}, 60),
        ({"TimestampPath": "$.t"}, 90.5),
    ],
)
def test_the_four_forms_of_wait(fields, seconds):
    data = {"s": 7, "t": format_timestamp(EPOCH + timedelta(seconds=90.5))}
    run = Run(machine({"Type": "Wait", **fields}), data)
    [started] = run.events(asl.WaitStarted)
    assert (started.until - EPOCH).total_seconds() == seconds
    assert run.wake(after=seconds).output == data


@pytest.mark.parametrize("fields", [{"Seconds": 0}, {"Timestamp": "2020-01-01T00:00:00Z"}])
def test_nothing_to_wait_for_goes_on_at_once(fields):
    assert Run(machine({"Type": "Wait", **fields}), {"a": 1}).output == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "value", "cause"),
    [
        ({"SecondsPath": "$.x"}, -1, "references a negative value: $.x == -1"),
        ({"SecondsPath": "$.x"}, 1.5, "cannot be parsed as a long value: $.x == 1.5"),
        ({"SecondsPath": "$.x"}, True, "cannot be parsed as a long value: $.x == true"),
        ({"SecondsPath": "$.y"}, 1, "does not reference an input value: $.y"),
        ({"SecondsPath": "$.x"}, 10**12, "Wait state delay is too long."),
        ({"TimestampPath": "$.x"}, "2026-01-01", "date-time format string: $.x == 2026-01-01"),
        ({"TimestampPath": "$.x"}, 5, "date-time format string: $.x == 5"),
        ({"TimestampPath": "$.x"}, "9999-01-01T00:00:00Z", "Wait state delay is too long."),
    ],
)
def test_a_wait_for_what_is_no_time_fails_the_execution(fields, value, cause):
    run = Run(machine({"Type": "Wait", **fields}), {"x": value})
    assert run.error[0] == "States.Runtime"
    assert run.error[1].endswith(cause)


def test_fail_takes_error_and_cause_from_paths_and_intrinsics():
    fail = {
        "Type": "Fail",
        "ErrorPath": "$.code",
        "CausePath": "States.Format('{} of {}', $.what, $$.State.Name)",
    }
    assert Run(machine(fail), {"code": "E7", "what": "end"}).error == ("E7", "end of S1")


def test_an_error_path_to_no_text_fails_the_execution():
    run = Run(machine({"Type": "Fail", "ErrorPath": "$.code"}), {"code": 7})
    assert run.error[0] == "States.Runtime"


def test_fail_without_words_has_neither_error_nor_cause():
    assert Run(machine({"Type": "Fail"})).error == (None, None)


# -- variables -------------------------------------------------------------------------


def test_a_variable_is_seen_from_the_next_state_on_and_swaps_work():
    run = Run(
        machine(
            pass_(Assign={"a": 1, "b": 2}),
            pass_(Assign={"a.$": "$b", "b.$": "$a"}),
            pass_(Parameters={"a.$": "$a", "b.$": "$b"}),
        )
    )
    assert run.output == {"a": 2, "b": 1}


def test_a_task_assigns_from_its_result_and_keeps_its_own_output():
    run = Run(
        machine(
            task(Assign={"total.$": "$.sum"}, ResultPath=None),
            pass_(Parameters={"t.$": "$total", "in.$": "$.n"}),
        ),
        {"n": 1},
    )
    assert run.complete(output={"sum": 12}).output == {"t": 12, "in": 1}


def test_inner_scopes_read_outer_variables_and_keep_their_own_to_themselves():
    branch = machine(
        pass_("In", Assign={"inner.$": "$outer"}),
        pass_("Out", Parameters={"seen.$": "$inner"}),
    )
    run = Run(
        machine(
            pass_(Assign={"outer": 5}),
            {"Type": "Parallel", "Branches": [branch], "ResultPath": "$.r"},
            pass_(Parameters={"r.$": "$.r", "leaked.$": "$inner"}),
        )
    )
    assert run.error[0] == "States.Runtime"
    assert "inner" in run.error[1]
    joined = [event for event in run.events(asl.StateExited) if event.state == "S2"]
    assert joined[0].output == {"r": [{"seen": 5}]}


def test_reading_a_variable_that_was_never_assigned_fails_the_execution():
    run = Run(machine(pass_(Parameters={"x.$": "$nobody"})))
    assert run.error[0] == "States.Runtime"


# -- the Context Object ----------------------------------------------------------------


def test_the_context_object_tells_of_execution_state_and_machine():
    ctx = {
        "environment": "staging",
        "Execution": {"Id": "e-1", "Name": "first"},
        "StateMachine": {"Id": "m-1", "Name": "orders"},
    }
    run = Run(machine(task(Parameters={"c.$": "$$"})), {"n": 1}, ctx=ctx)
    context = run.tasks[0].input["c"]
    assert context.pop("Task")["Token"] == asl.task_token(run.execution, 3)
    assert context == {
        "environment": "staging",
        "Execution": {
            "Id": "e-1",
            "Name": "first",
            "Input": {"n": 1},
            "StartTime": "2026-01-01T00:00:00.000Z",
            "RedriveCount": 0,
        },
        "State": {"Name": "S1", "EnteredTime": "2026-01-01T00:00:00.000Z", "RetryCount": 0},
        "StateMachine": {"Id": "m-1", "Name": "orders"},
    }


def test_a_starter_can_not_pass_for_the_engine():
    ctx = {"State": "mine", "Task": {"Token": "mine"}, "Execution": {"Input": "mine", "Id": "e"}}
    run = Run(
        machine(pass_(Parameters={"s.$": "$$.State.Name", "i.$": "$$.Execution.Input"})), 5, ctx=ctx
    )
    assert run.output == {"s": "S1", "i": 5}


def test_an_execution_without_an_id_gets_one_from_its_seed():
    definition = machine(pass_(Parameters={"id.$": "$$.Execution.Id"}))
    one, same = Run(definition, seed="x").output["id"], Run(definition, seed="x").output["id"]
    assert one == same != Run(definition, seed="y").output["id"]


def test_the_seed_is_not_in_the_context_object():
    run = Run(machine(pass_(Parameters={"c.$": "$$"})), seed="a very secret seed")
    assert "a very secret seed" not in str(run.output)


def test_draws_differ_in_one_template_and_repeat_in_replay():
    definition = machine(
        pass_(Parameters={"a.$": "States.UUID()", "b.$": "States.UUID()"}), wait(1)
    )
    run = Run(definition, seed="s")
    drawn = run.events(asl.StateExited)[0].output
    assert drawn["a"] != drawn["b"]
    assert Run(definition, seed="s").events(asl.StateExited)[0].output == drawn
    assert Run(definition, seed="t").events(asl.StateExited)[0].output != drawn
