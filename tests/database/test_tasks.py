"""A worker claims a task, calls its handler, and brings the answer back, once."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.exceptions import TimeoutException

from django_workflows import asl, clock, engine, handlers, models, tasks
from tests.testapp import workflow_tasks
from tests.workflows import (
    SYSTEM,
    at_once,
    call,
    checked,
    drain,
    failure,
    machine,
    only_task,
    output,
    queued,
    send,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    workflow_tasks.forget()


@pytest.fixture
def handler():
    """Registers a handler for this test alone."""
    names = []

    def register(name, function):
        names.append(name)
        handlers.task(name)(function)

    yield register
    for name in names:
        handlers.unregister(name)


# -- what handlers do --------------------------------------------------------------------


def test_what_a_handler_returns_is_the_tasks_result():
    execution = started(machine(Work=call("echo", ResultPath="$.done")), {"n": 1})

    drain()

    assert output(execution) == {"n": 1, "done": {"n": 1}}


@pytest.mark.parametrize(
    ("resource", "error", "cause"),
    [
        ("decline", "Declined", "the card has expired"),
        ("divide", "ZeroDivisionError", "division by zero"),
        ("leave", "SystemExit", "I am going"),
        ("nonsense", "InvalidResult", "result.when: builtins.object is not JSON data"),
        ("not_a_number", "InvalidResult", "result.rate: nan is not a JSON number"),
        ("huge", "States.DataLimitExceeded", "exceeding the maximum number of bytes"),
        ("never", "States.Timeout", "was stopped by the queue: Task exceeded maximum timeout"),
        ("ehco", "States.Runtime", "no handler is registered for 'ehco' (did you mean 'echo'?)"),
    ],
)
def test_what_goes_wrong_in_a_handler_is_the_workflows_to_handle(resource, error, cause):
    work = call(resource)
    execution = started(machine(Work=work), {"by": 0})

    drain()

    assert failure(execution)[0] == error
    assert cause in failure(execution)[1]


@pytest.mark.parametrize("resource", ["divide", "leave", "nonsense", "huge", "never"])
def test_and_can_be_caught(resource):
    names = ["States.TaskFailed", "States.Timeout"]
    work = call(resource, Catch=[{"ErrorEquals": names, "Next": "Plan"}], End=True)
    plan = {"Type": "Pass", "Result": "B", "End": True}
    execution = started({"StartAt": "Work", "States": {"Work": work, "Plan": plan}}, {"by": 0})

    drain()

    assert output(execution) == "B"


def test_retries_share_a_key_and_each_has_its_own():
    retry = [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 1, "MaxAttempts": 5}]
    execution = started(machine(Work=call("flaky", Retry=retry)), {"failures": 2})
    for hours in (1, 2, 3):
        drain()
        clock.tick(timezone.now() + timedelta(hours=hours))

    assert output(execution) == 3
    assert len({context.idempotency_key for context in workflow_tasks.contexts}) == 1
    assert len({context.attempt_key for context in workflow_tasks.contexts}) == 3
    assert [context.attempt for context in workflow_tasks.contexts] == [0, 1, 2]
    assert checked(execution).retry_count == 2


def test_each_iteration_has_a_key_of_its_own():
    execution = started(
        machine(All={"Type": "Map", "ItemProcessor": machine(Look=call("look"))}), [1, 2, 3]
    )

    drain()

    assert len({result["key"] for result in output(execution)}) == 3


def test_a_handler_that_is_pending_is_answered_by_its_token():
    execution = started(machine(Work=call("later")))
    drain()

    task = only_task(execution)
    assert (task.status, task.worker, task.due_at) == ("PENDING", "", None)
    engine.complete_by_token(workflow_tasks.contexts[0].token, "at last")

    assert output(execution) == "at last"


def test_a_heartbeat_moves_the_moment_of_failure():
    execution = started(machine(Work=call("beat", HeartbeatSeconds=30), Rest=call("callback")))

    drain()

    beats = [event for event in engine.log(execution.pk) if isinstance(event, asl.TaskHeartbeat)]
    assert len(beats) == 1


def test_a_handler_hears_that_it_is_not_wanted_any_more(handler):
    def stopped_under_way(input, context):
        engine.send(context.execution_id, asl.Stop(), actor=SYSTEM)
        context.heartbeat()

    handler("stopped", stopped_under_way)
    execution = started(machine(Work=call("stopped")))

    drain()

    assert checked(execution).status == "ABORTED"


def test_handlers_run_outside_of_transactions(handler):
    seen = []
    handler("look_around", lambda input: seen.append(connection.in_atomic_block))
    execution = started(machine(A=call("look_around"), B=call("look_around")))

    # The test's own transaction is the only one there is.
    depth = len(connection.savepoint_ids)
    handler("depth", lambda input: seen.append(len(connection.savepoint_ids) - depth))
    drain()
    deeper = started(machine(A=call("depth"), B=call("depth")))
    drain()

    assert seen[2:] == [0, 0]
    assert (checked(execution).status, checked(deeper).status) == ("SUCCEEDED", "SUCCEEDED")


# -- claims ------------------------------------------------------------------------------


def test_a_task_is_claimed_once():
    task = only_task(started())

    assert tasks.claim(task.pk) is not None
    assert tasks.claim(task.pk) is None
    tasks.run(task.pk)

    task.refresh_from_db()
    assert (task.status, task.deliveries, workflow_tasks.calls) == ("RUNNING", 1, [])
    assert task.worker == tasks.worker_name()
    assert task.due_at > timezone.now() + timedelta(seconds=25)


def test_a_delivery_of_what_is_done_or_gone_does_nothing():
    execution = started()
    task = only_task(execution)
    drain()

    tasks.run(task.pk)
    tasks.run(10**9)

    assert len(workflow_tasks.calls) == 1
    assert output(execution) == {}


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_the_same_time_one_works():
    execution = started(input={"seconds": 0.1}, document=machine(Work=call("sleep")))
    task = only_task(execution)

    at_once(*[lambda: tasks.run(task.pk)] * 4)

    assert output(execution) == {"seconds": 0.1}
    ended = [e for e in engine.log(execution.pk) if isinstance(e, asl.TaskSucceeded)]
    assert len(ended) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_the_same_time_one_counts():
    """Two workers had the task, because the lease of the first one ran out."""
    execution = started()
    command = asl.CompleteTask(task=3, output="mine")

    results = at_once(
        *[lambda: engine.send(execution.pk, command, actor=tasks.WORKER)] * 3,
    )

    refused = [result for result in results if isinstance(result, asl.CommandRejected)]
    assert len(refused) == 2, results
    assert output(execution) == "mine"


def test_a_late_answer_is_noted_and_forgotten(handler, caplog):
    caplog.set_level(logging.INFO, "django_workflows.tasks")

    def too_slow(input, context):
        engine.send(context.execution_id, asl.FailTask(task=3, error="Late"), actor=SYSTEM)
        return "in vain"

    handler("too_slow", too_slow)
    execution = started(machine(Work=call("too_slow")))

    drain()

    assert failure(execution)[0] == "Late"
    assert "its answer came too late" in caplog.text


def test_an_execution_that_is_deleted_under_way_is_let_go(handler, caplog):
    caplog.set_level(logging.INFO, "django_workflows.tasks")
    handler("delete", lambda i, context: models.Execution.objects.all().delete() and None)
    task = only_task(started(machine(Work=call("delete"))))

    tasks.run(task.pk)

    assert "its execution was deleted" in caplog.text


def test_an_error_of_our_own_is_not_raised_to_the_queue(monkeypatch, caplog):
    def broken(*_, **__):
        raise KeyError("a bug")

    task = only_task(started())
    monkeypatch.setattr(engine, "send", broken)

    tasks.run(task.pk)

    assert "no answer could be stored" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_tried_again_while_the_database_is_away(monkeypatch):
    execution = started()
    send_really, failures = engine.send, [OperationalError("locked"), TimeoutException("alarm")]

    def flaky(*arguments, **keywords):
        if failures:
            raise failures.pop(0)
        return send_really(*arguments, **keywords)

    monkeypatch.setattr(engine, "send", flaky)
    tasks.run(only_task(execution).pk)

    assert output(execution) == {}
    assert len(workflow_tasks.calls) == 1


@pytest.mark.django_db(transaction=True)
def test_a_slow_handler_keeps_its_lease(settings, handler):
    settings.WORKFLOWS = {"LEASE_SECONDS": 0.3}
    renewed = threading.Event()

    def slow(input, context):
        before = models.Task.objects.get().due_at
        for _ in range(100):
            if models.Task.objects.get().due_at > before:
                return renewed.set()
            threading.Event().wait(0.02)

    handler("slow", slow)
    execution = started(machine(Work=call("slow")))

    drain()

    assert renewed.is_set()
    assert output(execution) is None


# -- going on with one execution ---------------------------------------------------------


def test_the_next_task_is_done_at_once_without_the_queue():
    execution = started(machine(A=call("echo"), B=call("echo"), C=call("echo")))

    assert drain() == 1

    assert output(execution) == {}
    assert len(workflow_tasks.calls) == 3


def test_each_step_is_stored_before_the_next_begins(handler):
    seen = []

    def count(input, context):
        seen.append(models.Event.objects.filter(execution=context.execution_id).count())

    handler("count", count)
    started(machine(A=call("count"), B=call("count")))

    drain()

    assert seen == [3, 7]


def test_of_many_new_tasks_one_is_kept_and_the_others_go_to_the_queue():
    parallel = {
        "Type": "Parallel",
        "Branches": [machine(X=call("echo")), machine(Y=call("echo")), machine(Z=call("echo"))],
    }
    execution = started(machine(First=call("echo"), Then=parallel))
    tasks.run(queued().get().pk)

    assert [task.state for task in execution.tasks.all()] == ["Y", "Z"]
    assert queued().count() == 2
    drain()
    assert output(execution) == [{}, {}, {}]


def test_when_its_time_is_over_the_queue_has_the_next(settings, handler):
    settings.WORKFLOWS = {"DRIVE_SECONDS": 0.05}
    handler("slow", lambda input: threading.Event().wait(0.06) and None)
    execution = started(machine(A=call("slow"), B=call("echo")))

    tasks.run(queued().get().pk)

    assert (queued().get().state, checked(execution).current_states) == ("B", "B")


def test_after_the_queues_timeout_nothing_more_is_begun():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Then"}]
    states = {"Work": call("never", Catch=catch, End=True), "Then": call("echo", End=True)}
    execution = started({"StartAt": "Work", "States": states})

    tasks.run(queued().get().pk)

    assert queued().get().state == "Then"
    assert checked(execution).is_running


def test_the_names_of_workers_differ_in_each_thread():
    names = at_once(tasks.worker_name, tasks.worker_name)

    assert len({*names, tasks.worker_name()}) == 3


def test_a_rolled_back_start_leaves_no_trace():
    with transaction.atomic():
        execution = started()
        transaction.set_rollback(True)

    assert not models.Execution.objects.filter(pk=execution.pk).exists()
    assert not models.Event.objects.exists()


def test_a_stopped_executions_tasks_are_not_to_be_had():
    execution = started()
    task = only_task(execution)
    send(execution, asl.Stop())

    tasks.run(task.pk)

    assert workflow_tasks.calls == []
