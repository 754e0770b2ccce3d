"""The log in AWS's words. Which event follows which is recorded on AWS."""

from django_workflows import asl
from django_workflows.asl.history import history
from tests.asl.running import Run, machine, pass_, task, wait
from tests.asl.test_map import map_
from tests.asl.test_parallel import parallel


def shown(run):
    """(id, previousEventId, type) of every event."""
    return [
        (event["id"], event["previousEventId"], event["type"])
        for event in history(run.workflow, run.log)
    ]


def test_a_chain_of_states_links_each_event_to_the_one_before():
    run = Run(machine(pass_("A"), wait(1), {"Name": "End", "Type": "Succeed"})).wake(after=1)
    assert shown(run) == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "WaitStateEntered"),
        (5, 4, "WaitStateExited"),
        (6, 5, "SucceedStateEntered"),
        (7, 6, "SucceedStateExited"),
        (8, 7, "ExecutionSucceeded"),
    ]


def test_a_retry_leaves_no_trace_but_the_next_schedule():
    lambda_arn = "arn:aws:lambda:eu-west-1:123456789012:function:work"
    retry = [{"ErrorEquals": ["States.ALL"]}]
    run = Run(machine(task("T", Resource=lambda_arn, Retry=retry)))
    run.fail().wake(after=1).complete(output=1)
    assert [kind for _, _, kind in shown(run)][2:-2] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionFailed",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
    ]


def test_a_caught_error_exits_the_state_with_the_error_output():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    run = Run(
        machine(task("A", Resource="arn:aws:states:::sqs:sendMessage", Catch=catch), pass_("B"))
    )
    run.fail(error="E", cause="c")
    events = history(run.workflow, run.log)
    assert [event["type"] for event in events][2:6] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskStateExited",
    ]
    assert events[4]["taskFailedEventDetails"] == {
        "resourceType": "sqs",
        "resource": "sendMessage",
        "error": "E",
        "cause": "c",
    }
    assert events[5]["stateExitedEventDetails"] == {
        "name": "A",
        "output": '{"Error":"E","Cause":"c"}',
    }


def test_a_map_shows_its_iterations_and_fails_only_after_its_last_attempt():
    fail = {"Name": "F", "Type": "Fail", "Error": "E"}
    retry = [{"ErrorEquals": ["E"], "MaxAttempts": 1}]
    run = Run(machine(map_(machine(fail), Retry=retry)), [1]).wake(after=1)
    assert shown(run) == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "MapStateEntered"),
        (3, 2, "MapStateStarted"),
        (4, 3, "MapIterationStarted"),
        (5, 4, "FailStateEntered"),
        (6, 5, "MapIterationFailed"),
        (7, 5, "MapStateStarted"),
        (8, 7, "MapIterationStarted"),
        (9, 8, "FailStateEntered"),
        (10, 9, "MapIterationFailed"),
        (11, 9, "MapStateFailed"),
        (12, 11, "ExecutionFailed"),
    ]


def test_an_empty_map_joins_at_once():
    run = Run(machine(map_(machine(pass_("P")))), [])
    assert shown(run)[2:] == [
        (3, 2, "MapStateStarted"),
        (4, 3, "MapStateSucceeded"),
        (5, 3, "MapStateExited"),
        (6, 5, "ExecutionSucceeded"),
    ]


def test_a_distributed_map_hides_its_iterations():
    distributed = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    run = Run(machine(map_({**machine(pass_("P")), "ProcessorConfig": distributed})), [1, 2])
    run.run_map(lambda item: item)
    assert [kind for _, _, kind in shown(run)] == [
        "ExecutionStarted",
        "MapStateEntered",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]


def test_branches_hang_from_the_start_of_their_parallel():
    run = Run(machine(parallel(machine(pass_("A")), machine(pass_("B")))))
    entered = {
        event["stateEnteredEventDetails"]["name"]: event["previousEventId"]
        for event in history(run.workflow, run.log)
        if event["type"] == "PassStateEntered"
    }
    assert entered == {"A": 3, "B": 3}


def test_branches_that_were_aborted_say_so():
    run = Run(machine(map_(machine(task("Work")))), [1, 2])
    run.fail(run.tasks[0].seq)
    assert [kind for _, _, kind in shown(run)][-5:] == [
        "MapIterationFailed",
        "TaskStateAborted",
        "MapIterationAborted",
        "MapStateFailed",
        "ExecutionFailed",
    ]


def test_variables_and_timeouts_are_told_of():
    run = Run(machine(task(TimeoutSeconds=60, HeartbeatSeconds=20, Assign={"v": [1]})))
    run.complete(output={})
    events = history(run.workflow, run.log)
    assert events[2]["taskScheduledEventDetails"]["timeoutInSeconds"] == 60
    assert events[2]["taskScheduledEventDetails"]["heartbeatInSeconds"] == 20
    assert events[-2]["stateExitedEventDetails"]["assignedVariables"] == {"v": "[1]"}
    assert events[0]["timestamp"] == "2026-01-01T00:00:00.000Z"


def test_a_stop_hangs_from_nothing():
    run = Run(machine(wait(60))).send(asl.Stop(cause="enough"))
    assert shown(run)[-1] == (3, 0, "ExecutionAborted")


def test_the_seed_is_not_told():
    assert "a seed" not in str(history(Run(machine(pass_())).workflow, Run(machine(pass_())).log))
