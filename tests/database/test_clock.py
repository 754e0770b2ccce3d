"""What is due happens, whoever looks at the clock and however often."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from django_workflows import asl, clock, engine, models, signals, tasks
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
    tick,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAIT = {"Type": "Wait", "Seconds": 60}


def after(seconds):
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def fresh():
    workflow_tasks.forget()


@pytest.fixture
def requests():
    """The rows that the queue was told of."""
    told = []

    def receiver(task_ids, **_):
        told.extend(task_ids)

    signals.tasks_requested.connect(receiver)
    yield told
    signals.tasks_requested.disconnect(receiver)


# -- moments -----------------------------------------------------------------------------


def test_a_wait_ends_when_its_time_has_come_and_not_before():
    execution = started(machine(Rest=WAIT), at=NOW)

    assert tick(after(59.9)).woken == 0
    assert checked(execution).is_running
    assert tick(after(60)).woken == 1

    assert checked(execution).ended_at == after(60)


def test_a_retry_comes_when_its_time_has_come():
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5}]
    execution = started(machine(Work=call("echo", Retry=retry)), at=NOW)
    send(execution, asl.FailTask(task=3, error="Busy"), at=after(1))
    assert only_state(execution) == "retry"

    tick(after(6))

    assert only_task(execution).status == "QUEUED"
    drain()
    assert output(execution) == {}


def only_state(execution):
    return checked(execution).waiting_for


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [({"TimeoutSeconds": 30}, 30), ({"TimeoutSeconds": 30, "HeartbeatSeconds": 10}, 10)],
)
def test_a_task_that_is_silent_too_long_fails(fields, seconds):
    execution = started(machine(Work=call("callback", **fields)), at=NOW)

    tick(after(seconds - 0.1))
    assert checked(execution).is_running
    tick(after(seconds))

    assert failure(execution)[0] == "States.Timeout"


def test_the_whole_machine_may_time_out():
    execution = started({**machine(Work=call("callback")), "TimeoutSeconds": 30}, at=NOW)

    tick(after(31))

    assert checked(execution).status == "TIMED_OUT"
    assert not models.Task.objects.exists()


def test_saying_the_time_again_changes_nothing():
    execution = started(machine(Rest=WAIT, Work=call("callback")), at=NOW)

    tick(after(60))
    seq = checked(execution).seq

    assert tick(after(61)) == clock.Tick()
    assert checked(execution).seq == seq


def test_it_says_when_to_look_again():
    started(machine(Rest=WAIT), at=NOW)
    started(machine(Rest={"Type": "Wait", "Seconds": 20}), at=NOW)

    assert tick(after(1)).next_due == after(20)
    assert tick(after(30)).next_due == after(60)


def test_many_due_moments_are_taken_in_batches(settings):
    settings.WORKFLOWS = {"CLOCK_BATCH": 2}
    for _ in range(5):
        started(machine(Rest=WAIT), at=NOW)

    ticks = [clock.tick(after(61)) for _ in range(4)]

    assert [done.woken for done in ticks] == [2, 2, 1, 0]
    assert ticks[0].next_due == after(60)
    assert ticks[2].next_due is None


def test_more_future_moments_than_a_batch_keep_no_clock_busy(settings):
    settings.WORKFLOWS = {"CLOCK_BATCH": 2}
    for _ in range(5):
        started(machine(Rest=WAIT), at=NOW)

    assert clock.tick(after(1)).next_due == after(60)


@pytest.mark.django_db(transaction=True)
def test_of_many_clocks_at_the_same_time_one_wakes_it():
    executions = [started(machine(Rest=WAIT, Work=call("callback")), at=NOW) for _ in range(3)]

    ticks = at_once(*[lambda: clock.tick(after(60))] * 3)

    assert sum(done.woken for done in ticks) == 3, ticks
    for execution in executions:
        events = engine.log(checked(execution).pk)
        assert sum(isinstance(event, asl.WaitFinished) for event in events) == 1


@pytest.mark.django_db(transaction=True)
def test_a_clock_and_a_person_at_the_same_time_end_a_wait_once():
    execution = started(machine(Rest=WAIT, Work=call("callback")), at=NOW)

    def finish():
        return engine.send(execution.pk, asl.FinishWaiting(wait=3), actor=SYSTEM, at=after(60))

    ticked, finished = at_once(lambda: clock.tick(after(60)), finish)

    assert (ticked.woken == 1) == isinstance(finished, asl.NotPending)
    events = engine.log(checked(execution).pk)
    assert sum(isinstance(event, asl.WaitFinished) for event in events) == 1


def test_what_is_wrong_with_one_keeps_no_other_waiting(monkeypatch, caplog):
    broken, whole = started(machine(Rest=WAIT), at=NOW), started(machine(Rest=WAIT), at=NOW)
    wake, tries = engine.wake, []

    def wake_or_break(key, **arguments):
        if key == broken.pk:
            tries.append(key)
            raise KeyError("a bug")
        return wake(key, **arguments)

    monkeypatch.setattr(engine, "wake", wake_or_break)
    the_clock = clock.Clock()

    assert the_clock.tick(after(60)).woken == 1
    assert checked(whole).status == "SUCCEEDED"
    assert f"execution {broken.pk}: left alone for 2 s" in caplog.text
    the_clock.tick(after(60))
    assert len(tries) == 1

    monkeypatch.setattr(engine, "wake", wake)
    assert clock.tick(after(60)).woken == 1


# -- lost tasks --------------------------------------------------------------------------


def test_a_task_that_no_worker_takes_is_offered_again_ever_later(requests):
    task = only_task(started(at=NOW))

    moments = []
    for second in range(1, 200):
        if tick(after(second)).redelivered:
            moments.append(second)

    assert moments == [10, 30, 70, 150]
    assert requests == [task.pk] * 4
    task.refresh_from_db()
    assert (task.offers, task.status) == (5, "QUEUED")
    drain()
    assert output(task.execution) == {}


def test_a_task_whose_worker_went_silent_is_given_to_another(requests):
    execution = started()
    task = only_task(execution)
    tasks.claim(task.pk)
    gone = timezone.now() + timedelta(seconds=31)

    assert tick(gone - timedelta(seconds=5)).redelivered == 0
    assert tick(gone).redelivered == 1

    assert requests == [task.pk]
    assert drain() == 1
    assert output(execution) == {}


def test_a_task_that_kills_its_workers_fails_in_the_end(settings):
    settings.WORKFLOWS = {"MAX_DELIVERIES": 3}
    execution = started()
    now = timezone.now()
    for _ in range(3):
        tasks.claim(queued().get().pk)
        now += timedelta(minutes=1)
        done = tick(now)

    assert done.failed == 1
    error, cause = failure(execution)
    assert error == "Task.DeliveryFailed"
    assert cause.startswith("3 workers took the task of 'echo'")


def test_what_waits_for_a_person_is_left_alone():
    started(machine(Work=call("later")))
    drain()

    assert tick(timezone.now() + timedelta(days=365)) == clock.Tick()


@pytest.mark.django_db(transaction=True)
def test_of_many_clocks_one_offers_it_again(requests):
    started(at=NOW)

    ticks = at_once(*[lambda: clock.tick(after(11))] * 3)

    assert sum(done.redelivered for done in ticks) == 1, ticks


@pytest.mark.django_db(transaction=True)
def test_of_many_clocks_one_gives_it_up(settings):
    settings.WORKFLOWS = {"MAX_DELIVERIES": 1}
    execution = started()
    tasks.claim(only_task(execution).pk)
    gone = timezone.now() + timedelta(seconds=31)

    ticks = at_once(*[lambda: clock.tick(gone)] * 3)

    assert sum(done.failed for done in ticks) == 1, ticks
    assert failure(execution)[0] == "Task.DeliveryFailed"


# -- running -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_running_it_ends_a_wait_within_a_moment():
    thread = clock.Thread()
    thread.start()
    try:
        execution = started(machine(Rest={"Type": "Wait", "Seconds": 1}))
        until = time.monotonic() + 5
        while models.Execution.objects.get().is_running and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        thread.stop()

    row = checked(execution)
    assert 1.0 <= (row.ended_at - row.started_at).total_seconds() < 1.5
    assert not thread.is_alive()


def test_a_database_that_is_away_does_not_end_it(monkeypatch, caplog):
    stop = threading.Event()
    ticks = []

    def broken(self, now=None):
        ticks.append(now)
        if len(ticks) == 2:
            stop.set()
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(clock.Clock, "tick", broken)
    monkeypatch.setattr(clock.connection, "close", lambda: None)
    monkeypatch.setattr(stop, "wait", lambda seconds: None)

    clock.run_forever(stop)

    assert len(ticks) == 2
    assert "the clock could not look what is due" in caplog.text
