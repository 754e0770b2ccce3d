"""Workers outside fetch the tasks of activities, and answer them by token."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from django_workflows import activities, actors, asl, engine, models
from django_workflows.permissions import Action, NotAllowed, allows
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
    send,
    started,
    tick,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNT = "arn:aws:states:eu-central-1:123456789012:activity:count"


def take(name="count", worker="w1", actor=SYSTEM):
    taken = activities.take(name, worker, actor=actor)
    if taken is not None:
        checked(taken.execution_id)
    return taken


def counting(input=None, **fields):
    return started(machine(Count=call(COUNT, **fields)), input)


def test_a_task_waits_in_the_queue_until_a_worker_asks_and_its_token_answers_it():
    execution = counting({"n": 1})
    task = only_task(execution)
    assert (task.kind, task.status, task.due_at) == ("activity", "QUEUED", None)
    assert (execution.waiting_for, execution.current_states) == ("callback", "Count")
    assert drain() == 0

    taken = take()

    assert (taken.execution_id, taken.task, taken.input) == (execution.pk, 3, {"n": 1})
    task.refresh_from_db()
    assert (task.status, task.worker) == ("RUNNING", "w1")
    engine.complete_by_token(taken.token, {"n": 2})
    assert output(execution) == {"n": 2}


def test_the_log_and_awss_history_say_who_took_it():
    execution = counting()
    take(worker="mill 7")

    log = engine.log(execution.pk)
    assert (log[-1].task, log[-1].worker) == (3, "mill 7")
    shown = asl.history(execution.machine, log)
    assert [event["type"] for event in shown][-2:] == ["ActivityScheduled", "ActivityStarted"]
    assert shown[-1]["activityStartedEventDetails"] == {"workerName": "mill 7"}


def test_a_worker_need_not_say_its_name():
    execution = counting()

    taken = activities.take("count", actor=SYSTEM)

    assert taken.task == 3
    assert checked(execution).tasks.get().worker == ""


def test_a_worker_may_fail_it():
    execution = counting()

    engine.fail_by_token(take().token, "Unreadable", "line 7")

    assert failure(execution) == ("Unreadable", "line 7")


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (COUNT, "count"),
        ("arn:aws-cn:states:cn-north-1:1:activity:count", "count"),
        ("here:activity:count", "count"),
        ("x:activity:a:activity:b", "a:activity:b"),
        ("x:activity:" + "n" * 300, "n" * 300),
    ],
)
def test_an_activity_is_known_by_its_name(resource, name):
    execution = started(machine(Count=call(resource)))

    assert take("other") is None
    assert take("coun") is None
    assert take("nul\x00") is None
    assert take(name).execution_id == execution.pk
    assert take(name) is None


def test_the_oldest_comes_first():
    workflow = counting().workflow
    older = engine.start(workflow, actor=SYSTEM, at=NOW)
    oldest = engine.start(workflow, actor=SYSTEM, at=NOW - timedelta(hours=1))

    assert [take().execution_id for _ in range(2)] == [oldest.pk, older.pk]


def test_each_task_is_taken_once():
    execution = counting()

    assert take() is not None
    assert take() is None
    with pytest.raises(asl.NotPending, match="was taken already"):
        engine.send(execution.pk, asl.TakeTask(task=3), actor=SYSTEM)


def test_what_has_ended_is_not_taken():
    stopped, answered = counting(), counting()
    send(stopped, asl.Stop())
    send(answered, asl.CompleteTask(task=3, output="by hand"))

    assert take() is None


# -- silence -----------------------------------------------------------------------------


def test_the_heartbeat_counts_from_when_it_was_taken():
    execution = counting(HeartbeatSeconds=60)
    assert execution.wake_at is None

    taken = take()
    begun = checked(execution).updated_at
    assert checked(execution).wake_at == begun + timedelta(seconds=60)

    engine.heartbeat_by_token(taken.token, at=begun + timedelta(seconds=50))
    tick(begun + timedelta(seconds=100))
    assert checked(execution).is_running
    tick(begun + timedelta(seconds=111))
    assert failure(execution) == ("States.Timeout", "")
    with pytest.raises(asl.NotPending):
        engine.complete_by_token(taken.token, "too late")


def test_a_task_that_nobody_takes_times_out():
    execution = counting(TimeoutSeconds=60)

    tick(timezone.now() + timedelta(seconds=61))

    assert failure(execution)[0] == "States.Timeout"
    assert take() is None


def test_the_clock_and_the_queue_leave_it_alone():
    execution = counting()

    assert tick(timezone.now() + timedelta(days=30)).redelivered == 0
    take()
    assert tick(timezone.now() + timedelta(days=30)).redelivered == 0
    assert checked(execution).tasks.get().status == "RUNNING"


def test_a_retry_is_another_task():
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]
    execution = counting(Retry=retry)
    first = take()
    engine.fail_by_token(first.token, "Busy")
    tick(timezone.now() + timedelta(seconds=2))

    second = take()

    assert second.task > first.task
    engine.complete_by_token(second.token, 1)
    assert output(execution) == 1


def test_the_rows_can_be_made_anew():
    waiting, taken = counting(), counting()
    take()
    taken, waiting = (waiting, taken) if only_task(waiting).worker else (taken, waiting)
    models.Task.objects.all().delete()

    for execution in (waiting, taken):
        engine.rebuild(execution.pk)
        checked(execution)

    assert [only_task(one).worker for one in (waiting, taken)] == ["", "w1"]
    assert drain() == 0
    assert take().execution_id == waiting.pk


# -- who may -----------------------------------------------------------------------------


def test_fetching_needs_a_permission_of_its_own():
    counting()
    others = ("view_execution", "complete_task", "fail_task", "start_execution")

    with pytest.raises(NotAllowed, match="lacks the permission work_activities"):
        take(actor=as_user(person("others", *others)))
    with pytest.raises(NotAllowed, match="a task's token answers that task"):
        take(actor=actors.BEARER)
    assert take(actor=as_user(person("right", "work_activities")))


def test_a_worker_finds_the_tasks_of_workflows_that_it_may_steer():
    execution = counting()
    execution.workflow.operate_groups.add(Group.objects.create(name="mill"))
    outside = person("outside", "work_activities")
    inside = person("inside", "work_activities", groups=("mill",))

    assert not allows(outside, Action.WORK_ACTIVITIES, execution=execution)
    assert take(actor=as_user(outside)) is None
    assert take(actor=as_user(inside)).execution_id == execution.pk


# -- at the same time --------------------------------------------------------------------


def test_a_poll_waits_no_longer_than_asked():
    begun = time.monotonic()

    assert activities.wait_for("count", actor=SYSTEM, seconds=0.3) is None

    assert 0.3 <= time.monotonic() - begun < 2


@pytest.mark.django_db(transaction=True)
def test_a_poll_gets_what_comes_while_it_waits():
    def begin():
        time.sleep(0.1)
        return counting()

    execution, taken = at_once(
        begin, lambda: activities.wait_for("count", actor=SYSTEM, seconds=10)
    )

    assert taken.execution_id == execution.pk


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_poll_at_the_same_time_one_gets_it():
    execution = counting()

    results = at_once(*[lambda n=n: activities.take("count", f"w{n}", actor=SYSTEM) for n in "123"])

    taken = [one for one in results if one is not None]
    assert len(taken) == 1, results
    assert taken[0].execution_id == execution.pk
    events = engine.log(checked(execution).pk)
    assert sum(isinstance(event, asl.TaskTaken) for event in events) == 1


@pytest.mark.django_db(transaction=True)
def test_workers_that_poll_at_the_same_time_share_the_tasks_of_one_execution():
    fan = {"Type": "Map", "ItemProcessor": machine(Count=call(COUNT))}
    execution = started(machine(Fan=fan), [1, 2, 3, 4])

    results = at_once(*[lambda: activities.take("count", actor=SYSTEM)] * 4)

    assert sorted(taken.input for taken in results) == [1, 2, 3, 4]
    for taken in results:
        engine.complete_by_token(taken.token, taken.input * 10)
    assert output(execution) == [10, 20, 30, 40]
