"""The queue is told of tasks when they are stored, and it is no matter if that fails."""

import pytest
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_spawn

from django_workflows import clock, dispatch, signals, tasks
from tests.testapp import workflow_tasks
from tests.workflows import (
    approval,
    call,
    checked,
    machine,
    only_task,
    output,
    person,
    started,
    tick,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    def do(deed):
        with django_capture_on_commit_callbacks(execute=True):
            return deed()

    return do


def test_a_task_is_put_into_the_queue_once_it_is_stored(committed):
    execution = committed(lambda: started())

    (queued,) = OrmQ.objects.all()
    package = queued.task
    task = only_task(execution)
    assert (package["func"], package["args"]) == ("django_workflows.tasks.run", (task.pk,))
    assert (package["group"], package["ack_failure"], package["save"]) == (
        str(execution.pk),
        True,
        False,
    )
    assert len(package["name"]) <= 100


def test_what_is_in_the_queue_does_the_task(committed):
    workflow_tasks.forget()
    execution = committed(lambda: started(input={"n": 1}))
    package = OrmQ.objects.get().task

    committed(lambda: tasks.run(*package["args"]))

    assert output(execution) == {"n": 1}


def test_nothing_is_queued_before_the_commit_nor_after_a_rollback():
    started()

    assert not OrmQ.objects.exists()


@pytest.mark.parametrize("resource", ["callback", "arn:aws:states:eu:1:activity:count"])
def test_what_no_worker_does_is_not_queued(committed, resource):
    person("ada")

    committed(lambda: started(machine(Ask=call(resource))))
    committed(lambda: started(machine(Sign=approval(Users=["ada"]))))

    assert not OrmQ.objects.exists()


def test_many_tasks_are_queued_in_one_transaction(committed):
    fan = {"Type": "Map", "ItemProcessor": machine(Do=call("echo"))}

    committed(lambda: started(machine(Fan=fan), list(range(20))))

    assert OrmQ.objects.count() == 20


def test_a_queue_that_is_away_is_noted_and_told_later(committed, monkeypatch, caplog):
    def away(*_, **__):
        raise ConnectionError("no broker")

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "async_task", away)
        execution = committed(lambda: started())
    assert "the queue could not be told of 1 task(s)" in caplog.text
    assert not OrmQ.objects.exists()

    task = only_task(execution)
    tick(task.due_at)

    assert OrmQ.objects.get().task["args"] == (task.pk,)
    assert checked(execution).is_running


def test_another_cluster_can_have_the_tasks(committed, settings):
    settings.WORKFLOWS = {"CLUSTER": "slow"}

    committed(lambda: started())

    assert OrmQ.objects.get().key == "slow"


def test_a_worker_runs_the_clock_if_it_is_to(settings, monkeypatch):
    begun = []
    monkeypatch.setattr(clock.Thread, "start", lambda self: begun.append(self))
    monkeypatch.setattr(clock.Thread, "stop", lambda self: None)

    settings.WORKFLOWS = {"CLOCK_IN_WORKERS": False}
    post_spawn.send(sender="django_q", proc_name="Process-1")
    assert begun == []

    settings.WORKFLOWS = {}
    post_spawn.send(sender="django_q", proc_name="Process-1")
    assert len(begun) == 1


def test_connecting_twice_delivers_once(committed):
    dispatch.connect()

    committed(lambda: started())

    assert OrmQ.objects.count() == 1


def test_nothing_else_of_ours_is_queued(committed):
    """Heartbeats, waits and ends are none of the queue's business."""
    committed(lambda: started(machine(Rest={"Type": "Wait", "Seconds": 1})))

    assert not OrmQ.objects.exists()
    assert Conf.SYNC is False
    assert signals.tasks_requested.has_listeners()
