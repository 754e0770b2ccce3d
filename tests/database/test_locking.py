"""Commands that meet take turns, on both databases and however SQLite is configured."""

import threading

import pytest
from django.db import connection, transaction

from django_workflows import asl, clock, engine, models, tasks
from tests.workflows import (
    SYSTEM,
    at_once,
    call,
    checked,
    machine,
    output,
    started,
)

pytestmark = pytest.mark.django_db(transaction=True)

BRANCHES = 8
FAN = {
    "Type": "Parallel",
    "Branches": [machine(**{f"Do{index}": call("callback")}) for index in range(BRANCHES)],
}
#: SQLite takes its write lock at the first write, unless IMMEDIATE is asked for.
MODES = ["as configured", *(["deferred"] if connection.vendor == "sqlite" else [])]


@pytest.fixture(params=MODES)
def mode(request, monkeypatch):
    if request.param == "deferred":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", "DEFERRED")
        connection.close()
    yield
    connection.close()


def complete(execution, task):
    return lambda: engine.send(execution.pk, asl.CompleteTask(task=task, output=task), actor=SYSTEM)


def test_answers_to_different_tasks_all_count(mode):
    execution = started(machine(Fan=FAN))
    numbers = [task.seq for task in execution.tasks.order_by("seq")]

    results = at_once(*[complete(execution, number) for number in numbers])

    assert not [result for result in results if isinstance(result, Exception)]
    assert output(execution) == numbers


def test_of_answers_to_one_task_one_counts(mode):
    execution = started(machine(Ask=call("callback"), Then=call("callback")))

    results = at_once(*[complete(execution, 3)] * 6)

    refused = [result for result in results if isinstance(result, asl.NotPending)]
    assert len(refused) == 5, results
    assert checked(execution).current_states == "Then"


def test_everything_at_once_leaves_a_whole_log(mode):
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 99}]
    execution = started(machine(Work=call("echo", Retry=retry), Rest=call("callback")))
    (task,) = execution.tasks.all()
    far = execution.started_at.replace(year=2100)

    results = at_once(
        lambda: tasks.run(task.pk),
        lambda: clock.tick(far),
        lambda: engine.send(execution.pk, asl.FailTask(task=3, error="E"), actor=SYSTEM),
        lambda: clock.tick(far),
        lambda: tasks.run(task.pk),
    )

    assert not [
        result
        for result in results
        if isinstance(result, Exception) and not isinstance(result, asl.CommandRejected)
    ], results
    checked(execution)


def test_a_command_waits_for_the_one_before_it():
    execution = started(machine(Fan=FAN))
    first, second = execution.tasks.order_by("seq")[:2]
    held, go_on = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            complete(execution, first.seq)()
            held.set()
            assert not go_on.wait(0.2)

    def quick():
        held.wait()
        complete(execution, second.seq)()
        go_on.set()

    results = at_once(slow, quick)

    assert results == [None, None]
    assert checked(execution).seq > execution.seq


def test_other_executions_go_on_meanwhile():
    one, other = started(machine(Ask=call("callback"))), started(machine(Ask=call("callback")))
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            complete(one, 3)()
            held.set()
            # On SQLite there is one lock for all, so there this only waits its time.
            done.wait(5 if connection.features.has_select_for_update else 0.1)
            return done.is_set()

    def go_on():
        held.wait()
        complete(other, 3)()
        done.set()

    went_on, _ = at_once(hold, go_on)

    assert went_on == connection.features.has_select_for_update
    assert (output(one), output(other)) == (3, 3)


def test_a_clock_passes_over_what_is_being_changed():
    execution = started(machine(Rest={"Type": "Wait", "Seconds": 1}))
    far = execution.wake_at
    held, ticked = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            models.lock(models.Execution.objects.filter(pk=execution.pk))
            held.set()
            ticked.wait(5 if connection.features.has_select_for_update_skip_locked else 0.1)

    def look():
        held.wait()
        done = clock.tick(far)
        ticked.set()
        return done.woken

    _, woken = at_once(hold, look)

    assert woken == (0 if connection.features.has_select_for_update_skip_locked else 1)
    clock.tick(far)
    assert output(execution) == {}
