"""A task starts an execution of another workflow, and may wait for its end."""

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from django_workflows import asl, clock, engine, integrations, models, nesting, tasks
from django_workflows.integrations import START_EXECUTION
from tests.testapp import workflow_tasks
from tests.workflows import (
    SYSTEM,
    at_once,
    call,
    checked,
    drain,
    failure,
    machine,
    output,
    published,
    send,
    started,
    tick,
)

pytestmark = pytest.mark.django_db

SYNC, SYNC_2 = f"{START_EXECUTION}.sync", f"{START_EXECUTION}.sync:2"
WAIT = {"Type": "Wait", "Seconds": 600}


@pytest.fixture(autouse=True)
def fresh():
    workflow_tasks.forget()


def starting(child="child", resource=SYNC, fields=None, **parameters):
    """A state that starts *child*."""
    return call(resource, Parameters={"StateMachineArn": child, **parameters}, **(fields or {}))


def only_child(execution):
    return checked(execution.children.get())


def told():
    """Do what the clock does when what was owed got lost."""
    done = tick(timezone.now() + timedelta(seconds=120))
    drain()
    return done.settled


# -- what it gets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arn",
    [
        "child",
        "child:1",
        "arn:aws:states:eu-central-1:123456789012:stateMachine:child",
        "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:child:1",
        "arn:aws:states:eu-central-1:123456789012:stateMachine:child:PROD",
    ],
)
def test_it_goes_on_at_once_with_where_the_child_is(arn):
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting(arn, START_EXECUTION, Input={"n": 1})))

    drain()

    child = only_child(execution)
    milliseconds = round(child.started_at.timestamp() * 1000)
    assert output(execution) == {"ExecutionArn": str(child.pk), "StartDate": milliseconds}
    assert (child.workflow.name, child.input, child.is_running) == ("child", {"n": 1}, True)


@pytest.mark.parametrize(("resource", "texts"), [(SYNC, True), (SYNC_2, False)])
def test_it_waits_for_the_end_and_gets_a_description_of_it(resource, texts):
    published(machine(Work=call("echo")), name="child")
    execution = started(machine(Go=starting(resource=resource, Input={"é": None}, Name="one")))

    drain()
    assert checked(execution).is_running
    assert told() == 1

    child, end = only_child(execution), output(execution)
    payload = '{"é":null}' if texts else {"é": None}
    assert end == {
        "ExecutionArn": str(child.pk),
        "Input": payload,
        "InputDetails": {"Included": True},
        "Name": "one",
        "Output": payload,
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": round(child.started_at.timestamp() * 1000),
        "StateMachineArn": "child",
        "Status": "SUCCEEDED",
        "StopDate": round(child.ended_at.timestamp() * 1000),
    }
    assert list(end) == sorted(end)


def test_null_as_data_stays_in_the_description():
    published(machine(None_={"Type": "Pass", "Result": None}), name="child")
    execution = started(machine(Go=starting(resource=SYNC_2)))

    drain()
    told()

    assert output(execution)["Output"] is None


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ({}, {}),
        ({"Input": None}, {}),
        ({"Input": {"n": 1}}, {"n": 1}),
        ({"Input": '{"n":1}'}, {"n": 1}),
        ({"Input": '"x"'}, "x"),
        ({"Input": "not JSON"}, "not JSON"),
        ({"Input": [1]}, [1]),
        ({"Input": 0}, 0),
    ],
)
def test_the_input_is_data_or_json_text(given, received):
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting(**given)))

    drain()

    assert only_child(execution).input == received


def test_a_child_that_fails_fails_the_task_with_its_description():
    failing = {"Type": "Fail", "Error": "SomeFailure", "Cause": 'a "cause"'}
    published(machine(Fail=failing), name="child")
    execution = started(machine(Go=starting(resource=SYNC_2, Input={"n": 1})))

    drain()
    told()

    error, cause = failure(execution)
    child = only_child(execution)
    assert error == "States.TaskFailed"
    start, stop = (round(at.timestamp() * 1000) for at in (child.started_at, child.ended_at))
    # Recorded on AWS, but for the ARNs.
    assert cause == (
        '{"Cause":"a \\"cause\\"","Error":"SomeFailure",'
        f'"ExecutionArn":"{child.pk}","Input":"{{\\"n\\":1}}","InputDetails":{{"Included":true}},'
        f'"Name":"{child.name}","RedriveCount":0,"RedriveStatus":"REDRIVABLE",'
        f'"StartDate":{start},"StateMachineArn":"child","Status":"FAILED","StopDate":{stop}}}'
    )


def test_a_child_that_times_out_or_is_stopped_fails_the_task_too():
    published({**machine(Rest=WAIT), "TimeoutSeconds": 5}, name="child")
    timed_out = started(machine(Go=starting()))
    drain()
    tick(timezone.now() + timedelta(seconds=6))
    stopped = started(machine(Go=starting()))
    drain()
    send(only_child(stopped), asl.Stop(error="Enough", cause="by hand"))
    told()

    ends = [(failure(one)[0], json.loads(failure(one)[1])) for one in (timed_out, stopped)]

    assert [error for error, _ in ends] == ["States.TaskFailed"] * 2
    assert (ends[0][1]["Status"], ends[0][1].get("Error")) == ("TIMED_OUT", None)
    assert (ends[1][1]["Status"], ends[1][1]["Error"]) == ("ABORTED", "Enough")


def test_a_long_cause_stays_json():
    failing = {"Type": "Fail", "Error": "Large", "CausePath": "$.why"}
    published(machine(Fail=failing), name="child")
    execution = started(machine(Go=starting(Input={"why": "\x00" * 32_000})))

    drain()
    told()

    said = json.loads(failure(execution)[1])
    assert said["Cause"].startswith("\x00")
    assert said["InputDetails"] == {"Included": False}
    assert "Input" not in said


def test_a_catcher_reads_the_cause():
    published(machine(Fail={"Type": "Fail", "Error": "SomeFailure"}), name="child")
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Read"}]
    read = {"Type": "Pass", "Parameters": {"child.$": "States.StringToJson($.Cause)"}, "End": True}
    go = starting(fields={"Catch": catch, "End": True})
    execution = started(machine(Go=go, Read=read))

    drain()
    told()

    assert output(execution)["child"]["Error"] == "SomeFailure"


def test_with_waitfortasktoken_the_childs_end_is_not_the_answer():
    hand_on = {"token.$": "$.token"}
    published(machine(Work=call("echo", Parameters=hand_on)), name="child")
    resource = f"{START_EXECUTION}.waitForTaskToken"
    execution = started(machine(Go=starting(resource=resource, Input={"token.$": "$$.Task.Token"})))

    drain()
    told()
    assert checked(execution).is_running
    engine.complete_by_token(only_child(execution).output["token"], "by hand")

    assert output(execution) == "by hand"


def test_the_log_says_which_task_started_it_and_whose_end_answered():
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting()))
    drain()
    child = only_child(execution)

    origin = engine.log(child.pk)[0].origin
    parent = f"{execution.workflow.name} {execution.name} ({execution.pk})"
    assert origin == asl.Origin(channel="workflow", reason=f"task 3 of {parent}")
    assert (child.parent, child.parent_task) == (execution, 3)

    send(child, asl.FinishWaiting(wait=3))
    told()
    answer = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskSucceeded))
    assert answer.origin.reason == f"child {child.name} ({child.pk}) ended"


# -- what is wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arn", "named"),
    [
        ("nobody", "nobody"),
        ("arn:aws:states:us-east-1:1:stateMachine:nobody", "nobody"),
        ("child:7", "child:7"),
        ("child:99999999999", "child:99999999999"),
        ("empty", "empty"),
        ("a:b:c", "a:b:c"),
        ("", ""),
        ("nul\x00", "nul"),
    ],
)
def test_an_unknown_workflow_is_an_error_in_awss_words(arn, named):
    published(machine(Rest=WAIT), name="child")
    models.Workflow.objects.create(name="empty")
    execution = started(machine(Go=starting(arn)))

    drain()

    error, cause = failure(execution)
    assert error == "StepFunctions.StateMachineDoesNotExistException"
    assert cause.startswith("State Machine Does Not Exist: '")
    assert named in cause
    assert (
        "' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNot" in cause
    )


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"StateMachineArn": 7}, "States.Runtime", "expected the name of a workflow"),
        ({"Name": "a b"}, "StepFunctions.InvalidNameException", "Invalid Name: 'a b'"),
        ({"Name": {}}, "StepFunctions.InvalidNameException", "Invalid Name: '{}'"),
    ],
)
def test_wrong_parameters_say_so(parameters, error, message):
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting(**parameters)))

    drain()

    assert failure(execution)[0] == error
    assert message in failure(execution)[1]


def test_a_name_that_was_used_with_another_input_is_refused():
    child = published(machine(Rest=WAIT), name="child")
    engine.start(child, {"n": 1}, actor=SYSTEM, name="one")
    execution = started(machine(Go=starting(resource=START_EXECUTION, Name="one")))

    drain()

    error, cause = failure(execution)
    assert error == "StepFunctions.ExecutionAlreadyExistsException"
    assert cause.startswith("Execution Already Exists: 'child:one' (Service: AWSStepFunctions;")


def test_a_name_of_another_task_is_its_execution_while_that_runs_and_nobody_waits():
    child = published(machine(Rest=WAIT), name="child")
    first = engine.start(child, {}, actor=SYSTEM, name="one")
    plain = machine(Go=starting(resource=START_EXECUTION, Name="one"))

    running = started(plain)
    waiting = started(machine(Go=starting(Name="one")))
    drain()
    send(first, asl.FinishWaiting(wait=3))
    ended = started(plain)
    drain()

    assert output(running)["ExecutionArn"] == str(first.pk)
    for execution in (waiting, ended):
        assert failure(execution)[0] == "StepFunctions.ExecutionAlreadyExistsException"


def test_a_workflow_that_starts_itself_comes_to_an_end(settings):
    settings.WORKFLOWS = {"MAX_NESTING": 4}
    workflow = published(machine(Go=starting("order")), name="order")
    execution = engine.start(workflow, actor=SYSTEM)

    for _ in range(10):
        drain()
        told()

    assert workflow.executions.count() == 4
    assert workflow.executions.filter(status="FAILED").count() == 4
    assert "4 executions run that were each started by the one before" in (
        workflow.executions.order_by("started_at").last().cause
    )
    assert failure(execution)[0] == "States.TaskFailed"


def test_a_distributed_map_between_does_not_hide_that_it_starts_itself(settings):
    settings.WORKFLOWS = {"MAX_NESTING": 5}
    processor = {
        **machine(Go=starting("order", Input={"items": [1]})),
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    }
    each = {"Type": "Map", "ItemProcessor": processor, "ItemsPath": "$$.Execution.Input.items"}
    workflow = published(machine(Each=each), name="order")
    engine.start(workflow, {"items": [1]}, actor=SYSTEM)

    for _ in range(12):
        for run in models.MapRun.objects.filter(status="RUNNING"):
            tasks.drive_map_run(str(run.pk))
        drain()
        told()

    assert not workflow.executions.filter(status="RUNNING").exists()
    assert workflow.executions.count() == 6


def test_a_workflow_may_start_its_own_successor_for_ever(settings):
    settings.WORKFLOWS = {"MAX_NESTING": 2}
    more = {"Variable": "$.n", "NumericGreaterThan": 0, "Next": "Go"}
    choice = {"Type": "Choice", "Choices": [more], "Default": "Done"}
    successor = {"n.$": "States.MathAdd($.n, -1)"}
    go = starting("chain", START_EXECUTION, fields={"End": True}, Input=successor)
    workflow = published(machine(More=choice, Go=go, Done={"Type": "Succeed"}), name="chain")
    engine.start(workflow, {"n": 6}, actor=SYSTEM)

    drain()

    assert workflow.executions.filter(status="SUCCEEDED").count() == 7


# -- what gets lost ----------------------------------------------------------------------


def test_a_task_that_is_delivered_twice_starts_one_child(monkeypatch):
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting()))
    task = execution.tasks.get()
    held = tasks.claim(task.pk)
    tasks._result(held)  # and now the worker dies
    tick(timezone.now() + timedelta(seconds=31))

    assert drain() == 1

    assert only_child(execution).is_running
    assert checked(execution).tasks.get().status == "PENDING"


def test_a_child_that_ended_before_its_parents_worker_died_answers_all_the_same():
    published(machine(Done={"Type": "Succeed"}), name="child")
    execution = started(machine(Go=starting()))
    tasks._result(tasks.claim(execution.tasks.get().pk))
    assert checked(execution).is_running

    told()

    assert output(execution)["Status"] == "SUCCEEDED"
    assert told() == 0


def test_each_retry_starts_a_child_of_its_own():
    published(machine(Fail={"Type": "Fail", "Error": "SomeFailure"}), name="child")
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    execution = started(machine(Go=starting(fields={"Retry": retry})))
    drain()
    told()
    tick(timezone.now() + timedelta(seconds=20))
    drain()
    tick(timezone.now() + timedelta(seconds=40))

    assert failure(execution)[0] == "States.TaskFailed"
    assert execution.children.count() == 2


def parallel(*states):
    branches = [machine(**{f"Only{n}": state}) for n, state in enumerate(states)]
    return machine(Both={"Type": "Parallel", "Branches": branches})


@pytest.mark.parametrize("end", ["stop", "timeout", "branch", "by hand"])
def test_a_child_that_nobody_waits_for_any_more_is_stopped(end):
    published(machine(Rest=WAIT), name="child")
    document = parallel(starting(fields={"TimeoutSeconds": 30}), call("callback"))
    execution = started(document)
    drain()
    child = only_child(execution)
    waits, other = sorted(engine.load(execution.pk).tasks)

    match end:
        case "stop":
            send(execution, asl.Stop())
        case "timeout":
            tick(timezone.now() + timedelta(seconds=31))
        case "branch":
            send(execution, asl.FailTask(task=other, error="No"))
        case "by hand":
            send(execution, asl.CompleteTask(task=waits, output=1))
    tick(timezone.now() + timedelta(seconds=45))

    child = checked(child)
    assert child.status == "ABORTED"
    assert child.cause == "The task that waited for this execution ended without it"


def test_a_child_that_nobody_waited_for_is_left_alone():
    published(machine(Rest=WAIT), name="child")
    execution = started(
        parallel(starting(resource=START_EXECUTION), call("callback")),
    )
    drain()

    send(execution, asl.Stop())
    told()

    assert only_child(execution).is_running


def test_no_child_is_started_for_a_parent_that_was_stopped_meanwhile(caplog):
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting()))
    held = tasks.claim(execution.tasks.get().pk)
    send(execution, asl.Stop())

    with pytest.raises(asl.NotPending):
        tasks._result(held)

    assert execution.children.count() == 0


def test_a_child_that_is_redriven_before_its_end_was_told_keeps_its_parent_waiting():
    published(machine(Work=call("decline")), name="child")
    execution = started(machine(Go=starting()))
    drain()
    child = only_child(execution)
    assert child.parent_due_at is not None

    send(child, asl.Redrive())
    told()
    assert checked(child).parent_due_at is not None
    told()

    assert json.loads(failure(execution)[1])["RedriveCount"] == 1


def test_a_redriven_parent_starts_another_child():
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting()))
    drain()
    first = only_child(execution)
    send(execution, asl.Stop())
    told()
    send(execution, asl.Redrive())
    drain()

    second = execution.children.exclude(pk=first.pk).get()
    assert checked(first).status == "ABORTED"
    send(second, asl.FinishWaiting(wait=3))
    told()
    assert output(execution)["ExecutionArn"] == str(second.pk)


def test_a_child_whose_parent_was_deleted_ends_quietly():
    published(machine(Rest=WAIT), name="child")
    execution = started(machine(Go=starting()))
    drain()
    child = only_child(execution)
    execution.delete()

    send(child, asl.FinishWaiting(wait=3))
    told()

    assert checked(child).status == "SUCCEEDED"
    assert not nesting.look_after(uuid.uuid4())


def test_what_is_wrong_with_one_child_keeps_no_other_waiting(monkeypatch, caplog):
    published(machine(Work=call("echo")), name="child")
    broken, whole = started(machine(Go=starting())), started(machine(Go=starting()))
    drain()
    answer = integrations.answer

    def answer_or_break(child, *arguments):
        if child.parent_id == broken.pk:
            raise KeyError("a bug")
        return answer(child, *arguments)

    monkeypatch.setattr(integrations, "answer", answer_or_break)
    the_clock = clock.Clock()
    later = timezone.now() + timedelta(seconds=11)
    assert the_clock.tick(later).settled == 1
    assert output(whole)["Status"] == "SUCCEEDED"
    monkeypatch.undo()

    assert clock.tick(later).settled == 1
    assert output(broken)["Status"] == "SUCCEEDED"


# -- for real ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_end_is_told_at_once():
    published(machine(Work=call("echo")), name="child")
    execution = started(machine(Go=starting(), After=call("echo")))

    drain()

    assert output(execution)["Status"] == "SUCCEEDED"
    assert not models.Execution.objects.filter(parent_due_at__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_a_whole_family_is_stopped_at_once():
    published(machine(Rest=WAIT), name="grandchild")
    published(machine(Go=starting("grandchild")), name="child")
    execution = started(machine(Go=starting()))
    drain()

    send(execution, asl.Stop())

    rows = models.Execution.objects.all()
    assert [checked(row).status for row in rows] == ["ABORTED"] * 3
    assert not rows.filter(parent_due_at__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_a_parent_stopped_while_its_child_begins_leaves_nobody_behind():
    published(machine(Rest=WAIT), name="child")
    for _ in range(5):
        execution = started(machine(Go=starting()))
        task = execution.tasks.get()

        at_once(
            lambda task=task: tasks.run(task.pk),
            lambda execution=execution: engine.send(execution.pk, asl.Stop(), actor=SYSTEM),
        )

        assert checked(execution).status == "ABORTED"
        for child in execution.children.all():
            assert checked(child).status == "ABORTED"


@pytest.mark.django_db(transaction=True)
def test_a_parent_stopped_while_its_child_ends_comes_to_one_end():
    published(machine(Rest=WAIT), name="child")
    for _ in range(5):
        execution = started(machine(Go=starting()))
        drain()
        child = only_child(execution)

        results = at_once(
            lambda child=child: engine.send(child.pk, asl.FinishWaiting(wait=3), actor=SYSTEM),
            lambda execution=execution: engine.send(execution.pk, asl.Stop(), actor=SYSTEM),
        )

        assert all(isinstance(r, (engine.Sent, asl.CommandRejected)) for r in results), results
        assert not checked(execution).is_running
        assert not checked(child).is_running
        told()
        assert checked(child).parent_due_at is None


@pytest.mark.django_db(transaction=True)
def test_many_clocks_tell_it_once(monkeypatch):
    monkeypatch.setattr(nesting, "on_execution_ended", lambda **_: None)
    published(machine(Work=call("echo")), name="child")
    execution = started(machine(Go=starting()))
    nesting.signals.execution_ended.disconnect(dispatch_uid="django_workflows.nesting")
    try:
        drain()
    finally:
        monkeypatch.undo()
        nesting.connect()
    assert checked(execution).is_running

    later = timezone.now() + timedelta(seconds=11)
    at_once(*[lambda: clock.tick(later)] * 3)

    assert output(execution)["Status"] == "SUCCEEDED"
