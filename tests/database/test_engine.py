"""Executions are started, take commands, and store what follows."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_workflows import asl, engine, models, signals
from tests.testapp import workflow_tasks
from tests.workflows import (
    SYSTEM,
    as_user,
    at_once,
    call,
    checked,
    drain,
    failure,
    machine,
    only_task,
    output,
    person,
    published,
    send,
    started,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAIT = {"Type": "Wait", "Seconds": 60}


def after(seconds):
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def fresh():
    workflow_tasks.forget()


def test_an_execution_runs_from_its_input_to_its_output():
    execution = started(machine(First=call("echo"), Second=call("echo")), {"order": 7})

    assert (execution.status, execution.current_states) == ("RUNNING", "First")
    drain()

    assert output(execution) == {"order": 7}
    assert execution.tasks.count() == 0


def test_one_that_waits_for_nothing_ends_at_once():
    execution = started(machine(Done={"Type": "Pass", "Result": [1, None]}))

    assert output(execution) == [1, None]
    assert execution.ended_at is not None


def test_its_row_says_what_it_waits_for_and_since_when():
    parallel = {
        "Type": "Parallel",
        "Branches": [machine(Pack=call("echo")), machine(Rest=WAIT), machine(Sign=call("later"))],
    }
    execution = started(machine(Both=parallel), at=NOW)

    assert execution.current_states == "Pack, Rest, Sign"
    assert (execution.waiting_for, execution.waiting_since) == ("task", NOW)
    assert execution.wake_at == after(60)

    for task in execution.tasks.all():
        execution = send(execution, asl.CompleteTask(task=task.seq, output=1), at=after(5))
    assert (execution.waiting_for, execution.waiting_since) == ("timer", NOW)
    assert execution.current_states == "Rest"


def test_a_retry_is_counted_and_shows_as_what_is_waited_for():
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10}]
    execution = started(machine(Work=call("echo", Retry=retry)), at=NOW)

    execution = send(execution, asl.FailTask(task=3, error="Busy"), at=after(1))

    assert (execution.retry_count, execution.waiting_for) == (1, "retry")
    assert (execution.waiting_since, execution.wake_at) == (after(1), after(11))


def test_a_rejected_command_writes_nothing():
    execution = started()

    with pytest.raises(asl.NotPending, match="task 99 is not pending"):
        engine.send(execution.pk, asl.CompleteTask(task=99, output=1), actor=SYSTEM)

    assert checked(execution).seq == execution.seq


def test_an_ended_execution_takes_no_commands():
    execution = started(machine(Done={"Type": "Succeed"}))

    with pytest.raises(asl.ExecutionEnded):
        engine.send(execution.pk, asl.Stop(), actor=SYSTEM)


def test_stopping_it_drops_its_tasks():
    execution = started()

    execution = send(execution, asl.Stop(error="Cancelled", cause="by phone"))

    assert (execution.status, execution.error, execution.cause) == (
        "ABORTED",
        "Cancelled",
        "by phone",
    )
    assert drain() == 0


def test_a_failed_one_goes_on_where_it_was():
    execution = started(machine(First=call("echo"), Second=call("decline")))
    drain()
    assert failure(execution)[0] == "Declined"

    execution = send(execution, asl.Redrive())
    assert (execution.status, execution.current_states) == ("RUNNING", "Second")
    assert (execution.error, execution.cause, execution.ended_at) == ("", "", None)
    send(execution, asl.CompleteTask(task=only_task(execution).seq, output="paid"))

    assert output(execution) == "paid"
    with pytest.raises(asl.NotRedrivable):
        send(execution, asl.Redrive())


def test_who_did_it_and_why_is_on_the_first_event():
    user = person("ada", "stop_execution")
    execution = started()

    send(execution, asl.Stop(), actor=as_user(user).because("wrong address"))

    origin = engine.log(execution.pk)[-1].origin
    assert origin == asl.Origin(by="ada", reason="wrong address", channel="test")


def test_a_command_from_a_clock_that_is_behind_does_not_go_back_in_time():
    execution = started(at=NOW)

    execution = send(execution, asl.CompleteTask(task=3, output=1), at=after(-5))

    assert execution.ended_at == NOW


def test_an_execution_keeps_the_version_it_started_with():
    workflow = published(machine(Work=call("echo"), Old={"Type": "Pass", "Result": "old"}))
    execution = engine.start(workflow, actor=SYSTEM)
    workflow.publish(machine(Work=call("echo"), New={"Type": "Pass", "Result": "new"}))

    drain()

    assert output(execution) == "old"
    assert output(engine.start(workflow, actor=SYSTEM, name="2") and drain_of(workflow)) == "new"


def drain_of(workflow):
    drain()
    return workflow.executions.get(name="2")


def test_the_context_object_says_who_the_execution_is():
    names = {"id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name"}
    names |= {"machine.$": "$$.StateMachine.Name", "tenant.$": "$$.Tenant"}
    context = {"Tenant": "acme", "Execution": {"Id": "forged", "RoleArn": "arn"}}

    execution = started(
        machine(Look={"Type": "Pass", "Parameters": names}), name="n-1", context=context
    )

    workflow = execution.workflow.name
    expected = {"id": str(execution.pk), "name": "n-1", "machine": workflow, "tenant": "acme"}
    assert output(execution) == expected


# -- names -------------------------------------------------------------------------------


def test_starting_twice_under_one_name_starts_once():
    workflow = published()

    first = engine.start(workflow, {"order": 1}, actor=SYSTEM, name="order-1")
    again = engine.start(workflow, {"order": 1.0}, actor=SYSTEM, name="order-1")
    drain()
    ended = engine.start(workflow, {"order": 1}, actor=SYSTEM, name="order-1")

    assert first.pk == again.pk == ended.pk
    assert workflow.executions.count() == 1


def test_one_name_does_not_stand_for_two_inputs():
    workflow = published()
    engine.start(workflow, {"paid": True}, actor=SYSTEM, name="order-1")

    with pytest.raises(engine.ExecutionAlreadyExists, match="'order-1' already"):
        engine.start(workflow, {"paid": 1}, actor=SYSTEM, name="order-1")

    assert workflow.executions.count() == 1


def test_two_workflows_may_use_one_name():
    first, second = published(name="a"), published(name="b")

    engine.start(first, {"x": 1}, actor=SYSTEM, name="order-1")
    engine.start(second, {"x": 2}, actor=SYSTEM, name="order-1")

    assert models.Execution.objects.count() == 2


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "a\x00", "\ud800", "semi;colon", 7])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(asl.InvalidValue, match="name: use 1 to 80 characters"):
        engine.start(published(), actor=SYSTEM, name=name)
    assert models.Execution.objects.count() == 0


def test_a_workflow_without_a_version_can_not_be_started():
    workflow = models.Workflow.objects.create(name="empty")

    with pytest.raises(engine.NotPublished, match="empty has no version"):
        engine.start(workflow, actor=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_of_starts_at_the_same_time_one_counts():
    workflow = published()

    def start():
        return engine.start(workflow, {"order": 1}, actor=SYSTEM, name="order-1").pk

    keys = at_once(start, start, start, start)

    assert len(set(keys)) == 1, keys
    assert workflow.executions.count() == 1
    checked(workflow.executions.get())


# -- awkward data ------------------------------------------------------------------------


def test_an_input_of_300_kib_is_refused():
    with pytest.raises(asl.InvalidValue, match="at most 262144 are allowed"):
        engine.start(published(), {"text": "x" * 300 * 1024}, actor=SYSTEM)
    assert models.Execution.objects.count() == 0


def test_the_largest_input_passes_through():
    text = "é" * ((262_144 - len('{"t":""}')) // 2)
    execution = started(input={"t": text})

    drain()

    assert output(execution) == {"t": text}


def test_the_limit_is_the_sites(settings):
    settings.WORKFLOWS = {"PAYLOAD_BYTES": 400_000}

    assert started(input="x" * 300 * 1024).is_running


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: 2}, {"a": {1, 2}}, (1, 2), b"bytes", 10**5000],
    ids=["NaN", "Infinity", "key", "set", "tuple", "bytes", "digits"],
)
def test_an_input_that_is_not_json_is_refused(value):
    with pytest.raises(asl.InvalidValue):
        engine.start(published(), {"value": value}, actor=SYSTEM)
    assert models.Execution.objects.count() == 0


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\ud800", "\udfff\ud800", "\U0001f600", "\u2028"]
)
def test_every_text_passes_through(text):
    execution = started(input={text: [text]})

    assert models.Execution.objects.get(pk=execution.pk).input == {text: [text]}
    drain()

    assert output(execution) == {text: [text]}


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_every_error_and_cause_can_be_stored(text):
    execution = started()

    execution = send(execution, asl.FailTask(task=3, error=text * 200, cause=text))

    assert execution.status == "FAILED"
    assert engine.load(execution.pk).cause == text


def test_the_deepest_data_pass_through():
    value = [[]]
    for _ in range(asl.values.MAX_DEPTH - 2):
        value = [value]
    execution = started(input=value)

    drain()

    assert output(execution) == value


def test_the_events_of_an_endless_loop_have_an_end(settings):
    settings.WORKFLOWS = {"HISTORY_EVENTS": 500}
    loop = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}
    loop["States"]["A"] = {"Type": "Choice", "Choices": [], "Default": "A"}
    loop["States"]["A"]["Choices"] = [{"Variable": "$.x", "IsPresent": True, "Next": "End"}]
    loop["States"]["End"] = {"Type": "Succeed"}

    error, cause = failure(started(loop))

    assert error == "States.Runtime"
    assert "maximum number of history events (500)" in cause


# -- signals -----------------------------------------------------------------------------


def test_signals_tell_of_it_after_the_commit(django_capture_on_commit_callbacks):
    heard = []

    def hear(name):
        def receiver(**arguments):
            heard.append((name, arguments))

        return receiver

    names = [
        "execution_started",
        "events_recorded",
        "tasks_requested",
        "approval_requested",
        "execution_ended",
    ]
    receivers = {name: hear(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)

    with django_capture_on_commit_callbacks(execute=True):
        execution = started()
        assert heard == []
    assert [name for name, _ in heard] == [
        "execution_started",
        "events_recorded",
        "tasks_requested",
    ]
    assert heard[2][1]["task_ids"] == [only_task(execution).pk]

    heard.clear()
    with django_capture_on_commit_callbacks(execute=True):
        send(execution, asl.CompleteTask(task=3, output=1))
    assert [name for name, _ in heard] == ["events_recorded", "execution_ended"]


def test_a_receiver_that_raises_disturbs_nobody(django_capture_on_commit_callbacks, caplog):
    def broken(**_):
        raise RuntimeError("no mail server")

    signals.events_recorded.connect(broken)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            execution = started()
    finally:
        signals.events_recorded.disconnect(broken)

    assert execution.is_running
    assert "no mail server" in caplog.text


# -- the cost of a step ------------------------------------------------------------------


def queries_of_next_step(execution):
    task = only_task(execution)
    with CaptureQueriesContext(connection) as captured:
        engine.send(execution.pk, asl.CompleteTask(task=task.seq, output={"n": 1}), actor=SYSTEM)
    return [query["sql"] for query in captured]


def test_a_step_costs_as_many_queries_at_event_1000_as_at_event_10():
    stop = {"Variable": "$.stop", "IsPresent": True, "Next": "Stop"}
    loop = {
        "StartAt": "Ping",
        "States": {
            "Ping": call("echo", Next="Choose"),
            "Choose": {"Type": "Choice", "Choices": [stop], "Default": "Ping"},
            "Stop": {"Type": "Succeed"},
        },
    }
    execution = started(loop)

    def go_to(seq):
        while models.Execution.objects.get(pk=execution.pk).seq < seq:
            command = asl.CompleteTask(task=only_task(execution).seq, output={})
            engine.send(execution.pk, command, actor=SYSTEM)

    go_to(10)
    early = queries_of_next_step(execution)
    go_to(1000)
    late = queries_of_next_step(execution)

    assert len(late) == len(early) <= 20, "\n".join(late)
    row = checked(execution)
    assert row.seq - row.snapshot.seq < 60


def test_a_snapshot_and_the_events_since_are_the_execution(settings):
    settings.WORKFLOWS = {"SNAPSHOT_EVERY": 1}
    item = machine(Do=call("echo"))
    fan = {"Type": "Map", "ItemProcessor": item, "MaxConcurrency": 2}
    execution = started(machine(Fan=fan), [1, "\x00", None])

    drain()

    assert output(execution) == [1, "\x00", None]


# -- repair ------------------------------------------------------------------------------


def test_the_rows_can_be_made_anew_from_the_events():
    parallel = {
        "Type": "Parallel",
        "Branches": [
            machine(Pack=call("echo")),
            machine(Sign=call("approval", Parameters={"Title": "Sign", "Users": ["ada"]})),
        ],
    }
    person("ada")
    execution = started(machine(Both=parallel))
    models.Task.objects.all().delete()
    models.Execution.objects.update(status="FAILED", current_states="?", wake_at=None)

    engine.rebuild(execution.pk)

    execution = checked(execution)
    assert execution.current_states == "Pack, Sign"
    assert [task.kind for task in execution.tasks.order_by("seq")] == ["handler", "approval"]


def test_a_log_with_a_gap_is_never_taken_for_a_whole_one():
    execution = started()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_workflows_event WHERE seq = 2")

    with pytest.raises(engine.CorruptLog, match="event 3 does not follow event 1"):
        engine.send(execution.pk, asl.Stop(), actor=SYSTEM)


def test_payloads_are_stored_as_ascii():
    execution = started(input={"name": "Žofie"})

    with connection.cursor() as cursor:
        cursor.execute("SELECT input FROM django_workflows_execution")
        assert json.loads(cursor.fetchone()[0]) == {"name": "Žofie"}
        cursor.execute("SELECT payload FROM django_workflows_event")
        assert all(payload.isascii() for (payload,) in cursor.fetchall())
    assert execution.input == {"name": "Žofie"}
